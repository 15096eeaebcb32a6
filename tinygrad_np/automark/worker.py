"""One submission in a process of its own: ``python -m tinygrad_np.automark.worker JOB``, as `running` starts it.

It sets its limits, runs the submission and marks its functions. What came of it goes line by line, as JSON, into a file
that the submission knows nothing of, so that its prints break nothing and what was marked is kept if the process dies.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
import textwrap
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import tinygrad_np
from tinygrad_np import blocks
from tinygrad_np.automark.assignments import tasks_of
from tinygrad_np.automark.cells import cells
from tinygrad_np.automark.limits import limited
from tinygrad_np.automark.loading import NO_MODULE, Loaded, load
from tinygrad_np.automark.marking import mark
from tinygrad_np.automark.results import Result
from tinygrad_np.automark.statements import statements
from tinygrad_np.automark.tasks import Task
from tinygrad_np.errors import FileFormatError

LARGEST_FILE = 100 * 2**20
"""Bytes that a submission may write into one file."""

LONGEST_REASON = 5000
"""Characters."""

MOST_NOTES = 50
"""What is told of how it was loaded."""


def _main(job: Mapping[str, Any]) -> None:
    path = Path(job["file"])
    tasks = tasks_of(Path(job["assignment"]) if job["assignment"] else None)  # while nothing else has run
    events = os.open(job["events"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(**event: Any) -> None:
        os.write(events, json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    _end_with(job["parent"])
    _limit_memory(job["memory"])
    namespace = _stand_in(path.parent)
    try:
        loaded = Loaded(namespace, cells(path), path.parent)
    except (FileFormatError, MemoryError) as error:
        tell(broken=str(error) or f"{path.name}: it is too large to be read")
        return
    except OSError as error:
        tell(broken=f"{path.name}: it cannot be read: {error.strerror}")
        return
    shared = Shared()
    load(
        loaded,
        statements(loaded.cells, job["run_all"], tasks),
        lambda run: limited(run, job["seconds"]),
        lambda number, where: tell(begin="statement", number=number, where=where),
        job["skip"],
    )
    changed = shared.restore()
    for note in [*loaded.notes[:MOST_NOTES], *(f"it changes {name}" for name in changed)]:
        tell(note=note)
    for module in loaded.modules():
        tell(note=f"it imports {module}, a file beside it")
    for name in job["functions"]:
        tell(begin="function", name=name)
        result = _marked(loaded, tasks[name], job, shared)
        for note in _noteworthy(loaded, result):
            tell(note=note)
        tell(result=replace(result, reason=result.reason[:LONGEST_REASON]).as_dict())
        if result.kind == "memory":  # what it took may still be taken
            tell(again=True)
            return
    tell(end=True)


def _marked(loaded: Loaded, task: Task, job: Mapping[str, Any], shared: Shared) -> Result:
    seed, start = job["seed"], time.perf_counter()
    function, why, kind = loaded.function(task.name)
    if function is None:
        return Result(task.name, False, _indented(why), kind, 0, seed)
    try:
        result = mark(function, task, seed, job["seconds"])
    except BaseException as error:  # `mark` catches what functions raise, but for want of memory and the like of Ctrl-C
        kind = "memory" if isinstance(error, MemoryError) else "exception"
        told = "it ends with"
        if isinstance(error, Exception) and kind != "memory":
            kind, told = "not marked", "the marker fails:"
        reason = _indented(f"{told} {type(error).__name__}: {error}")
        result = Result(task.name, False, reason, kind, 0, seed, time.perf_counter() - start)
    if result.kind == "exception" and "MemoryError" in result.reason:
        result = replace(result, kind="memory")
    changed = shared.restore()
    if changed and result.kind not in ("memory", "time limit"):  # the marker has been using it too
        reason = _indented(f"while it is marked, {', '.join(changed)} is changed: its values say nothing")
        return replace(result, passed=False, reason=reason, kind="exception")
    more = [] if result.passed else loaded.lacking(function, result.reason)
    cell = loaded.cell_of(function)
    if cell is not None and job["file"].endswith(".ipynb") and result.kind in ("exception", "memory"):
        more.append(f"(it is in {cell.name})")
    if result.kind == "memory":
        more.append(f"it may take {job['memory']} MB")
    return replace(result, reason="\n".join([result.reason, *map(_indented, more)]) if more else result.reason)


def _indented(text: str) -> str:
    return textwrap.indent(text, "  ")


def _noteworthy(loaded: Loaded, result: Result) -> Iterator[str]:
    """What a teacher should know of a result."""
    name = result.function
    if result.passed:
        function = loaded.namespace[name]
        if borrowed := loaded.borrowed(function):
            yield f"{name} uses {', '.join(borrowed)} of tinygrad_np: look at it"
        for module in loaded.beside(function):
            yield f"{name} uses {module}, a file beside the submission: look at it"
    elif missing := NO_MODULE.search(result.reason):
        yield f"{name}: {missing[0]}"


class Shared:
    """What a submission shares with the marker, as it is before the submission runs."""

    def __init__(self) -> None:
        modules = (builtins, np, np.linalg, np.random, blocks)
        self.before = [(module, {n: v for n, v in vars(module).items() if n[0] != "_"}) for module in modules]
        self.errors, self.printing = np.geterr(), np.get_printoptions()

    def restore(self) -> list[str]:
        """Put back what is another now; return the names of what is not a setting."""
        changed = []
        for module, things in self.before:
            for name in [name for name, thing in things.items() if module.__dict__.get(name) is not thing]:
                module.__dict__[name] = things[name]
                changed.append(f"{module.__name__}.{name}")
        np.seterr(**self.errors)
        np.set_printoptions(**self.printing)
        return changed


# --- limits -----------------------------------------------------------------------------------------------------------


def _limit_memory(megabytes: int) -> None:
    """Let the process have so much beside what it has now, and write no large files, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    try:
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        now = 2**30
    for what, most in (
        (resource.RLIMIT_AS, now + megabytes * 2**20),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        if hard == resource.RLIM_INFINITY or most < hard:
            try:
                resource.setrlimit(what, (most, most))
            except (ValueError, OSError):  # this system has no such limit
                continue


def _end_with(parent: int) -> None:
    """Let the process end when the one that started it does, as that can end it no more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    if hasattr(os, "getppid") and os.getppid() == parent:
        threading.Thread(target=watch, daemon=True).start()


# --- what a submission imports ----------------------------------------------------------------------------------------


def _stand_in(folder: Path) -> dict[str, Any]:
    """Let `automark` do nothing and `Blocks` be ours, or the one in the submission's folder; return a fresh namespace.

    Other modules of that folder can be imported too, but come after all others: they hide nothing.
    """
    silent = types.ModuleType("automark", "Records nothing while a submission is marked.")
    for name in ("test_student_function", "get_progress", "register"):
        setattr(silent, name, _nothing)
    silent.__dict__["__getattr__"] = _nothing_by_name
    sys.modules["automark"] = silent
    import tinygrad_np.automark as ours

    silent.__path__ = ours.__path__
    sys.modules["tinygrad_np.automark"] = silent
    tinygrad_np.automark = silent
    if (folder / "Blocks.py").is_file():
        sys.meta_path.insert(0, _OwnBlocks(folder))
    else:
        sys.modules["Blocks"] = blocks
    sys.path.append(str(folder))
    builtins.input = _no_input
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    return main.__dict__


class _OwnBlocks(MetaPathFinder):
    """Finds the submission's own `Blocks` before any other."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        return PathFinder.find_spec(fullname, [self.folder]) if fullname == "Blocks" else None


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _nothing_by_name(name: str) -> Callable[..., None]:
    if name.startswith("__"):
        raise AttributeError(name)
    return _nothing


def _no_input(*_: Any) -> NoReturn:
    raise EOFError("input() is answered by nobody while a submission is marked")


if __name__ == "__main__":
    _main(json.loads(Path(sys.argv[1]).read_text()))

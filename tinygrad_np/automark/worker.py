"""One submission in a process of its own: ``python -m tinygrad_np.automark.worker JOB``, as `running` starts it.

It sets its limits, runs the submission and marks its functions. What came of it goes line by line, as JSON, into a file
that the submission knows nothing of, so that its prints break nothing and what was marked is kept if the process dies.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import tinygrad_np
from tinygrad_np import blocks
from tinygrad_np.automark.assignments import tasks_of
from tinygrad_np.automark.limits import limited
from tinygrad_np.automark.marking import mark
from tinygrad_np.automark.results import Result
from tinygrad_np.automark.submissions import Loaded, cells, load, statements
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
        os.write(events, json.dumps(event).encode() + b"\n")

    _end_with(job["parent"])
    _limit_memory(job["memory"])
    namespace = _stand_in(path.parent)
    try:
        loaded = Loaded(namespace, cells(path))
    except (FileFormatError, OSError, MemoryError) as error:
        tell(broken=str(error) or type(error).__name__)
        return
    found = statements(loaded.cells, job["run_all"], tasks, loaded.notes.append)
    load(
        loaded,
        found,
        lambda run: limited(run, job["seconds"]),
        lambda number, where: tell(begin="statement", number=number, where=where),
        job["skip"],
    )
    for note in loaded.notes[:MOST_NOTES]:
        tell(note=note)
    for name in job["functions"]:
        tell(begin="function", name=name)
        result = _marked(loaded, tasks[name], job)
        if result.passed and (borrowed := loaded.borrowed(loaded.namespace[name])):
            tell(note=f"{name} uses {', '.join(borrowed)} of tinygrad_np: look at it")
        tell(result=replace(result, reason=result.reason[:LONGEST_REASON]).as_dict())
        if result.kind == "memory":  # what it took may still be taken
            tell(again=True)
            return
    tell(end=True)


def _marked(loaded: Loaded, task: Task, job: Mapping[str, Any]) -> Result:
    seed, start = job["seed"], time.perf_counter()
    function, why = loaded.function(task.name)
    if function is None:
        return Result(task.name, False, f"  {why}", "not defined", 0, seed)
    try:
        result = mark(function, task, seed, job["seconds"])
    except BaseException as error:  # `mark` catches what functions raise, but for want of memory and the like of Ctrl-C
        kind = "memory" if isinstance(error, MemoryError) else "exception"
        told = "it ends with"
        if isinstance(error, Exception) and kind != "memory":
            kind, told = "not marked", "the marker fails:"
        reason = f"  {told} {type(error).__name__}: {error}"
        result = Result(task.name, False, reason, kind, 0, seed, time.perf_counter() - start)
    if result.kind == "exception" and "MemoryError" in result.reason:
        result = replace(result, kind="memory")
    cell = loaded.cell_of(function)
    if cell is not None and job["file"].endswith(".ipynb") and result.kind in ("exception", "memory"):
        result = replace(result, reason=f"{result.reason}\n  (it is in {cell.name})")
    if result.kind == "memory":
        result = replace(result, reason=f"{result.reason}\n  it may take {job['memory']} MB")
    return result


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
    if not (folder / "Blocks.py").is_file():
        sys.modules["Blocks"] = blocks
    sys.path.append(str(folder))
    builtins.input = _no_input
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    return main.__dict__


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

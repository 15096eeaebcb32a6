"""Running a submission: what it defines then, what failed, and what its functions use."""

from __future__ import annotations
import __future__

import ast
import linecache
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CellType, CodeType, ModuleType
from typing import Any

from tinygrad_np.automark.cells import Cell, lines_of
from tinygrad_np.automark.statements import Statement, Trouble, names_read


@dataclass
class Loaded:
    """What came of running a submission.

    Parameters
    ----------
    namespace
        Its names.
    cells
        Its code.
    folder
        Where it is, if it can import what is beside it.
    notes
        What failed or was left out, in words.
    troubles
        The same, by the names that it concerns.

    Examples
    --------
    >>> Loaded({"relu_forward": abs}, []).function("relu_forward")
    (None, 'it is not defined in the submission itself: it comes from builtins', 'not defined')
    """

    namespace: dict[str, Any]
    cells: Sequence[Cell]
    folder: Path | None = None
    notes: list[str] = field(default_factory=list)
    troubles: dict[str, Trouble] = field(default_factory=dict)

    def function(self, name: str) -> tuple[Callable[..., Any] | None, str, str]:
        """The function of this name, if it is the submission's own; if not, None, why, and the kind of result."""
        found = self.namespace.get(name)
        if self.is_own(found):
            return found, "", ""
        if name in self.troubles:
            text, mistake = self.troubles[name]
            return None, f"{name} {text}", "exception" if mistake else "not defined"
        if name not in self.namespace:
            return None, "the submission does not define it", "not defined"
        if not callable(found):
            return None, f"{name} is no function: it is a {type(found).__name__}", "not defined"
        of = _module_of(found) or "elsewhere"
        shown = "Blocks" if of == "tinygrad_np.blocks" else of
        return None, f"it is not defined in the submission itself: it comes from {shown}", "not defined"

    def is_own(self, thing: Any) -> bool:
        """Whether it is a function of the submission itself."""
        return callable(thing) and self.cell_of(thing) is not None

    def cell_of(self, function: Callable[..., Any]) -> Cell | None:
        """The cell that holds a function's code; None if it is not the submission's own."""
        names = {cell.name: cell for cell in self.cells}
        files = (f.__code__.co_filename for f in _unwrapped(function))
        return next((names[file] for file in files if file in names), None)

    def uses(self, function: Callable[..., Any]) -> list[tuple[str, Any]]:
        """What a function uses, and what the submission's functions and classes use that it uses; with the names."""
        found: list[tuple[str, Any]] = []
        todo: list[tuple[str, Any]] = [("", function)]
        seen = set()
        while todo:
            found.append(todo.pop())
            thing = found[-1][1]
            if id(thing) not in seen:
                seen.add(id(thing))
                todo += self._within(thing)
        return found

    def _within(self, thing: Any) -> Iterator[tuple[str, Any]]:
        """What something that the submission defines uses at once."""
        main = self.namespace.get("__name__")
        if isinstance(thing, type):
            if _module_of(thing) == main:
                yield from ((base.__name__, base) for base in thing.__bases__)
                yield from ((f"{thing.__name__}.{name}", inner) for name, inner in vars(thing).items())
            return
        if _module_of(type(thing)) == main:
            yield type(thing).__name__, type(thing)
        files = {cell.name for cell in self.cells}
        for own in (f for f in _unwrapped(thing) if f.__code__.co_filename in files):
            for name in names_read(own.__code__):
                yield name, self.namespace.get(name, sys.modules.get(name))
            given = [*(own.__defaults__ or ()), *(_attribute(own, "__kwdefaults__") or {}).values()]
            given += [cell.cell_contents for cell in own.__closure__ or () if cell != _EMPTY]
            yield from ((_attribute(inner, "__name__") or type(inner).__name__, inner) for inner in given)

    def borrowed(self, function: Callable[..., Any]) -> list[str]:
        """What a function uses of this package, which has the answers."""
        return sorted({name for name, thing in self.uses(function) if _is_ours(thing)})

    def beside(self, function: Callable[..., Any]) -> list[str]:
        """The modules beside the submission that a function uses."""
        modules = {_module_of(thing).split(".")[0] for _, thing in self.uses(function)}
        return sorted(modules & set(self.modules()))

    def modules(self) -> list[str]:
        """The modules beside the submission that it has imported."""
        if self.folder is None:
            return []
        files = {name: _attribute(module, "__file__") for name, module in sys.modules.copy().items()}
        places = {name: Path(file).parent for name, file in files.items() if isinstance(file, str)}
        found = (name for name, place in places.items() if place in (self.folder, self.folder / name))
        return sorted(name for name in found if not _is_ours(sys.modules[name]))

    def lacking(self, function: Callable[..., Any], reason: str) -> list[str]:
        """What else to say of a function that fails for this reason: the troubles of the names that it uses."""
        used = sorted({name for name, _ in self.uses(function)} & set(self.troubles))
        told = (n for n in used if n in self.namespace or f"name {n!r} is not defined" in reason)
        lines = [f"{name}, which it uses, {self.troubles[name].text}" for name in told]
        missing = NO_MODULE.search(reason)
        return [*lines, f"{missing[1]} {_NOT_THERE}"] if missing else lines

    def leave_out(self, statement: Statement) -> None:
        """Keep why a statement does not run, if anybody will miss it."""
        if statement.unread is not None:
            text, mistake = statement.unread
            self.notes.append(text)
            self.troubles |= dict.fromkeys(statement.made, Trouble(f"could not be defined: {text}", mistake))
        elif statement.missed:
            names, where = ", ".join(sorted(statement.missed)), statement.where
            self.notes.append(
                f"{where}: skipped, but makes or changes what a definition needs: {names} (see --run-all)"
            )
            trouble = Trouble(f"is made or changed by a statement that was skipped ({where}): --run-all runs it")
            self.troubles |= dict.fromkeys(statement.missed, trouble)

    def failed(self, statement: Statement, error: BaseException, before: Mapping[str, Any]) -> None:
        """Keep what a statement raised, and what names are missing now."""
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        if isinstance(error, NameError) and error.name in self.troubles:
            said += f" ({error.name} {self.troubles[error.name].text})"
        said = f"{statement.where}: {said}"[:500]
        self.notes.append(said)
        trouble = Trouble(f"could not be defined: {said}", True)
        if isinstance(statement.node, (ast.Import, ast.ImportFrom)):
            missing = NO_MODULE.search(said)
            trouble = Trouble(f"could not be imported: {f'{missing[1]} {_NOT_THERE}' if missing else said}")
        names = (name for name in statement.made if self.namespace.get(name) is before.get(name))
        self.troubles |= dict.fromkeys(names, trouble)

    def changed(self, statement: Statement, before: Mapping[str, Any]) -> None:
        """Keep which of its functions a statement has overwritten, and which names are well again."""
        is_star = isinstance(statement.node, ast.ImportFrom) and statement.node.names[0].name == "*"
        for name in {*before, *self.namespace}:
            old, new = before.get(name), self.namespace.get(name)
            if old is not new and self.is_own(old) and not self.is_own(new):
                shown = ast.unparse(statement.node).split("\n")[0][:60]
                self.troubles[name] = Trouble(f"is overwritten by `{shown}` ({statement.where})")
            elif old is not new and not is_star:
                self.troubles.pop(name, None)


NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
"""What Python says of a module that is not there."""

_NOT_THERE = "is neither installed here nor a file beside the submission"

_EMPTY = CellType()
"""A variable of a closure that has no value yet."""


def load(
    loaded: Loaded,
    to_run: Sequence[Statement],
    step: Callable[[Callable[[], None]], None] = lambda run: run(),
    begin: Callable[[int, str], None] = lambda *_: None,
    skip: Collection[int] = (),
) -> None:
    """Run statements of a submission in its namespace, going on after one that fails.

    Parameters
    ----------
    loaded
        Where its names and notes are kept.
    to_run
        What `statements` found.
    step
        Runs one statement: where a limit can be set.
    begin
        Is told the number and the place of each statement before it runs.
    skip
        Numbers of statements that are not to run, as they ended the process the last time.

    Examples
    --------
    >>> cell = Cell("a.py", 1, "import no_such_module\\ndef f(x):\\n    return x + 1")
    >>> loaded = Loaded({}, [cell])
    >>> load(loaded, statements([cell]))
    >>> loaded.notes, loaded.namespace["f"](1)
    (["a.py, line 1: ModuleNotFoundError: No module named 'no_such_module'"], 2)
    """
    _remember_lines(loaded.cells)
    flags, failed = 0, None
    for number, statement in enumerate(to_run):
        where = statement.where
        loaded.leave_out(statement)
        if not statement.runs:
            continue
        if number in skip or (failed is statement.cell and statement.experiment):
            why = "it ended the process" if number in skip else "what is before it in its cell failed"
            trouble = Trouble(f"could not be defined: {where} did not run, as {why}", True)
            loaded.troubles |= dict.fromkeys(statement.made, trouble)
            continue
        begin(number, where)
        before = loaded.namespace.copy()
        try:
            flags |= _future(statement.node)
            step(lambda s=statement, f=flags: _run(s, f, loaded.namespace))  # type: ignore[misc]
        except BaseException as error:  # SystemExit and the time limit too: the others are to count
            loaded.failed(statement, error, before)
            if statement.experiment:
                failed = statement.cell
                if any(s.cell is failed and s.experiment for s in to_run[number + 1 :]):
                    loaded.notes[-1] += "; the rest of its cell is skipped, but for definitions"
        loaded.changed(statement, before)


def _remember_lines(found: Sequence[Cell]) -> None:
    """Let tracebacks show the code, which is in no file that Python would find."""
    files: dict[str, list[str]] = {}
    for cell in found:
        lines = files.setdefault(cell.name, [])
        lines += ["\n"] * (cell.first - 1 - len(lines)) + [f"{line}\n" for line in lines_of(cell.source)]
    for name, lines in files.items():
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)


def _run(statement: Statement, flags: int, namespace: dict[str, Any]) -> None:
    code = compile(ast.Module([statement.node], []), statement.cell.name, "exec", flags, dont_inherit=True)
    exec(code, namespace)


def _future(node: ast.stmt) -> int:
    """What ``from __future__ import ...`` asks of the compiler."""
    if not isinstance(node, ast.ImportFrom) or node.module != "__future__":
        return 0
    flags = 0
    for alias in node.names:
        flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
    return flags


def _attribute(thing: Any, name: str) -> Any:
    """An attribute; None if there is none, or if whatever the thing does instead fails."""
    try:
        return getattr(thing, name, None)
    except Exception:
        return None


def _module_of(thing: Any) -> str:
    of = _attribute(thing, "__name__" if isinstance(thing, ModuleType) else "__module__")
    return of if isinstance(of, str) else ""


def _is_ours(thing: Any) -> bool:
    return _module_of(thing).split(".")[0] == "tinygrad_np"


def _unwrapped(thing: Any) -> Iterator[Any]:
    """The functions with code that a function stands for: itself, and those that it wraps."""
    for _ in range(20):
        has_code = isinstance(_attribute(thing, "__code__"), CodeType)
        if has_code:
            yield thing
        inner = (_attribute(thing, name) for name in ("__wrapped__", "func", "pyfunc", "py_func", "__func__", "fget"))
        following = next((i for i in inner if callable(i)), None)
        if following is None and has_code:
            return
        thing = following or _attribute(type(thing), "__call__")

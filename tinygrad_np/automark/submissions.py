"""What a submission defines: a notebook (``.ipynb``) or a Python file, read and run so far as marking needs it.

What runs is decided by reading, before any of it runs. Of the statements outside of functions and classes these do:

- imports, and definitions of functions and classes; a lambda with a name is one;
- an assignment that a definition needs (or that makes a function to be marked), whose right side is made of literals,
  names, operators, and calls of functions that compute only: NumPy's, those of a few modules of the standard library,
  a few builtin ones, and methods of what they return;
- an ``if`` (but of ``__name__``) or a ``try`` that holds such statements alone.

All else is an experiment, and runs only if everything is to be run. A statement that fails is noted, and the next one
runs; after a failed experiment, the others of its cell do not, as in a notebook. IPython's magics are left out.
"""

from __future__ import annotations
import __future__

import ast
import dis
import io
import json
import linecache
import re
import tokenize
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from tinygrad_np.errors import FileFormatError


class Cell(NamedTuple):
    """A piece of code that stands or falls together: a notebook's code cell, or a part of a Python file.

    Examples
    --------
    >>> Cell("hinge.py", 3, "x = 1").where(1)
    'hinge.py, line 3'
    """

    name: str
    first: int
    """The line of its file that it begins at."""
    source: str

    def where(self, line: int) -> str:
        """In words, by a line counted from 1."""
        return f"{self.name}, line {line + self.first - 1}"


class Statement(NamedTuple):
    """A statement outside of functions and classes, and whether it runs.

    Examples
    --------
    >>> [s.runs for s in statements([Cell("a.py", 1, "import math\\nprint(math.pi)")])]
    [True, False]
    """

    cell: Cell
    node: ast.stmt
    runs: bool
    why_not: str = ""

    @property
    def where(self) -> str:
        return f"{self.cell.name}, line {self.node.lineno}"


# --- reading ----------------------------------------------------------------------------------------------------------

_PARTS = re.compile(r"^# (?:%%|In ?\[[\d ]*\]:).*$", re.MULTILINE)
"""What separates the cells of a notebook that was saved as a Python file."""

_LEFT_OUT = re.compile(r"\s*(?:[%!?]|(?:pip3?|conda)\s+[a-z]+\b(?!\s*[=(])|[\w.\[\]*]+\?{1,2}\s*$)")
_ASSIGNED = re.compile(r"(\s*[\w., ]+=\s*)[%!]")
_CELL_OF_PYTHON = re.compile(r"%%(?:time|timeit|capture|prun)\b")


def cells(path: Path) -> list[Cell]:
    """The code of a submission.

    Raises
    ------
    FileFormatError
        If it is a notebook by name, but not by content, or no text.

    Examples
    --------
    >>> Path("a.py").write_text("x = 1")
    5
    >>> cells(Path("a.py"))
    [Cell(name='a.py', first=1, source='x = 1')]
    """
    content = path.read_bytes()
    if path.suffix.lower() == ".ipynb":
        return [Cell(f"{path.name}, code cell {i}", 1, text) for i, text in enumerate(_notebook(path, content), 1)]
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = io.TextIOWrapper(io.BytesIO(content), encoding).read()
    except (SyntaxError, UnicodeError) as error:
        raise FileFormatError(f"{path.name}: expected a Python file, got one that is no text ({error})") from error
    starts = [0, *(found.start() for found in _PARTS.finditer(text) if _is_statement(text[: found.start()]))]
    parts = zip(starts, [*starts[1:], len(text)], strict=True)
    return [Cell(path.name, text.count("\n", 0, a) + 1, text[a:b]) for a, b in parts if text[a:b].strip()]


def _notebook(path: Path, content: bytes) -> Iterator[str]:
    """The text of a notebook's code cells, of format 3 or 4."""
    try:
        notebook = json.loads(content)
        if "worksheets" in notebook:
            found = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        else:
            found = notebook["cells"]
        for cell in found:
            if cell["cell_type"] == "code":
                source = cell["source"] if "source" in cell else cell["input"]
                yield source if isinstance(source, str) else "".join(source)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        what = "it is empty" if not content.strip() else f"{type(error).__name__}: {error}"
        raise FileFormatError(f"{path.name}: expected a notebook, as Jupyter writes; {what}") from error


def without_magics(source: str) -> str:
    """The source with IPython's own lines replaced by ``pass``, so that all others keep their numbers.

    Examples
    --------
    >>> print(without_magics("%matplotlib inline\\nfiles = !ls\\nx = (7\\n  % 2)"))
    pass
    files = None
    x = (7
      % 2)
    """
    if source.lstrip().startswith("%%"):
        start = len(source) - len(source.lstrip())
        if not _CELL_OF_PYTHON.match(source, start):
            return ""
    lines = source.splitlines()
    for i, line in enumerate(lines):
        left_out, assigned = _LEFT_OUT.match(line), _ASSIGNED.match(line)
        if (left_out or assigned) and _is_statement("\n".join(lines[:i])):
            indent = line[: len(line) - len(line.lstrip())]
            lines[i] = f"{assigned[1]}None" if assigned else f"{indent}pass"
    return "\n".join(lines)


def _is_statement(before: str) -> bool:
    """Whether what follows this text is a new statement, and not in a bracket, a string or a continued line."""
    if before.rstrip("\n").endswith("\\"):
        return False
    try:
        for _ in tokenize.generate_tokens(io.StringIO(before).readline):
            pass
    except tokenize.TokenError:
        return False
    except SyntaxError:  # as of an indent
        return True
    return True


# --- what runs --------------------------------------------------------------------------------------------------------

_COMPUTING = frozenset(
    [
        "numpy",
        "math",
        "collections",
        "functools",
        "itertools",
        "operator",
        "typing",
        "enum",
        "dataclasses",
        "fractions",
        "decimal",
    ]
)
"""Modules whose functions compute only."""

_BUILTIN = frozenset(
    [
        "abs",
        "bool",
        "bytes",
        "complex",
        "dict",
        "divmod",
        "enumerate",
        "float",
        "frozenset",
        "int",
        "len",
        "list",
        "max",
        "min",
        "pow",
        "range",
        "reversed",
        "round",
        "set",
        "slice",
        "sorted",
        "str",
        "sum",
        "tuple",
        "zip",
        "type",
        "object",
        "staticmethod",
        "classmethod",
        "property",
    ]
)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)


def statements(
    found: Sequence[Cell],
    everything: bool = False,
    wanted: Collection[str] = (),
    note: Callable[[str], None] = lambda _: None,
) -> list[Statement]:
    """The statements of some cells, in order, each with whether it runs; the module's docstring says by which rule.

    Parameters
    ----------
    found
        The cells.
    everything
        Whether experiments run too.
    wanted
        The names of functions to be marked.
    note
        Is told of cells that are not Python.

    Examples
    --------
    >>> source = "import numpy as np\\nEPS = 1e-8\\nx = np.ones(3)\\ndef f(a):\\n    return a + EPS\\nprint(f(x))"
    >>> [s.runs for s in statements([Cell("a.py", 1, source)])]
    [True, True, False, True, False]
    """
    parsed = [(cell, node) for cell in found for node in _parsed(cell, note)]
    if everything:
        return [Statement(cell, node, True) for cell, node in parsed]
    rule = _Rule([node for _, node in parsed], wanted)
    return [Statement(cell, node, rule.runs(node), rule.missed(node)) for cell, node in parsed]


def _parsed(cell: Cell, note: Callable[[str], None]) -> list[ast.stmt]:
    try:
        tree = ast.parse(without_magics(cell.source))
        ast.increment_lineno(tree, cell.first - 1)
        return tree.body
    except SyntaxError as error:
        note(f"{cell.where(error.lineno or 1)}: {type(error).__name__}: {error.msg}; none of this cell counts")
    except (ValueError, RecursionError, MemoryError) as error:
        note(f"{cell.where(1)}: {type(error).__name__}: {error}; none of this cell counts")
    return []


class _Rule:
    """Which statements run: the imports, the definitions, and what those need."""

    def __init__(self, nodes: Sequence[ast.stmt], wanted: Collection[str]) -> None:
        self.computing = set(_BUILTIN)
        for inner in (inner for node in nodes for inner in ast.walk(node)):
            if isinstance(inner, ast.Import):
                self.computing |= {(a.asname or a.name).split(".")[0] for a in inner.names if _computes(a.name)}
            elif isinstance(inner, ast.ImportFrom) and _computes(inner.module or ""):
                self.computing |= {a.asname or a.name for a in inner.names}
        self.needed, before = set(wanted), -1
        while before < len(self.needed):  # what is needed needs something itself
            before = len(self.needed)
            for node in nodes:
                if not isinstance(node, (ast.Import, ast.ImportFrom)) and self.runs(node):
                    self.needed |= _loaded(node)

    def runs(self, node: ast.stmt) -> bool:
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass, *_DEFINITIONS)):
            return True
        if isinstance(node, _ASSIGNMENTS):
            return isinstance(node.value, ast.Lambda) or (self._is_needed(node) and self._is_plain(node))
        if isinstance(node, ast.If):
            main = any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test))
            return not main and self._is_simple(node.test) and self._all_run([*node.body, *node.orelse])
        if isinstance(node, ast.Try):
            handled = [s for handler in node.handlers for s in handler.body]
            return self._all_run([*node.body, *handled, *node.orelse, *node.finalbody])
        return False

    def missed(self, node: ast.stmt) -> str:
        """What a definition needs of a statement that does not run; "" if nothing."""
        if isinstance(node, _ASSIGNMENTS) and self._is_needed(node) and not self.runs(node):
            return ", ".join(sorted(_targets(node) & self.needed))
        return ""

    def _all_run(self, inner: Sequence[ast.stmt]) -> bool:
        return all(self._is_plain(s) if isinstance(s, _ASSIGNMENTS) else self.runs(s) for s in inner)

    def _is_needed(self, node: ast.stmt) -> bool:
        return not self.needed.isdisjoint(_targets(node))

    def _is_plain(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> bool:
        return node.value is None or self._is_simple(node.value)

    def _is_simple(self, value: ast.expr) -> bool:
        inner = list(ast.walk(value))
        if any(isinstance(n, (ast.Await, ast.Yield, ast.YieldFrom)) for n in inner):
            return False
        return all(self._computes(n.func) for n in inner if isinstance(n, ast.Call))

    def _computes(self, called: ast.expr) -> bool:
        """Whether a call of this is of a function that computes only, or of a method of what one returned."""
        while isinstance(called, (ast.Attribute, ast.Subscript)):
            called = called.value
        if isinstance(called, ast.Name):
            return called.id in self.computing
        return isinstance(called, (ast.Call, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.JoinedStr))


def _computes(module: str) -> bool:
    return module.split(".")[0] in _COMPUTING


def _loaded(node: ast.stmt) -> set[str]:
    """The global names that a statement reads, or that a definition will read when it is called."""
    try:
        codes = [compile(ast.Module([node], []), "", "exec", dont_inherit=True)]
    except (SyntaxError, ValueError, RecursionError):  # told when it is to run
        return set()
    names = set()
    while codes:
        code = codes.pop()
        codes += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        read = (i for i in dis.get_instructions(code) if i.opname.startswith("LOAD"))
        names |= {i.argval for i in read if "GLOBAL" in i.opname or "NAME" in i.opname}
    return names


def _targets(node: ast.stmt) -> set[str]:
    """The names that an assignment binds or writes into."""
    assert isinstance(node, _ASSIGNMENTS)
    targets = list(node.targets if isinstance(node, ast.Assign) else [node.target])
    names = set()
    while targets:
        target = targets.pop()
        if isinstance(target, ast.Name):
            names.add(target.id)
        elif isinstance(target, (ast.Tuple, ast.List)):
            targets += target.elts
        elif isinstance(target, (ast.Attribute, ast.Subscript, ast.Starred)):
            targets.append(target.value)
    return names


# --- running ----------------------------------------------------------------------------------------------------------


@dataclass
class Loaded:
    """What came of running a submission.

    Parameters
    ----------
    namespace
        Its names.
    cells
        Its code.
    notes
        What failed or was left out, in words.

    Examples
    --------
    >>> Loaded({"relu_forward": abs}, []).function("relu_forward")
    (None, 'it is not defined in the submission itself: it comes from builtins')
    """

    namespace: dict[str, Any]
    cells: Sequence[Cell]
    notes: list[str] = field(default_factory=list)

    def function(self, name: str) -> tuple[Callable[..., Any] | None, str]:
        """The function of this name, if it is the submission's own; None and why, if not."""
        found = self.namespace.get(name)
        if name not in self.namespace:
            return None, self._why_missing(name)
        if not callable(found):
            return None, f"{name} is no function: it is a {type(found).__name__}"
        if self.cell_of(found) is not None:
            return found, ""
        of = getattr(found, "__module__", None) or "elsewhere"
        shown = "Blocks" if of == "tinygrad_np.blocks" else of
        return None, f"it is not defined in the submission itself: it comes from {shown}"

    def cell_of(self, function: Callable[..., Any]) -> Cell | None:
        """The cell that holds a function's code; None if it is not the submission's own."""
        names = {cell.name: cell for cell in self.cells}
        return next((names[code.co_filename] for code in _codes(function) if code.co_filename in names), None)

    def borrowed(self, function: Callable[..., Any]) -> list[str]:
        """The names in a function's code that stand for something of this package, which has the answers."""
        codes = [code for code in _codes(function) if code.co_filename in {cell.name for cell in self.cells}]
        names = set()
        while codes:
            code = codes.pop()
            names |= set(code.co_names)
            codes += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        return sorted(name for name in names if _is_ours(self.namespace.get(name)) or name == "tinygrad_np")

    def _why_missing(self, name: str) -> str:
        definition = re.compile(rf"^\s*(?:async\s+)?(?:def|class)\s+{re.escape(name)}\b", re.MULTILINE)
        for cell in self.cells:
            if definition.search(cell.source):
                trouble = [note for note in self.notes if note.startswith(f"{cell.name}, line ")]
                return "\n".join(["its definition did not run", *trouble[:3]])
        return "the submission does not define it"


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
        if statement.why_not:
            loaded.notes.append(
                f"{statement.where}: {statement.why_not} is needed by a definition, but made by an experiment, which "
                "does not run (see --run-all)"
            )
        basic = isinstance(statement.node, (ast.Import, ast.ImportFrom, *_DEFINITIONS))
        if not statement.runs or number in skip or (failed is statement.cell and not basic):
            continue
        begin(number, statement.where)
        try:
            flags |= _future(statement.node)
            step(lambda s=statement, f=flags: _run(s, f, loaded.namespace))  # type: ignore[misc]
        except BaseException as error:  # SystemExit and the time limit too: the others are to count
            failed = failed if basic else statement.cell
            loaded.notes.append(f"{statement.where}: {_said(error)}")


def _remember_lines(found: Sequence[Cell]) -> None:
    """Let tracebacks show the code, which is in no file that Python would find."""
    files: dict[str, list[str]] = {}
    for cell in found:
        lines = files.setdefault(cell.name, [])
        lines += ["\n"] * (cell.first - 1 - len(lines)) + [f"{line}\n" for line in cell.source.splitlines()]
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


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500].rstrip(": ")


def _is_ours(thing: Any) -> bool:
    of = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    return isinstance(of, str) and of.split(".")[0] == "tinygrad_np"


def _codes(thing: Any) -> Iterator[CodeType]:
    """The code of a function, and of those that it wraps."""
    for _ in range(20):
        code = getattr(thing, "__code__", None)
        if isinstance(code, CodeType):
            yield code
        inner = (getattr(thing, name, None) for name in ("__wrapped__", "func", "pyfunc", "py_func", "__func__"))
        following = next((i for i in inner if callable(i)), None)
        if following is None and isinstance(code, CodeType):
            return
        thing = following or getattr(type(thing), "__call__", None)  # noqa: B004

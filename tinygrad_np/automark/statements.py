"""Which statements of a submission run, which is decided by reading, before any of them runs.

Of the statements outside of functions and classes these do:

- imports, and definitions of functions and classes; a lambda with a name is one;
- an assignment that a definition needs (or that makes a function to be marked), whose right side is made of literals,
  names, operators, and calls of functions that compute only: NumPy's, those of a few modules of the standard library,
  a few builtin ones, and methods of what they return;
- an ``if`` or a ``try`` that holds such statements alone; what is in ``if __name__ == "__main__":`` counts as if it
  were outside of it.

All else is an experiment, and runs only if everything is to be run. A statement that fails is noted, and the next one
runs; after a failed experiment, the other experiments of its cell do not, as in a notebook. IPython's magics are left
out.
"""

from __future__ import annotations

import ast
import dis
import re
from collections.abc import Collection, Iterator, Sequence
from types import CodeType
from typing import NamedTuple

from tinygrad_np.automark.cells import Cell, lines_of, without_magics


class Trouble(NamedTuple):
    """Why a name of a submission is not what its author meant it to be.

    Examples
    --------
    >>> f"f {Trouble('could not be defined: ...', True).text}"
    'f could not be defined: ...'
    """

    text: str
    """In words that go on from the name."""
    mistake: bool = False
    """Whether its author was wrong, rather than that it is not run or not theirs."""


class Statement(NamedTuple):
    """A statement outside of functions and classes, and whether it runs; or a cell that cannot be read.

    Examples
    --------
    >>> [s.runs for s in statements([Cell("a.py", 1, "import math\\nprint(math.pi)")])]
    [True, False]
    """

    cell: Cell
    node: ast.stmt
    runs: bool
    experiment: bool
    made: frozenset[str]
    """The names that it makes or changes."""
    missed: frozenset[str]
    """Those of them that a definition needs, if it does not run."""
    unread: Trouble | None = None
    """Why its whole cell, for which it stands, cannot be read."""

    @property
    def where(self) -> str:
        return f"{self.cell.name}, line {self.node.lineno}"


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

    Examples
    --------
    >>> source = "import numpy as np\\nEPS = 1e-8\\nx = np.ones(3)\\ndef f(a):\\n    return a + EPS\\nprint(f(x))"
    >>> [s.runs for s in statements([Cell("a.py", 1, source)])]
    [True, True, False, True, False]
    """
    parsed = [(cell, node, unread) for cell in found for node, unread in _parsed(cell)]
    rule = _Rule([node for _, node, _ in parsed], wanted)
    told = []
    for cell, node, unread in parsed:
        basic = rule.runs(node)
        runs = unread is None and (basic or everything)
        made = frozenset(_defined(cell.source) if unread else _made(node, rule.imported))
        missed = frozenset() if runs else made & rule.needed
        told.append(Statement(cell, node, runs, not basic, made, missed, unread))
    return told


_MAIN = ("__name__ == '__main__'", "'__main__' == __name__")


def _parsed(cell: Cell) -> Iterator[tuple[ast.stmt, Trouble | None]]:
    """The statements of a cell; if it cannot be read, one that stands for it, and why."""
    source = without_magics(cell.source)
    line, unread = 1, None
    if not source and _defined(cell.source):
        unread = Trouble(f"{cell.where(1)}: a cell of {lines_of(cell.source.strip())[0]} does not run")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, what = (error.lineno or 1, error.msg) if isinstance(error, SyntaxError) else (1, str(error))
        unread = Trouble(f"{cell.where(line)}: {type(error).__name__}: {what}; nothing around it counts", True)
    if unread is not None:
        yield ast.Pass(lineno=cell.first - 1 + line, col_offset=0), unread
        return
    ast.increment_lineno(tree, cell.first - 1)
    for node in tree.body:
        inside = node.body if isinstance(node, ast.If) and ast.unparse(node.test) in _MAIN else [node]
        yield from ((inner, None) for inner in inside)


def _defined(source: str) -> list[str]:
    """The names of functions and classes whose definitions begin in a text, be it Python or not."""
    return re.findall(r"^[ \t]*(?:async\s+)?(?:def|class)\s+(\w+)", source, re.MULTILINE)


class _Rule:
    """Which statements run: the imports, the definitions, and what those need."""

    def __init__(self, nodes: Sequence[ast.stmt], wanted: Collection[str]) -> None:
        self.computing, self.imported = set(_BUILTIN), set()
        for inner in (inner for node in nodes for inner in ast.walk(node)):
            if isinstance(inner, (ast.Import, ast.ImportFrom)):
                self.imported |= _made(inner)
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
            return self._is_simple(node.test) and self._all_run([*node.body, *node.orelse])
        if isinstance(node, ast.Try):
            handled = [s for handler in node.handlers for s in handler.body]
            return self._all_run([*node.body, *handled, *node.orelse, *node.finalbody])
        return False

    def _all_run(self, inner: Sequence[ast.stmt]) -> bool:
        return all(self._is_plain(s) if isinstance(s, _ASSIGNMENTS) else self.runs(s) for s in inner)

    def _is_needed(self, node: ast.stmt) -> bool:
        return not self.needed.isdisjoint(_made(node))

    def _is_plain(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> bool:
        return node.value is None or self._is_simple(node.value)

    def _is_simple(self, value: ast.expr) -> bool:
        inner = list(ast.walk(value))
        if any(isinstance(n, (ast.Await, ast.Yield, ast.YieldFrom)) for n in inner):
            return False
        return all(self._computes(n.func) for n in inner if isinstance(n, ast.Call))

    def _computes(self, called: ast.expr) -> bool:
        """Whether a call of this is of a function that computes only, or of a method of what one returned."""
        of = _root(called)
        if isinstance(of, ast.Name):
            return of.id in self.computing
        return isinstance(of, (ast.Call, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.JoinedStr))


def _computes(module: str) -> bool:
    return module.split(".")[0] in _COMPUTING


def _loaded(node: ast.stmt) -> set[str]:
    """The global names that a statement reads, or that a definition will read when it is called."""
    try:
        return names_read(compile(ast.Module([node], []), "", "exec", dont_inherit=True))
    except (SyntaxError, ValueError, RecursionError):  # told when it is to run
        return set()


def names_read(code: CodeType) -> set[str]:
    """The global names that code reads, and the modules that it imports."""
    names, codes = set(), [code]
    while codes:
        code = codes.pop()
        codes += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        for step in dis.get_instructions(code):
            of_global = step.opname.startswith("LOAD") and ("GLOBAL" in step.opname or "NAME" in step.opname)
            if of_global or step.opname == "IMPORT_NAME":
                names.add(step.argval)
    return names


def _made(node: ast.stmt, modules: Collection[str] = ()) -> set[str]:
    """The names that a statement makes or changes: it binds them, writes into them, or calls their methods.

    A method whose result is used changes nothing, most likely. These modules are not changed.
    """
    names: set[str] = set()
    todo: list[ast.AST] = [node]
    while todo:
        inner = todo.pop()
        if isinstance(inner, _DEFINITIONS):
            names.add(inner.name)
        elif isinstance(inner, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in inner.names}
        elif not isinstance(inner, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            todo += ast.iter_child_nodes(inner)
        changed = inner if isinstance(getattr(inner, "ctx", None), ast.Store) else None
        if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
            changed = inner.value.func if isinstance(inner.value.func, ast.Attribute) else None
        of = _root(changed)
        if isinstance(of, ast.Name) and (of is changed or of.id not in modules):
            names.add(of.id)
    return names


def _root(node: ast.AST | None) -> ast.AST | None:
    """What attributes and items are taken of, at the end."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node

"""A tape as a table: what ran, on which lines, and the bytes that it keeps for its rules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_np.values import Array, Value


class Line(NamedTuple):
    """A line of the tape: its number, the operation, the numbers of its inputs (None for a constant), and its result.

    `keeps` are the bytes of all memory that it keeps for its rules, `adds` those that no earlier line keeps. A view
    keeps the whole of the memory that it lies in.
    """

    line: int
    op: str
    inputs: tuple[int | None, ...]
    shape: tuple[int, ...]
    dtype: str
    keeps: int
    adds: int


class Memory(tuple[Line, ...]):
    """What each line of a tape keeps; printed, a table. Shared memory is counted once: `total` is the sum of ``adds``.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> memory = tg.tape((w * w).sum()).memory()
    >>> memory.total, [line.adds for line in memory]
    (16, [0, 16, 0])
    """

    __slots__ = ()

    @property
    def total(self) -> int:
        """Bytes that the tape keeps."""
        return sum(line.adds for line in self)

    def to_json(self) -> str:
        """The total and all lines, as a JSON object."""
        return json.dumps({"total": self.total, "lines": [line._asdict() for line in self]})

    def __str__(self) -> str:
        rows = [(f"%{r.line}", r.op, str(r.shape), f"{r.keeps} B", f"{r.adds} B") for r in self]
        return f"{table([('', 'op', 'shape', 'keeps', 'adds'), *rows])}\n{self.total} B in all"


def memory(nodes: Sequence[Any]) -> Memory:
    """Measure the nodes of a tape, in the order they ran."""
    number = {node: i for i, node in enumerate(nodes)}
    seen: set[int] = set()
    lines = []
    for node, i in number.items():
        kept = kept_memory(node)
        adds = sum(size for memory, size in kept.items() if memory not in seen)
        seen |= kept.keys()
        inputs = tuple(None if parent is None else number[parent] for parent in node.parents)
        lines.append(Line(i, str(node), inputs, node.shape, str(node.dtype), sum(kept.values()), adds))
    return Memory(lines)


def text(nodes: Sequence[Any]) -> str:
    """One line a node: its number, operation, inputs (lines of the tape, or const), shape, dtype, and bytes kept."""
    measured = memory(nodes)
    rows = [("", "op", "inputs", "shape", "dtype", "kept")]
    for r in measured:
        inputs = " ".join("const" if i is None else f"%{i}" for i in r.inputs)
        rows.append((f"%{r.line}", r.op, inputs, str(r.shape), r.dtype, f"{r.keeps} B"))
    return f"{table(rows)}\n{len(rows) - 1} lines keep {measured.total} B, shared arrays counted once"


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells with their columns aligned to the left."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def kept_memory(node: Any) -> dict[int, int]:
    """The bytes of each memory that a node keeps for its rules, by an identity."""
    return dict(_root(array) for array in arrays(node.saved))


def arrays(value: Any) -> list[Array]:
    """The arrays in a value, a Value, or a sequence of these."""
    if isinstance(value, (list, tuple)):
        return [a for v in value for a in arrays(v)]
    array = value._array if isinstance(value, Value) else value
    return [array] if isinstance(array, np.ndarray) else []


def _root(array: Array) -> tuple[int, int]:
    """Which memory an array keeps alive, and its bytes: those of the array that it is a view of in the end."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return id(array if array.base is None else array.base), array.nbytes

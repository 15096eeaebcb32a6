"""A tape printed as a numbered program: what ran, on which lines, and the bytes that it keeps for its rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_np.values import Array, Value


def text(nodes: Sequence[Any]) -> str:
    """One line a node: its number, operation, inputs (lines of the tape, or const), shape, dtype, and bytes kept."""
    number = {node: f"%{i}" for i, node in enumerate(nodes)}
    rows = [("", "op", "inputs", "shape", "dtype", "kept")]
    kept: dict[int, int] = {}
    for node, label in number.items():
        arrays = {id(a): a for value in node.saved or () for a in _arrays(value)}.values()
        for a in arrays:
            memory = id(a if a.base is None else a.base)
            kept[memory] = max(a.nbytes, kept.get(memory, 0))
        inputs = " ".join("const" if parent is None else number[parent] for parent in node.parents)
        size = sum(a.nbytes for a in arrays)
        rows.append((label, str(node), inputs, str(node.shape), str(node.dtype), f"{size} B"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, f"{len(nodes)} lines keep {sum(kept.values())} B, shared arrays counted once"])


def _arrays(value: Any) -> list[Array]:
    if isinstance(value, (list, tuple)):
        return [a for v in value for a in _arrays(v)]
    array = value._array if isinstance(value, Value) else value
    return [array] if isinstance(array, np.ndarray) else []

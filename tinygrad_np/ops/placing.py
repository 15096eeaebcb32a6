"""Entries that stand in several places, among others, or on a diagonal."""

from __future__ import annotations

import math
from operator import index
from typing import Any

import numpy as np

from tinygrad_np.errors import RangeError
from tinygrad_np.ops.indexing import scatter_add
from tinygrad_np.ops.shape import at, broadcast_to, line, moveaxis, reshape
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

__all__ = [
    "diag",
    "diagflat",
    "diagonal",
    "pad",
    "repeat",
    "resize",
    "tile",
    "trace",
    "tril",
    "triu",
]

# --- in several places ----------------------------------------------------------------------------------------------


@primitive
def repeat(x: Array, repeats: Array, /, axis: int | None = None) -> Any:
    """Each entry along an axis `repeats` times, a number for all or one for each; in one row without `axis`.

    Examples
    --------
    >>> repeat([1, 2, 3], [2, 0, 1])
    array([1, 1, 3])
    """
    return np.repeat(x, repeats, axis)


def _unrepeated(g: Any, x_shape: tuple[int, ...], repeats: Any, axis: int | None) -> Any:
    (shape, axis), counts = line(x_shape, axis), np.asarray(repeats)
    if counts.size == 1:
        summed = reshape(g, (*shape[: axis + 1], int(counts.item()), *shape[axis + 1 :])).sum(axis=axis + 1)
    else:
        summed = scatter_add(g, at(np.repeat(np.arange(shape[axis]), counts), axis), shape)
    return reshape(summed, x_shape)


repeat.def_vjp(
    x=_unrepeated,
    repeats=None,
)


def _integers(numbers: Any) -> tuple[int, ...]:
    return tuple(map(index, numbers)) if np.iterable(numbers) else (index(numbers),)


@primitive
def tile(x: Array, /, reps: Any) -> Any:
    """`x` laid side by side, as often along each axis as `reps` says; missing numbers and missing axes come first.

    Examples
    --------
    >>> tile([1, 2], (2, 2))
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]])
    """
    return np.tile(x, _integers(reps))


def _untiled(g: Any, x_shape: tuple[int, ...], reps: tuple[int, ...]) -> Any:
    reps, shape = (1,) * (g.ndim - len(reps)) + reps, (1,) * (g.ndim - len(x_shape)) + x_shape
    tiles = reshape(g, [side for pair in zip(reps, shape, strict=True) for side in pair])
    return reshape(tiles.sum(axis=tuple(range(0, tiles.ndim, 2))), x_shape)


tile.def_vjp(x=lambda g, x_shape, reps: _untiled(g, x_shape, _integers(reps)))


def _collected(g: Any, places: Array, shape: tuple[int, ...]) -> Any:
    """Add up the entries of `g` that come from the same place, counted in C order, of an array of `shape`."""
    size = math.prod(shape)
    used = None if size else 0  # what is made of nothing has no places
    return reshape(scatter_add(reshape(g, (-1,))[:used], places.reshape(-1)[:used], (size,)), shape)


def _places(shape: tuple[int, ...]) -> Array:
    return np.arange(math.prod(shape)).reshape(shape)


@primitive
def resize(x: Array, /, new_shape: Any) -> Any:
    """The entries of `x`, in one row and again and again, as many as `new_shape` takes; zeros if `x` has none.

    Examples
    --------
    >>> resize([1, 2, 3], (2, 2))
    array([[1, 2],
           [3, 1]])
    """
    return np.resize(x, _integers(new_shape))


resize.def_vjp(
    x=lambda g, x_shape, new_shape: _collected(g, np.resize(_places(x_shape), _integers(new_shape)), x_shape)
)


# --- among others ---------------------------------------------------------------------------------------------------

_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


@primitive
def pad(
    x: Array, /, pad_width: Any, mode: str = "constant", *, constant_values: Any = None, reflect_type: str | None = None
) -> Any:
    """Put entries before and after `x` along its axes: constants (0 by default), or entries of `x` itself.

    Parameters
    ----------
    x : array
    pad_width : int, pair, pairs or dict
        How many entries; before and after; before and after each axis; or for some axes as a dict.
    mode : "constant", "edge", "reflect", "symmetric" or "wrap"
    constant_values : number, pair or pairs
        As `pad_width`, with the mode "constant". No gradient flows to them.
    reflect_type : "even"

    Raises
    ------
    RangeError
        For NumPy's other modes, and its ``reflect_type="odd"``.

    Examples
    --------
    >>> pad([1, 2, 3], (1, 2))
    array([0, 1, 2, 3, 0, 0])
    >>> pad([1, 2, 3], 1, mode="reflect")
    array([2, 1, 2, 3, 2])
    """
    if mode not in _MODES:
        raise RangeError(f"pad: expected a mode out of {', '.join(_MODES)}, got {mode!r}")
    if reflect_type not in (None, "even"):
        raise RangeError(f"pad: expected reflect_type 'even', got {reflect_type!r}")
    given = {"constant_values": constant_values, "reflect_type": reflect_type}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return np.pad(x, pad_width, mode, **options)  # type: ignore[call-overload]


def _widths_before(pad_width: Any, ndim: int) -> list[int]:
    """How many entries `pad` puts before each axis."""
    pairs = np.zeros((ndim, 2), int)
    for axis, width in pad_width.items() if isinstance(pad_width, dict) else [(..., pad_width)]:
        pairs[axis] = width
    return list(map(int, pairs[:, 0]))


def _unpadded(g: Any, x_shape: tuple[int, ...], pad_width: Any, mode: str) -> Any:
    if mode != "constant":
        return _collected(g, np.pad(_places(x_shape), pad_width, mode), x_shape)  # type: ignore[call-overload]
    return g[tuple(slice(a, a + n) for a, n in zip(_widths_before(pad_width, len(x_shape)), x_shape, strict=True))]


pad.def_vjp(x=_unpadded)


# --- on a diagonal --------------------------------------------------------------------------------------------------


@primitive
def diagonal(x: Array, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The entries at ``i, i + offset`` along two axes, as the last axis of the result.

    Examples
    --------
    >>> diagonal([[1, 2], [3, 4]])
    array([1, 4])
    """
    return np.diagonal(x, offset, axis1, axis2)


def _on_diagonal(g: Any, x_shape: tuple[int, ...], offset: int, axis1: int, axis2: int) -> Any:
    """Zeros, with `g` where `diagonal` reads."""
    axes, steps = (axis1 % len(x_shape), axis2 % len(x_shape)), np.arange(g.shape[-1])
    offset = index(offset)  # small unsigned integers would wrap around
    ahead = tuple(n for i, n in enumerate(x_shape) if i not in axes)
    where = (..., steps + max(-offset, 0), steps + max(offset, 0))
    return moveaxis(scatter_add(g, where, (*ahead, *(x_shape[a] for a in axes))), (-2, -1), axes)


diagonal.def_vjp(x=_on_diagonal)


@primitive
def diag(x: Array, /, k: int = 0) -> Any:
    """The `k`-th diagonal of a matrix; of a vector, the matrix that has it there, and zeros elsewhere.

    Raises
    ------
    ShapeError
        If `x` is neither a vector nor a matrix.

    Examples
    --------
    >>> diag([1, 2])
    array([[1, 0],
           [0, 2]])
    >>> diag([[1, 2], [3, 4]], k=1)
    array([2])
    """
    return np.diag(x, k)


diag.def_vjp(x=lambda g, x_shape, k: diagonal(g, k) if len(x_shape) == 1 else _on_diagonal(g, x_shape, k, 0, 1))


@primitive
def diagflat(x: Array, /, k: int = 0) -> Any:
    """The matrix that has all entries of `x` on its `k`-th diagonal, and zeros elsewhere.

    Examples
    --------
    >>> diagflat([[1], [2]])
    array([[1, 0],
           [0, 2]])
    """
    return np.diagflat(x, k)


diagflat.def_vjp(x=lambda g, x_shape, k: reshape(diagonal(g, k), x_shape))


@primitive
def trace(x: Array, /, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    """The sum of a `diagonal`.

    Examples
    --------
    >>> float(trace([[1.0, 2.0], [3.0, 4.0]]))
    5.0
    """
    return np.trace(x, offset, axis1, axis2, dtype)


def _pull_trace(g: Any, x_shape: tuple[int, ...], offset: int, axis1: int, axis2: int) -> Any:
    shape = np.broadcast_to(False, x_shape).diagonal(offset, axis1, axis2).shape
    return _on_diagonal(broadcast_to(reshape(g, (*g.shape, 1)), shape), x_shape, offset, axis1, axis2)


trace.def_vjp(x=_pull_trace)


@primitive(broadcasts=True)
def tril(x: Array, /, k: int = 0) -> Any:
    """The entries on the `k`-th diagonal and below, and zeros above, in the last two axes; a vector in every row.

    Examples
    --------
    >>> tril([[1, 2], [3, 4]])
    array([[1, 0],
           [3, 4]])
    """
    return np.tril(x, k)


tril.def_vjp(x=lambda g, k: tril(g, k))


@primitive(broadcasts=True)
def triu(x: Array, /, k: int = 0) -> Any:
    """The entries on the `k`-th diagonal and above, and zeros below, in the last two axes; a vector in every row.

    Examples
    --------
    >>> triu([[1, 2], [3, 4]])
    array([[1, 2],
           [0, 4]])
    """
    return np.triu(x, k)


triu.def_vjp(x=lambda g, k: triu(g, k))

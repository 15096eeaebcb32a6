"""The same entries in another arrangement, or another dtype."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_np import values
from tinygrad_np.errors import ShapeError
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

__all__ = [
    "astype",
    "broadcast_to",
    "concatenate",
    "flatten",
    "reshape",
    "stack",
    "sum_to",
    "swapaxes",
    "transpose",
]


@primitive
def reshape(x: Array, /, shape: Any) -> Any:
    """The entries of `x`, in C order, in another shape; one side may be -1.

    Examples
    --------
    >>> reshape([1, 2, 3, 4], (2, -1))
    array([[1, 2],
           [3, 4]])
    """
    return np.asarray(x).reshape(shape)


reshape.def_vjp(x=lambda g, x_shape: reshape(g, x_shape))


@primitive
def flatten(x: Array, /) -> Any:
    """``(n, ...) -> (n, m)``: each object's entries in one row, in C order.

    Unlike ``ndarray.flatten`` it keeps the first axis, as layers do.

    Raises
    ------
    ShapeError
        For a 0-d array, which has no first axis.

    Examples
    --------
    >>> import numpy as np
    >>> flatten(np.zeros((2, 3, 4, 5))).shape
    (2, 60)
    """
    if np.ndim(x) == 0:
        raise ShapeError("flatten: expected x with a first axis of objects, got a 0-d array; reshape it to (1, 1)")
    return np.reshape(x, (len(x), math.prod(np.shape(x)[1:])))


flatten.def_vjp(x=lambda g, x_shape: reshape(g, x_shape))


@primitive
def transpose(x: Array, /, axes: Sequence[int] | None = None) -> Any:
    """Permute the axes of `x`; reverse them without `axes`.

    Examples
    --------
    >>> transpose([[1, 2, 3]])
    array([[1],
           [2],
           [3]])
    """
    return np.asarray(x).transpose(axes)


def _inverse(axes: Sequence[int] | None) -> list[int] | None:
    return None if axes is None else np.argsort([axis % len(axes) for axis in axes]).tolist()


transpose.def_vjp(x=lambda g, axes: transpose(g, _inverse(axes)))


@primitive
def swapaxes(x: Array, /, axis1: int, axis2: int) -> Any:
    """Exchange two axes of `x`.

    Examples
    --------
    >>> swapaxes([[1, 2, 3]], 0, 1)
    array([[1],
           [2],
           [3]])
    """
    return np.asarray(x).swapaxes(axis1, axis2)


swapaxes.def_vjp(x=lambda g, axis1, axis2: swapaxes(g, axis1, axis2))


@primitive
def broadcast_to(x: Array, /, shape: tuple[int, ...]) -> Any:
    """Repeat `x` along new and one-entry axes until it has `shape`.

    Examples
    --------
    >>> broadcast_to([1, 2], (2, 2))
    array([[1, 2],
           [1, 2]])
    """
    return np.broadcast_to(x, shape)


@primitive
def sum_to(x: Array, /, shape: tuple[int, ...]) -> Any:
    """Add up the entries of `x` that broadcasting from `shape` would repeat: the reverse of `broadcast_to`.

    Raises
    ------
    ShapeError
        If `shape` does not broadcast to the shape of `x`.

    Examples
    --------
    >>> sum_to([[1, 2], [3, 4]], (2,))
    array([4, 6])
    """
    if not values.sums_to(np.shape(x), shape):
        raise ShapeError(f"sum_to: expected a shape that broadcasts to x's {np.shape(x)}, got {shape}")
    return values.sum_to(np.asarray(x), shape)


broadcast_to.def_vjp(x=lambda g, x_shape: sum_to(g, x_shape))
sum_to.def_vjp(x=lambda g, x_shape: broadcast_to(g, x_shape))


@primitive
def astype(x: Array, /, dtype: Any) -> Any:
    """Convert to another dtype. The gradient comes back in the dtype of `x`; integers and bools are constants.

    Examples
    --------
    >>> astype([1.5, 2.5], "float32")
    array([1.5, 2.5], dtype=float32)
    """
    return np.asarray(x).astype(dtype)


astype.def_vjp(x=lambda g: g)  # the engine gives every gradient its argument's dtype


@primitive(sequence=True)
def concatenate(arrays: list[Array], /, axis: int | None = 0) -> Any:
    """Join arrays along an axis that they have; flattened first with ``axis=None``.

    Examples
    --------
    >>> concatenate([[1, 2], [3]])
    array([1, 2, 3])
    """
    return np.concatenate(arrays, axis)


def _pieces(g: Any, shapes: list[tuple[int, ...]], axis: int | None) -> list[Any]:
    ahead = (slice(None),) * (0 if axis is None else axis % g.ndim)
    lengths = [math.prod(shape) if axis is None else shape[axis] for shape in shapes]
    ends = list(itertools.accumulate(lengths, initial=0))
    return [reshape(g[(*ahead, slice(a, b))], s) for a, b, s in zip(ends, ends[1:], shapes, strict=False)]


concatenate.def_vjp(arrays=lambda g, arrays_shape, axis: _pieces(g, arrays_shape, axis))


@primitive(sequence=True)
def stack(arrays: list[Array], /, axis: int = 0) -> Any:
    """Join arrays of one shape along a new axis.

    Examples
    --------
    >>> stack([[1, 2], [3, 4]], axis=1)
    array([[1, 3],
           [2, 4]])
    """
    return np.stack(arrays, axis)


stack.def_vjp(
    arrays=lambda g, arrays_shape, axis: [g[(*(slice(None),) * (axis % g.ndim), i)] for i in range(len(arrays_shape))],
)

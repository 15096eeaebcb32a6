"""The same entries in another arrangement, or another dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from tinygrad_np import values
from tinygrad_np.derived import Derived
from tinygrad_np.errors import RangeError, ShapeError
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array, check_floating, operand

__all__ = [
    "astype",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "copy",
    "empty_like",
    "expand_dims",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "full_like",
    "matrix_transpose",
    "moveaxis",
    "ones_like",
    "permute_dims",
    "ravel",
    "reshape",
    "roll",
    "rollaxis",
    "rot90",
    "squeeze",
    "sum_to",
    "swapaxes",
    "transpose",
    "zeros_like",
]

Axes = int | Sequence[int]

# --- shapes ---------------------------------------------------------------------------------------------------------


def at(i: Any, axis: int) -> tuple[Any, ...]:
    """The index that takes `i` along an axis, counted from the first.

    Examples
    --------
    >>> at(0, 1)
    (slice(None, None, None), 0)
    """
    return (*(slice(None),) * axis, i)


def line(shape: tuple[int, ...], axis: int | None) -> tuple[tuple[int, ...], int]:
    """The shape and the axis to go along: without an axis, or axes, those of all entries in one row.

    Examples
    --------
    >>> line((2, 3), -1), line((2, 3), None)
    (((2, 3), 1), ((6,), 0))
    """
    return ((math.prod(shape),), 0) if axis is None or not shape else (shape, axis % len(shape))


def _check_order(op: str, order: str) -> None:
    if order not in ("C", "F"):
        raise RangeError(
            f"{op}: expected order 'C' or 'F', got {order!r}; 'A' and 'K' hang on how entries lie in memory"
        )


@primitive
def reshape(x: Array, /, shape: Any, order: str = "C") -> Any:
    """The entries of `x` in another shape, of which one side may be -1.

    They are read and written with the last index running fastest, or the first with ``order="F"``.

    Raises
    ------
    RangeError
        For the order "A", which hangs on how the entries lie in memory.

    Examples
    --------
    >>> reshape([1, 2, 3, 4], (2, -1))
    array([[1, 2],
           [3, 4]])
    """
    _check_order("reshape", order)
    return np.asarray(x).reshape(shape, order=order)  # type: ignore[call-overload]


reshape.def_vjp(x=lambda g, x_shape, order: reshape(g, x_shape, order))


@primitive
def ravel(x: Array, /, order: str = "C") -> Any:
    """``(...) -> (n,)``: all entries in one axis, the last index running fastest, or the first with ``order="F"``.

    Raises
    ------
    RangeError
        For the orders "A" and "K", which hang on how the entries lie in memory.

    Examples
    --------
    >>> ravel([[1, 2], [3, 4]], order="F")
    array([1, 3, 2, 4])
    """
    _check_order("ravel", order)
    return np.asarray(x).ravel(order)  # type: ignore[arg-type]


ravel.def_vjp(x=lambda g, x_shape, order: reshape(g, x_shape, order))


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
def squeeze(x: Array, /, axis: Any = None) -> Any:
    """Drop axes with one entry: all of them, or those of `axis` alone.

    Raises
    ------
    ShapeError
        If an axis to drop has not exactly one entry.

    Examples
    --------
    >>> squeeze([[[1], [2]]], axis=0)
    array([[1],
           [2]])
    """
    return np.squeeze(x, axis)


squeeze.def_vjp(x=lambda g, x_shape: reshape(g, x_shape))


@primitive
def expand_dims(x: Array, /, axis: Any) -> Any:
    """Add axes with one entry, which stand at `axis` in the result.

    Examples
    --------
    >>> expand_dims([1, 2], axis=(0, -1)).shape
    (1, 2, 1)
    """
    return np.expand_dims(x, axis)


expand_dims.def_vjp(x=lambda g, x_shape: reshape(g, x_shape))


def _each(op: str, arrays: Sequence[Any], shape: Any) -> Any:
    """Each array in the shape that `shape` makes of its own: one result for one array, a tuple for others."""
    found = [operand(op, x) for x in arrays]
    found = [x if (new := shape(x.shape)) == x.shape else reshape(x, new) for x in found]
    return found[0] if len(found) == 1 else tuple(found)


@Derived
def atleast_1d(*arrays: Any) -> Any:
    """``() -> (1,)`` for each array; others as they are. Several arrays give a tuple.

    Examples
    --------
    >>> atleast_1d(1.0, [2.0, 3.0])
    (array([1.]), array([2., 3.]))
    """
    return _each("atleast_1d", arrays, lambda shape: shape or (1,))


@Derived
def atleast_2d(*arrays: Any) -> Any:
    """``() -> (1, 1)`` and ``(n,) -> (1, n)`` for each array; others as they are. Several arrays give a tuple.

    Examples
    --------
    >>> atleast_2d([2.0, 3.0])
    array([[2., 3.]])
    """
    return _each("atleast_2d", arrays, lambda shape: (1,) * (2 - len(shape)) + shape)


@Derived
def atleast_3d(*arrays: Any) -> Any:
    """``(n,) -> (1, n, 1)`` and ``(m, n) -> (m, n, 1)`` for each array; several arrays give a tuple.

    Examples
    --------
    >>> atleast_3d([2.0, 3.0]).shape
    (1, 2, 1)
    """
    return _each("atleast_3d", arrays, lambda s: s + (1,) * (3 - len(s)) if len(s) > 1 else (1, *(s or (1,)), 1))


# --- axes -----------------------------------------------------------------------------------------------------------


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


def _inverse(axes: Axes | None) -> Any:
    if axes is None:
        return None
    order = np.atleast_1d(axes)  # NumPy lets the one axis of a vector stand without brackets
    return np.argsort(order % len(order)).tolist()


transpose.def_vjp(x=lambda g, axes: transpose(g, _inverse(axes)))

permute_dims = transpose


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
def matrix_transpose(x: Array, /) -> Any:
    """``(..., m, n) -> (..., n, m)``: exchange the last two axes.

    Raises
    ------
    ShapeError
        For fewer than two axes.

    Examples
    --------
    >>> matrix_transpose([[[1, 2, 3]]]).shape
    (1, 3, 1)
    """
    return np.matrix_transpose(x)


matrix_transpose.def_vjp(x=lambda g: matrix_transpose(g))


@primitive
def moveaxis(x: Array, /, source: Axes, destination: Axes) -> Any:
    """Move axes of `x` from `source` to `destination`; the others keep their order.

    Examples
    --------
    >>> import numpy as np
    >>> moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return np.moveaxis(x, source, destination)


moveaxis.def_vjp(x=lambda g, source, destination: moveaxis(g, destination, source))


@primitive
def rollaxis(x: Array, /, axis: int, start: int = 0) -> Any:
    """Move one axis of `x` back until it stands before the axis that was at `start`; `moveaxis` is easier to read.

    Examples
    --------
    >>> import numpy as np
    >>> rollaxis(np.zeros((2, 3, 4)), 2).shape
    (4, 2, 3)
    """
    return np.rollaxis(np.asarray(x), axis, start)


def _landing(axis: int, start: int, ndim: int) -> int:
    """Where `rollaxis` puts an axis."""
    start += ndim if start < 0 else 0
    return start - (axis % ndim < start)


rollaxis.def_vjp(x=lambda g, axis, start: moveaxis(g, _landing(axis, start, g.ndim), axis))


# --- order ----------------------------------------------------------------------------------------------------------


@primitive
def flip(x: Array, /, axis: Any = None) -> Any:
    """The entries in reverse order along an axis, some, or all.

    Examples
    --------
    >>> flip([[1, 2], [3, 4]], axis=1)
    array([[2, 1],
           [4, 3]])
    """
    return np.flip(x, axis)


flip.def_vjp(x=lambda g, axis: flip(g, axis))


@primitive
def fliplr(x: Array, /) -> Any:
    """The entries in reverse order along the second axis: left is right.

    Raises
    ------
    ShapeError
        For fewer than two axes.

    Examples
    --------
    >>> fliplr([[1, 2], [3, 4]])
    array([[2, 1],
           [4, 3]])
    """
    return np.fliplr(x)


fliplr.def_vjp(x=lambda g: fliplr(g))


@primitive
def flipud(x: Array, /) -> Any:
    """The entries in reverse order along the first axis: up is down.

    Raises
    ------
    ShapeError
        For a 0-d array.

    Examples
    --------
    >>> flipud([[1, 2], [3, 4]])
    array([[3, 4],
           [1, 2]])
    """
    return np.flipud(x)


flipud.def_vjp(x=lambda g: flipud(g))


@primitive
def roll(x: Array, /, shift: Any, axis: Any = None) -> Any:
    """Move entries on by `shift` places; what falls off the end comes in at the start.

    `shift` and `axis` may be tuples of as many numbers; without `axis` the entries move as if in one row.

    Examples
    --------
    >>> roll([1, 2, 3, 4], 1)
    array([4, 1, 2, 3])
    """
    return np.roll(x, np.asarray(shift).tolist(), axis)  # small unsigned integers would wrap around


roll.def_vjp(x=lambda g, shift, axis: roll(g, [-s for s in np.ravel(shift).tolist()], axis))


@primitive
def rot90(x: Array, /, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """Turn by `k` quarters, from the first of two axes towards the second.

    Examples
    --------
    >>> rot90([[1, 2], [3, 4]])
    array([[2, 4],
           [1, 3]])
    """
    return np.rot90(x, index(k), axes)


rot90.def_vjp(x=lambda g, k, axes: rot90(g, -index(k), axes))


# --- broadcasting ---------------------------------------------------------------------------------------------------


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


@Derived
def broadcast_arrays(*arrays: Any) -> Any:
    """A tuple of the arrays, each repeated until all have one shape; see `broadcast_to`.

    Raises
    ------
    ShapeError
        If the shapes do not fit together.

    Examples
    --------
    >>> broadcast_arrays([1, 2], 0)
    (array([1, 2]), array([0, 0]))
    """
    found = [operand("broadcast_arrays", x) for x in arrays]
    shape = np.broadcast_shapes(*(x.shape for x in found))
    return tuple(x if x.shape == shape else broadcast_to(x, shape) for x in found)


# --- copies ---------------------------------------------------------------------------------------------------------


@primitive
def astype(x: Array, /, dtype: Any, *, copy: bool = True) -> Any:
    """Convert to another dtype. The gradient comes back in the dtype of `x`; integers and bools are constants.

    Examples
    --------
    >>> astype([1.5, 2.5], "float32")
    array([1.5, 2.5], dtype=float32)
    """
    return np.asarray(x).astype(dtype, copy=copy)


astype.def_vjp(x=lambda g: g)  # the engine gives every gradient its argument's dtype


def in_dtype(x: Any, dtype: Any) -> Any:
    """`x` in a dtype; the very same where it has it.

    Examples
    --------
    >>> import numpy as np
    >>> in_dtype(np.array([1, 2]), float)
    array([1., 2.])
    """
    return x if x.dtype == dtype else astype(x, dtype)


@primitive
def copy(x: Array, /, order: str = "K") -> Any:
    """The same entries in memory of their own; the gradient passes as it is.

    Examples
    --------
    >>> copy([1.0, 2.0])
    array([1., 2.])
    """
    return np.array(x, order=order)  # type: ignore[call-overload]


copy.def_vjp(x=lambda g: g)


@primitive
def zeros_like(x: Array, /, dtype: Any = None, *, shape: Any = None) -> Any:
    """Zeros, a constant, of the shape and dtype of `x`, or of those given. `empty_like` is this function too.

    Examples
    --------
    >>> zeros_like([1.0, 2.0])
    array([0., 0.])
    """
    return np.zeros_like(x, dtype, shape=shape)


zeros_like.def_vjp(x=None)

empty_like = zeros_like


@primitive
def ones_like(x: Array, /, dtype: Any = None, *, shape: Any = None) -> Any:
    """Ones, a constant, of the shape and dtype of `x`, or of those given.

    Examples
    --------
    >>> ones_like([1, 2], float)
    array([1., 1.])
    """
    return np.ones_like(x, dtype, shape=shape)


ones_like.def_vjp(x=None)


@primitive
def _full_like(x: Array, fill_value: Array, /, dtype: Any = None, *, shape: Any = None) -> Any:
    """As `full_like`."""
    return np.full_like(x, fill_value, dtype, shape=shape)


def _sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """As `sum_to`, but where NumPy lets axes with one entry stand before those of the result."""
    return reshape(sum_to(g, shape[max(len(shape) - g.ndim, 0) :]), shape)


_full_like.def_vjp(x=None, fill_value=lambda g, fill_value_shape: _sum_to(g, fill_value_shape))


@Derived
def full_like(x: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    """`fill_value` repeated until it has the shape of `x`, in the dtype of `x` (an integer `x` cuts fractions off).

    No gradient flows to `x`.

    Raises
    ------
    DtypeError
        For a value that requires gradients, and a dtype that carries none.

    Examples
    --------
    >>> full_like([1.0, 2.0], 7)
    array([7., 7.])
    """
    x = operand("full_like", x)
    check_floating("full_like", np.dtype(x.dtype if dtype is None else dtype), fill_value)
    return _full_like(x, fill_value, dtype, shape=shape)

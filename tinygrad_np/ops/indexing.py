"""Reading entries by index, writing them into a copy, and adding them up where they came from.

An index is a constant: integers, bools, slices, arrays, lists or Tensors of these, whose entries are copied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_np.derived import Derived
from tinygrad_np.errors import DtypeError, RangeError, ShapeError
from tinygrad_np.ops.elementwise import keep_where
from tinygrad_np.ops.shape import _sum_to, at, line, reshape
from tinygrad_np.primitives import Primitive, primitive
from tinygrad_np.values import Array, Value, operand, sums_to

__all__ = [
    "add_at",
    "argwhere",
    "choose",
    "compress",
    "extract",
    "flatnonzero",
    "getitem",
    "nonzero",
    "scatter_add",
    "set_at",
    "take",
    "take_along_axis",
]


# --- any index --------------------------------------------------------------------------------------------------------


def constant(index: Any) -> Any:
    """An index, or another constant, without the Tensors in it: with copies of their entries.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> constant((tg.tensor([0, 1]), None))
    (array([0, 1]), None)
    """
    if isinstance(index, tuple):
        return tuple(constant(part) for part in index)
    if isinstance(index, list) and any(isinstance(part, (Value, list)) for part in index):
        return [constant(part) for part in index]
    return index._array.copy() if isinstance(index, Value) else index


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _is_basic(index: Any) -> bool:
    """Whether the index holds no array, and so never names an entry twice."""
    return all(p is None or p is ... or isinstance(p, (slice, int, np.integer)) for p in _parts(index))


def _refused(error: IndexError, index: Any) -> Exception:
    """NumPy's error for an index, of the kind that says whether its dtype, its shape or its entries are wrong."""
    arrays = [np.asarray(p) for p in _parts(constant(index)) if not (p is None or p is ... or isinstance(p, slice))]
    if any(a.dtype.kind in "fc" for a in arrays):
        return TypeError(error)
    wide_mask = any(a.dtype == bool and a.ndim > 1 for a in arrays) and "too many indices" in str(error)
    return ValueError(error) if wide_mask or "boolean index" in str(error) or "shape mismatch" in str(error) else error


@primitive
def getitem(x: Array, /, index: Any) -> Any:
    """``x[index]``, with everything that NumPy's indexing knows; a repeated index adds up in the gradient.

    Raises
    ------
    IndexRangeError
        For an index out of range, or too many of them.
    DtypeError
        For an index of floats.
    ShapeError
        For a boolean mask of a wrong shape, or arrays that do not broadcast together.

    Examples
    --------
    >>> import numpy as np
    >>> getitem(np.array([10.0, 20.0, 30.0]), [0, 0, 2])
    array([10., 10., 30.])
    """
    try:
        return x[index]
    except IndexError as error:
        raise _refused(error, index) from error


def _accumulate(out: Array, index: Any, x: Any) -> None:
    """``np.add.at(out, index, x)`` for an array in C order, with rows as quick as single entries.

    NumPy (2.4.6 at least) adds too little where `out` has one axis and `x` is broadcast to more, so that is done first.
    """
    (first, *more) = _parts(index)
    rows = np.asarray(first) if not more and out.ndim and isinstance(first, (list, np.ndarray)) else np.empty(0)
    if rows.dtype.kind in "iu" and rows.size and -len(out) <= rows.min() and rows.max() < len(out):
        x, width = np.broadcast_to(x, rows.shape + out.shape[1:]), math.prod(out.shape[1:])
        places = rows.astype(np.intp, copy=False).reshape(-1)
        if out.ndim > 1:
            places = (places.reshape(-1, 1) * width + np.arange(width)).reshape(-1)
        np.add.at(out.reshape(-1), places, x.reshape(-1))
    else:
        np.add.at(out, index, np.broadcast_to(x, out[index].shape) if out.ndim == 1 else x)


@primitive(broadcasts=True)
def scatter_add(x: Array, /, index: Any, shape: tuple[int, ...]) -> Any:
    """An array of zeros of `shape`, with the entries of `x` added in at `index`: what `getitem` reads, put back.

    Raises
    ------
    IndexRangeError, DtypeError, ShapeError
        As `getitem`; ShapeError also if `x` does not broadcast to what the index reads.

    Examples
    --------
    >>> scatter_add([1.0, 2.0, 3.0], [0, 0, 2], (3,))
    array([3., 0., 3.])
    """
    x, index = np.asarray(x), constant(index)
    out = np.zeros(shape, x.dtype)
    try:
        if _is_basic(index):
            out[index] = x
        else:
            _accumulate(out, index, x)
    except IndexError as error:
        raise _refused(error, index) from error
    return out


getitem.def_vjp(x=lambda g, x_shape, index: scatter_add(g, index, x_shape))
scatter_add.def_vjp(x=lambda g, index: getitem(g, index))


# --- writing into a copy ----------------------------------------------------------------------------------------------


def _trimmed(shape: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """`shape` without the axes of one entry that NumPy lets an assigned value have too many in front."""
    extra = max(0, len(shape) - ndim)
    return shape[extra:] if math.prod(shape[:extra]) == 1 else shape


def _stayed(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """`g` where the entry that was written there was not overwritten by a later one, and 0 elsewhere."""
    if _is_basic(index):
        return g
    written = np.empty(shape, np.intp)
    numbers = np.arange(math.prod(g.shape)).reshape(g.shape)
    written[index] = numbers
    return keep_where(g, written[index] == numbers)


@primitive
def _set_at(x: Array, value: Array, /, index: Any) -> Any:
    """`x` with the entries at `index` replaced."""
    out = np.array(x, order="C")
    try:
        if not _is_basic(index):  # which of several entries for one place is the last depends on how they lie in memory
            picked = out[index].shape
            shape = _trimmed(np.shape(value), len(picked))
            if sums_to(picked, shape):
                value = np.array(np.broadcast_to(np.reshape(value, shape), picked), order="C")
        out[index] = value
    except IndexError as error:
        raise _refused(error, index) from error
    return out


_set_at.def_vjp(
    x=lambda g, index: _set_at(g, 0, index),
    value=lambda g, x_shape, value_shape, index: _sum_to(_stayed(g[index], index, x_shape), value_shape),
)


@primitive
def _add_at(x: Array, value: Array, /, index: Any) -> Any:
    """`x` with `value` added to the entries at `index`."""
    out = np.array(x, order="C")
    try:
        if _is_basic(index):
            out[index] += value
        else:
            _accumulate(out, index, value)
    except IndexError as error:
        raise _refused(error, index) from error
    return out


_add_at.def_vjp(
    x=lambda g: g,
    value=lambda g, value_shape, index: _sum_to(g[index], value_shape),
)


def _operands(op: str, x: Any, value: Any) -> tuple[Any, Any]:
    """Both as arrays, if `value` converts to the dtype of `x` without losing its fractions."""
    x, value = operand(op, x), operand(op, value)
    if value.dtype.kind in "fc" and not np.can_cast(value.dtype, x.dtype, "same_kind"):
        raise DtypeError(f"{op}: expected a value that converts to x's dtype {x.dtype}, got {value.dtype}; convert x")
    return x, value


@Derived
def set_at(x: Any, index: Any, value: Any) -> Any:
    """A copy of `x` after ``x[index] = value``; no gradient flows to the entries of `x` that were replaced.

    Kinks: of several entries written to one place, in C order, the last stays, and has the gradient.

    Raises
    ------
    DtypeError
        For an index of floats; for a value of floats where `x` has integers, which NumPy would cut off.
    IndexRangeError, ShapeError
        As `getitem`; ShapeError also if the value does not broadcast to ``x[index]``.

    Examples
    --------
    >>> set_at([1.0, 2.0, 3.0], slice(1, None), 0.0)
    array([1., 0., 0.])
    """
    return _set_at(*_operands("set_at", x, value), constant(index))


@Derived
def add_at(x: Any, index: Any, value: Any) -> Any:
    """A copy of `x` after ``np.add.at(x, index, value)``: what is added at a repeated index adds up.

    Raises
    ------
    DtypeError
        For an index of floats; for a value of floats where `x` has integers.
    IndexRangeError, ShapeError
        As `getitem`; ShapeError also if the value does not broadcast to ``x[index]``.

    Examples
    --------
    >>> add_at([1.0, 2.0, 3.0], [0, 0, 2], 10.0)
    array([21.,  2., 13.])
    """
    return _add_at(*_operands("add_at", x, value), constant(index))


# --- along an axis ----------------------------------------------------------------------------------------------------


@primitive
def take(a: Array, indices: Array, /, axis: int | None = None, *, mode: Any = "raise") -> Any:
    """The entries, or slices along `axis`, with these numbers; of the flattened array without an axis.

    A number out of range is an error, or with ``mode="wrap"`` counted round and round, or with ``mode="clip"`` the
    first or the last.

    Raises
    ------
    IndexRangeError
        For a number out of range.
    RangeError
        For another mode.

    Examples
    --------
    >>> take([[1.0, 2.0], [3.0, 4.0]], [1, 1, 0], axis=1)
    array([[2., 2., 1.],
           [4., 4., 3.]])
    """
    _check_mode("take", mode)
    indices = indices if np.size(indices) else np.asarray(indices, np.intp)  # an empty list has no dtype of its own
    return np.take(a, indices, axis, mode=mode)


def _check_mode(op: str, mode: str) -> None:
    if mode not in ("raise", "wrap", "clip"):
        raise RangeError(f"{op}: expected the mode 'raise', 'wrap' or 'clip', got {mode!r}")


def _in_range(indices: Array, count: int, mode: str) -> Array:
    """The numbers that an index stands for with `mode`."""
    indices = indices.astype(np.intp)
    return indices % count if mode == "wrap" else np.clip(indices, 0, count - 1) if mode == "clip" else indices


def _put_back(g: Any, a_shape: tuple[int, ...], indices: Any, axis: int | None, mode: str) -> Any:
    shape, axis = line(a_shape, axis)
    places = _in_range(np.asarray(constant(indices)), shape[axis], mode)
    return reshape(scatter_add(g, at(places, axis), shape), a_shape)


take.def_vjp(
    a=_put_back,
    indices=None,
)


@primitive
def take_along_axis(arr: Array, indices: Array, /, axis: int | None = -1) -> Any:
    """One entry of `arr` for each of `indices`, which says where along `axis`: what `argsort` and `argmax` point at.

    Examples
    --------
    >>> take_along_axis([[1.0, 2.0], [3.0, 4.0]], [[1], [0]], axis=1)
    array([[2.],
           [3.]])
    """
    return np.take_along_axis(arr, indices, axis)


def _put_back_along(g: Any, arr_shape: tuple[int, ...], indices: Any, axis: int | None) -> Any:
    shape, axis = line(arr_shape, axis)
    places = list(np.ogrid[tuple(map(slice, shape))])
    places[axis] = _in_range(np.asarray(constant(indices)), max(shape[axis], 1), "wrap")
    numbers = np.ravel_multi_index(tuple(places), shape).reshape(-1)  # quicker to add up than an index for each axis
    return reshape(scatter_add(reshape(g, (-1,)), numbers, (math.prod(shape),)), arr_shape)


take_along_axis.def_vjp(
    arr=_put_back_along,
    indices=None,
)


@primitive(sequence=True, broadcasts=True)
def _choose(choices: list[Array], /, a: Array, mode: Any) -> Any:
    """Of several arrays the one whose number stands in `a`, entry by entry."""
    return np.choose(a, choices, mode=mode)


_choose.def_vjp(
    choices=lambda g, choices_shape, a, mode: [
        keep_where(g, _in_range(a, len(choices_shape), mode) == i) for i in range(len(choices_shape))
    ],
)


@Derived
def choose(a: Any, choices: Sequence[Any], *, mode: str = "raise") -> Any:
    """Of several arrays the one whose number stands in `a`, entry by entry; all are broadcast together.

    Numbers out of range are treated as by `take`, save that the mode "raise" takes no negative ones.

    Raises
    ------
    RangeError
        For another mode.
    ShapeError
        For a number out of range, as NumPy has it, or shapes that do not broadcast.

    Examples
    --------
    >>> choose([0, 1, 0], [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    array([ 1., 20.,  3.])
    """
    _check_mode("choose", mode)
    return _choose(choices, np.asarray(constant(a)), mode)


# --- by condition -----------------------------------------------------------------------------------------------------


@Derived
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """The slices along `axis` for which the condition, in one axis, holds; entries of the flattened array without it.

    Examples
    --------
    >>> compress([False, True], [[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([[3., 4.]])
    """
    condition = np.asarray(constant(condition))
    if condition.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    return take(a, np.flatnonzero(condition), axis)


@Derived
def extract(condition: Any, arr: Any) -> Any:
    """The entries for which the condition holds, in one axis; of both the entries count in C order.

    Examples
    --------
    >>> extract([[True, False], [False, True]], [[1.0, 2.0], [3.0, 4.0]])
    array([1., 4.])
    """
    return take(arr, np.flatnonzero(constant(condition)))


@primitive
def flatnonzero(a: Array, /) -> Any:
    """The numbers, in C order, of the entries that are not zero; a constant.

    Examples
    --------
    >>> flatnonzero([0.0, 2.0, 3.0])
    array([1, 2])
    """
    return np.flatnonzero(a)


flatnonzero.def_vjp(a=None)


@primitive
def argwhere(a: Array, /) -> Any:
    """``-> (n, a.ndim)``: the places of the entries that are not zero, one in each row; a constant.

    Examples
    --------
    >>> argwhere([[0.0, 2.0], [3.0, 0.0]])
    array([[0, 1],
           [1, 0]])
    """
    return np.argwhere(a)


argwhere.def_vjp(a=None)


def like(a: Any, result: Array) -> Any:
    """A constant computed from `a` outside of primitives: a Tensor if `a` is one.

    Examples
    --------
    >>> import numpy as np, tinygrad_np as tg
    >>> like(tg.tensor([0.5]), np.array([1, 2]))
    tensor([1, 2])
    """
    return Primitive.result(result) if isinstance(a, Value) else result


@Derived
def nonzero(a: Any) -> Any:
    """For each axis where along it the entries stand that are not zero: constants, and together an index of these.

    Examples
    --------
    >>> nonzero([[0.0, 2.0], [3.0, 0.0]])
    (array([0, 1]), array([1, 0]))
    """
    entries = constant(operand("nonzero", a))
    if entries.ndim == 0:
        raise ShapeError("nonzero: expected an array with axes, got a 0-d one; use atleast_1d(a)")
    return tuple(like(a, places) for places in np.nonzero(entries))

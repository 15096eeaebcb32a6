"""Several arrays joined to one, and one cut into several."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tinygrad_np.derived import Derived
from tinygrad_np.errors import ArgumentError, RangeError, ShapeError
from tinygrad_np.ops.shape import astype, at, atleast_1d, atleast_2d, atleast_3d, broadcast_arrays, ravel, reshape
from tinygrad_np.ops.shape import copy as copied
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array, Value, check_floating, check_real, operand, untracked

__all__ = [
    "append",
    "array_split",
    "block",
    "column_stack",
    "concat",
    "concatenate",
    "delete",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "insert",
    "meshgrid",
    "split",
    "stack",
    "unstack",
    "vsplit",
    "vstack",
]

# --- joined ---------------------------------------------------------------------------------------------------------


def _check_axis(op: str, axis: Any) -> None:
    """Refuse ``concatenate(a, b)``, of which NumPy says that arrays are no integers."""
    if isinstance(axis, (list, tuple, np.ndarray, Value)):
        raise ArgumentError(
            f"{op}: expected a list of arrays, then an integer as axis; write {op}([a, b]) for two arrays"
        )


def _arrays(op: str, arrays: Any) -> list[Any]:
    """The members of a list or tuple of arrays, or the rows of one array."""
    if not isinstance(arrays, (list, tuple)) and not getattr(arrays, "ndim", 0):
        raise ArgumentError(f"{op}: expected a list of arrays, got {type(arrays).__name__}; write {op}([a, b])")
    return [operand(op, x) for x in arrays]


@primitive(sequence=True)
def concatenate(arrays: list[Array], /, axis: int | None = 0, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join arrays along an axis that they have; flattened first with ``axis=None``.

    Examples
    --------
    >>> concatenate([[1, 2], [3]])
    array([1, 2, 3])
    """
    _check_axis("concatenate", axis)
    return np.concatenate(arrays, axis, dtype=dtype, casting=casting)  # type: ignore[call-overload]


def _pieces(g: Any, arrays_shape: list[tuple[int, ...]], axis: int | None) -> list[Any]:
    along = 0 if axis is None else axis % g.ndim
    lengths = [math.prod(shape) if axis is None else shape[axis] for shape in arrays_shape]
    ends = list(itertools.accumulate(lengths, initial=0))
    return [reshape(g[at(slice(a, b), along)], s) for a, b, s in zip(ends, ends[1:], arrays_shape, strict=False)]


concatenate.def_vjp(arrays=_pieces)

concat = concatenate


@primitive(sequence=True)
def stack(arrays: list[Array], /, axis: int = 0, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join arrays of one shape along a new axis.

    Examples
    --------
    >>> stack([[1, 2], [3, 4]], axis=1)
    array([[1, 3],
           [2, 4]])
    """
    _check_axis("stack", axis)
    return np.stack(arrays, axis, dtype=dtype, casting=casting)  # type: ignore[call-overload]


stack.def_vjp(
    arrays=lambda g, arrays_shape, axis: [g[at(i, axis % g.ndim)] for i in range(len(arrays_shape))],
)


@Derived
def vstack(arrays: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join arrays along the first axis, each vector being one row.

    Examples
    --------
    >>> vstack([[1, 2], [[3, 4], [5, 6]]])
    array([[1, 2],
           [3, 4],
           [5, 6]])
    """
    return concatenate([atleast_2d(x) for x in _arrays("vstack", arrays)], 0, dtype=dtype, casting=casting)


@Derived
def hstack(arrays: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join arrays along the second axis; vectors along their only one.

    Examples
    --------
    >>> hstack([[1, 2], 3])
    array([1, 2, 3])
    """
    found = [atleast_1d(x) for x in _arrays("hstack", arrays)]
    return concatenate(found, int(bool(found) and found[0].ndim > 1), dtype=dtype, casting=casting)


@Derived
def dstack(arrays: Any) -> Any:
    """Join arrays along the third axis, which vectors and matrices get as their last; see `atleast_3d`.

    Examples
    --------
    >>> dstack([[1, 2], [3, 4]])
    array([[[1, 3],
            [2, 4]]])
    """
    return concatenate([atleast_3d(x) for x in _arrays("dstack", arrays)], 2)


@Derived
def column_stack(arrays: Any) -> Any:
    """Join matrices along the second axis, each vector being one column.

    Examples
    --------
    >>> column_stack([[1, 2], [3, 4]])
    array([[1, 3],
           [2, 4]])
    """
    return concatenate([reshape(x, (-1, 1)) if x.ndim < 2 else x for x in _arrays("column_stack", arrays)], 1)


def _depth(arrays: Any) -> int:
    """How deep in lists the arrays are, if it is the same for all."""
    if isinstance(arrays, tuple) or (isinstance(arrays, list) and not arrays):
        raise ArgumentError(f"block: expected lists of arrays, got {f'a tuple of {len(arrays)}' if arrays else arrays}")
    if not isinstance(arrays, list):
        return 0
    depths = [_depth(part) for part in arrays]
    if len(set(depths)) > 1:
        raise ShapeError(f"block: expected all arrays equally deep in lists, got the depths {depths} in one list")
    return 1 + depths[0]


@Derived
def block(arrays: Any) -> Any:
    """Join a list of arrays along the last axis, lists of such lists along the one before, and so on.

    Raises
    ------
    ArgumentError, ShapeError
        For tuples and empty lists; for lists that are not all equally deep.

    Examples
    --------
    >>> import numpy as np
    >>> block([[np.eye(2), np.zeros((2, 1))], [np.ones((1, 2)), 5.0]])
    array([[1., 0., 0.],
           [0., 1., 0.],
           [1., 1., 5.]])
    """
    depth = _depth(arrays)

    def ndim(part: Any) -> int:
        return max(map(ndim, part)) if isinstance(part, list) else np.ndim(part)

    def join(part: Any, axes: int, level: int) -> Any:
        if isinstance(part, list):
            return concatenate([join(p, axes, level - 1) for p in part], -level)
        x = operand("block", part)
        return reshape(x, (1,) * (axes - x.ndim) + x.shape)

    joined = join(arrays, max(depth, ndim(arrays)), depth)
    return joined if depth else copied(joined)


@Derived
def append(x: Any, values: Any, axis: int | None = None) -> Any:
    """Join `values` to the end of `x` along an axis; all entries of both in one row without `axis`.

    Examples
    --------
    >>> append([[1, 2]], [3])
    array([1, 2, 3])
    """
    return concatenate([operand("append", x), operand("append", values)], axis)


@Derived
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """A tuple of arrays with an axis for each vector: the i-th has the entries of the i-th vector along its axis.

    With ``indexing="xy"`` the first two axes are exchanged: rows belong to the second vector. The arrays are repeated
    along all other axes, or have one entry there with ``sparse=True``.

    Raises
    ------
    RangeError
        For another `indexing`.

    Examples
    --------
    >>> meshgrid([1, 2, 3], [4, 5], sparse=True)
    (array([[1, 2, 3]]), array([[4],
           [5]]))
    """
    if indexing not in ("xy", "ij"):
        raise RangeError(f"meshgrid: expected indexing 'xy' or 'ij', got {indexing!r}")
    places = list(range(len(xi)))
    if indexing == "xy":
        places[:2] = places[:2][::-1]
    found = [
        reshape(operand("meshgrid", x), tuple(-1 if i == place else 1 for i in range(len(xi))))
        for x, place in zip(xi, places, strict=True)
    ]
    if not sparse:
        found = broadcast_arrays(*found)
    return tuple(map(copied, found)) if copy else tuple(found)


# --- cut ------------------------------------------------------------------------------------------------------------


def _cut(split: Callable[..., list[Array]], x: Any, indices_or_sections: Any, axis: int) -> list[Any]:
    """The slices of `x` that NumPy's `split` makes of its places along an axis."""
    axis = normalize_axis_index(axis, x.ndim)
    pieces = split(np.arange(x.shape[axis]), untracked(split.__name__, indices_or_sections))
    return [x[at(slice(p[0], p[-1] + 1) if len(p) else slice(0), axis)] for p in pieces]


@Derived
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut `x` along an axis: into so many equal parts, or before each of the places in a list.

    Raises
    ------
    ShapeError
        If the parts would not be equal; `array_split` lets them differ.

    Examples
    --------
    >>> split([1, 2, 3, 4], 2)
    [array([1, 2]), array([3, 4])]
    >>> split([1, 2, 3, 4], [1])
    [array([1]), array([2, 3, 4])]
    """
    return _cut(np.split, operand("split", x), indices_or_sections, axis)


@Derived
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As `split`, but the first parts have one entry more where the number does not divide the length.

    Examples
    --------
    >>> array_split([1, 2, 3], 2)
    [array([1, 2]), array([3])]
    """
    return _cut(np.array_split, operand("array_split", x), indices_or_sections, axis)


def _with_axes(op: str, x: Any, ndim: int) -> Any:
    x = operand(op, x)
    if x.ndim < ndim:
        raise ShapeError(f"{op}: expected an array with {ndim} or more axes, got shape {x.shape}")
    return x


@Derived
def hsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along the second axis; a vector along its only one.

    Examples
    --------
    >>> hsplit([[1, 2], [3, 4]], 2)
    [array([[1],
           [3]]), array([[2],
           [4]])]
    """
    x = _with_axes("hsplit", x, 1)
    return _cut(np.split, x, indices_or_sections, 1 if x.ndim > 1 else 0)


@Derived
def vsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along the first axis of an array with two or more.

    Examples
    --------
    >>> vsplit([[1, 2], [3, 4]], 2)
    [array([[1, 2]]), array([[3, 4]])]
    """
    return _cut(np.split, _with_axes("vsplit", x, 2), indices_or_sections, 0)


@Derived
def dsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along the third axis of an array with three or more.

    Examples
    --------
    >>> dsplit([[[1, 2, 3]]], [2])
    [array([[[1, 2]]]), array([[[3]]])]
    """
    return _cut(np.split, _with_axes("dsplit", x, 3), indices_or_sections, 2)


@Derived
def unstack(x: Any, *, axis: int = 0) -> tuple[Any, ...]:
    """A tuple of the parts of `x` along an axis, which they no longer have: the reverse of `stack`.

    Examples
    --------
    >>> unstack([[1, 2], [3, 4]])
    (array([1, 2]), array([3, 4]))
    """
    x = operand("unstack", x)
    axis = normalize_axis_index(axis, x.ndim)
    return tuple(x[at(i, axis)] for i in range(x.shape[axis]))


# --- put in and taken out -------------------------------------------------------------------------------------------


@Derived
def delete(x: Any, obj: Any, axis: int | None = None) -> Any:
    """`x` without the entries at `obj`, which is an index, a slice, or a list of either indices or bools.

    Examples
    --------
    >>> delete([1, 2, 3, 4], [0, -1])
    array([2, 3])
    """
    x = operand("delete", x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis_index(axis, x.ndim)
    return x[at(np.delete(np.arange(x.shape[axis]), untracked("delete", obj)), axis)]


@Derived
def insert(x: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """`x` with `values`, in the dtype of `x`, put in before the places `obj` along an axis; in one row without `axis`.

    Examples
    --------
    >>> insert([1, 2, 3], 1, [7, 8])
    array([1, 7, 8, 2, 3])
    """
    x, values = operand("insert", x), operand("insert", values)
    if isinstance(x, Value):
        check_real("insert", values)
    check_floating("insert", x.dtype, values)
    obj = np.flatnonzero(obj) if np.asarray(obj).dtype == bool and np.ndim(obj) else obj  # older NumPys take 0 and 1
    old, new = (np.arange(v.size).reshape(v.shape) for v in (x, values))
    places = np.insert(old, untracked("insert", obj), new + x.size, axis)
    return concatenate([ravel(x), astype(ravel(values), x.dtype)])[places]

"""Order: sorted entries, each with the gradient of the entry that it came from, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_np.derived import Derived
from tinygrad_np.ops.indexing import _put_back_along, constant, like, take, take_along_axis
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array, operand, untracked

__all__ = [
    "argpartition",
    "argsort",
    "lexsort",
    "partition",
    "searchsorted",
    "sort",
    "unique",
]


@primitive
def argsort(a: Array, /, axis: int | None = -1, kind: Any = None, *, stable: bool | None = None) -> Any:
    """Where the entries of ``sort(a)`` stand in `a`; a constant. Entries that tie are in order with ``stable=True``.

    Examples
    --------
    >>> argsort([3.0, 1.0, 2.0])
    array([1, 2, 0])
    """
    return np.argsort(a, axis, kind, stable=stable)


argsort.def_vjp(a=None)


@primitive
def sort(a: Array, /, axis: int | None = -1, kind: Any = None, *, stable: bool | None = None) -> Any:
    """The entries in ascending order along an axis, or all in one without it; NaNs last.

    Kinks: each result has the gradient of the entry it came from, and entries that tie keep their order, be the `kind`
    what it may.

    Raises
    ------
    IndexRangeError
        For an axis that `a` does not have.

    Examples
    --------
    >>> sort([3.0, 1.0, 2.0])
    array([1., 2., 3.])
    """
    return np.sort(a, axis, kind, stable=stable)


sort.def_vjp(a=lambda g, a, axis: _put_back_along(g, a.shape, argsort(a, axis, stable=True), axis))


@primitive
def partition(a: Array, /, kth: int | Sequence[int], axis: int | None = -1, kind: Any = "introselect") -> Any:
    """The entry that sorting would put at place `kth` along an axis there, none larger before it, none smaller after.

    Kinks: each result has the gradient of the entry it came from, and entries that tie keep their order.

    Raises
    ------
    IndexRangeError
        For an axis that `a` does not have.
    ShapeError
        For a `kth` out of range, as NumPy has it.

    Examples
    --------
    >>> partition([3.0, 4.0, 1.0, 2.0], 0)[0]
    np.float64(1.0)
    """
    return np.partition(a, untracked("partition", kth), axis, kind)


def _pull_partition(g: Any, a: Any, out: Any, axis: int | None) -> Any:
    """What stands at some place in the order of `out` came from that place in the order of `a`."""
    along = 0 if axis is None else axis
    ordered = take_along_axis(g, argsort(out, along, stable=True), along)
    return _put_back_along(ordered, a.shape, argsort(a, axis, stable=True), axis)


partition.def_vjp(a=_pull_partition)


# --- more constants --------------------------------------------------------------------------------------------------


@primitive
def argpartition(a: Array, /, kth: int | Sequence[int], axis: int | None = -1, kind: Any = "introselect") -> Any:
    """Where the entries of a partition stand in `a`; a constant.

    Examples
    --------
    >>> argpartition([3.0, 4.0, 1.0, 2.0], 0)[0]
    np.int64(2)
    """
    return np.argpartition(a, untracked("argpartition", kth), axis, kind)


argpartition.def_vjp(a=None)


@primitive
def searchsorted(a: Array, v: Array, /, side: Any = "left", sorter: Any = None) -> Any:
    """Where in `a`, in ascending order (or in the order `sorter`), to insert `v` to keep it so; a constant.

    Examples
    --------
    >>> searchsorted([1.0, 2.0, 3.0], [2.0, 2.5])
    array([1, 2])
    """
    return np.searchsorted(a, v, side, untracked("searchsorted", sorter))


searchsorted.def_vjp(a=None, v=None)


@primitive(sequence=True)
def lexsort(keys: list[Array], /, axis: int = -1) -> Any:
    """The order by the last of the keys, by the one before it among those that tie, and so on; a constant.

    Examples
    --------
    >>> lexsort([[3.0, 1.0, 2.0], [1.0, 1.0, 0.0]])
    array([2, 1, 0])
    """
    return np.lexsort(keys, axis)


lexsort.def_vjp(keys=None)


@Derived
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
) -> Any:
    """The entries (or slices along `axis`), each once, in ascending order; then places and counts, if asked for.

    Kinks: of entries that tie, the first has the gradient.

    Examples
    --------
    >>> unique([2.0, 1.0, 2.0], return_counts=True)
    (array([1., 2.]), array([1, 2]))
    """
    ar = operand("unique", ar)
    options: Any = return_inverse, return_counts, axis
    _, first, *rest = np.unique(constant(ar), True, *options, equal_nan=equal_nan)
    values = take(ar, first, axis)
    more = [like(ar, places) for places in ([first] if return_index else []) + rest]
    return (values, *more) if more else values

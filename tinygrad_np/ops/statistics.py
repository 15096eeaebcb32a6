"""Averages and order statistics, and reductions that leave out NaN.

Options are those of NumPy's functions, as in `tinygrad_np.ops.reductions`. What leaves out NaN gives it the gradient 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_np.derived import Derived
from tinygrad_np.errors import ArgumentError, RangeError, ShapeError
from tinygrad_np.ops import elementwise
from tinygrad_np.ops.elementwise import keep_where, multiply
from tinygrad_np.ops.indexing import scatter_add
from tinygrad_np.ops.logic import equal
from tinygrad_np.ops.reductions import (
    _NOT_GIVEN,
    Axis,
    _count,
    _equals,
    _from_rows,
    _mask,
    _pull_extreme,
    _pull_mean,
    _pull_std,
    _pull_var,
    _rows,
    cumprod,
    cumsum,
    mean,
    prod,
    sum,
)
from tinygrad_np.ops.shape import broadcast_to, full_like, in_dtype, reshape, transpose
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array, operand, untracked

__all__ = [
    "average",
    "median",
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "percentile",
    "quantile",
]


@Derived
def average(
    x: Any, /, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False
) -> Any:
    """``sum(x * weights) / sum(weights)``; with ``returned=True`` also the sum of the weights. Both have gradients.

    Parameters
    ----------
    x : array
    axis : int, tuple of ints or None
    weights : array, optional
        Of the shape of `x`, or of its axes `axis`. The mean without it.
    returned : bool
        Return the tuple (average, sum of weights), both of one shape.
    keepdims : bool

    Raises
    ------
    RangeError
        If weights add up to zero.
    ShapeError
        If their shape is neither.

    Examples
    --------
    >>> average([1.0, 2.0, 4.0], weights=[2.0, 1.0, 1.0])
    np.float64(2.0)
    """
    x = operand("average", x)
    axis = tuple(axis) if isinstance(axis, list) else axis
    if weights is None:
        result = mean(x, axis, keepdims=keepdims)
        return (result, full_like(result, _count(x.shape, axis))) if returned else result
    weights = _fitted(operand("average", weights), x, axis)
    whole = x.dtype.kind in "iub"
    dtype = np.result_type(x.dtype, weights.dtype, *([np.float64] if whole else []))
    weights = broadcast_to(in_dtype(weights, dtype), x.shape)
    total = sum(weights, axis, keepdims=keepdims)
    if np.any(np.asarray(equal(total, 0))):
        raise RangeError("average: expected weights that do not add up to zero")
    result = sum(in_dtype(x, dtype) * weights, axis, keepdims=keepdims) / total
    return (result, total) if returned else result


def _fitted(weights: Any, x: Any, axis: Axis) -> Any:
    """Weights of the axes `axis` alone with the others as ones."""
    if weights.shape == x.shape:
        return weights
    if axis is None:
        raise ArgumentError(f"expected axis= for weights of another shape, {weights.shape}, than x's {x.shape}")
    axes = [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
    if weights.shape != tuple(x.shape[a] for a in axes):
        raise ShapeError(f"expected weights of x's shape {x.shape} along axis={axis}, got {weights.shape}")
    weights = transpose(weights, np.argsort(axes).tolist())
    return reshape(weights, tuple(n if i in axes else 1 for i, n in enumerate(x.shape)))


# --- order statistics -------------------------------------------------------------------------------------------------


@primitive
def median(x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """The entry in the middle of the sorted ones, or the mean of the two there; NaN if there is NaN among them.

    Kinks: entries that tie share the gradient evenly.

    Examples
    --------
    >>> median([5.0, 1.0, 2.0])
    np.float64(2.0)
    """
    return np.median(x, axis, keepdims=keepdims)


@primitive
def quantile(x: Array, /, q: Any, axis: Axis = None, *, method: Any = "linear", keepdims: bool = False) -> Any:
    """The point below which a part `q`, from 0 to 1, of the entries lies; NaN if there is NaN among them.

    `q` is a constant; where it is an array the result has its axes first.

    Kinks: entries that tie share the gradient evenly.

    Raises
    ------
    ShapeError
        If `q` is out of range, or NumPy knows no such method.

    Examples
    --------
    >>> quantile([1.0, 2.0, 4.0], [0.25, 0.5])
    array([1.5, 2. ])
    """
    return np.quantile(x, untracked("quantile", q), axis, method=method, keepdims=keepdims)


@primitive
def percentile(x: Array, /, q: Any, axis: Axis = None, *, method: Any = "linear", keepdims: bool = False) -> Any:
    """`quantile` with `q` from 0 to 100.

    Kinks: entries that tie share the gradient evenly.

    Examples
    --------
    >>> percentile([1.0, 2.0, 4.0], 25)
    np.float64(1.5)
    """
    return np.percentile(x, untracked("percentile", q), axis, method=method, keepdims=keepdims)


@primitive
def nanmedian(x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """`median` of the entries that are not NaN; NaN, with NumPy's warning, for none.

    Kinks: entries that tie share the gradient evenly; that of NaN is 0.

    Examples
    --------
    >>> import numpy as np
    >>> nanmedian([5.0, 1.0, np.nan])
    np.float64(3.0)
    """
    return np.nanmedian(x, axis, keepdims=keepdims)


@primitive
def nanquantile(x: Array, /, q: Any, axis: Axis = None, *, method: Any = "linear", keepdims: bool = False) -> Any:
    """`quantile` of the entries that are not NaN; NaN, with NumPy's warning, for none.

    Kinks: entries that tie share the gradient evenly; that of NaN is 0.

    Examples
    --------
    >>> import numpy as np
    >>> nanquantile([5.0, 1.0, np.nan], 0.25)
    np.float64(2.0)
    """
    return _in_one_axis(np.nanquantile, x, untracked("nanquantile", q), axis, method=method, keepdims=keepdims)


@primitive
def nanpercentile(x: Array, /, q: Any, axis: Axis = None, *, method: Any = "linear", keepdims: bool = False) -> Any:
    """`percentile` of the entries that are not NaN; NaN, with NumPy's warning, for none.

    Kinks: entries that tie share the gradient evenly; that of NaN is 0.

    Examples
    --------
    >>> import numpy as np
    >>> nanpercentile([5.0, 1.0, np.nan], 25)
    np.float64(2.0)
    """
    return _in_one_axis(np.nanpercentile, x, untracked("nanpercentile", q), axis, method=method, keepdims=keepdims)


def _in_one_axis(quantiles: Callable[..., Any], x: Any, q: Any, axis: Axis, **options: Any) -> Any:
    """NumPy's, given all of `q` in one axis: it mixes up the axes of the result where `q` has more, and `axis` too."""
    out = quantiles(x, q if np.ndim(q) < 2 else np.ravel(q), axis, **options)
    return out if np.ndim(q) < 2 else out.reshape(np.shape(q) + out.shape[1:])


@primitive
def _ranks(x: Array, /) -> Any:
    """How many entries of a row are smaller than each; NaN counts as the largest.

    Examples
    --------
    >>> _ranks([[7.0, 3.0, 7.0, 5.0]])
    array([[2, 0, 2, 1]])
    """
    x = np.asarray(x)
    order = np.argsort(x, -1)
    ordered = np.take_along_axis(x, order, -1)
    later, former = ordered[..., 1:], ordered[..., :-1]
    first = np.zeros_like(order)
    first[..., 1:] = np.where((later == former) | (former != former), 0, np.arange(1, x.shape[-1]))
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.maximum.accumulate(first, -1), -1)
    return places


_ranks.def_vjp(x=None)


def _positions(quantiles: Callable[..., Any], counts: Array, q: Any, method: str) -> Array:
    """Where a quantile lies among as many sorted entries: between which two, and how far from the one to the other.

    That is the quantile of their places, of whatever method: all of NumPy's are linear between neighbours.
    """
    lengths, which = np.unique(counts, return_inverse=True)
    table = [np.ravel(quantiles(np.arange(n or 1), q, method=method)) for n in lengths]
    return np.stack(table, -1)[:, which]


def _pull_quantile(
    g: Any,
    x: Any,
    axis: Axis,
    q: Any = 0.5,
    method: str = "linear",
    quantiles: Callable[..., Any] = np.quantile,
    skip: bool = False,
) -> Any:
    """Each `g` to the two entries that its quantile lies between, and evenly to those that equal them."""
    if 0 in x.shape:
        return np.zeros(x.shape, g.dtype)
    rows = _rows(x, axis)
    places = np.asarray(_ranks(rows))
    ordered, lines = np.sort(places, -1), np.arange(len(rows))
    counts, length = np.asarray(sum(equal(rows, rows), 1)), rows.shape[1]
    positions = _positions(quantiles, counts if skip else np.full_like(counts, length), np.asarray(q), method)
    if not skip:
        positions = np.where(counts < length, counts, positions)  # the result is NaN: to the entries that are
    lower = positions.astype(np.intp)
    upper, share = np.minimum(lower + 1, length - 1), (positions - lower).astype(g.dtype)
    g = reshape(g, positions.shape)
    ends = [(lines, ordered[lines, end]) for end in (lower, upper)]
    sums = scatter_add(g * (1 - share), ends[0], rows.shape) + scatter_add(g * share, ends[1], rows.shape)
    back = (lines[:, None], places)
    ties = np.bincount((lines[:, None] * length + places).reshape(-1), minlength=places.size).reshape(rows.shape)
    slopes = in_dtype(sums / np.maximum(ties, 1), g.dtype)[back]
    return _from_rows(keep_where(slopes, equal(rows, rows)) if skip else slopes, x.shape, axis)


median.def_vjp(x=lambda g, x, axis: _pull_quantile(g, x, axis))
quantile.def_vjp(x=lambda g, x, axis, q, method: _pull_quantile(g, x, axis, q, method))
percentile.def_vjp(x=lambda g, x, axis, q, method: _pull_quantile(g, x, axis, q, method, np.percentile))
nanmedian.def_vjp(x=lambda g, x, axis: _pull_quantile(g, x, axis, skip=True))
nanquantile.def_vjp(x=lambda g, x, axis, q, method: _pull_quantile(g, x, axis, q, method, skip=True))
nanpercentile.def_vjp(x=lambda g, x, axis, q, method: _pull_quantile(g, x, axis, q, method, np.percentile, skip=True))


# --- without NaN ------------------------------------------------------------------------------------------------------


def _filled(op: str, x: Any, filling: float) -> Any:
    """`x` with a number in place of NaN."""
    x = operand(op, x)
    return elementwise.where(equal(x, x), x, filling) if x.dtype.kind == "f" else x


def _numbers(x: Any, where: Any = True) -> Any:
    """Where entries are present that are not NaN."""
    numbers = equal(x, x)
    return numbers if where is True else multiply(numbers, where)


@Derived
def nansum(
    x: Any,
    /,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    dtype: Any = None,
    initial: Any = _NOT_GIVEN,
    where: Any = True,
) -> Any:
    """`sum` with NaN as 0.

    Examples
    --------
    >>> import numpy as np
    >>> nansum([1.0, np.nan, 2.0])
    np.float64(3.0)
    """
    return sum(_filled("nansum", x, 0), axis, keepdims=keepdims, dtype=dtype, initial=initial, where=where)


@Derived
def nanprod(
    x: Any,
    /,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    dtype: Any = None,
    initial: Any = _NOT_GIVEN,
    where: Any = True,
) -> Any:
    """`prod` with NaN as 1.

    Examples
    --------
    >>> import numpy as np
    >>> nanprod([3.0, np.nan, 2.0])
    np.float64(6.0)
    """
    return prod(_filled("nanprod", x, 1), axis, keepdims=keepdims, dtype=dtype, initial=initial, where=where)


@Derived
def nancumsum(x: Any, /, axis: int | None = None, *, dtype: Any = None) -> Any:
    """`cumsum` with NaN as 0.

    Examples
    --------
    >>> import numpy as np
    >>> nancumsum([1.0, np.nan, 2.0])
    array([1., 1., 3.])
    """
    return cumsum(_filled("nancumsum", x, 0), axis, dtype=dtype)


@Derived
def nancumprod(x: Any, /, axis: int | None = None, *, dtype: Any = None) -> Any:
    """`cumprod` with NaN as 1.

    Examples
    --------
    >>> import numpy as np
    >>> nancumprod([3.0, np.nan, 2.0])
    array([3., 3., 6.])
    """
    return cumprod(_filled("nancumprod", x, 1), axis, dtype=dtype)


@primitive
def nanmean(x: Array, /, axis: Axis = None, *, keepdims: bool = False, dtype: Any = None, where: Any = True) -> Any:
    """`mean` of the entries that are not NaN; NaN, with NumPy's warning, for none.

    Examples
    --------
    >>> import numpy as np
    >>> nanmean([1.0, np.nan, 2.0])
    np.float64(1.5)
    """
    return np.nanmean(x, axis, dtype=dtype, keepdims=keepdims, where=_mask(where))


nanmean.def_vjp(x=lambda g, x, axis, where: _pull_mean(g, x.shape, axis, _numbers(x, where)))


@primitive
def nanvar(
    x: Array,
    /,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    dtype: Any = None,
    ddof: float = 0,
    correction: Any = _NOT_GIVEN,
    where: Any = True,
) -> Any:
    """`var` of the entries that are not NaN; NaN, with NumPy's warning, where no degree of freedom is left.

    Examples
    --------
    >>> import numpy as np
    >>> nanvar([1.0, np.nan, 3.0])
    np.float64(1.0)
    """
    return np.nanvar(x, axis, dtype=dtype, ddof=ddof, keepdims=keepdims, correction=correction, where=_mask(where))


@primitive
def nanstd(
    x: Array,
    /,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    dtype: Any = None,
    ddof: float = 0,
    correction: Any = _NOT_GIVEN,
    where: Any = True,
) -> Any:
    """`std` of the entries that are not NaN; NaN, with NumPy's warning, where no degree of freedom is left.

    Kinks: where all entries are equal the gradient is 0.

    Examples
    --------
    >>> import numpy as np
    >>> nanstd([1.0, np.nan, 3.0])
    np.float64(1.0)
    """
    return np.nanstd(x, axis, dtype=dtype, ddof=ddof, keepdims=keepdims, correction=correction, where=_mask(where))


nanvar.def_vjp(
    x=lambda g, x, axis, ddof, correction, where: _pull_var(g, x, axis, ddof, correction, _numbers(x, where))
)
nanstd.def_vjp(
    x=lambda g, out, x, axis, ddof, correction, where: _pull_std(g, out, x, axis, ddof, correction, _numbers(x, where))
)


@primitive
def nanmax(
    x: Array, /, axis: Axis = None, *, keepdims: bool = False, initial: Any = _NOT_GIVEN, where: Any = True
) -> Any:
    """`max` of the entries that are not NaN; NaN, with NumPy's warning, for none.

    Kinks: entries that tie for it share the gradient evenly; `initial` has its share, as one of them.

    Examples
    --------
    >>> import numpy as np
    >>> nanmax([1.0, np.nan, 2.0])
    np.float64(2.0)
    """
    return np.nanmax(x, axis, keepdims=keepdims, initial=untracked("nanmax", initial), where=_mask(where))


@primitive
def nanmin(
    x: Array, /, axis: Axis = None, *, keepdims: bool = False, initial: Any = _NOT_GIVEN, where: Any = True
) -> Any:
    """`min` of the entries that are not NaN; NaN, with NumPy's warning, for none.

    Kinks: entries that tie for it share the gradient evenly; `initial` has its share, as one of them.

    Examples
    --------
    >>> import numpy as np
    >>> nanmin([1.0, np.nan, 2.0])
    np.float64(1.0)
    """
    return np.nanmin(x, axis, keepdims=keepdims, initial=untracked("nanmin", initial), where=_mask(where))


nanmax.def_vjp(
    x=lambda g, x, out, axis, initial, where: _pull_extreme(g, _equals(x, out, axis), out, axis, initial, where)
)
nanmin.def_vjp(**nanmax.rules)


@primitive
def nanargmax(x: Array, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """`argmax` of the entries that are not NaN.

    Raises
    ------
    ShapeError
        If there is none.

    Examples
    --------
    >>> import numpy as np
    >>> nanargmax([1.0, np.nan, 2.0])
    np.int64(2)
    """
    return np.nanargmax(x, axis, keepdims=keepdims)


nanargmax.def_vjp(x=None)


@primitive
def nanargmin(x: Array, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """`argmin` of the entries that are not NaN.

    Raises
    ------
    ShapeError
        If there is none.

    Examples
    --------
    >>> import numpy as np
    >>> nanargmin([1.0, np.nan, 2.0])
    np.int64(0)
    """
    return np.nanargmin(x, axis, keepdims=keepdims)


nanargmin.def_vjp(x=None)

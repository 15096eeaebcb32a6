"""Many entries to one, along all axes or some; and scans, which keep what comes between.

`axis` is None (all), an integer or, but for `argmax`, `argmin` and scans, a tuple of integers; with ``keepdims=True``
the reduced axes stay, with one entry. The other options are NumPy's. `where`, an array of bools that broadcasts to `x`,
is a constant, and entries that it leaves out have the gradient 0; `initial`, a number that takes part as one more
entry, is a constant too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_np.derived import Derived
from tinygrad_np.ops import elementwise
from tinygrad_np.ops.elementwise import exp, keep_where, maximum, multiply, real
from tinygrad_np.ops.joining import concatenate
from tinygrad_np.ops.logic import equal, logical_or, not_equal
from tinygrad_np.ops.shape import broadcast_to, flip, in_dtype, reshape, swapaxes, transpose
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array, operand, untracked

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "ptp",
    "softmax",
    "std",
    "sum",
    "var",
]

Axis = int | tuple[int, ...] | None

_NOT_GIVEN: Any = np._NoValue


# --- shapes and masks -------------------------------------------------------------------------------------------------


def _reduced(ndim: int, axis: Axis) -> set[int]:
    axes = range(ndim) if axis is None else np.ravel(axis).tolist()
    return {a % ndim for a in axes if ndim}  # NumPy lets a 0-d array be reduced along "axis 0"


def _kept_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """The shape that a reduction along `axis` has with ``keepdims=True``."""
    reduced = _reduced(len(shape), axis)
    return tuple(1 if i in reduced else n for i, n in enumerate(shape))


def _spread(g: Any, x_shape: tuple[int, ...], axis: Axis, present: Any = True) -> Any:
    """`g` at every entry that it was reduced from, and 0 at those that were not present."""
    return _only(broadcast_to(reshape(g, _kept_shape(x_shape, axis)), x_shape), present)


def _only(x: Any, present: Any) -> Any:
    return x if present is True else keep_where(x, present)


def _mask(where: Any) -> Any:
    """What is given as ``where=``; all that is not bools is refused, which NumPy does not always."""
    if where is True:
        return where
    mask = np.asarray(where)
    if mask.dtype != bool:
        raise TypeError(f"expected bools as where=, got dtype {mask.dtype}; write where=x != 0")
    return mask


def _present(shape: tuple[int, ...], where: Any) -> Any:
    """``where=`` for each entry; True where that is all of them."""
    return where if where is True else broadcast_to(where, shape)


def _count(shape: tuple[int, ...], axis: Axis, present: Any = True) -> Any:
    """How many entries come to one: a number, or of those present an array with the reduced axes kept."""
    if present is not True:
        return sum(present, axis, keepdims=True)
    return math.prod(n for n, kept in zip(shape, _kept_shape(shape, axis), strict=True) if n != kept)


def _some(count: Any) -> Any:
    """A count to divide by: 1 in place of 0, and no Python number, which would have to fit into float16."""
    return np.float64(count or 1) if isinstance(count, int) else maximum(count, 1)


def _order(ndim: int, axis: Axis) -> list[int]:
    """The axes with the reduced ones last."""
    reduced = _reduced(ndim, axis)
    return sorted(range(ndim), key=lambda i: (i in reduced, i))


def _rows(x: Any, axis: Axis) -> Any:
    """A matrix that has in each row the entries which come to one."""
    rows = math.prod(_kept_shape(x.shape, axis))
    columns = math.prod(x.shape[i] for i in _reduced(x.ndim, axis))
    return reshape(transpose(x, _order(x.ndim, axis)), (rows, columns))


def _from_rows(rows: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """Back from `_rows` to `shape`."""
    order = _order(len(shape), axis)
    return transpose(reshape(rows, tuple(shape[i] for i in order)), np.argsort(order).tolist())


# --- sums and products ------------------------------------------------------------------------------------------------


@primitive
def sum(
    x: Array,
    /,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    dtype: Any = None,
    initial: Any = _NOT_GIVEN,
    where: Any = True,
) -> Any:
    """The sum of entries; 0 for none.

    Examples
    --------
    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([4., 6.])
    """
    return np.sum(x, axis, dtype=dtype, keepdims=keepdims, initial=untracked("sum", initial), where=_mask(where))


sum.def_vjp(x=lambda g, x_shape, axis, where: _spread(g, x_shape, axis, where))


@primitive
def prod(
    x: Array,
    /,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    dtype: Any = None,
    initial: Any = _NOT_GIVEN,
    where: Any = True,
) -> Any:
    """The product of entries; 1 for none.

    Kinks: none; at zeros, one or several, the gradient is the product of all other entries, as everywhere.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> w = tg.tensor([0.0, 2.0, 3.0], requires_grad=True)
    >>> tg.grad(prod(w), w)
    tensor([6., 0., 0.])
    """
    return np.prod(x, axis, dtype=dtype, keepdims=keepdims, initial=untracked("prod", initial), where=_mask(where))


def _before(x: Any) -> Any:
    """For each entry the product of those before it in the last axis."""
    one = np.ones((*x.shape[:-1], 1), x.dtype)
    return cumprod(concatenate([one, x[..., :-1]], -1)[..., : x.shape[-1]], -1)


def _pull_prod(g: Any, x: Any, axis: Axis, initial: Any, where: Any) -> Any:
    rows = _rows(in_dtype(x if where is True else elementwise.where(where, x, 1), g.dtype), axis)
    others = _from_rows(_before(rows) * _before(rows[..., ::-1])[..., ::-1], x.shape, axis)
    if initial is not None and initial is not _NOT_GIVEN:
        g = g * np.asarray(initial, g.dtype)
    return _only(_spread(g, x.shape, axis) * others, where)


prod.def_vjp(x=_pull_prod)


@primitive
def mean(x: Array, /, axis: Axis = None, *, keepdims: bool = False, dtype: Any = None, where: Any = True) -> Any:
    """The sum of entries divided by their number; NaN, with NumPy's warning, for none.

    Examples
    --------
    >>> mean([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([2., 3.])
    """
    return np.mean(x, axis, dtype=dtype, keepdims=keepdims, where=_mask(where))


def _pull_mean(g: Any, x_shape: tuple[int, ...], axis: Axis, present: Any) -> Any:
    share = reshape(g, _kept_shape(x_shape, axis)) / _some(_count(x_shape, axis, present))
    return _spread(in_dtype(share, g.dtype), x_shape, axis, present)


mean.def_vjp(x=lambda g, x_shape, axis, where: _pull_mean(g, x_shape, axis, _present(x_shape, where)))


# --- how entries are spread -------------------------------------------------------------------------------------------


@primitive
def var(
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
    """The mean of ``(x - mean(x)) ** 2``: their sum, divided by the number of entries less `ddof` (or `correction`).

    Where no degree of freedom is left the value has NumPy's warning, and the gradient is NaN.

    Examples
    --------
    >>> var([1.0, 3.0], ddof=1)
    np.float64(2.0)
    """
    return np.var(x, axis, dtype=dtype, ddof=ddof, keepdims=keepdims, correction=correction, where=_mask(where))


def _centred(x: Any, axis: Axis, present: Any) -> Any:
    """The entries less their mean; 0 for those not present."""
    if present is True:
        return x - mean(x, axis, keepdims=True)
    x = keep_where(x, present)
    return keep_where(x - sum(x, axis, keepdims=True) / _some(_count(x.shape, axis, present)), present)


def _pull_var(g: Any, x: Any, axis: Axis, ddof: float, correction: Any, present: Any) -> Any:
    """Centred twice: the mean of equal numbers may be off in its last place, but that of their differences is not."""
    x = in_dtype(x, g.dtype)
    freedom = _count(x.shape, axis, present) - (ddof if correction is _NOT_GIVEN else correction)
    if present is True:
        scale = 2 / float(freedom) if freedom > 0 else math.nan
    else:
        scale = 2 / elementwise.where(freedom > 0, freedom, math.nan)
    slopes = _centred(_centred(x, axis, present), axis, present) * (reshape(g, _kept_shape(x.shape, axis)) * scale)
    return _only(slopes, present)


def _pull_std(g: Any, out: Any, *rest: Any) -> Any:
    constant = equal(out, 0)
    return _pull_var(keep_where(g, not_equal(out, 0)) / (2 * elementwise.where(constant, 1, out)), *rest)


var.def_vjp(
    x=lambda g, x, axis, ddof, correction, where: _pull_var(g, x, axis, ddof, correction, _present(x.shape, where))
)


@primitive
def std(
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
    """The square root of `var`.

    Kinks: where all entries are equal the gradient is 0.

    Examples
    --------
    >>> std([1.0, 3.0])
    np.float64(1.0)
    """
    return np.std(x, axis, dtype=dtype, ddof=ddof, keepdims=keepdims, correction=correction, where=_mask(where))


std.def_vjp(
    x=lambda g, out, x, axis, ddof, correction, where: _pull_std(
        g, out, x, axis, ddof, correction, _present(x.shape, where)
    )
)


@Derived
def ptp(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """ "Peak to peak": the largest entry less the smallest.

    Kinks: entries that tie for either share its gradient evenly.

    Examples
    --------
    >>> ptp([1.0, 5.0, 2.0])
    np.float64(4.0)
    """
    x = operand("ptp", x)
    return max(x, axis, keepdims=keepdims) - min(x, axis, keepdims=keepdims)


# --- the largest and the smallest -------------------------------------------------------------------------------------


@primitive
def max(x: Array, /, axis: Axis = None, *, keepdims: bool = False, initial: Any = _NOT_GIVEN, where: Any = True) -> Any:
    """The largest entry.

    Kinks: entries that tie for it share the gradient evenly; `initial` has its share, as one of them.

    Raises
    ------
    ShapeError
        If there is no entry to choose from.

    Examples
    --------
    >>> max([[1.0, 5.0], [3.0, 4.0]], axis=0)
    array([3., 5.])
    """
    return np.max(x, axis, keepdims=keepdims, initial=untracked("max", initial), where=_mask(where))


@primitive
def min(x: Array, /, axis: Axis = None, *, keepdims: bool = False, initial: Any = _NOT_GIVEN, where: Any = True) -> Any:
    """The smallest entry.

    Kinks: entries that tie for it share the gradient evenly; `initial` has its share, as one of them.

    Raises
    ------
    ShapeError
        If there is no entry to choose from.

    Examples
    --------
    >>> min([[1.0, 5.0], [3.0, 4.0]], axis=0)
    array([1., 4.])
    """
    return np.min(x, axis, keepdims=keepdims, initial=untracked("min", initial), where=_mask(where))


def _pull_extreme(g: Any, chosen: Any, out: Any, axis: Axis, initial: Any, where: Any) -> Any:
    """Divide `g` among the entries chosen."""
    kept = _kept_shape(chosen.shape, axis)
    chosen = chosen if where is True else multiply(chosen, where)
    number = sum(chosen, axis, keepdims=True)
    if initial is not None and initial is not _NOT_GIVEN:
        number = number + equal(reshape(out, kept), np.asarray(initial, out.dtype))
    return keep_where(reshape(g, kept) / maximum(number, 1), chosen)


def _equals(x: Any, out: Any, axis: Axis) -> Any:
    return equal(x, reshape(out, _kept_shape(x.shape, axis)))


max.def_vjp(  # NaN is a largest entry that equals itself nowhere
    x=lambda g, x, out, axis, initial, where: _pull_extreme(
        g, logical_or(_equals(x, out, axis), not_equal(x, x)), out, axis, initial, where
    )
)
min.def_vjp(**max.rules)

amax, amin = max, min


@primitive
def argmax(x: Array, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """Where the first of the largest entries is, along an axis or in `x` flattened.

    Examples
    --------
    >>> argmax([1.0, 5.0, 5.0])
    np.int64(1)
    """
    return np.argmax(x, axis, keepdims=keepdims)


argmax.def_vjp(x=None)


@primitive
def argmin(x: Array, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """Where the first of the smallest entries is, along an axis or in `x` flattened.

    Examples
    --------
    >>> argmin([1.0, 5.0, 1.0])
    np.int64(0)
    """
    return np.argmin(x, axis, keepdims=keepdims)


argmin.def_vjp(x=None)


# --- yes or no --------------------------------------------------------------------------------------------------------


@primitive
def any(x: Array, /, axis: Axis = None, *, keepdims: bool = False, where: Any = True) -> Any:
    """Whether some entry is not zero; False for none.

    Examples
    --------
    >>> any([[0.0, 2.0], [0.0, 0.0]], axis=1)
    array([ True, False])
    """
    return np.any(x, axis, keepdims=keepdims, where=_mask(where))


any.def_vjp(x=None)


@primitive
def all(x: Array, /, axis: Axis = None, *, keepdims: bool = False, where: Any = True) -> Any:
    """Whether no entry is zero; True for none.

    Examples
    --------
    >>> all([[1.0, 2.0], [0.0, 3.0]], axis=1)
    array([ True, False])
    """
    return np.all(x, axis, keepdims=keepdims, where=_mask(where))


all.def_vjp(x=None)


@primitive
def count_nonzero(x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """How many entries are not zero.

    Examples
    --------
    >>> count_nonzero([[1.0, 2.0], [0.0, 3.0]], axis=1)
    array([2, 1])
    """
    return np.count_nonzero(x, axis, keepdims=keepdims)


count_nonzero.def_vjp(x=None)


# --- exponentials, without overflow -----------------------------------------------------------------------------------


@primitive
def logsumexp(x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))``, without overflow; -inf for none, and for entries that are all -inf.

    Kinks: the gradient is the softmax: 0 for entries that are all -inf, and shared by those that are inf.

    Examples
    --------
    >>> logsumexp([1e4, 1e4, -1e4])
    np.float64(10000.69314718056)
    """
    powers, top = _powers(real(x), axis)
    total = powers.sum(axis, keepdims=keepdims)
    with np.errstate(divide="ignore"):
        return np.log(total) + top.reshape(np.shape(total))


@primitive
def _weights(x: Array, /, axis: Axis) -> Any:
    """`softmax` and its limits: 0 for entries that are all -inf, and even among those that are inf.

    Examples
    --------
    >>> import numpy as np
    >>> _weights([0.0, np.inf], 0)
    array([0., 1.])
    """
    powers, _ = _powers(real(x), axis)
    total = powers.sum(axis, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def _powers(x: Any, axis: Axis) -> tuple[Any, Any]:
    """``exp(x - top)``, 0 or 1 where that is infinity less itself, and top: the largest entries."""
    top = np.max(x, axis, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        return np.where(x == top, top > -np.inf, np.exp(x - top)), top


@primitive
def softmax(x: Array, /, axis: int | tuple[int, ...] = -1) -> Any:
    """``exp(x) / sum(exp(x))`` along an axis, without overflow: positive numbers with the sum 1.

    Raises
    ------
    ShapeError
        If there is no entry along the axis.

    Examples
    --------
    >>> softmax([0.0, 0.0, 1000.0])
    array([0., 0., 1.])
    """
    x = real(x)
    powers = np.exp(x - np.max(x, axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


softmax.def_vjp(x=lambda g, out, axis: out * (g - sum(g * out, axis, keepdims=True)))
_weights.def_vjp(**softmax.rules)
logsumexp.def_vjp(x=lambda g, x, axis: _spread(g, x.shape, axis) * _weights(x, axis))


@primitive
def log_softmax(x: Array, /, axis: int | tuple[int, ...] = -1) -> Any:
    """``log(softmax(x))`` along an axis, without overflow: ``x - log(sum(exp(x)))``.

    Raises
    ------
    ShapeError
        If there is no entry along the axis.

    Examples
    --------
    >>> log_softmax([0.0, 0.0, 1000.0])
    array([-1000., -1000.,     0.])
    """
    x = real(x)
    lowered = x - np.max(x, axis, keepdims=True)
    return lowered - np.log(np.exp(lowered).sum(axis, keepdims=True))


log_softmax.def_vjp(x=lambda g, out, axis: g - exp(out) * sum(g, axis, keepdims=True))


# --- scans ------------------------------------------------------------------------------------------------------------


@primitive
def cumsum(x: Array, /, axis: int | None = None, *, dtype: Any = None) -> Any:
    """The sums of the entries up to each, along an axis or of `x` flattened.

    Examples
    --------
    >>> cumsum([1.0, 2.0, 3.0])
    array([1., 3., 6.])
    """
    return np.cumsum(x, axis, dtype)


cumsum.def_vjp(x=lambda g, x_shape, axis: reshape(flip(cumsum(flip(g, axis), axis), axis), x_shape))


@primitive
def cumprod(x: Array, /, axis: int | None = None, *, dtype: Any = None) -> Any:
    """The products of the entries up to each, along an axis or of `x` flattened.

    Kinks: none; the gradient is that of a polynomial, exact at zeros too, one or several.

    Examples
    --------
    >>> cumprod([1.0, 2.0, 3.0])
    array([1., 2., 6.])
    """
    return np.cumprod(x, axis, dtype)


@primitive
def _linear_recurrence(x: Array, slopes: Array, /) -> Any:
    """``y[0] = x[0]``, ``y[i] = x[i] + slopes[i - 1] * y[i - 1]`` along the last axis; `slopes` is one entry shorter.

    Examples
    --------
    >>> _linear_recurrence([1.0, 1.0, 1.0], [2.0, 3.0])
    array([1., 3., 10.])
    """
    y, slopes = np.moveaxis(x, -1, 0).copy(), np.moveaxis(slopes, -1, 0)
    for i in range(1, len(y)):
        y[i] += slopes[i - 1] * y[i - 1]
    return np.moveaxis(y, 0, -1)


_linear_recurrence.def_vjp(
    g=lambda g, slopes: _linear_recurrence(g[..., ::-1], slopes[..., ::-1])[..., ::-1],
    x=lambda g: g,
    slopes=lambda g, out: g[..., 1:] * out[..., :-1],
)


def _pull_cumprod(g: Any, x: Any, axis: int | None) -> Any:
    """``before[i] * carried[i]``, where ``carried[i] = g[i] + x[i + 1] * carried[i + 1]`` is what comes back from i."""
    along = -1 if axis is None else axis
    entries = swapaxes(in_dtype(reshape(x, g.shape), g.dtype), along, -1)
    carried = _linear_recurrence(swapaxes(g, along, -1)[..., ::-1], entries[..., :0:-1])[..., ::-1]
    return reshape(swapaxes(_before(entries) * carried, along, -1), x.shape)


cumprod.def_vjp(x=_pull_cumprod)

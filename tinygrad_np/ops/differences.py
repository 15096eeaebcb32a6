"""Differences, slopes and interpolation of what is given at points, and sums of products of shifted vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tinygrad_np.derived import Derived
from tinygrad_np.errors import ArgumentError, DtypeError, RangeError, ShapeError
from tinygrad_np.ops.elementwise import keep_where, real
from tinygrad_np.ops.indexing import constant, scatter_add
from tinygrad_np.ops.joining import concatenate
from tinygrad_np.ops.logic import logical_not, not_equal
from tinygrad_np.ops.reductions import sum
from tinygrad_np.ops.shape import at, broadcast_to, in_dtype, reshape
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array, operand

__all__ = [
    "convolve",
    "correlate",
    "diff",
    "ediff1d",
    "gradient",
    "interp",
    "trapezoid",
]


# --- differences ------------------------------------------------------------------------------------------------------


@Derived
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """The differences of neighbours along an axis, `n` times over; of bools, whether they differ.

    `prepend` and `append` are joined to `a` first: numbers, or arrays that fit.

    Raises
    ------
    RangeError
        For a negative `n`.
    IndexRangeError
        For an axis that `a` does not have; a 0-d array has none.

    Examples
    --------
    >>> diff([1.0, 2.0, 4.0], append=7.0)
    array([1., 2., 3.])
    """
    if n < 0:
        raise RangeError(f"diff: expected an order n of at least 0, got {n}")
    a = operand("diff", a)
    if n == 0:
        return a
    axis = normalize_axis_index(axis, a.ndim)
    edge = tuple(1 if i == axis else side for i, side in enumerate(a.shape))
    ends = [None if end is None else operand("diff", end) for end in (prepend, append)]
    before, after = ([] if end is None else [end if end.ndim else broadcast_to(end, edge)] for end in ends)
    if before or after:
        a = concatenate([*before, a, *after], axis)
    for _ in range(n):
        upper, lower = a[at(slice(1, None), axis)], a[at(slice(-1), axis)]
        a = not_equal(upper, lower) if a.dtype == bool else upper - lower
    return a


@Derived
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """The differences of neighbours in the flattened array, with others put at the end and at the beginning.

    Raises
    ------
    DtypeError
        If what is put there does not convert to the dtype of `ary`.

    Examples
    --------
    >>> ediff1d([1.0, 2.0, 4.0], to_begin=0.0)
    array([0., 1., 2.])
    """
    ary = reshape(operand("ediff1d", ary), (-1,))
    parts = [to_begin, ary[1:] - ary[:-1], to_end]
    for i, name in (0, "to_begin"), (2, "to_end"):
        if parts[i] is not None:
            end = operand("ediff1d", parts[i])
            if not np.can_cast(end.dtype, ary.dtype, "same_kind"):
                raise DtypeError(f"ediff1d: expected {name} to convert to ary's dtype {ary.dtype}, got {end.dtype}")
            parts[i] = in_dtype(reshape(end, (-1,)), ary.dtype)
    parts = [part for part in parts if part is not None]
    return concatenate(parts) if len(parts) > 1 else parts[0]


# --- slopes and areas -------------------------------------------------------------------------------------------------


@primitive(broadcasts=True)
def _middle_slope(left: Array, middle: Array, right: Array, before: Array, after: Array, /) -> Any:
    """The slope, in the middle of three points, of the parabola through them; `before` and `after` are distances."""
    with np.errstate(invalid="ignore"):  # by an infinite entry in the middle, which does not count if both are equal
        uneven = (after * ((middle - left) / before) + before * ((right - middle) / after)) / (before + after)
    return np.where(before == after, (right - left) / (2 * before), uneven)


_middle_slope.def_vjp(
    left=lambda g, before, after: -g * (after / before) / (before + after),
    middle=lambda g, before, after: g * (1 / before - 1 / after),
    right=lambda g, before, after: g * (before / after) / (before + after),
    before=lambda g, out, left, middle, right, before, after: (
        g * ((right - middle) / after - (middle - left) / before * (after / before) - out) / (before + after)
    ),
    after=lambda g, out, left, middle, right, before, after: (
        g * ((middle - left) / before - (right - middle) / after * (before / after) - out) / (before + after)
    ),
)


def _end_slope(first: Any, second: Any, third: Any, near: Any, far: Any) -> Any:
    """The slope, in the first of three points, of the parabola through them; `near` and `far` are the distances."""
    ratio = far / near
    return second * ((1 + ratio) / far) - first * ((2 + ratio) / (near + far)) - third / (ratio * (near + far))


def _slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """The slopes along one axis; `spacing` is a number, or the coordinates of the points."""

    def part(start: int | None, stop: int | None = None) -> Any:
        return f[at(slice(start, stop), axis)]

    if np.ndim(spacing) == 0:
        near = far = last = next_to_last = spacing
        inner = (part(2) - part(None, -2)) / (2.0 * spacing)
    else:
        steps = reshape(diff(real(spacing)), (-1, *(1,) * (f.ndim - axis - 1)))
        near, far, next_to_last, last = steps[:1], steps[1:2], steps[-2:-1], steps[-1:]
        inner = _middle_slope(part(None, -2), part(1, -1), part(2), steps[:-1], steps[1:])
    if edge_order == 1:
        ends = (part(1, 2) - part(0, 1)) / near, (part(-1) - part(-2, -1)) / last
    else:
        ends = (
            _end_slope(part(0, 1), part(1, 2), part(2, 3), near, far),
            -_end_slope(part(-1), part(-2, -1), part(-3, -2), last, next_to_last),
        )
    return concatenate([in_dtype(slope, f.dtype) for slope in (ends[0], inner, ends[1])], axis)


@Derived
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The slopes of `f`, given at points, along an axis, or a tuple of those along several: second-order differences.

    `varargs` are the distances of the points: nothing for 1, a number for all axes, or for each axis a number or the
    coordinates of the points.

    Raises
    ------
    ShapeError
        For fewer than ``edge_order + 1`` points, or coordinates of another number.
    ArgumentError
        For spacings of another number than axes.
    RangeError
        For an `edge_order` other than 1 and 2.

    Examples
    --------
    >>> gradient([0.0, 1.0, 4.0, 9.0])
    array([1., 2., 4., 5.])
    >>> gradient([0.0, 1.0, 4.0, 9.0], [0.0, 1.0, 2.0, 3.0], edge_order=2)
    array([0., 2., 4., 6.])
    """
    f = real(operand("gradient", f))
    axes = range(f.ndim) if axis is None else normalize_axis_tuple(axis, f.ndim)
    spacings = [s if isinstance(s, (int, float)) else operand("gradient", s) for s in varargs or (1.0,)]
    if len(spacings) == 1 and np.ndim(spacings[0]) == 0:
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise ArgumentError(f"gradient: expected one spacing, or one for each of {len(axes)} axes, got {len(spacings)}")
    if edge_order not in (1, 2):
        raise RangeError(f"gradient: expected an edge_order of 1 or 2, got {edge_order!r}")
    for along, spacing in zip(axes, spacings, strict=True):
        if f.shape[along] <= edge_order:
            raise ShapeError(
                f"gradient: expected at least {edge_order + 1} points along axis {along}, got f of shape {f.shape}"
            )
        if np.shape(spacing) not in ((), (f.shape[along],)):
            raise ShapeError(
                f"gradient: expected as spacing a number, or {f.shape[along]} coordinates for axis {along}, got shape "
                f"{np.shape(spacing)}"
            )
    slopes = tuple(_slopes(f, s, along, edge_order) for along, s in zip(axes, spacings, strict=True))
    return slopes[0] if len(slopes) == 1 else slopes


@Derived
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of `y` by the trapezoidal rule, at the points `x` (of one axis, or as many as `y`), or `dx` apart.

    Examples
    --------
    >>> trapezoid([1.0, 2.0, 3.0], [0.0, 1.0, 3.0])
    np.float64(6.5)
    """
    y = operand("trapezoid", y)
    along = normalize_axis_index(axis, y.ndim)
    before, after = y[at(slice(-1), along)], y[at(slice(1, None), along)]
    if x is not None:
        x = operand("trapezoid", x)
        if x.ndim == 1 and len(x) != y.shape[axis]:  # of 2 points NumPy would make more
            raise ShapeError(f"trapezoid: expected x of {y.shape[axis]} points, got {len(x)}")
        dx = reshape(diff(x), (-1, *(1,) * (y.ndim - along - 1))) if x.ndim == 1 else diff(x, axis=axis)
    return sum(dx * (after + before) / 2.0, axis)


# --- between points ---------------------------------------------------------------------------------------------------


@primitive(byproducts=("low",))
def _interp(x: Array, xp: Array, fp: Array, left: Any, right: Any, /) -> Any:
    """What `interp` says, and the number of the segment that each `x` is in."""
    out = np.interp(x, xp, fp, left, right)
    return out, np.asarray(np.clip(np.searchsorted(xp, x, "right") - 1, 0, max(len(xp) - 2, 0)))


def _segment(x: Any, xp: Any, fp: Any, low: Array) -> tuple[Any, Any, Any, Any]:
    """The number of the other end of each segment; whether `x` is in it, how far along it, and the slope.

    A segment without width can hold the last point alone, which is its end.
    """
    high = np.minimum(low + 1, math.prod(xp.shape) - 1)
    width = xp[high] - xp[low]
    inside, point = (x >= xp[0]) * (x <= xp[-1]), width == 0
    share = keep_where((x - xp[low]) / (width + point), inside) + point
    slope = keep_where((fp[high] - fp[low]) / (width + point), inside * logical_not(point))
    return high, inside, share, slope


def _by_points(g: Any, x: Any, xp: Any, fp: Any, low: Array) -> Any:
    high, _, share, slope = _segment(x, xp, fp, low)
    return -scatter_add(g * slope * (1 - share), low, xp.shape) - scatter_add(g * slope * share, high, xp.shape)


def _by_values(g: Any, x: Any, xp: Any, fp: Any, low: Array) -> Any:
    high, inside, share, _ = _segment(x, xp, fp, low)
    g = keep_where(g, inside)
    return scatter_add(g * (1 - share), low, fp.shape) + scatter_add(g * share, high, fp.shape)


_interp.def_vjp(
    x=lambda g, x, xp, fp, low: g * _segment(x, xp, fp, low)[3],
    xp=_by_points,
    fp=_by_values,
    left=lambda g, x, xp: keep_where(g, x < xp[0]).sum(),
    right=lambda g, x, xp: keep_where(g, x > xp[-1]).sum(),
)


def _double(x: Any) -> Any:
    """Real numbers as NumPy interpolates them: differences of small integers or halves would not fit into these."""
    return in_dtype(x, np.dtype(np.float64)) if x.dtype.kind in "fiub" else x


@Derived
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """The value at `x` on the straight lines through the points `xp`, `fp`; outside `left` and `right`, or the ends.

    Kinks: at a point the slope is that of the line to its right, at the last point of the line to its left.

    Raises
    ------
    ShapeError
        If `xp` and `fp` are not of one axis and as many entries, at least one.
    RangeError
        If `xp` is not in ascending order, where NumPy's values make no sense.

    Examples
    --------
    >>> interp([-1.0, 0.5, 1.0], [0.0, 1.0, 3.0], [10.0, 20.0, 40.0])
    array([10., 15., 20.])
    """
    x, xp, fp = (_double(operand("interp", v)) for v in (x, xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise ShapeError(f"interp: expected xp and fp of one shape (n,), n > 0, got {xp.shape} and {fp.shape}")
    points = constant(xp)
    if not (points[1:] >= points[:-1]).all():
        raise RangeError("interp: expected xp in ascending order; sort by order = argsort(xp): xp[order], fp[order]")
    return _interp(x, xp, fp, fp[0] if left is None else left, fp[-1] if right is None else right)


# --- sums of products of shifted vectors ------------------------------------------------------------------------------


@primitive
def convolve(a: Array, v: Array, /, mode: Any = "full") -> Any:
    """``(n,), (m,) -> (n + m - 1,)``: the sums of the products ``a[i] * v[k - i]``, which are a polynomial's product.

    Parameters
    ----------
    mode
        ``"full"``; ``"same"`` for the middle, as long as the longer vector; ``"valid"`` for the sums in which all
        entries of the shorter vector take part.

    Raises
    ------
    ShapeError
        For an empty vector, or more than one axis.
    RangeError
        For another mode.

    Examples
    --------
    >>> convolve([1.0, 2.0], [1.0, 0.0, 3.0])
    array([1., 2., 3., 6.])
    """
    _check_mode("convolve", mode)
    return np.convolve(a, v, mode)


def _check_mode(op: str, mode: str) -> None:
    if mode not in ("full", "same", "valid"):
        raise RangeError(f"{op}: expected the mode 'full', 'same' or 'valid', got {mode!r}")


def _unconvolve(g: Any, shape: tuple[int, ...], other: Any, other_shape: tuple[int, ...], mode: str) -> Any:
    """The gradient of the argument of `shape`: that of the full result, slid along the other argument."""
    n, m = math.prod(shape), math.prod(other_shape)
    start = {"full": 0, "same": (min(n, m) - 1) // 2, "valid": min(n, m) - 1}[mode]
    full = scatter_add(g, slice(start, start + g.size), (n + m - 1,))
    return reshape(convolve(full, reshape(other, (-1,))[::-1], "valid"), shape)


convolve.def_vjp(
    a=lambda g, a_shape, v, v_shape, mode: _unconvolve(g, a_shape, v, v_shape, mode),
    v=lambda g, v_shape, a, a_shape, mode: _unconvolve(g, v_shape, a, a_shape, mode),
)


@Derived
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """``(n,), (m,) -> (|n - m| + 1,)``: the sums of the products ``a[k + i] * v[i]``, `v` being slid along `a`.

    The modes are those of `convolve`, with another default.

    Examples
    --------
    >>> correlate([1.0, 2.0, 3.0], [0.0, 1.0])
    array([2., 3.])
    """
    a, v = operand("correlate", a), operand("correlate", v)
    _check_mode("correlate", mode)
    if a.ndim != 1 or v.ndim != 1 or not a.size or not v.size:
        raise ShapeError(f"correlate: expected two vectors that are not empty, got shapes {a.shape} and {v.shape}")
    if len(v) > len(a):
        return convolve(v, a[::-1], mode)[::-1]
    return convolve(a, v[::-1], mode)

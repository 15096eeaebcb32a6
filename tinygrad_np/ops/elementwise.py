"""Functions of one entry at a time, with NumPy's broadcasting.

What holds for all of them: any shapes that broadcast, 0-d and empty ones too; the dtype is the one NumPy gives; arrays
in, an array out, and a `Tensor` among them makes the result a Tensor.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_np.derived import Derived
from tinygrad_np.errors import ArgumentError, RangeError
from tinygrad_np.ops.logic import equal, isfinite, isinf, isnan, logical_and, logical_not, logical_or, not_equal
from tinygrad_np.ops.shape import astype, in_dtype
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array, Value, operand

__all__ = [
    "abs",
    "absolute",
    "add",
    "arctan2",
    "around",
    "atan2",
    "ceil",
    "copysign",
    "divide",
    "divmod",
    "dropout_mask",
    "exp",
    "fabs",
    "fix",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "heaviside",
    "hypot",
    "keep_where",
    "ldexp",
    "log",
    "logaddexp",
    "logaddexp2",
    "maximum",
    "minimum",
    "mod",
    "modf",
    "multiply",
    "negative",
    "positive",
    "pow",
    "power",
    "relu",
    "remainder",
    "rint",
    "round",
    "sigmoid",
    "sign",
    "sqrt",
    "subtract",
    "tanh",
    "true_divide",
    "trunc",
    "where",
]


def real(x: Any) -> Any:
    """`x` in floating point: integers and bools, whose differences wrap around, as float64."""
    if isinstance(x, bool):
        return float(x)
    return x if isinstance(x, (int, float)) or x.dtype.kind == "f" else astype(x, np.float64)


_INTEGERS: dict[str, np.dtype[Any]] = {
    "f": np.dtype(np.int32),
    "d": np.dtype(np.int64),
}  # the integer type as wide as each float type


# --- gates ------------------------------------------------------------------------------------------------------------


@primitive(broadcasts=True)
def keep_where(x: Array, condition: Array, /) -> Any:
    """`x` where the condition holds, and exactly 0 elsewhere, be `x` infinite or NaN there.

    Examples
    --------
    >>> import numpy as np
    >>> keep_where([1.0, np.inf], [True, False])
    array([1., 0.])
    """
    asked = isinstance(condition, np.ndarray) and condition.dtype == bool
    if not asked or np.ndim(x) == 0 or x.dtype.char not in _INTEGERS or not x.dtype.isnative:
        return np.where(condition, x, 0)
    # A choice per entry costs a branch that the processor cannot foresee. A product with 0 or 1 does not, and of the
    # bits, taken as an integer, it gives exactly 0 or all of them.
    return np.multiply(x.view(_INTEGERS[x.dtype.char]), condition).view(x.dtype)


keep_where.def_vjp(
    x=lambda g, condition: keep_where(g, condition),
    condition=None,
)


@primitive(broadcasts=True)
def where(condition: Array, x: Any = None, y: Any = None, /) -> Any:
    """`x` where the condition holds, `y` elsewhere. Both are computed: ``where(x > 0, log(x), 0)`` has NaN slopes.

    Raises
    ------
    ArgumentError
        Without `x` and `y`, for which NumPy has the places where the condition holds: that is ``nonzero``.

    Examples
    --------
    >>> where([True, False], 1.0, [2.0, 3.0])
    array([1., 3.])
    """
    if x is None or y is None:
        raise ArgumentError(
            "where: expected arguments (condition, x, y); the places where a condition holds are nonzero(condition)"
        )
    return np.where(condition, x, y)


where.def_vjp(
    condition=None,
    x=lambda g, condition: keep_where(g, condition),
    y=lambda g, condition: keep_where(g, logical_not(condition)),
)


@primitive
def relu(x: Array, /) -> Any:
    """``max(0, x)``.

    Kinks: the slope at 0 is 0.

    Examples
    --------
    >>> relu([1.0, -0.5])
    array([1., 0.])
    """
    return np.maximum(x, 0)


relu.def_vjp(x=lambda g, x: keep_where(g, x > 0))


@primitive(broadcasts=True)
def dropout_mask(x: Array, mask: Array, /) -> Any:
    """`x` where the mask of zeros and ones has 1, and 0 elsewhere: ``x * mask``, without the "inverted" rescaling.

    The source is N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014). When
    testing, multiply by the probability of keeping an entry instead.

    Examples
    --------
    >>> dropout_mask([1.0, 2.0, 3.0], [1, 0, 1])
    array([1., 0., 3.])
    """
    return np.multiply(x, mask)


dropout_mask.def_vjp(
    x=lambda g, mask: g * mask,
    mask=lambda g, x: g * x,
)


# --- steps ------------------------------------------------------------------------------------------------------------


def _flat(g: Any) -> Any:
    """The rule of what is constant between steps: a slope of 0, and no end of the graph."""
    return keep_where(g, False)


@primitive
def sign(x: Array, /) -> Any:
    """-1, 0 or 1.

    Kinks: the slope is 0 everywhere, at the steps too.

    Examples
    --------
    >>> sign([-2.0, 0.0, 3.0])
    array([-1.,  0.,  1.])
    """
    return np.sign(x)


sign.def_vjp(x=_flat)


@primitive
def floor(x: Array, /) -> Any:
    """The largest whole number that is not above `x`.

    Kinks: the slope is 0 everywhere, at the steps too.

    Examples
    --------
    >>> floor([-1.5, 1.5])
    array([-2.,  1.])
    """
    return np.floor(x)


floor.def_vjp(x=_flat)


@primitive
def ceil(x: Array, /) -> Any:
    """The smallest whole number that is not below `x`.

    Kinks: the slope is 0 everywhere, at the steps too.

    Examples
    --------
    >>> ceil([-1.5, 1.5])
    array([-1.,  2.])
    """
    return np.ceil(x)


ceil.def_vjp(x=_flat)


@primitive
def rint(x: Array, /) -> Any:
    """The nearest whole number; the even one of two.

    Kinks: the slope is 0 everywhere, at the steps too.

    Examples
    --------
    >>> rint([0.5, 1.2, 1.5])
    array([0., 1., 2.])
    """
    return np.rint(x)


rint.def_vjp(x=_flat)


@primitive
def trunc(x: Array, /) -> Any:
    """The nearest whole number towards 0.

    Kinks: the slope is 0 everywhere, at the steps too.

    Examples
    --------
    >>> trunc([-1.5, 1.5])
    array([-1.,  1.])
    """
    return np.trunc(x)


trunc.def_vjp(x=_flat)


@primitive
def fix(x: Array, /) -> Any:
    """The nearest whole number towards 0, as `trunc`.

    Kinks: the slope is 0 everywhere, at the steps too.

    Examples
    --------
    >>> fix([-1.5, 1.5])
    array([-1.,  1.])
    """
    return np.fix(x)


fix.def_vjp(x=_flat)


@primitive
def round(a: Array, /, decimals: int = 0) -> Any:
    """The nearest number with so many decimals (negative: tens, hundreds); the even one of two.

    Kinks: the slope is 0 everywhere, at the steps too.

    Examples
    --------
    >>> round([1.25, -3.0], 1)
    array([ 1.2, -3. ])
    """
    return np.round(a, decimals)


round.def_vjp(a=_flat)
around = round


@primitive(broadcasts=True)
def heaviside(x: Array, h0: Array, /) -> Any:
    """0 where `x` is negative, 1 where it is positive, and `h0` where it is 0.

    Kinks: the slope by `x` is 0 everywhere, at the step too.

    Examples
    --------
    >>> heaviside([-2.0, 0.0, 3.0], 0.5)
    array([0. , 0.5, 1. ])
    """
    return np.heaviside(x, h0)


heaviside.def_vjp(
    x=_flat,
    h0=lambda g, x: keep_where(g, equal(x, 0)),
)


# --- exponentials and their kin ---------------------------------------------------------------------------------------


@primitive
def exp(x: Array, /) -> Any:
    """``e ** x``.

    Examples
    --------
    >>> exp([0.0, 1.0])
    array([1.        , 2.71828183])
    """
    return np.exp(x)


exp.def_vjp(x=lambda g, out: g * out)


@primitive
def log(x: Array, /) -> Any:
    """The natural logarithm.

    Kinks: the slope at 0 is infinite.

    Examples
    --------
    >>> log([1.0, 2.0])
    array([0.        , 0.69314718])
    """
    return np.log(x)


log.def_vjp(x=lambda g, x: g / x)


@primitive
def sqrt(x: Array, /) -> Any:
    """The square root.

    Kinks: the slope at 0 is infinite.

    Examples
    --------
    >>> sqrt([1.0, 4.0])
    array([1., 2.])
    """
    return np.sqrt(x)


sqrt.def_vjp(x=lambda g, out: g / (2 * out))


@primitive
def tanh(x: Array, /) -> Any:
    """The hyperbolic tangent.

    Examples
    --------
    >>> tanh([0.0, 100.0])
    array([0., 1.])
    """
    return np.tanh(x)


tanh.def_vjp(x=lambda g, out: g * (1 - out * out))


@primitive
def sigmoid(x: Array, /) -> Any:
    """``1 / (1 + exp(-x))``, without overflow at either end.

    Examples
    --------
    >>> sigmoid([-800.0, 0.0, 800.0])
    array([0. , 0.5, 1. ])
    """
    small = np.exp(-np.abs(x))  # at most 1
    return np.where(np.asarray(x) >= 0, 1, small) / (1 + small)


sigmoid.def_vjp(x=lambda g, out: g * out * (1 - out))


@primitive(broadcasts=True)
def logaddexp(x: Array, y: Array, /) -> Any:
    """``log(exp(x) + exp(y))``, without overflow.

    Kinks: where both are -inf, or both inf, each gets half of the gradient.

    Examples
    --------
    >>> logaddexp([0.0, 1e4], [0.0, -1e4])
    array([6.93147181e-01, 1.00000000e+04])
    """
    return np.logaddexp(x, y)


def _above(x: Any, y: Any) -> Any:
    """``x - y``, and 0 where both are the same infinity."""
    apart = logical_or(isfinite(x), not_equal(x, y))
    return keep_where(x, apart) - keep_where(y, apart)


logaddexp.def_vjp(
    x=lambda g, x, y: g * sigmoid(_above(x, y)),
    y=lambda g, x, y: g * sigmoid(_above(y, x)),
)


@primitive(broadcasts=True)
def logaddexp2(x: Array, y: Array, /) -> Any:
    """``log2(2 ** x + 2 ** y)``, without overflow.

    Kinks: where both are -inf, or both inf, each gets half of the gradient.

    Examples
    --------
    >>> logaddexp2([0.0, 1e4], [0.0, -1e4])
    array([1.e+00, 1.e+04])
    """
    return np.logaddexp2(x, y)


logaddexp2.def_vjp(
    x=lambda g, x, y: g * sigmoid(_above(x, y) * math.log(2)),
    y=lambda g, x, y: g * sigmoid(_above(y, x) * math.log(2)),
)


# --- arithmetic -------------------------------------------------------------------------------------------------------


@primitive(broadcasts=True)
def add(x: Array, y: Array, /) -> Any:
    """``x + y``.

    Examples
    --------
    >>> add([1.0, 2.0], 3.0)
    array([4., 5.])
    """
    return np.add(x, y)


add.def_vjp(
    x=lambda g: g,
    y=lambda g: g,
)


@primitive(broadcasts=True)
def subtract(x: Array, y: Array, /) -> Any:
    """``x - y``.

    Examples
    --------
    >>> subtract([1.0, 2.0], 3.0)
    array([-2., -1.])
    """
    return np.subtract(x, y)


subtract.def_vjp(
    x=lambda g: g,
    y=lambda g: -g,
)


@primitive(broadcasts=True)
def multiply(x: Array, y: Array, /) -> Any:
    """``x * y``.

    Examples
    --------
    >>> multiply([1.0, 2.0], 3.0)
    array([3., 6.])
    """
    return np.multiply(x, y)


multiply.def_vjp(
    x=lambda g, y: g * y,
    y=lambda g, x: g * x,
)


@primitive(broadcasts=True)
def divide(x: Array, y: Array, /) -> Any:
    """``x / y``, true division: integers give floats.

    Kinks: where ``y == 0`` the slopes are infinite; that by `y` is NaN where ``x == 0`` too.

    Examples
    --------
    >>> divide([1, 2], 4)
    array([0.25, 0.5 ])
    """
    return np.divide(x, y)


divide.def_vjp(
    x=lambda g, y: g / y,
    y=lambda g, out, y: -g * out / y,
)
true_divide = divide


@primitive(broadcasts=True)
def power(x: Array, y: Array, /) -> Any:
    """``x ** y``. The slope by `y` is NaN for a negative `x`, where the power is real at isolated exponents only.

    Kinks: at ``x == 0`` the slope by `x` is 0 where ``y == 0``, and the slope by `y` is 0 where ``y >= 0``
    and infinite elsewhere.

    Examples
    --------
    >>> power([1.0, 2.0], 3.0)
    array([1., 8.])
    """
    try:
        return x**y if hasattr(x, "dtype") or hasattr(y, "dtype") else np.power(x, y)
    except ValueError as error:
        if "negative integer powers" not in str(error):
            raise
        raise RangeError(
            f"power: expected exponents of at least 0 for integers, got {y}; convert them to float"
        ) from error


def _power_by_x(g: Any, x: Any, y: Any) -> Any:
    # 0 * x**0 is the slope at y = 0. Where that may be differentiated by y, only x = y = 0 takes it, as y * x**(y - 1)
    # has the right slope by y everywhere else.
    live = isinstance(y, Value) and y._node is not None
    less_one = real(y) - (logical_or(x, y) if live else y != 0)
    return g * (y * x**less_one)


def _power_by_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    if isinstance(x, (int, float)) and 0 < x < math.inf:
        return g * out * log(x)
    # Where log(x) is infinite, at 0 and infinity, the power may be a constant 0; at x = y = 0 the slope is 0 too.
    resting = logical_and(x >= 0, logical_or(out == 0, logical_not(logical_or(x, y))))
    return g * out * log(where(resting, 1, real(x)))


power.def_vjp(
    x=_power_by_x,
    y=_power_by_y,
)
pow = power


@Derived
def float_power(x: Any, y: Any) -> Any:
    """``x ** y`` in float64 at least, of integers too, so that negative exponents are welcome.

    Kinks: as of `power`.

    Examples
    --------
    >>> float_power([1, 2], -1)
    array([1. , 0.5])
    """
    x, y = operand("float_power", x), operand("float_power", y)
    dtype = np.result_type(x.dtype, y.dtype, np.float64)
    return power(in_dtype(x, dtype), y)


@primitive
def positive(x: Array, /) -> Any:
    """``+x``.

    Examples
    --------
    >>> positive([1.0, -2.0])
    array([ 1., -2.])
    """
    return np.positive(x)


positive.def_vjp(x=lambda g: g)


@primitive
def negative(x: Array, /) -> Any:
    """``-x``.

    Examples
    --------
    >>> negative([1.0, -2.0])
    array([-1.,  2.])
    """
    return np.negative(x)


negative.def_vjp(x=lambda g: -g)


@primitive
def absolute(x: Array, /) -> Any:
    """``|x|``.

    Kinks: the slope at 0 is 0.

    Examples
    --------
    >>> absolute([1.0, -2.0])
    array([1., 2.])
    """
    return np.absolute(x)


absolute.def_vjp(x=lambda g, x: g * sign(x))
abs = absolute


@primitive
def fabs(x: Array, /) -> Any:
    """``|x|`` as a float, of integers too.

    Kinks: the slope at 0 is 0.

    Examples
    --------
    >>> fabs([1, -2])
    array([1., 2.])
    """
    return np.fabs(x)


fabs.def_vjp(x=lambda g, x: g * sign(x))


# --- division with a remainder ----------------------------------------------------------------------------------------


@primitive(broadcasts=True)
def floor_divide(x: Array, y: Array, /) -> Any:
    """``x // y``, the largest whole number that is not above the quotient.

    Kinks: the slopes are 0 everywhere, at the steps too.

    Examples
    --------
    >>> floor_divide([7.0, -7.0], 2.0)
    array([ 3., -4.])
    """
    return np.floor_divide(x, y)


floor_divide.def_vjp(
    x=_flat,
    y=_flat,
)


@primitive(broadcasts=True)
def remainder(x: Array, y: Array, /) -> Any:
    """``x % y``, what `floor_divide` leaves, with the sign of `y`.

    Kinks: where it jumps to 0 the slopes are those of the piece that begins there, 1 by `x`.

    Examples
    --------
    >>> remainder([7.0, -7.0], 2.0)
    array([1., 1.])
    """
    return np.remainder(x, y)


remainder.def_vjp(
    x=lambda g: g,
    y=lambda g, x, y: -g * floor_divide(x, y),
)
mod = remainder


@primitive(broadcasts=True)
def fmod(x: Array, y: Array, /) -> Any:
    """What division leaves when the quotient is cut off towards 0, with the sign of `x`.

    Kinks: where it jumps to 0 the slopes are those of the piece that begins there, 1 by `x`.

    Examples
    --------
    >>> fmod([7.0, -7.0], 2.0)
    array([ 1., -1.])
    """
    return np.fmod(x, y)


fmod.def_vjp(
    x=lambda g: g,
    y=lambda g, out, x, y: -g * rint((x - out) / y),  # trunc(x / y) may be one off, as x / y is rounded
)


@Derived
def divmod(x: Any, y: Any) -> tuple[Any, Any]:
    """``(x // y, x % y)``: see `floor_divide` and `remainder`.

    Kinks: as of these.

    Examples
    --------
    >>> divmod([7.0, -7.0], 2.0)
    (array([ 3., -4.]), array([1., 1.]))
    """
    return floor_divide(x, y), remainder(x, y)


@primitive
def _fraction(x: Array, /) -> Any:
    """`x` without its whole part."""
    return np.modf(x)[0]


_fraction.def_vjp(x=lambda g: g)


@Derived
def modf(x: Any) -> tuple[Any, Any]:
    """The fractional and the whole part, both with the sign of `x`.

    Kinks: at whole numbers too the slope of the fraction is 1, and that of the whole part is 0.

    Examples
    --------
    >>> modf([2.5, -2.5])
    (array([ 0.5, -0.5]), array([ 2., -2.]))
    """
    fraction = _fraction(x)
    return fraction, trunc(astype(x, fraction.dtype))


# --- signs, powers of two, and the plane ------------------------------------------------------------------------------


@primitive(broadcasts=True)
def copysign(x: Array, y: Array, /) -> Any:
    """``|x|`` with the sign of `y`.

    Kinks: the slope by `x` is 0 at ``x == 0``; the slope by `y` is 0 everywhere.

    Examples
    --------
    >>> copysign([1.0, -2.0], [-1.0, -0.0])
    array([-1., -2.])
    """
    return np.copysign(x, y)


copysign.def_vjp(
    x=lambda g, out, x: g * (sign(x) * sign(out)),
    y=_flat,
)


@primitive(broadcasts=True)
def ldexp(x: Array, exponent: Array, /) -> Any:
    """``x * 2 ** exponent``, for exponents that are integers.

    Examples
    --------
    >>> ldexp([1.0, 3.0], [2, -1])
    array([4. , 1.5])
    """
    return np.ldexp(x, exponent)


ldexp.def_vjp(
    x=lambda g, exponent: ldexp(g, exponent),
    exponent=None,
)


@primitive(broadcasts=True)
def hypot(x: Array, y: Array, /) -> Any:
    """``sqrt(x ** 2 + y ** 2)``, without overflow between.

    Kinks: the slopes at the origin are 0; at infinity they are 1 or -1 by what is infinite, and 0 by what is not.

    Examples
    --------
    >>> hypot([3.0, 3e200], [4.0, 4e200])
    array([5.e+000, 5.e+200])
    """
    return np.hypot(x, y)


def _cosine(x: Any, r: Any) -> Any:
    """``x / r``, where `r` is the length of a vector of which `x` is a part."""
    ends = logical_or(isinf(r), r == 0)
    return where(ends, sign(x) * isinf(x), x) / where(ends, 1, r)


hypot.def_vjp(
    x=lambda g, out, x: g * _cosine(x, out),
    y=lambda g, out, y: g * _cosine(y, out),
)


@primitive(broadcasts=True)
def arctan2(y: Array, x: Array, /) -> Any:
    """The angle of the vector (x, y) from the axis of `x`: from -pi to pi. Mind the order of arguments.

    Kinks: the slopes at the origin are 0.

    Examples
    --------
    >>> arctan2([0.0, 1.0], [1.0, 0.0])
    array([0.        , 1.57079633])
    """
    return np.arctan2(y, x)


def _turned(g: Any, x: Any, r: Any) -> Any:
    return g * (_cosine(real(x), r) / (r + (r == 0)))


arctan2.def_vjp(
    y=lambda g, y, x: _turned(g, x, hypot(y, x)),
    x=lambda g, y, x: _turned(-g, y, hypot(y, x)),
)
atan2 = arctan2


# --- the larger and the smaller ---------------------------------------------------------------------------------------


def _share(g: Any, wins: Any, ties: Any) -> Any:
    return keep_where(g, wins) + keep_where(g * 0.5, ties)


@primitive(broadcasts=True)
def maximum(x: Array, y: Array, /) -> Any:
    """The larger of `x` and `y`.

    Kinks: where they are equal each gets half of the gradient.

    Examples
    --------
    >>> maximum([1.0, 5.0], 3.0)
    array([3., 5.])
    """
    return np.maximum(x, y)


maximum.def_vjp(
    x=lambda g, x, y: _share(g, x > y, x == y),
    y=lambda g, x, y: _share(g, y > x, x == y),
)


@primitive(broadcasts=True)
def minimum(x: Array, y: Array, /) -> Any:
    """The smaller of `x` and `y`.

    Kinks: where they are equal each gets half of the gradient.

    Examples
    --------
    >>> minimum([1.0, 5.0], 3.0)
    array([1., 3.])
    """
    return np.minimum(x, y)


minimum.def_vjp(
    x=lambda g, x, y: _share(g, x < y, x == y),
    y=lambda g, x, y: _share(g, y < x, x == y),
)


@primitive(broadcasts=True)
def fmax(x: Array, y: Array, /) -> Any:
    """The larger of `x` and `y`, and the other one where one is NaN.

    Kinks: where they are equal each gets half of the gradient; where both are NaN none does.

    Examples
    --------
    >>> import numpy as np
    >>> fmax([1.0, 5.0, np.nan], 3.0)
    array([3., 5., 3.])
    """
    return np.fmax(x, y)


fmax.def_vjp(
    x=lambda g, x, y: _share(g, logical_or(x > y, isnan(y) > isnan(x)), x == y),
    y=lambda g, x, y: _share(g, logical_or(y > x, isnan(x) > isnan(y)), x == y),
)


@primitive(broadcasts=True)
def fmin(x: Array, y: Array, /) -> Any:
    """The smaller of `x` and `y`, and the other one where one is NaN.

    Kinks: where they are equal each gets half of the gradient; where both are NaN none does.

    Examples
    --------
    >>> import numpy as np
    >>> fmin([1.0, 5.0, np.nan], 3.0)
    array([1., 3., 3.])
    """
    return np.fmin(x, y)


fmin.def_vjp(
    x=lambda g, x, y: _share(g, logical_or(x < y, isnan(y) > isnan(x)), x == y),
    y=lambda g, x, y: _share(g, logical_or(y < x, isnan(x) > isnan(y)), x == y),
)

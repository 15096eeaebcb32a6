"""Functions of one entry at a time, with NumPy's broadcasting.

What holds for all of them: any shapes that broadcast, 0-d and empty ones too; the dtype is the one NumPy gives; arrays
in, an array out, and a `Tensor` among them makes the result a Tensor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_np.errors import RangeError
from tinygrad_np.ops.shape import astype
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

__all__ = [
    "absolute",
    "add",
    "divide",
    "dropout_mask",
    "equal",
    "exp",
    "greater",
    "greater_equal",
    "keep_where",
    "less",
    "less_equal",
    "log",
    "logical_not",
    "logical_or",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "relu",
    "sigmoid",
    "sign",
    "sqrt",
    "subtract",
    "tanh",
    "where",
]


def real(x: Any) -> Any:
    """`x` in floating point: integers and bools, whose differences wrap around, as float64."""
    return x if isinstance(x, (int, float)) or x.dtype.kind == "f" else astype(x, np.float64)


_INTEGERS: dict[str, np.dtype[Any]] = {
    "f": np.dtype(np.int32),
    "d": np.dtype(np.int64),
}  # the integer type as wide as each float type


# --- constants: what jumps or answers yes or no has no slope --------------------------------------------------------


@primitive
def sign(x: Array, /) -> Any:
    """-1, 0 or 1; a constant to differentiation.

    Examples
    --------
    >>> sign([-2.0, 0.0, 3.0])
    array([-1.,  0.,  1.])
    """
    return np.sign(x)


sign.def_vjp(x=None)


@primitive
def logical_not(x: Array, /) -> Any:
    """Whether `x` is zero.

    Examples
    --------
    >>> logical_not([0, 2])
    array([ True, False])
    """
    return np.logical_not(x)


logical_not.def_vjp(x=None)


@primitive
def logical_or(x: Array, y: Array, /) -> Any:
    """Whether `x` or `y` is not zero.

    Examples
    --------
    >>> logical_or([0, 2], [0, 0])
    array([False,  True])
    """
    return np.logical_or(x, y)


logical_or.def_vjp(x=None, y=None)


@primitive
def equal(x: Array, y: Array, /) -> Any:
    """``x == y``.

    Examples
    --------
    >>> equal([1, 2], 2)
    array([False,  True])
    """
    return np.equal(x, y)


equal.def_vjp(x=None, y=None)


@primitive
def not_equal(x: Array, y: Array, /) -> Any:
    """``x != y``.

    Examples
    --------
    >>> not_equal([1, 2], 2)
    array([ True, False])
    """
    return np.not_equal(x, y)


not_equal.def_vjp(x=None, y=None)


@primitive
def greater(x: Array, y: Array, /) -> Any:
    """``x > y``.

    Examples
    --------
    >>> greater([1, 2, 3], 2)
    array([False, False,  True])
    """
    return np.greater(x, y)


greater.def_vjp(x=None, y=None)


@primitive
def greater_equal(x: Array, y: Array, /) -> Any:
    """``x >= y``.

    Examples
    --------
    >>> greater_equal([1, 2, 3], 2)
    array([False,  True,  True])
    """
    return np.greater_equal(x, y)


greater_equal.def_vjp(x=None, y=None)


@primitive
def less(x: Array, y: Array, /) -> Any:
    """``x < y``.

    Examples
    --------
    >>> less([1, 2, 3], 2)
    array([ True, False, False])
    """
    return np.less(x, y)


less.def_vjp(x=None, y=None)


@primitive
def less_equal(x: Array, y: Array, /) -> Any:
    """``x <= y``.

    Examples
    --------
    >>> less_equal([1, 2, 3], 2)
    array([ True,  True, False])
    """
    return np.less_equal(x, y)


less_equal.def_vjp(x=None, y=None)


# --- gates ----------------------------------------------------------------------------------------------------------


@primitive(broadcasts=True)
def keep_where(x: Array, condition: Array, /) -> Any:
    """`x` where the condition holds, and exactly 0 elsewhere, be `x` infinite or NaN there.

    Examples
    --------
    >>> import numpy as np
    >>> keep_where([1.0, np.inf], [True, False])
    array([1., 0.])
    """
    if np.ndim(x) == 0 or condition.dtype != bool or x.dtype.char not in _INTEGERS or not x.dtype.isnative:
        return np.where(condition, x, 0)
    # A choice per entry costs a branch that the processor cannot foresee. A product with 0 or 1 does not, and of the
    # bits, taken as an integer, it gives exactly 0 or all of them.
    return np.multiply(x.view(_INTEGERS[x.dtype.char]), condition).view(x.dtype)


keep_where.def_vjp(
    x=lambda g, condition: keep_where(g, condition),
    condition=None,
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
def where(condition: Array, x: Array, y: Array, /) -> Any:
    """`x` where the condition holds, `y` elsewhere. Both are computed: ``where(x > 0, log(x), 0)`` has NaN slopes.

    Examples
    --------
    >>> where([True, False], 1.0, [2.0, 3.0])
    array([1., 3.])
    """
    return np.where(condition, x, y)


where.def_vjp(
    condition=None,
    x=lambda g, condition: keep_where(g, condition),
    y=lambda g, condition: keep_where(g, logical_not(condition)),
)


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
    mask=None,
)


# --- exponentials and their kin -------------------------------------------------------------------------------------


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


# --- arithmetic -----------------------------------------------------------------------------------------------------


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


@primitive(broadcasts=True)
def power(x: Array, y: Array, /) -> Any:
    """``x ** y``. The slope by `y` is NaN for a negative `x`, where the power is real at isolated exponents only.

    Kinks: at ``x == 0`` the slope by `x` is 0 where ``y == 0``, and the slope by `y` is 0 where ``y >= 0``.

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
    # Where nothing depends on y, 0 * x**0 is the slope at y = 0. Where something may, only the slope at x = y = 0 needs
    # that, and y * x**(y - 1) has the right slope by y everywhere else.
    less_one = y - (y != 0) if isinstance(y, (int, float)) else real(y) - logical_or(x, y)
    return g * (y * x**less_one)


power.def_vjp(
    x=lambda g, x, y: _power_by_x(g, x, y),
    y=lambda g, out, x: g * out * log(real(x) + (x == 0)),  # where x is 0: out * log(1)
)


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


def _share(g: Any, wins: Any, ties: Any) -> Any:
    return keep_where(g, wins) + keep_where(g * 0.5, ties)

"""Exponentials, logarithms, powers and their kin, entry by entry; `exp`, `log` and `sqrt` are in elementwise.py.

What holds for all of them: any shape, a 0-d and an empty one too; the dtype is the one NumPy gives; an infinite slope
(of a logarithm at 0, of the cube root at 0) comes with NumPy's warning of a division by zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_np.errors import DtypeError
from tinygrad_np.ops.elementwise import exp, maximum, minimum, sigmoid
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

__all__ = [
    "cbrt",
    "erf",
    "exp2",
    "expm1",
    "log1p",
    "log2",
    "log10",
    "reciprocal",
    "softplus",
    "square",
]


def _ln(base: int, like: Any) -> Any:
    """The natural logarithm of a base, as exact as the dtype of `like`."""
    return np.log(like.dtype.type(base))


# --- exponentials ---------------------------------------------------------------------------------------------------


@primitive
def exp2(x: Array, /) -> Any:
    """``2 ** x``.

    Examples
    --------
    >>> exp2([0.0, 3.0])
    array([1., 8.])
    """
    return np.exp2(x)


exp2.def_vjp(x=lambda g, out: g * out * _ln(2, out))


@primitive
def expm1(x: Array, /) -> Any:
    """``exp(x) - 1``, exact near 0 too.

    Examples
    --------
    >>> expm1([0.0, 1e-20])
    array([0.e+00, 1.e-20])
    """
    return np.expm1(x)


expm1.def_vjp(x=lambda g, x: g * exp(x))  # out + 1 would lose all digits where x is far below 0


@primitive
def softplus(x: Array, /) -> Any:
    """``log(1 + exp(x))``, without overflow at either end; its slope is the `sigmoid`.

    Examples
    --------
    >>> softplus([-800.0, 0.0, 800.0])
    array([0.00000000e+00, 6.93147181e-01, 8.00000000e+02])
    """
    return np.logaddexp(x, 0)


softplus.def_vjp(x=lambda g, x: g * sigmoid(x))


# --- logarithms -----------------------------------------------------------------------------------------------------


@primitive
def log2(x: Array, /) -> Any:
    """The logarithm to the base 2.

    Kinks: the slope at 0 is infinite.

    Examples
    --------
    >>> log2([1.0, 8.0])
    array([0., 3.])
    """
    return np.log2(x)


log2.def_vjp(x=lambda g, x: g / _ln(2, x) / x)  # x * _ln(2, x) may overflow


@primitive
def log10(x: Array, /) -> Any:
    """The logarithm to the base 10.

    Kinks: the slope at 0 is infinite.

    Examples
    --------
    >>> log10([1.0, 1000.0])
    array([0., 3.])
    """
    return np.log10(x)


log10.def_vjp(x=lambda g, x: g / _ln(10, x) / x)


@primitive
def log1p(x: Array, /) -> Any:
    """``log(1 + x)``, exact near 0 too.

    Examples
    --------
    >>> log1p([0.0, 1e-20])
    array([0.e+00, 1.e-20])
    """
    return np.log1p(x)


log1p.def_vjp(x=lambda g, x: g / (1 + x))


# --- powers ---------------------------------------------------------------------------------------------------------


@primitive
def square(x: Array, /) -> Any:
    """``x * x``.

    Examples
    --------
    >>> square([1.0, -3.0])
    array([1., 9.])
    """
    return np.square(x)


square.def_vjp(x=lambda g, x: g * (2 * x))


@primitive
def cbrt(x: Array, /) -> Any:
    """The cube root, of negative numbers too.

    Kinks: the slope at 0 is infinite.

    Examples
    --------
    >>> cbrt([8.0, -27.0])
    array([ 2., -3.])
    """
    return np.cbrt(x)


cbrt.def_vjp(x=lambda g, out: g / (3 * out) / out)  # out * out may underflow


@primitive
def reciprocal(x: Array, /) -> Any:
    """``1 / x``; of integers, as in NumPy, the integer part of that.

    Kinks: the slope at 0 is minus infinity.

    Examples
    --------
    >>> reciprocal([1.0, 4.0])
    array([1.  , 0.25])
    """
    return np.reciprocal(x)


reciprocal.def_vjp(x=lambda g, out: -g * out * out)


# --- the error function ---------------------------------------------------------------------------------------------

# Pairs of coefficients, above and below the line, from the highest power down.
_NEAR = (  # erf(x) / x in powers of x * x, near 0
    (1.85777706184603153e-1, 1.0),
    (3.16112374387056560e0, 2.36012909523441209e1),
    (1.13864154151050156e2, 2.44024637934444173e2),
    (3.77485237685302021e2, 1.28261652607737228e3),
    (3.20937758913846947e3, 2.84423683343917062e3),
)
_FAR = (  # (1 - erf(x)) * exp(x * x) in powers of x, up to 4; from there to 6, where erf is 1, as exact as erf needs it
    (2.15311535474403846e-8, 1.0),
    (5.64188496988670089e-1, 1.57449261107098347e1),
    (8.88314979438837594e0, 1.17693950891312499e2),
    (6.61191906371416295e1, 5.37181101862009858e2),
    (2.98635138197400131e2, 1.62138957456669019e3),
    (8.81952221241769090e2, 3.29079923573345963e3),
    (1.71204761263407058e3, 4.36261909014324716e3),
    (2.05107837782607147e3, 3.43936767414372164e3),
    (1.23033935479799725e3, 1.23033935480374942e3),
)


def _quotient(coefficients: tuple[tuple[float, float], ...], x: Any) -> Any:
    above: Any = 0.0
    below: Any = 0.0
    for a, b in coefficients:
        above, below = above * x + a, below * x + b
    return above / below


@primitive
def erf(x: Array, /) -> Any:
    """The error function ``2 / sqrt(pi)`` times the integral of ``exp(-t * t)`` from 0 to `x`.

    It is computed in float64, to a few units in the last place, whatever the dtype: a longdouble has that accuracy.

    Raises
    ------
    DtypeError
        If `x` is complex.

    References
    ----------
    W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23 (1969).

    Examples
    --------
    >>> erf([0.0, 0.5, 100.0])
    array([0.        , 0.52049988, 1.        ])
    """
    dtype = np.result_type(np.asarray(x), np.float16)  # as NumPy chooses it for `exp`
    if dtype.kind != "f":
        raise DtypeError(f"erf: expected real numbers, got {np.asarray(x).dtype}")
    a = np.minimum(np.absolute(x), 6).astype(np.float64)
    near, far = a * _quotient(_NEAR, a * a), 1 - np.exp(-a * a) * _quotient(_FAR, a)
    return np.copysign(np.where(a < 0.5, near, far), x).astype(dtype)


def _bell(x: Any) -> Any:
    """``exp(-x * x)``, without overflow: beyond 110 that is 0 in every dtype."""
    bounded = minimum(maximum(x, -110), 110)
    return exp(-bounded * bounded)


erf.def_vjp(x=lambda g, x: g * (1.1283791670955126 * _bell(x)))  # 2 / sqrt(pi)

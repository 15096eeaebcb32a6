"""Circular and hyperbolic functions, their inverses, and `sinc`, entry by entry; `tanh` is in elementwise.py.

What holds for all of them: any shape, a 0-d and an empty one too; the dtype is the one NumPy gives; an infinite slope
(of an inverse at the end of its domain) comes with NumPy's warning of a division by zero. The inverses have the array
API's short names too (`asin` for `arcsin`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_np.ops.elementwise import sqrt
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

__all__ = [
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "rad2deg",
    "radians",
    "sin",
    "sinc",
    "sinh",
    "tan",
]


# --- circular functions ---------------------------------------------------------------------------------------------


@primitive
def sin(x: Array, /) -> Any:
    """The sine of an angle in radians.

    Examples
    --------
    >>> sin([0.0, 0.5])
    array([0.        , 0.47942554])
    """
    return np.sin(x)


@primitive
def cos(x: Array, /) -> Any:
    """The cosine of an angle in radians.

    Examples
    --------
    >>> cos([0.0, 0.5])
    array([1.        , 0.87758256])
    """
    return np.cos(x)


sin.def_vjp(x=lambda g, x: g * cos(x))
cos.def_vjp(x=lambda g, x: -g * sin(x))


@primitive
def tan(x: Array, /) -> Any:
    """The tangent of an angle in radians.

    Examples
    --------
    >>> tan([0.0, 0.5])
    array([0.        , 0.54630249])
    """
    return np.tan(x)


tan.def_vjp(x=lambda g, out: g * (1 + out * out))


@primitive
def arcsin(x: Array, /) -> Any:
    """The angle from -pi/2 to pi/2 that has this sine; also called `asin`.

    Kinks: the slope at -1 and 1 is infinite.

    Examples
    --------
    >>> arcsin([0.0, 0.5])
    array([0.        , 0.52359878])
    """
    return np.arcsin(x)


arcsin.def_vjp(x=lambda g, x: g / sqrt((1 - x) * (1 + x)))  # 1 - x * x would lose digits near the ends


@primitive
def arccos(x: Array, /) -> Any:
    """The angle from 0 to pi that has this cosine; also called `acos`.

    Kinks: the slope at -1 and 1 is minus infinity.

    Examples
    --------
    >>> arccos([1.0, 0.5])
    array([0.        , 1.04719755])
    """
    return np.arccos(x)


arccos.def_vjp(x=lambda g, x: -g / sqrt((1 - x) * (1 + x)))


@primitive
def arctan(x: Array, /) -> Any:
    """The angle from -pi/2 to pi/2 that has this tangent; also called `atan`.

    Examples
    --------
    >>> arctan([0.0, 1.0])
    array([0.        , 0.78539816])
    """
    return np.arctan(x)


@primitive
def _secant(x: Array, /) -> Any:
    """``sqrt(1 + x * x)``, the secant of the angle that has the tangent `x`, without overflow."""
    return np.hypot(x, 1)


arctan.def_vjp(x=lambda g, x: g / _secant(x) / _secant(x))
_secant.def_vjp(x=lambda g, x: g * sin(arctan(x)))  # x / out is not a number at infinity


# --- hyperbolic functions -------------------------------------------------------------------------------------------


@primitive
def sinh(x: Array, /) -> Any:
    """The hyperbolic sine.

    Examples
    --------
    >>> sinh([0.0, 1.0])
    array([0.        , 1.17520119])
    """
    return np.sinh(x)


@primitive
def cosh(x: Array, /) -> Any:
    """The hyperbolic cosine.

    Examples
    --------
    >>> cosh([0.0, 1.0])
    array([1.        , 1.54308063])
    """
    return np.cosh(x)


sinh.def_vjp(x=lambda g, x: g * cosh(x))
cosh.def_vjp(x=lambda g, x: g * sinh(x))


@primitive
def arcsinh(x: Array, /) -> Any:
    """The number that has this hyperbolic sine; also called `asinh`.

    Examples
    --------
    >>> arcsinh([0.0, 1.0])
    array([0.        , 0.88137359])
    """
    return np.arcsinh(x)


arcsinh.def_vjp(x=lambda g, x: g / _secant(x))


@primitive
def arccosh(x: Array, /) -> Any:
    """The number from 0 that has this hyperbolic cosine; also called `acosh`.

    Kinks: the slope at 1 is infinite.

    Examples
    --------
    >>> arccosh([1.0, 2.0])
    array([0.       , 1.3169579])
    """
    return np.arccosh(x)


arccosh.def_vjp(x=lambda g, x: g / sqrt(x - 1) / sqrt(x + 1))


@primitive
def arctanh(x: Array, /) -> Any:
    """The number that has this hyperbolic tangent; also called `atanh`.

    Kinks: the slope at -1 and 1 is infinite.

    Examples
    --------
    >>> arctanh([0.0, 0.5])
    array([0.        , 0.54930614])
    """
    return np.arctanh(x)


arctanh.def_vjp(x=lambda g, x: g / ((1 - x) * (1 + x)))


# --- sinc -----------------------------------------------------------------------------------------------------------


@primitive
def _sinc_derivative(x: Array, /, order: int) -> Any:
    """The derivative of `sinc` of an order: ``pi ** order`` times that of ``sin(y) / y`` at ``y = pi * x``.

    That one, f_n, is the Taylor series near 0. Further out it follows from the last, as ``y * f`` is a sine and
    ``y * f_n + n * f_(n - 1)`` its n-th derivative; there n < y, so that errors do not grow.
    """
    x = np.asarray(x)
    y = np.multiply(x, np.pi, dtype=np.result_type(x, np.float64))
    near = np.absolute(y) <= order + 1
    small, large = np.where(near, y, 0), np.where(near, order + 1, y)

    term, series = (-1) ** ((order + 1) // 2) * small ** (order % 2), 0 * small
    for n in range(order % 2, 4 * order + 30, 2):  # beyond that even longdouble has no digits
        series = series + term / (order + n + 1)
        term = term * (-small * small / ((n + 1) * (n + 2)))

    waves = np.sin(large), np.cos(large), -np.sin(large), -np.cos(large)  # the derivatives of sin, from the 0th
    slope = waves[0] / large
    for n in range(1, order + 1):
        slope = (waves[n % 4] - n * slope) / large
    return (np.where(near, series, slope) * np.pi**order).astype(np.result_type(x, np.float16))


_sinc_derivative.def_vjp(x=lambda g, x, order: g * _sinc_derivative(x, order + 1))


@primitive
def sinc(x: Array, /) -> Any:
    """``sin(pi * x) / (pi * x)``, and 1 at 0, where all its derivatives are exact too.

    Examples
    --------
    >>> sinc([0.0, 0.5])
    array([1.        , 0.63661977])
    """
    return np.sinc(x)


sinc.def_vjp(x=lambda g, x: g * _sinc_derivative(x, 1))


# --- degrees and radians --------------------------------------------------------------------------------------------


@primitive
def deg2rad(x: Array, /) -> Any:
    """Degrees to radians: ``x * pi / 180``; also called `radians`.

    Examples
    --------
    >>> deg2rad([0.0, 180.0])
    array([0.        , 3.14159265])
    """
    return np.deg2rad(x)


deg2rad.def_vjp(x=lambda g: deg2rad(g))


@primitive
def rad2deg(x: Array, /) -> Any:
    """Radians to degrees: ``x * 180 / pi``; also called `degrees`.

    Examples
    --------
    >>> rad2deg([0.0, 1.0])
    array([ 0.        , 57.29577951])
    """
    return np.rad2deg(x)


rad2deg.def_vjp(x=lambda g: rad2deg(g))


asin, acos, atan = arcsin, arccos, arctan
asinh, acosh, atanh = arcsinh, arccosh, arctanh
radians, degrees = deg2rad, rad2deg

"""Questions with the answers yes and no, entry by entry, with NumPy's broadcasting.

The answers are constants to differentiation: no gradient flows through them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

__all__ = [
    "equal",
    "greater",
    "greater_equal",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
    "signbit",
]


# --- logic ------------------------------------------------------------------------------------------------------------


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
def logical_and(x: Array, y: Array, /) -> Any:
    """Whether `x` and `y` are both not zero.

    Examples
    --------
    >>> logical_and([0, 2], [1, 1])
    array([False,  True])
    """
    return np.logical_and(x, y)


logical_and.def_vjp(x=None, y=None)


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
def logical_xor(x: Array, y: Array, /) -> Any:
    """Whether one of `x` and `y` is zero, and the other is not.

    Examples
    --------
    >>> logical_xor([0, 2], [1, 1])
    array([ True, False])
    """
    return np.logical_xor(x, y)


logical_xor.def_vjp(x=None, y=None)


# --- comparisons ------------------------------------------------------------------------------------------------------


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


@primitive
def isclose(a: Array, b: Array, rtol: Any = 1e-05, atol: Any = 1e-08, /, equal_nan: bool = False) -> Any:
    """Whether ``|a - b| <= atol + rtol * |b|``; infinities are close to themselves alone.

    Examples
    --------
    >>> isclose([1.0, 2.0], [1.0 + 1e-9, 2.1])
    array([ True, False])
    """
    return np.isclose(a, b, rtol, atol, equal_nan)


isclose.def_vjp(a=None, b=None, rtol=None, atol=None)


# --- kinds of numbers -------------------------------------------------------------------------------------------------


@primitive
def isnan(x: Array, /) -> Any:
    """Whether `x` is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> isnan([1.0, np.nan, np.inf])
    array([False,  True, False])
    """
    return np.isnan(x)


isnan.def_vjp(x=None)


@primitive
def isfinite(x: Array, /) -> Any:
    """Whether `x` is neither infinite nor NaN.

    Examples
    --------
    >>> import numpy as np
    >>> isfinite([1.0, np.nan, np.inf])
    array([ True, False, False])
    """
    return np.isfinite(x)


isfinite.def_vjp(x=None)


@primitive
def isinf(x: Array, /) -> Any:
    """Whether `x` is infinite, of either sign.

    Examples
    --------
    >>> import numpy as np
    >>> isinf([1.0, np.inf, -np.inf])
    array([False,  True,  True])
    """
    return np.isinf(x)


isinf.def_vjp(x=None)


@primitive
def isposinf(x: Array, /) -> Any:
    """Whether `x` is positive infinity.

    Examples
    --------
    >>> import numpy as np
    >>> isposinf([1.0, np.inf, -np.inf])
    array([False,  True, False])
    """
    return np.isposinf(x)


isposinf.def_vjp(x=None)


@primitive
def isneginf(x: Array, /) -> Any:
    """Whether `x` is negative infinity.

    Examples
    --------
    >>> import numpy as np
    >>> isneginf([1.0, np.inf, -np.inf])
    array([False, False,  True])
    """
    return np.isneginf(x)


isneginf.def_vjp(x=None)


@primitive
def signbit(x: Array, /) -> Any:
    """Whether `x` is negative, -0.0 too.

    Examples
    --------
    >>> signbit([1.0, -0.0, -2.0])
    array([False,  True,  True])
    """
    return np.signbit(x)


signbit.def_vjp(x=None)

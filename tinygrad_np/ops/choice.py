"""Choices entry by entry: what is within bounds or finite, and the first or last of several whose condition holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_np.derived import Derived
from tinygrad_np.errors import ArgumentError, DtypeError
from tinygrad_np.ops.elementwise import keep_where, maximum, where
from tinygrad_np.ops.indexing import scatter_add
from tinygrad_np.ops.logic import isfinite, logical_and
from tinygrad_np.ops.shape import in_dtype
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array, Value, operand

__all__ = [
    "clip",
    "nan_to_num",
    "piecewise",
    "select",
]


@primitive(broadcasts=True)
def _clip(x: Array, low: Any, high: Any, /) -> Any:
    """`clip`, of bounds that may be None."""
    return np.clip(x, low, high)


def _in_order(low: Any, high: Any) -> Any:
    """``low <= high``; true where there is no such bound."""
    return True if low is None or high is None else low <= high


_clip.def_vjp(
    x=lambda g, x, low, high: keep_where(g, logical_and(_in_order(low, x), _in_order(x, high))),
    low=lambda g, x, low, high: keep_where(g, logical_and(x < low, _in_order(low, high))),
    high=lambda g, x, low, high: keep_where(g, (x if low is None else maximum(x, low)) > high),
)


@Derived
def clip(a: Any, a_min: Any = ..., a_max: Any = ..., *, min: Any = None, max: Any = None) -> Any:
    """`a`, but at least `a_min` and at most `a_max`; `a_max` where the bounds cross.

    Kinks: on a bound the slope by `a` is 1. A bound gets the gradient of what lies outside of it.

    Parameters
    ----------
    a : array
    a_min, a_max : arrays or None
        The bounds, which are broadcast; None for no such bound. Give both, or none of them.
    min, max : arrays or None
        The same, either of which may be left out.

    Raises
    ------
    ArgumentError
        If one of `a_min` and `a_max` is given without the other, or with `min` or `max`.

    Examples
    --------
    >>> clip([-2.0, 0.5, 3.0], 0.0, 1.0)
    array([0. , 0.5, 1. ])
    >>> clip([-2.0, 0.5, 3.0], max=1.0)
    array([-2. ,  0.5,  1. ])
    """
    given = a_min is not ..., a_max is not ..., min is not None or max is not None
    if given not in ((True, True, False), (False, False, True), (False, False, False)):
        raise ArgumentError("clip: expected both a_min and a_max (None for no bound), or else min= and max= alone")
    return _clip(operand("clip", a), *((a_min, a_max) if given[0] else (min, max)))


@primitive
def nan_to_num(x: Array, /, *, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """`x` with numbers in place of NaN and the infinities: 0, and the largest and the lowest that there are.

    Kinks: what is replaced gets no gradient.

    Examples
    --------
    >>> import numpy as np
    >>> nan_to_num([1.0, np.nan, -np.inf], nan=5.0, neginf=-1.0)
    array([ 1.,  5., -1.])
    """
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


nan_to_num.def_vjp(x=lambda g, x: keep_where(g, isfinite(x)))


@Derived
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Of each entry, the first choice whose condition holds; the default where none does.

    All choices are computed, as of `where`; with `piecewise` they are not.

    Raises
    ------
    DtypeError
        If a condition is no array of bools.
    ShapeError
        If there is no condition, or not one for each choice.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([-2.0, 0.5, 3.0])
    >>> select([x < 0, x < 1], [-x, x * 10], 7.0)
    array([2., 5., 7.])
    """
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ValueError(f"expected as many choices as conditions, got {len(choicelist)} and {len(condlist)}")
    conditions = [operand("select", condition) for condition in condlist]
    for i, condition in enumerate(conditions):
        if condition.dtype != bool:
            raise DtypeError(f"select: expected conditions of bools, got {condition.dtype} in place {i}")
    choices = [c if type(c) in (int, float) else operand("select", c) for c in (*choicelist, default)]
    dtype = np.result_type(*(getattr(c, "dtype", c) for c in choices))
    *choices, out = (in_dtype(operand("select", c), dtype) for c in choices)
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        out = where(condition, choice, out)
    return out


@Derived
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """Of each entry, what the function does whose condition holds, the last one of several; 0 where none does.

    A function is called with the entries where its condition holds, in one axis, and with nothing else: unlike `where`
    and `select` it computes no value and no slope outside.

    Parameters
    ----------
    x : array
        The result has its shape and dtype.
    condlist : sequence of arrays of bools
        One for each function.
    funclist : sequence of functions and numbers
        A number stands for itself. One more than conditions: the last is for where none of them holds.
    *args, **kw
        Passed on to the functions.

    Raises
    ------
    ShapeError
        If there are neither as many functions as conditions nor one more.
    DtypeError
        If a result that needs gradients would be cut off to the integers or bools that `x` has.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([-4.0, 0.0, 4.0])
    >>> piecewise(x, [x < 0, x > 0], [-1.0, lambda v: v**0.5])
    array([-1.,  0.,  2.])
    """
    x = operand("piecewise", x)
    conditions = _conditions(x, condlist)
    if len(conditions) == len(funclist) - 1:
        conditions = np.concatenate([conditions, ~conditions.any(axis=0, keepdims=True)])
    if len(conditions) != len(funclist):
        n = len(conditions)
        raise ValueError(f"with {n} condition(s), either {n} or {n + 1} functions are expected")
    out = keep_where(x, False) if x.dtype.kind == "f" else np.zeros(x.shape, x.dtype)
    for condition, function in zip(conditions, funclist, strict=True):
        place = np.zeros(x.shape, bool)
        place[condition] = True
        if callable(function) and place.any():
            function = function(x[condition], *args, **kw)
        if not callable(function):
            if isinstance(function, Value) and function._node is not None and x.dtype.kind != "f":
                raise DtypeError(f"piecewise: expected x of floats, as the results need gradients; got {x.dtype}")
            out = where(place, scatter_add(in_dtype(operand("piecewise", function), x.dtype), condition, x.shape), out)
    return out


def _conditions(x: Any, condlist: Any) -> Array:
    """The conditions as one array, with a first axis for them; one alone need not be in a list."""

    def plain(condition: Any) -> Any:
        return condition._array[()] if isinstance(condition, Value) else condition

    given = [plain(c) for c in condlist] if isinstance(condlist, (list, tuple)) else plain(condlist)
    if np.isscalar(given) or (x.ndim and not isinstance(given[0], (list, np.ndarray))):
        given = [given]
    return np.asarray(given, bool)

"""Many entries to one, along all axes or some.

`axis` is None (all), an integer or a tuple of integers; with ``keepdims=True`` the reduced axes stay, with one entry.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_np.ops.elementwise import equal, keep_where, logical_or, not_equal, real
from tinygrad_np.ops.shape import broadcast_to, reshape
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

__all__ = [
    "max",
    "mean",
    "min",
    "softmax",
    "sum",
]

Axis = int | tuple[int, ...] | None


def _kept_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """The shape that a reduction along `axis` has with ``keepdims=True``."""
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    reduced = {a % len(shape) for a in axes if shape}  # NumPy lets a 0-d array be reduced along "axis 0"
    return tuple(1 if i in reduced else n for i, n in enumerate(shape))


def _spread(g: Any, x_shape: tuple[int, ...], axis: Axis) -> Any:
    return broadcast_to(reshape(g, _kept_shape(x_shape, axis)), x_shape)


@primitive
def sum(x: Array, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum of entries; 0 for none.

    Examples
    --------
    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([4., 6.])
    """
    return np.sum(x, axis, keepdims=keepdims)


sum.def_vjp(x=lambda g, x_shape, axis: _spread(g, x_shape, axis))


@primitive
def mean(x: Array, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum of entries divided by their number; NaN, with NumPy's warning, for none.

    Examples
    --------
    >>> mean([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([2., 3.])
    """
    return np.mean(x, axis, keepdims=keepdims)


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    return math.prod(n for n, kept in zip(shape, _kept_shape(shape, axis), strict=True) if n != kept)


mean.def_vjp(x=lambda g, x_shape, axis: _spread(g / _count(x_shape, axis), x_shape, axis))


@primitive
def max(x: Array, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest entry.

    Kinks: entries that tie for it share the gradient evenly.

    Raises
    ------
    ShapeError
        If there is no entry to choose from.

    Examples
    --------
    >>> max([[1.0, 5.0], [3.0, 4.0]], axis=0)
    array([3., 5.])
    """
    return np.max(x, axis, keepdims=keepdims)


@primitive
def min(x: Array, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """The smallest entry.

    Kinks: entries that tie for it share the gradient evenly.

    Raises
    ------
    ShapeError
        If there is no entry to choose from.

    Examples
    --------
    >>> min([[1.0, 5.0], [3.0, 4.0]], axis=0)
    array([1., 4.])
    """
    return np.min(x, axis, keepdims=keepdims)


def _share(g: Any, x: Any, out: Any, axis: Axis) -> Any:
    """Divide `g` among the entries equal to the chosen one (of which NaN is one that equals itself nowhere)."""
    kept = _kept_shape(x.shape, axis)
    chosen = logical_or(equal(x, reshape(out, kept)), not_equal(x, x))
    return keep_where(reshape(g, kept) / sum(chosen, axis, True), chosen)


max.def_vjp(x=lambda g, x, out, axis: _share(g, x, out, axis))
min.def_vjp(**max.rules)


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


softmax.def_vjp(x=lambda g, out, axis: out * (g - sum(g * out, axis, True)))

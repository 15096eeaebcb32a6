"""Products of matrices, and the bias that goes with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_np.errors import ShapeError
from tinygrad_np.ops.elementwise import keep_where
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

__all__ = [
    "add_bias",
    "dense",
    "dense_relu",
    "matmul",
]


@primitive(broadcasts=True)
def matmul(x: Array, w: Array, /) -> Any:
    """``(..., n, d) @ (..., d, h) -> (..., n, h)``; a 1-D `x` is one row, a 1-D `w` one column, as NumPy has it.

    Raises
    ------
    ShapeError
        For a 0-d argument, or if the last axis of `x` and the last but one of `w` differ.

    Examples
    --------
    >>> matmul([[1.0, -1.0], [-1.0, 0.0], [1.0, 1.0]], [[4.0], [2.0]])
    array([[ 2.],
           [-4.],
           [ 6.]])
    """
    try:
        return x @ w
    except (ValueError, TypeError) as error:
        raise ShapeError(
            "matmul: expected x (..., n, d) and w (..., d, h) with the same d, at least one axis each and batches "
            f"that broadcast; got {np.shape(x)} and {np.shape(w)}"
        ) from error


def _by_x(g: Any, x_shape: tuple[int, ...], w: Any) -> Any:
    if w.ndim == 1:
        return g[..., None] * w
    if len(x_shape) == 1:
        return (w @ g[..., None])[..., 0]
    return g @ w.swapaxes(-1, -2)


def _by_w(g: Any, x: Any, w_shape: tuple[int, ...]) -> Any:
    if x.ndim == 1:
        return x * g if len(w_shape) == 1 else x[:, None] * g[..., None, :]
    if len(w_shape) == 1:
        return (g[..., None, :] @ x)[..., 0, :]
    return x.swapaxes(-1, -2) @ g


matmul.def_vjp(
    x=_by_x,
    w=_by_w,
)


@primitive
def add_bias(x: Array, b: Array, /, axis: int = -1) -> Any:
    """Add ``b[k]`` to all entries of `x` that have index k on `axis`: ``(n, h) + (h,) -> (n, h)``.

    Parameters
    ----------
    x : array of shape (..., h, ...)
    b : array of shape (h,)
    axis : int
        The axis of `x` with h entries: -1 for a dense layer, 1 for the channels of images (n, c, height, width).

    Raises
    ------
    ShapeError
        If `b` is not 1-D with as many entries as `x` has on `axis`.

    Examples
    --------
    >>> add_bias([[2.0], [-4.0], [6.0]], [3.0])
    array([[ 5.],
           [-1.],
           [ 9.]])
    """
    if np.ndim(x) == 0 or np.ndim(b) != 1 or b.shape != x.shape[axis : axis + 1 or None]:
        raise ShapeError(
            f"add_bias: expected b of shape (h,), with h the entries of x on axis {axis}; got x of shape {np.shape(x)} "
            f"and b of shape {np.shape(b)}"
        )
    return x + b.reshape((-1,) + (1,) * (-1 - axis if axis < 0 else x.ndim - 1 - axis))


add_bias.def_vjp(
    x=lambda g: g,
    b=lambda g, axis: g.sum(axis=tuple(i for i in range(g.ndim) if i != axis % g.ndim)),
)


@primitive
def dense(x: Array, w: Array, b: Array, /) -> Any:
    """``x @ w + b`` in one step: ``(n, d) @ (d, h) + (h,) -> (n, h)``.

    Raises
    ------
    ShapeError
        For any other shapes.

    Examples
    --------
    >>> dense([[1.0, -1.0], [-1.0, 0.0], [1.0, 1.0]], [[4.0], [2.0]], [3.0])
    array([[ 5.],
           [-1.],
           [ 9.]])
    """
    return _affine("dense", x, w, b)


def _affine(op: str, x: Array, w: Array, b: Array) -> Any:
    try:
        fits = x.ndim == w.ndim == 2 and x.shape[1] == w.shape[0] and w.shape[1:] == b.shape
    except AttributeError:  # of a Python number
        fits = False
    if not fits:
        raise ShapeError(
            f"{op}: expected x (n, d), w (d, h) and b (h,); got {np.shape(x)}, {np.shape(w)} and {np.shape(b)}"
        )
    return x @ w + b


dense.def_vjp(
    x=lambda g, w: g @ w.T,
    w=lambda g, x: x.T @ g,
    b=lambda g: g.sum(axis=0),
)


@primitive
def dense_relu(x: Array, w: Array, b: Array, /) -> Any:
    """``relu(x @ w + b)`` in one step: ``(n, d) @ (d, h) + (h,) -> (n, h)``.

    Kinks: the slope where the sum is 0 is 0.

    Raises
    ------
    ShapeError
        For any other shapes.

    Examples
    --------
    >>> dense_relu([[1.0, -1.0], [-1.0, 0.0], [1.0, 1.0]], [[4.0], [2.0]], [3.0])
    array([[5.],
           [0.],
           [9.]])
    """
    return np.maximum(_affine("dense_relu", x, w, b), 0)


dense_relu.def_vjp(g=lambda g, out: keep_where(g, out > 0), **dense.rules)  # masked once, for all three

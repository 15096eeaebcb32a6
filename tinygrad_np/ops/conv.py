"""Convolution and pooling of images ``(n, channels, height, width)``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_np.errors import RangeError, ShapeError
from tinygrad_np.ops.elementwise import keep_where
from tinygrad_np.ops.indexing import getitem
from tinygrad_np.ops.linalg import add_bias
from tinygrad_np.ops.shape import reshape, swapaxes, transpose
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

__all__ = [
    "conv2d",
    "conv2d_relu_pool",
    "max_pool2d",
]

Pair = tuple[int, int]


@primitive
def conv2d(x: Array, kernel: Array, /, padding: str | Pair = "same") -> Any:
    """Cross-correlate images with kernels: ``Y[n,o,i,j] = sum_cab K[o,c,a,b] * X[n,c,i+a-p,j+b-q]``, zero outside X.

    Parameters
    ----------
    x : array of shape (n, c, height, width)
    kernel : array of shape (o, c, a, b)
        Not flipped, as in all of deep learning; it may be non-square, and larger than the image.
    padding : "same", "valid" or (p, q)
        Rows and columns of zeros around the image. "same", for odd sides, keeps its size: ``p = (a - 1) / 2``; "valid"
        is none. Negative numbers crop.

    Returns
    -------
    array of shape (n, o, height + 2p - a + 1, width + 2q - b + 1)

    Raises
    ------
    ShapeError
        If an argument is not 4-D, the channels differ, a kernel has no side, the result would have a negative side,
        or "same" meets an even side.
    RangeError
        For any other `padding`.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.array([[1, 2, 3], [2, 3, 4], [3, 4, 5]]).reshape(1, 1, 3, 3)
    >>> conv2d(image, np.diag([1, 1, 2]).reshape(1, 1, 3, 3))[0, 0]
    array([[ 7, 10,  3],
           [10, 14,  6],
           [ 3,  6,  8]])
    """
    p, q = _pads("conv2d", np.shape(x), np.shape(kernel), padding)
    (n, channels), (outputs, _, a, b) = x.shape[:2], kernel.shape
    windows = sliding_window_view(_pad(x, p, q), (a, b), axis=(2, 3))  # (n, c, i, j, a, b)
    height, width = windows.shape[2:4]
    columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, channels * a * b, height * width)
    return (kernel.reshape(outputs, channels * a * b) @ columns).reshape(n, outputs, height, width)


def _pads(op: str, x: tuple[int, ...], kernel: tuple[int, ...], padding: str | Pair) -> Pair:
    """The rows and columns of zeros that `padding` stands for, once the shapes are known to fit."""
    if len(x) != 4 or len(kernel) != 4 or x[1] != kernel[1] or 0 in kernel[2:]:
        raise ShapeError(
            f"{op}: expected x of shape (n, c, height, width) and a kernel of shape (o, c, a, b) with a, b > 0; got "
            f"{x} and {kernel}"
        )
    sides = kernel[2:]
    if padding == "same":
        if sides[0] % 2 == 0 or sides[1] % 2 == 0:
            raise ShapeError(
                f"{op}: padding 'same' expects a kernel with odd sides, got {sides}; use 'valid' or (p, q)"
            )
        padding = (sides[0] // 2, sides[1] // 2)
    if padding == "valid":
        padding = (0, 0)
    if not (
        isinstance(padding, tuple) and len(padding) == 2 and all(isinstance(p, (int, np.integer)) for p in padding)
    ):
        raise RangeError(f"{op}: expected padding 'same', 'valid' or two integers (p, q), got {padding!r}")
    if any(n + 2 * p < side for n, p, side in zip(x[2:], padding, sides, strict=True)):
        raise ShapeError(
            f"{op}: expected a kernel that fits into the image of {x[2:]} padded by {padding}, got sides {sides}; "
            "use padding 'same'"
        )
    return padding


def _pad(x: Array, p: int, q: int) -> Array:
    """`x` with p rows and q columns of zeros on each side; cropped where they are negative."""
    rows, columns = (slice(max(0, -k), n - max(0, -k)) for k, n in zip((p, q), x.shape[2:], strict=True))
    x = x[:, :, rows, columns]
    p, q = max(p, 0), max(q, 0)
    return np.pad(x, ((0, 0), (0, 0), (p, p), (q, q))) if p or q else x


def _by_x(g: Any, x_shape: tuple[int, ...], kernel: Any, padding: str | Pair) -> Any:
    """Each output spread back over its window: the convolution of g with the kernel turned by 180 degrees."""
    p, q = _pads("conv2d", x_shape, kernel.shape, padding)
    turned = swapaxes(getitem(kernel, (..., slice(None, None, -1), slice(None, None, -1))), 0, 1)
    return conv2d(g, turned, (kernel.shape[2] - 1 - p, kernel.shape[3] - 1 - q))


def _by_kernel(g: Any, x: Any, kernel_shape: tuple[int, ...], padding: str | Pair) -> Any:
    """Each kernel entry met the whole image, shifted: the images, as channels, correlated with g as the kernel."""
    pair = _pads("conv2d", x.shape, kernel_shape, padding)
    return swapaxes(conv2d(swapaxes(x, 0, 1), swapaxes(g, 0, 1), pair), 0, 1)


conv2d.def_vjp(
    x=_by_x,
    kernel=_by_kernel,
)


@primitive(byproducts=("first",))
def max_pool2d(x: Array, /, size: int = 2) -> Any:
    """The maximum of each `size` by `size` window: ``(..., size*h, size*w) -> (..., h, w)``.

    Kinks: a window's gradient goes to its first maximum in row order.

    Raises
    ------
    ShapeError
        If `x` has fewer than two axes, or a side that `size` does not divide.
    RangeError
        If `size` is not a positive integer.

    Examples
    --------
    >>> max_pool2d([[1, 2, 5, 0], [4, 3, 0, 0]])
    array([[4, 5]])
    """
    x = np.asarray(x)
    _check_pool("max_pool2d", x.shape, size)
    places = _windows(x, size)
    out = places[0, 0].copy()
    for i, j in np.ndindex(size, size):
        np.maximum(out, places[i, j], out=out)
    return out, _first_maxima(places, out)


def _check_pool(op: str, shape: tuple[int, ...], size: int) -> None:
    if not isinstance(size, (int, np.integer)) or size < 1:
        raise RangeError(f"{op}: expected a positive integer as size, got {size!r}")
    if len(shape) < 2 or shape[-2] % size or shape[-1] % size:
        raise ShapeError(f"{op}: expected x of shape (..., h, w) with sides that {size} divides, got {shape}")


def _windows(x: Array, size: int) -> Array:
    """The entries of each window on the first two axes, by row and column: (size, size, ..., h, w)."""
    *ahead, height, width = x.shape
    split = x.reshape(*ahead, height // size, size, width // size, size)
    return np.moveaxis(split, (-3, -1), (0, 1))


def _first_maxima(places: Array, maxima: Array) -> Array:
    """Which entry of a window (size, size, ...) is the first in row order that equals the maximum (or both are NaN)."""
    found: Array = places == maxima
    if np.isnan(maxima).any():
        found |= np.isnan(places)
    earlier = np.zeros(maxima.shape, bool)
    for row in found:
        for place in row:
            np.greater(place, earlier, place)  # and not earlier
            earlier |= place
    return found


def _unpool(g: Any, first: Any) -> Any:
    """Each entry of `g` at the first maximum of its window, and zeros elsewhere: the reverse of a pool."""
    size, _, *ahead, h, w = first.shape
    axes = range(2, len(first.shape) - 2)
    there = transpose(keep_where(g, first), (*axes, first.ndim - 2, 0, first.ndim - 1, 1))
    return reshape(there, (*ahead, size * h, size * w))


max_pool2d.def_vjp(x=_unpool)


@primitive(byproducts=("first",))
def conv2d_relu_pool(x: Array, kernel: Array, b: Array, /, padding: str | Pair = "same", size: int = 2) -> Any:
    """``max_pool2d(relu(add_bias(conv2d(x, kernel, padding), b, 1)), size)`` in one step.

    Kinks: as of the functions that it is made of.

    Raises
    ------
    ShapeError, RangeError
        As the functions that it is made of.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> conv2d_relu_pool(image, np.ones((1, 1, 1, 1)), np.array([-7.0]))[0, 0]
    array([[0., 0.],
           [6., 8.]])
    """
    _pads("conv2d_relu_pool", np.shape(x), np.shape(kernel), padding)
    if np.shape(b) != kernel.shape[:1]:
        raise ShapeError(f"conv2d_relu_pool: expected b of shape {kernel.shape[:1]}, got {np.shape(b)}")
    z = add_bias.forward(conv2d.forward(x, kernel, padding), b, 1)
    _check_pool("conv2d_relu_pool", z.shape, size)
    out, first = max_pool2d.forward(z, size)
    return np.maximum(out, 0), first


conv2d_relu_pool.def_vjp(
    g=lambda g, out, first: _unpool(keep_where(g, out > 0), first),
    x=_by_x,
    kernel=_by_kernel,
    b=lambda g: g.sum(axis=(0, 2, 3)),
)

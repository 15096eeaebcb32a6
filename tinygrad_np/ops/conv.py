"""Convolution and pooling of images ``(n, channels, height, width)``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_np.errors import RangeError, ShapeError
from tinygrad_np.ops.indexing import getitem, scatter_add
from tinygrad_np.ops.shape import reshape, swapaxes
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

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
    p, q = _padding(np.shape(x), np.shape(kernel), padding)
    (n, channels), (outputs, _, a, b) = x.shape[:2], kernel.shape
    windows = sliding_window_view(_pad(x, p, q), (a, b), axis=(2, 3))  # (n, c, i, j, a, b)
    height, width = windows.shape[2:4]
    columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, channels * a * b, height * width)
    return (kernel.reshape(outputs, channels * a * b) @ columns).reshape(n, outputs, height, width)


def _padding(x: tuple[int, ...], kernel: tuple[int, ...], padding: str | Pair) -> Pair:
    """The rows and columns of zeros that `padding` stands for, once the shapes are known to fit."""
    if len(x) != 4 or len(kernel) != 4 or x[1] != kernel[1] or 0 in kernel[2:]:
        raise ShapeError(
            f"conv2d: expected x of shape (n, c, height, width) and a kernel of shape (o, c, a, b) with a, b > 0; got "
            f"{x} and {kernel}"
        )
    sides = kernel[2:]
    if padding == "same":
        if sides[0] % 2 == 0 or sides[1] % 2 == 0:
            raise ShapeError(
                f"conv2d: padding 'same' expects a kernel with odd sides, got {sides}; use 'valid' or (p, q)"
            )
        padding = (sides[0] // 2, sides[1] // 2)
    if padding == "valid":
        padding = (0, 0)
    if not (
        isinstance(padding, tuple) and len(padding) == 2 and all(isinstance(p, (int, np.integer)) for p in padding)
    ):
        raise RangeError(f"conv2d: expected padding 'same', 'valid' or two integers (p, q), got {padding!r}")
    if any(n + 2 * p < side for n, p, side in zip(x[2:], padding, sides, strict=True)):
        raise ShapeError(
            f"conv2d: expected a kernel that fits into the image of {x[2:]} padded by {padding}, got sides {sides}; "
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
    p, q = _padding(x_shape, kernel.shape, padding)
    turned = swapaxes(getitem(kernel, (..., slice(None, None, -1), slice(None, None, -1))), 0, 1)
    return conv2d(g, turned, (kernel.shape[2] - 1 - p, kernel.shape[3] - 1 - q))


def _by_kernel(g: Any, x: Any, kernel_shape: tuple[int, ...], padding: str | Pair) -> Any:
    """Each kernel entry met the whole image, shifted: the images, as channels, correlated with g as the kernel."""
    pair = _padding(x.shape, kernel_shape, padding)
    return swapaxes(conv2d(swapaxes(x, 0, 1), swapaxes(g, 0, 1), pair), 0, 1)


conv2d.def_vjp(
    x=lambda g, x_shape, kernel, padding: _by_x(g, x_shape, kernel, padding),
    kernel=lambda g, x, kernel_shape, padding: _by_kernel(g, x, kernel_shape, padding),
)


@primitive(byproducts=("chosen",))
def max_pool2d(x: Array, /, size: int = 2) -> Any:
    """The maximum of each `size` by `size` window: ``(..., size*h, size*w) -> (..., h, w)``.

    A window's gradient goes to its first maximum in row order.

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
    shape = np.shape(x)
    if not isinstance(size, (int, np.integer)) or size < 1:
        raise RangeError(f"max_pool2d: expected a positive integer as size, got {size!r}")
    if len(shape) < 2 or shape[-2] % size or shape[-1] % size:
        raise ShapeError(f"max_pool2d: expected x of shape (..., h, w) with sides that {size} divides, got {shape}")
    *ahead, h, w = shape
    places = np.arange(x.size).reshape(math.prod(ahead), h // size, size, w // size, size).swapaxes(2, 3)
    places = places.reshape(-1, size * size)  # a window a row
    first = x.reshape(-1)[places].argmax(axis=1)
    chosen = places[np.arange(len(places)), first].reshape(*ahead, h // size, w // size)
    return x.reshape(-1)[chosen], chosen


max_pool2d.def_vjp(
    x=lambda g, x_shape, chosen: reshape(scatter_add(g, chosen, (math.prod(x_shape),)), x_shape),
)

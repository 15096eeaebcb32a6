"""Raw kernels of the hot few: what their forwards and rules say, on arrays, in as few passes over memory as can be.

Each works on native float32 or float64 alone, all of one dtype, and declines anything else by returning None. See
`tinygrad_np.primitives.Kernel`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_np.buffers import Lend
from tinygrad_np.ops.conv import _first_maxima, _pads, conv2d, conv2d_relu_pool
from tinygrad_np.ops.elementwise import _INTEGERS, dropout_mask, relu, tanh
from tinygrad_np.ops.linalg import add_bias, dense, dense_relu, matmul
from tinygrad_np.ops.losses import _check_labels, cross_entropy, hinge, mse
from tinygrad_np.ops.reductions import _NOT_GIVEN, _kept_shape, sum
from tinygrad_np.values import Array

Live = tuple[bool, ...]
Dtype = np.dtype[Any]

FLOAT64, FLOAT32 = np.dtype(np.float64), np.dtype(np.float32)
SMALL = 1 << 12
"""Entries that are written faster than a view that repeats one of them is made."""

SHORT = 1 << 16
"""Entries of a vector of ones that may be kept for sums."""

_ZERO = {dtype: np.array(0, dtype) for dtype in (FLOAT64, FLOAT32)}  # ufuncs take 0-d arrays faster than numbers
_ONE = {dtype: np.array(1, dtype) for dtype in (FLOAT64, FLOAT32)}


@lru_cache(maxsize=8)
def _ones(n: int, dtype: Dtype) -> Array:
    """A vector of ones, read-only; only for short ones, as some are kept."""
    ones = np.ones(n, dtype)
    ones.flags.writeable = False
    return ones


def _column_sums(x: Array) -> Array:
    """``x.sum(axis=0)`` of a matrix, as a product, which is several times faster."""
    sums: Array = _ones(len(x), x.dtype).dot(x) if len(x) <= SHORT else x.sum(axis=0)
    return sums


def _total(x: Array) -> Any:
    """``x.sum()``, likewise."""
    return _ones(x.size, x.dtype).dot(x.reshape(-1)) if x.size <= SHORT else x.sum()


def _empty(lend: Lend, shape: tuple[int, ...], dtype: Dtype) -> Array:
    lent = lend(shape, dtype)
    return np.empty(shape, dtype) if lent is None else lent


def _zeros(lend: Lend, shape: tuple[int, ...], dtype: Dtype) -> Array:
    array = _empty(lend, shape, dtype)
    array.fill(0)
    return array


# --- one entry at a time ----------------------------------------------------------------------------------------------


def _alike(x: Array, y: Array) -> bool:
    """Whether both are arrays of one shape, and of one native float dtype."""
    return type(x) is type(y) is np.ndarray and x.shape == y.shape != () and x.dtype is y.dtype in _ZERO


def _relu(lend: Lend, x: Array) -> tuple[Array] | None:
    if type(x) is not np.ndarray or x.dtype not in _ZERO or not x.ndim:
        return None
    return (np.maximum(x, _ZERO[x.dtype], out=lend(x.shape, x.dtype)),)


def _open(g: Array, out: Array, into: Array | None) -> Array:
    """`g` where `out` is positive, and exactly 0 elsewhere, as `tinygrad_np.keep_where` has it."""
    integers = _INTEGERS[g.dtype.char]
    into = into if into is None else into.view(integers)
    bits: Array = np.multiply(g.view(integers), np.greater(out, _ZERO[g.dtype]), into)
    return bits.view(g.dtype)


def _relu_gradients(lend: Lend, g: Array, spare: Array | None, _: Live, x: Array) -> tuple[Array]:
    return (_open(g, x, lend(g.shape, g.dtype) if spare is None else spare),)


def _dropout_mask(lend: Lend, x: Array, mask: Array) -> tuple[Array] | None:
    if type(mask) is np.ndarray and mask.dtype == bool and type(x) is np.ndarray and x.dtype in _ZERO:
        fits = x.shape == mask.shape != ()
    else:
        fits = _alike(x, mask)
    return (np.multiply(x, mask, lend(x.shape, x.dtype)),) if fits else None


def _dropout_mask_gradients(
    lend: Lend, g: Array, spare: Array | None, live: Live, mask: Array
) -> tuple[Array, None] | None:
    if live[1]:
        return None
    return np.multiply(g, mask, lend(g.shape, g.dtype) if spare is None else spare), None


def _tanh(lend: Lend, x: Array) -> tuple[Array] | None:
    if type(x) is not np.ndarray or x.dtype not in _ZERO or not x.ndim:
        return None
    return (np.tanh(x, lend(x.shape, x.dtype)),)


def _tanh_gradients(lend: Lend, g: Array, _: Live, out: Array) -> tuple[Array]:
    slopes = np.multiply(out, out, lend(g.shape, g.dtype))
    np.subtract(_ONE[g.dtype], slopes, slopes)
    return (np.multiply(g, slopes, slopes),)


relu.def_kernel(_relu, _relu_gradients, overwrites=True)
dropout_mask.def_kernel(_dropout_mask, _dropout_mask_gradients, overwrites=True)
tanh.def_kernel(_tanh, _tanh_gradients)


# --- sums -------------------------------------------------------------------------------------------------------------


def _sum(_: Lend, x: Array, axis: Any, keepdims: bool, dtype: Any, initial: Any, where: Any) -> tuple[Any] | None:
    if type(x) is not np.ndarray or x.dtype not in _ZERO:
        return None
    if dtype is not None or initial is not _NOT_GIVEN or where is not True:
        return None
    return (x.sum(axis, keepdims=keepdims),)


def _sum_gradients(_: Lend, g: Array, __: Live, x_shape: tuple[int, ...], axis: Any) -> tuple[Array] | None:
    if math.prod(x_shape) > SMALL:
        return None  # the rule repeats it without a copy
    slopes = np.empty(x_shape, g.dtype)
    slopes[...] = g if axis is None and not g.ndim else g.reshape(_kept_shape(x_shape, axis))
    return (slopes,)


sum.def_kernel(_sum, _sum_gradients)


# --- products and biases ----------------------------------------------------------------------------------------------


def _matmul(lend: Lend, x: Array, w: Array) -> tuple[Array] | None:
    if not type(x) is type(w) is np.ndarray or x.dtype is not w.dtype or x.dtype not in _ZERO:
        return None
    if x.ndim != w.ndim or x.ndim < 2 or x.shape[:-2] != w.shape[:-2] or x.shape[-1] != w.shape[-2]:
        return None
    return (_product(lend, x, w),)


def _product(lend: Lend, x: Array, w: Array) -> Array:
    """``x @ w`` of matrices, or of as many of each; `dot` has the least to do before it starts."""
    lent = lend((*x.shape[:-1], w.shape[-1]), x.dtype)
    return x.dot(w, lent) if x.ndim == 2 else np.matmul(x, w, lent)


def _matmul_gradients(lend: Lend, g: Array, live: Live, x: Array, w: Array) -> tuple[Array | None, ...]:
    return (
        _product(lend, g, w.swapaxes(-1, -2)) if live[0] else None,
        _product(lend, x.swapaxes(-1, -2), g) if live[1] else None,
    )


def _add_bias(lend: Lend, x: Array, b: Array, axis: int) -> tuple[Array] | None:
    if not type(x) is type(b) is np.ndarray or x.dtype is not b.dtype or x.dtype not in _ZERO:
        return None
    if b.shape != x.shape[-1:] or not b.ndim or not x.size or axis not in (-1, x.ndim - 1):
        return None
    return (np.add(x, b, lend(x.shape, x.dtype)),)


def _add_bias_gradients(_: Lend, g: Array, live: Live) -> tuple[Array | None, ...]:
    return g, _column_sums(g.reshape(-1, g.shape[-1])) if live[1] else None


def _affine(lend: Lend, x: Array, w: Array, b: Array) -> Array | None:
    try:
        (n, d), (rows, h), (width,), dtype = x.shape, w.shape, b.shape, x.dtype
    except (AttributeError, ValueError):
        return None
    if d != rows or h != width or dtype is not w.dtype or dtype is not b.dtype or dtype not in _ZERO:
        return None
    z = x.dot(w, lend((n, h), dtype))
    return np.add(z, b, z)


def _dense(lend: Lend, x: Array, w: Array, b: Array) -> tuple[Array] | None:
    z = _affine(lend, x, w, b)
    return None if z is None else (z,)


def _dense_gradients(lend: Lend, g: Array, live: Live, x: Array, w: Array) -> tuple[Array | None, ...]:
    return (
        g.dot(w.T, lend((len(g), len(w)), g.dtype)) if live[0] else None,
        x.T.dot(g, lend((x.shape[1], g.shape[1]), g.dtype)) if live[1] else None,
        _column_sums(g) if live[2] else None,
    )


def _dense_relu(lend: Lend, x: Array, w: Array, b: Array) -> tuple[Array] | None:
    z = _affine(lend, x, w, b)
    return None if z is None else (np.maximum(z, _ZERO[z.dtype], out=z),)


def _dense_relu_gradients(
    lend: Lend, g: Array, spare: Array | None, live: Live, x: Array, w: Array, out: Array
) -> tuple[Array | None, ...]:
    slopes = _open(g, out, lend(g.shape, g.dtype) if spare is None else spare)
    return _dense_gradients(lend, slopes, live, x, w)


matmul.def_kernel(_matmul, _matmul_gradients)
add_bias.def_kernel(_add_bias, _add_bias_gradients)
dense.def_kernel(_dense, _dense_gradients)
dense_relu.def_kernel(_dense_relu, _dense_relu_gradients, overwrites=True)


# --- losses -----------------------------------------------------------------------------------------------------------


def _hinge(lend: Lend, pred: Array, true: Array) -> tuple[Any, Array] | None:
    if not _alike(pred, true) or not pred.size:
        return None
    margins = np.multiply(pred, true, lend(pred.shape, pred.dtype))
    np.subtract(_ONE[pred.dtype], margins, margins)
    np.maximum(margins, _ZERO[pred.dtype], out=margins)
    loss = float(_total(margins)) / len(pred)
    return (np.array(loss, pred.dtype), margins) if math.isfinite(loss) else None


def _hinge_gradients(lend: Lend, g: Array, live: Live, true: Array, margins: Array) -> tuple[Any, ...] | None:
    if live[1]:
        return None
    slopes = np.sign(margins, lend(margins.shape, margins.dtype))
    np.multiply(slopes, true, slopes)
    return np.multiply(slopes, float(g) / -len(true), slopes), None


def _mse(lend: Lend, pred: Array, true: Array) -> tuple[Any, Array] | None:
    if not _alike(pred, true) or not pred.size:
        return None
    errors = np.subtract(pred, true, lend(pred.shape, pred.dtype))
    flat = errors.reshape(-1)
    return np.array(float(flat.dot(flat)) / (2 * len(pred)), pred.dtype), errors


def _mse_gradients(lend: Lend, g: Array, live: Live, errors: Array) -> tuple[Any, ...]:
    n = len(errors)
    return tuple(
        np.multiply(errors, float(g) / side, lend(errors.shape, errors.dtype)) if needed else None
        for side, needed in zip((n, -n), live, strict=True)
    )


def _cross_entropy(lend: Lend, scores: Array, labels: Array) -> tuple[Any, Array, Array, Array] | None:
    if not type(scores) is type(labels) is np.ndarray or scores.dtype not in _ZERO or not _check_labels(scores, labels):
        return None
    (n, k), dtype = scores.shape, scores.dtype
    odds = _empty(lend, (k, n), dtype)  # classes in rows: sums over short rows are slow
    odds[...] = scores.T
    np.subtract(odds, np.maximum.reduce(odds, 0), odds)
    right = labels.astype(np.intp) * n + np.arange(n)  # where the scores of the right classes stand
    likelihood = float(_total(odds.reshape(-1).take(right)))
    np.exp(odds, odds)
    sums = _ones(k, dtype).dot(odds)
    loss = (float(_total(np.log(sums))) - likelihood) / n
    return (np.array(loss, dtype), odds, sums, right) if math.isfinite(loss) else None


def _cross_entropy_gradients(lend: Lend, g: Array, _: Live, odds: Array, sums: Array, right: Array) -> tuple[Any, None]:
    share = float(g) / sums.size
    slopes = np.multiply(odds, np.divide(share, sums), lend(odds.shape, odds.dtype))
    slopes.reshape(-1)[right] -= share
    return slopes.T, None


hinge.def_kernel(_hinge, _hinge_gradients, byproducts=("margins",))
cross_entropy.def_kernel(_cross_entropy, _cross_entropy_gradients, byproducts=("odds", "sums", "right"))
mse.def_kernel(_mse, _mse_gradients, byproducts=("errors",))


# --- images -----------------------------------------------------------------------------------------------------------

# The outputs of one pooling window all lie in one patch of the image. So patches are taken once per window, not once
# per output, and one product with the kernels at every place of the window gives all its outputs, one place after the
# other, the maximum of which is taken. Bias and relu grow with their input: after the maximum there is less of it.
# Without a pool the window is one output. Channels come first and images last in here: biases and products run along
# long rows, and all else along the images.


def _convolve(
    lend: Lend, x: Array, kernel: Array, pads: tuple[int, int], size: int
) -> tuple[Array, Array, Array] | None:
    """The outputs (size, size, o, h, w, n) at each place of each window, the patches, and the kernels as placed."""
    if not type(x) is type(kernel) is np.ndarray or x.dtype is not kernel.dtype or x.dtype not in _ZERO:
        return None
    (p, q), (n, c, height, width), (o, _, rows, columns), dtype = pads, x.shape, kernel.shape, x.dtype
    h, w = height + 2 * p - rows + 1, width + 2 * q - columns + 1
    if type(size) is not int or size < 1 or h % size or w % size or min(p, q) < 0 or not n * c * o:
        return None
    h, w, tall, wide = h // size, w // size, rows + size - 1, columns + size - 1
    padded = _zeros(lend, (c, height + 2 * p, width + 2 * q, n), dtype)
    padded[:, p : p + height, q : q + width] = x.transpose(1, 2, 3, 0)
    patches = _empty(lend, (c, tall, wide, h, w, n), dtype)
    for i, j in np.ndindex(tall, wide):
        patches[:, i, j] = padded[:, i : i + h * size : size, j : j + w * size : size]
    placed = np.zeros((size, size, o, c, tall, wide), dtype)
    for i, j in np.ndindex(size, size):
        placed[i, j, :, :, i : i + rows, j : j + columns] = kernel
    shape = (size * size * o, h * w * n)
    outputs = placed.reshape(shape[0], -1).dot(patches.reshape(-1, shape[1]), lend(shape, dtype))
    return outputs.reshape(size, size, o, h, w, n), patches, placed


def _convolve_gradients(
    lend: Lend,
    slopes: Array,
    live: Live,
    x_shape: tuple[int, ...],
    pads: tuple[int, int],
    patches: Array,
    placed: Array,
) -> tuple[Array | None, Array | None]:
    """The gradients by images and kernels, from those by the outputs (size, size, o, h, w, n)."""
    (size, _, o, h, w, n), (c, tall, wide, *_), dtype = slopes.shape, patches.shape, slopes.dtype
    matrix, count = slopes.reshape(-1, h * w * n), h * w * n
    x_gradient = kernel_gradient = None
    if live[1]:
        parts = matrix.dot(patches.reshape(-1, count).T).reshape(placed.shape)
        rows, columns = tall - size + 1, wide - size + 1
        kernel_gradient = np.zeros((o, c, rows, columns), dtype)
        for i, j in np.ndindex(size, size):
            kernel_gradient += parts[i, j, :, :, i : i + rows, j : j + columns]
    if live[0]:
        (p, q), (_, _, height, width) = pads, x_shape
        shape = (c * tall * wide, count)
        parts = placed.reshape(-1, shape[0]).T.dot(matrix, lend(shape, dtype)).reshape(patches.shape)
        padded = _zeros(lend, (c, height + 2 * p, width + 2 * q, n), dtype)
        for i, j in np.ndindex(tall, wide):
            padded[:, i : i + h * size : size, j : j + w * size : size] += parts[:, i, j]
        x_gradient = padded[:, p : p + height, q : q + width].transpose(3, 0, 1, 2)
    return x_gradient, kernel_gradient


def _conv2d(lend: Lend, x: Array, kernel: Array, padding: Any) -> tuple[Array, Array, Array] | None:
    found = _convolve(lend, x, kernel, _pads("conv2d", np.shape(x), np.shape(kernel), padding), 1)
    return found and (found[0][0, 0].transpose(3, 0, 1, 2), *found[1:])


def _conv2d_gradients(
    lend: Lend, g: Array, live: Live, x_shape: tuple[int, ...], padding: Any, patches: Array, placed: Array
) -> tuple[Array | None, ...]:
    slopes = np.ascontiguousarray(g.transpose(1, 2, 3, 0))[None, None]
    pads = _pads("conv2d", x_shape, placed.shape[2:], padding)
    return _convolve_gradients(lend, slopes, live, x_shape, pads, patches, placed)


def _conv_relu_pool(
    lend: Lend, x: Array, kernel: Array, b: Array, padding: Any, size: int
) -> tuple[Array, Array, Array, Array] | None:
    pads = _pads("conv2d_relu_pool", np.shape(x), np.shape(kernel), padding)
    if type(b) is not np.ndarray or b.shape != kernel.shape[:1] or b.dtype is not x.dtype:
        return None
    found = _convolve(lend, x, kernel, pads, size)
    if found is None:
        return None
    places, patches, placed = found
    out = np.maximum.reduce(places.reshape(-1, *places.shape[2:]), 0)
    first = _first_maxima(places, out)
    np.add(out, b[:, None, None, None], out)
    np.maximum(out, _ZERO[out.dtype], out=out)
    return out.transpose(3, 0, 1, 2), first.transpose(0, 1, 5, 2, 3, 4), patches, placed


def _conv_relu_pool_gradients(
    lend: Lend,
    g: Array,
    live: Live,
    out: Array,
    first: Array,
    x_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    padding: Any,
    patches: Array,
    placed: Array,
) -> tuple[Array | None, ...] | None:
    there = out.transpose(1, 2, 3, 0)
    slopes = _open(g.transpose(1, 2, 3, 0), there, _empty(lend, there.shape, g.dtype))
    sums = slopes.reshape(len(slopes), -1).sum(axis=1) if live[2] else None
    chosen = first.transpose(0, 1, 3, 4, 5, 2)
    slopes = np.multiply(chosen, slopes, _empty(lend, chosen.shape, g.dtype))
    pads = _pads("conv2d_relu_pool", x_shape, kernel_shape, padding)
    gradients = _convolve_gradients(lend, slopes, live, x_shape, pads, patches, placed)
    return *gradients, sums


conv2d.def_kernel(_conv2d, _conv2d_gradients, byproducts=("patches", "placed"))
conv2d_relu_pool.def_kernel(_conv_relu_pool, _conv_relu_pool_gradients, byproducts=("patches", "placed"))

"""Raw kernels of the hot few: what their forwards and rules say, on arrays, in as few passes over memory as can be.

Each works on native float32 or float64 alone, all of one dtype, and declines anything else by returning None. So does
it where its shortcut would not give what the rules give: where zeros of a mask were multiplied by infinities. See
`tinygrad_np.primitives.Kernel`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_np.buffers import Lend
from tinygrad_np.ops.linalg import dense, dense_relu
from tinygrad_np.ops.losses import hinge, mse
from tinygrad_np.values import Array

Live = tuple[bool, ...]
Dtype = np.dtype[Any]

FLOAT64, FLOAT32 = np.dtype(np.float64), np.dtype(np.float32)
_ZERO = {dtype: np.array(0, dtype) for dtype in (FLOAT64, FLOAT32)}  # ufuncs take 0-d arrays faster than numbers
_ONE = {dtype: np.array(1, dtype) for dtype in (FLOAT64, FLOAT32)}


@lru_cache(maxsize=8)
def _ones(n: int, dtype: Dtype) -> Array:
    return np.ones(n, dtype)


def _column_sums(x: Array) -> Array:
    """``x.sum(axis=0)`` of a matrix, as a product, which is several times faster."""
    sums: Array = _ones(len(x), x.dtype).dot(x) if len(x) <= 1 << 16 else x.sum(axis=0)
    return sums


def _total(x: Array) -> Any:
    """``x.sum()``, likewise."""
    return _ones(x.size, x.dtype).dot(x.reshape(-1)) if x.size <= 1 << 16 else x.sum()


# --- dense ------------------------------------------------------------------------------------------------------------


def _dense(lend: Lend, x: Array, w: Array, b: Array) -> tuple[Array] | None:
    try:
        (n, d), (rows, h), (width,), dtype = x.shape, w.shape, b.shape, x.dtype
    except (AttributeError, ValueError):
        return None
    if d != rows or h != width or dtype is not w.dtype or dtype is not b.dtype or dtype not in _ZERO:
        return None
    z = x.dot(w, lend((n, h), dtype))
    return (np.add(z, b, z),)


def _dense_gradients(lend: Lend, g: Array, live: Live, x: Array, w: Array) -> tuple[Array | None, ...]:
    x_live, w_live, b_live = live
    return (
        g.dot(w.T, lend(x.shape, g.dtype)) if x_live else None,
        x.T.dot(g, lend(w.shape, g.dtype)) if w_live else None,
        _column_sums(g) if b_live else None,
    )


def _dense_relu(lend: Lend, x: Array, w: Array, b: Array) -> tuple[Array] | None:
    results = _dense(lend, x, w, b)
    if results is not None:
        (z,) = results
        np.maximum(z, _ZERO[z.dtype], out=z)
    return results


def _dense_relu_gradients(
    lend: Lend, g: Array, spare: Array | None, live: Live, x: Array, w: Array, out: Array
) -> tuple[Array | None, ...] | None:
    mask = np.greater(out, _ZERO[g.dtype])
    g = np.multiply(g, mask, lend(g.shape, g.dtype) if spare is None else spare)
    sums = _column_sums(g)
    if (square := float(sums.dot(sums))) != square:  # NaN: the rules see to it, and g may be masked already
        return None
    x_gradient, w_gradient, _ = _dense_gradients(lend, g, (*live[:2], False), x, w)
    return x_gradient, w_gradient, sums if live[2] else None


dense.def_kernel(_dense, _dense_gradients)
dense_relu.def_kernel(_dense_relu, _dense_relu_gradients, overwrites=True)


# --- losses -----------------------------------------------------------------------------------------------------------


def _alike(x: Array, y: Array) -> bool:
    """Whether both are arrays of one shape with rows, and of one native float dtype."""
    return type(x) is type(y) is np.ndarray and x.shape == y.shape != () and x.size > 0 and x.dtype is y.dtype in _ZERO


def _hinge(lend: Lend, pred: Array, true: Array) -> tuple[Any, Array] | None:
    if not _alike(pred, true):
        return None
    margins = np.multiply(pred, true, lend(pred.shape, pred.dtype))
    np.subtract(_ONE[pred.dtype], margins, margins)
    np.maximum(margins, _ZERO[pred.dtype], out=margins)
    loss = float(_total(margins)) / len(pred)
    return (np.array(loss, pred.dtype), margins) if loss - loss == 0 else None


def _hinge_gradients(lend: Lend, g: Array, live: Live, true: Array, margins: Array) -> tuple[Any, ...] | None:
    if live[1]:
        return None
    slopes = np.sign(margins, lend(margins.shape, margins.dtype))
    np.multiply(slopes, true, slopes)
    return np.multiply(slopes, float(g) / -len(true), slopes), None


def _mse(lend: Lend, pred: Array, true: Array) -> tuple[Any, Array] | None:
    if not _alike(pred, true):
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


hinge.def_kernel(_hinge, _hinge_gradients, byproducts=("margins",))
mse.def_kernel(_mse, _mse_gradients, byproducts=("errors",))

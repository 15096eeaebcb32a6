"""Images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import ShapeError
from tinygrad_np.facts.choices import Choices
from tinygrad_np.facts.common import Convention, Facts, Refused, Shapes, Trial, anywhere, distinct
from tinygrad_np.values import Array


def off_ties(rng: Generator, shapes: Shapes) -> list[Array]:
    """Images, kernels and biases for which a pool of size 1 or 2 of relu has one clear maximum a window, or none."""
    x, kernel, b = anywhere(rng, shapes)
    rows, columns = kernel.shape[2:]
    for _ in range(2000):
        clear = []
        for padding in {(rows // 2, columns // 2), (rows - 1, columns // 2)}:
            z = np.maximum(correlation(x, kernel, padding) + b[:, None, None], 0)
            clear += [abs(correlation(x, kernel, padding) + b[:, None, None]).min(initial=1) > 0.03]
            if z.shape[2] % 2 == z.shape[3] % 2 == 0:
                split = z.reshape(*z.shape[:2], z.shape[2] // 2, 2, z.shape[3] // 2, 2).swapaxes(3, 4)
                *_, second, first = np.moveaxis(np.sort(split.reshape(*split.shape[:4], 4)), -1, 0)
                clear += [((first == 0) | (first - second > 0.03)).all()]
        if all(clear):
            return [x, kernel, b]
        x, kernel, b = anywhere(rng, shapes)
    raise AssertionError("no point off the kinks was found")


def convolutions(some: Choices) -> Trial:
    """Images, kernels, and any padding with which the kernels fit."""
    n, c, o = some.integer(0, 2), some.integer(1, 2), some.integer(1, 2)
    h, w, a, b = some.shape((4, 4), (1, 5))
    paddings: list[Any] = [(a // 2, b // 2), (a - 1, b), (a, b - 1)]  # a kernel may be larger than the image
    if a % 2 and b % 2:
        paddings.append("same")
    if a <= h and b <= w:
        paddings.append("valid")
        paddings += [(-1, 0)] if a + 2 <= h else []
    fits = [p for p in paddings if isinstance(p, str) or (h + 2 * p[0] >= a and w + 2 * p[1] >= b)]
    return Trial(((n, c, h, w), (o, c, a, b)), (some.pick(fits),))


def pools(some: Choices) -> Trial:
    """Images whose sides the size of the pool divides."""
    size, h, w = some.integer(1, 3), some.integer(0, 2), some.integer(0, 2)
    return Trial(((*some.shape((0, 2), (0, 2)), size * h, size * w),), (size,))


def pooled_convolutions(some: Choices) -> Trial:
    """Images, kernels and biases with results whose sides the size of the pool divides."""
    size, h, w = some.shape((3, 3), (1, 2))
    n, c, o = some.integer(0, 2), some.integer(1, 2), some.integer(1, 2)
    a, b = some.pick([1, 3]), some.pick([1, 3])
    rows = size * h - (a - 1)
    paddings: list[Any] = ["same", (a - 1, b // 2)]
    padding = some.pick(paddings) if rows > 0 else "same"
    return Trial(((n, c, size * h if padding == "same" else rows, size * w), (o, c, a, b), (o,)), (padding, size))


def correlation(x: Array, kernel: Array, padding: Any) -> Array:
    """The definition of conv2d, loop by loop."""
    (n, _, h, w), (o, _, a, b) = x.shape, kernel.shape
    p, q = {"same": (a // 2, b // 2), "valid": (0, 0)}.get(padding, padding)
    out: Array = np.zeros((n, o, h + 2 * p - a + 1, w + 2 * q - b + 1), np.result_type(x, kernel))
    for i, j in np.ndindex(*out.shape[2:]):
        for s, t in np.ndindex(a, b):
            if 0 <= i + s - p < h and 0 <= j + t - q < w:
                out[:, :, i, j] += x[:, :, i + s - p, j + t - q] @ kernel[:, :, s, t].T
    return out


def pooled(x: Array, size: int) -> Array:
    """The definition of max_pool2d, window by window."""
    h, w = x.shape[-2] // size, x.shape[-1] // size
    out: Array = np.empty((*x.shape[:-2], h, w), x.dtype)
    for i, j in np.ndindex(h, w):
        out[..., i, j] = x[..., i * size : (i + 1) * size, j * size : (j + 1) * size].max(axis=(-2, -1))
    return out


def conv_relu_pooled(x: Array, kernel: Array, b: Array, padding: Any, size: int) -> Array:
    """The definition of conv2d_relu_pool, step by step."""
    return pooled(np.maximum(correlation(x, kernel, padding) + b[:, None, None], 0), size)


FACTS: dict[object, Facts] = {
    # images
    tg.conv2d: Facts(
        correlation,
        convolutions,
        base=Trial(((2, 2, 4, 5), (3, 2, 3, 3)), ("same",)),
        scalar=Refused(ShapeError, ((), ())),
        empty=Trial(((0, 1, 4, 4), (1, 1, 3, 3)), ("valid",)),
        broadcast=Refused(ShapeError, ((1, 2, 3, 3), (1, 1, 3, 3))),
        analytic=True,
        refusals=[
            ((np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))), ShapeError, "'same' expects a kernel with odd sides"),
            ((np.ones((1, 1, 3, 3)), np.ones((1, 1, 5, 5)), "valid"), ShapeError, "a kernel that fits"),
            ((np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)), "full"), ValueError, "'same', 'valid' or two integers"),
            ((np.ones((1, 2, 3, 3)), np.ones((1, 1, 3, 3))), ShapeError, "conv2d: expected x of shape"),
        ],
    ),
    tg.conv2d_relu_pool: Facts(
        conv_relu_pooled,
        pooled_convolutions,
        base=Trial(((2, 2, 4, 4), (2, 2, 3, 3), (2,)), ("same", 2)),
        scalar=Refused(ShapeError, ((), (), ())),
        empty=Trial(((0, 1, 4, 4), (1, 1, 3, 3), (1,)), ("same", 2)),
        broadcast=Refused(ShapeError, ((1, 2, 4, 4), (2, 2, 3, 3), (1,))),
        draw=off_ties,
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(
                ([[[[1.0, 2.0], [2.0, 0.0]]]], [[[[1.0]]]], [0.0]),
                ([[[[0.0, 1.0], [0.0, 0.0]]]], [[[[2.0]]]], [1.0]),
                ("same", 2),
            ),
            Convention(
                (np.zeros((1, 1, 2, 2)), np.ones((1, 1, 1, 1)), [0.0]), (np.zeros((1, 1, 2, 2)), [[[[0.0]]]], [0.0])
            ),
        ],
        refusals=[
            ((np.ones((1, 1, 3, 4)), np.ones((1, 1, 3, 3)), np.ones(1)), ShapeError, "conv2d_relu_pool: .* 2 divides"),
        ],
    ),
    tg.max_pool2d: Facts(
        pooled,
        pools,
        base=Trial(((2, 1, 4, 6),), (2,)),
        scalar=Refused(ShapeError, ((),)),
        empty=Trial(((0, 1, 4, 4),), (2,)),
        broadcast=Trial(((2, 4),), (1,)),
        draw=distinct,
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(([[1.0, 2.0], [2.0, 0.0]],), ([[0.0, 1.0], [0.0, 0.0]],)),
            Convention((np.zeros((2, 4)),), ([[1.0, 0, 1, 0], [0, 0, 0, 0]],)),
        ],
        refusals=[
            ((np.ones((3, 4)),), ShapeError, r"max_pool2d: expected x of shape .* 2 divides, got \(3, 4\)"),
            ((np.ones((4, 4)), 0), ValueError, "a positive integer as size, got 0"),
        ],
    ),
}

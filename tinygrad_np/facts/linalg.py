"""Products of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import ShapeError
from tinygrad_np.facts.choices import Choices
from tinygrad_np.facts.common import Convention, Facts, Refused, Shapes, Trial, anywhere, biases
from tinygrad_np.values import Array


def off_hinge(rng: Generator, shapes: Shapes) -> list[Array]:
    """x, w, b with no entry of ``x @ w + b`` near 0: the rows of x are alike, and b moves each column off it."""
    x, w, b = anywhere(rng, shapes)
    x[...] = x[:1] if len(x) else 0.0
    total = (x @ w)[0] if len(x) else np.zeros(b.shape)
    return [x, w, rng.uniform(0.3, 2, b.shape) * rng.choice([-1, 1], b.shape) - total]


def products(some: Choices) -> Trial:
    """Matrices in batches that broadcast, a vector and matrices, or two vectors."""
    n, d, h = some.shape((3, 3))
    if some.flag():
        ahead, behind = some.together(2, dims=2, sides=(0, 3))
        return Trial(((*ahead, n, d), (*behind, d, h)))
    batch = some.shape((0, 2), (1, 3))
    row, column = ((d,), (*batch, d, h)), ((*batch, n, d), (d,))
    return Trial(some.pick([row, column, ((d,), (d,))]))


def layers(some: Choices) -> Trial:
    """Inputs, weights and biases."""
    n, d, h = some.shape((3, 3))
    return Trial(((n, d), (d, h), (h,)))


def biased(x: Array, b: Array, axis: int) -> Array:
    """The definition of add_bias."""
    return np.moveaxis(np.moveaxis(x, axis, -1) + b, -1, axis)


def affine(reference: Callable[..., Any], name: str, draw: Any = anywhere, **facts: Any) -> Facts:
    """A product of matrices and a bias."""
    return Facts(
        reference,
        layers,
        base=Trial(((2, 3), (3, 4), (4,))),
        scalar=Refused(ShapeError, ((), (), ())),
        empty=Trial(((0, 3), (3, 4), (4,))),
        broadcast=Refused(ShapeError, ((2, 3), (3, 4), (1,))),
        draw=draw,
        refusals=[((np.ones((2, 3)), np.ones((4, 3)), np.ones(3)), ShapeError, f"{name}: expected x .n, d., w .d, h.")],
        **facts,
    )


FACTS: dict[object, Facts] = {
    # products
    tg.matmul: Facts(
        np.matmul,
        products,
        base=Trial(((2, 3), (3, 4))),
        scalar=Refused(ShapeError, ((), ())),
        empty=Trial(((0, 3), (3, 4))),
        broadcast=Trial(((2, 1, 2, 3), (4, 3, 2))),
        analytic=True,
        refusals=[((np.ones((2, 3)), np.ones((2, 3))), ShapeError, r"matmul: expected x .* got \(2, 3\) and \(2, 3\)")],
    ),
    tg.add_bias: Facts(
        biased,
        biases,
        base=Trial(((2, 3), (3,)), (-1,)),
        scalar=Refused(ShapeError, ((), ())),
        empty=Trial(((0, 3), (3,)), (-1,)),
        broadcast=Refused(ShapeError, ((2, 3), (1,))),
        analytic=True,
        refusals=[
            ((np.ones((2, 3)), np.ones(2)), ShapeError, r"add_bias: expected b of shape \(h,\)"),
            ((np.ones((2, 3)), np.float64(1), 5), ShapeError, "add_bias: expected b"),
        ],
    ),
    tg.dense: affine(lambda x, w, b: x @ w + b, "dense", analytic=True),
    tg.dense_relu: affine(
        lambda x, w, b: np.maximum(x @ w + b, 0),
        "dense_relu",
        draw=off_hinge,
        zeros="kink",
        conventions=[Convention(([[1.0]], [[2.0, 1.0]], [-2.0, 1.0]), ([[1.0]], [[0.0, 1.0]], [0.0, 1.0]))],
    ),
}

"""Losses."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import ArgumentError, ShapeError
from tinygrad_np.facts.choices import Choices
from tinygrad_np.facts.common import FULL, Convention, Facts, Refused, Shapes, Trial, softmaxed
from tinygrad_np.values import Array


def scores_and_probabilities(rng: Generator, shapes: Shapes) -> list[Array]:
    """Scores, and rows of probabilities."""
    return [rng.uniform(-3, 3, shapes[0]), *(rng.dirichlet(np.ones(shape[-1]), shape[0]) for shape in shapes[1:])]


def off_margin(rng: Generator, shapes: Shapes) -> list[Array]:
    """Predictions and signs with no margin near 1."""
    true = rng.choice([-1.0, 1.0], shapes[1])
    margin = rng.uniform(0.2, 2, shapes[0]) * rng.choice([-1, 1], shapes[0])
    return [(1 - margin) * (true if shapes[0] == shapes[1] else 1.0), true]


def rows(some: Choices) -> Trial:
    """Predictions, and what is true, of one shape."""
    shape = some.shape((1, 2), FULL)
    return Trial((shape, shape))


def tables(some: Choices) -> Trial:
    """Scores and probabilities of classes."""
    shape = some.shape((2, 2), FULL)
    return Trial((shape, shape))


def weights(some: Choices) -> Trial:
    """One to three arrays, and how much they decay."""
    return Trial(tuple(some.shape() for _ in range(some.integer(1, 3))), (0.3,))


FACTS: dict[object, Facts] = {
    # losses
    tg.hinge: Facts(
        lambda pred, true: np.maximum(0, 1 - pred * true).sum() / len(pred),
        rows,
        base=Trial(((3, 2), (3, 2))),
        scalar=Refused(ShapeError, ((), ())),
        empty=Refused(ShapeError, ((0, 3), (0, 3))),
        broadcast=Refused(ShapeError, ((3, 2), (3, 1))),
        draw=off_margin,
        conventions=[
            Convention(([1.0, 0.5, 2.0], [1.0, 1.0, 1.0]), ([0.0, -1 / 3, 0.0], [0.0, -0.5 / 3, 0.0])),
            Convention(([-1.0, 1.0], [-1.0, -1.0]), ([0.0, 0.5], [0.0, -0.5])),
        ],
        refusals=[((np.ones(3), np.ones((3, 1))), ShapeError, r"hinge: .* got \(3,\) and \(3, 1\)")],
    ),
    tg.mse: Facts(
        lambda pred, true: ((pred - true) ** 2).sum() / (2 * len(pred)),
        rows,
        base=Trial(((3, 2), (3, 2))),
        scalar=Refused(ShapeError, ((), ())),
        empty=Refused(ShapeError, ((0, 3), (0, 3))),
        broadcast=Refused(ShapeError, ((3, 2), (3, 1))),
        refusals=[((np.ones(3), np.ones((3, 1))), ShapeError, r"mse: .* got \(3,\) and \(3, 1\)")],
    ),
    tg.cross_entropy: Facts(
        lambda scores, truth: -(truth * np.log(softmaxed(scores, 1))).sum() / len(scores),
        tables,
        base=Trial(((3, 4), (3, 4))),
        scalar=Refused(ShapeError, ((), ())),
        empty=Refused(ShapeError, ((0, 3), (0, 3))),
        broadcast=Refused(ShapeError, ((3, 2), (3, 1))),
        draw=scores_and_probabilities,
        conventions=[
            Convention(([[0.0, 1000.0], [0.0, 0.0]], [1, 0]), ([[0.0, 0.0], [-0.25, 0.25]], None)),
            Convention(([[0.0, -np.inf], [0.0, 0.0]], [0, 0]), ([[0.0, 0.0], [-0.25, 0.25]], None)),
            Convention(([[0.0, 1000.0], [0.0, 0.0]], [[0, 1], [1, 0]]), ([[0.0, 0.0], [-0.25, 0.25]], None)),
        ],
        refusals=[
            ((np.ones((2, 3)), np.array([0, 3])), ValueError, "class numbers from 0 to 2, got 0 to 3"),
            ((np.ones((2, 3)), np.array([0.0, 1.0])), TypeError, "class numbers of an integer dtype, got float64"),
            ((np.ones((2, 3)), np.zeros((2, 1), int)), ShapeError, "cross_entropy: expected scores"),
        ],
    ),
    tg.l2: Facts(
        lambda *weights_and_decay: (
            weights_and_decay[-1] * 0.5 * np.concatenate([w.reshape(-1) ** 2 for w in weights_and_decay[:-1]]).sum()
        ),
        weights,
        base=Trial(((2, 3), (3,)), (0.01,)),
        scalar=Trial(((), ()), (2.0,)),
        empty=Trial(((0, 3),), (0.01,)),
        broadcast=Trial(((2, 3), (3,)), (0.01,)),
        refusals=[(([[1.0, 2.0]],), ArgumentError, "l2: expected arguments .weights, weight_decay.")],
    ),
}

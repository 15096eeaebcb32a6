"""Losses."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import SHAPES, Case, Convention, Refused, Trial, anywhere, softmaxed
from tinygrad_np.errors import ArgumentError, ShapeError


def scores_and_probabilities(rng, shapes):
    return [rng.uniform(-3, 3, shapes[0]), *(rng.dirichlet(np.ones(shape[-1]), shape[0]) for shape in shapes[1:])]


def off_margin(rng, shapes):
    """Predictions and signs with no margin near 1."""
    true = rng.choice([-1.0, 1.0], shapes[1])
    margin = rng.uniform(0.2, 2, shapes[0]) * rng.choice([-1, 1], shapes[0])
    return [(1 - margin) * (true if shapes[0] == shapes[1] else 1.0), true]


ROWS = hnp.array_shapes(min_dims=1, max_dims=2, max_side=4).map(lambda shape: Trial((shape, shape)))


CASES = {
    # losses
    tg.hinge: Case(
        lambda pred, true: np.maximum(0, 1 - pred * true).sum() / len(pred),
        ROWS,
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
    tg.mse: Case(
        lambda pred, true: ((pred - true) ** 2).sum() / (2 * len(pred)),
        ROWS,
        base=Trial(((3, 2), (3, 2))),
        scalar=Refused(ShapeError, ((), ())),
        empty=Refused(ShapeError, ((0, 3), (0, 3))),
        broadcast=Refused(ShapeError, ((3, 2), (3, 1))),
        draw=anywhere,
        refusals=[((np.ones(3), np.ones((3, 1))), ShapeError, r"mse: .* got \(3,\) and \(3, 1\)")],
    ),
    tg.cross_entropy: Case(
        lambda scores, truth: -(truth * np.log(softmaxed(scores, 1))).sum() / len(scores),
        st.tuples(st.integers(1, 4), st.integers(1, 4)).map(lambda shape: Trial((shape, shape))),
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
    tg.l2: Case(
        lambda *weights_and_decay: (
            weights_and_decay[-1] * 0.5 * np.concatenate([w.reshape(-1) ** 2 for w in weights_and_decay[:-1]]).sum()
        ),
        st.lists(SHAPES, min_size=1, max_size=3).map(lambda shapes: Trial(tuple(shapes), (0.3,))),
        base=Trial(((2, 3), (3,)), (0.01,)),
        scalar=Trial(((), ()), (2.0,)),
        empty=Trial(((0, 3),), (0.01,)),
        broadcast=Trial(((2, 3), (3,)), (0.01,)),
        draw=anywhere,
        refusals=[(([[1.0, 2.0]],), ArgumentError, "l2: expected arguments .weights, weight_decay.")],
    ),
}

"""Questions with the answers yes and no."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import ShapeError
from tinygrad_np.facts.common import Facts, Shapes, Trial, entrywise, unary
from tinygrad_np.values import Array


def with_ends(rng: Generator, shapes: Shapes) -> list[Array]:
    """All kinds of numbers."""
    return [rng.choice([0.0, -0.0, 1.5, -2.0, np.nan, np.inf, -np.inf], shape) for shape in shapes]


def close_by(rng: Generator, shapes: Shapes) -> list[Array]:
    """Small whole numbers, changed a little."""
    return [rng.integers(-1, 2, shape) * (1 + rng.choice([0, 1e-9, 1e-3], shape)) for shape in shapes]


FACTS: dict[object, Facts] = {
    tg.logical_not: unary(np.logical_not, with_ends),
    tg.logical_and: entrywise(np.logical_and, draw=with_ends),
    tg.logical_or: entrywise(np.logical_or, draw=with_ends),
    tg.logical_xor: entrywise(np.logical_xor, draw=with_ends),
    tg.equal: entrywise(np.equal, draw=with_ends),
    tg.not_equal: entrywise(np.not_equal, draw=with_ends),
    tg.greater: entrywise(np.greater, draw=with_ends),
    tg.greater_equal: entrywise(np.greater_equal, draw=with_ends),
    tg.less: entrywise(np.less, draw=with_ends),
    tg.less_equal: entrywise(np.less_equal, draw=with_ends),
    tg.isclose: entrywise(
        np.isclose,
        draw=close_by,
        more=[
            Trial(((2, 3), (2, 3)), (1e-2,)),
            Trial(((2, 3), (2, 3), (3,), ())),
            Trial(((4, 4), (4, 4)), (), {"rtol": 0.0, "atol": 1e-2, "equal_nan": True}),
        ],
        refusals=[(([1.0, 2.0], [1.0, 2.0, 3.0]), ShapeError, "isclose: ")],
    ),
    tg.isnan: unary(np.isnan, with_ends),
    tg.isfinite: unary(np.isfinite, with_ends),
    tg.isinf: unary(np.isinf, with_ends),
    tg.isposinf: unary(np.isposinf, with_ends),
    tg.isneginf: unary(np.isneginf, with_ends),
    tg.signbit: unary(np.signbit, with_ends),
}

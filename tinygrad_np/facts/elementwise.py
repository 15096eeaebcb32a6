"""Functions of one entry at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import ArgumentError, DtypeError, RangeError, ShapeError
from tinygrad_np.facts.common import (
    HALVES,
    Convention,
    Facts,
    Shapes,
    Trial,
    anywhere,
    distinct,
    entrywise,
    off_zero,
    positive,
    unary,
)
from tinygrad_np.ops.elementwise import _fraction
from tinygrad_np.values import Array


def denominator_off_zero(rng: Generator, shapes: Shapes) -> list[Array]:
    """Numerators anywhere, and denominators off zero."""
    return anywhere(rng, shapes[:1]) + off_zero(rng, shapes[1:])


def base_positive(rng: Generator, shapes: Shapes) -> list[Array]:
    """Positive bases, and exponents anywhere."""
    return positive(rng, shapes[:1]) + anywhere(rng, shapes[1:])


def condition_first(rng: Generator, shapes: Shapes) -> list[Array]:
    """Bools, then numbers."""
    return [rng.random(shapes[0]) < 0.5, *anywhere(rng, shapes[1:])]


def condition_last(rng: Generator, shapes: Shapes) -> list[Array]:
    """Numbers, then bools."""
    return [*anywhere(rng, shapes[:-1]), rng.random(shapes[-1]) < 0.5]


def exponent_last(rng: Generator, shapes: Shapes) -> list[Array]:
    """Numbers, then whole exponents."""
    return [*anywhere(rng, shapes[:-1]), rng.integers(-3, 4, shapes[-1])]


def between_steps(rng: Generator, shapes: Shapes) -> list[Array]:
    """Off the tenths, and off what lies half way between them."""
    return [rng.integers(-20, 20, shape) * 0.1 + rng.uniform(0.01, 0.04, shape) for shape in shapes]


def uneven(rng: Generator, shapes: Shapes) -> list[Array]:
    """Numerators, and denominators that do not go into any of them."""
    return [
        rng.integers(-6, 7, shapes[0]) * 0.5 + rng.uniform(0.1, 0.4, shapes[0]),
        rng.choice([-1, -0.5, 0.5, 1], shapes[1]),
    ]


def step(reference: Callable[..., Any], **facts: Any) -> Facts:
    """A function that is constant between steps."""
    flat = Convention(([-1.5, -0.0, 0.0, 0.5, 2.0],), ([0.0] * 5,))
    return unary(reference, between_steps, zeros="kink", conventions=[flat], **facts)


ENDS = [  # of logaddexp and logaddexp2
    Convention(
        ([1e4, -1e4, -np.inf, 1.0, -np.inf], [-1e4, 1e4, 1.0, -np.inf, -np.inf]),
        ([1.0, 0.0, 0.0, 1.0, 0.5], [0.0, 1.0, 1.0, 0.0, 0.5]),
    ),
    Convention(([np.inf, np.inf], [np.inf, 1.0]), ([0.5, 1.0], [0.5, 0.0])),
]


def masked(rng: Generator, shapes: Shapes) -> list[Array]:
    """A mask of bools, or of numbers, which then has a gradient too."""
    x, mask = condition_last(rng, shapes)
    return [x, mask + 0.0 if rng.random() < 0.5 else mask]


FACTS: dict[object, Facts] = {
    # gates
    tg.keep_where: entrywise(lambda x, c: np.where(c, x, 0), draw=condition_last, analytic=True),
    tg.relu: unary(
        lambda x: np.maximum(x, 0),
        off_zero,
        zeros="kink",
        conventions=[Convention(([-0.0, 0.0, 1.0, -1.0],), ([0.0, 0.0, 1.0, 0.0],))],
    ),
    tg.where: entrywise(
        np.where,
        3,
        condition_first,
        analytic=True,
        refusals=[(([True, False],), ArgumentError, r"where: .*nonzero\(condition\)")],
    ),
    tg.dropout_mask: entrywise(np.multiply, draw=masked, analytic=True),
    # steps
    tg.sign: step(np.sign),
    tg.floor: step(np.floor),
    tg.ceil: step(np.ceil),
    tg.rint: step(np.rint),
    tg.trunc: step(np.trunc),
    tg.fix: step(np.fix),
    tg.round: step(np.round, more=[Trial(((2, 3),), (1,)), Trial(((2, 3),), (), {"decimals": -1})]),
    tg.heaviside: entrywise(
        np.heaviside,
        draw=distinct,
        zeros="kink",
        conventions=[Convention(([-0.0, 1.0, -1.0], [0.5, 0.5, 0.5]), ([0.0] * 3, [1.0, 0.0, 0.0]))],
    ),
    # exponentials and their kin
    tg.exp: unary(np.exp, analytic=True),
    tg.log: unary(np.log, positive, analytic=True, zeros="pole"),
    tg.sqrt: unary(np.sqrt, positive, analytic=True, zeros="pole", conventions=[Convention(([4.0],), ([0.25],))]),
    tg.tanh: unary(np.tanh, analytic=True, conventions=[Convention(([800.0, -800.0],), ([0.0, 0.0],))]),
    tg.sigmoid: unary(
        lambda x: 1 / (1 + np.exp(-x)), conventions=[Convention(([800.0, -800.0, 0.0],), ([0.0, 0.0, 0.25],))]
    ),
    tg.logaddexp: entrywise(np.logaddexp, conventions=ENDS),
    tg.logaddexp2: entrywise(np.logaddexp2, conventions=ENDS),
    # arithmetic
    tg.add: entrywise(
        np.add,
        analytic=True,
        refusals=[(([1.0, 2.0], [1.0, 2.0, 3.0]), ShapeError, r"add: .*got float64 \(2,\), float64 \(3,\)")],
    ),
    tg.subtract: entrywise(np.subtract, analytic=True),
    tg.multiply: entrywise(np.multiply, analytic=True),
    tg.divide: entrywise(np.divide, draw=denominator_off_zero, analytic=True, zeros="pole"),
    tg.power: entrywise(
        np.power,
        draw=base_positive,
        analytic=True,
        zeros="pole",
        conventions=[
            Convention(([0.0, 0.0, 3.0], [0.0, 2.0, 0.0]), ([0.0, 0.0, 0.0], [0.0, 0.0, np.log(3.0)])),
            Convention(([-2.0], 3), ([12.0], None)),
            Convention(([0.0, 0.0, np.inf], [2.0, 0.5, -2.0]), (None, [0.0, 0.0, 0.0])),
            Convention((0.0, [0.0, 2.0]), (None, [0.0, 0.0])),
        ],
        refusals=[(([2, 3], [-1, 2]), RangeError, "power: expected exponents of at least 0 for integers")],
    ),
    tg.float_power: entrywise(
        np.float_power,
        draw=base_positive,
        zeros="pole",
        conventions=[
            Convention(([0.0, 0.0, 3.0], [0.0, 2.0, 0.0]), ([0.0, 0.0, 0.0], [0.0, 0.0, np.log(3.0)])),
            Convention(([-2.0, 2.0], [3, -1]), ([12.0, -0.25], None)),
        ],
    ),
    tg.positive: unary(np.positive, analytic=True),
    tg.negative: unary(np.negative, analytic=True),
    tg.absolute: unary(
        np.absolute, off_zero, zeros="kink", conventions=[Convention(([-0.0, 0.0, -3.0],), ([0.0, 0.0, -1.0],))]
    ),
    tg.fabs: unary(
        np.fabs, off_zero, zeros="kink", conventions=[Convention(([-0.0, 0.0, -3.0],), ([0.0, 0.0, -1.0],))]
    ),
    # division with a remainder
    tg.floor_divide: entrywise(
        np.floor_divide,
        draw=uneven,
        zeros="pole",
        ties="kink",
        conventions=[Convention(([4.0, -7.0], [2.0, 2.0]), ([0.0, 0.0], [0.0, 0.0]))],
    ),
    tg.remainder: entrywise(
        np.remainder,
        draw=uneven,
        zeros="pole",
        ties="kink",
        conventions=[Convention(([4.0, -7.0, 1.0, 1.0], [2.0, 2.0, np.inf, 0.1]), ([1.0] * 4, [-2.0, 4.0, 0.0, -9.0]))],
    ),
    tg.fmod: entrywise(
        np.fmod,
        draw=uneven,
        zeros="pole",
        ties="kink",
        conventions=[
            Convention(([4.0, -7.0, 1.0], [2.0, 2.0, np.inf]), ([1.0, 1.0, 1.0], [-2.0, 3.0, 0.0])),
            Convention(
                ([1.0], [0.1]), ([1.0], [-9.0])
            ),  # 0.1 is a little more than a tenth, but 1 / 0.1 is rounded to 10
        ],
    ),
    tg.divmod: entrywise(
        np.divmod,
        draw=uneven,
        zeros="pole",
        ties="kink",
        conventions=[Convention(([4.0, -7.0], [2.0, 2.0]), ([1.0, 1.0], [-2.0, 4.0]))],
    ),
    _fraction: unary(lambda x: np.modf(x)[0], between_steps),
    tg.modf: unary(
        np.modf, between_steps, conventions=[Convention(([-1.0, 0.0, 2.0, np.inf],), ([1.0, 1.0, 1.0, 1.0],))]
    ),
    # signs, powers of two, and the plane
    tg.copysign: entrywise(
        np.copysign,
        draw=distinct,
        zeros="kink",
        conventions=[
            Convention(([0.0, -0.0, 2.0, -2.0], [-1.0, 1.0, -0.0, -3.0]), ([0.0, 0.0, -1.0, 1.0], [0.0] * 4)),
        ],
    ),
    tg.ldexp: entrywise(
        np.ldexp,
        draw=exponent_last,
        refusals=[(([1.0], [0.5]), DtypeError, "ldexp: ")],
    ),
    tg.hypot: entrywise(
        np.hypot,
        draw=off_zero,
        zeros="kink",
        conventions=[
            Convention(
                ([0.0, -0.0, 3e200, -3e-200, -np.inf, 1.0, np.inf], [0.0, 0.0, 4e200, 4e-200, 1.0, np.inf, np.inf]),
                ([0.0, 0.0, 0.6, -0.6, -1.0, 0.0, 1.0], [0.0, 0.0, 0.8, 0.8, 0.0, 1.0, 1.0]),
            ),
        ],
    ),
    tg.arctan2: entrywise(
        np.arctan2,
        draw=off_zero,
        zeros="kink",
        conventions=[
            Convention(
                ([0.0, -0.0, 3e200, 1.0, np.inf, 0.0], [0.0, -0.0, 4e200, np.inf, -np.inf, -2.0]),
                ([0.0, 0.0, 1.6e-201, 0.0, 0.0, -0.5], [0.0, 0.0, -1.2e-201, 0.0, 0.0, 0.0]),
            ),
        ],
    ),
    # the larger and the smaller
    tg.maximum: entrywise(
        np.maximum,
        draw=distinct,
        zeros="kink",
        ties="kink",
        conventions=[Convention(([3.0, 0.0], [3.0, -0.0]), HALVES)],
    ),
    tg.minimum: entrywise(
        np.minimum,
        draw=distinct,
        zeros="kink",
        ties="kink",
        conventions=[Convention(([3.0, 0.0], [3.0, -0.0]), HALVES)],
    ),
    tg.fmax: entrywise(
        np.fmax,
        draw=distinct,
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(([3.0, 0.0], [3.0, -0.0]), HALVES),
            Convention(
                ([np.nan, 2.0, np.nan, 5.0], [1.0, np.nan, np.nan, 3.0]), ([0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0])
            ),
        ],
    ),
    tg.fmin: entrywise(
        np.fmin,
        draw=distinct,
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(([3.0, 0.0], [3.0, -0.0]), HALVES),
            Convention(
                ([np.nan, 2.0, np.nan, 5.0], [1.0, np.nan, np.nan, 3.0]), ([0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0])
            ),
        ],
    ),
}

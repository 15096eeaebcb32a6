"""Functions of one entry at a time."""

import numpy as np

import tinygrad_np as tg
from tests.cases.common import HALVES, Convention, anywhere, distinct, entrywise, off_zero, positive, unary
from tinygrad_np.errors import ShapeError


def denominator_off_zero(rng, shapes):
    return anywhere(rng, shapes[:1]) + off_zero(rng, shapes[1:])


def base_positive(rng, shapes):
    return positive(rng, shapes[:1]) + anywhere(rng, shapes[1:])


def condition_first(rng, shapes):
    return [rng.random(shapes[0]) < 0.5, *anywhere(rng, shapes[1:])]


def condition_last(rng, shapes):
    return [*anywhere(rng, shapes[:-1]), rng.random(shapes[-1]) < 0.5]


CASES = {
    # constants
    tg.sign: unary(np.sign),
    tg.logical_not: unary(np.logical_not),
    tg.logical_or: entrywise(np.logical_or),
    tg.equal: entrywise(np.equal),
    tg.not_equal: entrywise(np.not_equal),
    tg.greater: entrywise(np.greater),
    tg.greater_equal: entrywise(np.greater_equal),
    tg.less: entrywise(np.less),
    tg.less_equal: entrywise(np.less_equal),
    # gates
    tg.keep_where: entrywise(lambda x, c: np.where(c, x, 0), draw=condition_last),
    tg.relu: unary(
        lambda x: np.maximum(x, 0),
        off_zero,
        zeros="kink",
        conventions=[Convention(([-0.0, 0.0, 1.0, -1.0],), ([0.0, 0.0, 1.0, 0.0],))],
    ),
    tg.where: entrywise(np.where, 3, condition_first),
    tg.dropout_mask: entrywise(np.multiply, draw=condition_last),
    # exponentials and their kin
    tg.exp: unary(np.exp),
    tg.log: unary(np.log, positive, zeros="pole"),
    tg.sqrt: unary(np.sqrt, positive, zeros="pole", conventions=[Convention(([4.0],), ([0.25],))]),
    tg.tanh: unary(np.tanh, conventions=[Convention(([800.0, -800.0],), ([0.0, 0.0],))]),
    tg.sigmoid: unary(
        lambda x: 1 / (1 + np.exp(-x)), conventions=[Convention(([800.0, -800.0, 0.0],), ([0.0, 0.0, 0.25],))]
    ),
    # arithmetic
    tg.add: entrywise(
        np.add, refusals=[(([1.0, 2.0], [1.0, 2.0, 3.0]), ShapeError, r"add: .*got float64 \(2,\), float64 \(3,\)")]
    ),
    tg.subtract: entrywise(np.subtract),
    tg.multiply: entrywise(np.multiply),
    tg.divide: entrywise(np.divide, draw=denominator_off_zero, zeros="pole"),
    tg.power: entrywise(
        np.power,
        draw=base_positive,
        zeros="pole",
        conventions=[
            Convention(([0.0, 0.0, 3.0], [0.0, 2.0, 0.0]), ([0.0, 0.0, 0.0], [0.0, 0.0, np.log(3.0)])),
            Convention(([-2.0], 3), ([12.0], None)),
        ],
    ),
    tg.negative: unary(np.negative),
    tg.absolute: unary(
        np.absolute, off_zero, zeros="kink", conventions=[Convention(([-0.0, 0.0, -3.0],), ([0.0, 0.0, -1.0],))]
    ),
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
}

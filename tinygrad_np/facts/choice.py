"""Choices entry by entry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import ArgumentError, DtypeError, IndexRangeError, ShapeError
from tinygrad_np.facts.choices import Choices
from tinygrad_np.facts.common import (
    FULL,
    Convention,
    Facts,
    Refused,
    Shapes,
    Trial,
    anywhere,
    distinct,
    entrywise,
    unary,
)
from tinygrad_np.ops.choice import _clip
from tinygrad_np.values import Array

NAN, INF = np.nan, np.inf


def selections(some: Choices) -> Trial:
    """Conditions and choices, as many of these as of those, and a default."""
    count, shape = some.integer(1, 3), some.shape(sides=FULL)
    return Trial(((count, *shape), (count, *shape), some.pick([(), shape, shape[1:]])))


def conditions_first(rng: Generator, shapes: Shapes) -> list[Array]:
    """Bools, then numbers."""
    return [rng.random(shapes[0]) < 0.5, *anywhere(rng, shapes[1:])]


def conditions_second(rng: Generator, shapes: Shapes) -> list[Array]:
    """Numbers, then bools."""
    return [*anywhere(rng, shapes[:1]), rng.random(shapes[1]) < 0.5]


PIECES: list[Any] = [lambda v: v * v, 3.0, lambda v: v**3]


def pieces(some: Choices) -> Trial:
    """An array, and two or three conditions on its entries."""
    shape = some.shape(sides=FULL)
    return Trial((shape, (some.integer(2, 3), *shape)), (PIECES,))


BOUNDS = [(-0.7, 0.6), (None, 0.6), (-0.7, None), (0.6, -0.7)]


FACTS: dict[object, Facts] = {
    _clip: entrywise(
        np.clip,
        3,
        distinct,
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(
                ([-1.0, 0.0, 0.5, 1.0, 2.0, NAN], [0.0] * 6, [1.0] * 6),
                ([0.0, 1.0, 1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            ),
            # crossed bounds, and bounds that are one
            Convention(
                ([-1.0, 1.5, 3.0, 0.0, 2.0], [2.0, 2.0, 2.0, 1.0, 1.0], [1.0] * 5),
                ([0.0] * 5, [0.0, 0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0, 1.0]),
            ),
        ],
    ),
    tg.clip: Facts(
        lambda x, a_min=None, a_max=None, **ends: np.clip(x, ends.get("min", a_min), ends.get("max", a_max)),
        lambda some: Trial((some.shape(sides=FULL),), some.pick(BOUNDS)),
        base=Trial(((2, 3),), (-0.12, 0.13)),
        scalar=Trial(((), (), ())),
        empty=Trial(((0, 3),), (0.0, 1.0)),
        broadcast=Trial(((2, 1, 3), (4, 1), ())),
        draw=distinct,
        more=[
            Trial(((2, 3),), (None, 0.13)),
            Trial(((2, 3),), (-0.12, None)),
            Trial(((2, 3),), (), {"max": 0.13}),
            Trial(((2, 3),), (), {"min": -0.12, "max": np.array([0.13, 0.03, 1.0])}),
            Trial(((2, 3),), (), {"a_min": -0.12, "a_max": 0.13}),
            Trial(((2, 3), (2, 3)), (None,)),
            Trial(((2, 3), (3,)), (), {"a_max": None}),
            Trial(((2, 3), (3,), (2, 1))),
        ],
        zeros="smooth",
        ties="smooth",
        conventions=[
            Convention(([-1.0, 0.0, 0.5, 1.0, 2.0],), ([0.0, 1.0, 1.0, 1.0, 0.0],), (0.0, 1.0)),
            Convention(([-1.0, 0.0, 2.0], 0.0), ([0.0, 1.0, 1.0], 1.0), (None,)),
        ],
        refusals=[
            (([1.0], 0.0), ArgumentError, "clip: expected both a_min and a_max"),
            (([1.0, 2.0], [0.0, 0.0, 0.0], 1.0), ShapeError, "clip: "),
        ],
    ),
    tg.nan_to_num: unary(
        np.nan_to_num,
        analytic=True,
        more=[Trial(((2, 3),), (), {"nan": 1.0, "posinf": 2.0, "neginf": 3.0})],
        conventions=[
            Convention(([1.0, NAN, INF, -INF],), ([1.0, 0.0, 0.0, 0.0],)),
            Convention(([0.0, NAN, INF, -INF],), ([1.0, 0.0, 0.0, 0.0],), (), {"nan": 5.0, "posinf": 1.0}),
        ],
        refusals=[(([1.0], 0.0), ArgumentError, "nan_to_num: ")],
    ),
    tg.select: Facts(
        lambda conditions, choices, default=0: np.select(list(conditions), list(choices), default),
        selections,
        base=Trial(((2, 2, 3), (2, 2, 3), (2, 3))),
        scalar=Refused(DtypeError, ((), ())),
        empty=Trial(((2, 0, 3), (2, 0, 3), ())),
        broadcast=Trial(((2, 1, 3), (2, 4, 1), (3,))),
        draw=conditions_first,
        constants=(0,),
        more=[Trial(((2, 2, 3), (2, 2, 3))), Trial(((2, 2, 3), (2, 2, 3)), (2,)), Trial(((3, 4), (3,), (4,)))],
        refusals=[
            (([[True]], [[1.0], [2.0]]), ShapeError, "select: expected as many choices as conditions, got 2 and 1"),
            (([], []), ShapeError, "select: "),
            (([[1, 0]], [[1.0, 2.0]]), DtypeError, "select: expected conditions of bools, got int64 in place 0"),
        ],
    ),
    tg.piecewise: Facts(
        np.piecewise,
        pieces,
        base=Trial(((2, 3), (3, 2, 3)), (PIECES,)),
        scalar=Trial(((), (2,)), (PIECES,)),
        empty=Trial(((0, 3), (3, 0, 3)), (PIECES,)),
        broadcast=Trial(((2, 3), (2, 2, 3)), (PIECES,)),
        draw=conditions_second,
        constants=(1,),
        more=[
            Trial(((4,), (4,)), ([lambda v, by: v * by, lambda v, _: v - v.sum()], 5.0)),
            Trial(((4,), (4,)), ([lambda v, by: v * by, 1.0],), {"by": 3.0}),
            Trial(((4, 2), (1, 4)), ([lambda v: v * v.sum(), np.arange(2.0)],)),
        ],
        conventions=[
            Convention(
                ([-1.0, 0.0, 4.0], [[True, True, False]]), ([0.0, 0.0, 0.25], None), ([-1.0, lambda v: v**0.5],)
            ),
        ],
        refusals=[
            (([1.0], [[True]], [1, 2, 3]), ShapeError, r"piecewise: with 1 condition\(s\), either 1 or 2 functions"),
            (([1.0, 2.0], [[True]], [1, 2]), IndexRangeError, "piecewise: "),
            (
                ([1, 2], [[True, False]], [tg.tensor(1.0, requires_grad=True), 2]),
                DtypeError,
                "piecewise: expected x of floats",
            ),
        ],
    ),
}

"""Entries that stand in several places, among others, or on a diagonal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import DtypeError, RangeError, ShapeError
from tinygrad_np.facts.choices import Choices
from tinygrad_np.facts.common import FULL, Facts, Refused, Shapes, Trial
from tinygrad_np.facts.shape import linear
from tinygrad_np.values import Array


def repeating(rng: Generator, shapes: Shapes) -> list[Array]:
    """Anything, then how often each entry is repeated."""
    return [rng.uniform(-2, 2, shapes[0]), rng.integers(0, 4, shapes[1])]


def repeats(some: Choices) -> Trial:
    """An array, one number or one for each place, and None or an axis."""
    shape = some.shape()
    axis = some.axes(shape, single=True)
    length = int(np.prod(shape)) if axis is None else shape[axis]
    return Trial((shape, some.pick([(), (1,), (length,)])), (axis,))


def tiles(some: Choices) -> Trial:
    """An array, and how often it is repeated along its last axis, or along several."""
    return Trial((some.shape(),), (some.pick([some.integer(0, 3), some.shape((0, 4), (0, 3))]),))


def resizes(some: Choices) -> Trial:
    """An array, and any shape or length."""
    return Trial((some.shape(),), (some.pick([some.shape(), some.integer(0, 9)]),))


def paddings(some: Choices) -> Trial:
    """An array that has entries, a width in each form that NumPy takes, and a mode."""
    shape = some.shape(sides=FULL)

    def pair() -> tuple[int, int]:
        return some.integer(0, 5), some.integer(0, 5)

    one = some.integer(0, 5)
    each = [tuple(pair() for _ in shape), tuple((some.integer(0, 5),) for _ in shape)]
    width = some.pick([one, pair(), (pair(),), *each]) if shape else one
    return Trial((shape,), (width, some.pick(["constant", "edge", "reflect", "symmetric", "wrap"])))


def diagonals(some: Choices) -> Trial:
    """An array, an offset, and two axes."""
    shape = some.shape((2, 4), (0, 3))
    first, second = some.some(range(len(shape)), 2, 2)
    return Trial((shape,), (some.integer(-4, 4), some.pick([first, first - len(shape)]), second))


def with_k(dims: tuple[int, int]) -> Callable[[Choices], Trial]:
    """An array with so many axes, and an offset."""
    return lambda some: Trial((some.shape(dims, (0, 3)),), (some.integer(-4, 4),))


def triangle(reference: Callable[..., Any]) -> Facts:
    """The entries on one side of a diagonal."""
    return linear(
        reference,
        with_k((1, 4)),
        Trial(((2, 3, 4),), (1,)),
        Refused(DtypeError, ((),)),
        Trial(((0, 3),)),
        Trial(((3,),), (-1,)),
        more=[Trial(((3, 3),)), Trial(((3, 2),), (-1,))],
    )


FACTS: dict[object, Facts] = {
    tg.repeat: Facts(
        np.repeat,
        repeats,
        base=Trial(((2, 3), (3,)), (-1,)),
        scalar=Trial(((), ())),
        empty=Trial(((0, 3), ()), (1,)),
        broadcast=Trial(((2, 3), (1,)), (0,)),
        draw=repeating,
        analytic=True,
        more=[Trial(((2, 3), ())), Trial(((2, 3), (6,))), Trial(((2, 3), ()), (1,)), Trial(((2, 3), (2,)), (0,))],
        refusals=[
            (([1.0, 2.0], -1), ShapeError, "repeat: negative dimensions are not allowed"),
            (([1.0, 2.0], [1, 2, 3]), ShapeError, "repeat: "),
            (([1.0, 2.0], [1.0, 2.0]), DtypeError, "repeat: Cannot cast"),
        ],
    ),
    tg.tile: linear(
        np.tile,
        tiles,
        Trial(((2, 3),), ((2, 1, 3),)),
        Trial(((),), (3,)),
        Trial(((0, 3),), ((2, 2),)),
        Trial(((2, 3),), (2,)),
        more=[Trial(((2, 3),), ((0, 1),)), Trial(((2, 3),), (np.array([2, 1]),))],
        refusals=[(([1.0], 1.5), DtypeError, "tile: 'float' object cannot be interpreted as an integer")],
    ),
    tg.resize: linear(
        np.resize,
        resizes,
        Trial(((2, 3),), ((4, 2),)),
        Trial(((),), (3,)),
        Trial(((0, 3),), ((2, 2),)),
        Trial(((2, 3),), (2,)),
        refusals=[(([1.0], (-1, 2)), ShapeError, "must be non-negative")],
    ),
    tg.pad: linear(
        np.pad,
        paddings,
        Trial(((2, 3),), (((1, 2), (0, 1)),)),
        Trial(((),), (2,)),
        Trial(((0, 3),), (1,)),
        Trial(((2, 3),), ((1, 2),), {"constant_values": 5.0}),
        more=[
            *(Trial(((2, 3),), (((1, 2), (0, 4)), mode)) for mode in ("edge", "reflect", "symmetric", "wrap")),
            Trial(((2, 3),), (1,), {"constant_values": ((1.0, 2.0), (3.0, 4.0))}),
            Trial(((2, 3),), (((1, 2),), "reflect"), {"reflect_type": "even"}),
            Trial(((2, 3),), (((1,), (2,)), "constant")),
        ],
        refusals=[
            (([1.0], 1, "mean"), RangeError, "expected a mode out of constant, .*, got 'mean'"),
            (([1.0], 1, lambda *_: None), RangeError, "expected a mode out of"),
            (([1.0], -1), ShapeError, "pad: index can't contain negative values"),
            (([1.0], 1.5), DtypeError, "must be of integral type"),
        ],
    ),
    tg.diagonal: linear(
        np.diagonal,
        diagonals,
        Trial(((2, 3, 4),), (1, 2, 0)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3),)),
        Trial(((2, 3),), (-1,)),
        more=[Trial(((2, 3, 4, 2),), (0, -1, 1)), Trial(((2, 3),), (5,))],
        refusals=[(([[1.0]], 0, 1, 1), ShapeError, "diagonal: axis1 and axis2 cannot be the same")],
    ),
    tg.diag: linear(
        np.diag,
        with_k((1, 2)),
        Trial(((2, 3),), (1,)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3),)),
        Trial(((3,),)),
        more=[Trial(((3,),), (-2,)), Trial(((3, 2),), (-1,)), Trial(((3, 3),))],
    ),
    tg.diagflat: linear(
        np.diagflat,
        with_k((0, 3)),
        Trial(((2, 3),), (1,)),
        Trial(((),)),
        Trial(((0, 3),)),
        Trial(((3,),), (-1,)),
    ),
    tg.trace: Facts(
        np.trace,
        diagonals,
        Trial(((2, 3, 4),), (1, 2, 0)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3),)),
        Trial(((2, 3),), (-1,)),
        more=[Trial(((3, 3),)), Trial(((2, 3, 4, 2),), (0, -1, 1)), Trial(((2, 2),), (), {"dtype": float})],
    ),
    tg.tril: triangle(np.tril),
    tg.triu: triangle(np.triu),
}

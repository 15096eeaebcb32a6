"""Entries that stand in several places, among others, or on a diagonal."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import FULL, SHAPES, Case, Refused, Trial, arrangement
from tinygrad_np.errors import DtypeError, RangeError, ShapeError


def repeating(rng, shapes):
    return [rng.uniform(-2, 2, shapes[0]), rng.integers(0, 4, shapes[1])]


@st.composite
def repeats(draw):
    shape = draw(SHAPES)
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1) if shape else st.none())
    length = int(np.prod(shape)) if axis is None else shape[axis]
    return Trial((shape, draw(st.sampled_from([(), (1,), (length,)]))), (axis,))


@st.composite
def tiles(draw):
    reps = draw(st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=4).map(tuple))
    return Trial((draw(SHAPES),), (reps,))


@st.composite
def resizes(draw):
    return Trial((draw(SHAPES),), (draw(SHAPES | st.integers(0, 9)),))


@st.composite
def paddings(draw):
    shape = draw(FULL)
    one = st.integers(0, 5)
    pair = st.tuples(one, one)
    each = [st.tuples(*[form] * len(shape)) for form in (pair, st.tuples(one))]
    forms = [one, pair, st.tuples(pair), *each]
    width = draw(st.one_of(*forms[: None if shape else 1]))
    return Trial((shape,), (width, draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))))


@st.composite
def diagonals(draw, trace=False):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=3))
    first, second, *_ = draw(st.permutations(range(len(shape))))
    sign = draw(st.sampled_from([0, len(shape)]))
    return Trial((shape,), (draw(st.integers(-4, 4)), first - sign, second))


@st.composite
def with_k(draw, shapes):
    return Trial((draw(shapes),), (draw(st.integers(-4, 4)),))


def triangle(reference):
    return arrangement(
        reference,
        with_k(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3)),
        Trial(((2, 3, 4),), (1,)),
        Refused(DtypeError, ((),)),
        Trial(((0, 3),)),
        Trial(((3,),), (-1,)),
        more=[Trial(((3, 3),)), Trial(((3, 2),), (-1,))],
    )


CASES = {
    tg.repeat: Case(
        np.repeat,
        repeats(),
        base=Trial(((2, 3), (3,)), (-1,)),
        scalar=Trial(((), ())),
        empty=Trial(((0, 3), ()), (1,)),
        broadcast=Trial(((2, 3), (1,)), (0,)),
        draw=repeating,
        more=[Trial(((2, 3), ())), Trial(((2, 3), (6,))), Trial(((2, 3), ()), (1,)), Trial(((2, 3), (2,)), (0,))],
        refusals=[
            (([1.0, 2.0], -1), ShapeError, "repeat: negative dimensions are not allowed"),
            (([1.0, 2.0], [1, 2, 3]), ShapeError, "repeat: "),
            (([1.0, 2.0], [1.0, 2.0]), DtypeError, "repeat: Cannot cast"),
        ],
    ),
    tg.tile: arrangement(
        np.tile,
        tiles(),
        Trial(((2, 3),), ((2, 1, 3),)),
        Trial(((),), (3,)),
        Trial(((0, 3),), ((2, 2),)),
        Trial(((2, 3),), (2,)),
        more=[Trial(((2, 3),), ((0, 1),)), Trial(((2, 3),), (np.array([2, 1]),))],
        refusals=[(([1.0], 1.5), DtypeError, "tile: 'float' object cannot be interpreted as an integer")],
    ),
    tg.resize: arrangement(
        np.resize,
        resizes(),
        Trial(((2, 3),), ((4, 2),)),
        Trial(((),), (3,)),
        Trial(((0, 3),), ((2, 2),)),
        Trial(((2, 3),), (2,)),
        refusals=[(([1.0], (-1, 2)), ShapeError, "must be non-negative")],
    ),
    tg.pad: arrangement(
        np.pad,
        paddings(),
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
    tg.diagonal: arrangement(
        np.diagonal,
        diagonals(),
        Trial(((2, 3, 4),), (1, 2, 0)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3),)),
        Trial(((2, 3),), (-1,)),
        more=[Trial(((2, 3, 4, 2),), (0, -1, 1)), Trial(((2, 3),), (5,))],
        refusals=[(([[1.0]], 0, 1, 1), ShapeError, "diagonal: axis1 and axis2 cannot be the same")],
    ),
    tg.diag: arrangement(
        np.diag,
        with_k(hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=3)),
        Trial(((2, 3),), (1,)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3),)),
        Trial(((3,),)),
        more=[Trial(((3,),), (-2,)), Trial(((3, 2),), (-1,)), Trial(((3, 3),))],
    ),
    tg.diagflat: arrangement(
        np.diagflat,
        with_k(SHAPES),
        Trial(((2, 3),), (1,)),
        Trial(((),)),
        Trial(((0, 3),)),
        Trial(((3,),), (-1,)),
    ),
    tg.trace: arrangement(
        np.trace,
        diagonals(),
        Trial(((2, 3, 4),), (1, 2, 0)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3),)),
        Trial(((2, 3),), (-1,)),
        more=[Trial(((3, 3),)), Trial(((2, 3, 4, 2),), (0, -1, 1)), Trial(((2, 2),), (), {"dtype": float})],
    ),
    tg.tril: triangle(np.tril),
    tg.triu: triangle(np.triu),
}

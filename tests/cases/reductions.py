"""Many entries to one, and scans."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import FULL, SHAPES, Case, Convention, Refused, Trial, anywhere, axes_of, distinct, softmaxed
from tinygrad_np.errors import ArgumentError, IndexRangeError, ShapeError
from tinygrad_np.ops.reductions import _linear_recurrence, _weights

MASK = np.array([[True, False, True], [True, True, False]])
ROW = np.array([True, False, True])
LONG = np.longdouble


@st.composite
def reductions(draw, shapes, single=False, masks=False, **options):
    """An axis and keepdims=, and perhaps where=, of the array's shape or its last axis alone."""
    shape = draw(shapes)
    options["keepdims"] = draw(st.booleans())
    if masks:
        kept = draw(st.sampled_from([shape, shape[-1:], (1,) * len(shape)]))
        options["where"] = draw(st.just(True) | hnp.arrays(bool, kept))
    return Trial((shape,), (draw(axes_of(shape, single)),), options)


@st.composite
def scans(draw):
    shape = draw(SHAPES)
    return Trial((shape,), (draw(axes_of(shape, single=True)),))


def reduction(reference, empty, draw=anywhere, shapes=SHAPES, single=False, masks=False, extra=None, **facts):
    return Case(
        reference,
        reductions(shapes, single, masks, **(extra or {})),
        base=Trial(((2, 3),), (1,), {"keepdims": True}),
        scalar=Trial(((),), (None,)),
        empty=empty,
        broadcast=Trial(((2, 3),), (-2 if single else (0, -1),)),
        draw=draw,
        refusals=[
            (([1.0, 2.0], 3), IndexRangeError, "axis 3 is out of bounds"),
            (([1.0, 2.0], 0, None), ArgumentError, "expected arguments"),
        ]
        if not facts.pop("derived", False)
        else [(([1.0, 2.0], 3), IndexRangeError, "axis 3 is out of bounds")],
        more=(Trial(((2, 2, 3),), (-2 if single else (-1, 0),)), Trial(((3, 2),)), *facts.pop("more", ())),
        **facts,
    )


def scan(reference, **facts):
    return Case(
        reference,
        scans(),
        base=Trial(((2, 4),), (1,)),
        scalar=Trial(((),), (None,)),
        empty=Trial(((0, 3),), (0,)),
        broadcast=Trial(((2, 3),), (None,)),
        draw=anywhere,
        more=(
            Trial(((3, 2),), (-2,)),
            Trial(((2, 3),)),
            Trial(((2, 1),), (1,)),
            Trial(((3,),), (0,), {"dtype": LONG}),
        ),
        **facts,
    )


def with_zeros(count):
    """Entries off zero but for `count` zeros in each row."""

    def draw(rng, shapes):
        (array,) = anywhere(rng, shapes)
        array[..., :count] = 0
        return [array]

    return draw


def normalised(reference, **facts):
    return Case(
        reference,
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4).flatmap(
            lambda shape: st.integers(-len(shape), len(shape) - 1).map(lambda axis: Trial((shape,), (axis,)))
        ),
        base=Trial(((2, 3),), (-1,)),
        scalar=Trial(((),), (-1,)),
        empty=Trial(((0, 3),), (-1,)),
        broadcast=Trial(((2, 3),), ((0, 1),)),
        draw=anywhere,
        **facts,
    )


@st.composite
def recurrences(draw):
    *ahead, n = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    return Trial(((*ahead, n), (*ahead, n - 1)))


def recurred(x, slopes):
    out = x.copy()
    for i in range(1, x.shape[-1]):
        out[..., i] = out[..., i] + slopes[..., i - 1] * out[..., i - 1]
    return out


def log_summed(x, axis=None, keepdims=False):
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


DEVIATION = {
    "shapes": FULL,
    "draw": distinct,
    "more": (
        Trial(((2, 3),), (0,), {"ddof": 1}),
        Trial(((2, 3),), (), {"correction": 1.5}),
        Trial(((3, 3),), (1,), {"where": ROW, "ddof": 1}),
        Trial(((2, 3),), ((0, 1),), {"where": MASK, "keepdims": True}),
    ),
}
CHOICE = {"draw": distinct, "shapes": FULL, "zeros": "kink", "ties": "kink"}

CASES = {
    # sums and products
    tg.sum: reduction(
        np.sum,
        Trial(((0, 3),), (0,)),
        masks=True,
        more=(
            Trial(((2, 3),), (0,), {"where": ROW, "initial": 2.0}),
            Trial(((2, 3),), (), {"where": MASK}),
            Trial(((2, 3),), (1,), {"where": [[True], [False]], "dtype": float}),
        ),
    ),
    tg.prod: reduction(
        np.prod,
        Trial(((0, 3),), (0,)),
        masks=True,
        more=(
            Trial(((2, 3),), (0,), {"where": ROW, "initial": 2.0}),
            Trial(((2, 3),), ((0, 1),), {"where": MASK, "keepdims": True}),
            Trial(((2, 3, 2),), ((2, 0),), {"dtype": LONG, "initial": None}),
        ),
        conventions=[
            Convention(([0.0, 2.0, 3.0],), ([6.0, 0.0, 0.0],)),
            Convention(([[0.0, 0.0, 3.0], [0.0, 0.0, 0.0]],), ([[0.0] * 3] * 2,), (1,)),
        ],
    ),
    tg.mean: reduction(
        np.mean,
        Trial(((2, 0, 3),), (2,)),
        shapes=FULL,
        more=(
            Trial(((2, 3),), (0,), {"where": ROW | ~ROW}),
            Trial(((2, 3),), (1,), {"where": ROW}),
            Trial(((2, 3),), (), {"where": MASK, "dtype": float}),
        ),
    ),
    # how entries are spread
    tg.var: reduction(np.var, Trial(((2, 0, 3),), (2,)), **DEVIATION),
    tg.std: reduction(
        np.std,
        Trial(((2, 0, 3),), (2,)),
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(([3.0, 3.0, 3.0],), ([0.0, 0.0, 0.0],)),
            Convention(([0.1, 0.1, 0.1],), ([0.0, 0.0, 0.0],)),  # whose mean is not 0.1
            Convention(([[1.0, 2.0], [1.0, 1.0]],), ([[-0.5, 0.5], [0.0, 0.0]],), (1,)),
        ],
        **DEVIATION,
    ),
    tg.ptp: reduction(
        np.ptp,
        Refused(ShapeError, ((0, 3),), (0,)),
        conventions=[Convention(([1.0, 1.0, 3.0],), ([-0.5, -0.5, 1.0],)), Convention(([2.0, 2.0],), ([0.0, 0.0],))],
        derived=True,
        **CHOICE,
    ),
    # the largest and the smallest
    tg.max: reduction(
        np.max,
        Refused(ShapeError, ((0, 3),), (0,)),
        conventions=[
            Convention(([3.0, 3.0, 1.0],), ([0.5, 0.5, 0.0],)),
            Convention(([[1.0, 2.0], [1.0, 3.0]],), ([[0.5, 0.0], [0.5, 1.0]],), (0,), {"keepdims": True}),
            Convention(([1.0, np.nan, 2.0],), ([0.0, 1.0, 0.0],)),
            Convention(([3.0, 3.0, 1.0],), ([1 / 3, 1 / 3, 0.0],), (), {"initial": 3}),
            Convention(([3.0, 3.0, 1.0],), ([0.0, 0.0, 0.0],), (), {"initial": 4}),
            Convention(([3.0, np.nan, 1.0],), ([1.0, 0.0, 0.0],), (), {"initial": -1, "where": [True, False, True]}),
        ],
        masks=True,
        extra={"initial": -9.0},
        more=(Trial(((2, 3),), (0,), {"initial": 0.01}), Trial(((2, 3),), (), {"where": MASK, "initial": -1.0})),
        **CHOICE,
    ),
    tg.min: reduction(
        np.min,
        Refused(ShapeError, ((0, 3),), (None,)),
        conventions=[Convention(([3.0, 1.0, 1.0, 1.0],), ([0.0, 1 / 3, 1 / 3, 1 / 3],))],
        masks=True,
        extra={"initial": 9.0},
        more=(Trial(((2, 3),), (0,), {"initial": 0.01}), Trial(((2, 3),), (), {"where": MASK, "initial": 1.0})),
        **CHOICE,
    ),
    tg.argmax: reduction(np.argmax, Refused(ShapeError, ((0, 3),), (0,)), shapes=FULL, single=True),
    tg.argmin: reduction(np.argmin, Refused(ShapeError, ((0, 3),), (0,)), shapes=FULL, single=True),
    # yes or no
    tg.any: reduction(np.any, Trial(((0, 3),), (0,)), masks=True, more=(Trial(((2, 3),), (1,), {"where": ROW}),)),
    tg.all: reduction(np.all, Trial(((0, 3),), (0,)), masks=True, more=(Trial(((2, 3),), (1,), {"where": ROW}),)),
    tg.count_nonzero: reduction(np.count_nonzero, Trial(((0, 3),), (0,))),
    # exponentials, without overflow
    tg.logsumexp: reduction(
        log_summed,
        Trial(((0, 3),), (1,)),
        conventions=[
            Convention(([1e4, 1e4, -1e4],), ([0.5, 0.5, 0.0],)),
            Convention(([-1e4, -1e4],), ([0.5, 0.5],)),
            Convention(([-np.inf, 2.0, 2.0],), ([0.0, 0.5, 0.5],)),
            Convention(([[-np.inf, -np.inf], [0.0, 0.0]],), ([[0.0, 0.0], [0.5, 0.5]],), (1,)),
            Convention(([np.inf, 2.0, np.inf],), ([0.5, 0.0, 0.5],)),
        ],
    ),
    _weights: normalised(softmaxed),
    tg.softmax: normalised(softmaxed, conventions=[Convention(([0.0, 1e4, -1e4],), ([0.0, 0.0, 0.0],), (0,))]),
    tg.log_softmax: normalised(
        lambda x, axis: np.log(softmaxed(x, axis)),
        conventions=[Convention(([0.0, 1e4, -1e4],), ([1.0, -2.0, 1.0],), (0,))],
    ),
    # scans
    tg.cumsum: scan(np.cumsum),
    tg.cumprod: scan(
        np.cumprod,
        conventions=[
            Convention(([0.0, 2.0, 3.0],), ([9.0, 0.0, 0.0],)),
            Convention(([2.0, 0.0, 3.0, 0.0],), ([1.0, 8.0, 0.0, 0.0],)),
        ],
    ),
    _linear_recurrence: Case(
        recurred,
        recurrences(),
        base=Trial(((2, 4), (2, 3))),
        scalar=Refused(IndexRangeError, ((), ())),
        empty=Trial(((0, 3), (0, 2))),
        broadcast=Trial(((2, 1), (2, 0))),
        draw=anywhere,
    ),
}

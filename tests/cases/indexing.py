"""Entries by index."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import SHAPES, Case, Refused, Trial, anywhere, arrangement, indices, unary
from tinygrad_np.errors import DtypeError, IndexRangeError, ShapeError
from tinygrad_np.ops import indexing

# --- any index --------------------------------------------------------------------------------------------------------


@st.composite
def readings(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    return Trial((shape,), (draw(indices(shape)),))


@st.composite
def scatterings(draw):
    reading = draw(readings())
    (shape,), (index,) = reading.shapes, reading.static
    return Trial((np.empty(shape)[index].shape,), (index, shape))


@st.composite
def writings(draw, more):
    """Shapes of an array and of a value that broadcasts to what the index reads, with up to `more` axes in front."""
    reading = draw(readings())
    (shape,), (index,) = reading.shapes, reading.static
    picked = np.empty(shape)[index].shape
    kept = draw(st.integers(0, len(picked)))
    value = tuple(n if draw(st.booleans()) else 1 for n in picked[len(picked) - kept :])
    ahead = (1,) * draw(st.integers(0, more)) if picked and kept == len(picked) else ()
    return Trial((shape, ahead + value), (index,))


def flat(x, value, index):
    """A copy of `x`, the places in it that the index names, in C order, and the value for each."""
    places = np.arange(x.size).reshape(x.shape)[index]
    value = value.reshape(value.shape[max(0, value.ndim - places.ndim) :])
    return x.copy().reshape(-1), places.reshape(-1), np.broadcast_to(value, places.shape).reshape(-1)


def written(x, value, index):
    out, *pairs = flat(x, value, index)
    for place, entry in zip(*pairs, strict=True):
        out[place] = entry
    return out.reshape(x.shape)


def added(x, value, index):
    out, *pairs = flat(x, value, index)
    for place, entry in zip(*pairs, strict=True):
        out[place] += entry
    return out.reshape(x.shape)


def scattered(x, index, shape):
    return added(np.zeros(shape, x.dtype), x, index)


REFUSED = [
    (5, IndexRangeError, "index 5 is out of bounds"),
    ([0, -3], IndexRangeError, "index -3 is out of bounds"),
    ((0, 0), IndexRangeError, "too many indices"),
    (0.0, DtypeError, "only integers, slices"),
    (np.array([0.0]), DtypeError, "arrays used as indices must be of integer"),
    (np.array([True]), ShapeError, r"boolean index did not match.*float64 \(2,\)"),
    (np.ones((2, 2), bool), ShapeError, r"too many indices.*float64 \(2,\)"),
]
ROWS = ([0, 0, 2],)
MASK = (np.array([True, False, True]),)
CROSS = (([[0], [2]], [1, 1, -1]),)
APART = (([0, 2, 0], None, [1, 3, 1]),)
SLICED = ((slice(None, None, 2), None, -1),)
INDICES = [ROWS, MASK, CROSS, APART, SLICED, ((),), ((True, ..., [0, 0]),)]


def writing(reference, *more):
    return Case(
        reference,
        writings(len(more)),
        base=Trial(((3, 4), (3, 4)), ROWS),
        scalar=Trial(((), ()), (...,)),
        empty=Trial(((0, 3), (0, 3)), (slice(None),)),
        broadcast=Trial(((3, 4), ()), ROWS),
        draw=anywhere,
        more=[
            *(Trial(((3, 4), np.empty((3, 4))[index].shape), (index,)) for (index,) in INDICES),
            *more,
        ],
    )


# --- along an axis ----------------------------------------------------------------------------------------------------


def numbered(rng, shapes):
    """Anything, then numbers from -2 to 1."""
    return [*anywhere(rng, shapes[:1]), *(rng.integers(-2, 2, shape) for shape in shapes[1:])]


def choosing(rng, shapes):
    return [rng.integers(0, 2, shapes[0]), *anywhere(rng, shapes[1:])]


def holding(rng, shapes):
    return [rng.integers(0, 2, shapes[0]).astype(bool), *anywhere(rng, shapes[1:])]


@st.composite
def takings(draw):
    mode = draw(st.sampled_from(["raise", "wrap", "clip"]))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=2, max_side=4))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    return Trial((shape, draw(SHAPES)), (axis,), {"mode": mode})


@st.composite
def takings_along(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=2, max_side=4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    many = [draw(st.integers(0, 3)) if i == axis % len(shape) else n for i, n in enumerate(shape)]
    ones = [n if i == axis % len(shape) or draw(st.booleans()) else 1 for i, n in enumerate(many)]
    return Trial((shape, tuple(ones)), (axis,))


@st.composite
def choices(draw):
    drawn = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=2, max_side=4))
    return Trial((drawn.input_shapes[0], (draw(st.integers(2, 3)), *drawn.input_shapes[1])))


@st.composite
def conditions(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    count = int(np.prod(shape)) if axis is None else shape[axis]
    return Trial(((draw(st.integers(0, count)),), shape), (axis,))


CASES = {
    tg.getitem: arrangement(
        lambda x, index: x[index],
        readings(),
        Trial(((3, 4),), ROWS),
        Trial(((),), (...,)),
        Trial(((0, 3),), (slice(None),)),
        Trial(((2, 3),), ((slice(None), [2, 2]),)),
        more=[Trial(((3, 4),), index) for index in INDICES],
        refusals=[
            *((([1.0, 2.0], index), error, f"getitem: {words}") for index, error, words in REFUSED),
            ((np.ones((2, 2)), ([0, 1], [0, 0, 0])), ShapeError, "getitem: shape mismatch: indexing arrays"),
        ],
    ),
    tg.scatter_add: arrangement(
        scattered,
        scatterings(),
        Trial(((3, 4),), (*ROWS, (3, 4))),
        Trial(((),), (1, (3,))),
        Trial(((0, 3),), (slice(0), (2, 3))),
        Trial(((2, 3),), ([1, 1], (2, 3))),
        more=[Trial((np.empty((3, 4))[index].shape,), (index, (3, 4))) for (index,) in INDICES],
        refusals=[
            *(((1.0, index, (2,)), error, f"scatter_add: {words.split('.*')[0]}") for index, error, words in REFUSED),
            ((1.0, [0, 2], (2, 3)), IndexRangeError, "scatter_add: index 2 is out of bounds for axis 0 with size 2"),
        ],
    ),
    indexing._set_at: writing(written, Trial(((3, 4), (1, 1, 4)), MASK)),
    indexing._add_at: writing(added),
    tg.set_at: arrangement(
        lambda x, index, value: written(x, np.asarray(value), index),
        readings().map(lambda reading: Trial(reading.shapes, (*reading.static, 0.5))),
        Trial(((3, 4),), (*ROWS, np.arange(4))),
        Trial(((),), (..., 0.5)),
        Trial(((0, 3),), (slice(None), 0.5)),
        Trial(((2, 3),), (..., 2)),
        refusals=[
            *((([1.0, 2.0], index, 0.5), error, f"set_at: .*{words}") for index, error, words in REFUSED),
            (([1, 2], 0, 0.5), DtypeError, "set_at: expected a value that converts to x's dtype int64, got float64"),
            (([1.0, 2.0], [0, 1], [1.0, 2.0, 3.0]), ShapeError, "set_at: .*shape mismatch: value array of shape"),
        ],
    ),
    tg.add_at: arrangement(
        lambda x, index, value: added(x, np.asarray(value), index),
        readings().map(lambda reading: Trial(reading.shapes, (*reading.static, 0.5))),
        Trial(((3, 4),), (*ROWS, np.arange(4))),
        Trial(((),), (..., 0.5)),
        Trial(((0, 3),), (slice(None), 0.5)),
        Trial(((2, 3),), (..., 2)),
        refusals=[
            *((([1.0, 2.0], index, 0.5), error, f"add_at: .*{words}") for index, error, words in REFUSED),
            (([1, 2], 0, 0.5), DtypeError, "add_at: expected a value that converts to x's dtype int64, got float64"),
            (([1.0, 2.0], [0, 1], [1.0, 2.0, 3.0]), ShapeError, "add_at: "),
        ],
    ),
    tg.take: Case(
        np.take,
        takings(),
        base=Trial(((3, 4), (2, 3)), (-1,)),
        scalar=Refused(IndexRangeError, ((), ()), (2,)),
        empty=Trial(((0, 3), (2,)), (1,)),
        broadcast=Trial(((3, 4), ()), (0,)),
        draw=numbered,
        more=[
            Trial(((3, 4), (2,)), (None,)),
            Trial(((2, 1), (5,)), (1,), {"mode": "wrap"}),
            Trial(((1, 2), (5,)), (0,), {"mode": "clip"}),
            Trial(((), (2,)), (0,), {"mode": "clip"}),
        ],
        refusals=[
            (([1.0, 2.0], [2]), IndexRangeError, "take: index 2 is out of bounds"),
            (([1.0, 2.0], [0.0]), DtypeError, "take: Cannot cast array data"),
            (([1.0, 2.0], [0], 1), IndexRangeError, "take: axis 1 is out of bounds"),
        ],
    ),
    tg.take_along_axis: Case(
        np.take_along_axis,
        takings_along(),
        base=Trial(((3, 4), (3, 2)), (-1,)),
        scalar=Refused(IndexRangeError, ((), ()), (0,)),
        empty=Trial(((0, 3), (0, 2)), (1,)),
        broadcast=Trial(((3, 4), (1, 3)), (-1,)),
        draw=numbered,
        more=[Trial(((3, 4), (5,)), (None,)), Trial(((3, 1), (2, 4)), (0,)), Trial(((3, 4), (2, 4)), (-2,))],
        refusals=[
            (([[1.0, 2.0]], [[2]]), IndexRangeError, "take_along_axis: index 2 is out of bounds"),
            (([[1.0, 2.0]], [0]), ShapeError, "take_along_axis: `indices` and `arr` must have the same number"),
            (([1.0, 2.0], [0.0]), IndexRangeError, "take_along_axis: `indices` must be an integer array"),
        ],
    ),
    indexing._choose: Case(
        lambda *choices_a_mode: np.choose(choices_a_mode[-2], choices_a_mode[:-2], mode=choices_a_mode[-1]),
        hnp.mutually_broadcastable_shapes(num_shapes=2, base_shape=(2, 3), max_dims=2).map(
            lambda drawn: Trial(drawn.input_shapes, (np.array([[0], [1]]), "raise"))
        ),
        base=Trial(((2, 3), (2, 3)), (np.array([0, 1, 0]), "raise")),
        scalar=Trial(((), ()), (np.array(1), "raise")),
        empty=Trial(((0, 3), (0, 3)), (np.array([0, 1, 0]), "raise")),
        broadcast=Trial(((2, 1), (3,)), (np.array([[[0]], [[1]]]), "raise")),
        draw=anywhere,
        more=[
            Trial(((3,), (2, 1)), (np.array([-1, 5, 2]), "wrap")),
            Trial(((3,), (3,)), (np.array([-1, 5, 0]), "clip")),
        ],
    ),
    tg.choose: Case(
        np.choose,
        choices(),
        base=Trial(((3,), (2, 3))),
        scalar=Refused(DtypeError, ((), (2,))),
        empty=Trial(((3,), (2, 0, 3))),
        broadcast=Trial(((2, 1), (3, 4))),
        draw=choosing,
        more=[Trial(((3,), (2, 3)), options={"mode": "wrap"}), Trial(((3,), (2, 3)), options={"mode": "clip"})],
        constants=(0,),
        refusals=[
            (([0, 2], [[1.0, 1.0], [2.0, 2.0]]), ShapeError, "choose: .*invalid entry in choice array"),
            (([0.0], [[1.0]]), DtypeError, "choose: .*Cannot cast array data"),
        ],
    ),
    tg.compress: Case(
        np.compress,
        conditions(),
        base=Trial(((3,), (3, 4)), (0,)),
        scalar=Refused(ShapeError, ((), ())),
        empty=Trial(((3,), (0, 3)), (1,)),
        broadcast=Trial(((5,), (3, 4))),
        draw=holding,
        constants=(0,),
        refusals=[(([True] * 3, [1.0, 2.0]), IndexRangeError, "compress: .*index 2 is out of bounds")],
    ),
    tg.extract: Case(
        np.extract,
        SHAPES.map(lambda shape: Trial((shape, shape))),
        base=Trial(((3, 4), (3, 4))),
        scalar=Refused(IndexRangeError, ((3,), ())),
        empty=Trial(((0, 3), (0, 3))),
        broadcast=Trial(((4,), (3, 4))),
        draw=holding,
        constants=(0,),
    ),
    tg.flatnonzero: unary(np.flatnonzero),
    tg.argwhere: unary(np.argwhere),
    tg.nonzero: Case(
        np.nonzero,
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4).map(lambda shape: Trial((shape,))),
        base=Trial(((2, 3),)),
        scalar=Refused(ShapeError, ((),)),
        empty=Trial(((0, 3),)),
        broadcast=Trial(((2, 3),)),
        draw=anywhere,
        constants=(0,),
    ),
}

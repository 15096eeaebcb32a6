"""Several arrays joined to one, and one cut into several."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import SHAPES, Case, Refused, Trial, arrangement
from tinygrad_np.errors import ArgumentError, IndexRangeError, ShapeError

SOME = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3)


@st.composite
def joins(draw):
    shape = draw(SOME)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    sides = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    shapes = tuple(tuple(side if i == axis % len(shape) else n for i, n in enumerate(shape)) for side in sides)
    return Trial(shapes, (draw(st.sampled_from([axis, None])),))


@st.composite
def stacks(draw):
    shape, count = draw(SHAPES), draw(st.integers(1, 3))
    return Trial((shape,) * count, (draw(st.integers(-len(shape) - 1, len(shape))),))


def alike(shapes=SHAPES):
    """Several arrays of one shape."""
    return st.tuples(shapes, st.integers(1, 3)).map(lambda drawn: Trial((drawn[0],) * drawn[1]))


def in_a_list(function):
    """NumPy's function of a list, of arrays and the axis that follows."""

    def reference(*given, **options):
        arrays = [a for a in given if isinstance(a, np.ndarray)]
        return function(arrays, *given[len(arrays) :], **options)

    return reference


def joining(function, base, **facts):
    return arrangement(
        in_a_list(function),
        alike(),
        base,
        Trial(((), ())),
        Trial(((0, 3), (0, 3))),
        Refused(ShapeError, ((2, 3), (3, 4, 1))),
        sequence=True,
        **facts,
    )


@st.composite
def cuts(draw, equal, ndim=1, axes=True):
    shape = draw(hnp.array_shapes(min_dims=ndim, max_dims=3, min_side=0, max_side=4))
    axis = (
        draw(st.integers(-len(shape), len(shape) - 1))
        if axes
        else 0
        if ndim == 2
        else min(len(shape), max(ndim, 2)) - 1
    )
    sections = [n for n in range(1, 5) if not equal or shape[axis] % n == 0]
    places = st.lists(st.integers(-5, 5), max_size=3)
    where = draw(st.sampled_from(sections) | places | places.map(tuple) | places.map(lambda p: np.array(p, int)))
    return Trial((shape,), (where, axis) if axes else (where,))


def cutting(function, ndim):
    """`hsplit` and its kin."""
    return arrangement(
        function,
        cuts(True, ndim, axes=False),
        Trial(((2, 2, 4),), (2,)),
        Refused(ShapeError, ((),), (1,)),
        Trial(((0, 0, 0),), (3,)),
        Trial(((3, 3, 3),), ([1],)),
        more=[Trial(((2, 2, 4),), ([1, 0, 9],))],
        refusals=[(([[[1.0] * 3] * 3] * 3, 2), ShapeError, f"^{function.__name__}: array split does not result")],
    )


@st.composite
def deletions(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    length = int(np.prod(shape)) if axis is None else shape[axis]
    index = st.integers(-length, length - 1)
    bools = hnp.arrays(bool, (length,))
    return Trial((shape,), (draw(index | st.lists(index) | st.slices(length) | bools), axis))


def inserting(rng, shapes):
    """Places at which any array of one or more rows takes something in."""
    return [rng.uniform(-2, 2, shapes[0]), rng.integers(-1, 2, shapes[1]), rng.uniform(-2, 2, shapes[2])]


@st.composite
def insertions(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    count = draw(st.integers(2, 3))
    several = () if axis is None else tuple(count if i == axis % len(shape) else n for i, n in enumerate(shape))
    places, values = draw(st.sampled_from([((), ()), ((count,), ()), ((count,), several), ((1,), ())]))
    return Trial((shape, places, values), (axis,))


CASES = {
    tg.concatenate: arrangement(
        in_a_list(np.concatenate),
        joins(),
        Trial(((2, 3), (2, 1)), (1,)),
        Trial(((), ()), (None,)),
        Trial(((0, 3), (2, 3)), (0,)),
        Refused(ShapeError, ((2, 3), (3,)), (0,)),
        more=[
            Trial(((2, 3), (1, 1)), (None,)),
            Trial(((2, 3), (1, 3))),
            Trial(((2, 3), (1, 3)), (0,), {"dtype": "float64", "casting": "safe"}),
        ],
        refusals=[
            (([1.0], [2.0]), ArgumentError, r"expected a list of arrays.*write concatenate\(\[a, b\]\)"),
            ((np.ones((2, 2)), np.ones((2, 2))), ArgumentError, "expected a list of arrays"),
            (([[1.0], [2.0]], 1), IndexRangeError, "axis 1 is out of bounds"),
            (([],), ShapeError, "need at least one array"),
        ],
    ),
    tg.stack: arrangement(
        in_a_list(np.stack),
        stacks(),
        Trial(((2, 3), (2, 3)), (-1,)),
        Trial(((), ()), (0,)),
        Trial(((0, 3), (0, 3)), (1,)),
        Refused(ShapeError, ((2, 3), (3,)), (0,)),
        more=[Trial(((2, 3),) * 3, (1,), {"dtype": "float64", "casting": "safe"})],
        refusals=[(([1.0], [2.0]), ArgumentError, r"expected a list of arrays.*write stack\(\[a, b\]\)")],
    ),
    tg.vstack: joining(
        np.vstack,
        Trial(((3,), (2, 3))),
        more=[Trial(((2, 3, 4), (1, 3, 4)), (), {"dtype": "float64", "casting": "safe"})],
        refusals=[
            ((5.0,), ArgumentError, "vstack: expected a list of arrays, got float"),
            (([1.0], [2.0]), ArgumentError, r"vstack: expected arguments \(arrays"),
            (([[1.0], [[1.0], [1.0, 2.0]]],), ShapeError, "vstack: .*inhomogeneous"),
        ],
    ),
    tg.hstack: joining(
        np.hstack,
        Trial(((2, 1), (2, 3))),
        more=[Trial(((3,), (), (1,))), Trial(((2,), (1,)), (), {"dtype": "float64", "casting": "safe"})],
        refusals=[((5.0,), ArgumentError, "hstack: expected a list of arrays, got float")],
    ),
    tg.dstack: joining(np.dstack, Trial(((2, 3), (2, 3, 2))), more=[Trial(((3,), (1, 3, 1))), Trial(((), ()))]),
    tg.column_stack: joining(
        np.column_stack, Trial(((2,), (2, 3))), more=[Trial(((1, 2, 3), (1, 1, 3))), Trial(((),))]
    ),
    tg.block: joining(
        np.block,
        Trial(((2, 3), (2, 1))),
        more=[Trial(((), (2,)))],
        refusals=[
            (((1.0, 2.0),), ArgumentError, "block: expected lists of arrays, got a tuple of 2"),
            (([[1.0], []],), ArgumentError, r"block: expected lists of arrays, got \[\]"),
            (([[1.0], 2.0],), ShapeError, r"equally deep in lists, got the depths \[1, 0\]"),
        ],
    ),
    tg.append: arrangement(
        np.append,
        alike().filter(lambda trial: len(trial.shapes) == 2),
        Trial(((2, 3), (1, 3)), (0,)),
        Trial(((), ())),
        Trial(((0, 3), (2, 3)), (-2,)),
        Trial(((2, 3), ())),
        refusals=[(([[1.0]], [1.0], 0), ShapeError, "append: concatenate: .*same number of dimensions")],
    ),
    tg.meshgrid: arrangement(
        np.meshgrid,
        st.builds(
            lambda shapes, sparse, indexing: Trial(tuple(shapes), (), {"sparse": sparse, "indexing": indexing}),
            st.lists(hnp.array_shapes(min_dims=0, max_dims=1, min_side=0, max_side=3), min_size=1, max_size=3),
            st.booleans(),
            st.sampled_from(["xy", "ij"]),
        ),
        Trial(((2,), (3,), (2,))),
        Trial(((),)),
        Trial(((0,), (3,))),
        Trial(((2,), ()), (), {"copy": False}),
        more=[Trial(((2,), (3,)), (), options) for options in ({"indexing": "ij"}, {"sparse": True}, {"copy": False})],
    ),
    tg.split: arrangement(
        np.split,
        cuts(True),
        Trial(((2, 4),), (2, -1)),
        Refused(IndexRangeError, ((),), (1,)),
        Trial(((0, 3),), (3, 1)),
        Trial(((4, 3),), ([1, -1],)),
        more=[Trial(((4, 3),), ([3, 1, 9],))],
        refusals=[
            (([1.0, 2.0, 3.0], 2), ShapeError, "split: array split does not result in an equal division"),
            (([1.0, 2.0], 2, 1), IndexRangeError, "split: axis 1 is out of bounds"),
        ],
    ),
    tg.array_split: arrangement(
        np.array_split,
        cuts(False),
        Trial(((2, 5),), (3, -1)),
        Refused(IndexRangeError, ((),), (1,)),
        Trial(((0, 3),), (2, 1)),
        Trial(((4, 3),), ([1, -1],)),
        refusals=[(([1.0, 2.0], 0), ShapeError, "array_split: number sections must be larger than 0")],
    ),
    tg.hsplit: cutting(np.hsplit, 1),
    tg.vsplit: cutting(np.vsplit, 2),
    tg.dsplit: cutting(np.dsplit, 3),
    tg.unstack: arrangement(
        lambda x, axis=0: list(np.moveaxis(x, axis, 0)),
        SOME.filter(lambda shape: shape[-1]).map(lambda shape: Trial((shape,), (), {"axis": -1})),
        Trial(((2, 3),), (), {"axis": 1}),
        Refused(IndexRangeError, ((),)),
        Trial(((2, 0),)),
        Trial(((2, 3),)),
    ),
    tg.delete: arrangement(
        np.delete,
        deletions(),
        Trial(((2, 3),), ([0, -1], 1)),
        Trial(((),), (0,)),
        Trial(((0, 3),), (1, 1)),
        Trial(((2, 3),), (slice(None, None, 2),)),
        more=[Trial(((2, 3),), (1, 0)), Trial(((2, 3),), ([True, False, True], -1))],
        refusals=[
            (([1.0], 1), IndexRangeError, "delete: index 1 is out of bounds"),
            (([1.0], 0, 1), IndexRangeError, "delete: axis 1 is out of bounds"),
        ],
    ),
    tg.insert: Case(
        np.insert,
        insertions(),
        base=Trial(((2, 3), (2,), (2, 3)), (0,)),
        scalar=Trial(((), (), ())),
        empty=Trial(((2, 0), (2,), (1,)), (0,)),
        broadcast=Trial(((2, 3), (), (2,)), (-1,)),
        draw=inserting,
        more=[Trial(((2, 3), (), (2,))), Trial(((2, 3), (), ()), (1,)), Trial(((2, 3), (3,), (2, 3)), (1,))],
        constants=(1,),
        refusals=[(([1.0], 5, 1.0), IndexRangeError, "insert: index 5 is out of bounds")],
    ),
}

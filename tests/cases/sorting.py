"""Order."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import Case, Convention, Refused, Trial, axes_of, distinct
from tinygrad_np.errors import DtypeError, IndexRangeError, ShapeError

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
LINES = SHAPES.flatmap(lambda shape: axes_of(shape, single=True).map(lambda axis: (shape, axis)))


def ordering(reference, trials, base, **facts):
    return Case(
        reference,
        trials,
        base=base,
        scalar=facts.pop("scalar", Refused(IndexRangeError, ((),), base.static)),
        empty=facts.pop("empty", Trial(((2, 0),), base.static)),
        broadcast=Trial(((2, 1, 3),), base.static),
        draw=distinct,
        **facts,
    )


@st.composite
def partitions(draw):
    shape, axis = draw(LINES)
    count = int(np.prod(shape)) if axis is None else shape[axis]
    one = st.integers(-count, count - 1)
    return Trial((shape,), (draw(one | st.lists(one, min_size=1, max_size=3)), axis))


@st.composite
def insertions(draw):
    count, shape = draw(st.integers(0, 5)), draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=4))
    return Trial(((count,), shape), (draw(st.sampled_from(["left", "right"])),))


KEYS = st.tuples(st.integers(1, 3), hnp.array_shapes(max_dims=2, max_side=4)).flatmap(
    lambda drawn: st.integers(-len(drawn[1]), len(drawn[1]) - 1).map(lambda a: Trial((drawn[1],) * drawn[0], (a,)))
)


@st.composite
def uniques(draw):
    shape, axis = draw(LINES)
    return Trial((shape,), (*draw(st.tuples(*[st.booleans()] * 3)), axis))


def ascending_first(rng, shapes):
    a, v = distinct(rng, shapes)
    return [np.sort(a), v]


KINKS = {"zeros": "kink", "ties": "kink"}

CASES = {
    tg.sort: ordering(
        np.sort,
        LINES.map(lambda line: Trial((line[0],), (line[1],))),
        Trial(((3, 4),), (-1,)),
        more=[
            Trial(((3, 4),), (None,)),
            Trial(((3, 2, 2),), (0, "heapsort")),
            Trial(((3, 4),), (-2,), {"stable": True}),
        ],
        **KINKS,
        conventions=[Convention(([2.0, 1.0, 1.0, np.nan],), ([3.0, 1.0, 2.0, 4.0],), seed=[1, 2, 3, 4])],
        refusals=[
            (([1.0, 2.0], 1), IndexRangeError, "sort: axis 1 is out of bounds"),
            (([1.0, 2.0], -1, "bogosort"), ShapeError, "sort: sort kind must be one of"),
        ],
    ),
    tg.partition: ordering(
        np.partition,
        partitions(),
        Trial(((4, 3),), (1, -1)),  # by the middle of three all are in order, whatever NumPy's way is
        more=[
            Trial(((3, 4),), (1,)),
            Trial(((3, 4),), ([2, 7], None)),
            Trial(((5, 2),), (-2, 0), {"kind": "introselect"}),
        ],
        empty=Trial(((0, 2),), (1, -1)),
        **KINKS,
        conventions=[Convention(([2.0, 1.0, 1.0],), ([3.0, 1.0, 2.0],), (1,), seed=[1, 2, 3])],
        refusals=[
            (([1.0, 2.0], 2), ShapeError, "partition: kth.*out of bounds"),
            (([1.0, 2.0], 0.5), DtypeError, "partition: Partition index must be integer"),
        ],
    ),
    tg.argsort: ordering(
        np.argsort,
        LINES.map(lambda line: Trial((line[0],), (line[1],))),
        Trial(((3, 4),), (-1,)),
        more=[Trial(((3, 4),), (None, "stable")), Trial(((3, 4),), (0,), {"stable": True})],
        scalar=Trial(((),), (-1,)),
    ),
    tg.argpartition: ordering(
        np.argpartition,
        partitions(),
        Trial(((3, 4),), (1, -1)),
        more=[Trial(((3, 4),), ([2, 7], None))],
        empty=Trial(((0, 2),), (1, -1)),
        scalar=Trial(((),), (0, -1)),
    ),
    tg.searchsorted: Case(
        np.searchsorted,
        insertions(),
        base=Trial(((5,), (2, 3)), ("left",)),
        scalar=Refused(ShapeError, ((), ()), ("left",)),
        empty=Trial(((0,), (3,)), ("right",)),
        broadcast=Trial(((5,), ()), ("right",)),
        draw=ascending_first,
        more=[Trial(((3,), (4,)), ("right", np.array([1, 0, 2])))],
        refusals=[(([1.0], 0.5, "middle"), ShapeError, "searchsorted: search side")],
    ),
    tg.lexsort: Case(
        lambda *keys_and_axis: np.lexsort(keys_and_axis[:-1], keys_and_axis[-1]),
        KEYS,
        base=Trial(((3, 4), (3, 4)), (-1,)),
        scalar=Trial(((),), (-1,)),
        empty=Trial(((0, 3), (0, 3)), (0,)),
        broadcast=Refused(ShapeError, ((2, 3), (3,)), (-1,)),
        draw=distinct,
    ),
    tg.unique: Case(
        np.unique,
        uniques(),
        base=Trial(((3, 4),)),
        scalar=Trial(((),)),
        empty=Trial(((0, 3),), (True, True, True)),
        broadcast=Trial(((2, 1, 3),), (False, False, True)),
        draw=distinct,
        more=[Trial(((3, 4),), (True, True, True, 1)), Trial(((3, 2),), options={"equal_nan": False})],
        **KINKS,
        conventions=[Convention(([1.0, 2.0, 1.0],), ([1.0, 1.0, 0.0],))],
        refusals=[(([1.0], "yes", False, False, 1), IndexRangeError, "unique: axis 1 is out of bounds")],
    ),
}

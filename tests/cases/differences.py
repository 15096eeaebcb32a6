"""Differences, slopes, interpolation, and sums of products of shifted vectors."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import Case, Convention, Refused, Trial, anywhere, together
from tinygrad_np.errors import ArgumentError, DtypeError, IndexRangeError, RangeError, ShapeError
from tinygrad_np.ops import differences

# --- differences ------------------------------------------------------------------------------------------------------


@st.composite
def differencing(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    ends = draw(st.sampled_from([{}, {"prepend": 0.5}, {"append": 0.5}, {"prepend": 0.5, "append": 2.0}]))
    return Trial((shape,), (draw(st.integers(0, 3)), axis), ends)


ENDED = st.lists(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3), min_size=1, max_size=3)


# --- slopes and areas -------------------------------------------------------------------------------------------------


def points(rng, shapes):
    """Anything, then coordinates at uneven distances and distances off zero."""
    rest = [np.cumsum(rng.uniform(0.3, 1, shape)) if shape else rng.uniform(0.5, 1) for shape in shapes[1:]]
    return [*anywhere(rng, shapes[:1]), *map(np.asarray, rest)]


def middles(rng, shapes):
    return [*anywhere(rng, shapes[:3]), *(rng.uniform(0.3, 1, shape) for shape in shapes[3:])]


def middle_slope(left, middle, right, before, after):
    uneven = (after * ((middle - left) / before) + before * ((right - middle) / after)) / (before + after)
    return np.where(before == after, (right - left) / (2 * before), uneven)


@st.composite
def slopes(draw):
    edge_order = draw(st.sampled_from([1, 2]))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=edge_order + 1, max_side=4))
    some = st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True).map(tuple)
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1) | some)
    return Trial((shape,), tuple(draw(st.sampled_from([(), (0.5,)]))), {"axis": axis, "edge_order": edge_order})


@st.composite
def integrals(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return Trial((shape, draw(st.sampled_from([shape, (shape[axis],)]))), (), {"axis": axis})


# --- between points ---------------------------------------------------------------------------------------------------


def off_points(rng, xs, points):
    """Places between and outside of points, none nearer to one than 0.05."""
    places = [np.concatenate([points - 0.4, points + 0.1]), np.concatenate([points + 0.05, points - 0.05])]
    return rng.choice(np.concatenate(places), xs)


def lines(rng, shapes):
    points = np.cumsum(rng.uniform(0.8, 1.2, shapes[1])) - 2
    return [off_points(rng, shapes[0], points), points, *anywhere(rng, shapes[2:])]


def whole_lines(rng, shapes):
    points = np.arange(shapes[1][0]) - 2
    return [off_points(rng, shapes[0], points), points, *anywhere(rng, shapes[2:])]


PLACES = st.tuples(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4), st.integers(1, 4))

# --- sums of products -------------------------------------------------------------------------------------------------

MODES = st.sampled_from(["full", "same", "valid"])
VECTORS = st.tuples(st.integers(1, 5), st.integers(1, 5), MODES).map(lambda t: Trial(((t[0],), (t[1],)), (t[2],)))
SIZES = [(2, 4), (4, 2), (4, 3), (3, 5), (4, 4), (1, 3)]


def sliding(reference, scalar):
    return Case(
        reference,
        VECTORS,
        base=Trial(((4,), (3,))),
        scalar=scalar,
        empty=Refused(ShapeError, ((0,), (3,))),
        broadcast=Trial(((4,), (1,))),
        draw=anywhere,
        more=[Trial(((n,), (m,)), (mode,)) for n, m in SIZES for mode in ("full", "same", "valid")],
        refusals=[
            (([1.0], [1.0], "middle"), RangeError, "expected the mode 'full', 'same' or 'valid', got 'middle'"),
            (([1.0], []), ShapeError, "empty"),
            ((np.ones((2, 3)), [1.0]), ShapeError, r"(object too deep|expected two vectors).*\(2, 3\)"),
        ],
    )


ALONG = [((4, 3),), ((4, 3), ()), ((4, 3), (4,)), ((3,), (3,))]  # points, and distances or coordinates

CASES = {
    tg.diff: Case(
        np.diff,
        differencing(),
        base=Trial(((3, 4),)),
        scalar=Refused(IndexRangeError, ((),)),
        empty=Trial(((0, 3),), (1, 0)),
        broadcast=Trial(((2, 3),), (2, 0)),
        draw=anywhere,
        more=[
            Trial(((3, 4),), (2, 0), {"prepend": np.array([[1.0, 2.0, 3.0, 4.0]]), "append": 1}),
            Trial(((3, 4),), (0,)),
        ],
        refusals=[
            (([1.0], -1), RangeError, "diff: expected an order n of at least 0, got -1"),
            (([1.0, 2.0], 1, 1), IndexRangeError, "diff: axis 1 is out of bounds"),
        ],
    ),
    tg.ediff1d: Case(
        np.ediff1d,
        ENDED.map(lambda shapes: Trial(tuple(shapes))),
        base=Trial(((2, 3),)),
        scalar=Trial(((),)),
        empty=Trial(((0, 3),)),
        broadcast=Trial(((2, 3), (), (2,))),
        draw=anywhere,
        more=[Trial(((2, 3), (2,))), Trial(((4,), (2, 2), ())), Trial(((4,),), options={"to_begin": 2})],
        refusals=[(([1, 2], 0.5), DtypeError, "ediff1d: expected to_end to convert to ary's dtype int64, got float64")],
    ),
    differences._middle_slope: Case(
        middle_slope,
        together(5),
        base=Trial(((2, 3),) * 5),
        scalar=Trial(((),) * 5),
        empty=Trial(((0, 3),) * 5),
        broadcast=Trial(((2, 3), (2, 3), (2, 3), (3,), (2, 1))),
        draw=middles,
        zeros="pole",
    ),
    tg.gradient: Case(
        np.gradient,
        slopes(),
        base=Trial(((3, 4),)),
        scalar=Refused(IndexRangeError, ((),), options={"axis": 0}),
        empty=Refused(ShapeError, ((0, 3),)),
        broadcast=Trial(((2, 3),), options={"axis": (0, -1)}),
        draw=points,
        more=[
            *(Trial(shapes, (), {"axis": 0, "edge_order": order}) for shapes in ALONG for order in (1, 2)),
            Trial(((3, 4), (3,), (4,))),
            Trial(((3, 4), (), (4,)), options={"edge_order": 2}),
            Trial(((3, 4), ())),
            Trial(((3, 4), (4,), ()), options={"axis": (-1, 0)}),
            Trial(((2, 2), (2,)), options={"axis": 1}),
        ],
        refusals=[
            (([1.0],), ShapeError, r"gradient: expected at least 2 points along axis 0, got f of shape \(1,\)"),
            (([1.0, 2.0], 1.0, 1.0), ArgumentError, "gradient: expected one spacing.* 1 axes, got 2"),
            (([1.0, 2.0], [1.0, 2.0, 3.0]), ShapeError, r"gradient: expected as spacing.*2 coordinates.*\(3,\)"),
        ],
    ),
    tg.trapezoid: Case(
        np.trapezoid,
        integrals(),
        base=Trial(((2, 3), (2, 3))),
        scalar=Refused(IndexRangeError, ((), ())),
        empty=Trial(((0, 3), (0, 3))),
        broadcast=Trial(((2, 3), (3,))),
        draw=anywhere,
        more=(
            Trial(((2, 3), (2,)), (), {"axis": 0}),
            Trial(((3, 2),), (), {"dx": 0.5, "axis": -2}),
            Trial(((4,),)),
        ),
        refusals=[(([1.0, 2.0], [1.0, 2.0, 3.0]), ShapeError, "expected x of 2 points, got 3")],
    ),
    differences._interp: Case(
        np.interp,
        PLACES.map(lambda drawn: Trial((drawn[0], (drawn[1],), (drawn[1],), (), ()))),
        base=Trial(((3, 4), (4,), (4,), (), ())),
        scalar=Refused(ShapeError, ((),) * 5),
        empty=Trial(((0, 3), (2,), (2,), (), ())),
        broadcast=Refused(ShapeError, ((3,), (2,), (1,), (), ())),
        draw=lines,
        more=[Trial(((), (4,), (4,), (), ())), Trial(((3,), (1,), (1,), (), ()))],
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(
                ([0.0, 1.0, 3.0, -1.0, 4.0], [0.0, 1.0, 3.0], [0.0, 1.0, 5.0], 7.0, 8.0),
                ([1.0, 2.0, 2.0, 0.0, 0.0], [-1.0, -2.0, -2.0], [1.0, 1.0, 1.0], 1.0, 1.0),
            ),
            Convention(
                ([1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 1.0, 5.0], 0.0, 0.0), ([0.0] * 2, [0.0] * 3, [0, 0, 2], 0, 0)
            ),
            Convention(([np.inf, -np.inf], [0.0, 1.0], [0.0, 1.0], 0.0, 0.0), ([0.0] * 2, [0.0] * 2, [0.0] * 2, 1, 1)),
        ],
    ),
    tg.interp: Case(
        np.interp,
        PLACES.flatmap(
            lambda drawn: st.sampled_from([(), (0.5,), (None, 0.5), (0.5, 1)]).map(
                lambda ends: Trial((drawn[0], (drawn[1],), (drawn[1],)), ends)
            )
        ),
        base=Trial(((3, 4), (4,), (4,))),
        scalar=Refused(ShapeError, ((),) * 3),
        empty=Trial(((0, 3), (2,), (2,))),
        broadcast=Refused(ShapeError, ((3,), (2,), (1,))),
        draw=whole_lines,
        more=[Trial(((), (2,), (2,))), Trial(((5,), (3,), (3,)), (), {"left": 0.5, "right": -0.5})],
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(([-1.0, 0.0, 5.0], [0.0, 1.0], [2.0, 3.0]), ([0.0, 1.0, 0.0], [-1.0, 0.0], [2.0, 1.0])),
        ],
        refusals=[
            (([1.0], [0.0, 2.0, 1.0], [1.0, 2.0, 3.0]), RangeError, "interp: expected xp in ascending order"),
            (([1.0], [], []), ShapeError, r"interp: expected xp and fp of one shape \(n,\), n > 0, got \(0,\)"),
        ],
    ),
    tg.convolve: sliding(np.convolve, Trial(((), ()))),
    tg.correlate: sliding(np.correlate, Refused(ShapeError, ((), ()))),
}

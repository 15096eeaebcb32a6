"""Differences, slopes, interpolation, and sums of products of shifted vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import ArgumentError, DtypeError, IndexRangeError, RangeError, ShapeError
from tinygrad_np.facts.choices import Choices, Shape
from tinygrad_np.facts.common import Convention, Facts, Refused, Shapes, Trial, anywhere
from tinygrad_np.ops import differences
from tinygrad_np.values import Array

# --- differences ------------------------------------------------------------------------------------------------------


def differencing(some: Choices) -> Trial:
    """An array, an order, an axis, and perhaps entries at its ends."""
    shape = some.shape((1, 3), (0, 4))
    ends = some.pick([{}, {"prepend": 0.5}, {"append": 0.5}, {"prepend": 0.5, "append": 2.0}])
    return Trial((shape,), (some.integer(0, 3), some.axis(shape)), ends)


def ended(some: Choices) -> Trial:
    """An array, and perhaps what comes after and before its differences."""
    return Trial(tuple(some.shape((0, 2), (0, 3)) for _ in range(some.integer(1, 3))))


# --- slopes and areas -------------------------------------------------------------------------------------------------


def points(rng: Generator, shapes: Shapes) -> list[Array]:
    """Anything, then coordinates at uneven distances and distances off zero."""
    rest = [np.cumsum(rng.uniform(0.3, 1, shape)) if shape else rng.uniform(0.5, 1) for shape in shapes[1:]]
    return [*anywhere(rng, shapes[:1]), *map(np.asarray, rest)]


def middles(rng: Generator, shapes: Shapes) -> list[Array]:
    """Three times anything, then distances off zero."""
    return [*anywhere(rng, shapes[:3]), *(rng.uniform(0.3, 1, shape) for shape in shapes[3:])]


def middle_slope(left: Array, middle: Array, right: Array, before: Array, after: Array) -> Array:
    """The definition."""
    uneven = (after * ((middle - left) / before) + before * ((right - middle) / after)) / (before + after)
    out: Array = np.where(before == after, (right - left) / (2 * before), uneven)
    return out


def slopes(some: Choices) -> Trial:
    """An array, perhaps a distance, None, an axis or several, and an order at the ends."""
    order = some.pick([1, 2])
    shape = some.shape((1, 3), (order + 1, 4))
    several = tuple(some.some(range(len(shape)), 1))
    axis = some.pick([None, some.axis(shape), several])
    return Trial((shape,), some.pick([(), (0.5,)]), {"axis": axis, "edge_order": order})


def integrals(some: Choices) -> Trial:
    """An array, coordinates for each entry or along an axis, and this axis."""
    shape = some.shape((1, 3), (1, 4))
    axis = some.axis(shape)
    return Trial((shape, some.pick([shape, (shape[axis],)])), (), {"axis": axis})


# --- between points ---------------------------------------------------------------------------------------------------


def off_points(rng: Generator, shape: Shape, points: Array) -> Array:
    """Places between and outside of points, none nearer to one than 0.05."""
    places = [np.concatenate([points - 0.4, points + 0.1]), np.concatenate([points + 0.05, points - 0.05])]
    return np.asarray(rng.choice(np.concatenate(places), shape))


def lines(rng: Generator, shapes: Shapes) -> list[Array]:
    """Places, points at uneven distances, then anything."""
    points = np.cumsum(rng.uniform(0.8, 1.2, shapes[1])) - 2
    return [off_points(rng, shapes[0], points), points, *anywhere(rng, shapes[2:])]


def whole_lines(rng: Generator, shapes: Shapes) -> list[Array]:
    """Places, points that are integers, then anything."""
    points = np.arange(shapes[1][0]) - 2
    return [off_points(rng, shapes[0], points), points, *anywhere(rng, shapes[2:])]


def between(some: Choices) -> Shapes:
    """Shapes of places, points and their values."""
    count = some.integer(1, 4)
    return some.shape((0, 2), (0, 4)), (count,), (count,)


def between_ends(some: Choices) -> Trial:
    """Places, points, values, and what stands outside, if that is said."""
    return Trial(between(some), some.pick([(), (0.5,), (None, 0.5), (0.5, 1)]))


# --- sums of products -------------------------------------------------------------------------------------------------

MODES = ["full", "same", "valid"]
SIZES = [(2, 4), (4, 2), (4, 3), (3, 5), (4, 4), (1, 3)]


def vectors(some: Choices) -> Trial:
    """Two vectors, and a mode."""
    return Trial(((some.integer(1, 5),), (some.integer(1, 5),)), (some.pick(MODES),))


def sliding(reference: Callable[..., Any], scalar: Trial | Refused, **facts: Any) -> Facts:
    """Sums of products of two vectors, of which one is shifted."""
    return Facts(
        reference,
        vectors,
        base=Trial(((4,), (3,))),
        scalar=scalar,
        empty=Refused(ShapeError, ((0,), (3,))),
        broadcast=Trial(((4,), (1,))),
        draw=anywhere,
        more=[Trial(((n,), (m,)), (mode,)) for n, m in SIZES for mode in MODES],
        refusals=[
            (([1.0], [1.0], "middle"), RangeError, "expected the mode 'full', 'same' or 'valid', got 'middle'"),
            (([1.0], []), ShapeError, "empty"),
            ((np.ones((2, 3)), [1.0]), ShapeError, r"(object too deep|expected two vectors).*\(2, 3\)"),
        ],
        **facts,
    )


ALONG = [((4, 3),), ((4, 3), ()), ((4, 3), (4,)), ((3,), (3,))]  # points, and distances or coordinates

FACTS: dict[object, Facts] = {
    tg.diff: Facts(
        np.diff,
        differencing,
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
    tg.ediff1d: Facts(
        np.ediff1d,
        ended,
        base=Trial(((2, 3),)),
        scalar=Trial(((),)),
        empty=Trial(((0, 3),)),
        broadcast=Trial(((2, 3), (), (2,))),
        draw=anywhere,
        more=[Trial(((2, 3), (2,))), Trial(((4,), (2, 2), ())), Trial(((4,),), options={"to_begin": 2})],
        refusals=[(([1, 2], 0.5), DtypeError, "ediff1d: expected to_end to convert to ary's dtype int64, got float64")],
    ),
    differences._middle_slope: Facts(
        middle_slope,
        lambda some: Trial(some.together(5)),
        base=Trial(((2, 3),) * 5),
        scalar=Trial(((),) * 5),
        empty=Trial(((0, 3),) * 5),
        broadcast=Trial(((2, 3), (2, 3), (2, 3), (3,), (2, 1))),
        draw=middles,
        zeros="pole",
        analytic=True,
    ),
    tg.gradient: Facts(
        np.gradient,
        slopes,
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
    tg.trapezoid: Facts(
        np.trapezoid,
        integrals,
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
    differences._interp: Facts(
        np.interp,
        lambda some: Trial((*between(some), (), ())),
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
    tg.interp: Facts(
        np.interp,
        between_ends,
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
    tg.convolve: sliding(np.convolve, Trial(((), ())), analytic=True),
    tg.correlate: sliding(np.correlate, Refused(ShapeError, ((), ()))),
}

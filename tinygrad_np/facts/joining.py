"""Several arrays joined to one, and one cut into several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import ArgumentError, IndexRangeError, ShapeError
from tinygrad_np.facts.choices import Choices
from tinygrad_np.facts.common import Facts, Refused, Shapes, Trial
from tinygrad_np.values import Array

# --- joined -----------------------------------------------------------------------------------------------------------


def joins(some: Choices) -> Trial:
    """Arrays that differ along one axis, and this axis or None."""
    shape = some.shape((1, 3), (0, 3))
    axis = some.axis(shape)
    sides = [some.integer(0, 3) for _ in range(some.integer(1, 3))]
    shapes = tuple(tuple(side if i == axis % len(shape) else n for i, n in enumerate(shape)) for side in sides)
    return Trial(shapes, (some.pick([axis, None]),))


def stacks(some: Choices) -> Trial:
    """Arrays of one shape, and a place for a new axis."""
    shape = some.shape()
    return Trial((shape,) * some.integer(1, 3), (some.integer(-len(shape) - 1, len(shape)),))


def alike(least: int, most: int) -> Callable[[Choices], Trial]:
    """Several arrays of one shape."""
    return lambda some: Trial((some.shape(),) * some.integer(least, most))


def grids(some: Choices) -> Trial:
    """Vectors and numbers, and options."""
    shapes = tuple(some.shape((0, 1), (0, 3)) for _ in range(some.integer(1, 3)))
    return Trial(shapes, (), {"sparse": some.flag(), "indexing": some.pick(["xy", "ij"])})


def in_a_list(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function of a list, of arrays and the axis that follows."""

    def reference(*given: Any, **options: Any) -> Any:
        arrays = [a for a in given if isinstance(a, np.ndarray)]
        return function(arrays, *given[len(arrays) :], **options)

    return reference


def joining(function: Callable[..., Any], base: Trial, **facts: Any) -> Facts:
    """`vstack` and its kin."""
    return Facts(
        in_a_list(function),
        alike(1, 3),
        base,
        Trial(((), ())),
        Trial(((0, 3), (0, 3))),
        Refused(ShapeError, ((2, 3), (3, 4, 1))),
        sequence=True,
        **facts,
    )


# --- cut --------------------------------------------------------------------------------------------------------------


def sections(some: Choices, length: int, equal: bool = True) -> Any:
    """How many parts, which are equal or not; or the places before which to cut."""
    count = some.pick([n for n in range(1, 5) if not equal or length % n == 0])
    places = [some.integer(-5, 5) for _ in range(some.integer(0, 3))]
    return some.pick([count, places, tuple(places), np.array(places, int)])


def cuts(equal: bool) -> Callable[[Choices], Trial]:
    """An array, sections, and the axis that is cut."""

    def trial(some: Choices) -> Trial:
        shape = some.shape((1, 3), (0, 4))
        axis = some.axis(shape)
        return Trial((shape,), (sections(some, shape[axis], equal), axis))

    return trial


def cutting(function: Callable[..., Any], ndim: int, axis: int) -> Facts:
    """`hsplit` and its kin, of arrays with `ndim` or more axes."""

    def trial(some: Choices) -> Trial:
        shape = some.shape((ndim, 3), (0, 4))
        return Trial((shape,), (sections(some, shape[min(axis, len(shape) - 1)]),))

    return Facts(
        function,
        trial,
        Trial(((2, 2, 4),), (2,)),
        Refused(ShapeError, ((),), (1,)),
        Trial(((0, 0, 0),), (3,)),
        Trial(((3, 3, 3),), ([1],)),
        more=[Trial(((2, 2, 4),), ([1, 0, 9],))],
        refusals=[(([[[1.0] * 3] * 3] * 3, 2), ShapeError, f"^{function.__name__}: array split does not result")],
    )


def parts(some: Choices) -> Trial:
    """An array with entries along its last axis."""
    return Trial(((*some.shape((0, 2), (0, 3)), some.integer(1, 3)),), (), {"axis": -1})


# --- taken out and put in ---------------------------------------------------------------------------------------------


def deletions(some: Choices) -> Trial:
    """An array, an index, some indices, a slice or bools, and None or an axis."""
    shape = some.shape((1, 3), (1, 4))
    axis = some.axes(shape, single=True)
    length = int(np.prod(shape)) if axis is None else shape[axis]
    several = some.numbers(length, (some.integer(0, 4),)).tolist()
    places = [some.integer(-length, length - 1), several, some.slice(length), some.bools((length,))]
    return Trial((shape,), (some.pick(places), axis))


def inserting(rng: Generator, shapes: Shapes) -> list[Array]:
    """Places at which any array of one or more rows takes something in."""
    places = rng.integers(-1, 2, shapes[1])
    return [rng.uniform(-2, 2, shapes[0]), places, rng.uniform(-2, 2, shapes[2])]


def insertions(some: Choices) -> Trial:
    """An array, places, values, and None or an axis."""
    shape = some.shape((1, 3), (1, 4))
    axis = some.axes(shape, single=True)
    count = some.integer(2, 3)
    several = () if axis is None else tuple(count if i == axis % len(shape) else n for i, n in enumerate(shape))
    places, values = some.pick([((), ()), ((count,), ()), ((count,), several), ((1,), ())])
    return Trial((shape, places, values), (axis,))


FACTS: dict[object, Facts] = {
    tg.concatenate: Facts(
        in_a_list(np.concatenate),
        joins,
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
    tg.stack: Facts(
        in_a_list(np.stack),
        stacks,
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
    tg.append: Facts(
        np.append,
        alike(2, 2),
        Trial(((2, 3), (1, 3)), (0,)),
        Trial(((), ())),
        Trial(((0, 3), (2, 3)), (-2,)),
        Trial(((2, 3), ())),
        refusals=[(([[1.0]], [1.0], 0), ShapeError, "append: concatenate: .*same number of dimensions")],
    ),
    tg.meshgrid: Facts(
        np.meshgrid,
        grids,
        Trial(((2,), (3,), (2,))),
        Trial(((),)),
        Trial(((0,), (3,))),
        Trial(((2,), ()), (), {"copy": False}),
        more=[Trial(((2,), (3,)), (), options) for options in ({"indexing": "ij"}, {"sparse": True}, {"copy": False})],
    ),
    tg.split: Facts(
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
    tg.array_split: Facts(
        np.array_split,
        cuts(False),
        Trial(((2, 5),), (3, -1)),
        Refused(IndexRangeError, ((),), (1,)),
        Trial(((0, 3),), (2, 1)),
        Trial(((4, 3),), ([1, -1],)),
        refusals=[(([1.0, 2.0], 0), ShapeError, "array_split: number sections must be larger than 0")],
    ),
    tg.hsplit: cutting(np.hsplit, ndim=1, axis=1),
    tg.vsplit: cutting(np.vsplit, ndim=2, axis=0),
    tg.dsplit: cutting(np.dsplit, ndim=3, axis=2),
    tg.unstack: Facts(
        lambda x, axis=0: list(np.moveaxis(x, axis, 0)),
        parts,
        Trial(((2, 3),), (), {"axis": 1}),
        Refused(IndexRangeError, ((),)),
        Trial(((2, 0),)),
        Trial(((2, 3),)),
    ),
    tg.delete: Facts(
        np.delete,
        deletions,
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
    tg.insert: Facts(
        np.insert,
        insertions,
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

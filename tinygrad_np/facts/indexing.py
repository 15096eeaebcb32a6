"""Entries by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import DtypeError, IndexRangeError, ShapeError
from tinygrad_np.facts.choices import Choices, Shape
from tinygrad_np.facts.common import Facts, Refused, Shapes, Trial, anywhere, unary
from tinygrad_np.facts.shape import linear
from tinygrad_np.ops import indexing
from tinygrad_np.values import Array

# --- any index --------------------------------------------------------------------------------------------------------


def indexed(some: Choices) -> tuple[Shape, Any, Shape]:
    """A shape, an index into it, and the shape of what the index reads."""
    shape = some.shape()
    index = some.index(shape)
    return shape, index, np.empty(shape)[index].shape


def readings(some: Choices) -> Trial:
    """An array, and an index."""
    shape, index, _ = indexed(some)
    return Trial((shape,), (index,))


def scatterings(some: Choices) -> Trial:
    """An array, where it goes, and the shape that it goes into."""
    shape, index, picked = indexed(some)
    return Trial((picked,), (index, shape))


def settings(some: Choices) -> Trial:
    """An array, an index, and a number to put there."""
    shape, index, _ = indexed(some)
    return Trial((shape,), (index, 0.5))


def writings(more: int) -> Callable[[Choices], Trial]:
    """An array and a value that broadcasts to what the index reads, with up to `more` axes in front."""

    def trial(some: Choices) -> Trial:
        shape, index, picked = indexed(some)
        value = some.narrower(picked)
        ahead = (1,) * some.integer(0, more) if picked and len(value) == len(picked) else ()
        return Trial((shape, ahead + value), (index,))

    return trial


def flat(x: Array, value: Array, index: Any) -> tuple[Array, Array, Array]:
    """A copy of `x`, the places in it that the index names, in C order, and the value for each."""
    places = np.arange(x.size).reshape(x.shape)[index]
    value = value.reshape(value.shape[max(0, value.ndim - places.ndim) :])
    return x.copy().reshape(-1), places.reshape(-1), np.broadcast_to(value, places.shape).reshape(-1)


def written(x: Array, value: Array, index: Any) -> Array:
    """The definition: one entry after the other is put in."""
    out, places, entries = flat(x, value, index)
    for place, entry in zip(places, entries, strict=True):
        out[place] = entry
    return out.reshape(x.shape)


def added(x: Array, value: Array, index: Any) -> Array:
    """The definition: one entry after the other is added."""
    out, places, entries = flat(x, value, index)
    for place, entry in zip(places, entries, strict=True):
        out[place] += entry
    return out.reshape(x.shape)


def scattered(x: Array, index: Any, shape: Shape) -> Array:
    """The definition."""
    return added(np.zeros(shape, x.dtype), x, index)


REFUSED: list[tuple[Any, type[Exception], str]] = [
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
INDICES: list[tuple[Any]] = [ROWS, MASK, CROSS, APART, SLICED, ((),), ((True, ..., [0, 0]),)]


def writing(reference: Callable[..., Any], *more: Trial) -> Facts:
    """A value put at, or added to, what an index reads."""
    return Facts(
        reference,
        writings(len(more)),
        base=Trial(((3, 4), (3, 4)), ROWS),
        scalar=Trial(((), ()), (...,)),
        empty=Trial(((0, 3), (0, 3)), (slice(None),)),
        broadcast=Trial(((3, 4), ()), ROWS),
        more=[
            *(Trial(((3, 4), np.empty((3, 4))[index].shape), (index,)) for (index,) in INDICES),
            *more,
        ],
        analytic=True,
    )


# --- along an axis ----------------------------------------------------------------------------------------------------


def numbered(rng: Generator, shapes: Shapes) -> list[Array]:
    """Anything, then numbers from -2 to 1."""
    return [*anywhere(rng, shapes[:1]), *(rng.integers(-2, 2, shape) for shape in shapes[1:])]


def choosing(rng: Generator, shapes: Shapes) -> list[Array]:
    """Numbers 0 and 1, then anything."""
    return [rng.integers(0, 2, shapes[0]), *anywhere(rng, shapes[1:])]


def holding(rng: Generator, shapes: Shapes) -> list[Array]:
    """Bools, then anything."""
    return [rng.integers(0, 2, shapes[0]).astype(bool), *anywhere(rng, shapes[1:])]


def takings(some: Choices) -> Trial:
    """An array with two entries or more along each axis, indices, None or an axis, and a mode."""
    shape = some.shape((1, 3), (2, 4))
    mode = some.pick(["raise", "wrap", "clip"])
    return Trial((shape, some.shape()), (some.axes(shape, single=True),), {"mode": mode})


def takings_along(some: Choices) -> Trial:
    """An array, indices that broadcast to it along all axes but one, and that axis."""
    shape = some.shape((1, 3), (2, 4))
    axis = some.axis(shape)
    many = [some.integer(0, 3) if i == axis % len(shape) else n for i, n in enumerate(shape)]
    ones = [n if i == axis % len(shape) or some.flag() else 1 for i, n in enumerate(many)]
    return Trial((shape, tuple(ones)), (axis,))


def one_of_two(some: Choices) -> Trial:
    """Two arrays that broadcast to two rows of three."""
    return Trial((some.narrower((2, 3)), some.narrower((2, 3))), (np.array([[0], [1]]), "raise"))


def one_of_several(some: Choices) -> Trial:
    """Numbers, and two or three arrays in one to choose from."""
    numbers, shape = some.together(2, 2)
    return Trial((numbers, (some.integer(2, 3), *shape)))


def conditions(some: Choices) -> Trial:
    """Bools for some places or all, an array, and None or an axis."""
    shape = some.shape((1, 3), (0, 4))
    axis = some.axes(shape, single=True)
    count = int(np.prod(shape)) if axis is None else shape[axis]
    return Trial(((some.integer(0, count),), shape), (axis,))


def alike(some: Choices) -> Trial:
    """Two arrays of one shape."""
    return Trial((some.shape(),) * 2)


FACTS: dict[object, Facts] = {
    tg.getitem: linear(
        lambda x, index: x[index],
        readings,
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
    tg.scatter_add: linear(
        scattered,
        scatterings,
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
    tg.set_at: Facts(
        lambda x, index, value: written(x, np.asarray(value), index),
        settings,
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
    tg.add_at: Facts(
        lambda x, index, value: added(x, np.asarray(value), index),
        settings,
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
    tg.take: Facts(
        np.take,
        takings,
        base=Trial(((3, 4), (2, 3)), (-1,)),
        scalar=Refused(IndexRangeError, ((), ()), (2,)),
        empty=Trial(((0, 3), (2,)), (1,)),
        broadcast=Trial(((3, 4), ()), (0,)),
        draw=numbered,
        analytic=True,
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
    tg.take_along_axis: Facts(
        np.take_along_axis,
        takings_along,
        base=Trial(((3, 4), (3, 2)), (-1,)),
        scalar=Refused(IndexRangeError, ((), ()), (0,)),
        empty=Trial(((0, 3), (0, 2)), (1,)),
        broadcast=Trial(((3, 4), (1, 3)), (-1,)),
        draw=numbered,
        analytic=True,
        more=[Trial(((3, 4), (5,)), (None,)), Trial(((3, 1), (2, 4)), (0,)), Trial(((3, 4), (2, 4)), (-2,))],
        refusals=[
            (([[1.0, 2.0]], [[2]]), IndexRangeError, "take_along_axis: index 2 is out of bounds"),
            (([[1.0, 2.0]], [0]), ShapeError, "take_along_axis: `indices` and `arr` must have the same number"),
            (([1.0, 2.0], [0.0]), IndexRangeError, "take_along_axis: `indices` must be an integer array"),
        ],
    ),
    indexing._choose: Facts(
        lambda *choices_a_mode: np.choose(choices_a_mode[-2], choices_a_mode[:-2], mode=choices_a_mode[-1]),
        one_of_two,
        base=Trial(((2, 3), (2, 3)), (np.array([0, 1, 0]), "raise")),
        scalar=Trial(((), ()), (np.array(1), "raise")),
        empty=Trial(((0, 3), (0, 3)), (np.array([0, 1, 0]), "raise")),
        broadcast=Trial(((2, 1), (3,)), (np.array([[[0]], [[1]]]), "raise")),
        more=[
            Trial(((3,), (2, 1)), (np.array([-1, 5, 2]), "wrap")),
            Trial(((3,), (3,)), (np.array([-1, 5, 0]), "clip")),
        ],
        analytic=True,
    ),
    tg.choose: Facts(
        np.choose,
        one_of_several,
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
    tg.compress: Facts(
        np.compress,
        conditions,
        base=Trial(((3,), (3, 4)), (0,)),
        scalar=Refused(ShapeError, ((), ())),
        empty=Trial(((3,), (0, 3)), (1,)),
        broadcast=Trial(((5,), (3, 4))),
        draw=holding,
        constants=(0,),
        refusals=[(([True] * 3, [1.0, 2.0]), IndexRangeError, "compress: .*index 2 is out of bounds")],
    ),
    tg.extract: Facts(
        np.extract,
        alike,
        base=Trial(((3, 4), (3, 4))),
        scalar=Refused(IndexRangeError, ((3,), ())),
        empty=Trial(((0, 3), (0, 3))),
        broadcast=Trial(((4,), (3, 4))),
        draw=holding,
        constants=(0,),
    ),
    tg.flatnonzero: unary(np.flatnonzero),
    tg.argwhere: unary(np.argwhere),
    tg.nonzero: Facts(
        np.nonzero,
        lambda some: Trial((some.shape((1, 3), (0, 4)),)),
        base=Trial(((2, 3),)),
        scalar=Refused(ShapeError, ((),)),
        empty=Trial(((0, 3),)),
        broadcast=Trial(((2, 3),)),
        constants=(0,),
    ),
}

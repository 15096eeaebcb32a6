"""Order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import DtypeError, IndexRangeError, ShapeError
from tinygrad_np.facts.choices import Choices
from tinygrad_np.facts.common import FULL, Convention, Facts, Refused, Shapes, Trial, distinct
from tinygrad_np.values import Array


def ordering(reference: Callable[..., Any], trial: Callable[[Choices], Trial], base: Trial, **facts: Any) -> Facts:
    """A function of one array, whose entries all differ."""
    return Facts(
        reference,
        trial,
        base=base,
        scalar=facts.pop("scalar", Refused(IndexRangeError, ((),), base.static)),
        empty=facts.pop("empty", Trial(((2, 0),), base.static)),
        broadcast=Trial(((2, 1, 3),), base.static),
        draw=distinct,
        **facts,
    )


def lines(some: Choices) -> Trial:
    """An array, and None or an axis."""
    shape = some.shape((1, 3), FULL)
    return Trial((shape,), (some.axes(shape, single=True),))


def partitions(some: Choices) -> Trial:
    """An array, one place or several, and None or an axis."""
    shape = some.shape((1, 3), FULL)
    axis = some.axes(shape, single=True)
    count = int(np.prod(shape)) if axis is None else shape[axis]
    places = some.numbers(count, (some.integer(1, 3),)).tolist()
    return Trial((shape,), (some.pick([places[0], places]), axis))


def insertions(some: Choices) -> Trial:
    """A vector, an array, and a side."""
    return Trial(((some.integer(0, 5),), some.shape((0, 2), FULL)), (some.pick(["left", "right"]),))


def keys(some: Choices) -> Trial:
    """Arrays of one shape, and an axis."""
    shape = some.shape((1, 2), FULL)
    return Trial((shape,) * some.integer(1, 3), (some.axis(shape),))


def uniques(some: Choices) -> Trial:
    """An array, which of the further results to return, and None or an axis."""
    shape = some.shape((1, 3), FULL)
    return Trial((shape,), (some.flag(), some.flag(), some.flag(), some.axes(shape, single=True)))


def ascending_first(rng: Generator, shapes: Shapes) -> list[Array]:
    """A vector in order, then an array."""
    a, v = distinct(rng, shapes)
    return [np.sort(a), v]


KINKS: dict[str, Any] = {"zeros": "kink", "ties": "kink"}

FACTS: dict[object, Facts] = {
    tg.sort: ordering(
        np.sort,
        lines,
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
        partitions,
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
        lines,
        Trial(((3, 4),), (-1,)),
        more=[Trial(((3, 4),), (None, "stable")), Trial(((3, 4),), (0,), {"stable": True})],
        scalar=Trial(((),), (-1,)),
    ),
    tg.argpartition: ordering(
        np.argpartition,
        partitions,
        Trial(((3, 4),), (1, -1)),
        more=[Trial(((3, 4),), ([2, 7], None))],
        empty=Trial(((0, 2),), (1, -1)),
        scalar=Trial(((),), (0, -1)),
    ),
    tg.searchsorted: Facts(
        np.searchsorted,
        insertions,
        base=Trial(((5,), (2, 3)), ("left",)),
        scalar=Refused(ShapeError, ((), ()), ("left",)),
        empty=Trial(((0,), (3,)), ("right",)),
        broadcast=Trial(((5,), ()), ("right",)),
        draw=ascending_first,
        more=[Trial(((3,), (4,)), ("right", np.array([1, 0, 2])))],
        refusals=[(([1.0], 0.5, "middle"), ShapeError, "searchsorted: search side")],
    ),
    tg.lexsort: Facts(
        lambda *keys_and_axis: np.lexsort(keys_and_axis[:-1], keys_and_axis[-1]),
        keys,
        base=Trial(((3, 4), (3, 4)), (-1,)),
        scalar=Trial(((),), (-1,)),
        empty=Trial(((0, 3), (0, 3)), (0,)),
        broadcast=Refused(ShapeError, ((2, 3), (3,)), (-1,)),
        draw=distinct,
    ),
    tg.unique: Facts(
        np.unique,
        uniques,
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

"""The same entries in another arrangement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinygrad_np as tg
from tinygrad_np.errors import DtypeError, IndexRangeError, RangeError, ShapeError
from tinygrad_np.facts.choices import Choices, Shape
from tinygrad_np.facts.common import Convention, Facts, Refused, Trial, any_shape, with_axis
from tinygrad_np.ops.shape import _full_like
from tinygrad_np.values import Array

# --- what to draw -----------------------------------------------------------------------------------------------------


def reshapes(some: Choices) -> Trial:
    """An array, a shape of as many entries or -1, and an order."""
    shape = some.shape()
    other = tuple(some.order(shape))
    return Trial((shape,), (-1 if 0 not in shape and some.flag() else other, some.pick("CF")))


def permutations(some: Choices) -> Trial:
    """An array, and None or all its axes in any order."""
    shape = some.shape()
    axes = some.order(range(len(shape)))
    return Trial((shape,), (some.pick([None, tuple(axes), tuple(a - len(shape) for a in axes)]),))


def rows(some: Choices) -> Trial:
    """An array that has a first axis."""
    return Trial((some.shape((1, 4), (0, 3)),))


def swaps(some: Choices) -> Trial:
    """An array, and two of its axes."""
    shape = some.shape((1, 4), (0, 3))
    return Trial((shape,), (some.axis(shape), some.axis(shape)))


def widenings(some: Choices) -> Trial:
    """An array, and a shape that it broadcasts to."""
    shape = some.shape()
    return Trial((some.narrower(shape),), (shape,))


def narrowings(some: Choices) -> Trial:
    """An array, and a shape that broadcasts to its own."""
    shape = some.shape()
    return Trial((shape,), (some.narrower(shape),))


def fillings(some: Choices) -> Trial:
    """An array, and another that broadcasts to its shape."""
    shape = some.shape()
    return Trial((shape, some.narrower(shape)))


def orders(some: Choices) -> Trial:
    """An array, and an order."""
    return Trial((some.shape(),), (some.pick("CF"),))


def squeezes(some: Choices) -> Trial:
    """An array, and None, one or several of its axes with one entry."""
    shape = some.shape((0, 4), (0, 2))
    ones = [i for i, n in enumerate(shape) if n == 1]
    return Trial((shape,), (some.pick([None, tuple(some.some(ones)), *ones]),))


def expansions(some: Choices) -> Trial:
    """An array, and a place for a new axis, or two."""
    shape = some.shape()
    ndim = len(shape)
    two = tuple(some.some(range(ndim + 2), 2, 2))
    return Trial((shape,), (some.pick([some.integer(-ndim - 1, ndim), two]),))


def moves(some: Choices) -> Trial:
    """An array, axes of it, and as many places for them."""
    shape = some.shape((1, 4), (0, 3))
    source = some.some(range(len(shape)))
    target = some.some(range(len(shape)), len(source), len(source))
    return Trial((shape,), (source, [axis - len(shape) for axis in target]))


def rolled_axes(some: Choices) -> Trial:
    """An array, an axis, and the axis before which it goes."""
    shape = some.shape((1, 4), (0, 3))
    return Trial((shape,), (some.axis(shape), some.integer(-len(shape), len(shape))))


def rolls(some: Choices) -> Trial:
    """An array, a shift and None or an axis; or several of both."""
    shape = some.shape()
    if not shape or some.flag():
        return Trial((shape,), (some.integer(-5, 5), some.axes(shape, single=True)))
    count = some.integer(1, 3)
    shifts, axes = zip(*((some.integer(-5, 5), some.axis(shape)) for _ in range(count)), strict=True)
    return Trial((shape,), (shifts, axes))


def turns(some: Choices) -> Trial:
    """An array, a number of quarters, and two axes."""
    shape = some.shape((2, 4), (0, 3))
    first, second = some.some(range(len(shape)), 2, 2)
    return Trial((shape,), (some.integer(-5, 5), (first, second - len(shape))))


def several(some: Choices) -> Trial:
    """Arrays of any shapes."""
    return Trial(tuple(some.shape() for _ in range(some.integer(1, 3))))


# --- references that NumPy does not have under one name ---------------------------------------------------------------


def summed_to(x: Array, shape: Shape) -> Array:
    """The definition: each entry is added to the one that broadcasting would have made it of."""
    out = np.zeros(shape, x.dtype)
    for place in np.ndindex(*x.shape):
        kept = place[x.ndim - len(shape) :]
        out[tuple(i if n > 1 else 0 for i, n in zip(kept, shape, strict=True))] += x[place]
    return out


# --- families ---------------------------------------------------------------------------------------------------------


def linear(
    reference: Callable[..., Any],
    trial: Callable[[Choices], Trial],
    base: Trial,
    scalar: Trial | Refused,
    empty: Trial | Refused,
    broadcast: Trial | Refused,
    **facts: Any,
) -> Facts:
    """A primitive that moves, repeats or adds up entries."""
    return Facts(reference, trial, base, scalar, empty, broadcast, analytic=True, **facts)


def at_least(reference: Callable[..., Any]) -> Facts:
    """Each of several arrays with so many axes."""
    return Facts(
        reference, several, Trial(((2,), ())), Trial(((),)), Trial(((0, 3),)), Trial(((2, 1, 3), (4,), (2, 3)))
    )


def two_sided(reference: Callable[..., Any], refused: Sequence[tuple[tuple[Any, ...], type[Exception], str]]) -> Facts:
    """A flip along a certain axis, or an exchange of certain axes."""
    return linear(
        reference,
        lambda some: Trial((some.shape((2, 4), (0, 3)),)),
        Trial(((2, 3, 2),)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3),)),
        Trial(((2, 3),)),
        refusals=refused,
    )


def constant(reference: Callable[..., Any]) -> Facts:
    """An array like another, whose entries do not matter."""
    return Facts(
        reference,
        any_shape,
        Trial(((2, 3),)),
        Trial(((),), ("float32",)),
        Trial(((0, 3),)),
        Trial(((2, 3),), (int,), {"shape": (4,)}),
    )


def full_likes(name: str, **facts: Any) -> Facts:
    """An array like another, filled with one that broadcasts to it."""
    return Facts(
        np.full_like,
        fillings,
        Trial(((2, 3), (3,))),
        Trial(((), ())),
        Trial(((0, 3), ())),
        Trial(((2, 3), (1, 1, 3))),
        more=[Trial(((2, 3), (2, 1)), (), {"dtype": "float64"}), Trial(((2, 3), ()), (), {"shape": (4,)})],
        refusals=[(([1.0, 2.0], [1.0, 2.0, 3.0]), ShapeError, f"{name}: .*could not broadcast")],
        **facts,
    )


FACTS: dict[object, Facts] = {
    tg.reshape: linear(
        np.reshape,
        reshapes,
        Trial(((2, 3),), ((3, 2),)),
        Trial(((),), ((1, 1),)),
        Trial(((0, 3),), ((3, 0),)),
        Trial(((2, 3),), (-1,)),
        more=[Trial(((2, 3, 4),), ((4, -1), "F"))],
        refusals=[
            (([1.0, 2.0], (3,)), ShapeError, "reshape: cannot reshape.*shape="),
            (([1.0, 2.0], (2,), "A"), RangeError, "reshape: expected order 'C' or 'F', got 'A'"),
        ],
    ),
    tg.flatten: linear(
        lambda x: np.reshape(x, (len(x), int(np.prod(x.shape[1:])))),
        rows,
        Trial(((2, 3, 4),)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3, 2),)),
        Trial(((2, 3, 4),)),
    ),
    tg.transpose: linear(
        np.transpose,
        permutations,
        Trial(((2, 3, 4),), ((2, 0, 1),)),
        Trial(((),), (None,)),
        Trial(((0, 3),), (None,)),
        Trial(((2, 3),), ((-1, 0),)),
        more=[Trial(((3,),), (0,))],
        refusals=[(([[1.0]], (0, 0)), ShapeError, "transpose: repeated axis")],
    ),
    tg.swapaxes: linear(
        np.swapaxes,
        swaps,
        Trial(((2, 3, 4),), (0, -1)),
        Refused(IndexRangeError, ((),), (0, 1)),
        Trial(((0, 3),), (0, 1)),
        Trial(((2, 3),), (0, 1)),
    ),
    tg.broadcast_to: linear(
        np.broadcast_to,
        widenings,
        Trial(((3, 1),), ((2, 3, 4),)),
        Trial(((),), ((2, 3),)),
        Trial(((0, 1),), ((0, 3),)),
        Trial(((2, 3),), ((2, 2, 3),)),
        refusals=[(([1.0, 2.0], (3,)), ShapeError, "broadcast_to: ")],
    ),
    tg.sum_to: linear(
        summed_to,
        narrowings,
        Trial(((2, 3, 4),), ((3, 1),)),
        Trial(((),), ((),)),
        Trial(((0, 3),), ((3,),)),
        Trial(((2, 3),), ((3,),)),
        refusals=[
            (([1.0, 2.0], (3,)), ShapeError, r"expected a shape that broadcasts to x's \(2,\), got \(3,\)"),
            (([1.0, 2.0], (1, 2)), ShapeError, "sum_to: expected a shape"),
        ],
    ),
    tg.astype: Facts(
        lambda x, dtype, copy=True: x.astype(dtype, copy=copy),
        lambda some: Trial((some.shape(),), ("float64",)),
        Trial(((2, 3),), ("float64",)),
        Trial(((),), ("float64",)),
        Trial(((0, 3),), ("float64",)),
        Trial(((2, 3),), ("float64",)),
        more=[Trial(((2, 3),), ("float64",), {"copy": False})],
        conventions=[Convention(([1.5, 2.5],), ([1.0, 1.0],), ("float32",))],
    ),
    tg.copy: linear(
        np.copy,
        any_shape,
        Trial(((2, 3),)),
        Trial(((),)),
        Trial(((0, 3),)),
        Trial(((2, 3),), ("F",)),
    ),
    tg.ravel: linear(
        np.ravel,
        orders,
        Trial(((2, 3, 4),), ("F",)),
        Trial(((),)),
        Trial(((0, 3),), ("F",)),
        Trial(((2, 3),)),
        refusals=[(([1.0], "K"), RangeError, "ravel: expected order 'C' or 'F', got 'K'")],
    ),
    tg.squeeze: linear(
        np.squeeze,
        squeezes,
        Trial(((2, 1, 3, 1),), (1,)),
        Trial(((),)),
        Trial(((0, 1),)),
        Trial(((1, 2, 1),), ((0, -1),)),
        refusals=[
            (([[1.0, 2.0]], 1), ShapeError, "squeeze: .*size not equal to one"),
            (([[1.0, 2.0]], 2), IndexRangeError, "squeeze: axis 2 is out of bounds"),
        ],
    ),
    tg.expand_dims: linear(
        np.expand_dims,
        expansions,
        Trial(((2, 3),), ((0, -1),)),
        Trial(((),), (0,)),
        Trial(((0, 3),), (1,)),
        Trial(((2, 3),), (-1,)),
        refusals=[(([1.0], 3), IndexRangeError, "expand_dims: axis 3 is out of bounds")],
    ),
    tg.atleast_1d: at_least(np.atleast_1d),
    tg.atleast_2d: at_least(np.atleast_2d),
    tg.atleast_3d: at_least(np.atleast_3d),
    tg.matrix_transpose: two_sided(np.matrix_transpose, [(([1.0],), ShapeError, "matrix_transpose: ")]),
    tg.fliplr: two_sided(np.fliplr, [(([1.0],), ShapeError, "fliplr: Input must be >= 2-d")]),
    tg.flipud: two_sided(np.flipud, [((1.0,), ShapeError, "flipud: Input must be >= 1-d")]),
    tg.moveaxis: linear(
        np.moveaxis,
        moves,
        Trial(((2, 3, 4),), ((0, 1), (-1, 0))),
        Refused(IndexRangeError, ((),), (0, 0)),
        Trial(((0, 3),), (0, 1)),
        Trial(((2, 3),), (0, -1)),
        refusals=[(([[1.0]], (0, 1), 0), ShapeError, "moveaxis: .*same number of elements")],
    ),
    tg.rollaxis: linear(
        np.rollaxis,
        rolled_axes,
        Trial(((2, 3, 4),), (2,)),
        Refused(IndexRangeError, ((),), (0,)),
        Trial(((0, 3),), (1, 0)),
        Trial(((2, 3),), (0, 2)),
        more=[Trial(((2, 3, 4),), (-3, -1)), Trial(((2, 3, 4),), (1, 1))],
    ),
    tg.flip: linear(
        np.flip,
        with_axis,
        Trial(((2, 3),), (-1,)),
        Trial(((),)),
        Trial(((0, 3),), (1,)),
        Trial(((2, 3),), ((0, 1),)),
        refusals=[(([1.0], 3), IndexRangeError, "flip: axis 3 is out of bounds")],
    ),
    tg.roll: linear(
        lambda x, shift, axis=None: np.roll(x, np.asarray(shift).tolist(), axis),
        rolls,
        Trial(((2, 3),), ((1, 2), (0, -1))),
        Trial(((),), (3,)),
        Trial(((0, 3),), (1, 1)),
        Trial(((2, 3),), (np.uint8(2), 1)),
        more=[Trial(((2, 3),), (2,)), Trial(((2, 3),), (1, (0, 1))), Trial(((2, 3),), ((1, 1), 1))],
        refusals=[(([1.0], 1, 3), IndexRangeError, "roll: axis 3 is out of bounds")],
    ),
    tg.rot90: linear(
        np.rot90,
        turns,
        Trial(((2, 3),), (1,)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3),)),
        Trial(((2, 3, 4),), (-1, (2, 0))),
        more=[Trial(((2, 3),), (k,)) for k in (0, 2, 7)],
        refusals=[
            (([[1.0]], 0.5), DtypeError, "rot90: 'float' object cannot be interpreted"),
            (([[1.0]], 1, (0, 0)), ShapeError, "rot90: Axes must be different"),
        ],
    ),
    tg.broadcast_arrays: Facts(
        np.broadcast_arrays,
        lambda some: Trial(some.together(3)),
        Trial(((2, 1), (3,), ())),
        Trial(((),)),
        Trial(((0, 3), (3,))),
        Trial(((2, 1, 3), (4, 1), ())),
        refusals=[(([1.0, 2.0], [1.0, 2.0, 3.0]), ShapeError, "broadcast_arrays: shape mismatch")],
    ),
    tg.zeros_like: constant(np.zeros_like),
    tg.ones_like: constant(np.ones_like),
    _full_like: full_likes("_full_like"),
    tg.full_like: full_likes("full_like", constants=(0,)),
}

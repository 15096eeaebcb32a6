"""Many entries to one, and scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinygrad_np as tg
from tinygrad_np.errors import ArgumentError, IndexRangeError, ShapeError
from tinygrad_np.facts.choices import Choices
from tinygrad_np.facts.common import FULL, Convention, Facts, Refused, Trial, anywhere, distinct, softmaxed
from tinygrad_np.ops.reductions import _linear_recurrence, _weights
from tinygrad_np.values import Array

MASK = np.array([[True, False, True], [True, True, False]])
ROW = np.array([True, False, True])
LONG = np.longdouble


def reductions(
    sides: tuple[int, int], single: bool = False, masks: bool = False, **extra: Any
) -> Callable[[Choices], Trial]:
    """An axis and keepdims=, and perhaps where=, of the array's shape or its last axis alone."""

    def drawn(some: Choices) -> Trial:
        shape = some.shape(sides=sides)
        options = {**extra, "keepdims": some.flag()}
        if masks:
            kept = some.pick([shape, shape[-1:], (1,) * len(shape)])
            options["where"] = some.bools(kept) if some.flag() else True
        return Trial((shape,), (some.axes(shape, single),), options)

    return drawn


def scans(some: Choices) -> Trial:
    """An array, and None or an axis."""
    shape = some.shape()
    return Trial((shape,), (some.axes(shape, single=True),))


def reduction(
    reference: Callable[..., Any],
    empty: Trial | Refused,
    draw: Any = anywhere,
    sides: tuple[int, int] = (0, 4),
    single: bool = False,
    masks: bool = False,
    extra: dict[str, Any] | None = None,
    more: Sequence[Trial] = (),
    derived: bool = False,
    **facts: Any,
) -> Facts:
    """A function that takes many entries to one; `extra` are options that every trial has."""
    wrong_axis = (([1.0, 2.0], 3), IndexRangeError, "axis 3 is out of bounds")
    too_many = (([1.0, 2.0], 0, None), ArgumentError, "expected arguments")
    return Facts(
        reference,
        reductions(sides, single, masks, **(extra or {})),
        base=Trial(((2, 3),), (1,), {"keepdims": True}),
        scalar=Trial(((),), (None,)),
        empty=empty,
        broadcast=Trial(((2, 3),), (-2 if single else (0, -1),)),
        draw=draw,
        refusals=[wrong_axis] if derived else [wrong_axis, too_many],
        more=(Trial(((2, 2, 3),), (-2 if single else (-1, 0),)), Trial(((3, 2),)), *more),
        **facts,
    )


def scan(reference: Callable[..., Any], **facts: Any) -> Facts:
    """A function that takes each entry, and those ahead of it, to one."""
    return Facts(
        reference,
        scans,
        base=Trial(((2, 4),), (1,)),
        scalar=Trial(((),), (None,)),
        empty=Trial(((0, 3),), (0,)),
        broadcast=Trial(((2, 3),), (None,)),
        more=(
            Trial(((3, 2),), (-2,)),
            Trial(((2, 3),)),
            Trial(((2, 1),), (1,)),
            Trial(((3,),), (0,), {"dtype": LONG}),
        ),
        **facts,
    )


def lines(some: Choices) -> Trial:
    """An array that has entries, and an axis."""
    shape = some.shape((1, 3), FULL)
    return Trial((shape,), (some.axis(shape),))


def normalised(reference: Callable[..., Any], **facts: Any) -> Facts:
    """A function of the entries along an axis, which keeps the shape."""
    return Facts(
        reference,
        lines,
        base=Trial(((2, 3),), (-1,)),
        scalar=Trial(((),), (-1,)),
        empty=Trial(((0, 3),), (-1,)),
        broadcast=Trial(((2, 3),), ((0, 1),)),
        **facts,
    )


def recurrences(some: Choices) -> Trial:
    """Rows, and a slope for each entry of a row but its first."""
    *ahead, n = some.shape((1, 3), FULL)
    return Trial(((*ahead, n), (*ahead, n - 1)))


def recurred(x: Array, slopes: Array) -> Array:
    """The definition, entry by entry."""
    out = x.copy()
    for i in range(1, x.shape[-1]):
        out[..., i] = out[..., i] + slopes[..., i - 1] * out[..., i - 1]
    return out


def log_summed(x: Array, axis: Any = None, keepdims: bool = False) -> Any:
    """The definition of logsumexp."""
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


DEVIATION: dict[str, Any] = {
    "sides": FULL,
    "draw": distinct,
    "more": (
        Trial(((2, 3),), (0,), {"ddof": 1}),
        Trial(((2, 3),), (), {"correction": 1.5}),
        Trial(((3, 3),), (1,), {"where": ROW, "ddof": 1}),
        Trial(((2, 3),), ((0, 1),), {"where": MASK, "keepdims": True}),
    ),
}
CHOICE: dict[str, Any] = {"draw": distinct, "sides": FULL, "zeros": "kink", "ties": "kink"}

FACTS: dict[object, Facts] = {
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
        sides=FULL,
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
    tg.argmax: reduction(np.argmax, Refused(ShapeError, ((0, 3),), (0,)), sides=FULL, single=True),
    tg.argmin: reduction(np.argmin, Refused(ShapeError, ((0, 3),), (0,)), sides=FULL, single=True),
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
    _linear_recurrence: Facts(
        recurred,
        recurrences,
        base=Trial(((2, 4), (2, 3))),
        scalar=Refused(IndexRangeError, ((), ())),
        empty=Trial(((0, 3), (0, 2))),
        broadcast=Trial(((2, 1), (2, 0))),
        analytic=True,
    ),
}

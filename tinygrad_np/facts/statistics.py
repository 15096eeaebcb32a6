"""Averages and order statistics, and reductions that leave out NaN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.errors import ArgumentError, IndexRangeError, RangeError, ShapeError
from tinygrad_np.facts.choices import Choices
from tinygrad_np.facts.common import FULL, Convention, Facts, Refused, Shapes, Trial, anywhere, distinct
from tinygrad_np.facts.reductions import MASK, ROW, reduction, reductions, scan
from tinygrad_np.ops.statistics import _ranks
from tinygrad_np.values import Array

NAN = np.nan
WEIGHTS = np.array([[1.0, 2.0, -0.5], [0.5, 1.0, 3.0]])
PROBABILITIES: list[Any] = [0.3, 0, 1.0, [0.5], [[0.1, 0.9], [0.25, 0.6]]]
METHODS = ["linear", "lower", "higher", "nearest", "midpoint", "hazen", "inverted_cdf", "median_unbiased"]


def holes(draw: Callable[[Generator, Shapes], list[Array]]) -> Callable[[Generator, Shapes], list[Array]]:
    """NaN in the last place of the first row, of which there are several."""

    def punched(rng: Generator, shapes: Shapes) -> list[Array]:
        arrays = draw(rng, shapes)
        for array in arrays:
            if array.ndim == 2 and len(array) > 1 and array.shape[1] > 2:
                array[0, -1] = NAN
        return arrays

    return punched


def over_some(drawn: Callable[[Choices], Trial]) -> Callable[[Choices], Trial]:
    """All axes in place of none, so that no slice is NaN alone, which has NumPy's warning."""

    def redrawn(some: Choices) -> Trial:
        trial = drawn(some)
        return replace(trial, static=(None,)) if trial.static == ((),) else trial

    return redrawn


def without_nan(
    reference: Callable[..., Any],
    empty: Trial | Refused,
    draw: Any = anywhere,
    conventions: Sequence[Convention] = (),
    **facts: Any,
) -> Facts:
    """A reduction that leaves out NaN."""
    known = reduction(reference, empty, holes(draw), conventions=conventions, **facts)
    return replace(known, trial=over_some(known.trial)) if known.trial else known


def in_one_axis(reference: Callable[..., Any]) -> Callable[..., Any]:
    """`q` of several axes in one, as NumPy mixes these up where several axes of an array are reduced."""

    def fixed(x: Array, q: Any, axis: Any = None, **options: Any) -> Any:
        out = reference(x, np.ravel(q) if np.ndim(q) else q, axis, **options)
        return out.reshape(np.shape(q) + out.shape[1:]) if np.ndim(q) else out

    return fixed


def ranked(reference: Callable[..., Any], percent: int = 1, nan: bool = False, **facts: Any) -> Facts:
    """Entries in their order, from the smallest at a `q` of 0 to the largest at one of `percent`."""
    axes = over_some(reductions(FULL)) if nan else reductions(FULL)

    def drawn(some: Choices) -> Trial:
        trial = axes(some)
        q = np.multiply(some.pick(PROBABILITIES), percent)
        return Trial(trial.shapes, (q, *trial.static), {**trial.options, "method": some.pick(METHODS)})

    return Facts(
        in_one_axis(reference) if nan else reference,
        drawn,
        base=Trial(((2, 4),), (0.4 * percent, 1), {"keepdims": True}),
        scalar=Trial(((),), (0.4 * percent,)),
        empty=Trial(((2, 0, 3),), (0.5 * percent, 2)),
        broadcast=Trial(((2, 3),), ([0.1 * percent], (0, -1))),
        draw=holes(distinct) if nan else distinct,
        zeros="kink",
        ties="kink",
        more=[
            *(Trial(((3, 4),), ([0.3 * percent, 0.8 * percent], -2), {"method": method}) for method in METHODS),
            Trial(((2, 2, 3),), ([0.3 * percent, percent, 0.5 * percent], (2, 0))),
            Trial(((2, 2, 3),), ([[0.3 * percent]], (-1, 0)), {"keepdims": True}),
        ],
        refusals=[
            (([1.0, 2.0], 0.5, 3), IndexRangeError, "axis 3 is out of bounds"),
            (([1.0, 2.0], 101), ShapeError, "must be in the range"),
            (([1.0, 2.0], 0.5, 0, None), ArgumentError, "expected arguments"),
        ],
        **facts,
    )


DEVIATION: dict[str, Any] = {
    "sides": FULL,
    "more": (
        Trial(((3, 3),), (0,), {"ddof": 1}),
        Trial(((2, 3),), (), {"correction": 1.5}),
        Trial(((3, 4),), (1,), {"where": [True, False, True, True], "ddof": 1}),
        Trial(((2, 3),), ((0, 1),), {"where": MASK, "keepdims": True}),
    ),
}
KINKS: dict[str, Any] = {"zeros": "kink", "ties": "kink"}
GAP = [4.0, NAN, 1.0, 3.0]

FACTS: dict[object, Facts] = {
    tg.average: Facts(
        np.average,
        reductions(FULL),
        base=Trial(((2, 3),), (1,), {"weights": WEIGHTS}),
        scalar=Trial(((),)),
        empty=Trial(((2, 0, 3),), (2,), {"weights": [1.0, 2.0, 3.0]}),
        broadcast=Trial(((2, 3),), (1,), {"weights": [1.0, 2.0, -0.5]}),
        more=[
            Trial(((2, 3),), ((1, 0),), {"weights": WEIGHTS.T, "keepdims": True}),
            Trial(((2, 3),), ((-1, -2),), {"weights": [[1, 2], [3, 4], [True, 0]], "returned": True}),
            Trial(((2, 3),), (0,), {"returned": True, "keepdims": True}),
            Trial(((4, 2, 3),), (-2,), {"weights": np.array([1, 2], np.float32), "returned": True}),
            Trial(((2, 3),), (), {"returned": True}),
        ],
        refusals=[
            (([1.0, 2.0], 3), IndexRangeError, "axis 3 is out of bounds"),
            (([1.0, 2.0], 0, [1.0, -1.0]), RangeError, "weights that do not add up to zero"),
            (([1.0, 2.0], None, [[1.0, 1.0]]), ArgumentError, "expected axis= for weights of another shape"),
            (([1.0, 2.0], 0, [1.0, 1.0, 1.0]), ShapeError, r"expected weights of x's shape \(2,\) along axis=0"),
        ],
    ),
    # order statistics
    _ranks: Facts(
        lambda x: (x[..., None] > x[..., None, :]).sum(-1),
        lambda some: Trial(((2, *some.shape(sides=FULL)),)),
        base=Trial(((2, 3),)),
        scalar=Trial(((1,),)),
        empty=Trial(((0, 3),)),
        broadcast=Trial(((2, 3),)),
    ),
    tg.median: reduction(
        np.median,
        Trial(((2, 0, 3),), (2,)),
        sides=FULL,
        draw=distinct,
        conventions=[
            Convention(([3.0, 2.0, 2.0, 1.0],), ([0.0, 0.5, 0.5, 0.0],)),
            Convention(([3.0, 2.0, 2.0, 2.0, 1.0],), ([0.0, 1 / 3, 1 / 3, 1 / 3, 0.0],)),
            Convention(([4.0, 2.0, 2.0, 3.0],), ([0.0, 0.25, 0.25, 0.5],)),
            Convention(([4.0, NAN, 2.0, NAN],), ([0.0, 0.5, 0.0, 0.5],)),
        ],
        **KINKS,
    ),
    tg.quantile: ranked(
        np.quantile,
        conventions=[Convention(([3.0, 1.0, 1.0],), ([0.5, 0.75, 0.75],), ([0.0, 0.75],))],
    ),
    tg.percentile: ranked(
        np.percentile, 100, conventions=[Convention(([3.0, 1.0, 1.0],), ([0.5, 0.75, 0.75],), ([0, 75],))]
    ),
    # without NaN
    tg.nanmedian: without_nan(
        np.nanmedian,
        Trial(((2, 0, 3),), (2,)),
        distinct,
        [Convention((GAP,), ([0.0, 0.0, 0.0, 1.0],)), Convention(([1.0, NAN, 1.0],), ([0.5, 0.0, 0.5],))],
        sides=FULL,
        **KINKS,
    ),
    tg.nanquantile: ranked(
        np.nanquantile, nan=True, conventions=[Convention((GAP,), ([0.5, 0.0, 0.0, 0.5],), (0.75,))]
    ),
    tg.nanpercentile: ranked(
        np.nanpercentile, 100, nan=True, conventions=[Convention((GAP,), ([0.5, 0.0, 0.0, 0.5],), (75,))]
    ),
    tg.nansum: without_nan(np.nansum, Trial(((0, 3),), (0,)), derived=True, masks=True),
    tg.nanprod: without_nan(
        np.nanprod,
        Trial(((0, 3),), (0,)),
        conventions=[Convention(([0.0, NAN, 3.0],), ([3.0, 0.0, 0.0],))],
        derived=True,
        masks=True,
    ),
    tg.nanmean: without_nan(
        np.nanmean,
        Trial(((2, 0, 3),), (2,)),
        analytic=True,
        conventions=[Convention((GAP,), ([1 / 3, 0.0, 1 / 3, 1 / 3],))],
        sides=FULL,
        more=(Trial(((2, 3),), (), {"where": MASK, "keepdims": True}),),
    ),
    tg.nanvar: without_nan(
        np.nanvar,
        Trial(((2, 0, 3),), (2,)),
        distinct,
        **DEVIATION,
    ),
    tg.nanstd: without_nan(
        np.nanstd,
        Trial(((2, 0, 3),), (2,)),
        distinct,
        [Convention(([0.1, NAN, 0.1, 0.1],), ([0.0] * 4,))],
        **DEVIATION,
        **KINKS,
    ),
    tg.nanmax: without_nan(
        np.nanmax,
        Refused(ShapeError, ((0, 3),), (0,)),
        distinct,
        [
            Convention(([3.0, NAN, 3.0],), ([0.5, 0.0, 0.5],)),
            Convention(([3.0, NAN, 1.0],), ([0.5, 0.0, 0.0],), (), {"initial": 3.0}),
        ],
        sides=FULL,
        masks=True,
        extra={"initial": -9.0},
        more=(Trial(((2, 3),), (0,), {"where": ROW, "initial": -5.0}),),
        **KINKS,
    ),
    tg.nanmin: without_nan(
        np.nanmin,
        Refused(ShapeError, ((0, 3),), (0,)),
        distinct,
        [Convention(([3.0, NAN, 1.0],), ([0.0, 0.0, 1.0],))],
        sides=FULL,
        masks=True,
        extra={"initial": 9.0},
        **KINKS,
    ),
    tg.nanargmax: without_nan(np.nanargmax, Refused(ShapeError, ((0, 3),), (0,)), sides=FULL, single=True),
    tg.nanargmin: without_nan(np.nanargmin, Refused(ShapeError, ((0, 3),), (0,)), sides=FULL, single=True),
    tg.nancumsum: scan(np.nancumsum, conventions=[Convention(([1.0, NAN, 2.0],), ([3.0, 0.0, 1.0],))]),
    tg.nancumprod: scan(np.nancumprod, conventions=[Convention(([2.0, NAN, 0.0, 3.0],), ([2.0, 0.0, 8.0, 0.0],))]),
}

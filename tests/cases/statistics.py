"""Averages and order statistics, and reductions that leave out NaN."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

import tinygrad_np as tg
from tests.cases.common import FULL, Case, Convention, Refused, Trial, anywhere, distinct
from tests.cases.reductions import MASK, ROW, reduction, reductions, scan
from tinygrad_np.errors import ArgumentError, IndexRangeError, RangeError, ShapeError
from tinygrad_np.ops.statistics import _ranks

NAN = np.nan
WEIGHTS = np.array([[1.0, 2.0, -0.5], [0.5, 1.0, 3.0]])
METHODS = ["linear", "lower", "higher", "nearest", "midpoint", "hazen", "inverted_cdf", "median_unbiased"]


def holes(draw):
    """NaN in the last place of the first row, of which there are several."""

    def punched(rng, shapes):
        arrays = draw(rng, shapes)
        for array in arrays:
            if array.ndim == 2 and len(array) > 1 and array.shape[1] > 2:
                array[0, -1] = NAN
        return arrays

    return punched


def without_nan(reference, empty, draw=anywhere, conventions=(), **facts):
    """No drawn slice is NaN alone, which has NumPy's warning."""
    case = reduction(reference, empty, holes(draw), conventions=conventions, **facts)
    return replace(case, trials=case.trials.filter(lambda trial: trial.static != ((),)))


def in_one_axis(reference):
    """`q` of several axes in one, as NumPy mixes these up where several axes of an array are reduced."""

    def fixed(x, q, axis=None, **options):
        out = reference(x, np.ravel(q) if np.ndim(q) else q, axis, **options)
        return out.reshape(np.shape(q) + out.shape[1:]) if np.ndim(q) else out

    return fixed


def ranked(reference, percent=1, nan=False, **facts):
    @st.composite
    def trials(draw):
        trial = draw(reductions(FULL).filter(lambda trial: not nan or trial.static != ((),)))
        q = draw(st.sampled_from([0.3, 0, 1.0, [0.5], [[0.1, 0.9], [0.25, 0.6]]]))
        options = {**trial.options, "method": draw(st.sampled_from(METHODS))}
        return Trial(trial.shapes, (np.multiply(q, percent), *trial.static), options)

    return Case(
        in_one_axis(reference) if nan else reference,
        trials(),
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


DEVIATION = {
    "shapes": FULL,
    "more": (
        Trial(((3, 3),), (0,), {"ddof": 1}),
        Trial(((2, 3),), (), {"correction": 1.5}),
        Trial(((3, 4),), (1,), {"where": [True, False, True, True], "ddof": 1}),
        Trial(((2, 3),), ((0, 1),), {"where": MASK, "keepdims": True}),
    ),
}
KINKS = {"zeros": "kink", "ties": "kink"}
GAP = [4.0, NAN, 1.0, 3.0]

CASES = {
    tg.average: Case(
        np.average,
        reductions(FULL),
        base=Trial(((2, 3),), (1,), {"weights": WEIGHTS}),
        scalar=Trial(((),)),
        empty=Trial(((2, 0, 3),), (2,), {"weights": [1.0, 2.0, 3.0]}),
        broadcast=Trial(((2, 3),), (1,), {"weights": [1.0, 2.0, -0.5]}),
        draw=anywhere,
        more=[
            Trial(((2, 3),), ((1, 0),), {"weights": WEIGHTS.T, "keepdims": True}),
            Trial(((2, 3),), ((-1, -2),), {"weights": [[1, 2], [3, 4], [True, 0]], "returned": True}),
            Trial(((2, 3),), (0,), {"returned": True, "keepdims": True}),
            Trial(((4, 2, 3),), (-2,), {"weights": np.float32([1, 2]), "returned": True}),
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
    _ranks: Case(
        lambda x: (x[..., None] > x[..., None, :]).sum(-1),
        reductions(FULL).map(lambda trial: Trial(((2, *trial.shapes[0]),))),
        base=Trial(((2, 3),)),
        scalar=Trial(((1,),)),
        empty=Trial(((0, 3),)),
        broadcast=Trial(((2, 3),)),
        draw=anywhere,
    ),
    tg.median: reduction(
        np.median,
        Trial(((2, 0, 3),), (2,)),
        shapes=FULL,
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
        shapes=FULL,
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
        conventions=[Convention((GAP,), ([1 / 3, 0.0, 1 / 3, 1 / 3],))],
        shapes=FULL,
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
        shapes=FULL,
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
        shapes=FULL,
        masks=True,
        extra={"initial": 9.0},
        **KINKS,
    ),
    tg.nanargmax: without_nan(np.nanargmax, Refused(ShapeError, ((0, 3),), (0,)), shapes=FULL, single=True),
    tg.nanargmin: without_nan(np.nanargmin, Refused(ShapeError, ((0, 3),), (0,)), shapes=FULL, single=True),
    tg.nancumsum: scan(np.nancumsum, conventions=[Convention(([1.0, NAN, 2.0],), ([3.0, 0.0, 1.0],))]),
    tg.nancumprod: scan(np.nancumprod, conventions=[Convention(([2.0, NAN, 0.0, 3.0],), ([2.0, 0.0, 8.0, 0.0],))]),
}

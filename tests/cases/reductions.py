"""Many entries to one."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import FULL, Case, Convention, Refused, Trial, anywhere, distinct, reduction, softmaxed
from tinygrad_np.errors import ShapeError

CASES = {
    # reductions
    tg.sum: reduction(np.sum, Trial(((0, 3),), (0, False))),
    tg.mean: reduction(np.mean, Trial(((2, 0, 3),), (2, False)), shapes=FULL),
    tg.max: reduction(
        np.max,
        Refused(ShapeError, ((0, 3),), (0, False)),
        distinct,
        FULL,
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(([3.0, 3.0, 1.0],), ([0.5, 0.5, 0.0],)),
            Convention(([[1.0, 2.0], [1.0, 3.0]],), ([[0.5, 0.0], [0.5, 1.0]],), (0, True)),
            Convention(([1.0, np.nan, 2.0],), ([0.0, 1.0, 0.0],)),
        ],
    ),
    tg.min: reduction(
        np.min,
        Refused(ShapeError, ((0, 3),), (None, False)),
        distinct,
        FULL,
        zeros="kink",
        ties="kink",
        conventions=[Convention(([3.0, 1.0, 1.0, 1.0],), ([0.0, 1 / 3, 1 / 3, 1 / 3],))],
    ),
    tg.softmax: Case(
        lambda x, axis: softmaxed(x, axis),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4).flatmap(
            lambda shape: st.integers(-len(shape), len(shape) - 1).map(lambda axis: Trial((shape,), (axis,)))
        ),
        base=Trial(((2, 3),), (-1,)),
        scalar=Trial(((),), (-1,)),
        empty=Trial(((0, 3),), (-1,)),
        broadcast=Trial(((2, 3),), ((0, 1),)),
        draw=anywhere,
        conventions=[Convention(([0.0, 1e4, -1e4],), ([0.0, 0.0, 0.0],), (0,))],
    ),
}

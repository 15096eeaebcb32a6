"""Entries by index."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import Trial, arrangement, indices
from tinygrad_np.errors import IndexRangeError


@st.composite
def readings(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    return Trial((shape,), (draw(indices(shape)),))


@st.composite
def scatterings(draw):
    reading = draw(readings())
    (shape,), (index,) = reading.shapes, reading.static
    return Trial((np.empty(shape)[index].shape,), (index, shape))


def scattered(x, index, shape):
    out = np.zeros(shape, x.dtype)
    places = np.arange(out.size).reshape(shape)[index]
    for place, value in zip(places.reshape(-1), x.reshape(-1), strict=True):
        out.reshape(-1)[place] += value
    return out


CASES = {
    # indexing
    tg.getitem: arrangement(
        lambda x, index: x[index],
        readings(),
        Trial(((3, 4),), ([0, 0, 2],)),
        Trial(((),), (...,)),
        Trial(((0, 3),), (slice(None),)),
        Trial(((2, 3),), ((slice(None), [2, 2]),)),
        refusals=[(([1.0, 2.0], 5), IndexRangeError, "getitem: index 5 is out of bounds")],
    ),
    tg.scatter_add: arrangement(
        scattered,
        scatterings(),
        Trial(((3, 4),), ([0, 0, 2], (3, 4))),
        Trial(((),), (1, (3,))),
        Trial(((0, 3),), (slice(0), (2, 3))),
        Trial(((2, 3),), ([1, 1], (2, 3))),
    ),
}

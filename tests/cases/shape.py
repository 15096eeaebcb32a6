"""The same entries in another arrangement."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import SHAPES, Convention, Refused, Trial, arrangement
from tinygrad_np.errors import IndexRangeError, ShapeError


@st.composite
def reshapes(draw):
    shape = draw(SHAPES)
    other = draw(st.permutations(shape).map(tuple))
    whole = st.just(-1) if 0 not in shape else st.just(other)
    return Trial((shape,), (draw(st.just(other) | whole),))


@st.composite
def permutations(draw):
    shape = draw(SHAPES)
    axes = draw(st.permutations(range(len(shape))))
    return Trial((shape,), (draw(st.sampled_from([None, tuple(axes), tuple(a - len(shape) for a in axes)])),))


@st.composite
def swaps(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3))
    axis = st.integers(-len(shape), len(shape) - 1)
    return Trial((shape,), (draw(axis), draw(axis)))


@st.composite
def broadcasts(draw, reverse=False):
    drawn = draw(hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=draw(SHAPES), min_side=0, max_dims=3))
    (small,), large = drawn.input_shapes, drawn.result_shape
    return Trial((large,), (small,)) if reverse else Trial((small,), (large,))


@st.composite
def joins(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    sides = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    shapes = tuple(tuple(side if i == axis % len(shape) else n for i, n in enumerate(shape)) for side in sides)
    return Trial(shapes, (draw(st.sampled_from([axis, None])),))


@st.composite
def stacks(draw):
    shape, count = draw(SHAPES), draw(st.integers(1, 3))
    return Trial((shape,) * count, (draw(st.integers(-len(shape) - 1, len(shape))),))


def summed_to(x, shape):
    out = np.zeros(shape, x.dtype)
    for place in np.ndindex(*x.shape):
        kept = place[x.ndim - len(shape) :]
        out[tuple(i if n > 1 else 0 for i, n in zip(kept, shape, strict=True))] += x[place]
    return out


CASES = {
    # arrangement
    tg.reshape: arrangement(
        np.reshape,
        reshapes(),
        Trial(((2, 3),), ((3, 2),)),
        Trial(((),), ((1, 1),)),
        Trial(((0, 3),), ((3, 0),)),
        Trial(((2, 3),), (-1,)),
        refusals=[(([1.0, 2.0], (3,)), ShapeError, "reshape: cannot reshape.*shape=")],
    ),
    tg.flatten: arrangement(
        lambda x: np.reshape(x, (len(x), int(np.prod(x.shape[1:])))),
        hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3).map(lambda shape: Trial((shape,))),
        Trial(((2, 3, 4),)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3, 2),)),
        Trial(((2, 3, 4),)),
    ),
    tg.transpose: arrangement(
        np.transpose,
        permutations(),
        Trial(((2, 3, 4),), ((2, 0, 1),)),
        Trial(((),), (None,)),
        Trial(((0, 3),), (None,)),
        Trial(((2, 3),), ((-1, 0),)),
        refusals=[(([[1.0]], (0, 0)), ShapeError, "transpose: repeated axis")],
    ),
    tg.swapaxes: arrangement(
        np.swapaxes,
        swaps(),
        Trial(((2, 3, 4),), (0, -1)),
        Refused(IndexRangeError, ((),), (0, 1)),
        Trial(((0, 3),), (0, 1)),
        Trial(((2, 3),), (0, 1)),
    ),
    tg.broadcast_to: arrangement(
        np.broadcast_to,
        broadcasts(),
        Trial(((3, 1),), ((2, 3, 4),)),
        Trial(((),), ((2, 3),)),
        Trial(((0, 1),), ((0, 3),)),
        Trial(((2, 3),), ((2, 2, 3),)),
        refusals=[(([1.0, 2.0], (3,)), ShapeError, "broadcast_to: ")],
    ),
    tg.sum_to: arrangement(
        summed_to,
        broadcasts(reverse=True),
        Trial(((2, 3, 4),), ((3, 1),)),
        Trial(((),), ((),)),
        Trial(((0, 3),), ((3,),)),
        Trial(((2, 3),), ((3,),)),
        refusals=[
            (([1.0, 2.0], (3,)), ShapeError, r"expected a shape that broadcasts to x's \(2,\), got \(3,\)"),
            (([1.0, 2.0], (1, 2)), ShapeError, "sum_to: expected a shape"),
        ],
    ),
    tg.astype: arrangement(
        lambda x, dtype: x.astype(dtype),
        SHAPES.map(lambda shape: Trial((shape,), ("float64",))),
        Trial(((2, 3),), ("float64",)),
        Trial(((),), ("float64",)),
        Trial(((0, 3),), ("float64",)),
        Trial(((2, 3),), ("float64",)),
        conventions=[Convention(([1.5, 2.5],), ([1.0, 1.0],), ("float32",))],
    ),
    tg.concatenate: arrangement(
        lambda *arrays_and_axis: np.concatenate(arrays_and_axis[:-1], arrays_and_axis[-1]),
        joins(),
        Trial(((2, 3), (2, 1)), (1,)),
        Trial(((), ()), (None,)),
        Trial(((0, 3), (2, 3)), (0,)),
        Refused(ShapeError, ((2, 3), (3,)), (0,)),
    ),
    tg.stack: arrangement(
        lambda *arrays_and_axis: np.stack(arrays_and_axis[:-1], arrays_and_axis[-1]),
        stacks(),
        Trial(((2, 3), (2, 3)), (-1,)),
        Trial(((), ()), (0,)),
        Trial(((0, 3), (0, 3)), (1,)),
        Refused(ShapeError, ((2, 3), (3,)), (0,)),
    ),
}

"""Products of matrices."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import Case, Convention, Refused, Trial, anywhere, biases
from tinygrad_np.errors import ShapeError


def off_hinge(rng, shapes):
    """x, w, b with no entry of ``x @ w + b`` near 0: the rows of x are alike, and b moves each column off it."""
    x, w, b = anywhere(rng, shapes)
    x[...] = x[:1] if len(x) else 0.0
    total = (x @ w)[0] if len(x) else np.zeros(b.shape)
    return [x, w, rng.uniform(0.3, 2, b.shape) * rng.choice([-1, 1], b.shape) - total]


@st.composite
def products(draw):
    n, d, h = (draw(st.integers(0, 4)) for _ in range(3))
    if draw(st.booleans()):
        batches = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=2, max_side=3))
        x, w = ((*batch, *core) for batch, core in zip(batches.input_shapes, ((n, d), (d, h)), strict=True))
        return Trial((x, w))
    batch = draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    row, column = ((d,), (*batch, d, h)), ((*batch, n, d), (d,))
    return Trial(draw(st.sampled_from([row, column, ((d,), (d,))])))


def biased(x, b, axis):
    return np.moveaxis(np.moveaxis(x, axis, -1) + b, -1, axis)


def affine(reference, name, draw=anywhere, **facts):
    sides = st.tuples(*[st.integers(0, 4)] * 3)
    return Case(
        reference,
        sides.map(lambda s: Trial(((s[0], s[1]), (s[1], s[2]), (s[2],)))),
        base=Trial(((2, 3), (3, 4), (4,))),
        scalar=Refused(ShapeError, ((), (), ())),
        empty=Trial(((0, 3), (3, 4), (4,))),
        broadcast=Refused(ShapeError, ((2, 3), (3, 4), (1,))),
        draw=draw,
        refusals=[((np.ones((2, 3)), np.ones((4, 3)), np.ones(3)), ShapeError, f"{name}: expected x .n, d., w .d, h.")],
        **facts,
    )


CASES = {
    # products
    tg.matmul: Case(
        np.matmul,
        products(),
        base=Trial(((2, 3), (3, 4))),
        scalar=Refused(ShapeError, ((), ())),
        empty=Trial(((0, 3), (3, 4))),
        broadcast=Trial(((2, 1, 2, 3), (4, 3, 2))),
        draw=anywhere,
        refusals=[((np.ones((2, 3)), np.ones((2, 3))), ShapeError, r"matmul: expected x .* got \(2, 3\) and \(2, 3\)")],
    ),
    tg.add_bias: Case(
        biased,
        biases(),
        base=Trial(((2, 3), (3,)), (-1,)),
        scalar=Refused(ShapeError, ((), ())),
        empty=Trial(((0, 3), (3,)), (-1,)),
        broadcast=Refused(ShapeError, ((2, 3), (1,))),
        draw=anywhere,
        refusals=[
            ((np.ones((2, 3)), np.ones(2)), ShapeError, r"add_bias: expected b of shape \(h,\)"),
            ((np.ones((2, 3)), np.float64(1), 5), ShapeError, "add_bias: expected b"),
        ],
    ),
    tg.dense: affine(lambda x, w, b: x @ w + b, "dense"),
    tg.dense_relu: affine(
        lambda x, w, b: np.maximum(x @ w + b, 0),
        "dense_relu",
        draw=off_hinge,
        zeros="kink",
        conventions=[Convention(([[1.0]], [[2.0, 1.0]], [-2.0, 1.0]), ([[1.0]], [[0.0, 1.0]], [0.0, 1.0]))],
    ),
}

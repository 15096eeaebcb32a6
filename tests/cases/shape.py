"""The same entries in another arrangement."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tests.cases.common import SHAPES, Convention, Refused, Trial, arrangement, axes_of, together
from tinygrad_np.errors import DtypeError, IndexRangeError, RangeError, ShapeError
from tinygrad_np.ops.shape import _full_like

SOME = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3)


@st.composite
def reshapes(draw):
    shape = draw(SHAPES)
    other = draw(st.permutations(shape).map(tuple))
    whole = st.just(-1) if 0 not in shape else st.just(other)
    return Trial((shape,), (draw(st.just(other) | whole), draw(st.sampled_from("CF"))))


@st.composite
def permutations(draw):
    shape = draw(SHAPES)
    axes = draw(st.permutations(range(len(shape))))
    return Trial((shape,), (draw(st.sampled_from([None, tuple(axes), tuple(a - len(shape) for a in axes)])),))


@st.composite
def swaps(draw):
    shape = draw(SOME)
    axis = st.integers(-len(shape), len(shape) - 1)
    return Trial((shape,), (draw(axis), draw(axis)))


@st.composite
def broadcasts(draw, reverse=False):
    drawn = draw(hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=draw(SHAPES), min_side=0, max_dims=3))
    (small,), large = drawn.input_shapes, drawn.result_shape
    return Trial((large,), (small,)) if reverse else Trial((small,), (large,))


@st.composite
def some_axes(draw, shapes=SHAPES):
    """None, an axis or a tuple of axes."""
    shape = draw(shapes)
    return Trial((shape,), (draw(axes_of(shape)),))


@st.composite
def squeezes(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=2))
    ones = [i for i, n in enumerate(shape) if n == 1]
    some = st.lists(st.sampled_from(ones), unique=True).map(tuple) | st.sampled_from(ones) if ones else st.just(())
    return Trial((shape,), (draw(st.none() | some),))


@st.composite
def expansions(draw):
    shape = draw(SHAPES)
    one = st.integers(-len(shape) - 1, len(shape))
    two = st.lists(st.integers(0, len(shape) + 1), min_size=2, max_size=2, unique=True).map(tuple)
    return Trial((shape,), (draw(one | two),))


@st.composite
def moves(draw):
    shape = draw(SOME)
    count = draw(st.integers(0, len(shape)))
    source, target = (draw(st.permutations(range(len(shape))))[:count] for _ in range(2))
    return Trial((shape,), (source, [axis - len(shape) for axis in target]))


@st.composite
def rolled_axes(draw):
    shape = draw(SOME)
    return Trial((shape,), (draw(st.integers(-len(shape), len(shape) - 1)), draw(st.integers(-len(shape), len(shape)))))


@st.composite
def rolls(draw):
    shape = draw(SHAPES)
    shift = st.integers(-5, 5)
    pairs = st.lists(st.tuples(shift, st.integers(-len(shape), len(shape) - 1)), min_size=1) if shape else st.nothing()
    several = pairs.map(lambda p: tuple(zip(*p, strict=True)))
    return Trial((shape,), draw(several | st.tuples(shift, axes_of(shape, single=True))))


@st.composite
def turns(draw):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=3))
    first, second, *_ = draw(st.permutations(range(len(shape))))
    return Trial((shape,), (draw(st.integers(-5, 5)), (first, second - len(shape))))


def some(count=(1, 3)):
    return st.lists(SHAPES, min_size=count[0], max_size=count[1]).map(lambda shapes: Trial(tuple(shapes)))


def at_least(reference):
    return arrangement(
        reference, some(), Trial(((2,), ())), Trial(((),)), Trial(((0, 3),)), Trial(((2, 1, 3), (4,), (2, 3)))
    )


def two_sided(reference, refused):
    """A flip along a certain axis, or an exchange of certain axes."""
    return arrangement(
        reference,
        hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=3).map(lambda shape: Trial((shape,))),
        Trial(((2, 3, 2),)),
        Refused(ShapeError, ((),)),
        Trial(((0, 3),)),
        Trial(((2, 3),)),
        refusals=refused,
    )


def constant(reference):
    return arrangement(
        reference,
        SHAPES.map(lambda shape: Trial((shape,))),
        Trial(((2, 3),)),
        Trial(((),), ("float32",)),
        Trial(((0, 3),)),
        Trial(((2, 3),), (int,), {"shape": (4,)}),
    )


def summed_to(x, shape):
    out = np.zeros(shape, x.dtype)
    for place in np.ndindex(*x.shape):
        kept = place[x.ndim - len(shape) :]
        out[tuple(i if n > 1 else 0 for i, n in zip(kept, shape, strict=True))] += x[place]
    return out


def full_likes(name, **facts):
    return arrangement(
        np.full_like,
        broadcasts(reverse=True).map(lambda trial: Trial((trial.shapes[0], *trial.static))),
        Trial(((2, 3), (3,))),
        Trial(((), ())),
        Trial(((0, 3), ())),
        Trial(((2, 3), (1, 1, 3))),
        more=[Trial(((2, 3), (2, 1)), (), {"dtype": "float64"}), Trial(((2, 3), ()), (), {"shape": (4,)})],
        refusals=[(([1.0, 2.0], [1.0, 2.0, 3.0]), ShapeError, f"{name}: .*could not broadcast")],
        **facts,
    )


CASES = {
    # arrangement
    tg.reshape: arrangement(
        np.reshape,
        reshapes(),
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
    tg.flatten: arrangement(
        lambda x: np.reshape(x, (len(x), int(np.prod(x.shape[1:])))),
        SOME.map(lambda shape: Trial((shape,))),
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
        more=[Trial(((3,),), (0,))],
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
        lambda x, dtype, copy=True: x.astype(dtype),
        SHAPES.map(lambda shape: Trial((shape,), ("float64",))),
        Trial(((2, 3),), ("float64",)),
        Trial(((),), ("float64",)),
        Trial(((0, 3),), ("float64",)),
        Trial(((2, 3),), ("float64",)),
        more=[Trial(((2, 3),), ("float64",), {"copy": False})],
        conventions=[Convention(([1.5, 2.5],), ([1.0, 1.0],), ("float32",))],
    ),
    tg.copy: arrangement(
        np.copy,
        SHAPES.map(lambda shape: Trial((shape,))),
        Trial(((2, 3),)),
        Trial(((),)),
        Trial(((0, 3),)),
        Trial(((2, 3),), ("F",)),
    ),
    tg.ravel: arrangement(
        np.ravel,
        st.tuples(SHAPES, st.sampled_from("CF")).map(lambda drawn: Trial((drawn[0],), (drawn[1],))),
        Trial(((2, 3, 4),), ("F",)),
        Trial(((),)),
        Trial(((0, 3),), ("F",)),
        Trial(((2, 3),)),
        refusals=[(([1.0], "K"), RangeError, "ravel: expected order 'C' or 'F', got 'K'")],
    ),
    tg.squeeze: arrangement(
        np.squeeze,
        squeezes(),
        Trial(((2, 1, 3, 1),), (1,)),
        Trial(((),)),
        Trial(((0, 1),)),
        Trial(((1, 2, 1),), ((0, -1),)),
        refusals=[
            (([[1.0, 2.0]], 1), ShapeError, "squeeze: .*size not equal to one"),
            (([[1.0, 2.0]], 2), IndexRangeError, "squeeze: axis 2 is out of bounds"),
        ],
    ),
    tg.expand_dims: arrangement(
        np.expand_dims,
        expansions(),
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
    tg.moveaxis: arrangement(
        np.moveaxis,
        moves(),
        Trial(((2, 3, 4),), ((0, 1), (-1, 0))),
        Refused(IndexRangeError, ((),), (0, 0)),
        Trial(((0, 3),), (0, 1)),
        Trial(((2, 3),), (0, -1)),
        refusals=[(([[1.0]], (0, 1), 0), ShapeError, "moveaxis: .*same number of elements")],
    ),
    tg.rollaxis: arrangement(
        np.rollaxis,
        rolled_axes(),
        Trial(((2, 3, 4),), (2,)),
        Refused(IndexRangeError, ((),), (0,)),
        Trial(((0, 3),), (1, 0)),
        Trial(((2, 3),), (0, 2)),
        more=[Trial(((2, 3, 4),), (-3, -1)), Trial(((2, 3, 4),), (1, 1))],
    ),
    tg.flip: arrangement(
        np.flip,
        some_axes(),
        Trial(((2, 3),), (-1,)),
        Trial(((),)),
        Trial(((0, 3),), (1,)),
        Trial(((2, 3),), ((0, 1),)),
        refusals=[(([1.0], 3), IndexRangeError, "flip: axis 3 is out of bounds")],
    ),
    tg.roll: arrangement(
        lambda x, shift, axis=None: np.roll(x, np.asarray(shift).tolist(), axis),
        rolls(),
        Trial(((2, 3),), ((1, 2), (0, -1))),
        Trial(((),), (3,)),
        Trial(((0, 3),), (1, 1)),
        Trial(((2, 3),), (np.uint8(2), 1)),
        more=[Trial(((2, 3),), (2,)), Trial(((2, 3),), (1, (0, 1))), Trial(((2, 3),), ((1, 1), 1))],
        refusals=[(([1.0], 1, 3), IndexRangeError, "roll: axis 3 is out of bounds")],
    ),
    tg.rot90: arrangement(
        np.rot90,
        turns(),
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
    tg.broadcast_arrays: arrangement(
        np.broadcast_arrays,
        together(3),
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

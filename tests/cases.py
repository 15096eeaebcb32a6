"""What each primitive must do, as data: a reference in NumPy, inputs to try, what it refuses, what it does at kinks.

`CASES` has a case for every primitive of the package, or the suite fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tinygrad_np.errors import ArgumentError, IndexRangeError, ShapeError
from tinygrad_np.primitives import Primitive

Array = np.ndarray[Any, np.dtype[Any]]
Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Trial:
    """Shapes of the array arguments, and the static parameters that follow."""

    shapes: Shapes
    static: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A trial that must end with this error."""

    error: type[Exception]
    shapes: Shapes
    static: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Convention:
    """At a kink: exact inputs, and the exact gradients of the sum of the result."""

    arguments: tuple[Any, ...]
    gradients: tuple[Any, ...]  # None where the argument is a constant
    static: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Case:
    """How a primitive is tried."""

    reference: Callable[..., Any]
    trials: st.SearchStrategy[Trial]  # what Hypothesis draws
    base: Trial
    scalar: Trial | Refused
    empty: Trial | Refused
    broadcast: Trial | Refused
    draw: Callable[[np.random.Generator, Shapes], list[Array]]  # smooth points of the domain
    zeros: str = "smooth"  # or "kink", or "pole"
    ties: str = "smooth"  # or "kink"
    conventions: Sequence[Convention] = field(default=())
    refusals: Sequence[tuple[tuple[Any, ...], type[Exception], str]] = field(
        default=()
    )  # call, error, words of its text


# --- where to draw --------------------------------------------------------------------------------------------------


def anywhere(rng, shapes):
    return [rng.uniform(-2, 2, shape) for shape in shapes]


def positive(rng, shapes):
    return [rng.uniform(0.5, 2, shape) for shape in shapes]


def off_zero(rng, shapes):
    return [rng.uniform(0.3, 2, shape) * rng.choice([-1, 1], shape) for shape in shapes]


def distinct(rng, shapes):
    """Entries that all differ by at least 0.05, and from zero, over all arguments."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    entries = rng.permutation(np.arange(sum(sizes)) - sum(sizes) // 2 + 0.5) * 0.1
    parts = np.split(entries, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def denominator_off_zero(rng, shapes):
    return anywhere(rng, shapes[:1]) + off_zero(rng, shapes[1:])


def base_positive(rng, shapes):
    return positive(rng, shapes[:1]) + anywhere(rng, shapes[1:])


def condition_first(rng, shapes):
    return [rng.random(shapes[0]) < 0.5, *anywhere(rng, shapes[1:])]


def condition_last(rng, shapes):
    return [*anywhere(rng, shapes[:-1]), rng.random(shapes[-1]) < 0.5]


def off_hinge(rng, shapes):
    """x, w, b with no entry of ``x @ w + b`` near 0: the rows of x are alike, and b moves each column off it."""
    x, w, b = anywhere(rng, shapes)
    x[...] = x[:1] if len(x) else 0.0
    total = (x @ w)[0] if len(x) else np.zeros(b.shape)
    return [x, w, rng.uniform(0.3, 2, b.shape) * rng.choice([-1, 1], b.shape) - total]


def scores_and_probabilities(rng, shapes):
    return [rng.uniform(-3, 3, shapes[0]), *(rng.dirichlet(np.ones(shape[-1]), shape[0]) for shape in shapes[1:])]


def off_ties(rng, shapes):
    """Images, kernels and biases for which a pool of size 1 or 2 of relu has one clear maximum a window, or none."""
    x, kernel, b = anywhere(rng, shapes)
    rows, columns = kernel.shape[2:]
    for _ in range(2000):
        clear = []
        for padding in {(rows // 2, columns // 2), (rows - 1, columns // 2)}:
            z = np.maximum(correlation(x, kernel, padding) + b[:, None, None], 0)
            clear += [abs(correlation(x, kernel, padding) + b[:, None, None]).min(initial=1) > 0.03]
            if z.shape[2] % 2 == z.shape[3] % 2 == 0:
                split = z.reshape(*z.shape[:2], z.shape[2] // 2, 2, z.shape[3] // 2, 2).swapaxes(3, 4)
                *_, second, first = np.moveaxis(np.sort(split.reshape(*split.shape[:4], 4)), -1, 0)
                clear += [((first == 0) | (first - second > 0.03)).all()]
        if all(clear):
            return [x, kernel, b]
        x, kernel, b = anywhere(rng, shapes)
    raise AssertionError("no point off the kinks was found")


def off_margin(rng, shapes):
    """Predictions and signs with no margin near 1."""
    true = rng.choice([-1.0, 1.0], shapes[1])
    margin = rng.uniform(0.2, 2, shapes[0]) * rng.choice([-1, 1], shapes[0])
    return [(1 - margin) * (true if shapes[0] == shapes[1] else 1.0), true]


# --- what to draw ---------------------------------------------------------------------------------------------------

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
FULL = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4)


def together(count):
    """Shapes that broadcast together."""
    drawn = hnp.mutually_broadcastable_shapes(num_shapes=count, min_side=0, max_dims=3, max_side=4)
    return drawn.map(lambda shapes: Trial(tuple(shapes.input_shapes)))


def axes_of(shape, single=False):
    """None, an axis or a tuple of axes, negative ones too."""
    one = st.integers(-len(shape), len(shape) - 1) if shape else st.none()
    some = st.lists(st.integers(0, len(shape) - 1), unique=True).map(tuple) if shape and not single else st.none()
    return st.none() | one | some


@st.composite
def reductions(draw, shapes):
    shape = draw(shapes)
    return Trial((shape,), (draw(axes_of(shape)), draw(st.booleans())))


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


def indices(shape, arrays=True):
    basic = hnp.basic_indices(shape, allow_newaxis=True)
    if not arrays or not shape or 0 in shape:
        return basic
    whole = hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=4))
    bools = hnp.arrays(bool, shape)
    rows = st.lists(st.integers(-shape[0], shape[0] - 1), min_size=1, max_size=5)
    mixed = st.tuples(rows, st.just(Ellipsis)) | st.tuples(st.just(Ellipsis), st.none(), st.just(0))
    return basic | whole | bools | rows | mixed


@st.composite
def readings(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    return Trial((shape,), (draw(indices(shape)),))


@st.composite
def scatterings(draw):
    reading = draw(readings())
    (shape,), (index,) = reading.shapes, reading.static
    return Trial((np.empty(shape)[index].shape,), (index, shape))


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


@st.composite
def biases(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return Trial((shape, (shape[axis],)), (axis,))


@st.composite
def convolutions(draw):
    n, c, o = draw(st.integers(0, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    h, w, a, b = (draw(st.integers(1, 5)) for _ in range(4))
    choices = [(a // 2, b // 2), (a - 1, b), (a, b - 1)]  # more than enough, for a kernel larger than the image
    if a % 2 and b % 2:
        choices.append("same")
    if a <= h and b <= w:
        choices.append("valid")
        choices += [(-1, 0)] if a + 2 <= h else []
    fits = [p for p in choices if isinstance(p, str) or (h + 2 * p[0] >= a and w + 2 * p[1] >= b)]
    return Trial(((n, c, h, w), (o, c, a, b)), (draw(st.sampled_from(fits)),))


@st.composite
def pools(draw):
    size, h, w = draw(st.integers(1, 3)), draw(st.integers(0, 2)), draw(st.integers(0, 2))
    return Trial(
        ((*draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=2)), size * h, size * w),), (size,)
    )


@st.composite
def pooled_convolutions(draw):
    size, h, w = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    n, c, o = draw(st.integers(0, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    a, b = draw(st.sampled_from([1, 3])), draw(st.sampled_from([1, 3]))
    rows = size * h - (a - 1)
    padding = draw(st.sampled_from(["same", (a - 1, b // 2)])) if rows > 0 else "same"
    return Trial(((n, c, size * h if padding == "same" else rows, size * w), (o, c, a, b), (o,)), (padding, size))


ROWS = hnp.array_shapes(min_dims=1, max_dims=2, max_side=4).map(lambda shape: Trial((shape, shape)))


# --- references that NumPy does not have under one name --------------------------------------------------------------


def correlation(x, kernel, padding):
    """The definition of conv2d, loop by loop."""
    (n, _, h, w), (o, _, a, b) = x.shape, kernel.shape
    p, q = {"same": (a // 2, b // 2), "valid": (0, 0)}.get(padding, padding)
    out = np.zeros((n, o, h + 2 * p - a + 1, w + 2 * q - b + 1), np.result_type(x, kernel))
    for i, j in np.ndindex(*out.shape[2:]):
        for s, t in np.ndindex(a, b):
            if 0 <= i + s - p < h and 0 <= j + t - q < w:
                out[:, :, i, j] += x[:, :, i + s - p, j + t - q] @ kernel[:, :, s, t].T
    return out


def pooled(x, size):
    h, w = x.shape[-2] // size, x.shape[-1] // size
    out = np.empty((*x.shape[:-2], h, w), x.dtype)
    for i, j in np.ndindex(h, w):
        out[..., i, j] = x[..., i * size : (i + 1) * size, j * size : (j + 1) * size].max(axis=(-2, -1))
    return out


def conv_relu_pooled(x, kernel, b, padding, size):
    return pooled(np.maximum(correlation(x, kernel, padding) + b[:, None, None], 0), size)


def scattered(x, index, shape):
    out = np.zeros(shape, x.dtype)
    places = np.arange(out.size).reshape(shape)[index]
    for place, value in zip(places.reshape(-1), x.reshape(-1), strict=True):
        out.reshape(-1)[place] += value
    return out


def summed_to(x, shape):
    out = np.zeros(shape, x.dtype)
    for place in np.ndindex(*x.shape):
        kept = place[x.ndim - len(shape) :]
        out[tuple(i if n > 1 else 0 for i, n in zip(kept, shape, strict=True))] += x[place]
    return out


def softmaxed(x, axis):
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


def biased(x, b, axis):
    return np.moveaxis(np.moveaxis(x, axis, -1) + b, -1, axis)


# --- families ---------------------------------------------------------------------------------------------------------


def unary(reference, draw=anywhere, **facts):
    """A function of one entry at a time."""
    return Case(
        reference,
        SHAPES.map(lambda shape: Trial((shape,))),
        base=Trial(((2, 3),)),
        scalar=Trial(((),)),
        empty=Trial(((0, 3),)),
        broadcast=Trial(((2, 3),)),
        draw=draw,
        **facts,
    )


def entrywise(reference, count=2, draw=anywhere, **facts):
    """A function of one entry of each of several arrays, which broadcast."""
    return Case(
        reference,
        together(count),
        base=Trial(((2, 3),) * count),
        scalar=Trial(((),) * count),
        empty=Trial(((0, 3),) * count),
        broadcast=Trial(((2, 1, 3), (4, 1), ())[:count]),
        draw=draw,
        **facts,
    )


def reduction(reference, empty, draw=anywhere, shapes=SHAPES, **facts):
    return Case(
        lambda x, axis, keepdims: reference(x, axis=axis, keepdims=keepdims),
        reductions(shapes),
        base=Trial(((2, 3),), (1, True)),
        scalar=Trial(((),), (None, False)),
        empty=empty,
        broadcast=Trial(((2, 3),), ((0, -1), False)),
        draw=draw,
        refusals=[(([1.0, 2.0], 3), IndexRangeError, "axis 3 is out of bounds")],
        **facts,
    )


def arrangement(reference, trials, base, scalar, empty, broadcast, **facts):
    return Case(reference, trials, base, scalar, empty, broadcast, anywhere, **facts)


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


HALVES = (np.array([0.5, 0.5]),) * 2

CASES: dict[Primitive, Case] = {
    # constants
    tg.sign: unary(np.sign),
    tg.logical_not: unary(np.logical_not),
    tg.logical_or: entrywise(np.logical_or),
    tg.equal: entrywise(np.equal),
    tg.not_equal: entrywise(np.not_equal),
    tg.greater: entrywise(np.greater),
    tg.greater_equal: entrywise(np.greater_equal),
    tg.less: entrywise(np.less),
    tg.less_equal: entrywise(np.less_equal),
    # gates
    tg.keep_where: entrywise(lambda x, c: np.where(c, x, 0), draw=condition_last),
    tg.relu: unary(
        lambda x: np.maximum(x, 0),
        off_zero,
        zeros="kink",
        conventions=[Convention(([-0.0, 0.0, 1.0, -1.0],), ([0.0, 0.0, 1.0, 0.0],))],
    ),
    tg.where: entrywise(np.where, 3, condition_first),
    tg.dropout_mask: entrywise(np.multiply, draw=condition_last),
    # exponentials and their kin
    tg.exp: unary(np.exp),
    tg.log: unary(np.log, positive, zeros="pole"),
    tg.sqrt: unary(np.sqrt, positive, zeros="pole", conventions=[Convention(([4.0],), ([0.25],))]),
    tg.tanh: unary(np.tanh, conventions=[Convention(([800.0, -800.0],), ([0.0, 0.0],))]),
    tg.sigmoid: unary(
        lambda x: 1 / (1 + np.exp(-x)), conventions=[Convention(([800.0, -800.0, 0.0],), ([0.0, 0.0, 0.25],))]
    ),
    # arithmetic
    tg.add: entrywise(
        np.add, refusals=[(([1.0, 2.0], [1.0, 2.0, 3.0]), ShapeError, r"add: .*got float64 \(2,\), float64 \(3,\)")]
    ),
    tg.subtract: entrywise(np.subtract),
    tg.multiply: entrywise(np.multiply),
    tg.divide: entrywise(np.divide, draw=denominator_off_zero, zeros="pole"),
    tg.power: entrywise(
        np.power,
        draw=base_positive,
        zeros="pole",
        conventions=[
            Convention(([0.0, 0.0, 3.0], [0.0, 2.0, 0.0]), ([0.0, 0.0, 0.0], [0.0, 0.0, np.log(3.0)])),
            Convention(([-2.0], 3), ([12.0], None)),
        ],
    ),
    tg.negative: unary(np.negative),
    tg.absolute: unary(
        np.absolute, off_zero, zeros="kink", conventions=[Convention(([-0.0, 0.0, -3.0],), ([0.0, 0.0, -1.0],))]
    ),
    tg.maximum: entrywise(
        np.maximum,
        draw=distinct,
        zeros="kink",
        ties="kink",
        conventions=[Convention(([3.0, 0.0], [3.0, -0.0]), HALVES)],
    ),
    tg.minimum: entrywise(
        np.minimum,
        draw=distinct,
        zeros="kink",
        ties="kink",
        conventions=[Convention(([3.0, 0.0], [3.0, -0.0]), HALVES)],
    ),
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
    # images
    tg.conv2d: Case(
        correlation,
        convolutions(),
        base=Trial(((2, 2, 4, 5), (3, 2, 3, 3)), ("same",)),
        scalar=Refused(ShapeError, ((), ())),
        empty=Trial(((0, 1, 4, 4), (1, 1, 3, 3)), ("valid",)),
        broadcast=Refused(ShapeError, ((1, 2, 3, 3), (1, 1, 3, 3))),
        draw=anywhere,
        refusals=[
            ((np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))), ShapeError, "'same' expects a kernel with odd sides"),
            ((np.ones((1, 1, 3, 3)), np.ones((1, 1, 5, 5)), "valid"), ShapeError, "a kernel that fits"),
            ((np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)), "full"), ValueError, "'same', 'valid' or two integers"),
            ((np.ones((1, 2, 3, 3)), np.ones((1, 1, 3, 3))), ShapeError, "conv2d: expected x of shape"),
        ],
    ),
    tg.conv2d_relu_pool: Case(
        conv_relu_pooled,
        pooled_convolutions(),
        base=Trial(((2, 2, 4, 4), (2, 2, 3, 3), (2,)), ("same", 2)),
        scalar=Refused(ShapeError, ((), (), ())),
        empty=Trial(((0, 1, 4, 4), (1, 1, 3, 3), (1,)), ("same", 2)),
        broadcast=Refused(ShapeError, ((1, 2, 4, 4), (2, 2, 3, 3), (1,))),
        draw=off_ties,
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(
                ([[[[1.0, 2.0], [2.0, 0.0]]]], [[[[1.0]]]], [0.0]),
                ([[[[0.0, 1.0], [0.0, 0.0]]]], [[[[2.0]]]], [1.0]),
                ("same", 2),
            ),
            Convention(
                (np.zeros((1, 1, 2, 2)), np.ones((1, 1, 1, 1)), [0.0]), (np.zeros((1, 1, 2, 2)), [[[[0.0]]]], [0.0])
            ),
        ],
        refusals=[
            ((np.ones((1, 1, 3, 4)), np.ones((1, 1, 3, 3)), np.ones(1)), ShapeError, "conv2d_relu_pool: .* 2 divides"),
        ],
    ),
    tg.max_pool2d: Case(
        pooled,
        pools(),
        base=Trial(((2, 1, 4, 6),), (2,)),
        scalar=Refused(ShapeError, ((),)),
        empty=Trial(((0, 1, 4, 4),), (2,)),
        broadcast=Trial(((2, 4),), (1,)),
        draw=distinct,
        zeros="kink",
        ties="kink",
        conventions=[
            Convention(([[1.0, 2.0], [2.0, 0.0]],), ([[0.0, 1.0], [0.0, 0.0]],)),
            Convention((np.zeros((2, 4)),), ([[1.0, 0, 1, 0], [0, 0, 0, 0]],)),
        ],
        refusals=[
            ((np.ones((3, 4)),), ShapeError, r"max_pool2d: expected x of shape .* 2 divides, got \(3, 4\)"),
            ((np.ones((4, 4)), 0), ValueError, "a positive integer as size, got 0"),
        ],
    ),
    # losses
    tg.hinge: Case(
        lambda pred, true: np.maximum(0, 1 - pred * true).sum() / len(pred),
        ROWS,
        base=Trial(((3, 2), (3, 2))),
        scalar=Refused(ShapeError, ((), ())),
        empty=Refused(ShapeError, ((0, 3), (0, 3))),
        broadcast=Refused(ShapeError, ((3, 2), (3, 1))),
        draw=off_margin,
        conventions=[
            Convention(([1.0, 0.5, 2.0], [1.0, 1.0, 1.0]), ([0.0, -1 / 3, 0.0], [0.0, -0.5 / 3, 0.0])),
            Convention(([-1.0, 1.0], [-1.0, -1.0]), ([0.0, 0.5], [0.0, -0.5])),
        ],
        refusals=[((np.ones(3), np.ones((3, 1))), ShapeError, r"hinge: .* got \(3,\) and \(3, 1\)")],
    ),
    tg.mse: Case(
        lambda pred, true: ((pred - true) ** 2).sum() / (2 * len(pred)),
        ROWS,
        base=Trial(((3, 2), (3, 2))),
        scalar=Refused(ShapeError, ((), ())),
        empty=Refused(ShapeError, ((0, 3), (0, 3))),
        broadcast=Refused(ShapeError, ((3, 2), (3, 1))),
        draw=anywhere,
        refusals=[((np.ones(3), np.ones((3, 1))), ShapeError, r"mse: .* got \(3,\) and \(3, 1\)")],
    ),
    tg.cross_entropy: Case(
        lambda scores, truth: -(truth * np.log(softmaxed(scores, 1))).sum() / len(scores),
        st.tuples(st.integers(1, 4), st.integers(1, 4)).map(lambda shape: Trial((shape, shape))),
        base=Trial(((3, 4), (3, 4))),
        scalar=Refused(ShapeError, ((), ())),
        empty=Refused(ShapeError, ((0, 3), (0, 3))),
        broadcast=Refused(ShapeError, ((3, 2), (3, 1))),
        draw=scores_and_probabilities,
        conventions=[
            Convention(([[0.0, 1000.0], [0.0, 0.0]], [1, 0]), ([[0.0, 0.0], [-0.25, 0.25]], None)),
            Convention(([[0.0, -np.inf], [0.0, 0.0]], [0, 0]), ([[0.0, 0.0], [-0.25, 0.25]], None)),
            Convention(([[0.0, 1000.0], [0.0, 0.0]], [[0, 1], [1, 0]]), ([[0.0, 0.0], [-0.25, 0.25]], None)),
        ],
        refusals=[
            ((np.ones((2, 3)), np.array([0, 3])), ValueError, "class numbers from 0 to 2, got 0 to 3"),
            ((np.ones((2, 3)), np.array([0.0, 1.0])), TypeError, "class numbers of an integer dtype, got float64"),
            ((np.ones((2, 3)), np.zeros((2, 1), int)), ShapeError, "cross_entropy: expected scores"),
        ],
    ),
    tg.l2: Case(
        lambda *weights_and_decay: (
            weights_and_decay[-1] * 0.5 * np.concatenate([w.reshape(-1) ** 2 for w in weights_and_decay[:-1]]).sum()
        ),
        st.lists(SHAPES, min_size=1, max_size=3).map(lambda shapes: Trial(tuple(shapes), (0.3,))),
        base=Trial(((2, 3), (3,)), (0.01,)),
        scalar=Trial(((), ()), (2.0,)),
        empty=Trial(((0, 3),), (0.01,)),
        broadcast=Trial(((2, 3), (3,)), (0.01,)),
        draw=anywhere,
        refusals=[(([[1.0, 2.0]],), ArgumentError, "l2: expected arguments .weights, weight_decay.")],
    ),
}

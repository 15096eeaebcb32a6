"""What each primitive must do, as data: a reference in NumPy, inputs to try, what it refuses, what it does at kinks.

`CASES` has a case for every primitive of the package, or the suite fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Array = np.ndarray[Any, np.dtype[Any]]
Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Trial:
    """Shapes of the array arguments, the static parameters that follow, and those given by keyword."""

    shapes: Shapes
    static: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A trial that must end with this error."""

    error: type[Exception]
    shapes: Shapes
    static: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Convention:
    """At a kink: exact inputs, and the exact gradients of the sum of the result, weighted by a seed."""

    arguments: tuple[Any, ...]
    gradients: tuple[Any, ...]  # None where the argument is a constant
    static: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: Any = 1


@dataclass(frozen=True)
class Case:
    """How a primitive or derived function is tried; a result that is a list of arrays is tried as all their entries."""

    reference: Callable[..., Any]  # of the arrays, static parameters and options
    trials: st.SearchStrategy[Trial]  # what Hypothesis draws
    base: Trial
    scalar: Trial | Refused
    empty: Trial | Refused
    broadcast: Trial | Refused
    draw: Callable[[np.random.Generator, Shapes], list[Array]]  # smooth points of the domain
    zeros: str = "smooth"  # or "kink", or "pole"
    ties: str = "smooth"  # or "kink"
    conventions: Sequence[Convention] = ()
    refusals: Sequence[tuple[tuple[Any, ...], type[Exception], str]] = ()  # call, error, words of its text
    more: Sequence[Trial] = ()  # tried as the base is
    sequence: bool = False  # a derived function takes its arrays in a list
    constants: tuple[int, ...] = ()  # places of a derived function's arguments through which no gradient flows
    exact: float = 1e-13  # how close values are to the reference's


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
def biases(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return Trial((shape, (shape[axis],)), (axis,))


# --- references that NumPy does not have under one name --------------------------------------------------------------


def softmaxed(x, axis):
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


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


def arrangement(reference, trials, base, scalar, empty, broadcast, **facts):
    return Case(reference, trials, base, scalar, empty, broadcast, anywhere, **facts)


HALVES = (np.array([0.5, 0.5]),) * 2

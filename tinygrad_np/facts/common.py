"""What is known of a function: a reference in NumPy, inputs to try, and what it does at kinks; as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_np.errors import RangeError
from tinygrad_np.facts.choices import Choices, Shape
from tinygrad_np.values import Array

Shapes = tuple[Shape, ...]


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


def anywhere(rng: np.random.Generator, shapes: Shapes) -> list[Array]:
    """Entries between -2 and 2."""
    return [rng.uniform(-2, 2, shape) for shape in shapes]


@dataclass(frozen=True)
class Facts:
    """How a function of arrays is tried; a result that is a list of arrays is tried as all their entries.

    Parameters
    ----------
    reference
        The same function in NumPy, of the arrays, static parameters and options; None if there is none.
    trial
        Draws shapes and parameters; without it, those of `base` and `more` are tried.
    base
        What is always tried, to second order.
    scalar, empty, broadcast
        0-d arguments, arguments without entries, and arguments of shapes that broadcast; or how these are refused.
    draw
        Makes arrays of given shapes, at which the function is smooth.
    zeros, ties
        What it is where all entries are zero, or one number: "smooth", a "kink", or a "pole" (without a slope).
    conventions
        Its gradients at kinks and ends.
    refusals
        Calls that must end with an error: the arguments, its kind, and a pattern that is found in its text.
    more
        Trials like the base.
    sequence
        It takes its arrays in a list.
    constants
        Places of arguments through which no gradient flows (a primitive's own rules say so).
    exact
        How close values are to the reference's.
    analytic
        The forward also computes with complex numbers, as the function that continues it: differences are then exact
        to the last digits, by a step in the imaginary direction (Squire and Trapp, SIAM Review 40, 1998).
    """

    reference: Callable[..., Any] | None = None
    trial: Callable[[Choices], Trial] | None = None
    base: Trial = Trial(((2, 3),))
    scalar: Trial | Refused | None = None
    empty: Trial | Refused | None = None
    broadcast: Trial | Refused | None = None
    draw: Callable[[np.random.Generator, Shapes], list[Array]] = anywhere
    zeros: str = "smooth"
    ties: str = "smooth"
    conventions: Sequence[Convention] = ()
    refusals: Sequence[tuple[tuple[Any, ...], type[Exception], str]] = ()
    more: Sequence[Trial] = ()
    sequence: bool = False
    constants: tuple[int, ...] = ()
    exact: float = 1e-13
    analytic: bool = False

    def __post_init__(self) -> None:
        for name, said in (("zeros", self.zeros), ("ties", self.ties)):
            if said not in ("smooth", "kink", "pole"):
                raise RangeError(f"Facts: expected {name} to be 'smooth', 'kink' or 'pole', got {said!r}")


# --- where to draw ----------------------------------------------------------------------------------------------------


def positive(rng: np.random.Generator, shapes: Shapes) -> list[Array]:
    """Entries between 0.5 and 2."""
    return [rng.uniform(0.5, 2, shape) for shape in shapes]


def off_zero(rng: np.random.Generator, shapes: Shapes) -> list[Array]:
    """Entries between 0.3 and 2, of both signs."""
    return [rng.uniform(0.3, 2, shape) * rng.choice([-1, 1], shape) for shape in shapes]


def distinct(rng: np.random.Generator, shapes: Shapes) -> list[Array]:
    """Entries that all differ by at least 0.05, and from zero, over all arguments."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    entries = rng.permutation(np.arange(sum(sizes)) - sum(sizes) // 2 + 0.5) * 0.1
    parts = np.split(entries, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


# --- what to draw -----------------------------------------------------------------------------------------------------

FULL = (1, 4)
"""Sides of arrays that have entries."""


def any_shape(some: Choices) -> Trial:
    """One array."""
    return Trial((some.shape(),))


def with_axis(some: Choices) -> Trial:
    """An array, and None, an axis or a tuple of axes."""
    shape = some.shape()
    return Trial((shape,), (some.axes(shape),))


def biases(some: Choices) -> Trial:
    """An array, and a vector for one of its axes."""
    shape = some.shape((1, 4), (0, 3))
    axis = some.axis(shape)
    return Trial((shape, (shape[axis],)), (axis,))


# --- references that NumPy does not have under one name ---------------------------------------------------------------


def softmaxed(x: Array, axis: Any) -> Array:
    """The definition."""
    out: Array = np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)
    return out


# --- families ---------------------------------------------------------------------------------------------------------


def unary(reference: Callable[..., Any] | None, draw: Any = anywhere, **facts: Any) -> Facts:
    """A function of one entry at a time."""
    return Facts(
        reference,
        any_shape,
        base=Trial(((2, 3),)),
        scalar=Trial(((),)),
        empty=Trial(((0, 3),)),
        broadcast=Trial(((2, 3),)),
        draw=draw,
        **facts,
    )


def entrywise(reference: Callable[..., Any] | None, count: int = 2, draw: Any = anywhere, **facts: Any) -> Facts:
    """A function of one entry of each of several arrays, which broadcast."""
    return Facts(
        reference,
        lambda some: Trial(some.together(count)),
        base=Trial(((2, 3),) * count),
        scalar=Trial(((),) * count),
        empty=Trial(((0, 3),) * count),
        broadcast=Trial(((2, 1, 3), (4, 1), ())[:count]),
        draw=draw,
        **facts,
    )


HALVES = (np.array([0.5, 0.5]),) * 2

"""Shapes, and arrays that a function can be differentiated at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import SearchStrategy

from tinygrad_np.errors import DtypeError, RangeError
from tinygrad_np.facts.choices import Shape
from tinygrad_np.values import Array
from tinygrad_np.verify.checks import LAYOUTS

Item = TypeVar("Item")
Interval = tuple[float, float]


def shapes(dims: tuple[int, int] = (0, 3), sides: tuple[int, int] = (0, 4)) -> SearchStrategy[Shape]:
    """Shapes, 0-d and empty ones among them.

    Parameters
    ----------
    dims
        The least and largest number of axes.
    sides
        The least and largest length of each.

    Returns
    -------
    SearchStrategy

    Examples
    --------
    >>> from hypothesis import find
    >>> find(shapes(sides=(1, 4)), lambda shape: len(shape) == 2)
    (1, 1)
    """
    return hnp.array_shapes(min_dims=dims[0], max_dims=dims[1], min_side=sides[0], max_side=sides[1])


def broadcastable_shapes(
    count: int, dims: tuple[int, int] = (0, 3), sides: tuple[int, int] = (0, 4)
) -> SearchStrategy[tuple[Shape, ...]]:
    """Shapes that broadcast together.

    Parameters
    ----------
    count
        How many.
    dims, sides
        As in `shapes`.

    Returns
    -------
    SearchStrategy
        Of tuples of shapes.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(broadcastable_shapes(2, sides=(1, 4)), lambda pair: len(pair[0]) > len(pair[1]))
    ((1,), ())
    """
    drawn = hnp.mutually_broadcastable_shapes(
        num_shapes=count, min_dims=dims[0], max_dims=dims[1], min_side=sides[0], max_side=sides[1]
    )
    return drawn.map(lambda found: tuple(found.input_shapes))


def arrays(
    shape: Shape | SearchStrategy[Shape] | None = None,
    dtype: Any = np.float64,
    *,
    low: float = -2.0,
    high: float = 2.0,
    kinks: Sequence[float] = (),
    distance: float = 0.05,
    zeros: bool = True,
    ties: bool = True,
    layouts: bool = True,
) -> SearchStrategy[Array]:
    """Arrays of finite floats at which a function can be differentiated.

    Parameters
    ----------
    shape : shape or strategy of shapes, optional
        Without it, any of `shapes`.
    dtype : dtype or strategy of dtypes
        Of floats.
    low, high
        Bounds of the entries, both included.
    kinks
        Numbers that all entries stay away from.
    distance
        By how much they do.
    zeros
        Whether zeros, of both signs, occur; without them 0 is one of the kinks.
    ties
        Whether entries may be equal, or close; otherwise all differ by at least the distance.
    layouts
        Whether arrays also come in Fortran order and strided; otherwise they are in C order.

    Returns
    -------
    SearchStrategy

    Raises
    ------
    RangeError
        If the bounds are not finite or not in order, the distance is not positive, or no number is left to draw; when
        drawn from, if more entries are asked for than can differ.
    DtypeError
        If the dtype is not one of floats.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(arrays((3,), zeros=False, layouts=False), lambda x: x[0] < 0 < x[1]).shape
    (3,)
    >>> find(arrays((2,), np.float32, layouts=False), lambda x: x.any()).dtype
    dtype('float32')
    """
    if not (np.isfinite([low, high]).all() and low <= high):
        raise RangeError(f"arrays: expected finite bounds, the lower one first, got low={low} and high={high}")
    if not distance > 0:
        raise RangeError(f"arrays: expected a positive distance, got {distance}")
    away = sorted({*kinks} if zeros else {*kinks, 0.0})
    if not isinstance(dtype, SearchStrategy):
        _intervals(low, high, away, distance, _floats(dtype))
    return _arrays(shapes() if shape is None else shape, dtype, low, high, away, distance, ties, layouts)


@st.composite
def _arrays(
    draw: st.DrawFn,
    shape: Shape | SearchStrategy[Shape],
    dtype: Any,
    low: float,
    high: float,
    away: Sequence[float],
    distance: float,
    ties: bool,
    layouts: bool,
) -> Array:
    form, kind = draw(_strategy(shape)), _floats(draw(_strategy(dtype)))
    single = kind if kind.itemsize <= 8 else np.dtype(np.float64)  # Hypothesis draws nothing longer
    intervals = _intervals(low, high, away, distance, single)
    if ties:
        entries = st.one_of([st.floats(a, b, width=8 * single.itemsize) for a, b in intervals])  # type: ignore[arg-type]
        drawn: Array = draw(hnp.arrays(single, form, elements=entries))
    else:
        drawn = draw(_differing(int(np.prod(form)), intervals, distance, single)).reshape(form)
    layout = draw(st.sampled_from([np.asarray, *LAYOUTS.values()] if layouts else [np.asarray]))
    arranged: Array = layout(drawn.astype(kind))
    return arranged


def _strategy(value: Item | SearchStrategy[Item]) -> SearchStrategy[Item]:
    return value if isinstance(value, SearchStrategy) else st.just(value)


def _floats(dtype: Any) -> np.dtype[Any]:
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind.kind != "f":
        raise DtypeError(f"arrays: expected a dtype of floats, got {kind}; gradients are not defined for others")
    return kind


# --- entries ----------------------------------------------------------------------------------------------------------


def _intervals(low: float, high: float, away: Sequence[float], distance: float, dtype: np.dtype[Any]) -> list[Interval]:
    """What is left between the bounds without all that is near `away`, which is sorted; the simplest first."""
    starts = [low, *(max(low, np.nextafter(kink + distance, np.inf)) for kink in away)]
    ends = [*(min(high, np.nextafter(kink - distance, -np.inf)) for kink in away), high]
    inside = [(_above(a, dtype), -_above(-b, dtype)) for a, b in zip(starts, ends, strict=True)]
    left = [(-0.0 if a == 0 else a, b + 0.0) for a, b in inside if a <= b]
    if not left:
        raise RangeError(
            f"arrays: expected numbers of dtype {dtype} between {low} and {high}, {distance} away from {away}; there "
            "are none"
        )
    return sorted(left, key=lambda interval: interval[1] < 0)


def _above(bound: float, dtype: np.dtype[Any]) -> float:
    """The least number of this dtype that is not below the bound."""
    with np.errstate(over="ignore"):
        near = dtype.type(bound)
    return float(near if float(near) >= bound else np.nextafter(near, dtype.type(np.inf)))


@st.composite
def _differing(
    draw: st.DrawFn, size: int, intervals: Sequence[Interval], distance: float, dtype: np.dtype[Any]
) -> Array:
    """Entries that all differ: drawn from shorter intervals, and then moved apart by their rank.

    Entries of two intervals differ anyway, as a kink and its surroundings lie between these.
    """
    largest = max(abs(bound) for interval in intervals for bound in interval)
    rounding = 2 * float(np.finfo(dtype).eps) + 8 * float(np.finfo(np.float64).eps)
    spacing = distance + rounding * largest
    room = [1 + int((b - a) / spacing) for a, b in intervals]
    if sum(room) < size:
        raise RangeError(
            f"arrays: expected at most {sum(room)} entries, as more cannot differ by {distance}, got {size}; ask for "
            "smaller shapes, a smaller distance, wider bounds, or ties=True"
        )
    homes = np.empty(size, int)
    for entry in range(size):
        homes[entry] = draw(st.sampled_from([i for i, left in enumerate(room) if left]))
        room[homes[entry]] -= 1
    entries = np.empty(size)
    for i, (a, b) in enumerate(intervals):
        (mine,) = np.nonzero(homes == i)
        last = max(a, b - (mine.size - 1) * spacing)
        drawn = draw(hnp.arrays(np.float64, mine.size, elements=st.floats(a, last)))
        ranks = np.argsort(np.argsort(drawn, kind="stable"))
        entries[mine] = np.clip(drawn + ranks * spacing, a, b)
    return entries.astype(dtype)

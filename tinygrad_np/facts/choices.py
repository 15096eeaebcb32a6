"""Where shapes, axes and indices to try are drawn from: NumPy's generator, or Hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

Item = TypeVar("Item")
Shape = tuple[int, ...]


class Choices:
    """Everything that is drawn, made of whole numbers alone, so that one who draws those draws all.

    Parameters
    ----------
    integer
        A function of `low` and `high` that returns an integer between them, both included.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Choices.of(rng).shape(dims=(2, 2), sides=(1, 4))
    (4, 3)
    """

    def __init__(self, integer: Callable[[int, int], int]) -> None:
        self.integer = integer

    @classmethod
    def of(cls, rng: np.random.Generator) -> Choices:
        """Those of a generator."""
        return cls(lambda low, high: int(rng.integers(low, high, endpoint=True)))

    def flag(self) -> bool:
        """False or true."""
        return bool(self.integer(0, 1))

    def pick(self, items: Sequence[Item]) -> Item:
        """One of these."""
        return items[self.integer(0, len(items) - 1)]

    def some(self, items: Sequence[Item], least: int = 0, most: int | None = None) -> list[Item]:
        """Different ones of these, in any order."""
        rest = list(items)
        count = self.integer(least, len(rest) if most is None else min(most, len(rest)))
        return [rest.pop(self.integer(0, len(rest) - 1)) for _ in range(count)]

    def order(self, items: Sequence[Item]) -> list[Item]:
        """All of these, in any order."""
        return self.some(items, len(items))

    def bools(self, shape: Shape) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """An array of false and true."""
        return np.array([self.flag() for _ in range(int(np.prod(shape)))], bool).reshape(shape)

    # --- shapes and axes ----------------------------------------------------------------------------------------------

    def shape(self, dims: tuple[int, int] = (0, 3), sides: tuple[int, int] = (0, 4)) -> Shape:
        """A shape with a number of axes, and a length of each, between these."""
        return tuple(self.integer(*sides) for _ in range(self.integer(*dims)))

    def narrower(self, shape: Shape) -> Shape:
        """A shape that broadcasts to `shape`."""
        return tuple(n if self.flag() else 1 for n in shape[self.integer(0, len(shape)) :])

    def together(self, count: int, dims: int = 3, sides: tuple[int, int] = (0, 4)) -> tuple[Shape, ...]:
        """Shapes that broadcast together; often none has the shape of the result."""
        whole = self.shape((0, dims), sides)
        return tuple(self.narrower(whole) for _ in range(count))

    def axis(self, shape: Shape) -> int:
        """An axis, perhaps counted from the last."""
        return self.integer(-len(shape), len(shape) - 1)

    def axes(self, shape: Shape, single: bool = False) -> Any:
        """None, an axis or, unless `single`, a tuple of axes."""
        kind = self.integer(0, 1 if single else 2) if shape else 0
        if kind == 0:
            return None
        return self.axis(shape) if kind == 1 else tuple(self.some(range(len(shape))))

    # --- indices ------------------------------------------------------------------------------------------------------

    def slice(self, n: int) -> slice:
        """A slice of an axis of length `n`."""
        start, stop = (self.pick([None, self.integer(-n, n)]) for _ in range(2))
        return slice(start, stop, self.pick([None, 1, 2, -1, -2]))

    def basic_index(self, shape: Shape) -> Any:
        """Slices, numbers, None and an ellipsis."""
        items: list[Any] = []
        for n in shape[: self.integer(0, len(shape))]:
            items.append(self.integer(-n, n - 1) if n and self.flag() else self.slice(n))
        if self.flag():
            items.insert(self.integer(0, len(items)), None)
        if self.flag():
            place = self.integer(0, len(items))
            ahead = sum(i is not None for i in items[:place])
            behind = [i for i in items[place:] if i is not None]
            last = shape[len(shape) - len(behind) :] if len(behind) + ahead <= len(shape) else ()
            fits = all(not isinstance(i, int) or -n <= i < n for i, n in zip(behind, last, strict=False))
            if fits:
                items.insert(place, Ellipsis)
        return items[0] if len(items) == 1 and self.flag() else tuple(items)

    def numbers(self, n: int, shape: Shape) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Places in an axis of length `n`, perhaps counted from the last."""
        return np.array([self.integer(-n, n - 1) for _ in range(int(np.prod(shape)))], np.intp).reshape(shape)

    def index(self, shape: Shape, arrays: bool = True) -> Any:
        """Any index that an array of this shape takes."""
        kind = self.integer(0, 5) if arrays and shape and 0 not in shape else 0
        if kind == 1:
            wide = self.shape((1, 2), (1, 4))
            return tuple(self.numbers(n, wide) for n in shape)
        if kind == 2:
            return self.bools(shape)
        rows = [self.integer(-shape[0], shape[0] - 1) for _ in range(self.integer(1, 5))] if kind > 2 else []
        return [self.basic_index(shape), None, None, rows, (rows, ...), (..., None, 0)][kind]

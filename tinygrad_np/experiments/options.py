"""What an experiment depends on: its options, each with a default and with what it allows."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from tinygrad_np.errors import RangeError


@dataclass(frozen=True)
class Numbers:
    """The numbers that an option may be.

    Examples
    --------
    >>> 0.5 in Numbers(float, 0, 1), 1.0 in Numbers(float, 0, 1), True in Numbers(int, 0)
    (True, False, False)
    >>> print(Numbers(int, 1))
    a whole number of at least 1
    """

    kind: type
    least: float
    below: float = math.inf

    def __contains__(self, value: Any) -> bool:
        kinds = (int, np.integer) if self.kind is int else (int, float, np.integer, np.floating)
        return isinstance(value, kinds) and not isinstance(value, bool) and bool(self.least <= value < self.below)

    def __str__(self) -> str:
        what = "a whole number" if self.kind is int else "a number"
        return f"{what} of at least {self.least}" + (f" and below {self.below}" if self.below < math.inf else "")


@dataclass(frozen=True)
class Words:
    """The texts that an option may be: those that match a regular expression.

    Examples
    --------
    >>> allowed = Words("course|loss", "course or loss")
    >>> "loss" in allowed, "losses" in allowed, str(allowed)
    (True, False, 'course or loss')
    """

    pattern: str
    said: str
    kind: type = str

    def __contains__(self, value: Any) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None

    def __str__(self) -> str:
        return self.said


def option(default: Any, what: str, allowed: Numbers | Words | None = None, metavar: str = "X") -> Any:
    """A field of a dataclass of options. A tuple as its default makes it a tuple; without `allowed` it is a flag.

    Examples
    --------
    >>> option(3, "how many", Numbers(int, 1)).default
    3
    """
    return field(default=default, metadata={"what": what, "allowed": allowed, "metavar": metavar})


@dataclass(frozen=True)
class Options:
    """A base for dataclasses whose fields are options: values that are not allowed are refused.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Walk(Options):
    ...     steps: int = option(10, "how far", Numbers(int, 1))
    >>> Walk(steps=0)
    Traceback (most recent call last):
    ...
    tinygrad_np.errors.RangeError: Walk: expected steps to be a whole number of at least 1, got 0
    """

    def __post_init__(self) -> None:
        for one in fields(self):
            allowed, value = one.metadata["allowed"], getattr(self, one.name)
            several = isinstance(one.default, tuple)
            if allowed is None:
                right, expected = isinstance(value, bool), "True or False"
            elif several:
                right = isinstance(value, tuple) and all(v in allowed for v in value)
                expected = f"a tuple, each {allowed}"
            else:
                right, expected = value in allowed, str(allowed)
            if not right:
                raise RangeError(f"{type(self).__name__}: expected {one.name} to be {expected}, got {value!r}")

"""Large arrays that are lent again and again, so that a training step asks the system for no memory.

A `Pool` belongs to a parameter and goes with it. It lends views of its buffers; a buffer is lent again when nobody
holds a view of it any more, be it a graph, another thread or the user: exactly when NumPy would have freed it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from tinygrad_np.values import Array

getrefcount: Callable[[Any], int] = getattr(sys, "getrefcount", lambda _: 0)  # not every Python counts

Lend = Callable[[tuple[int, ...], "np.dtype[Any]"], Array | None]

LARGE = 1 << 16
"""Bytes. What is smaller comes faster from NumPy."""

SPARE = 1 << 24
"""Bytes. As much may be free in a pool in any case."""

_SAME_SHAPE = 16  # as many buffers of one shape are kept, which are looked through for a free one


class _Buffer(np.ndarray[Any, np.dtype[Any]]):
    """What a pool owns; told by its type from an array that somebody else may own."""


def _count(array: Array) -> int:
    return getrefcount(array)


def _expected() -> tuple[int, int]:
    """The counts of an array held by one variable, and of a buffer held by a list and a variable, in this Python."""
    array, buffers = np.empty(0), [np.empty(0)]
    for buffer in buffers:
        return _count(array), getrefcount(buffer)
    raise AssertionError


_ALONE, _FREE = _expected()
_COUNTS = getattr(sys, "_is_gil_enabled", lambda: True)() and sys.implementation.name == "cpython"
"""Whether reference counts are exact here. Where they are not, nothing is lent or taken over."""


def alone(array: Array) -> bool:
    """Whether the caller's one variable is all that holds this memory, so that it may be written into or given away."""
    if getrefcount(array) != _ALONE or not _COUNTS:
        return False
    base = array.base
    if base is None:
        return array.flags.owndata and array.flags.writeable
    return (
        type(base) is _Buffer and getrefcount(base) <= _FREE + 1 and array.flags.writeable
    )  # by its list and the view


def is_lent(array: Any) -> bool:
    """Whether an array lies in a buffer of a pool."""
    while isinstance(array, np.ndarray) and type(array) is not _Buffer:
        array = array.base
    return type(array) is _Buffer


def add(held: Any, part: Any) -> Any:
    """``held + part``; in the memory of `held` if that is a large array that nobody else sees."""
    if type(held) is np.ndarray and held.nbytes >= LARGE and alone(held):
        return np.add(held, part, held)
    return held + part


def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Lend nothing: NumPy's functions then allocate their result."""


class Pool:
    """The buffers of one model. What it holds and nobody uses is at most as much as what is used, and `SPARE`."""

    __slots__ = ("buffers",)

    def __init__(self) -> None:
        self.buffers: dict[tuple[Any, ...], list[_Buffer]] = {}

    def lend(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array | None:
        """An array with arbitrary entries that nobody else holds; None if it is small, so that NumPy allocates it."""
        if prod(shape) * dtype.itemsize < LARGE or not _COUNTS:
            return None
        for buffer in self.buffers.get((shape, dtype), ()):
            if getrefcount(buffer) == _FREE:
                return buffer.view(np.ndarray)
        new = _Buffer(shape, dtype)
        self._trim(new.nbytes)
        buffers = self.buffers.setdefault((shape, dtype), [])
        if len(buffers) < _SAME_SHAPE:
            buffers.append(new)
        return new.view(np.ndarray)

    def _trim(self, used: int) -> None:
        """Let go of free buffers of the shapes first asked for, if too much is free."""
        free = 0
        for buffers in self.buffers.values():
            for buffer in buffers:
                if getrefcount(buffer) == _FREE:
                    free += buffer.nbytes
                else:
                    used += buffer.nbytes
        for key, buffers in list(self.buffers.items()):
            for i in reversed(range(len(buffers))):
                buffer = buffers[i]
                if free > used + SPARE and getrefcount(buffer) == _FREE:
                    free -= buffer.nbytes
                    del buffers[i]
            if not buffers:
                self.buffers.pop(key, None)

"""The smallest input that still fails: fewer entries first, then simpler numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tinygrad_np.values import Array

Fails = Callable[[Sequence[Array]], bool]


def smallest(arrays: Sequence[Array], fails: Fails, tries: int = 200) -> list[Array]:
    """Cut axes and round numbers for as long as `fails` holds, at most `tries` times."""
    best, left = [np.array(a) for a in arrays], tries
    for candidates in (_shorter, _simpler):
        changed = True
        while changed and left > 0:
            changed = False
            for candidate in candidates(best):
                if left <= 0:
                    break
                left -= 1
                if fails(candidate):
                    best, changed = candidate, True
                    break
    return best


def larger(arrays: Sequence[Array], rng: np.random.Generator) -> Iterator[list[Array]]:
    """With all axes of one length, and then single ones, two entries longer, which are near those that there are."""
    axes = [(i, axis, n) for i, a in enumerate(arrays) for axis, n in enumerate(a.shape) if n]
    groups = [[(i, axis) for i, axis, n in axes if n == length] for length in sorted({n for _, _, n in axes})]
    groups += [[(i, axis)] for i, axis, _ in axes if [(i, axis)] not in groups]
    for group in groups:
        grown = list(arrays)
        for i, axis in group:
            n = grown[i].shape[axis]
            grown[i] = np.take(grown[i], np.arange(n + 2) % n, axis)
        yield [nearby(a, rng) for a in grown]


def nearby(array: Array, rng: np.random.Generator) -> Array:
    """Other numbers, a few hundredths away; integers stay."""
    if array.dtype.kind != "f":
        return array
    return np.asarray(array + 0.03 * np.maximum(1, np.abs(array)) * rng.normal(size=array.shape), array.dtype)


def _shorter(arrays: Sequence[Array]) -> Iterator[list[Array]]:
    """With all axes of one length cut to a part; then with single axes cut."""
    axes = [(i, axis, n) for i, a in enumerate(arrays) for axis, n in enumerate(a.shape) if n > 1]
    lengths = sorted({n for _, _, n in axes}, reverse=True)
    groups = [[(i, axis) for i, axis, n in axes if n == length] for length in lengths]
    groups += [[(i, axis)] for i, axis, _ in axes]
    for group in groups:
        n = arrays[group[0][0]].shape[group[0][1]]
        for start, stop in ((0, 1), (n - 1, n), (0, n // 2), (n // 2, n), (0, n - 1), (0, n - 2)):
            if 0 < stop - start < n:
                cut = list(arrays)
                for i, axis in group:
                    cut[i] = cut[i][(slice(None),) * axis + (slice(start, stop),)]
                yield [np.array(a) for a in cut]


def _simpler(arrays: Sequence[Array]) -> Iterator[list[Array]]:
    """With all numbers of an array rounded, or single ones."""
    for i, array in enumerate(arrays):
        if array.dtype.kind != "f":
            continue
        for simple in (np.sign(array), np.rint(array), np.round(array, 1)):
            if not np.array_equal(simple, array):
                yield [*arrays[:i], simple, *arrays[i + 1 :]]
        for entry in range(min(array.size, 16)):
            for simpler in (np.sign, np.rint):
                changed = array.copy()
                changed.flat[entry] = simpler(array.flat[entry])
                if changed.flat[entry] != array.flat[entry]:
                    yield [*arrays[:i], changed, *arrays[i + 1 :]]

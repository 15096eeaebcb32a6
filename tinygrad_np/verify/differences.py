"""Slopes from values alone: central differences, extrapolated, and told apart from kinks and from rounding."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from tinygrad_np.values import Array

LEVELS = 4
"""How often a step is made 32 times smaller, where the function turns out to be rough at its scale."""


class Verdict(IntEnum):
    """What differences say of a claimed slope."""

    UNKNOWN = 0
    RIGHT = 1
    WRONG = 2
    KINK = 3


class Judgement(NamedTuple):
    """A verdict, and the slope that differences give (nan at a kink)."""

    verdict: Verdict
    slope: float


def precision(*arrays: Any) -> float:
    """The coarsest machine epsilon of these arrays' float dtypes."""
    kinds = {np.asarray(a).dtype for a in arrays}
    return max(float(np.finfo(kind).eps) for kind in kinds if kind.kind == "f")


def tolerance(eps: float) -> float:
    """How close slopes by differences come, relative to their terms: 1e-7 in double, 1e-3 in single precision."""
    return float(eps**0.45)


def widened(array: Array) -> Array:
    """In double precision, or in the array's own if that is longer."""
    return array.astype(np.promote_types(array.dtype, np.float64))


def judge(terms: Callable[[float], Array], claimed: float, size: float, floor: float, eps: float) -> Judgement:
    """Compare a claimed slope at 0 with differences of values.

    Central differences at h, h/2 and h/4 are extrapolated twice (Richardson), which leaves an error of order h**6. The
    step starts at ``eps**(1/5)`` and is made smaller until the extrapolations agree with each other. Where slopes to
    the left and to the right differ, or nothing converges, there is a kink; where rounding hides the slope, nothing is
    known.

    Parameters
    ----------
    terms
        The function: an array, whose sum is meant, for a step.
    claimed
        The slope to judge; nan to find the slope alone, whose verdict is then WRONG.
    size
        The sum of the claimed slope's terms, each without its sign; what a relative error refers to.
    floor
        A slope that is natural here; what is smaller by the machine's precision is rounding.
    eps
        The machine epsilon of the values, and of the entries that are moved.
    """
    rtol, start, verdict = tolerance(eps), eps**0.2, Verdict.UNKNOWN
    size = size if np.isfinite(size) else 0.0
    for level in range(LEVELS):
        h = start / 32**level
        values = {k: terms(k * h / 4) for k in (-4, -2, -1, 1, 2, 4)}
        apart = [values[k] - values[-k] for k in (4, 2, 1)]
        if not all(np.isfinite(d).all() for d in apart):
            continue
        changed = apart[0] != 0
        magnitude = float(np.abs(values[1][changed]).sum())
        d = [float(a.sum()) * 2 / (h * k) for a, k in zip(apart, (4, 2, 1), strict=True)]
        once = [(4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3]
        slope = (16 * once[1] - once[0]) / 15
        scale = max(size, abs(slope), 1e-3 * magnitude)
        noise = 20 * eps * (magnitude + size) / h
        near = rtol * scale + noise + 50 * eps * floor / h
        if noise > max(1e-2, 4 * rtol) * scale:
            continue
        verdict = Verdict.KINK
        if abs(claimed - slope) <= near:
            return Judgement(Verdict.RIGHT, slope)
        if abs(slope - once[1]) <= near:
            here = terms(0.0)
            right, left = (_one_sided(values, here, h, sign) for sign in (1, -1))
            gap = max(scale, abs(right), abs(left))
            if abs(right - left) <= 1e-3 * gap + 10 * noise:
                return Judgement(Verdict.WRONG, slope)
    return Judgement(verdict, np.nan)


def _one_sided(values: dict[int, Array], here: Array, h: float, sign: int) -> float:
    """The slope to one side, extrapolated twice: an error of order h**3."""
    d = [float((values[sign * k] - here).sum()) * 4 / (sign * k * h) for k in (4, 2, 1)]
    once = [2 * d[1] - d[0], 2 * d[2] - d[1]]
    return (4 * once[1] - once[0]) / 3

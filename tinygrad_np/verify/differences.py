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
    step starts at ``eps**(1/5)`` and is made smaller until the claim is found to be right, or two steps agree that it
    is not. Where slopes to the left and to the right differ, or nothing converges, there is a kink; where rounding
    hides the slope, nothing is known.

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
    size, verdict = size if np.isfinite(size) else 0.0, Verdict.UNKNOWN
    earlier: Level | None = None  # one at which the claim looks wrong
    has_moved = False
    for number in range(LEVELS):
        level = _level(terms, eps**0.2 / 32**number, size, floor, eps)
        if level is None:  # not finite: a smaller step may stay inside of the domain
            continue
        if level.is_noisy or (
            has_moved and not level.slope
        ):  # what has moved stands still: it is coarser than the step
            break
        has_moved = has_moved or level.slope != 0
        verdict = Verdict.KINK
        if abs(claimed - level.slope) <= level.near:
            return Judgement(Verdict.RIGHT, level.slope)
        if earlier is not None and abs(earlier.slope - level.slope) <= earlier.near + level.near:
            return Judgement(Verdict.WRONG, earlier.slope)
        earlier = level if level.is_smooth else None
    if earlier is not None and not abs(claimed - earlier.slope) <= 0.1 * earlier.scale:
        return Judgement(Verdict.WRONG, earlier.slope)  # by so much that one step is enough to tell
    return Judgement(Verdict.UNKNOWN if earlier is not None else verdict, np.nan)


class Level(NamedTuple):
    """What differences with one step say."""

    slope: float
    near: float  # how far the true slope may be from it
    scale: float
    is_noisy: bool  # rounding hides the slope
    is_smooth: bool  # the extrapolations agree with each other, and the left side with the right


def _level(terms: Callable[[float], Array], h: float, size: float, floor: float, eps: float) -> Level | None:
    """Central differences at h, h/2 and h/4; None where something is not finite."""
    values = {k: terms(k * h / 4) for k in (-4, -2, -1, 1, 2, 4)}
    nowhere = ~np.any([np.isfinite(v) for v in values.values()], axis=0)  # finite; what is so does not move
    if nowhere.any():
        values = {k: np.where(nowhere, 0, v) for k, v in values.items()}
    apart = [values[k] - values[-k] for k in (4, 2, 1)]
    if not all(np.isfinite(d).all() for d in apart) or (nowhere.any() and not apart[0].any()):
        return None
    rtol, terms_here = tolerance(eps), np.abs(values[1])
    magnitude = float(terms_here[apart[0] != 0].sum())
    d = [float(a.sum()) * 2 / (h * k) for a, k in zip(apart, (4, 2, 1), strict=True)]
    once = [(4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3]
    slope = (16 * once[1] - once[0]) / 15
    scale = max(size, abs(slope), 1e-3 * magnitude)
    noise = 20 * eps * (magnitude + size) / h
    near = rtol * scale + noise + 50 * eps * max(floor, float(terms_here.max(initial=0))) / h
    if noise > max(1e-2, 4 * rtol) * scale or near > 0.3 * max(scale, 1e-3 * floor):
        return Level(slope, near, scale, True, False)
    is_smooth = abs(slope - once[1]) <= near
    if is_smooth:
        here = np.where(nowhere, 0, terms(0.0))
        right, left = (_one_sided(values, here, h, sign) for sign in (1, -1))
        is_smooth = abs(right - left) <= 1e-3 * max(scale, abs(right), abs(left)) + 10 * noise
    return Level(slope, near, scale, False, is_smooth)


def _one_sided(values: dict[int, Array], here: Array, h: float, sign: int) -> float:
    """The slope to one side, extrapolated twice: an error of order h**3."""
    d = [float((values[sign * k] - here).sum()) * 4 / (sign * k * h) for k in (4, 2, 1)]
    once = [2 * d[1] - d[0], 2 * d[2] - d[1]]
    return (4 * once[1] - once[0]) / 3

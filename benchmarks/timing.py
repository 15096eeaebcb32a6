"""How it is measured: contenders take turns, so that whatever slows the machine slows them all, and ratios stay."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np

from benchmarks.problems import UNIT, Contender, Workload

TOLERANCES = {"float64": (1e-6, 1e-12), "float32": (2e-2, 1e-5)}
"""Relative and absolute, by dtype; the absolute one is for entries that cross zero, which are all rounding."""


class Disagreement(Exception):
    """A contender computes something else than the unit does, so that its time means nothing."""


def agreeing(workload: Workload) -> dict[str, Contender]:
    """Let all contenders take a few steps from the same start; raise `Disagreement` unless they end in one place."""
    started = {name: start() for name, start in workload.contenders.items()}
    contenders = {name: contender for name, contender in started.items() if contender is not None}
    rtol, atol = TOLERANCES[workload.dtype]
    for number in range(1, workload.steps + 1):
        losses = {name: contender.step() for name, contender in contenders.items()}
        for name, loss in losses.items():
            if not np.isclose(loss, losses[UNIT], rtol=rtol, atol=0):
                raise Disagreement(
                    f"{workload.name}: the loss of {name} at step {number} is {loss!r}, that of {UNIT} {losses[UNIT]!r}"
                )
    expected = contenders[UNIT].results()
    for name, contender in contenders.items():
        found = contender.results()
        kinds, expected_kinds = ([(np.shape(a), str(a.dtype)) for a in arrays] for arrays in (found, expected))
        if kinds != expected_kinds:
            raise Disagreement(f"{workload.name}: the results of {name} are {kinds}, those of {UNIT} {expected_kinds}")
        for i, (array, right) in enumerate(zip(found, expected, strict=True)):
            if not np.allclose(array, right, rtol=rtol, atol=atol):
                raise Disagreement(
                    f"{workload.name}: results[{i}] of {name} differ from those of {UNIT} after {workload.steps} "
                    f"steps, by up to {np.abs(array - right).max():.3g}"
                )
    return contenders


def warm_allocator() -> None:
    """Free one large array, as any process has that loaded data: glibc's malloc then keeps what later steps free.

    Before, it returns arrays of some hundred KB to the system, which costs those who allocate up to three times the
    step. As the first large array to be freed ends that, ratios would depend on which workload came before.
    """
    np.ones(31 * 2**20, np.uint8)  # its threshold follows the largest block freed, up to 32 MB


class Measurement(NamedTuple):
    """A contender's median time per step, and the median, lowest and highest of its ratios to the unit's."""

    microseconds: float
    ratio: float
    lowest: float
    highest: float


def measure(contenders: Mapping[str, Contender], rounds: int, seconds: float) -> dict[str, Measurement]:
    """Time every contender once a round, for about `seconds` or one step, whichever is longer."""
    gc.collect()
    gc.freeze()  # automatic collections look at what the steps make, not at all that the peers have loaded
    names = list(contenders)
    repetitions = {name: _repetitions(contenders[name], seconds) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            if repetitions[name] > 1:
                contenders[name].step()  # after the others' turns, the first step meets cold caches
            gc.collect()  # each pays for the garbage that it makes itself
            times[name].append(_time(contenders[name], repetitions[name]) / repetitions[name])
        names.reverse()  # so that nobody always follows the same neighbour
    gc.unfreeze()
    unit = times[UNIT]
    measurements = {}
    for name in contenders:
        ratios = [time / unit_time for time, unit_time in zip(times[name], unit, strict=True)]
        measurements[name] = Measurement(median(times[name]) * 1e6, median(ratios), min(ratios), max(ratios))
    return measurements


def _time(contender: Contender, repetitions: int) -> float:
    step = contender.step
    begin = perf_counter()
    for _ in range(repetitions):
        step()
    return perf_counter() - begin


def _repetitions(contender: Contender, seconds: float) -> int:
    """How many steps fill `seconds`: double the number until they fill half, then take the rest by proportion."""
    repetitions = 1
    while (time := _time(contender, repetitions)) < seconds / 2:
        repetitions *= 2
    return max(1, round(repetitions * seconds / time))

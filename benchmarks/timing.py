"""How it is measured: contenders take turns, so that whatever slows the machine slows them all, and ratios stay."""

from __future__ import annotations

import gc
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np

from benchmarks.workloads import UNIT, Contender, Workload


class Disagreement(Exception):
    """A contender computes something else than the unit does, so that its time means nothing."""


def check_agreement(workload: Workload, steps: int = 4, rtol: float = 1e-6) -> None:
    """Let all contenders take a few steps from the same start; raise `Disagreement` unless they end in one place."""
    contenders = {name: start() for name, start in workload.contenders.items()}
    unit = contenders[UNIT]
    for number in range(1, steps + 1):
        losses = {name: contender.step() for name, contender in contenders.items()}
        for name, loss in losses.items():
            if not np.isclose(loss, losses[UNIT], rtol=rtol, atol=0):
                raise Disagreement(
                    f"{workload.name}: the loss of {name} at step {number} is {loss!r}, that of {UNIT} {losses[UNIT]!r}"
                )
    expected = unit.results()
    for name, contender in contenders.items():
        found = contender.results()
        shapes, expected_shapes = [np.shape(array) for array in found], [np.shape(array) for array in expected]
        if shapes != expected_shapes:
            raise Disagreement(
                f"{workload.name}: the results of {name} have shapes {shapes}, those of {UNIT} {expected_shapes}"
            )
        for i, (array, right) in enumerate(zip(found, expected, strict=True)):
            if not np.allclose(array, right, rtol=rtol, atol=1e-12):  # an entry that crosses zero is all rounding
                raise Disagreement(
                    f"{workload.name}: results[{i}] of {name} differ from those of {UNIT} after {steps} steps, by up "
                    f"to {np.abs(array - right).max():.3g}"
                )


class Measurement(NamedTuple):
    """A contender's median time per step, and the median, lowest and highest of its ratios to the unit's."""

    microseconds: float
    ratio: float
    lowest: float
    highest: float


def measure(workload: Workload, rounds: int, seconds: float) -> dict[str, Measurement]:
    """Time every contender once a round, for about `seconds`, each time from the same start."""
    names = list(workload.contenders)
    repetitions = {name: _repetitions(workload.contenders[name](), seconds) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            contender = workload.contenders[name]()
            contender.step()  # the first step meets cold caches and untouched memory
            gc.collect()  # each pays for the garbage that it makes itself
            times[name].append(_time(contender, repetitions[name]) / repetitions[name])
        names.reverse()  # so that nobody always follows the same neighbour
    unit = times[UNIT]
    measurements = {}
    for name in workload.contenders:
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

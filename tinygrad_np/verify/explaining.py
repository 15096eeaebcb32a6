"""From a check that failed to an error that says why, with the smallest input for which it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from tinygrad_np.facts import Choices, Facts, Trial
from tinygrad_np.primitives import Primitive
from tinygrad_np.values import Array
from tinygrad_np.verify.checks import BudgetSpent, Failure, Meter, examine, pulled
from tinygrad_np.verify.diagnosis import Case, diagnose
from tinygrad_np.verify.differences import Verdict
from tinygrad_np.verify.report import Diagnosis, GradientMismatch, Point, Report
from tinygrad_np.verify.smallest import larger, nearby, smallest
from tinygrad_np.verify.subjects import Subject
from tinygrad_np.verify.sweep import Sweep

TELLING = 400
"""Entries of the arguments up to which a mistake is looked into at other inputs, too."""

Attempt = Callable[[Sequence[Array], int], Failure | None]


def generator(seed: int) -> np.random.Generator:
    """Numbers that are no others', as those of ``default_rng(seed)`` may well be the arguments'."""
    return np.random.default_rng([seed, 0x7665726966])


def proved(
    subject: Subject,
    check: Callable[[Sequence[Array], int, Meter], None],
    arrays: list[Array],
    seed: int,
    budget: int,
    explain: bool,
) -> Report:
    """The report; or the explained failure."""
    report = Report(subject.name)
    meter = Meter(budget, report)
    try:
        with np.errstate(all="ignore"):
            check(arrays, seed, meter)
    except BudgetSpent:
        report.skip(f"what comes after {budget} evaluations, which is the budget")
    except Failure as failure:
        if not explain:
            raise _mismatch(failure, [], arrays, None) from failure.__cause__
        again = Meter(budget, Report(subject.name))

        def attempt(candidate: Sequence[Array], seed: int) -> Failure | None:
            return _failure_of(partial(check, candidate, seed, again))

        rng = generator(seed)
        others = []
        if sum(a.size for a in arrays) <= TELLING:
            moved = ([nearby(a, rng) for a in arrays] for _ in range(2))
            turned = [-nearby(a, rng) if a.dtype.kind == "f" else a for a in arrays]  # to the other sides of kinks
            others = [attempt(given, seed + 1) for given in (arrays, *moved, turned, *larger(arrays, rng))]
        with np.errstate(all="ignore"):
            raise _mismatch(failure, others, arrays, attempt) from failure.__cause__
    return report


def _failure_of(check: Callable[[], None]) -> Failure | None:
    try:
        with np.errstate(all="ignore"):
            check()
    except Failure as failure:
        return failure
    except Exception:  # an input that the function refuses, or no budget: it does not fail in the same way
        return None
    return None


def explained(
    sweep: Sweep, facts: Facts, failure: Failure, trial: Trial | None, arrays: list[Array], seed: int
) -> GradientMismatch:
    """The failure of a primitive, looked into at inputs whose sizes differ, and at smaller ones."""
    if trial is None or not arrays:
        return _mismatch(failure, [], arrays, None)
    sweep.meter = Meter(sweep.meter.budget, Report(str(sweep.function)))

    def at(trial: Trial, candidate: Sequence[Array], seed: int) -> Failure | None:
        return _failure_of(lambda: sweep.at(trial, [np.array(a) for a in candidate], generator(seed), 2))

    rng = generator(seed)
    others = [at(wide, sweep.draw(wide, rng), seed + 1) for wide in _telling(facts, trial, rng)]
    names = sweep.function.static if isinstance(sweep.function, Primitive) else ()
    named = [f"{n}={v!r}" for n, v in zip(names, trial.static, strict=False)] or list(map(repr, trial.static))
    setting = ", ".join([*named, *(f"{k}={v!r}" for k, v in trial.options.items())])
    return _mismatch(failure, others, arrays, lambda given, seed: at(trial, given, seed), setting)


def _telling(facts: Facts, trial: Trial, rng: np.random.Generator, count: int = 6) -> list[Trial]:
    """Trials whose sizes differ and exceed 2, so that causes do not coincide."""
    drawn = [facts.trial(Choices.of(rng)) for _ in range(200)] if facts.trial else []

    def score(candidate: Trial) -> tuple[int, int]:
        sides = [n for shape in candidate.shapes for n in shape]
        size = max((int(np.prod(shape)) for shape in candidate.shapes), default=0)
        return (len({n for n in sides if n > 2}) - sum(n < 3 for n in sides), -size)

    differing = {t.shapes: t for t in drawn if 0 not in {n for shape in t.shapes for n in shape}}
    telling = sorted(differing.values(), key=score, reverse=True)
    return [trial, facts.base, *facts.more[:3], *telling[:count]]


def _mismatch(
    failure: Failure,
    others: Sequence[Failure | None],
    arrays: Sequence[Array],
    attempt: Attempt | None,
    setting: str = "",
) -> GradientMismatch:
    found = [failure, *(f for f in others if f is not None)]
    diagnosis = _diagnosis(found) if attempt or failure.check in NAMED else None
    small = _smallest(failure, arrays, attempt) if attempt else None
    name, names = failure.subject.name, failure.subject.arguments
    return GradientMismatch(name, failure.check, failure.text, names, failure.point, small, diagnosis, setting)


NAMED = {"dtype": "it is of the wrong dtype", "input modified": "what comes in is written into: copy it first"}
"""What is told by the check that fails."""


def _diagnosis(failures: Sequence[Failure]) -> Diagnosis | None:
    first = failures[0]
    if first.check in NAMED:
        return Diagnosis(first.check, NAMED[first.check])
    if first.check not in ("gradient", "shape") or first.point is None:
        return None
    cases = []
    for f in failures:
        if f.check in ("gradient", "shape") and f.point is not None and f.point.argument == first.point.argument:
            cases.append(f)
    try:
        small = [f for f in cases if f.point is not None and sum(a.size for a in f.point.arrays) <= 4 * TELLING]
        return diagnose([_case(f.subject, f.point) for f in small if f.point is not None])
    except BudgetSpent:
        return None


def _case(subject: Subject, point: Point) -> Case:
    """The case at this point; where the engine sums over what was broadcast, with that written out."""
    arrays, analytic = point.arrays, point.analytic
    if subject.broadcasts and len({a.shape for a in arrays}) > 1:
        arrays = tuple(np.array(a) for a in np.broadcast_arrays(*arrays))
        analytic = np.asarray(pulled(subject, point.g, arrays)[point.argument])
    return Case(subject, arrays, point.g, point.argument, analytic)


def _smallest(failure: Failure, arrays: Sequence[Array], attempt: Attempt) -> Point | None:
    last = failure

    def fails(candidate: Sequence[Array]) -> bool:
        nonlocal last
        found = attempt(candidate, 0)
        if found is None or found.check != failure.check or _has_kinks(found):
            return False
        last = found
        return True

    entries = sum(a.size for a in arrays)
    smallest(arrays, fails, tries=max(4, min(80, 2_000_000 // max(1, entries))))
    return _with_ones(last)


def _has_kinks(failure: Failure) -> bool:
    point = failure.point
    return point is not None and point.numeric is not None and bool(np.isnan(point.numeric).any())


def _with_ones(failure: Failure) -> Point | None:
    """The same point with an incoming gradient of ones, if it fails there too."""
    point, subject = failure.point, failure.subject
    if failure.check != "gradient" or point is None:
        return point
    ones = np.ones_like(point.g)
    try:
        gradient = pulled(subject, ones, point.arrays)[point.argument]
        assert gradient is not None
        numeric, verdicts = examine(subject, point.arrays, point.argument, ones, gradient, range(gradient.size))
    except (Failure, BudgetSpent):
        return point
    wrong = verdicts == Verdict.WRONG
    simple = wrong.any() and not np.isnan(numeric).any()
    return Point(point.arrays, ones, point.argument, gradient, numeric, wrong) if simple else point

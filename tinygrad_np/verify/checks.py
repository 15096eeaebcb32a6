"""What must hold of a value and its pull at one point; the first thing that does not is a `Failure`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_np.errors import RuleError
from tinygrad_np.values import Array
from tinygrad_np.verify.differences import Judgement, Verdict, judge, precision, widened
from tinygrad_np.verify.report import Kink, Point, Report
from tinygrad_np.verify.subjects import Gradients, Subject


class Failure(Exception):
    """What does not hold, on its way to a `GradientMismatch`."""

    def __init__(self, check: str, text: str, subject: Subject, point: Point | None = None) -> None:
        super().__init__(text)
        self.check, self.text, self.subject, self.point = check, text, subject, point


class BudgetSpent(Exception):
    """No more evaluations may be made."""


class Meter:
    """Counts the evaluations of values, and ends them when there were enough."""

    def __init__(self, budget: int, report: Report) -> None:
        self.budget, self.report = budget, report

    @property
    def left(self) -> int:
        return self.budget - self.report.evaluations

    def metered(self, subject: Subject) -> Subject:
        """The subject, whose values are counted."""

        def value(*arrays: Array) -> Array:
            if self.left <= 0:
                raise BudgetSpent
            self.report.evaluations += 1
            given = [np.array(a) for a in arrays]
            with np.errstate(all="ignore"):
                out = subject.value(*given)
            for i, (before, after) in enumerate(zip(arrays, given, strict=True)):
                if not identical(before, after):
                    text = f"it changes its argument {subject.arguments[i]}; compute on a copy"
                    raise Failure("input modified", text, subject)
            return out

        return replace(subject, value=value)


# --- what a pull returns ----------------------------------------------------------------------------------------------


def pulled(subject: Subject, g: Array, arrays: Sequence[Array]) -> list[Array | None]:
    """The gradients of copies of the arrays; what came in must stay as it was."""
    given, incoming = [np.array(a) for a in arrays], np.array(g)
    gradients = _pull(subject, incoming, given)
    names = (*subject.arguments, "incoming gradient")
    for i, (before, after) in enumerate(zip((*arrays, g), (*given, incoming), strict=True)):
        if not identical(before, after):
            point = Point(tuple(arrays), g, min(i, len(arrays) - 1), after)
            raise Failure("input modified", f"its rule changes the {names[i]} that it is given", subject, point)
    return gradients


def _pull(subject: Subject, g: Array, arrays: Sequence[Array]) -> list[Array | None]:
    """What a pull of these very arrays returns, as arrays of real numbers."""
    with np.errstate(all="ignore"):
        try:
            try:
                found = subject.pull(g, *arrays)
            except RuleError:  # of the wrong shape, most likely
                if subject.raw is None:
                    raise
                found = subject.raw(g, *arrays)
        except (BudgetSpent, Failure):
            raise
        except Exception as error:
            text = f"pulling a gradient back ends with {type(error).__name__}: {error}"
            raise Failure("error", text, subject) from error
    _check_count(subject, found, arrays)
    for name, part in zip(subject.arguments, found, strict=True):
        kind = None if part is None else np.asarray(part).dtype
        if kind is not None and kind.kind not in "fiub":
            raise Failure("dtype", f"the gradient of {name} is of dtype {kind}, and no array of real numbers", subject)
    return [None if part is None else np.array(part) for part in found]


def _check_count(subject: Subject, found: Gradients, arrays: Sequence[Array]) -> None:
    if not isinstance(found, (list, tuple)) or len(found) != len(arrays):
        got = f"{len(found)}" if isinstance(found, (list, tuple)) else f"a {type(found).__name__}"
        text = f"expected a list of {len(arrays)} gradients, one for each argument (None for a constant), got {got}"
        raise Failure("count", text, subject)


def check_form(subject: Subject, g: Array, arrays: Sequence[Array], gradients: Sequence[Array | None]) -> None:
    """Each gradient has its argument's shape, and then its dtype."""
    for i, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        if gradient is None:
            continue
        point = Point(tuple(arrays), g, i, gradient)
        if gradient.shape != array.shape:
            text = f"the gradient{{of}} has shape {gradient.shape}, expected the argument's, {array.shape}"
            raise Failure("shape", text, subject, point)
        if gradient.dtype != array.dtype:
            text = f"the gradient{{of}} has dtype {gradient.dtype}, expected the argument's, {array.dtype}"
            raise Failure("dtype", text, subject, point)
        if coarser := _computed_in(gradient, g, arrays):
            text = f"the gradient{{of}} is {array.dtype}, but was computed in {coarser}"
            raise Failure("dtype", text, subject, point)


def _computed_in(gradient: Array, g: Array, arrays: Sequence[Array]) -> str | None:
    """The shorter dtype that a gradient of random numbers must have been in, as all its entries are numbers of it."""
    entries = np.unique(gradient[np.isfinite(gradient) & (np.abs(gradient) > 1e-3 * np.abs(g).max(initial=0))])
    if len(entries) < 3 or (entries * 8 % 1 == 0).any():  # too few to tell, or of simple numbers
        return None
    for dtype in (np.float16, np.float32):
        with np.errstate(over="ignore"):
            is_short = (entries.astype(dtype) == entries).all()
            if all((a.astype(dtype) == a).all() for a in arrays):  # it may be of these alone
                return None
        if is_short and precision(g) < np.finfo(dtype).eps and gradient.dtype.itemsize > np.dtype(dtype).itemsize:
            return str(np.dtype(dtype))
    return None


# --- differences ------------------------------------------------------------------------------------------------------


def along(subject: Subject, arrays: Sequence[Array], argument: int, g: Array, v: Array) -> Callable[[float], Array]:
    """The terms of ``<value, g>`` as the argument moves in the direction `v`."""
    weights = widened(g)

    def terms(step: float) -> Array:
        moved = list(arrays)
        moved[argument] = np.asarray(arrays[argument] + step * v, arrays[argument].dtype)
        try:
            out = subject.value(*moved)
        except (BudgetSpent, Failure):
            raise
        except Exception:
            if step == 0:
                raise
            return np.full(g.shape, np.nan)  # outside of the domain; a smaller step may stay inside
        return weights * out if np.shape(out) == g.shape else np.full(g.shape, np.nan)

    return terms


def compare(subject: Subject, arrays: Sequence[Array], argument: int, g: Array, v: Array, gradient: Array) -> Judgement:
    """Whether ``<J'g, v>`` is ``<g, Jv>``, with Jv by differences."""
    floor = float(np.abs(g).max(initial=0))
    eps = precision(g, *(a for a in arrays if a.dtype.kind == "f"))
    with np.errstate(all="ignore"):
        parts = widened(np.where(v == 0, 0, gradient * v))
        size = float(np.abs(parts).sum())
        return judge(along(subject, arrays, argument, g, v), float(parts.sum()), size, floor, eps)


def direction(rng: np.random.Generator, array: Array) -> Array:
    """Random, and as long in each entry as that entry is, where it is large."""
    v: Array = rng.normal(size=array.shape) * np.maximum(1, np.abs(array))
    return v


def balanced(rng: np.random.Generator, gradient: Array) -> Array:
    """Random signs, and longer where the gradient is small, so that no entry hides behind others."""
    size = np.where(np.isfinite(gradient) & (gradient != 0), np.abs(gradient), np.inf)
    least = size.min(initial=np.inf)
    length = np.where(np.isfinite(size), np.maximum(least / size, 1e-6), 1) if np.isfinite(least) else 1.0
    v: Array = rng.choice([-1.0, 1.0], gradient.shape) * length
    return v


EACH = 14
"""Evaluations to judge an entry, as a rule."""

WORK = 4_000_000
"""How many numbers may be computed for entries that are judged alone."""


def examine(
    subject: Subject, arrays: Sequence[Array], argument: int, g: Array, gradient: Array, entries: Sequence[int]
) -> tuple[Array, Array]:
    """Slopes by differences (nan where not known) and verdicts, entry by entry."""
    array = arrays[argument]
    numeric = np.full(array.size, np.nan, np.promote_types(array.dtype, np.float64))
    verdicts = np.zeros(array.size, np.int8)
    for entry in entries:
        v = np.zeros(array.size)
        v[entry] = max(1.0, float(np.abs(array.reshape(-1)[entry])))
        found = compare(subject, arrays, argument, g, v.reshape(array.shape), gradient)
        numeric[entry], verdicts[entry] = found.slope / v[entry], found.verdict
    return numeric.reshape(array.shape), verdicts.reshape(array.shape)


def suspects(
    subject: Subject, arrays: Sequence[Array], argument: int, g: Array, gradient: Array, meter: Meter, v: Array
) -> Sequence[int]:
    """The entries to examine: all, if there is budget for them; otherwise a part in which one is wrong."""
    entries = list(range(arrays[argument].size))
    while len(entries) > max(1, min(meter.left // 2 // EACH, WORK // v.size)):
        half = entries[: len(entries) // 2]
        part = np.zeros(v.size)
        part[half] = v.reshape(-1)[half]
        found = compare(subject, arrays, argument, g, part.reshape(v.shape), gradient)
        entries = half if found.verdict is not Verdict.RIGHT else entries[len(entries) // 2 :]
    return entries


def check_direction(
    subject: Subject,
    arrays: Sequence[Array],
    argument: int,
    g: Array,
    gradient: Array,
    v: Array,
    meter: Meter,
) -> None:
    """Compare along a direction; where that disagrees, entry by entry, to tell what is wrong from kinks."""
    report = meter.report
    if not v.size:
        return
    found = compare(subject, arrays, argument, g, v, gradient)
    if found.verdict is not Verdict.RIGHT:
        try:
            entries = suspects(subject, arrays, argument, g, gradient, meter, v)
            numeric, verdicts = examine(subject, arrays, argument, g, gradient, entries)
        except BudgetSpent:
            if found.verdict is not Verdict.WRONG:
                raise
            raise _wrong_along(subject, arrays, argument, g, gradient, v, found.slope) from None
        wrong, judged = verdicts == Verdict.WRONG, verdicts.reshape(-1)[entries]
        if wrong.any():
            point = Point(tuple(arrays), g, argument, gradient, numeric, wrong)
            text = f"the {subject.what}{{of}} is wrong"
            raise Failure(subject.what, text, subject, point)
        if (
            found.verdict is Verdict.WRONG
            and {*judged.tolist()} in ({Verdict.UNKNOWN}, {Verdict.UNKNOWN, Verdict.RIGHT})
            and np.isfinite(subject.value(*arrays)).all()
        ):  # each entry alone is too little to tell, all are not
            raise _wrong_along(subject, arrays, argument, g, gradient, v, found.slope)
        name = subject.arguments[argument]
        kinks = [Kink(name, tuple(map(int, i))) for i in np.argwhere(verdicts == Verdict.KINK)]
        report.kinks += [k for k in kinks if k not in report.kinks]
        if len(entries) < v.size:
            report.skip(f"{v.size - len(entries)} entries of {name}, beside kinks: the budget is too small")
        if unknown := int((judged == Verdict.UNKNOWN).sum()):
            report.skip(f"{unknown} entries of {name}: rounding hides their slopes, or values are not finite")
        if Verdict.RIGHT not in judged:
            report.skip(f"any entry of {name}: none could be compared")
            return
    report.held(subject.what)


def _wrong_along(
    subject: Subject, arrays: Sequence[Array], argument: int, g: Array, gradient: Array, v: Array, slope: float
) -> Failure:
    said = float(np.sum(gradient * v))
    text = f"the {subject.what}{{of}} is wrong: along a direction it says {said:.9g}, differences {slope:.9g}"
    return Failure(subject.what, text, subject, Point(tuple(arrays), g, argument, gradient))


# --- all that holds at one point --------------------------------------------------------------------------------------


def identical(a: Array, b: Array) -> bool:
    """The same numbers in the same places, NaN among them."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return a.tobytes() == b.tobytes() or np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def close(a: Array, b: Array, eps: float, size: float = 0) -> bool:
    """Equal but for rounding, relative to the largest entry."""
    finite = np.abs(b[np.isfinite(b)])
    room = 1e3 * eps * (finite.max(initial=0) + size)
    with np.errstate(invalid="ignore"):
        return a.shape == b.shape and bool(np.all((np.abs(a - b) <= room) | (a == b) | (np.isnan(a) & np.isnan(b))))


def check_point(
    subject: Subject, arrays: Sequence[Array], rng: np.random.Generator, meter: Meter, directions: int = 1
) -> tuple[Array, Array, list[Array | None]]:
    """All that must hold around `arrays`; the value, an incoming gradient and what it is pulled back to."""
    report, subject = meter.report, meter.metered(subject)
    out = subject.value(*arrays)
    if out.dtype.kind != "f":
        return out, np.zeros(out.shape), [None] * len(arrays)
    if not identical(out, subject.value(*arrays)):
        text = "two calls with the same arguments return different values: does it draw random numbers?"
        raise Failure("deterministic", text, subject)
    g = np.asarray(rng.normal(size=out.shape)).astype(out.dtype)
    gradients = pulled(subject, g, arrays)
    check_form(subject, g, arrays, gradients)
    report.held("shape and dtype")
    for i, gradient in enumerate(gradients):
        if gradient is None:
            continue
        for number in range(directions):
            v = balanced(rng, gradient) if number == 2 else direction(rng, arrays[i])
            check_direction(subject, arrays, i, g, gradient, v, meter)
    _check_linear(subject, arrays, g, gradients, rng)
    report.held("linear in g, inputs unchanged")
    _check_layouts(subject, arrays, out, g, gradients)
    report.held("any memory layout")
    return out, g, gradients


def _alike(
    check: str,
    text: str,
    subject: Subject,
    arrays: Sequence[Array],
    g: Array,
    pairs: Iterator[tuple[Array | None, Array | None]],
    eps: float,
) -> None:
    for i, (got, expected) in enumerate(pairs):
        if (got is None) != (expected is None) or (
            got is not None and expected is not None and not close(got, expected, eps, float(np.abs(g).max(initial=0)))
        ):
            shown = np.asarray(np.nan if got is None else got)
            raise Failure(check, text, subject, Point(tuple(arrays), g, i, shown))


def _check_linear(
    subject: Subject, arrays: Sequence[Array], g: Array, gradients: list[Array | None], rng: np.random.Generator
) -> None:
    again = pulled(subject, g, arrays)
    for i, (a, b) in enumerate(zip(gradients, again, strict=True)):
        if a is not None and b is not None and not identical(a, b):
            text = "two pulls of the same gradient return different ones{of}: does it draw random numbers?"
            raise Failure("deterministic", text, subject, Point(tuple(arrays), g, i, b))
    eps = precision(g, *(a for a in gradients if a is not None))
    for factor in (0, 1000):
        times = [None if a is None else a * factor for a in gradients]
        got = [_known(a, b) for a, b in zip(pulled(subject, g * factor, arrays), times, strict=True)]
        text = (
            f"the gradient{{of}} is not linear in the incoming one: that of {factor} g is not {factor} times that of g"
        )
        known = zip(got, [_known(a, a) for a in times], strict=True)
        _alike("linear in g", text, subject, arrays, g * max(1, factor), known, eps)
    other = np.asarray(rng.normal(size=g.shape)).astype(g.dtype)
    mixed = np.asarray(2 * g + other).astype(g.dtype)
    of_other, of_mixed = pulled(subject, other, arrays), pulled(subject, mixed, arrays)
    pairs = zip(gradients, of_other, strict=True)
    with np.errstate(all="ignore"):
        sums = [None if a is None or b is None else 2 * a + b for a, b in pairs]
    of_mixed = [_known(m, s) for m, s in zip(of_mixed, sums, strict=True)]
    sums = [_known(s, s) for s in sums]
    text = "the gradient{of} is not linear in the incoming one: that of 2 g + h is not twice that of g and that of h"
    _alike("linear in g", text, subject, arrays, g, zip(of_mixed, sums, strict=True), eps)


def _known(a: Array | None, b: Array | None) -> Array | None:
    """`a`, with zeros where `b` is not finite: the difference of two infinities tells nothing."""
    return None if a is None or b is None else np.where(np.isfinite(b), a, 0)


def strided(array: Array) -> Array:
    """The same entries, every second of a larger memory."""
    wide = np.ones([2 * n for n in array.shape], array.dtype)
    places: tuple[Any, ...] = (..., *(slice(None, None, 2),) * array.ndim)
    view: Array = wide[places]
    view[...] = array
    return view


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "strided": strided,
    "in Fortran order": lambda a: np.array(a, order="F"),
}


def _check_layouts(
    subject: Subject, arrays: Sequence[Array], out: Array, g: Array, gradients: list[Array | None]
) -> None:
    """Neither a value nor a rule may depend on how arguments, or the incoming gradient, lie in memory."""
    eps = precision(g, *(a for a in gradients if a is not None))
    size = max((float(np.nansum(np.abs(a))) for a in arrays if a.dtype.kind == "f"), default=0.0)
    for name, changed in LAYOUTS.items():
        if not close(subject.value(*map(changed, arrays)), out, eps, 1 + size):  # sums may be in another order
            raise Failure("layout", f"with arrays that are {name} its value is another", subject)
        text = f"with arrays that are {name} it returns another gradient{{of}}"
        got = _pull(subject, changed(g), [changed(a) for a in arrays])
        _alike("layout", text, subject, arrays, g, zip(got, gradients, strict=True), eps)

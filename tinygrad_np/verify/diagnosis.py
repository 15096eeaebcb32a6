"""Why a gradient is wrong: each explanation says whether it fits a case; a diagnosis is the only one that fits all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np

from tinygrad_np.values import Array, sums_to
from tinygrad_np.verify.checks import examine
from tinygrad_np.verify.differences import precision, tolerance, widened
from tinygrad_np.verify.report import Diagnosis
from tinygrad_np.verify.subjects import Subject

Fits = Iterator[Diagnosis]
Explanation = Callable[["Case"], Fits]


class Case:
    """One failing case: where, and what the rule returned there; differences are taken when they are asked for."""

    def __init__(self, subject: Subject, arrays: Sequence[Array], g: Array, argument: int, analytic: Array) -> None:
        self.subject, self.arrays, self.g, self.argument = subject, list(arrays), g, argument
        self.analytic: Array = widened(np.asarray(analytic))
        self.x: Array = self.arrays[argument]
        self.out = np.asarray(subject.value(*arrays))
        self.numeric = self.by_differences()
        self.room = 10 * tolerance(precision(self.x, g))

    @classmethod
    def of_values(cls, inputs: Sequence[tuple[str, Array]], got: Array, expected: Array) -> Case:
        """A value and what it should be, for those explanations that differences are not needed for."""
        case = cls.__new__(cls)
        case.subject = Subject("value", tuple(name for name, _ in inputs), lambda *_: expected, lambda *_: [])
        case.arrays, case.g, case.argument = [a for _, a in inputs], np.ones(()), 0
        case.analytic, case.numeric, case.x, case.out = got, expected, expected, expected
        case.room = 1e-4
        return case

    def by_differences(self, argument: int | None = None, g: Array | None = None, x: Array | None = None) -> Array:
        """The true gradient: of this or another argument, for this or another `g`, here or at another `x`."""
        i, arrays = self.argument if argument is None else argument, list(self.arrays)
        arrays[i] = arrays[i] if x is None else x
        unknown = np.full(arrays[i].shape, np.nan)
        with np.errstate(all="ignore"):
            return examine(self.subject, arrays, i, self.g if g is None else g, unknown, range(unknown.size))[0]

    def same(self, a: Any, b: Any) -> bool:
        """Equal within what differences can tell, where these are known."""
        a, b = np.asarray(a), np.asarray(b)
        known = np.isfinite(b)
        if a.shape != b.shape or not known.any():
            return False
        furthest, largest = np.abs(a[known] - b[known]).max(initial=0), np.abs(b[known]).max(initial=0)
        return bool(furthest <= self.room * largest)

    def is_zero(self, a: Array) -> Array:
        """Which entries are zero as far as differences can tell."""
        largest = float(np.abs(a[np.isfinite(a)]).max(initial=0))
        small: Array = np.abs(a) <= self.room * largest
        return small

    @property
    def name(self) -> str:
        """Of the argument."""
        return self.subject.arguments[self.argument] if self.subject.arguments else ""

    @property
    def in_shape(self) -> bool:
        return bool(self.analytic.shape == self.x.shape)


# --- explanations -----------------------------------------------------------------------------------------------------


def factor(case: Case) -> Fits:
    """The gradient times a constant, or times a length or size, or divided by one."""
    if not case.in_shape or case.is_zero(case.numeric).all():
        return
    known = np.isfinite(case.numeric)
    a, n = case.analytic[known], case.numeric[known]
    if not known.any():
        return
    largest = np.abs(n).argmax()
    c = float(a[largest] / n[largest])
    if not np.isfinite(c) or abs(c) < 1e-9 or abs(c - 1) <= case.room or not case.same(case.analytic, c * case.numeric):
        return
    for value, kind in ((2, "factor 2"), (0.5, "factor 1/2"), (-1, "factor -1")):
        if abs(c - value) <= case.room * abs(value):
            yield Diagnosis(kind, f"it is {_named(value)} times what it should be")
            break
    else:
        yield Diagnosis("factor", f"it is {c:.{6 if abs(c - 1) > 1e-4 else 12}g} times what it should be")
    for size, what in _sizes(case):
        if size > 1 and abs(c - size) <= case.room * size:
            yield Diagnosis("factor N", f"it is {what} times too large: divide by it")
        if size > 1 and abs(c * size - 1) <= case.room:
            yield Diagnosis("factor 1/N", f"it is divided by {what}, and should not be")


def _named(value: float) -> str:
    return "1/2" if value == 0.5 else str(value)


def _sizes(case: Case) -> Iterator[tuple[float, str]]:
    names, i = case.subject.arguments, case.argument
    own = [(names[i], case.x)] if names else []
    for name, array in (*own, ("the result", case.out), *zip(names, case.arrays, strict=True)):
        yield array.size, f"the size of {name}"
        yield from ((n, f"the length of {name} along axis {axis}") for axis, n in enumerate(array.shape))
    if case.out.size and case.x.size != case.out.size:
        yield (
            case.x.size / case.out.size,
            f"the number of entries of {case.subject.arguments[case.argument]} per result",
        )


def missing(case: Case) -> Fits:
    """Zero, where there is a slope."""
    if case.in_shape and not case.analytic.any() and not case.is_zero(case.numeric).all():
        yield Diagnosis("no gradient", "no gradient is passed on: it is zero everywhere, as if this were a constant")


def transposed(case: Case) -> Fits:
    """The axes in another order."""
    a, n = case.analytic, case.numeric
    for axes in permutations(range(n.ndim)) if a.ndim == n.ndim else ():
        if axes != tuple(range(n.ndim)) and case.same(a.transpose(axes), n):
            yield Diagnosis("transposed", "its axes are in another order (transpose it)")
            return


def elsewhere(case: Case) -> Fits:
    """The right numbers in other places."""
    if case.in_shape and case.x.size > 1 and not any(transposed(case)) and np.isfinite(case.numeric).all():
        a, n = np.sort(case.analytic, axis=None), np.sort(case.numeric, axis=None)
        distinct = np.diff(n) > case.room * np.abs(n).max(initial=0)
        if case.same(a, n) and distinct.any():
            yield Diagnosis("places", "its numbers are right, but in the wrong places (an order, an index or a shift)")


def not_summed(case: Case) -> Fits:
    """Of the broadcast shape, and right once it is summed."""
    shape = case.x.shape
    sums = (case.analytic.sum(axis=axes) for axes in _some_axes(case.analytic))
    fitting = (t.reshape(shape) for t in sums if [n for n in t.shape if n != 1] == [n for n in shape if n != 1])
    if not case.in_shape and any(case.same(total, case.numeric) for total in fitting):
        yield Diagnosis("broadcast not summed", "it is not summed over the axes that were broadcast")


def summed_twice(case: Case) -> Fits:
    """Summed over an axis that the argument has."""
    n, shape = np.nan_to_num(case.numeric), case.x.shape
    for axes in _some_axes(n):
        total = n.sum(axis=axes, keepdims=True)
        squeezed, spread = n.sum(axis=axes), np.broadcast_to(total, shape)
        equal_along = case.same(spread, n * np.prod([shape[i] for i in axes]))
        if not equal_along and any(case.same(case.analytic, t) for t in (total, squeezed, spread)):
            yield Diagnosis("summed twice", "it is summed once too often, over an axis that the argument has")
            return


def _some_axes(array: Array) -> Iterator[tuple[int, ...]]:
    """Every choice of one or more axes."""
    return (axes for count in range(1, array.ndim + 1) for axes in combinations(range(array.ndim), count))


def mask(case: Case) -> Fits:
    """Zero where it should not be, and the other way round; or not zero where it should be."""
    if not case.in_shape:
        return
    known = np.isfinite(case.numeric)
    a, n = case.analytic[known], case.numeric[known]
    on, should_be_on = ~case.is_zero(a), ~case.is_zero(n)
    if not (on ^ should_be_on).any():
        return
    if not (on & should_be_on).any():
        text = "its mask is from the wrong side of the kink: zero where it should not be, and nowhere else"
        yield Diagnosis("mask", text)
    if (on & ~should_be_on).any() and (not should_be_on.any() or case.same(a[should_be_on], n[should_be_on])):
        yield Diagnosis("mask missing", "a mask is missing: entries that should be zero are not, the others are right")


def other_argument(case: Case) -> Fits:
    """That of another argument."""
    if any(not_summed(case)):  # which may look like it, where what is broadcast is added
        return
    for i, array in enumerate(case.arrays):
        if i != case.argument and array.dtype.kind == "f" and array.shape == case.analytic.shape:
            theirs = case.by_differences(i)
            if case.same(case.analytic, theirs) and not case.same(theirs, case.numeric):
                yield Diagnosis("other argument", f"it is the gradient of {case.subject.arguments[i]}")


def incoming_ignored(case: Case) -> Fits:
    """What it would be for an incoming gradient of ones."""
    ones = case.by_differences(g=np.ones_like(case.g))
    if case.same(case.analytic, ones) and not case.same(ones, case.numeric):
        yield Diagnosis("g ignored", "the incoming gradient is ignored: it is that of the sum of the results")


def from_output(case: Case) -> Fits:
    """The right formula, of the result and not of the argument."""
    if case.out.shape != case.x.shape or case.out.dtype != case.x.dtype or case.same(case.out, case.x):
        return
    moved = list(case.arrays)
    moved[case.argument] = case.out
    if case.same(case.subject.value(*moved), case.out):  # as of a projection: the slope there may look like another one
        return
    there = case.by_differences(x=case.out)
    if np.isfinite(there).all() and case.same(case.analytic, there) and not case.same(there, case.numeric):
        yield Diagnosis("from output", "it is computed from the output where it should be from the input")


def term(case: Case) -> Fits:
    """Two terms add up to the gradient, and one of them is missing, doubled, or has the other sign."""
    if not case.in_shape or not np.isfinite(case.numeric).all():
        return
    names, columns = _terms(case)
    n, a = (part.reshape(-1).astype(np.float64) for part in (case.numeric, case.analytic))
    if _is_one(columns, n, case.room):
        return
    for i, j in _pairs(columns, n, case.room):
        first, second = (columns[:, k] for k in (i, j))
        (p, q), *_ = np.linalg.lstsq(columns[:, [i, j]], n, rcond=None)
        for times, other, what, name in (
            (1, 0, "missing", names[j]),
            (0, 1, "missing", names[i]),
            (1, 2, "doubled", names[j]),
            (2, 1, "doubled", names[i]),
            (1, -1, "of the wrong sign", names[j]),
            (-1, 1, "of the wrong sign", names[i]),
        ):
            if case.same(a, times * p * first + other * q * second):
                told = f"the term with {name} is {what}" if case.x.ndim > 1 else GENERAL[f"term {what}"]
                yield Diagnosis(f"term {what}", told)  # in one dimension sums look alike


def _terms(case: Case) -> tuple[list[str], Array]:
    """What gradients are often made of, each as a column: factors, times g or a sum of g along an axis."""
    x, shape = case.x.astype(np.float64), case.x.shape
    factors = {"1": np.ones(shape), "x": x, "x**2": x * x}
    for i, array in enumerate(case.arrays):
        if i != case.argument and array.dtype.kind in "fiub" and sums_to(shape, array.shape):
            factors[case.subject.arguments[i]] = np.broadcast_to(array.astype(np.float64), shape)
    wide = {"1": np.ones(case.out.shape)}
    if case.out.shape == shape:
        out = case.out.astype(np.float64)
        wide = factors = factors | {"out": out, "out**2": out * out, "exp(out)": np.exp(np.minimum(out, 50))}
    columns = {}
    for axis in range(x.ndim):
        centred = np.broadcast_to(x.mean(axis=axis, keepdims=True), shape)
        factors = factors | {f"mean(x, axis={axis})": centred}
    factors |= {"mean(x)": np.full(shape, x.mean())} if x.ndim > 1 else {}
    if x.ndim:
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        factors["softmax(x)"] = e / e.sum(axis=-1, keepdims=True)
    spread = _spread(case.g.astype(np.float64), shape)
    incoming = {} if spread is None else {"g": spread}
    if case.out.shape == shape:
        for axis in (*range(x.ndim), None):
            for name in ("1", "x", "out"):
                total = (case.g.astype(np.float64) * wide[name]).sum(axis=axis, keepdims=True)
                incoming[f"sum(g * {name}, axis={axis})".replace(" * 1,", ",")] = np.broadcast_to(total, shape)
    for g_name, g in incoming.items():
        for name, f in factors.items():
            columns[f"{g_name} * {name}".removesuffix(" * 1")] = (g * f).reshape(-1)
    return list(columns), np.stack(list(columns.values()), axis=1) if columns else np.zeros((x.size, 0))


def _spread(g: Array, shape: tuple[int, ...]) -> Array | None:
    """The incoming gradient in the argument's shape: as it is, or along the axes that were summed."""
    if sums_to(shape, g.shape):
        return np.broadcast_to(g, shape)
    for axes in _some_axes(np.empty(shape)):
        if tuple(n for i, n in enumerate(shape) if i not in axes) == g.shape:
            return np.broadcast_to(np.expand_dims(g, axes), shape)
    return None


def _is_one(columns: Array, n: Array, room: float) -> bool:
    """Whether `n` is a multiple of one column."""
    size = np.maximum((columns * columns).sum(axis=0), np.finfo(float).tiny)
    rest = n[:, None] - columns * (columns * n[:, None]).sum(axis=0) / size
    return bool((np.linalg.norm(rest, axis=0) <= room * np.linalg.norm(n)).any())


def _pairs(columns: Array, n: Array, room: float) -> Iterator[tuple[int, int]]:
    """Pairs of independent columns of which `n` is a combination that needs both."""
    if columns.shape[0] < 3 or columns.shape[1] < 2:
        return
    lengths = np.linalg.norm(columns, axis=0)
    lengths[lengths == 0] = np.inf
    unit, size = columns / lengths, np.linalg.norm(n)
    c, d = unit.T @ unit, unit.T @ n
    i, j = np.triu_indices(len(d), 1)
    determinant = 1 - c[i, j] ** 2
    ok = determinant > 1e-6
    i, j, determinant = i[ok], j[ok], determinant[ok]
    p, q = (d[i] - c[i, j] * d[j]) / determinant, (d[j] - c[i, j] * d[i]) / determinant
    needed = (np.abs(p) > 1e-3 * size) & (np.abs(q) > 1e-3 * size)
    residual = np.linalg.norm(n[:, None] - unit[:, i[needed]] * p[needed] - unit[:, j[needed]] * q[needed], axis=0)
    fits = residual <= room * size
    yield from zip(i[needed][fits].tolist(), j[needed][fits].tolist(), strict=True)


EXPLANATIONS: tuple[Explanation, ...] = (
    factor,
    missing,
    transposed,
    elsewhere,
    not_summed,
    summed_twice,
    mask,
    other_argument,
    incoming_ignored,
    from_output,
    term,
)


OF_VALUES = (factor, missing, transposed, elsewhere, not_summed, summed_twice, mask)
"""Those that also fit a value that is wrong; see `Case.of_values`."""


def diagnose(cases: Sequence[Case], explanations: Sequence[Explanation] | None = None) -> Diagnosis | None:
    """The one kind of explanation that fits all cases; None if none does, or several, or they are too small to tell."""
    cases = [case for case in cases if not case.same(case.analytic, case.numeric)]  # too near for explanations to tell
    told = sum(int((np.nan_to_num(case.numeric) != 0).sum()) + int((case.analytic != 0).sum()) for case in cases)
    if not cases or told < 6:
        return None
    if any(c.in_shape and (np.isfinite(c.numeric) & ~np.isfinite(c.analytic)).any() for c in cases):
        return Diagnosis("not finite", "it is NaN or infinite")
    possible, found = explanations or EXPLANATIONS, list[list[Diagnosis]]()
    for case in cases:
        fits = {explain: list(explain(case)) for explain in possible}
        possible = [explain for explain in possible if fits[explain]]  # what does not fit one case, does not fit all
        found.append([fit for explain in possible for fit in fits[explain]])
    same = [fit for fit in found[0] if all(fit in fits for fits in found)]
    kinds = set.intersection(*({fit.kind for fit in fits} for fits in found))
    kinds = {kind for kind in kinds if kind in GENERAL or any(fit.kind == kind for fit in same)}
    if "no gradient" in kinds:  # then it is zero at every place that a mask leaves out, too
        kinds = {"no gradient"}
    if len(kinds) > 1 and all(kind.startswith("factor") for kind in kinds):  # cases of one size: by what, but not why
        plain = [fit.text for fit in same if fit.kind not in ("factor N", "factor 1/N")]
        return Diagnosis("factor", plain[0]) if plain else None
    if len(kinds) != 1:
        return None
    (kind,) = kinds
    texts = list(dict.fromkeys(fit.text for fit in same if fit.kind == kind))
    if len(texts) > 1:  # equal lengths: what is said of this argument's own counts
        lengths = [text for text in texts if f" length of {cases[0].name} " in text]
        texts = lengths or [text for text in texts if f" size of {cases[0].name} " in text]
    return Diagnosis(kind, texts[0] if len(texts) == 1 else GENERAL.get(kind, texts[0] if texts else ""))


GENERAL = {
    "factor N": "it is too large by a length or size: divide by it",
    "factor 1/N": "it is divided by a length or size, and should not be",
    "term missing": "a term is missing",
    "term doubled": "a term is doubled",
    "term of the wrong sign": "a term has the wrong sign",
    "other argument": "it is the gradient of another argument",
}
"""What is said where cases tell of one kind of explanation, but not of one and the same."""

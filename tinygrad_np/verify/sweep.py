"""Everything that is checked of a primitive or derived function: at which inputs, and what beyond differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from tinygrad_np.engine import grad
from tinygrad_np.errors import TinygradError
from tinygrad_np.facts import Choices, Facts, Refused, Trial
from tinygrad_np.primitives import Primitive
from tinygrad_np.tensors import Tensor
from tinygrad_np.values import Array
from tinygrad_np.verify.checks import (
    Failure,
    Meter,
    check_direction,
    check_point,
    close,
    direction,
    examine,
    identical,
    pulled,
)
from tinygrad_np.verify.differences import Verdict, precision
from tinygrad_np.verify.report import Point
from tinygrad_np.verify.subjects import (
    Subject,
    argument_names,
    call,
    derivative,
    expected,
    leaves,
    live_places,
    of_primitive,
    takes_a_list,
    variant,
)

DRAWN = 4
"""How many trials are drawn, beside those that the facts name."""


class Sweep:
    """The checks of one function; each ends with a `Failure` where something does not hold."""

    def __init__(self, function: Any, facts: Facts, meter: Meter) -> None:
        self.function, self.facts, self.meter = function, facts, meter

    def draw(self, trial: Trial, rng: np.random.Generator) -> list[Array]:
        """Arrays at which the function is smooth."""
        return [np.asarray(a) for a in self.facts.draw(rng, trial.shapes)]

    def trials(self, rng: np.random.Generator) -> Iterator[Trial]:
        """All that is tried: base and more, 0-d, empty and broadcast arguments, and a few that are drawn."""
        facts = self.facts
        yield from (facts.base, *facts.more)
        yield from (t for t in (facts.scalar, facts.empty, facts.broadcast) if isinstance(t, Trial))
        if facts.trial is not None:
            yield from (facts.trial(Choices.of(rng)) for _ in range(DRAWN))

    def everything(self, rng: np.random.Generator) -> Iterator[tuple[Trial | None, list[Array], Callable[[], None]]]:
        """Each check with the trial and arrays that it is made at, if it can be repeated at others."""
        facts = self.facts
        for i, trial in enumerate(self.trials(rng)):
            arrays = self.draw(trial, rng)
            order = 2 if i <= len(facts.more) else 1
            seed = int(rng.integers(2**32))
            yield trial, arrays, partial(self.at, trial, arrays, np.random.default_rng(seed), order)
        for number, kind in ((0.0, facts.zeros), (0.7, facts.ties)):
            arrays = [np.full_like(a, number) for a in self.draw(facts.base, rng)]
            yield None, arrays, partial(self.all_alike, arrays, kind, rng)
        yield None, [], partial(self.conventions, rng)
        yield None, [], self.refusals

    # --- at one point -------------------------------------------------------------------------------------------------

    def at(self, trial: Trial, arrays: list[Array], rng: np.random.Generator, order: int = 1) -> None:
        """All that must hold where the function is smooth."""
        live = self.value(trial, arrays)
        subject = of_primitive(self.function, self.facts, trial, live)
        out, g, gradients = check_point(subject, arrays, rng, self.meter)
        if not live or out.dtype.kind != "f":
            return
        self.recorded(trial, arrays, live, g, gradients)
        self.uses(trial, arrays, live, g, gradients)
        self.single(trial, arrays, live, g)
        self.analytic(trial, arrays, live, g, gradients, rng)
        if order > 1:
            self.second(subject, trial, arrays, live, g, rng)

    def value(self, trial: Trial, arrays: list[Array]) -> list[int]:
        """The value is the reference's, on arrays and on Tensors; returns the places that gradients flow to."""
        live = live_places(self.function, self.facts, arrays)
        subject = of_primitive(self.function, self.facts, trial, live)
        before = [np.array(a) for a in arrays]
        with np.errstate(all="ignore"):
            raw = np.asarray(call(self.function, self.facts, before, trial))
            for i, (array, after) in enumerate(zip(arrays, before, strict=True)):
                if not identical(array, after):
                    text = f"its forward changes its argument {subject.arguments[i]}"
                    raise Failure("input modified", text, subject)
            recorded = call(self.function, self.facts, leaves(arrays, live), trial)
            plain = self._by_forward(trial, arrays)
            told = None if self.facts.reference is None else expected(self.facts, arrays, trial)
        self.meter.report.evaluations += 3
        exact = max(self.facts.exact, *(8 * precision(a) for a in (raw, *arrays) if a.dtype.kind == "f"), 0)
        for what, got, right in (
            ("its value differs from the reference's", raw, told),
            ("its value differs from that of its own forward, without the kernel", raw, plain),
            ("its value differs when it is recorded", recorded.numpy(), raw),
        ):
            if right is None:
                continue
            if got.shape != right.shape or got.dtype != right.dtype:
                text = f"{what}: {got.dtype} {got.shape}, not {right.dtype} {right.shape}"
                raise Failure("value", text, subject)
            if got.dtype.kind == "f" and not close(got, right, exact / 1e3, 1):
                raise Failure("value", f"{what}: {got}, not {right}", subject)
            if got.dtype.kind != "f" and not np.array_equal(got, right):
                raise Failure("value", f"{what}: {got}, not {right}", subject)
        should = bool(live) and raw.dtype.kind == "f"
        if recorded.requires_grad != should:
            text = f"its result {'has no' if should else 'has a'} gradient, and should{'' if should else ' not'}"
            raise Failure("value", text, subject)
        self.meter.report.held("value")
        return live

    def _by_forward(self, trial: Trial, arrays: list[Array]) -> Array | None:
        if not isinstance(self.function, Primitive) or self.function.kernel is None:
            return None
        return np.asarray(call(variant(self.function, {}), self.facts, arrays, trial))

    def _same(
        self,
        check: str,
        text: str,
        subject: Subject,
        arrays: list[Array],
        g: Array,
        live: list[int],
        got: Any,
        right: Any,
    ) -> None:
        for i in live:
            eps = precision(right[i], g)
            if not close(np.asarray(got[i]), right[i], eps, float(np.abs(g).max(initial=0))):
                raise Failure(check, text, subject, Point(tuple(arrays), g, i, np.asarray(got[i]), right[i]))
        self.meter.report.held(check)

    def recorded(self, trial: Trial, arrays: list[Array], live: list[int], g: Array, gradients: Any) -> None:
        """The kernel's gradients are the rules', and these can be recorded."""
        subject = of_primitive(self.function, self.facts, trial, live, recorded=True)
        got = pulled(subject, g, arrays)
        text = "the rules, recorded, return another gradient{of} than without recording"
        self._same("kernel and rules", text, subject, arrays, g, live, got, gradients)

    def uses(self, trial: Trial, arrays: list[Array], live: list[int], g: Array, gradients: Any) -> None:
        """Gradients add up over two uses of a tensor, be it in two calls or as two arguments of one."""
        subject = of_primitive(self.function, self.facts, trial, live)
        tensors = leaves(arrays, live)
        once, twice = (call(self.function, self.facts, tensors, trial) for _ in range(2))
        found = iter(grad(once * g + twice * g, [tensors[i] for i in live], seed=np.ones(g.shape)))
        sums: Any = [next(found).numpy() if i in live else None for i in range(len(arrays))]
        text = "the gradient{of} over two uses is not twice that over one"
        doubled: Any = [2 * a if a is not None else None for a in gradients]
        self._same("two uses", text, subject, arrays, g, live, sums, doubled)
        pairs = [(i, j) for i in live for j in live if i < j and arrays[i].shape == arrays[j].shape]
        for i, j in pairs[:1]:
            alike = list(arrays)
            alike[j] = arrays[i].astype(arrays[j].dtype)
            if alike[j].dtype != alike[i].dtype:
                continue
            apart = pulled(subject, g, alike)
            tensors = leaves(alike, live)
            tensors[j] = tensors[i]
            result = call(self.function, self.facts, tensors, trial)
            both = grad(result, tensors[i], seed=g).numpy()
            right: Any = {i: apart[i] + apart[j]}  # type: ignore[operator]
            text = "the same tensor as two arguments: its gradient is not the sum of both gradients"
            self._same("one tensor, two arguments", text, subject, alike, g, [i], {i: both}, right)

    def single(self, trial: Trial, arrays: list[Array], live: list[int], g: Array) -> None:
        """In single precision the gradients are single, and those in double precision but for rounding."""
        if any(arrays[i].dtype != np.float64 for i in live):
            return
        short = [a.astype(np.float32) if a.dtype == np.float64 else a for a in arrays]
        again = [a.astype(np.float64) if a.dtype == np.float32 else a for a in short]
        subject = of_primitive(self.function, self.facts, trial, live)
        out, wide = (
            np.asarray(call(self.function, self.facts, short, trial)),
            call(self.function, self.facts, again, trial),
        )
        if out.shape != np.shape(wide) or out.dtype.kind != "f":
            return
        if self.facts.reference is not None and out.dtype != (told := expected(self.facts, short, trial).dtype):
            raise Failure("float32", f"for float32 its value is {out.dtype}, and the reference's is {told}", subject)
        got, right = pulled(subject, g.astype(out.dtype), short), pulled(subject, g.astype(out.dtype), again)
        for i in live:
            a, b = np.asarray(got[i]), np.asarray(right[i])
            if a.dtype != np.float32:
                raise Failure(
                    "float32", f"for float32 the gradient{{of}} is {a.dtype}", subject, Point(tuple(short), g, i, a)
                )
            known = np.isfinite(b)
            if not np.abs(a[known] - b[known]).max(initial=0) <= 1e-4 * (1 + np.abs(b[known]).max(initial=0)):
                text = "in single precision the gradient{of} differs by more than rounding"
                raise Failure("float32", text, subject, Point(tuple(short), g, i, a, b))
        self.meter.report.held("float32")

    def analytic(
        self,
        trial: Trial,
        arrays: list[Array],
        live: list[int],
        g: Array,
        gradients: Sequence[Array | None],
        rng: np.random.Generator,
    ) -> None:
        """Differences without rounding: by a step in the imaginary direction, where the facts allow it."""
        if not self.facts.analytic or "dtype" in trial.options or any(arrays[i].dtype != np.float64 for i in live):
            return
        for i in live:
            v = rng.normal(size=arrays[i].shape)
            moved = [a + 0j if a.dtype.kind == "f" else a for a in arrays]
            moved[i] = arrays[i] + 1e-30j * v
            given = [moved] if takes_a_list(self.function, self.facts) else moved
            bare = plain_forward(self.function)
            with np.errstate(all="ignore"):
                slope = float((np.asarray(bare(*given, *trial.static, **trial.options)).imag * 1e30 * g).sum())
            self.meter.report.evaluations += 1
            parts = np.asarray(gradients[i]) * v
            if not abs(parts.sum() - slope) <= 1e-11 * (np.abs(parts).sum() + 1e-3 * np.abs(g).sum()):
                subject = of_primitive(self.function, self.facts, trial, live)
                text = (
                    f"the gradient{{of}} is wrong in its last digits: {parts.sum()!r} along a direction, not {slope!r}"
                )
                raise Failure("last digits", text, subject, Point(tuple(arrays), g, i, np.asarray(gradients[i])))
            self.meter.report.held("last digits")

    def second(
        self, subject: Subject, trial: Trial, arrays: list[Array], live: list[int], g: Array, rng: np.random.Generator
    ) -> None:
        """Gradients of gradients are right."""
        mixes = [np.asarray(rng.normal(size=arrays[i].shape)) for i in live]

        def function(*tensors: Tensor) -> Any:
            return call(self.function, self.facts, tensors, trial)

        again, _ = derivative(subject, function, live, g, mixes)
        metered, one = self.meter.metered(again), np.ones(())
        found = pulled(metered, one, arrays)
        for i in live:
            check_direction(metered, arrays, i, one, np.asarray(found[i]), direction(rng, arrays[i]), self.meter)

    # --- where the function is not smooth -----------------------------------------------------------------------------

    def all_alike(self, arrays: list[Array], kind: str, rng: np.random.Generator) -> None:
        """All entries zero, or one number: differences where that is smooth, a subgradient where it is a kink."""
        trial = self.facts.base
        if kind == "smooth":
            self.at(trial, arrays, rng)
            return
        live = self.value(trial, arrays)
        subject = of_primitive(self.function, self.facts, trial, live)
        out = np.asarray(call(self.function, self.facts, arrays, trial))
        if kind != "kink" or not live or out.dtype.kind != "f":
            return
        g = rng.normal(size=out.shape)
        self.subgradient(subject, arrays, live, g, pulled(subject, g, arrays), rng)

    def subgradient(
        self,
        subject: Subject,
        arrays: list[Array],
        live: list[int],
        g: Array,
        gradients: Sequence[Array | None],
        rng: np.random.Generator,
    ) -> None:
        """Each entry, and the sum of all, lies within what gradients around the point are."""
        given = [np.asarray(a, np.float64) if i in live else a for i, a in enumerate(arrays)]
        if not all(np.isfinite(a).all() and np.abs(a).max(initial=0) < 1e6 for a in given):
            return
        around: dict[int, list[Array]] = {i: [] for i in live}
        slants = (-1, 0, 1, *(None,) * (24 // len(live)))
        for signs, slant in product(product((-1, 0, 1), repeat=len(live)), slants):
            near = list(given)
            for sign, i in zip(signs, live, strict=True):
                x = given[i]
                ramp = np.linspace(-1, 1, x.size).reshape(x.shape) if x.size > 1 else np.zeros(x.shape)
                step = rng.normal(size=x.shape) if slant is None else sign + 0.5 * slant * ramp
                near[i] = x + 1e-5 * (step + 1e-2 * rng.normal(size=x.shape)) * np.maximum(1, np.abs(x))
            try:
                found, out = pulled(subject, g, near), subject.value(*near)
            except (Failure, TinygradError):  # the shape of the result depends on its entries
                return
            if not np.isfinite(out).all():
                return
            for i in live:
                around[i].append(np.asarray(found[i]))
        for i in live:
            a, stack = np.asarray(gradients[i]), np.stack(around[i])
            if not (np.abs(stack) <= 100 * np.abs(g).max(initial=0)).all():  # an end of the domain, or a pole
                return
            room = 1e-2 * (np.abs(stack).max(initial=0) + 1e-3)
            inside = (a >= stack.min(axis=0) - room) & (a <= stack.max(axis=0) + room)
            entries = np.flatnonzero(~inside)
            _, verdicts = examine(self.meter.metered(subject), given, i, g, a, entries.tolist())
            sums = stack.reshape(len(stack), -1).sum(axis=1)
            summed = sums.min() - room * a.size <= a.sum() <= sums.max() + room * a.size
            if (verdicts.reshape(-1)[entries] != Verdict.RIGHT).any() or not (summed or len(entries)):
                text = "the gradient{of} at a kink is no subgradient: it is outside of what gradients around are"
                raise Failure("subgradient", text, subject, Point(tuple(arrays), g, i, a))
        self.meter.report.held("subgradient")

    def conventions(self, rng: np.random.Generator) -> None:
        """At kinks and ends the gradient is exactly as stated, by a kernel and, recorded, by the rules."""
        for told in self.facts.conventions:
            trial = Trial(tuple(np.shape(a) for a in told.arguments), told.static, told.options)
            live = [i for i, exact in enumerate(told.gradients) if exact is not None]
            arrays = [np.asarray(a, float if i in live else None) for i, a in enumerate(told.arguments)]
            subject = of_primitive(self.function, self.facts, trial, live)
            out = np.asarray(call(self.function, self.facts, arrays, trial))
            g = np.ones(out.shape) * told.seed
            got = pulled(subject, g, arrays)
            by_rules = pulled(of_primitive(self.function, self.facts, trial, live, recorded=True), g, arrays)
            for i, found in ((i, found) for found in (got, by_rules) for i in live):
                a, exact = np.asarray(found[i]), np.asarray(told.gradients[i], float)
                if a.shape != exact.shape or not np.allclose(a, exact, rtol=1e-14, atol=0):
                    text = f"at a kink or an end the gradient{{of}} is {a.tolist()}, not {exact.tolist()} as stated"
                    raise Failure("convention", text, subject, Point(tuple(arrays), g, i, a))
            self.subgradient(subject, arrays, live, g, got, rng)
            self.meter.report.held("convention")

    def refusals(self) -> None:
        """What the facts say is refused ends with that error."""
        for told in (self.facts.scalar, self.facts.empty, self.facts.broadcast):
            if isinstance(told, Refused):
                arrays = [np.ones(shape) for shape in told.shapes]
                try:
                    call(self.function, self.facts, arrays, Trial(told.shapes, told.static, told.options))
                except told.error:
                    self.meter.report.held("refusal")
                    continue
                names = argument_names(self.function, len(arrays))
                subject = Subject(str(self.function), names, lambda *_: np.zeros(()), lambda *_: [])
                text = f"arguments of shapes {told.shapes} should end with {told.error.__name__}, and do not"
                raise Failure("refusal", text, subject)


def plain_forward(function: Primitive) -> Callable[..., Any]:
    """A primitive's forward, without its by-products."""
    return (lambda *a, **k: function.forward(*a, **k)[0]) if function.byproducts else function.forward

"""Proof of a derivative, or which element is wrong, by how much, and most likely why.

`check_grads` is for functions of Tensors, `check_vjp` for a pair of plain functions (of any framework), `primitive` and
`all` for what is registered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np

from tinygrad_np import errors
from tinygrad_np.errors import ArgumentError, DtypeError, RangeError
from tinygrad_np.facts import Facts, Trial, known
from tinygrad_np.primitives import Primitive
from tinygrad_np.tensors import Tensor
from tinygrad_np.values import Array, plain
from tinygrad_np.verify.checks import BudgetSpent, Failure, Meter, check_point, close
from tinygrad_np.verify.differences import precision
from tinygrad_np.verify.explaining import explained, generator, proved
from tinygrad_np.verify.report import Diagnosis, GradientMismatch, Kink, Point, Report
from tinygrad_np.verify.subjects import Subject, derivative, of_tensors
from tinygrad_np.verify.sweep import Sweep

__all__ = [
    "Diagnosis",
    "GradientMismatch",
    "Kink",
    "Point",
    "Report",
    "all",
    "check_grads",
    "check_vjp",
    "describe",
    "primitive",
]


def check_grads(
    f: Callable[..., Any],
    *args: Any,
    order: int = 2,
    directions: int = 3,
    reference: Callable[..., Any] | None = None,
    seed: int = 0,
    budget: int = 10_000,
    explain: bool = True,
) -> Report:
    """Check the derivatives of a function of Tensors, up to an order, at one point.

    Parameters
    ----------
    f
        A function of Tensors that returns a Tensor of floats, of any shape, or a list of these.
    *args : array, Tensor or number
        Where. Those of floats are moved, in their own dtype; others are constants.
    order
        1 for gradients, 2 for gradients of gradients too, and so on.
    directions
        Along how many random directions each argument is moved.
    reference
        A function of plain arrays that returns what `f` must.
    seed
        Of the directions and incoming gradients.
    budget
        How many evaluations of `f` may be made: 6 for each direction, and 7 for each entry of an argument that is
        wrong or has kinks. As many again may be made to explain a mistake.
    explain
        Look for the reason of a mistake, and for the smallest input. Without it a mistake is found sooner, as property
        tests like it, which look for the smallest themselves.

    Returns
    -------
    Report
        What held, and where `f` has kinks: entries with no slope, or more than one, which are not compared.

    Raises
    ------
    GradientMismatch
        If something does not hold. Its text and fields say which entry is wrong, by how much, and if one explanation
        alone fits, why.
    ArgumentError, DtypeError, RangeError
        If there is nothing to move, or the order, directions or budget are not positive.

    Notes
    -----
    Central differences, extrapolated (Richardson), of the value weighted by a random incoming gradient: ``<g, J v>`` is
    held against ``<J'g, v>``; see `tinygrad_np.verify.differences.judge`. The gradient must also be linear in the
    incoming gradient, the same for arrays in any memory layout, the same when it is taken twice, and leave its
    arguments as they are.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> from tinygrad_np import verify
    >>> report = verify.check_grads(lambda x, w: tg.tanh(x @ w), np.eye(3), np.full((3, 2), 0.5))
    >>> report.checks["gradient"], report.kinks
    (6, [])
    """
    _check_callable("check_grads", f, reference or f)
    arrays = _plain("check_grads", args, order=order, directions=directions, budget=budget, seed=seed)
    live = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    subject = of_tensors(_name(f), f, _argument_names(f, len(arrays)), live)

    def attempt(arrays: Sequence[Array], seed: int, meter: Meter) -> None:
        rng = generator(seed)
        out, g, _ = check_point(subject, arrays, rng, meter, directions)
        if out.dtype.kind != "f":
            raise DtypeError(f"check_grads: expected {subject.name} to return floats, got dtype {out.dtype}")
        _check_reference(subject, reference, out, arrays, meter)
        higher, function = subject, f
        for _ in range(order - 1):
            mixes = [np.asarray(rng.normal(size=arrays[i].shape)).astype(arrays[i].dtype) for i in live]
            higher, function = derivative(higher, function, live, g, mixes)
            _, g, _ = check_point(higher, arrays, rng, meter, directions)

    return proved(subject, attempt, arrays, seed, budget, explain)


def check_vjp(
    forward: Callable[..., Any],
    vjp: Callable[..., Any],
    *args: Any,
    directions: int = 3,
    reference: Callable[..., Any] | None = None,
    seed: int = 0,
    budget: int = 10_000,
    explain: bool = True,
) -> Report:
    """Check a hand-written vector-Jacobian product against its forward, both on plain arrays, of any framework.

    Parameters
    ----------
    forward
        ``forward(*args)`` returns an array.
    vjp
        ``vjp(g, *args)`` returns the gradients of ``(g * forward(*args)).sum()``: a list with one for each argument,
        None for a constant; or, for a function of one argument, the gradient itself.
    *args : array or number
        Where. Those of floats are moved, in their own dtype; others are constants.
    directions, reference, seed, budget, explain
        As in `check_grads`.

    Returns
    -------
    Report

    Raises
    ------
    GradientMismatch, ArgumentError, RangeError
        As in `check_grads`.

    Examples
    --------
    >>> from tinygrad_np import verify
    >>> try:
    ...     verify.check_vjp(np.square, lambda g, x: g * x, np.array([[1.0, 2.0, 3.0]]))
    ... except verify.GradientMismatch as error:
    ...     print(error.argument, error.ratio, error.diagnosis.text)
    0 0.5... it is 1/2 times what it should be
    """
    _check_callable("check_vjp", forward, vjp, reference or forward)
    arrays = _plain("check_vjp", args, directions=directions, budget=budget, seed=seed)

    def pull(g: Array, *given: Array) -> Any:
        forward(*(np.array(a) for a in given))  # which may store what its pair uses
        found = vjp(g, *given)
        if not isinstance(found, (list, tuple)):
            found = [found] if len(given) == 1 else found
        if not isinstance(found, (list, tuple)):
            return found
        parts = list(found)
        return [
            None if part is None or (i < len(given) and given[i].dtype.kind != "f") else np.asarray(part)
            for i, part in enumerate(parts)
        ]

    names = _argument_names(forward, len(arrays))
    subject = Subject(_name(forward), names, lambda *given: np.array(forward(*given)), pull)

    def attempt(arrays: Sequence[Array], seed: int, meter: Meter) -> None:
        out, _, gradients = check_point(subject, arrays, generator(seed), meter, directions)
        kinds = [a.dtype.kind for a in arrays]
        meter.report.constants = [n for n, g, k in zip(names, gradients, kinds, strict=True) if g is None and k == "f"]
        if out.dtype.kind != "f":
            raise DtypeError(f"check_vjp: expected {subject.name} to return floats, got dtype {out.dtype}")
        if not any(g is not None for g in gradients):
            raise ArgumentError(
                f"check_vjp: expected a gradient of {subject.name}, got None: is the return line missing?"
            )
        _check_reference(subject, reference, out, arrays, meter)

    return proved(subject, attempt, arrays, seed, budget, explain)


def primitive(
    p: Any, *args: Any, facts: Facts | None = None, seed: int = 0, budget: int = 20_000, explain: bool = True
) -> Report:
    """Check a registered primitive, or a derived function, for all that it must hold.

    Its value is compared with its reference; its gradients with differences, to second order; raw kernels with rules;
    single precision with double; 0-d, empty, broadcast and strided arguments, one tensor for two arguments, two uses of
    a tensor, and what happens at zeros, ties and kinks: the gradient there must be a subgradient, and as it is stated.

    Parameters
    ----------
    p : Primitive or Derived
        What to check.
    *args
        Its arguments, arrays first; without any, inputs are drawn from the domain that is known of it.
    facts : Facts, optional
        What is known of it; see `describe`.
    seed
        Of what is drawn.
    budget
        How many evaluations may be made, and as many again to explain a mistake; some hundreds are enough for most.
    explain
        As in `check_grads`.

    Returns
    -------
    Report

    Raises
    ------
    GradientMismatch
        If something does not hold.
    ArgumentError
        If nothing is known of `p`, and no arguments are given.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> from tinygrad_np import verify
    >>> verify.primitive(tg.hinge).checks["convention"]
    2
    """
    _positive("verify.primitive", budget=budget, seed=seed)
    if facts is not None and not isinstance(facts, Facts):
        raise ArgumentError(f"verify.primitive: expected Facts as facts=, got a {type(facts).__name__}")
    if not callable(p):
        raise ArgumentError(f"verify.primitive: expected a primitive or derived function, as tg.relu, got {p!r}")
    if isinstance(p, Primitive) and not p.rules:
        raise errors.no_rules(str(p), p.arguments)
    if args:
        facts = _facts_of(p, args)
    elif facts is None:
        facts = known.get(p)
    if facts is None:
        raise ArgumentError(
            f"verify.primitive: no inputs are known for {p}; give some, verify.primitive({p}, x), or say where it is "
            f"smooth, verify.describe({p}, facts.unary(reference))"
        )
    report, told = Report(str(p)), facts
    meter = Meter(budget, report)
    sweep = Sweep(p, facts, meter)
    try:
        with np.errstate(all="ignore"):
            for trial, arrays, check in sweep.everything(generator(seed)):
                try:
                    check()
                except Failure as failure:
                    at = trial if explain else None
                    raise explained(sweep, told, failure, at, arrays, seed) from failure.__cause__
    except BudgetSpent:
        report.skip(f"what comes after {budget} evaluations, which is the budget")
    return report


def all(seed: int = 0, budget: int = 20_000) -> list[Report]:
    """Check every registered function of which something is known.

    Parameters
    ----------
    seed, budget
        As in `primitive`, for each.

    Returns
    -------
    list of Report

    Raises
    ------
    ExceptionGroup
        Of all `GradientMismatch` that were found.

    Examples
    --------
    >>> from tinygrad_np import verify
    >>> reports = verify.all(seed=1)  # doctest: +SKIP
    """
    reports, wrong = [], []
    for function in known:
        try:
            reports.append(primitive(function, seed=seed, budget=budget))
        except GradientMismatch as error:
            wrong.append(error)
    if wrong:
        raise ExceptionGroup(f"verify.all: {len(wrong)} of {len(known)} functions are wrong", wrong)
    return reports


def describe(p: Any, facts: Facts) -> None:
    """Say what is known of a primitive of yours: its reference, where it is smooth, and what it does at kinks.

    Parameters
    ----------
    p : Primitive or Derived
        Yours.
    facts : Facts
        See `tinygrad_np.facts`, which has short ways to write them: ``unary``, ``entrywise``.

    Raises
    ------
    ArgumentError
        If these are no facts.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> from tinygrad_np import facts, verify
    >>> @tg.primitive
    ... def cube(x, /):
    ...     return x**3
    >>> cube.def_vjp(x=lambda g, x: g * 3 * x**2)
    >>> verify.describe(cube, facts.unary(lambda x: x * x * x))
    >>> verify.primitive(cube).kinks
    []
    """
    if not callable(p):
        raise ArgumentError(f"verify.describe: expected a primitive of yours, got {p!r}")
    if not isinstance(facts, Facts):
        raise ArgumentError(f"verify.describe: expected Facts, got a {type(facts).__name__}; see tinygrad_np.facts")
    known[p] = facts


# --- what was given ---------------------------------------------------------------------------------------------------


def _positive(op: str, **numbers: int) -> None:
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
            raise ArgumentError(f"{op}: expected a whole number as {name}, got {number!r}")
        if name == "seed" and number < 0:
            raise RangeError(f"{op}: expected a seed of at least 0, got {number}")
        if name != "seed" and number < 1:
            raise RangeError(f"{op}: expected {name} of at least 1, got {number}")


def _check_callable(op: str, *functions: Any) -> None:
    for function in functions:
        if not callable(function):
            raise ArgumentError(f"{op}: expected a function, got {function!r}; then its arguments")


def _plain(op: str, args: Sequence[Any], **numbers: int) -> list[Array]:
    _positive(op, **numbers)
    arrays = [np.array(plain(op, a.numpy() if isinstance(a, Tensor) else a)) for a in args]
    if not any(a.dtype.kind == "f" for a in arrays):
        got = ", ".join(str(a.dtype) for a in arrays) or "no arguments"
        hint = "; write 1.0 for 1" if any(a.dtype.kind in "iu" for a in arrays) else ""
        raise DtypeError(f"{op}: expected an argument of floats to move, got {got}{hint}")
    return arrays


def _name(function: Any) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "function" if name == "<lambda>" else str(name)


def _argument_names(function: Any, count: int) -> tuple[str, ...]:
    try:
        kinds = list(signature(function).parameters.values())
    except (TypeError, ValueError):  # a ufunc has none
        kinds = []
    names = [p.name for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return tuple(names[i] if i < len(names) else f"args[{i}]" for i in range(count))


def _facts_of(p: Any, args: Sequence[Any]) -> Facts:
    """Facts with one trial: these arguments."""
    count = len(p.arguments) if isinstance(p, Primitive) else sum(hasattr(a, "shape") for a in args)
    listed = isinstance(p, Primitive) and p.sequence
    first = list(args[0]) if listed else list(args[:count])
    arrays = [np.array(a.numpy() if isinstance(a, Tensor) else a) for a in first]
    trial = Trial(tuple(a.shape for a in arrays), tuple(args[1 if listed else count :]))
    return Facts(base=trial, draw=lambda *_: [a.copy() for a in arrays], zeros="pole", ties="pole")


def _check_reference(
    subject: Subject, reference: Callable[..., Any] | None, out: Array, arrays: Sequence[Array], meter: Meter
) -> None:
    if reference is None:
        return
    expected = np.asarray(reference(*(np.array(a) for a in arrays)))
    if out.shape != expected.shape:
        raise Failure("value", f"its value has shape {out.shape}, the reference's has {expected.shape}", subject)
    if not close(out, expected, precision(out)):
        raise Failure("value", f"its value is {out}, the reference's is {expected}", subject)
    meter.report.held("value")

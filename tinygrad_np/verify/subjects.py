"""What is verified, all in one form: a value of plain arrays, and a pull of a gradient back to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, update_wrapper
from typing import Any

import numpy as np

from tinygrad_np.derived import Derived
from tinygrad_np.engine import grad
from tinygrad_np.errors import ArgumentError
from tinygrad_np.facts import Facts, Trial
from tinygrad_np.ops.joining import concatenate
from tinygrad_np.ops.shape import reshape
from tinygrad_np.primitives import Primitive
from tinygrad_np.signatures import parameters
from tinygrad_np.tensors import Tensor, from_numpy
from tinygrad_np.values import Array, shape_of

Gradients = Sequence[Array | None]


@dataclass(frozen=True)
class Subject:
    """A function of plain arrays and its vector-Jacobian product.

    Parameters
    ----------
    name
        As it is called in messages.
    arguments
        The names of its arguments.
    value
        Of the arrays: an array.
    pull
        Of the incoming gradient and the arrays: a gradient for each, or None for a constant.
    what
        "gradient", or "second derivative", as messages call what is pulled.
    raw
        As `pull`, before the engine looks at shapes and dtypes; None if that is the same.
    broadcasts
        Whether arguments are broadcast together, and the engine sums over what was.
    """

    name: str
    arguments: tuple[str, ...]
    value: Callable[..., Array]
    pull: Callable[..., Gradients]
    what: str = "gradient"
    raw: Callable[..., Gradients] | None = None
    broadcasts: bool = False


def together(result: Any, ravel: Callable[[Any], Any], join: Callable[[list[Any]], Any]) -> Any:
    """A list of results as all their entries in one axis."""
    return join([ravel(r) for r in result]) if isinstance(result, (list, tuple)) else result


def _as_tensor(result: Any) -> Any:
    return together(result, lambda r: reshape(r, (-1,)), concatenate)


# --- functions of Tensors ---------------------------------------------------------------------------------------------


def leaves(arrays: Sequence[Array], live: Sequence[int]) -> list[Tensor]:
    """Tensors on these arrays; those in the places `live` are leaves."""
    return [from_numpy(a, requires_grad=i in live) for i, a in enumerate(arrays)]


def of_tensors(
    name: str,
    function: Callable[..., Any],
    arguments: tuple[str, ...],
    live: Sequence[int],
    recorded: bool = False,
) -> Subject:
    """A function of Tensors; with `recorded`, its gradients are those that could be differentiated again."""

    def value(*arrays: Array) -> Array:
        out = _as_tensor(function(*(from_numpy(a) for a in arrays)))
        return np.array(out.numpy() if isinstance(out, Tensor) else out)

    def pull(g: Array, *arrays: Array) -> Gradients:
        tensors = leaves(arrays, live)
        out = _as_tensor(function(*tensors))
        if not isinstance(out, Tensor) or not out.requires_grad:
            return [np.zeros_like(a) if i in live else None for i, a in enumerate(arrays)]
        found = iter(grad(out, [tensors[i] for i in live], seed=g, create_graph=recorded))
        return [next(found).numpy() if i in live else None for i in range(len(arrays))]

    return Subject(name, arguments, value, pull)


def derivative(
    subject: Subject, function: Callable[..., Any], live: Sequence[int], g: Array, mixes: Sequence[Array]
) -> tuple[Subject, Callable[..., Any]]:
    """The gradients of a function of Tensors, mixed into one number: again such a function."""

    def mixed(*tensors: Tensor) -> Any:
        given = list(tensors)
        for i in live:
            given[i] = given[i] if given[i].requires_grad else from_numpy(given[i].numpy(), requires_grad=True)
        out = _as_tensor(function(*given))
        if not isinstance(out, Tensor) or not out.requires_grad:
            return from_numpy(np.zeros((), g.dtype))
        incoming = (out + 1) * g  # which depends on the arguments, so that rules are differentiated by `g`, too
        parts = grad(out, [given[i] for i in live], seed=incoming, create_graph=True)
        products = [(part * mix).sum() for part, mix in zip(parts, mixes, strict=True)]
        return sum(products[1:], products[0])

    found = of_tensors(subject.name, mixed, subject.arguments, live)
    return replace(found, what="second derivative" if subject.what == "gradient" else "higher derivative"), mixed


# --- primitives and derived functions ---------------------------------------------------------------------------------


def takes_a_list(function: Any, facts: Facts) -> bool:
    """Whether the arrays are given in one list."""
    return function.sequence if isinstance(function, Primitive) else facts.sequence


def call(function: Any, facts: Facts, arrays: Sequence[Any], trial: Trial) -> Any:
    """Its result for arrays or Tensors; of several results, all their entries in one axis."""
    given = [list(arrays)] if takes_a_list(function, facts) else arrays
    return _as_tensor(function(*given, *trial.static, **trial.options))


def expected(facts: Facts, arrays: Sequence[Array], trial: Trial) -> Array:
    """What the reference returns."""
    assert facts.reference is not None
    return np.asarray(together(facts.reference(*arrays, *trial.static, **trial.options), np.ravel, np.concatenate))


def live_places(function: Any, facts: Facts, arrays: Sequence[Array]) -> list[int]:
    """Which arrays a gradient flows to: floats whose argument has a rule."""
    floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    if isinstance(function, Primitive):
        names = function.arguments * (len(arrays) if function.sequence else 1)
        return [i for i in floats if function.rules[names[i]] is not None]
    return [i for i in floats if i not in facts.constants]


def argument_names(function: Any, count: int) -> tuple[str, ...]:
    """What messages call the arrays."""
    if isinstance(function, Primitive) and function.sequence:
        return tuple(f"{function.arguments[0]}[{i}]" for i in range(count))
    if isinstance(function, (Primitive, Derived)):
        own = function.forward if isinstance(function, Primitive) else function.function
        code = own.__code__
        names = code.co_varnames[: code.co_argcount]
        return tuple(names[i] if i < len(names) else f"[{i}]" for i in range(count))
    return tuple(f"argument {i}" for i in range(count))


def of_primitive(function: Any, facts: Facts, trial: Trial, live: Sequence[int], recorded: bool = False) -> Subject:
    """A primitive or derived function at the shapes and parameters of a trial, through the engine."""
    names = argument_names(function, len(trial.shapes))
    found = of_tensors(str(function), lambda *given: call(function, facts, given, trial), names, live, recorded)
    if not isinstance(function, Primitive):
        return found
    raw = partial(by_rules, function, trial, live)
    return replace(found, raw=raw, broadcasts=function.broadcasts)


def by_rules(function: Primitive, trial: Trial, live: Sequence[int], g: Array, *arrays: Array) -> Gradients:
    """What a primitive's rules return, in whatever shape and dtype, on plain arrays and without a kernel."""
    given = [list(arrays)] if function.sequence else list(arrays)
    static = function._bind((*given, *trial.static), dict(trial.options))[len(given) :]
    first = function.positional - len(given)
    out = function.forward(*given, *static[:first], **dict(zip(function.static[first:], static[first:], strict=True)))
    results = out if function.byproducts else (out,)
    known = dict(zip(function.names, (results[0], *given, *static, *results[1:]), strict=True))
    known |= {f"{n}_shape": shape_of(a) for n, a in zip(function.arguments, given, strict=True)}

    def run(name: str, incoming: Any) -> Any:
        rule = function.rules[name]
        return rule(incoming, *(known[n] for n in (parameters(rule) or ())[1:])) if rule else None

    incoming = run("g", g) if "g" in function.rules else g
    if function.sequence:
        return list(run(function.arguments[0], incoming))
    return [run(n, incoming) if i in live else None for i, n in enumerate(function.arguments)]


def variant(function: Primitive, rules: dict[str, Any], forward: Any = None, kernel: Any = None) -> Primitive:
    """The same primitive with other rules, another forward or another kernel (none, unless given), in no registry.

    Raises
    ------
    ArgumentError
        If a rule is for none of its arguments.
    """
    if unknown := rules.keys() - function.rules.keys():
        expected = sorted(function.rules)
        raise ArgumentError(f"variant: expected rules for some of {expected}, got {sorted(unknown)}")
    twin = object.__new__(Primitive)
    twin.__dict__.update(function.__dict__)
    twin.forward = update_wrapper(forward, function.forward) if forward else function.forward
    twin.kernel = kernel
    twin.rules = {**function.rules, **rules}
    twin.plans = {}
    twin.call = twin._first_call
    return twin

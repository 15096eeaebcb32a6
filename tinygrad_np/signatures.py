"""What a forward and its rules may look like, read from their own parameter lists when they are defined."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import signature
from typing import Any

from tinygrad_np import errors

Function = Callable[..., Any]


def parameters(function: Function, keyword_only: bool = False) -> tuple[str, ...] | None:
    """The names of a Python function's parameters; None if it has none to read, or *args or **kwargs."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & 0x0C or (code.co_kwonlyargcount and not keyword_only):  # *args, **kwargs
        return None
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names


def spelt(function: Function) -> str:
    """A function's parameters as its user writes them, without annotations."""
    own = signature(function)
    bare = [p.replace(annotation=p.empty) for p in own.parameters.values()]
    return str(own.replace(parameters=bare, return_annotation=own.empty)).replace(", /)", ")").replace(", /,", ",")


def read_forward(
    forward: Function, sequence: bool, byproducts: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], int, dict[str, Any]]:
    """A forward's array arguments (before its ``/``), static parameters (after it), how many of all these can be given
    by position, and the defaults."""
    op = getattr(forward, "__name__", repr(forward))
    names = parameters(forward, keyword_only=True)
    count = forward.__code__.co_posonlyargcount if names else 0
    if not names or not count or (sequence and count > 1):
        raise errors.forward_signature(op, names)
    known = [*names, *byproducts, *(f"{name}_shape" for name in names[:count]), "g", "out"]
    if twice := {name for name in known if known.count(name) > 1}:
        raise errors.names_taken(op, twice)
    positional = names[: forward.__code__.co_argcount]
    defaults = dict(zip(reversed(positional), reversed(forward.__defaults__ or ()), strict=False))
    return names[:count], names[count:], len(positional), defaults | (forward.__kwdefaults__ or {})


def check_rules(op: str, arguments: Iterable[str], known: Iterable[str], rules: dict[str, Function | None]) -> None:
    """Refuse rules that are not one for each argument, or that ask for something that there is not."""
    if rules.keys() - {"g"} != set(arguments):
        raise errors.rule_names(op, arguments, rules)
    for argument, rule in rules.items():
        asked = ("g",) if rule is None else parameters(rule)
        if not asked or asked[0] != "g" or not set(asked[1:]) <= set(known):
            raise errors.rule_parameters(op, argument, known, asked)

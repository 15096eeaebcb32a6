"""NumPy's own functions, called with Tensors: recorded where this package has them, else no gradient gets lost.

NumPy asks a Tensor what to do (``__array_ufunc__``, ``__array_function__``); the answers are here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from inspect import Parameter, Signature, signature
from typing import Any

import numpy as np

from tinygrad_np import errors, ops
from tinygrad_np.derived import Derived
from tinygrad_np.errors import ArgumentError, MutationError
from tinygrad_np.primitives import Primitive
from tinygrad_np.signatures import spelt
from tinygrad_np.values import Value

_FACTS = {
    *(np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.min_scalar_type, np.common_type, np.iscomplexobj),
    *(np.isrealobj, np.iscomplex, np.isreal, np.may_share_memory, np.shares_memory, np.array_equal, np.array_equiv),
    *(np.allclose, np.array_repr, np.array_str, np.array2string),
}
"""What asks for facts, or for yes or no: no gradient is lost by answering."""

_INSTEAD = {
    "add.reduce": "sum",
    "add.accumulate": "cumsum",
    "multiply.reduce": "prod",
    "multiply.accumulate": "cumprod",
    "maximum.reduce": "max",
    "minimum.reduce": "min",
    "logical_and.reduce": "all",
    "logical_or.reduce": "any",
    "logaddexp.reduce": "logsumexp",
    "copyto": "where",
    "put": "set_at",
    "place": "where",
    "putmask": "where",
    "fill_diagonal": "set_at",
    "put_along_axis": "set_at",
    "dot": "matmul",
    "inner": "matmul",
    "vdot": "matmul",
    "vecdot": "matmul",
    "matvec": "matmul",
    "vecmat": "matmul",
    "tensordot": "matmul",
    "einsum": "matmul",
    "conjugate": "positive",
    "real": "positive",
}
"""The nearest covered spelling, where the names do not tell."""


def nearest(name: str) -> str | None:
    """The covered function that does what an uncovered one of NumPy's does, or nearly so, if there is one.

    Examples
    --------
    >>> nearest("add.reduce"), nearest("multiply.outer"), nearest("linalg.trace"), nearest("histogram")
    ('sum', 'multiply', 'trace', None)
    """
    found = _INSTEAD.get(name, name.removesuffix(".outer").rsplit(".")[-1])
    return found if found in ops.__all__ else None


def uncovered(name: str) -> str:
    """What to do about a function that is not recorded."""
    other = nearest(name)
    near = f"the nearest covered function is tinygrad_np.{other}" if other else "write it with tinygrad_np's functions"
    return f"{near}, or make it a primitive of your own; t.numpy() or t.detach() drops the graph on purpose"


def spelling(function: Any) -> str:
    """What a function of NumPy's is called there."""
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module.removeprefix('numpy').removeprefix('.')}.{function.__name__}".removeprefix(".")


@cache
def ours(function: Any) -> Primitive | Derived | None:
    """This package's function of the same name, if it has one."""
    name: str = function.__name__
    found = getattr(ops, name, None) if vars(np).get(name) is function else None
    return found if isinstance(found, (Primitive, Derived)) else None


@cache
def _signature(function: Any) -> Signature | None:
    try:
        return signature(function)
    except ValueError:  # some that are written in C have none
        return None


_BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@cache
def alike(function: Any, recorded: Primitive | Derived) -> int:
    """How many arguments, from the first, NumPy's function and ours take in the same places."""
    theirs, own = _signature(function), _signature(recorded)
    count = 0
    for their, our in zip(theirs.parameters.values(), own.parameters.values(), strict=False) if theirs and own else ():
        same = our.kind is Parameter.POSITIONAL_ONLY or (our.kind in _BY_PLACE and our.name == their.name)
        if their.kind not in _BY_PLACE or not same:
            break
        count += 1
    return count


@cache
def _names(recorded: Primitive | Derived) -> frozenset[str]:
    return frozenset(signature(recorded).parameters)


def translated(
    function: Any, recorded: Primitive | Derived, args: tuple[Any, ...], keywords: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call of NumPy's function as ours takes them: by name where the two differ in order.

    What NumPy's caller left at its default is left out, so that an option of NumPy's that we do not have matters only
    to who gives it.
    """
    if len(args) <= alike(function, recorded) and keywords.keys() <= _names(recorded):
        return args, dict(keywords)
    theirs, own = _signature(function), _signature(recorded)
    if theirs is None or own is None:
        return args, dict(keywords)
    if any(p.kind is Parameter.VAR_POSITIONAL for s in (theirs, own) for p in s.parameters.values()):
        return args, dict(keywords)
    given = theirs.bind(*args, **keywords).arguments
    positional, named = list[Any](), dict[str, Any]()
    own_names = list(own.parameters)
    first = [p.name for p in own.parameters.values() if p.kind is Parameter.POSITIONAL_ONLY] or own_names[:1]
    for place, (name, parameter) in enumerate(theirs.parameters.items()):
        if name not in given or given[name] is parameter.default or (name == "out" and given[name] is None):
            continue
        value = given[name]
        if parameter.kind is Parameter.VAR_KEYWORD:
            named |= value
        elif name in own.parameters and name not in first:
            named[name] = value
        elif place < len(first) and place == len(positional):
            positional.append(value)
        elif name in first:
            named[name] = value
        else:
            raise ArgumentError(
                f"{recorded}: expected arguments {spelt(recorded)}, got np.{function.__name__}'s {name}={value!r:.60}, "
                "which is not supported; leave it out, or use t.numpy() or t.detach() to drop the graph on purpose"
            )
    return tuple(positional), named


def call_function(function: Callable[..., Any], args: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """What a function of NumPy's that is asked for a Tensor returns."""
    if function in _FACTS:
        return function(*_plain(args, None), **_plain(keywords, None))
    _refuse_out(function.__name__, keywords.get("out"))
    recorded = ours(function)
    if recorded is None:
        name = spelling(function)
        return function(*_plain(args, name), **_plain(keywords, name))
    positional, named = translated(function, recorded, args, keywords)
    return recorded(*positional, **named)


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """What a ufunc of NumPy's, or one of its methods, that is given a Tensor returns."""
    recorded = ours(ufunc)
    if method == "__call__" and not keywords and recorded is not None:
        return recorded(*inputs)
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    if method == "at":  # NumPy would write into a read-only array here
        if isinstance(inputs[0], Value):
            raise MutationError(
                f"np.{name}: expected an array to change, got a Tensor, which never changes in place; use "
                "tinygrad_np.add_at or set_at, which return a new one"
            )
        return getattr(ufunc, method)(*_plain(inputs, name), **_plain(keywords, name))
    _refuse_out(name, keywords.get("out"))
    given = {k: v for k, v in keywords.items() if not (v is None or (k == "where" and v is True))}
    if method == "__call__" and not given and recorded is not None:
        return recorded(*inputs)
    if given and method == "__call__":
        name = f"{name}(..., {', '.join(f'{k}=' for k in given)})"
    result = getattr(ufunc, method)(*_plain(inputs, name), **_plain(given, name))
    return _constant(result) if "out" not in given else result


def _constant(result: Any) -> Any:
    """What NumPy computed of constants, as operators of constants return it."""
    if isinstance(result, tuple):
        return tuple(map(_constant, result))
    numbers = isinstance(result, (np.ndarray, np.generic)) and result.dtype.kind in "fbiu"
    return Primitive.result(np.asarray(result)) if numbers else result


def _refuse_out(name: str, out: Any) -> None:
    if any(isinstance(o, Value) for o in (out if isinstance(out, tuple) else (out,))):
        raise MutationError(f"np.{name}: expected arrays as out=, got a Tensor, which never changes in place")


def _plain(value: Any, name: str | None) -> Any:
    """The arrays of the Tensors in arguments, refused where a gradient would be lost (`name` is None: it is not)."""
    if isinstance(value, Mapping):
        return {key: _plain(v, name) for key, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(v, name) for v in value)
    if not isinstance(value, Value):
        return value
    if value._node is not None and name is not None:
        raise errors.dropped(f"np.{name}, which is not recorded,", uncovered(name))
    view = value._array.view()  # read-only, so that nothing is written behind the tape's back
    view.flags.writeable = False
    return view


_IN_PLACE = {"fill": "full_like", "partition": "partition", "put": "set_at", "resize": "reshape", "sort": "sort"}
_INSTEAD_OF_ATTRIBUTES = {
    "dot": "write t @ w",
    "real": "a tensor is real: it is t itself",
    "conj": "a tensor is real: it is t itself",
    "conjugate": "a tensor is real: it is t itself",
    "imag": "a tensor is real",
    "flat": "use t.ravel()",
    "view": "use t.astype() or t.reshape()",
}


def no_attribute(name: str) -> str:
    """What is said of an attribute of ``numpy.ndarray`` that a Tensor does not have, or that nothing has."""
    if name in _IN_PLACE:
        other = _IN_PLACE[name]
        return f"Tensor has no {name}(), which changes an array in place; tinygrad_np.{other} returns a new one"
    if name in _INSTEAD_OF_ATTRIBUTES:
        return f"Tensor has no {name!r}; {_INSTEAD_OF_ATTRIBUTES[name]}"
    if hasattr(np.ndarray, name) and not name.startswith("__"):
        return f"Tensor has no {name!r}; t.numpy().{name} is the array's, without the graph"
    return f"'Tensor' object has no attribute {name!r}"

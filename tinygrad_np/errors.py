"""What can go wrong, by kind, and the engine's messages: operation, argument, expected, got, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn


class TinygradError(Exception):
    """The root of every error that this package raises on purpose."""


class ArgumentError(TinygradError, TypeError):
    """A call that names an argument wrongly, leaves one out, or passes a thing of the wrong kind."""


class RangeError(TinygradError, ValueError):
    """A value outside of what the operation accepts."""


class ShapeError(TinygradError, ValueError):
    """Shapes that do not fit together, or one that the operation does not take."""


class IndexRangeError(TinygradError, IndexError):
    """An index that is out of range, or no index at all."""


class DtypeError(TinygradError, TypeError):
    """A dtype that the operation, or differentiation itself, does not take."""


class GraphError(TinygradError, RuntimeError):
    """A question that the recorded graph cannot answer: freed, never recorded, or with nothing to differentiate."""


class StaleError(GraphError):
    """An array that a rule saved was updated in place since."""


class MutationError(TinygradError, TypeError):
    """An attempt to change a tensor in place."""


class RuleError(TinygradError, TypeError):
    """A primitive whose rules do not match its forward, or a rule that returned something of the wrong shape."""


class NonFiniteError(TinygradError, ArithmeticError):
    """A NaN or an infinity, found while `tinygrad_np.debug` looks for them."""


class FileFormatError(TinygradError, ValueError):
    """A file that is truncated, corrupted, or not of the kind that it should be."""


class MissingFileError(TinygradError, FileNotFoundError):
    """A file that the operation needs is not where it was looked for."""


class MissingExtraError(TinygradError, ImportError):
    """An optional package that a command needs is not installed."""


def names(items: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(items))) or "nothing"


def forward_signature(op: str, got: tuple[str, ...] | None) -> RuleError:
    return RuleError(
        f"{op}: expected a Python function that takes its arrays before a '/' and its other parameters after it (with "
        f"sequence=True, one sequence before the '/'), and no *args or **kwargs; got "
        f"{'another signature' if got is None else got}"
    )


def names_taken(op: str, twice: Iterable[str]) -> RuleError:
    return RuleError(
        f"{op}: expected distinct names for arguments, by-products, 'g' (a gradient), 'out' (the result) and "
        f"'<argument>_shape'; got {names(twice)} twice"
    )


def no_rules(op: str, arguments: Iterable[str]) -> RuleError:
    return RuleError(f"{op}: it has no rules yet; give one for each of {names(arguments)} with {op}.def_vjp(...)")


def no_byproducts(op: str, byproducts: tuple[str, ...], got: Any) -> RuleError:
    what = f"{len(got)} results" if isinstance(got, tuple) else f"a {type(got).__name__}"
    return RuleError(f"{op}: expected its forward to return the tuple (out, {', '.join(byproducts)}), got {what}")


def missing_extra(command: str, what: str) -> MissingExtraError:
    return MissingExtraError(f"{command}: {what}, which is not installed; pip install 'tinygrad-np[course]'")


def no_list(op: str, got: Any) -> ArgumentError:
    what = f"a 0-d {type(got).__name__}" if hasattr(got, "shape") else f"a {type(got).__name__}"
    return ArgumentError(f"{op}: expected a list of arrays, got {what}; write {op}([a, b])")


def ragged(op: str, error: Exception) -> ShapeError:
    return ShapeError(f"{op}: expected numbers in a regular grid; NumPy says: {error}")


def no_array(op: str, got: Any) -> RuleError:
    return RuleError(f"{op}: expected its forward to return an array, got a {type(got).__name__}")


def real_byproduct(op: str, name: str) -> RuleError:
    return RuleError(
        f"{op}: its rule uses the by-product {name!r}, real numbers through which no gradient flows, so that it cannot "
        "be differentiated again; let the rule compute them from its arguments"
    )


def masked(op: str) -> ArgumentError:
    return ArgumentError(f"{op}: expected an array, got a masked array, whose mask would be lost; fill it: a.filled(0)")


def rule_names(op: str, arguments: Iterable[str], got: Iterable[str]) -> RuleError:
    return RuleError(
        f"{op}: expected one rule for each of its array arguments {names(arguments)} (None where it is a constant); "
        f"got rules for {names(got)}"
    )


def rule_parameters(op: str, argument: str, known: Iterable[str], got: tuple[str, ...] | None) -> RuleError:
    what = "it is no Python function, or has *args, **kwargs or keyword-only ones" if got is None else f"it takes {got}"
    return RuleError(
        f"{op}: expected the rule for {argument!r} to be a function whose parameters are g and then any of "
        f"{names(known)}; {what}"
    )


def call(op: str, parameters: Iterable[str], count: int, keywords: Iterable[str]) -> ArgumentError:
    return ArgumentError(
        f"{op}: expected arguments ({', '.join(parameters)}); got {count} by position and {names(keywords)} by keyword"
    )


def within(op: str, error: TinygradError) -> TinygradError:
    """An error of an operation that `op` is written in, by the name of both."""
    return error if str(error).startswith(f"{op}: ") else type(error)(f"{op}: {error}")


def refuse(error: Exception, op: str, arrays: Iterable[Any], static: dict[str, Any]) -> NoReturn:
    """Raise what a forward raised again, with the operation's name and arguments added to NumPy's text."""
    if isinstance(error, TinygradError):
        raise
    kinds = {IndexError: IndexRangeError, ValueError: ShapeError, TypeError: DtypeError, ZeroDivisionError: RangeError}
    kind = next(ours for theirs, ours in kinds.items() if isinstance(error, theirs))
    got = [f"{a.dtype} {a.shape}" if hasattr(a, "dtype") else repr(a) for a in arrays]
    got += [f"{name}={value!r}" for name, value in static.items()]
    raise kind(f"{op}: {error}; got {', '.join(got)}") from error


def no_numbers(op: str, dtype: Any) -> DtypeError:
    return DtypeError(
        f"{op}: expected real numbers or bools beside a Tensor, got dtype {dtype}; convert it first, as with "
        "astype(float), or take real and imaginary parts"
    )


def integer_target(op: str, dtype: Any) -> DtypeError:
    return DtypeError(
        f"{op}: expected an array of floats for a value that requires gradients, got dtype {dtype}, which would cut it "
        "off and drop the graph; convert the array with astype(float), or detach() the value"
    )


def no_real_result(op: str, dtype: Any) -> DtypeError:
    return DtypeError(
        f"{op}: expected a result of real numbers or bools, got dtype {dtype}, through which gradients are not defined "
        "here; compute with plain arrays, t.numpy(), or with real and imaginary parts"
    )


def rule_result(op: str, argument: str, expected: Any, got: Any) -> RuleError:
    what = f"{got.dtype} {got.shape}" if hasattr(got, "shape") else f"a {type(got).__name__}"
    return RuleError(
        f"{op}: expected the rule for {argument!r} to return a real array of the argument's shape, {expected.dtype} "
        f"{expected.shape}; got {what}. (If the arguments are broadcast: @primitive(broadcasts=True))"
    )


def rule_count(op: str, expected: int, got: Any) -> RuleError:
    what = str(len(got)) if isinstance(got, (list, tuple)) else f"a {type(got).__name__}"
    return RuleError(f"{op}: expected the rule of a sequence to return a list of {expected} gradients; got {what}")


def stale(op: str, argument: str, name: str | None, shape: Any) -> StaleError:
    what = f"parameter {name!r}" if name else "a parameter"
    return StaleError(
        f"{op}: its rule needs {argument!r} as it was when recorded, but {what} of shape {shape} was updated in place "
        f"since; compute the loss again after an update, or take all gradients before it"
    )


def freed(op: str) -> GraphError:
    return GraphError(
        f"{op}: this part of the graph was freed by an earlier backward(); call that one with retain_graph=True, or "
        "add the losses, (loss1 + loss2).backward(), or use grad() in its place, which frees nothing"
    )


def constant_result(op: str) -> GraphError:
    return GraphError(
        f"{op}: expected a result that needs a gradient; this one comes from constants alone, from detach(), or from "
        f"inside no_grad(). Make a leaf with tensor(..., requires_grad=True) and compute from it"
    )


def constant_wrt(op: str, argument: str) -> GraphError:
    return GraphError(
        f"{op}: expected {argument} to need gradients, but it is a constant; make it with tensor(..., "
        "requires_grad=True)"
    )


def no_tensor(op: str, argument: str, got: Any) -> ArgumentError:
    return ArgumentError(f"{op}: expected a Tensor as {argument}, got {type(got).__name__}; make one with tensor(...)")


def not_made_so(got: Any) -> ArgumentError:
    return ArgumentError(f"Tensor: expected to be made by tensor(...) or from_numpy(...), got a {type(got).__name__}")


def dropped(what: str, advice: str) -> GraphError:
    return GraphError(f"{what} would silently drop the graph of a tensor that requires gradients; {advice}")


def no_scalar(op: str, shape: Any) -> ShapeError:
    return ShapeError(
        f"{op}: expected a scalar loss, got shape {shape}; reduce it with .sum(), or give seed=, an array of that shape"
    )


def seed_shape(op: str, expected: Any, got: Any) -> ShapeError:
    return ShapeError(f"{op}: expected a seed of the loss's shape {expected}, got shape {got}")


def seed_dtype(op: str, got: Any) -> DtypeError:
    return DtypeError(f"{op}: expected a seed of real numbers, got dtype {got}")

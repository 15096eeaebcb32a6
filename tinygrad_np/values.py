"""What the engine asks of arrays and of the tensors that hold them; the calculus is in engine.py."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

import numpy as np

from tinygrad_np import errors

Array = np.ndarray[Any, np.dtype[Any]]

clock = itertools.count()
"""One clock for "recorded at" and "written at", so that the two can be compared."""


class Storage:
    """The memory behind a leaf: its name, and when it was last written in place. Views and detached twins share it."""

    __slots__ = ("name", "written")

    def __init__(self, name: str | None = None) -> None:
        self.name = name
        self.written = -1


class Value:
    """An array, and the node that made it where a gradient may flow; `Tensor` adds operators and methods to this."""

    __slots__ = ("__weakref__", "_array", "_node", "_storage")

    astype: Any  # Tensor's, which the engine calls to bring a gradient into its argument's dtype

    def __init__(self, array: Array, node: Any = None, storage: Storage | None = None) -> None:
        if type(array) is not np.ndarray:
            raise errors.not_made_so(array)
        self._array = array
        self._node = node  # a primitives.Node
        self._storage = storage


def shape_of(value: Any) -> Any:
    """The shape of an array, a number or a Value; a list of shapes for a sequence of these."""
    if isinstance(value, (list, tuple)):
        return [shape_of(v) for v in value]
    return value._array.shape if isinstance(value, Value) else np.shape(value)


def picker(places: tuple[int, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """A function that takes the items at these places from a sequence as a tuple; for ~i, the shape of the i-th."""
    if len(places) > 1 and min(places) >= 0:
        return itemgetter(*places)
    if not places:
        return lambda _: ()
    if places[0] >= 0 and len(places) == 1:
        return lambda items, place=places[0]: (items[place],)  # type: ignore[misc]
    return lambda items: tuple([items[i] if i >= 0 else shape_of(items[~i]) for i in places])


def shared_storage(out: Any, operands: Iterable[Any]) -> Storage | None:
    """The storage of the leaf among `operands` in whose memory `out` lies, if there is one."""
    for value in operands if isinstance(out, np.ndarray) else ():
        if isinstance(value, Value) and value._storage is not None and np.may_share_memory(out, value._array):
            return value._storage
    return None


def plain(op: str, operand: Any) -> Array:
    """A list, or an array of a subclass, as a plain array."""
    if isinstance(operand, np.ma.MaskedArray):
        raise errors.masked(op)
    try:
        return np.asarray(operand)
    except ValueError as error:
        raise errors.ragged(op, error) from error


def check_real(op: str, operand: Any) -> None:
    """Refuse an array or number beside a Tensor that is not real; what is neither is the forward's to refuse."""
    dtype = getattr(operand, "dtype", None)
    if isinstance(operand, complex) or (dtype is not None and dtype.kind not in "fbiu"):
        raise errors.no_numbers(op, dtype or "complex")


def check_floating(op: str, dtype: np.dtype[Any], value: Any) -> None:
    """Refuse to put a value that requires gradients into an array whose dtype carries none."""
    if dtype.kind != "f" and isinstance(value, Value) and value._node is not None:
        raise errors.integer_target(op, dtype)


def operand(op: str, x: Any) -> Any:
    """An array or Value as it is; a number or a list as an array."""
    if type(x) is int and x.bit_length() > 64:
        x = float(x)
    return x if type(x) is np.ndarray or isinstance(x, Value) else plain(op, x)


def untracked(op: str, value: Any) -> Any:
    """A parameter as NumPy takes it; a Tensor that requires gradients refuses, as it would be a constant here."""
    try:
        return np.asarray(value) if isinstance(value, Value) else value
    except errors.GraphError as error:
        raise errors.within(op, error) from error


def kept(value: Any) -> Any:
    """What the tape keeps of a value: itself, but a copy of a read-only view, as `Tensor.data` gives of a parameter."""
    if type(value) is np.ndarray and value.base is not None and not value.flags.writeable:
        return value.copy() if getattr(value.base, "flags", value.flags).writeable else value
    return value


def frozen(value: Any) -> Any:
    """A static parameter with copies of the lists, dicts and Tensors in it, which their owner may change later."""
    if type(value) in (list, tuple):
        return type(value)(map(frozen, value))
    if isinstance(value, Value):
        return value._array.copy()
    return {key: frozen(v) for key, v in value.items()} if type(value) is dict else value


def guarded(byproduct: Any, operands: Iterable[Any]) -> Any:
    """A by-product; with the storage of the leaf in whose memory it lies, if it does."""
    storage = shared_storage(byproduct, operands)
    return byproduct if storage is None else Value(byproduct, None, storage)


def is_real(value: Array) -> bool:
    """Whether a value is one that a gradient could flow through."""
    return value.dtype.kind == "f"


def all_results(op: str, out: Any, byproducts: tuple[str, ...]) -> tuple[Any, ...]:
    """A forward's result and by-products, refused unless there are as many as were declared."""
    if not isinstance(out, tuple) or len(out) != 1 + len(byproducts):
        raise errors.no_byproducts(op, byproducts, out)
    return out


def as_result(op: str, out: Any) -> Array:
    """What a forward returned as an array, if it is a number or an array of a subclass."""
    if not isinstance(out, (np.generic, np.ndarray, int, float, complex)):
        raise errors.no_array(op, out)
    return np.asarray(out)


def sums_to(large: tuple[int, ...], small: tuple[int, ...]) -> bool:
    """Whether `small` broadcasts to `large`."""
    ahead = len(large) - len(small)
    return ahead >= 0 and all(n in (1, m) for n, m in zip(small, large[ahead:], strict=True))


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: add up the entries of `x` that were one entry in `shape`."""
    ahead = x.ndim - len(shape)
    axes = tuple(i for i, n in enumerate(x.shape) if i < ahead or (shape[i - ahead] == 1 and n != 1))
    return x.sum(axis=axes).reshape(shape)


def start(op: str, array: Array, seed: Any) -> Array:
    """The gradient to start from: one for a scalar, otherwise what the caller gave, in the result's shape and dtype."""
    if seed is None and array.size != 1:
        raise errors.no_scalar(op, array.shape)
    if seed is None:
        one = np.array(1, array.dtype)
        return one.reshape(array.shape) if array.ndim else one
    entries = np.asarray(seed._array if isinstance(seed, Value) else seed)
    if entries.shape != array.shape:
        raise errors.seed_shape(op, array.shape, entries.shape)
    if entries.dtype.kind not in "fiub":
        raise errors.seed_dtype(op, entries.dtype)
    return entries.astype(array.dtype, copy=False)

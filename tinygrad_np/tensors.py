"""The Tensor: an array whose operations are recorded, with NumPy's operators and methods."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_np import engine, errors, ops, protocols
from tinygrad_np.buffers import Pool, alone
from tinygrad_np.primitives import Node, Primitive
from tinygrad_np.values import Array, Storage, Value, clock, start

_accumulating = threading.Lock()  # two threads may call backward() on graphs over one parameter
_OPERANDS = (Value, np.ndarray, np.generic, int, float, complex, list, tuple)


class Leaf(Node):
    """Where a gradient ends: a tensor made with ``requires_grad=True``."""

    __slots__ = ("grad", "storage")

    def __init__(self, array: Array, storage: Storage) -> None:
        super().__init__(None, (), (), array, Pool())
        self.grad: Array | None = None
        self.storage = storage

    def __str__(self) -> str:
        return f"leaf {self.storage.name}" if self.storage.name else "leaf"


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """The method of ``numpy.ndarray`` that takes what this function of NumPy's takes after its array."""
    recorded: Any = protocols.ours(function)

    def method(self: Tensor, *args: Any, **options: Any) -> Any:
        if not options and len(args) < protocols.alike(function, recorded):
            return recorded(self, *args)
        return protocols.call_function(function, (self, *args), options)

    method.__name__ = function.__name__
    method.__doc__ = f"As ``ndarray.{function.__name__}``; see `tinygrad_np.{function.__name__}`."
    return method


def _methods(*functions: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    return map(_method, functions)


class Tensor(Value):
    """An array, and the record of how it was computed. Make one with `tensor` or `from_numpy`, not by this class.

    The operators, methods and attributes that it has are those of ``numpy.ndarray``, save that a Tensor never changes
    in place (only `data` of a leaf can be written) and hashes by identity.

    Plain arrays that a Tensor is computed with are kept as they are, not copied: do not write into them before the
    gradient is taken, or give ``tensor(a)`` instead.

    Attributes
    ----------
    shape, ndim, size, dtype, nbytes, itemsize, T, mT
        As of ``numpy.ndarray``.
    requires_grad : bool
        Whether gradients flow to it.
    is_leaf : bool
        Whether it was made with ``requires_grad=True``, so that gradients end there.
    grad : array or None
        What `backward` has added up for a leaf.
    name : str or None
        What error messages and the tape call it.

    Examples
    --------
    >>> w = tensor([1.0, 2.0], requires_grad=True)
    >>> loss = (w * w).sum()
    >>> loss.backward()
    >>> w.grad
    array([2., 4.])
    """

    __slots__ = ()

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Any:
        return self._array.shape

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def size(self) -> int:
        return self._array.size

    @property
    def nbytes(self) -> int:
        return self._array.nbytes

    @property
    def itemsize(self) -> int:
        return self._array.itemsize

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._array.dtype

    @property
    def requires_grad(self) -> bool:
        return self._node is not None

    @property
    def is_leaf(self) -> bool:
        return isinstance(self._node, Leaf)

    @property
    def name(self) -> str | None:
        return self._storage.name if self._storage is not None else None

    @property
    def grad(self) -> Array | None:
        return self._node.grad if isinstance(self._node, Leaf) else None

    @grad.setter
    def grad(self, value: Array | None) -> None:
        if not isinstance(self._node, Leaf):
            raise errors.GraphError("grad: only a leaf that requires gradients has one; this tensor is none")
        if value is not None and (np.shape(value) != self.shape or np.asarray(value).dtype != self.dtype):
            got = np.asarray(value)
            raise (errors.ShapeError if got.shape != self.shape else errors.DtypeError)(
                f"grad: expected None or an array {self.dtype} {self.shape}, got {got.dtype} {got.shape}"
            )
        self._node.grad = None if value is None else np.array(value)

    # --- its entries ------------------------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """A read-only view of the entries. Assigning to it (``w.data = a``) writes into a leaf's memory in place.

        As a view is read-only, ``w.data -= a`` and ``w.data[0] = a`` are NumPy's errors: write ``w.data = w.data - a``.

        Raises
        ------
        MutationError
            On assignment, if this is the result of an operation.
        ShapeError, DtypeError
            On assignment of another shape, or of a dtype that does not convert without loss.
        """
        view = self._array.view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, value: Any) -> None:
        array = value._array if isinstance(value, Value) else np.asarray(value)
        if array.shape != self.shape:
            raise errors.ShapeError(f"data: expected an array of shape {self.shape}, got {array.shape}")
        if not np.can_cast(array.dtype, self.dtype, "safe"):
            raise errors.DtypeError(
                f"data: expected dtype {self.dtype} or one that converts to it without loss, got {array.dtype}; "
                f"convert it with astype({str(self.dtype)!r})"
            )
        np.copyto(self.writable(), array)

    def writable(self) -> Array:
        """The memory of a leaf itself, for optimizers to write into at once: the call counts as the update.

        Raises
        ------
        MutationError
            If this is the result of an operation, or shares memory that is read-only.
        """
        if self._storage is None or not (self._node is None or isinstance(self._node, Leaf)):
            raise errors.MutationError(
                "data: only a leaf can be written, and this is the result of an operation; compute a new tensor "
                "instead, or write to the leaf that it came from"
            )
        if not self._array.flags.writeable:
            raise errors.MutationError("data: the memory is read-only, as the array was that from_numpy() shares")
        self._storage.written = next(clock)
        return self._array

    def numpy(self) -> Array:
        """A read-only view of the entries as an array, without the graph.

        Examples
        --------
        >>> tensor([1.0, 2.0], requires_grad=True).numpy()
        array([1., 2.])
        """
        return self.data

    def item(self, *index: Any) -> Any:
        """One entry as a Python number: the only one, or the one at `index`."""
        return self._array.item(*index)

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers."""
        return self._array.tolist()

    def detach(self) -> Tensor:
        """The same memory as a constant: no gradient flows through it.

        Examples
        --------
        >>> w = tensor([1.0, 2.0], requires_grad=True)
        >>> w.detach()
        tensor([1., 2.])
        """
        return Tensor(self._array, None, self._storage)

    def backward(self, seed: Any = None, retain_graph: bool = False) -> None:
        """Add the gradient of this result into ``.grad`` of every leaf that it was computed from, and free the graph.

        `grad` is the same without side effects: it returns gradients, and frees nothing.

        Parameters
        ----------
        seed : array, optional
            The gradient to start from, of this tensor's shape; 1 for a scalar.
        retain_graph : bool
            Keep the graph, to walk it again.

        Raises
        ------
        GraphError
            If this needs no gradient, or a part of its graph was freed by an earlier call.
        ShapeError
            If this is no scalar and there is no seed, or the seed has another shape.
        StaleError
            If an array that a rule needs was updated in place since. Whatever is raised, no ``.grad`` has changed.

        Examples
        --------
        >>> w = tensor(3.0, requires_grad=True)
        >>> (w * w).backward()
        >>> float(w.grad)
        6.0
        """
        if self._node is None:
            raise errors.constant_result("backward")
        first, (order, _) = start("backward", self._array, seed), engine.ancestors(self._node)
        found = engine.pull_back(self._node, order, first)
        with _accumulating:
            while found:
                leaf, gradient = found.popitem()
                # What a user took from .grad keeps its values, and what others hold is not given out.
                if leaf.grad is not None:
                    gradient = leaf.grad + gradient
                leaf.grad = gradient if alone(gradient) else np.array(gradient)
        if not retain_graph:
            for node in order:
                node.saved = None

    # --- Python's own questions ---------------------------------------------------------------------------------------

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        text = np.array2string(self._array, separator=", ", prefix="tensor(")
        if self._array.size == 0 and self.shape != (0,):
            text += f", shape={self.shape}"
        if self.dtype not in (np.float64, np.int64, np.bool_):
            text += f", dtype={self.dtype}"
        return f"tensor({text}{', requires_grad=True' if self.requires_grad else ''})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.size != 1:
            raise errors.RangeError(
                f"format: expected one entry for {spec!r}, got a tensor of shape {self.shape}; write "
                "np.array2string(t.numpy(), precision=2) or the like"
            )
        return format(self.item(), spec)

    def __len__(self) -> int:
        return len(self._array)

    def __bool__(self) -> bool:
        return bool(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return float(self._plain("float(t)", "item()"))

    def __complex__(self) -> complex:
        return complex(self._plain("complex(t)", "item()"))

    def __int__(self) -> int:
        return int(self._plain("int(t)", "item()"))

    def __index__(self) -> int:
        return self._plain("an index", "item()").__index__()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self._node is not None:
            raise errors.dropped(
                "an array made of it by NumPy",
                "use tg.stack for a list of tensors, tg.set_at in the place of a[i] = t, or numpy() or detach() to "
                "drop the graph on purpose",
            )
        return np.array(self.data, dtype=dtype, copy=copy)

    def _plain(self, what: str, advice: str) -> Array:
        """The array, where no gradient is lost by handing it out."""
        if self._node is not None:
            raise errors.dropped(what, f"use {advice} to drop it on purpose")
        return self._array

    def __copy__(self) -> Tensor:
        if self._storage is None or not (self._node is None or isinstance(self._node, Leaf)):
            self._plain("a copy", "detach()")
        return tensor(self._array, requires_grad=self.requires_grad, name=self.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.__copy__()

    def __reduce__(self) -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
        twin = self.__copy__()
        return tensor, (twin._array, None, twin.requires_grad, twin.name)

    # --- NumPy's questions -------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        return protocols.call_ufunc(ufunc, method, inputs, keywords)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, keywords: Any) -> Any:
        return protocols.call_function(function, args, keywords)

    # --- operators ---------------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return ops.add.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return ops.add.call(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __sub__(self, other: Any) -> Any:
        return ops.subtract.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        return ops.subtract.call(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __mul__(self, other: Any) -> Any:
        return ops.multiply.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __rmul__(self, other: Any) -> Any:
        return ops.multiply.call(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __truediv__(self, other: Any) -> Any:
        return ops.divide.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __rtruediv__(self, other: Any) -> Any:
        return ops.divide.call(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __pow__(self, other: Any, modulus: None = None) -> Any:
        if modulus is not None:
            return NotImplemented
        return ops.power.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __rpow__(self, other: Any) -> Any:
        return ops.power.call(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __matmul__(self, other: Any) -> Any:
        return ops.matmul.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __rmatmul__(self, other: Any) -> Any:
        return ops.matmul.call(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __floordiv__(self, other: Any) -> Any:
        return ops.floor_divide(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __rfloordiv__(self, other: Any) -> Any:
        return ops.floor_divide(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __mod__(self, other: Any) -> Any:
        return ops.remainder(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __rmod__(self, other: Any) -> Any:
        return ops.remainder(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __divmod__(self, other: Any) -> Any:
        return ops.divmod(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __rdivmod__(self, other: Any) -> Any:
        return ops.divmod(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __and__(self, other: Any) -> Any:
        return _constants(np.bitwise_and, self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __or__(self, other: Any) -> Any:
        return _constants(np.bitwise_or, self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __xor__(self, other: Any) -> Any:
        return _constants(np.bitwise_xor, self, other) if isinstance(other, _OPERANDS) else NotImplemented

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Any:
        return _constants(np.invert, self)

    def __lshift__(self, other: Any) -> Any:
        return _constants(np.left_shift, self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __rlshift__(self, other: Any) -> Any:
        return _constants(np.left_shift, other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __rrshift__(self, other: Any) -> Any:
        return _constants(np.right_shift, other, self) if isinstance(other, _OPERANDS) else NotImplemented

    def __rshift__(self, other: Any) -> Any:
        return _constants(np.right_shift, self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __neg__(self) -> Any:
        return ops.negative.call(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return ops.absolute.call(self)

    def __eq__(self, other: object) -> Any:
        return ops.equal.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return ops.not_equal.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __gt__(self, other: Any) -> Any:
        return ops.greater.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __ge__(self, other: Any) -> Any:
        return ops.greater_equal.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __lt__(self, other: Any) -> Any:
        return ops.less.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __le__(self, other: Any) -> Any:
        return ops.less_equal.call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    def __getitem__(self, index: Any) -> Any:
        return ops.getitem.call(self, _plain_index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        raise errors.MutationError(
            "t[i] = v: a tensor never changes in place, or its gradients would be wrong; make a new one with "
            "tg.set_at(t, i, v) or tg.add_at(t, i, v), or update a leaf between two graphs with t.data = array"
        )

    def _augmented(self, _: Any) -> Any:
        if isinstance(self._node, Leaf):
            raise errors.MutationError(
                f"augmented assignment (-=, += and so on) to {self._node} would bind its name to a result "
                "and lose the parameter; update it with optim.SGD([...], lr).step(), or with w.data = w.data - lr * "
                "w.grad"
            )
        return NotImplemented  # Python then computes t = t + other: a new tensor by the same name

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __imatmul__ = __ifloordiv__ = __imod__ = _augmented

    def __contains__(self, value: Any) -> bool:
        return bool((self._array == (value._array if isinstance(value, Value) else value)).any())

    def __round__(self, decimals: int = 0) -> Any:
        return ops.round(self, decimals)

    # --- methods, as of numpy.ndarray ---------------------------------------------------------------------------------

    @property
    def T(self) -> Any:
        return ops.transpose.call(self, None)

    @property
    def mT(self) -> Any:
        return ops.swapaxes.call(self, -1, -2)

    sum, mean, prod, var, std = _methods(np.sum, np.mean, np.prod, np.var, np.std)
    max, min, argmax, argmin = _methods(np.max, np.min, np.argmax, np.argmin)
    all, any, cumsum, cumprod = _methods(np.all, np.any, np.cumsum, np.cumprod)
    clip, round, copy, nonzero = _methods(np.clip, np.round, np.copy, np.nonzero)
    argsort, argpartition, searchsorted = _methods(np.argsort, np.argpartition, np.searchsorted)
    take, choose, repeat = _methods(np.take, np.choose, np.repeat)
    diagonal, trace, squeeze, ravel = _methods(np.diagonal, np.trace, np.squeeze, np.ravel)

    def compress(self, condition: Any, axis: Any = None) -> Any:
        return ops.compress(condition, self, axis)

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """Take the shape as one tuple or as separate integers."""
        sides = shape[0] if len(shape) == 1 else shape
        return ops.reshape(self, sides, **options) if options else ops.reshape.call(self, sides, "C")

    def flatten(self, order: Any = "C") -> Any:
        """All entries in one axis, as ``ndarray.flatten`` (`tinygrad_np.flatten` keeps the first axis)."""
        return ops.ravel(self, order)

    def transpose(self, *axes: Any) -> Any:
        """Take the axes as one tuple or as separate integers."""
        return ops.transpose.call(self, axes[0] if len(axes) == 1 else axes or None)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        return ops.swapaxes.call(self, axis1, axis2)

    def astype(self, dtype: Any, **options: Any) -> Any:
        return ops.astype(self, dtype, **options)

    # --- what of numpy.ndarray a Tensor does not have -----------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(protocols.no_attribute(name), name=name, obj=self)


Primitive.result = Tensor


def _constants(ufunc: np.ufunc, *operands: Any) -> Any:
    """What a ufunc makes of integers and bools, which carry no gradients."""
    return protocols.call_ufunc(ufunc, "__call__", operands, {})


def _plain_index(index: Any) -> Any:
    """An index with copies of the arrays and lists in it, so that nobody writes into what the tape keeps."""
    if isinstance(index, tuple):
        return tuple(_plain_index(part) for part in index)
    return index.copy() if isinstance(index, (np.ndarray, list)) else ops.indexing.constant(index)


def _checked(array: Array, requires_grad: bool) -> None:
    if array.dtype.kind not in "biuf":
        raise errors.DtypeError(
            f"tensor: expected real numbers or bools, got dtype {array.dtype}; convert the entries to float first, or "
            "take real and imaginary parts"
        )
    if requires_grad and array.dtype.kind != "f":
        raise errors.DtypeError(
            f"tensor: expected a real floating-point dtype with requires_grad=True, got {array.dtype}; write "
            f"tensor(..., dtype=float) or leave requires_grad out"
        )


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """Make a Tensor of a copy of `data`, in native byte order.

    Parameters
    ----------
    data : array, number, nested sequence of numbers, or constant Tensor
    dtype : dtype, optional
        NumPy's choice without it.
    requires_grad : bool
        Make it a leaf, to which gradients flow; floating-point dtypes only.
    name : str, optional
        What error messages and the printed tape call it.

    Raises
    ------
    DtypeError
        For entries that are no real numbers, or integers or bools with ``requires_grad=True``.
    ShapeError
        For a ragged list.
    GraphError
        If `data` is a Tensor that requires gradients: detach it first.

    Examples
    --------
    >>> tensor([[1, 2], [3, 4]], dtype=float, requires_grad=True)
    tensor([[1., 2.],
            [3., 4.]], requires_grad=True)
    """
    if isinstance(data, Tensor):
        data = data._plain("tensor(t)", "tensor(t.detach())")
    if isinstance(data, np.ma.MaskedArray):
        raise errors.masked("tensor")
    try:
        array = np.array(data, dtype=dtype, subok=False)
    except ValueError as error:
        raise errors.ragged("tensor", error) from error
    except TypeError as error:
        raise errors.DtypeError(f"tensor: expected numbers of dtype {dtype}; NumPy says: {error}") from error
    _checked(array, requires_grad)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    storage = Storage(name)
    return Tensor(array, Leaf(array, storage) if requires_grad else None, storage)


def from_numpy(array: Array, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """Make a Tensor that shares the memory of `array`, instead of copying it as `tensor` does.

    What you write into `array` later changes the Tensor without a trace: gradients of graphs recorded before would be
    wrong, and only `tinygrad_np.debug` tells. Write through ``t.data = ...``, or not at all.

    Raises
    ------
    DtypeError
        As `tensor`, and for an array that is not in native byte order.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> t = from_numpy(a)
    >>> a[0] = 5.0
    >>> t
    tensor([5., 0.])
    """
    if not isinstance(array, np.ndarray):
        raise errors.ArgumentError(
            f"from_numpy: expected an array, got {type(array).__name__}; use tensor() for other data"
        )
    if not array.dtype.isnative:
        raise errors.DtypeError(
            f"from_numpy: expected native byte order, got {array.dtype.str!r}; use tensor(), which copies"
        )
    _checked(array, requires_grad)
    array, storage = array.view(np.ndarray), Storage(name)
    return Tensor(array, Leaf(array, storage) if requires_grad else None, storage)


def stop_gradient(x: Any) -> Any:
    """`x` as a constant: a Tensor detached from its graph, anything else as it is.

    Examples
    --------
    >>> w = tensor(3.0, requires_grad=True)
    >>> engine.grad(w * stop_gradient(w), w)
    tensor(3.)
    """
    return x.detach() if isinstance(x, Tensor) else x

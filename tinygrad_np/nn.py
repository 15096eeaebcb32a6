"""Layers: callables that hold parameters, know whether they are training, and can be put in sequence.

`Layer` is a convenience, not a requirement: `Sequential` takes any callable, asks those that have `named_parameters`
for them, and passes `train` and `eval` on to those that have these.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from tinygrad_np import files, ops
from tinygrad_np.errors import ArgumentError, RangeError
from tinygrad_np.modes import no_grad
from tinygrad_np.program import table
from tinygrad_np.tensors import Tensor, tensor
from tinygrad_np.values import Array, shape_of


class Layer:
    """What layers have in common. A subclass sets its parameters and inner layers as attributes and writes `__call__`.

    Attributes
    ----------
    training : bool
        True at first; `train` and `eval` set it here and in all inner layers.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> class Scale(tg.nn.Layer):
    ...     def __init__(self):
    ...         self.factor = tg.tensor(2.0, requires_grad=True)
    ...
    ...     def __call__(self, x):
    ...         return x * self.factor
    >>> Scale()
    Scale(
      (factor): float64 ()
    )
    >>> dict(Scale().named_parameters())
    {'factor': tensor(2., requires_grad=True)}
    """

    training: bool = True

    def __call__(self, *inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: a layer writes __call__(self, x), which returns its output")

    def _inner(self) -> Iterator[tuple[str, Any]]:
        """Parameters and inner layers by the names of their attributes, those in lists, tuples and dicts too."""

        def parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
            if isinstance(value, (list, tuple)):
                value = dict(enumerate(value))
            if isinstance(value, dict):
                for key, inner in value.items():
                    yield from parts(f"{name}.{key}", inner)
            elif not isinstance(value, type):
                yield name, value

        for name, value in vars(self).items():
            yield from parts(name, value)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Each parameter once, with its dotted name."""
        seen: set[int] = set()
        for name, part in self._inner():
            inner = [(name, part)] if isinstance(part, Tensor) else []
            if hasattr(part, "named_parameters"):
                inner = [(f"{name}.{tail}", parameter) for tail, parameter in part.named_parameters()]
            for full_name, parameter in inner:
                if parameter.requires_grad and id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield full_name, parameter

    def parameters(self) -> list[Tensor]:
        """The parameters alone, in order, as an optimizer takes them."""
        return [parameter for _, parameter in self.named_parameters()]

    def train(self, mode: bool = True) -> Self:
        """Behave as when training (dropout drops)."""
        self.training = mode
        for _, part in self._inner():
            if mode and hasattr(part, "train"):
                part.train()
            elif not mode and hasattr(part, "eval"):
                part.eval()
        return self

    def eval(self) -> Self:
        """Behave as when testing (dropout scales)."""
        return self.train(False)

    def state(self) -> dict[str, Array]:
        """Copies of the parameters' entries by name, to be put back by `load_state` or kept in a file.

        Raises
        ------
        ArgumentError
            If two parameters have one name, as keys with dots in them can make.
        """
        state: dict[str, Array] = {}
        for name, parameter in self.named_parameters():
            if name in state:
                raise ArgumentError(
                    f"{type(self).__name__}: expected parameters of different names, got {name!r} twice; rename a key"
                )
            state[name] = parameter.numpy().copy()
        return state

    def load_state(self, state: Mapping[str, Any]) -> Self:
        """Write the entries that `state` returned over the parameters, in place: optimizers go on with them.

        Parameters
        ----------
        state : mapping of str to array
            Of this layer's names, shapes and dtypes, exactly.

        Raises
        ------
        ArgumentError, ShapeError, DtypeError
            For other names, shapes or dtypes, before anything is written.
        MutationError
            If a parameter shares memory that is read-only, before anything is written.
        """
        found = files.matching("load_state", self.state(), state)
        for memory, array in [(w.writable(), found[name]) for name, w in self.named_parameters()]:
            np.copyto(memory, array)
        return self

    def save(self, path: files.AnyPath) -> None:
        """Write the parameters into a file; see `tinygrad_np.save`."""
        files.save(path, self.state())

    def load(self, path: files.AnyPath) -> Self:
        """Read the parameters from a file that `save` wrote; see `tinygrad_np.load` and `load_state`."""
        return self.load_state(files.load(path))

    def summary(self, input_shape: tuple[int, ...], dtype: Any = None) -> str:
        """A table of layers: the shape that each returns in the testing phase, and its parameters with their bytes.

        Parameters
        ----------
        input_shape : tuple of int
            Of an input, with its batch: ``(1, 64)``.
        dtype : dtype, optional
            Of the input; without it, that of the first parameter.

        Raises
        ------
        ShapeError
            If a layer does not take what the one before it returns.
        """
        twin = copy.deepcopy(self).eval()  # the generators that layers hold are not drawn from
        if dtype is None:
            dtype = next((parameter.dtype for parameter in twin.parameters()), np.dtype(float))
        rows: list[Sequence[str]] = [("", "layer", "output", "parameters", "bytes")]
        counted: dict[int, Tensor] = {}

        def add(name: str, label: str, shape: str, parameters: Iterable[Tensor]) -> None:
            new = {id(w): w for w in parameters if id(w) not in counted}  # a shared one counts where it comes first
            counted.update(new)
            sizes = sum(w.size for w in new.values()), sum(w.nbytes for w in new.values())
            rows.append((name, label, shape, *(f"{size:>10,}" for size in sizes)))

        def follow(name: str, layer: Any, x: Any) -> Any:
            if isinstance(layer, Sequential):
                for i, inner in enumerate(layer):
                    x = follow(f"{name}.{i}" if name else str(i), inner, x)
                return x
            out = layer(x)
            parameters = [w for _, w in layer.named_parameters()] if hasattr(layer, "named_parameters") else []
            add(name, _label(layer).split("\n")[0].removesuffix("("), str(shape_of(out)), parameters)
            return out

        with no_grad():
            follow("", twin, np.zeros(input_shape, dtype))
        counted.clear()
        add("", "in all", "", twin.parameters())
        return table(rows)

    def __repr__(self) -> str:
        lines = []
        for name, part in self._inner():
            if isinstance(part, Tensor) and part.requires_grad:
                lines.append(f"({name}): {part.dtype} {part.shape}")
            elif hasattr(part, "named_parameters") or isinstance(self, Sequential):
                lines.append(f"({name}): {_label(part)}")
        inside = "".join("\n  " + line.replace("\n", "\n  ") for line in lines)
        return f"{type(self).__name__}({inside}\n)" if lines else f"{type(self).__name__}()"


def _label(layer: Any) -> str:
    """A layer's repr; a function's name."""
    return getattr(layer, "__name__", None) or repr(layer)


class Sequential(Layer):
    """Layers, one after the other: callable, iterable, indexable.

    Neighbours that one primitive computes in fewer passes over memory are computed by it: Dense with the ReLU after it,
    and Conv2D with the ReLU and the MaxPool2D after it.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> model = Sequential(Dense(64, 32), ReLU(), Dense(32, 10))
    >>> model(tg.tensor([[0.0] * 64])).shape
    (1, 10)
    >>> [name for name, _ in model.named_parameters()]
    ['0.W', '0.b', '2.W', '2.b']
    >>> model
    Sequential(
      (0): Dense(64, 32)
      (1): ReLU()
      (2): Dense(32, 10)
    )
    >>> print(model.summary((1, 64)))
       layer          output   parameters  bytes
    0  Dense(64, 32)  (1, 32)       2,080      16,640
    1  ReLU()         (1, 32)           0           0
    2  Dense(32, 10)  (1, 10)         330       2,640
       in all                       2,410      19,280
    >>> model.save("model.npz")
    >>> again = Sequential(Dense(64, 32), ReLU(), Dense(32, 10)).load("model.npz")
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise ArgumentError(
                    f"Sequential: expected layers, each callable; layer {i} is a {type(layer).__name__}"
                )
        self.layers = list(layers)

    def __call__(self, *inputs: Any) -> Any:
        (x,) = inputs
        kinds = [type(layer) for layer in self.layers]
        i = 0
        while i < len(kinds):
            layer: Any = self.layers[i]
            if kinds[i] is Dense and kinds[i + 1 : i + 2] == [ReLU]:
                x, i = layer.with_relu(x), i + 2
            elif kinds[i] is Conv2D and kinds[i + 1 : i + 3] == [ReLU, MaxPool2D]:
                pool: Any = self.layers[i + 2]
                x, i = layer.with_relu_and_pool(x, pool.size), i + 3
            else:
                x, i = layer(x), i + 1
        return x

    def _inner(self) -> Iterator[tuple[str, Any]]:
        return ((str(i), layer) for i, layer in enumerate(self.layers))

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return iter(self.layers)

    def __getitem__(self, index: int | slice) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]


class Dense(Layer):
    """``x @ W + b``: (..., n_input) to (..., n_output).

    Parameters
    ----------
    n_input, n_output : int
    rng : numpy.random.Generator, optional
        Draws `W`; without it a new one, seeded by the system.
    dtype : dtype
        Of `W` and `b`.

    Attributes
    ----------
    W : Tensor of shape (n_input, n_output)
        Normal with variance ``2 / n_input`` (K. He et al., "Delving deep into rectifiers", 2015).
    b : Tensor of shape (n_output,)
        Zeros.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dense(3, 2, rng=np.random.default_rng(0))
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(
        self, n_input: int, n_output: int, rng: np.random.Generator | None = None, dtype: Any = np.float64
    ) -> None:
        if n_input < 1 or n_output < 1:
            raise RangeError(f"Dense: expected at least one input and one output, got {n_input} and {n_output}")
        rng = rng if rng is not None else np.random.default_rng()
        weights = rng.normal(scale=math.sqrt(2 / n_input), size=(n_input, n_output))
        self.W = tensor(weights, dtype, requires_grad=True, name="W")
        self.b = tensor(np.zeros(n_output), dtype, requires_grad=True, name="b")

    def __call__(self, *inputs: Any) -> Any:
        (x,) = inputs
        if getattr(x, "ndim", 0) == 2:
            return ops.dense.call(x, self.W, self.b)
        return ops.add_bias(ops.matmul(x, self.W), self.b)

    def with_relu(self, x: Any) -> Any:
        """``relu(x @ W + b)``, as one primitive for a matrix `x`."""
        return ops.dense_relu.call(x, self.W, self.b) if getattr(x, "ndim", 0) == 2 else ops.relu(self(x))

    def __repr__(self) -> str:
        return f"Dense({', '.join(map(str, self.W.shape))})"


class ReLU(Layer):
    """``max(0, x)``.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> ReLU()(tg.tensor([1.0, -0.5]))
    tensor([1., 0.])
    """

    def __call__(self, *inputs: Any) -> Any:
        return ops.relu(*inputs)


class Dropout(Layer):
    """Training: each entry becomes 0 with probability `rate`. Testing: all entries are multiplied by ``1 - rate``.

    It is not the "inverted" kind, which scales when training instead.

    Parameters
    ----------
    rate : float
        In [0, 1).
    rng : numpy.random.Generator, optional
        Draws the masks; without it a new one, seeded by the system.

    Raises
    ------
    RangeError
        For a rate outside of [0, 1).

    Examples
    --------
    >>> import numpy as np, tinygrad_np as tg
    >>> layer = Dropout(0.5, rng=np.random.default_rng(0))
    >>> layer(tg.tensor([1.0, 2.0, 3.0]))
    tensor([1., 0., 0.])
    >>> layer.eval()(tg.tensor([1.0, 2.0, 3.0]))
    tensor([0.5, 1. , 1.5])
    """

    def __init__(self, rate: float, rng: np.random.Generator | None = None) -> None:
        if not 0 <= rate < 1:
            raise RangeError(f"Dropout: expected a rate in [0, 1), got {rate}")
        self.rate = float(rate)  # a NumPy float64 would turn float32 into float64
        self.rng = rng if rng is not None else np.random.default_rng()

    def __call__(self, *inputs: Any) -> Any:
        (x,) = inputs
        if not self.training:
            return ops.multiply(x, 1 - self.rate)
        return ops.dropout_mask(x, self.rng.random(np.shape(x)) >= self.rate)

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"


class Conv2D(Layer):
    """Convolution of images: (n, n_input, height, width) to (n, n_output, height, width), padded with zeros.

    Parameters
    ----------
    n_input, n_output : int
        Channels.
    size : int
        The odd side of the square kernels; any side with ``padding="valid"``.
    padding : "same" or "valid"
        See `tinygrad_np.conv2d`.
    rng : numpy.random.Generator, optional
        Draws `W`; without it a new one, seeded by the system.
    dtype : dtype
        Of `W` and `b`.

    Attributes
    ----------
    W : Tensor of shape (n_output, n_input, size, size)
        Normal with variance ``2 / (n_input * size**2)`` (K. He et al., "Delving deep into rectifiers", 2015).
    b : Tensor of shape (n_output,)
        Zeros.

    Examples
    --------
    >>> import numpy as np
    >>> Conv2D(1, 2, 3, rng=np.random.default_rng(0))(np.ones((5, 1, 8, 8))).shape
    (5, 2, 8, 8)
    """

    def __init__(
        self,
        n_input: int,
        n_output: int,
        size: int,
        padding: str = "same",
        rng: np.random.Generator | None = None,
        dtype: Any = np.float64,
    ) -> None:
        if n_input < 1 or n_output < 1 or size < 1:
            raise RangeError(f"Conv2D: expected channels and size of at least 1, got {n_input}, {n_output} and {size}")
        if padding not in ("same", "valid") or (padding == "same" and size % 2 == 0):
            raise RangeError(
                f"Conv2D: expected padding 'valid', or 'same' with an odd size; got {padding!r} with {size}"
            )
        rng = rng if rng is not None else np.random.default_rng()
        weights = rng.normal(scale=math.sqrt(2 / (n_input * size**2)), size=(n_output, n_input, size, size))
        self.W = tensor(weights, dtype, requires_grad=True, name="W")
        self.b = tensor(np.zeros(n_output), dtype, requires_grad=True, name="b")
        self.padding = padding

    def __call__(self, *inputs: Any) -> Any:
        (x,) = inputs
        return ops.add_bias(ops.conv2d(x, self.W, self.padding), self.b, 1)

    def with_relu_and_pool(self, x: Any, size: int) -> Any:
        """``max_pool2d(relu(self(x)), size)``, as one primitive."""
        return ops.conv2d_relu_pool(x, self.W, self.b, self.padding, size)

    def __repr__(self) -> str:
        n_output, n_input, size, _ = self.W.shape
        return f"Conv2D({n_input}, {n_output}, {size}, padding={self.padding!r})"


class MaxPool2D(Layer):
    """The maximum of each window: (n, channels, size*h, size*w) to (n, channels, h, w).

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool2D(2)(np.ones((5, 2, 8, 8))).shape
    (5, 2, 4, 4)
    """

    def __init__(self, size: int = 2) -> None:
        if size < 1:
            raise RangeError(f"MaxPool2D: expected a size of at least 1, got {size}")
        self.size = size

    def __call__(self, *inputs: Any) -> Any:
        (x,) = inputs
        return ops.max_pool2d(x, self.size)

    def __repr__(self) -> str:
        return f"MaxPool2D({self.size})"


class Flatten(Layer):
    """Each object's entries in one row: (n, ...) to (n, m).

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.ones((5, 2, 4, 4))).shape
    (5, 32)
    """

    def __call__(self, *inputs: Any) -> Any:
        return ops.flatten(*inputs)


class Hinge(Layer):
    """The hinge loss of predictions and a truth of -1 and 1; see `tinygrad_np.hinge`.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> Hinge()(tg.tensor([2, -5, 3, 0.5]), tg.tensor([-1, -1, 1, 1])).item()
    0.875
    """

    def __call__(self, *inputs: Any) -> Any:
        return ops.hinge(*inputs)


class MSE(Layer):
    """Half the mean squared error; see `tinygrad_np.mse`.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> MSE()(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 4.0])).item()
    1.0
    """

    def __call__(self, *inputs: Any) -> Any:
        return ops.mse(*inputs)

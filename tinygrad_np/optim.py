"""Optimizers: they read ``.grad`` and write into the parameters, in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_np.errors import ArgumentError, RangeError
from tinygrad_np.tensors import Tensor
from tinygrad_np.values import Array

_BLOCK = 8192
"""Entries. Four blocks of them fit into a processor's second cache together, so that an update reads memory once."""


def _blocks(weights: Array, gradient: Array) -> Iterator[tuple[Array, Array]]:
    """Views of the same entries of both, a block at a time; both whole if that needs copies."""
    if weights.flags.c_contiguous and gradient.flags.c_contiguous:
        weights, gradient = weights.reshape(-1), gradient.reshape(-1)
        for i in range(0, weights.size, _BLOCK):
            yield weights[i : i + _BLOCK], gradient[i : i + _BLOCK]
    else:
        yield weights, gradient


@lru_cache(maxsize=4)
def _rates(lr: float, weight_decay: float, dtype: Any) -> tuple[Array, Array | None, Array | None]:
    """The learning rate, and the weight decay or 1 - weight decay, as arrays, which ufuncs take faster than numbers.

    To multiply by 1 - weight decay is one pass less, but a narrower dtype than float64 has not the digits for it.
    """
    decay = keep = None
    if weight_decay and dtype == np.float64:
        keep = np.array(1 - weight_decay, dtype)
    elif weight_decay:
        decay = np.array(weight_decay, dtype)
    return np.array(lr, dtype), decay, keep


class SGD:
    """Stochastic gradient descent with the course's weight decay: ``w -= lr * w.grad + weight_decay * w``.

    The decay is not multiplied by the learning rate. Parameters without a gradient are left alone.

    Parameters
    ----------
    parameters : iterable of Tensors
        Leaves that require gradients, each once.
    lr : float
        The learning rate, at least 0.
    weight_decay : float
        At least 0.

    Raises
    ------
    ArgumentError
        If there is no parameter, or one is no leaf that requires gradients, or one is there twice.
    RangeError
        For a negative, infinite or NaN `lr` or `weight_decay`.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> w = tg.tensor([1.0, -2.0], requires_grad=True)
    >>> sgd = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> sgd.step()
    >>> w
    tensor([ 0.8, -1.6], requires_grad=True)
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float = 0.01, weight_decay: float = 0.0) -> None:
        if isinstance(parameters, Tensor) or not isinstance(parameters, Iterable) or hasattr(parameters, "parameters"):
            raise ArgumentError(
                f"SGD: expected a list of parameters, got a {type(parameters).__name__}; pass model.parameters() or [w]"
            )
        self.parameters = list(parameters)
        if not self.parameters:
            raise ArgumentError("SGD: expected at least one parameter, got none; has the model layers with parameters?")
        for i, parameter in enumerate(self.parameters):
            if not (isinstance(parameter, Tensor) and parameter.is_leaf):
                raise ArgumentError(
                    f"SGD: expected parameters[{i}] to be a leaf that requires gradients, got {parameter!r:.60}; make "
                    "it with tensor(..., requires_grad=True)"
                )
            if any(parameter is earlier for earlier in self.parameters[:i]):
                raise ArgumentError(f"SGD: expected each parameter once; parameters[{i}] is there twice")
        for name, value in {"lr": lr, "weight_decay": weight_decay}.items():
            if not 0 <= value < np.inf:
                raise RangeError(f"SGD: expected {name} to be a finite number of at least 0, got {value}")
        self.lr = lr
        self.weight_decay = weight_decay

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        updates = []
        for parameter in self.parameters:
            if (gradient := parameter._node.grad) is not None:
                updates.append((parameter.writable(), gradient))  # all are refused, or none
        dtype, multiply, subtract = None, np.multiply, np.subtract
        for weights, gradient in updates:
            if weights.dtype is not dtype:
                dtype = weights.dtype
                lr, decay, keep = _rates(float(self.lr), float(self.weight_decay), dtype)
            for part, slope in ((weights, gradient),) if weights.size <= 2 * _BLOCK else _blocks(weights, gradient):
                change = multiply(slope, lr)
                if decay is not None:
                    change += multiply(part, decay)
                subtract(part if keep is None else multiply(part, keep), change, part)

    def zero_grad(self) -> None:
        """Forget the gradients: set every ``.grad`` to None."""
        for parameter in self.parameters:
            parameter._node.grad = None

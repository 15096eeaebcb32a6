"""Optimizers: they read ``.grad`` and write into the parameters, in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Self

import numpy as np

from tinygrad_np.errors import ArgumentError, RangeError
from tinygrad_np.files import matching
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
    """Stochastic gradient descent, with momentum and weight decay.

    For each parameter w with a gradient g, the decay d = `weight_decay`, m = `momentum` and v, zero at first::

        decay="course"      s = g                the text's update: the decay is not multiplied by lr
        decay="loss"        s = g + d * w        the gradient of loss + d/2 * ||w||**2, as PyTorch does

        momentum            v = m * v + (1 - dampening) * s, where the first v is s itself
                            s = s + m * v if nesterov else v

        decay="course"      w -= lr * s + d * w
        decay="loss"        w -= lr * s

    Parameters without a gradient are left alone, and so is their v.

    Parameters
    ----------
    parameters : iterable of Tensors
        Leaves that require gradients, each once.
    lr : float
        The learning rate, at least 0.
    momentum : float
        At least 0.
    dampening : float
        In [0, 1].
    nesterov : bool
        Look ahead along v; for a momentum above 0 and no dampening.
    weight_decay : float
        At least 0.
    decay : "course" or "loss"
        Whose weight decay.

    Attributes
    ----------
    parameters : list of Tensors
    lr, momentum, dampening, nesterov, weight_decay, decay
        As given; they may be changed between steps.

    Raises
    ------
    ArgumentError
        If there is no parameter, or one is no leaf that requires gradients, or one is there twice.
    RangeError
        For a number or a decay that is none of the above, and for nesterov without momentum or with dampening.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013), in PyTorch's form:
    v is not multiplied by lr.

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

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 0.01,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        decay: str = "course",
    ) -> None:
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
        numbers = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        for name, value in numbers.items():
            if not 0 <= value < np.inf:
                raise RangeError(f"SGD: expected {name} to be a finite number of at least 0, got {value}")
        if dampening > 1:
            raise RangeError(f"SGD: expected dampening in [0, 1], got {dampening}")
        if nesterov and not (momentum > 0 and dampening == 0):
            raise RangeError(
                f"SGD: expected a momentum above 0 and no dampening with nesterov=True, got {momentum} and {dampening}"
            )
        if decay not in ("course", "loss"):
            raise RangeError(f"SGD: expected decay to be 'course' or 'loss', got {decay!r}")
        self.lr, self.momentum, self.dampening, self.nesterov = lr, momentum, dampening, nesterov
        self.weight_decay, self.decay = weight_decay, decay
        self._velocities: list[Array | None] = [None] * len(self.parameters)

    def step(self) -> None:
        """Update every parameter that has a gradient.

        Raises
        ------
        MutationError
            If a parameter shares memory that is read-only, before anything is written.
        """
        updates = []
        for i, parameter in enumerate(self.parameters):
            if (gradient := parameter._node.grad) is not None:
                updates.append((i, parameter.writable(), gradient))  # all are refused, or none
        course = float(self.weight_decay) if self.decay == "course" else 0.0
        in_loss = float(self.weight_decay) if self.decay == "loss" else 0.0
        dtype, multiply, subtract = None, np.multiply, np.subtract
        for i, weights, gradient in updates:
            if weights.dtype is not dtype:
                dtype = weights.dtype
                lr, decay, keep = _rates(float(self.lr), course, dtype)
            if in_loss:
                gradient = gradient + in_loss * weights
            if self.momentum:
                gradient = self._with_momentum(i, gradient)
            for part, slope in ((weights, gradient),) if weights.size <= 2 * _BLOCK else _blocks(weights, gradient):
                change = multiply(slope, lr)
                if decay is not None:
                    change += multiply(part, decay)
                subtract(part if keep is None else multiply(part, keep), change, part)

    def _with_momentum(self, i: int, slope: Array) -> Array:
        momentum, velocity = float(self.momentum), self._velocities[i]
        if velocity is None:
            velocity = self._velocities[i] = np.array(slope)
        else:
            velocity *= momentum
            velocity += (1 - float(self.dampening)) * slope
        return slope + momentum * velocity if self.nesterov else velocity

    def zero_grad(self) -> None:
        """Forget the gradients: set every ``.grad`` to None."""
        for parameter in self.parameters:
            parameter._node.grad = None

    def state(self) -> dict[str, Array]:
        """Copies of the velocities that there are, by their parameter's place: what a file needs to go on from."""
        return {str(i): np.array(v) for i, v in enumerate(self._velocities) if v is not None}

    def load_state(self, state: Mapping[str, Any]) -> Self:
        """Go on from the velocities that `state` returned, of an optimizer of the same parameters.

        Raises
        ------
        ArgumentError, ShapeError, DtypeError
            For other places, shapes or dtypes than the parameters', before anything is changed.
        """
        own = {str(i): w.data for i, w in enumerate(self.parameters)}
        places = state.keys() if isinstance(state, Mapping) else ()
        found = matching("SGD.load_state", {name: own[name] for name in own if name in places}, state)
        self._velocities = [found.get(name) for name in own]
        return self

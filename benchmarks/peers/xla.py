"""JAX, with the whole step compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from benchmarks.problems import Array, Loss, Problem

jax.config.update("jax_enable_x64", True)  # it has no float64 otherwise


class Words:
    """JAX's own functions. A loop is `lax.fori_loop`: unrolled, a chain of a thousand operations compiles for long."""

    relu = staticmethod(jax.nn.relu)
    tanh = staticmethod(jnp.tanh)
    total = staticmethod(jnp.sum)

    @staticmethod
    def dense(x: Any, w: Any, b: Any) -> Any:
        return x @ w + b

    @staticmethod
    def conv(x: Any, kernels: Any, b: Any) -> Any:
        return lax.conv(x, kernels, (1, 1), "SAME") + b[:, None, None]

    @staticmethod
    def pool(x: Any) -> Any:
        # Windows as axes: XLA's own reduce_window has a slow gradient on processors.
        n, channels, height, width = x.shape
        return x.reshape(n, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))

    @staticmethod
    def flatten(x: Any) -> Any:
        return x.reshape(len(x), -1)

    @staticmethod
    def hinge(pred: Any, true: Any) -> Any:
        return jax.nn.relu(1 - pred * true).sum() / len(pred)

    @staticmethod
    def mse(pred: Any, true: Any) -> Any:
        return ((pred - true) ** 2).sum() / (2 * len(pred))

    @staticmethod
    def cross_entropy(scores: Any, labels: Any) -> Any:
        logarithms = jax.nn.log_softmax(scores)
        return -jnp.take_along_axis(logarithms, labels[:, None], axis=1).sum() / len(scores)

    @staticmethod
    def loop(length: int, body: Callable[[Any], Any], first: Any) -> Any:
        return lax.fori_loop(0, length, lambda _, y: body(y), first)


def arrays_of(arrays: Sequence[Array]) -> list[Any]:
    return [jnp.array(array) for array in arrays]


class Training:
    """Loss, gradients and update in one compiled function, which may write the new weights over the old."""

    def __init__(self, problem: Problem, loss: Loss) -> None:
        lr, weight_decay = problem.lr, problem.weight_decay

        def step(parameters: list[Any], batch: list[Any]) -> tuple[Any, list[Any]]:
            value, gradients = jax.value_and_grad(lambda p: loss(Words, p, batch))(parameters)
            return value, [w - (lr * g + weight_decay * w) for w, g in zip(parameters, gradients, strict=True)]

        self.parameters = arrays_of(problem.parameters)
        self.batches = cycle([arrays_of(batch) for batch in problem.batches])
        self.compiled = jax.jit(step, donate_argnums=0)

    def step(self) -> float:
        loss, self.parameters = self.compiled(self.parameters, next(self.batches))
        return float(loss)  # waits for all that the function computes

    def results(self) -> Sequence[Array]:
        return [np.asarray(parameter) for parameter in self.parameters]


class Gradients:
    """A compiled function of value and gradients."""

    def __init__(self, problem: Problem, function: Callable[[list[Any]], tuple[Any, list[Any]]]) -> None:
        self.parameters, self.compiled = arrays_of(problem.parameters), jax.jit(function)
        self.found: list[Any] = []

    def step(self) -> float:
        loss, self.found = self.compiled(self.parameters)
        return float(loss)  # waits for all that the function computes

    def results(self) -> Sequence[Array]:
        return [np.asarray(gradient) for gradient in self.found]


class Jax:
    """JAX under ``jax.jit``, on one thread of the processor."""

    name = "JAX jit"
    note = "It writes the loops of W6 and W7 as lax.fori_loop, which stays a loop; unrolled they compile for long."

    def training(self, problem: Problem, loss: Loss) -> Training:
        return Training(problem, loss)

    def gradients(self, problem: Problem, loss: Loss) -> Gradients:
        (batch,) = problem.batches
        return Gradients(problem, jax.value_and_grad(lambda parameters: loss(Words, parameters, batch)))

    def curvature(self, problem: Problem, loss: Loss) -> Gradients:
        batch, direction = arrays_of(problem.batches[0]), arrays_of(problem.direction)

        def forward_over_reverse(parameters: list[Any]) -> tuple[Any, list[Any]]:
            slopes, product = jax.jvp(jax.grad(lambda p: loss(Words, p, batch)), (parameters,), (direction,))
            return sum((slope * v).sum() for slope, v in zip(slopes, direction, strict=True)), product

        return Gradients(problem, forward_over_reverse)

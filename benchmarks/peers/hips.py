"""autograd, of the Harvard Intelligent Probabilistic Systems group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as plain
from autograd import numpy as np
from autograd import value_and_grad

from benchmarks.problems import Array, Loss, Problem


class Words:
    """NumPy's functions, as autograd wraps them."""

    tanh = staticmethod(np.tanh)
    total = staticmethod(np.sum)
    loop = None

    @staticmethod
    def relu(x: Any) -> Any:
        return np.maximum(x, 0)

    @staticmethod
    def dense(x: Any, w: Any, b: Any) -> Any:
        return np.matmul(x, w) + b

    @staticmethod
    def conv(x: Any, kernels: Any, b: Any) -> Any:
        # Its own convolution, in autograd.scipy.signal, is slower than a product with shifted images.
        (n, channels, height, width), (outputs, _, side, _) = x.shape, kernels.shape
        around = side // 2
        padded = np.pad(x, ((0, 0), (0, 0), (around, around), (around, around)), "constant")
        shifted = [padded[:, :, i : i + height, j : j + width] for i in range(side) for j in range(side)]
        patches = np.stack(shifted, axis=2).reshape(n, channels * side * side, height * width)
        maps = np.matmul(kernels.reshape(outputs, channels * side * side), patches)
        return maps.reshape(n, outputs, height, width) + b[:, None, None]

    @staticmethod
    def pool(x: Any) -> Any:
        n, channels, height, width = x.shape
        return np.max(x.reshape(n, channels, height // 2, 2, width // 2, 2), axis=(3, 5))

    @staticmethod
    def flatten(x: Any) -> Any:
        return x.reshape(len(x), -1)

    @staticmethod
    def hinge(pred: Any, true: Any) -> Any:
        return np.sum(np.maximum(1 - pred * true, 0)) / len(pred)

    @staticmethod
    def mse(pred: Any, true: Any) -> Any:
        return np.sum((pred - true) ** 2) / (2 * len(pred))

    @staticmethod
    def cross_entropy(scores: Any, labels: Any) -> Any:
        shifted = scores - plain.max(scores._value, axis=1, keepdims=True)
        picked = shifted[plain.arange(len(labels)), labels]
        return (np.sum(np.log(np.sum(np.exp(shifted), axis=1))) - np.sum(picked)) / len(labels)


class Training:
    """``value_and_grad``, and an update by hand."""

    def __init__(self, problem: Problem, loss: Loss) -> None:
        self.parameters, self.batches = problem.start(), cycle(problem.batches)
        self.lr, self.weight_decay = problem.lr, problem.weight_decay
        self.function = value_and_grad(lambda parameters, batch: loss(Words, parameters, batch))

    def step(self) -> float:
        loss, gradients = self.function(self.parameters, next(self.batches))
        for weight, gradient in zip(self.parameters, gradients, strict=True):
            weight -= self.lr * gradient + self.weight_decay * weight
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.parameters


class Gradients:
    """``value_and_grad`` of a function of the parameters."""

    def __init__(self, problem: Problem, function: Callable[[list[Any]], Any]) -> None:
        self.parameters, self.function = problem.start(), value_and_grad(function)
        self.found: Sequence[Array] = ()

    def step(self) -> float:
        loss, self.found = self.function(self.parameters)
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.found


class Autograd:
    """autograd as its users write it."""

    name = "autograd"
    note = ""

    def training(self, problem: Problem, loss: Loss) -> Training:
        return Training(problem, loss)

    def gradients(self, problem: Problem, loss: Loss) -> Gradients:
        (batch,) = problem.batches
        return Gradients(problem, lambda parameters: loss(Words, parameters, batch))

    def curvature(self, problem: Problem, loss: Loss) -> Gradients:
        (batch,) = problem.batches
        slopes = value_and_grad(lambda parameters: loss(Words, parameters, batch))

        def along(parameters: list[Any]) -> Any:
            return sum(np.sum(slope * v) for slope, v in zip(slopes(parameters)[1], problem.direction, strict=True))

        return Gradients(problem, along)

"""MyGrad."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import mygrad
from mygrad.nnet import activations, layers, losses

from benchmarks.problems import Array, Loss, Problem

mygrad.turn_memory_guarding_off()  # it is faster without, as its manual says


class Words:
    """MyGrad's own functions."""

    relu = staticmethod(activations.relu)
    tanh = staticmethod(mygrad.tanh)
    total = staticmethod(mygrad.sum)
    cross_entropy = staticmethod(losses.softmax_crossentropy)
    loop = None

    @staticmethod
    def dense(x: Any, w: Any, b: Any) -> Any:
        return mygrad.matmul(x, w) + b

    @staticmethod
    def conv(x: Any, kernels: Any, b: Any) -> Any:
        return layers.conv_nd(x, kernels, stride=1, padding=kernels.shape[-1] // 2) + b.reshape(-1, 1, 1)

    @staticmethod
    def pool(x: Any) -> Any:
        return layers.max_pool(x, (2, 2), 2)

    @staticmethod
    def flatten(x: Any) -> Any:
        return x.reshape(len(x), -1)

    @staticmethod
    def hinge(pred: Any, true: Any) -> Any:
        return activations.relu(1 - pred * true).sum() / len(pred)

    @staticmethod
    def mse(pred: Any, true: Any) -> Any:
        return ((pred - true) ** 2).sum() / (2 * len(pred))


class Training:
    """Loss, ``backward()``, and an update by hand."""

    def __init__(self, problem: Problem, loss: Loss) -> None:
        self.parameters = [mygrad.tensor(array) for array in problem.parameters]
        self.batches, self.loss = cycle(problem.batches), loss
        self.lr, self.weight_decay = problem.lr, problem.weight_decay

    def step(self) -> float:
        loss = self.loss(Words, self.parameters, next(self.batches))
        loss.backward()
        for parameter in self.parameters:
            weight = parameter.data
            weight -= self.lr * parameter.grad + self.weight_decay * weight
            parameter.null_grad()
        return loss.item()

    def results(self) -> Sequence[Array]:
        return [parameter.data for parameter in self.parameters]


class Gradients:
    """Loss and ``backward()``."""

    def __init__(self, problem: Problem, loss: Loss) -> None:
        self.parameters = [mygrad.tensor(array) for array in problem.parameters]
        (self.batch,) = problem.batches
        self.loss = loss
        self.found: Sequence[Array] = ()

    def step(self) -> float:
        loss = self.loss(Words, self.parameters, self.batch)
        loss.backward()
        self.found = [parameter.grad for parameter in self.parameters]
        for parameter in self.parameters:
            parameter.null_grad()
        return loss.item()

    def results(self) -> Sequence[Array]:
        return self.found


class MyGrad:
    """MyGrad as its users write it."""

    name = "MyGrad"
    note = "It takes no part in W10, as it has no second derivatives."

    def training(self, problem: Problem, loss: Loss) -> Training:
        return Training(problem, loss)

    def gradients(self, problem: Problem, loss: Loss) -> Gradients:
        return Gradients(problem, loss)

    def curvature(self, *_: Any) -> None:
        return None

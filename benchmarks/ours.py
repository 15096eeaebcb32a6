"""Our own contenders, as a user of the package writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np

import tinygrad_np as tg
from benchmarks.problems import PRIMITIVES, Array, Loss, Problem
from tinygrad_np import optim


class OurWords:
    """One primitive a word where there is one; where layers fuse several, several."""

    relu = staticmethod(tg.relu)
    tanh = staticmethod(tg.tanh)
    pool = staticmethod(tg.max_pool2d)
    flatten = staticmethod(tg.flatten)
    hinge = staticmethod(tg.hinge)
    mse = staticmethod(tg.mse)
    total = staticmethod(tg.sum)
    loop = None

    @staticmethod
    def dense(x: Any, w: Any, b: Any) -> Any:
        return tg.add_bias(tg.matmul(x, w), b)

    @staticmethod
    def conv(x: Any, kernels: Any, b: Any) -> Any:
        return tg.add_bias(tg.conv2d(x, kernels, "same"), b, 1)

    @staticmethod
    def cross_entropy(scores: Any, labels: Any) -> Any:
        shifted = scores - scores.detach().numpy().max(axis=1, keepdims=True)
        logarithms = tg.log(tg.sum(tg.exp(shifted), axis=1))
        return (tg.sum(logarithms) - tg.sum(shifted[np.arange(len(labels)), labels])) / len(labels)


class OurTraining:
    """Loss, ``backward()``, ``SGD.step()``."""

    def __init__(self, problem: Problem, parameters: Sequence[tg.Tensor], loss: Callable[[Sequence[Array]], Any]):
        self.parameters, self.loss, self.batches = parameters, loss, cycle(problem.batches)
        self.sgd = optim.SGD(parameters, lr=problem.lr, weight_decay=problem.weight_decay)

    def forward(self) -> tg.Tensor:
        """The loss of the next batch, with its tape."""
        return self.loss(next(self.batches))

    def step(self) -> float:
        self.sgd.zero_grad()
        loss = self.forward()
        loss.backward()
        self.sgd.step()
        return loss.item()

    def results(self) -> Sequence[Array]:
        return [parameter.numpy() for parameter in self.parameters]


def layers_training(problem: Problem, model: Any, loss: Callable[[Any, Any], Any]) -> OurTraining:
    """Train `model`, started from the problem's parameters, on the first two arrays of each batch."""
    parameters = model.parameters()
    for parameter, start in zip(parameters, problem.parameters, strict=True):
        parameter.data = start
    return OurTraining(problem, parameters, lambda batch: loss(model(batch[0]), batch[1]))


class OurGradients:
    """``tg.grad`` of the loss."""

    def __init__(self, problem: Problem, loss: Loss) -> None:
        self.parameters, self.loss = leaves(problem), loss
        (self.batch,) = problem.batches
        self.found: Sequence[tg.Tensor] = ()

    def forward(self) -> tg.Tensor:
        """The loss, with its tape."""
        return self.loss(OurWords, self.parameters, self.batch)

    def step(self) -> float:
        loss = self.forward()
        self.found = tg.grad(loss, self.parameters)
        return loss.item()

    def results(self) -> Sequence[Array]:
        return [gradient.numpy() for gradient in self.found]


class OurCurvature(OurGradients):
    """``tg.grad`` of what ``tg.grad`` found, times the direction."""

    def __init__(self, problem: Problem, loss: Loss) -> None:
        super().__init__(problem, loss)
        self.direction = problem.direction

    def step(self) -> float:
        slopes = tg.grad(self.forward(), self.parameters, create_graph=True)
        along = sum(tg.sum(slope * v) for slope, v in zip(slopes, self.direction, strict=True))
        self.found = tg.grad(along, self.parameters)
        return along.item()


def leaves(problem: Problem) -> list[tg.Tensor]:
    return [tg.tensor(start, requires_grad=True) for start in problem.parameters]


class OurPrimitives:
    """The library that all workloads have."""

    name = PRIMITIVES
    note = ""

    def training(self, problem: Problem, loss: Loss) -> OurTraining:
        parameters = leaves(problem)
        return OurTraining(problem, parameters, lambda batch: loss(OurWords, parameters, batch))

    def gradients(self, problem: Problem, loss: Loss) -> OurGradients:
        return OurGradients(problem, loss)

    def curvature(self, problem: Problem, loss: Loss) -> OurCurvature:
        return OurCurvature(problem, loss)

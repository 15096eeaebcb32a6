"""PyTorch, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import torch
from torch.nn import functional

from benchmarks.problems import Array, Loss, Problem

torch.set_num_threads(1)
torch.set_num_interop_threads(1)


class Words:
    """PyTorch's own functions."""

    relu = staticmethod(torch.relu)
    tanh = staticmethod(torch.tanh)
    cross_entropy = staticmethod(functional.cross_entropy)
    total = staticmethod(torch.sum)
    loop = None

    @staticmethod
    def dense(x: Any, w: Any, b: Any) -> Any:
        return torch.addmm(b, x, w) if x.ndim == 2 else torch.baddbmm(b, x, w)

    @staticmethod
    def conv(x: Any, kernels: Any, b: Any) -> Any:
        return functional.conv2d(x, kernels, b, padding=kernels.shape[-1] // 2)

    @staticmethod
    def pool(x: Any) -> Any:
        return functional.max_pool2d(x, 2)

    @staticmethod
    def flatten(x: Any) -> Any:
        return torch.flatten(x, 1)

    @staticmethod
    def hinge(pred: Any, true: Any) -> Any:
        return torch.relu(1 - pred * true).sum() / len(pred)

    @staticmethod
    def mse(pred: Any, true: Any) -> Any:
        return functional.mse_loss(pred, true, reduction="sum") / (2 * len(pred))


def tensors(arrays: Sequence[Array], requires_grad: bool = False) -> list[Any]:
    return [torch.tensor(array).requires_grad_(requires_grad) for array in arrays]


class Training:
    """Loss, gradients, and an update of all parameters at once, which is faster here than ``torch.optim.SGD``."""

    def __init__(self, problem: Problem, loss: Callable[..., Any]) -> None:
        self.parameters, self.loss = tensors(problem.parameters, requires_grad=True), loss
        self.batches = cycle([tensors(batch) for batch in problem.batches])
        self.lr, self.keep = problem.lr, 1 - problem.weight_decay

    def step(self) -> float:
        loss = self.loss(Words, self.parameters, next(self.batches))
        gradients = torch.autograd.grad(loss, self.parameters)
        with torch.no_grad():
            torch._foreach_mul_(self.parameters, self.keep)
            torch._foreach_add_(self.parameters, gradients, alpha=-self.lr)
        return loss.item()

    def results(self) -> Sequence[Array]:
        return [parameter.detach().numpy() for parameter in self.parameters]


class Gradients:
    """``torch.autograd.grad`` of the loss."""

    def __init__(self, problem: Problem, loss: Loss) -> None:
        self.parameters, self.loss = tensors(problem.parameters, requires_grad=True), loss
        (batch,) = problem.batches
        self.batch, self.direction = tensors(batch), tensors(problem.direction)
        self.found: Sequence[Any] = ()

    def step(self) -> float:
        loss = self.loss(Words, self.parameters, self.batch)
        self.found = torch.autograd.grad(loss, self.parameters)
        return loss.item()

    def results(self) -> Sequence[Array]:
        return [gradient.numpy() for gradient in self.found]


class Curvature(Gradients):
    """The gradient of the gradient times the direction."""

    def step(self) -> float:
        loss = self.loss(Words, self.parameters, self.batch)
        slopes = torch.autograd.grad(loss, self.parameters, create_graph=True)
        along = sum((slope * v).sum() for slope, v in zip(slopes, self.direction, strict=True))
        self.found = torch.autograd.grad(along, self.parameters)
        return along.item()


class Eager:
    """Each operation runs as it is called."""

    name = "PyTorch eager"
    note = ""

    def training(self, problem: Problem, loss: Loss) -> Training:
        return Training(problem, loss)

    def gradients(self, problem: Problem, loss: Loss) -> Gradients:
        return Gradients(problem, loss)

    def curvature(self, problem: Problem, loss: Loss) -> Curvature:
        return Curvature(problem, loss)


class Compiled:
    """``torch.compile`` of the loss; it needs a C++ compiler."""

    name = "PyTorch compile"
    note = "It takes no part in W6 and W7, whose loops it would unroll, nor in W10, as it cannot differentiate twice."

    def training(self, problem: Problem, loss: Loss) -> Training:
        return Training(problem, torch.compile(loss, dynamic=False))

    def gradients(self, *_: Any) -> None:
        return None

    def curvature(self, *_: Any) -> None:
        return None

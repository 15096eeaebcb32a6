"""Long chains of tiny operations: W6, y = y * a + b a thousand times, and W7, y = y + x a hundred thousand times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.problems import STUDENT, UNIT, Array, Contender, Loss, Problem, Setting, Workload, workload

# --- W6: y = y * a + b ------------------------------------------------------------------------------------------------


class ExpertChain:
    """Every result goes into a buffer made before."""

    # A ufunc that writes into its own length-1 input takes twice as long as one that writes elsewhere. None does here:
    # the running gradients move between two buffers each.

    def __init__(self, problem: Problem, length: int) -> None:
        first, self.a, self.b = problem.start()
        self.values = [first, *(np.empty_like(first) for _ in range(length))]
        self.product = np.empty_like(first)
        self.running = [np.empty_like(first) for _ in range(6)]
        self.found: list[Array] = []

    def step(self) -> float:
        multiply, add, a, b, product = np.multiply, np.add, self.a, self.b, self.product
        for y, following in pairwise(self.values):
            multiply(y, a, product)
            add(product, b, following)

        g, g_a, g_b, spare, spare_a, spare_b = self.running
        g.fill(1)
        g_a.fill(0)
        g_b.fill(0)
        for y in reversed(self.values[:-1]):
            multiply(g, y, product)
            add(g_a, product, spare_a)
            add(g_b, g, spare_b)
            multiply(g, a, spare)
            g, spare = spare, g
            g_a, spare_a = spare_a, g_a
            g_b, spare_b = spare_b, g_b
        self.found = [g, g_a, g_b]
        return float(self.values[-1].item())

    def results(self) -> Sequence[Array]:
        return self.found


class StudentChain:
    """The formulas as they are, each result a new array."""

    def __init__(self, problem: Problem, length: int) -> None:
        self.first, self.a, self.b = problem.start()
        self.length = length
        self.found: list[Array] = []

    def step(self) -> float:
        y, values = self.first, []
        for _ in range(self.length):
            values.append(y)
            y = y * self.a + self.b

        g, g_a, g_b = np.ones_like(y), np.zeros_like(y), np.zeros_like(y)
        for before in reversed(values):
            g_a = g_a + g * before
            g_b = g_b + g
            g = g * self.a
        self.found = [g, g_a, g_b]
        return float(y.sum())

    def results(self) -> Sequence[Array]:
        return self.found


def chain_loss(say: Any, weights: Sequence[Any], _batch: Sequence[Any], length: int) -> Any:
    y, a, b = weights
    if say.loop is not None:
        y = say.loop(length, lambda y: y * a + b, y)
    else:
        for _ in range(length):
            y = y * a + b
    return say.total(y)


def chain_of(length: int) -> tuple[Problem, Loss]:
    """The start and the loss of a chain; it has two operations per unit of length, and the sum."""
    problem = Problem((np.array([0.5]), np.array([0.999]), np.array([0.002])))
    return problem, partial(chain_loss, length=length)


def chain(setting: Setting) -> Workload:
    """1000 times y = y * a + b on length-1 arrays; the gradients of sum(y) by the first y, a and b."""
    length = 50 if setting.small else 1000
    problem, loss = chain_of(length)
    by_hand: dict[str, Callable[[Problem], Contender]] = {
        UNIT: partial(ExpertChain, length=length),
        STUDENT: partial(StudentChain, length=length),
    }
    return workload(f"W6 chain of {2 * length:,} recorded operations", problem, setting, by_hand, loss, "gradients")


# --- W7: y = y + x ----------------------------------------------------------------------------------------------------


class PlainLoop:
    """A loop forward and a loop backward, as anybody would write them."""

    def __init__(self, problem: Problem, length: int) -> None:
        self.first, self.x = problem.start()
        self.length = length
        self.found: list[Array] = []

    def step(self) -> float:
        y, x = self.first, self.x
        for _ in range(self.length):
            y = y + x

        g, g_x = np.ones_like(y), np.zeros_like(x)
        for _ in range(self.length):
            g_x = g_x + g
        self.found = [g, g_x]
        return float(y.sum())

    def results(self) -> Sequence[Array]:
        return self.found


def long_chain_loss(say: Any, weights: Sequence[Any], _batch: Sequence[Any], length: int) -> Any:
    y, x = weights
    if say.loop is not None:
        y = say.loop(length, lambda y: y + x, y)
    else:
        for _ in range(length):
            y = y + x
    return say.total(y)


def long_chain(setting: Setting) -> Workload:
    """100,000 times y = y + x on length-1 arrays; the gradients of sum(y) by the first y and x."""
    length = 500 if setting.small else 100_000
    problem = Problem((np.array([0.5]), np.array([0.001])))
    loss = partial(long_chain_loss, length=length)
    return workload("W7 long chain", problem, setting, {UNIT: partial(PlainLoop, length=length)}, loss, "gradients")

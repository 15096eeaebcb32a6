"""What is measured. A workload is one step from one start; its contenders each write that step in their own way.

To add a contender, write a class with `step` and `results` and name it in `CHAIN` or `NETWORK`. At the end stands what
is run, `WORKLOADS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, pairwise
from typing import Any, Protocol

import numpy as np

import tinygrad_np as tg
from tinygrad_np import nn, optim

Array = np.ndarray[Any, np.dtype[np.float64]]

UNIT = "expert NumPy"
"""The contender that all others are divided by: preallocated buffers, ``out=``, in place. Every workload has it."""

STUDENT, OURS = "student NumPy", "tinygrad_np"


class Contender(Protocol):
    """One way to write a step."""

    def step(self) -> float:
        """Do what is timed; return the loss."""

    def results(self) -> Sequence[Array]:
        """What the last step left behind, for the contenders to agree on: weights or gradients."""


@dataclass(frozen=True)
class Workload:
    """A step by its name, and how each contender starts on it; called again, it starts from the same parameters."""

    name: str
    contenders: Mapping[str, Callable[[], Contender]]
    operations: int | None = None
    """How many operations a tape records in one step, where the cost of one is the question."""


# --- chain: y = y * a + b, a thousand times ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Chain:
    """The numbers of a chain, and whether the gradients by the first y, a and b are wanted or the value alone."""

    gradients: bool
    length: int = 1000

    def start(self) -> tuple[Array, Array, Array]:
        return np.array([0.5]), np.array([0.999]), np.array([0.002])


class ExpertChain:
    """Every result goes into a buffer made before."""

    # A ufunc that writes into its own length-1 input takes twice as long as one that writes elsewhere. None does here:
    # the running gradients move between two buffers each.

    def __init__(self, chain: Chain) -> None:
        self.first, self.a, self.b = chain.start()
        self.gradients = chain.gradients
        later = [np.empty(1) for _ in range(chain.length)]
        if not chain.gradients:  # then no y is needed again, and one buffer serves them all
            later = later[:1] * chain.length
        self.values = [self.first, *later]
        self.product = np.empty(1)
        self.running = [np.empty(1) for _ in range(6)]
        self.found: list[Array] = []

    def step(self) -> float:
        multiply, add, a, b, product = np.multiply, np.add, self.a, self.b, self.product
        for y, following in pairwise(self.values):
            multiply(y, a, out=product)
            add(product, b, out=following)
        if self.gradients:
            g, g_a, g_b, spare, spare_a, spare_b = self.running
            g.fill(1.0)
            g_a.fill(0.0)
            g_b.fill(0.0)
            for y in reversed(self.values[:-1]):
                multiply(g, y, out=product)
                add(g_a, product, out=spare_a)
                add(g_b, g, out=spare_b)
                multiply(g, a, out=spare)
                g, spare = spare, g
                g_a, spare_a = spare_a, g_a
                g_b, spare_b = spare_b, g_b
            self.found = [g, g_a, g_b]
        return self.values[-1].item()

    def results(self) -> Sequence[Array]:
        return self.found


class StudentChain:
    """The formulas as they are, each result a new array."""

    def __init__(self, chain: Chain) -> None:
        self.first, self.a, self.b = chain.start()
        self.gradients, self.length = chain.gradients, chain.length
        self.found: list[Array] = []

    def step(self) -> float:
        y = self.first
        values = []
        for _ in range(self.length):
            values.append(y)
            y = y * self.a + self.b
        if self.gradients:
            g, g_a, g_b = np.ones(1), np.zeros(1), np.zeros(1)
            for before in reversed(values):
                g_a = g_a + g * before
                g_b = g_b + g
                g = g * self.a
            self.found = [g, g_a, g_b]
        return float(y.sum())

    def results(self) -> Sequence[Array]:
        return self.found


class OurChain:
    """The formula of the value alone; even where no gradient is asked for, the tape is written."""

    def __init__(self, chain: Chain) -> None:
        self.first, self.a, self.b = (tg.tensor(number, requires_grad=True) for number in chain.start())
        self.gradients, self.length = chain.gradients, chain.length
        self.found: tuple[tg.Tensor, ...] = ()

    def step(self) -> float:
        y = self.first
        for _ in range(self.length):
            y = y * self.a + self.b
        loss = y.sum()
        if self.gradients:
            self.found = tg.grad(loss, [self.first, self.a, self.b])
        return float(loss.item())

    def results(self) -> Sequence[Array]:
        return [gradient.numpy() for gradient in self.found]


# --- network: two dense layers with relu between them, hinge loss, SGD ------------------------------------------------


@dataclass(frozen=True)
class Network:
    """What a training starts from: W and b of both layers, and the batches, taken in turn, of inputs and ±1 truth."""

    weights: tuple[Array, Array, Array, Array]
    batches: Sequence[tuple[Array, Array]]
    lr: float = 0.01
    weight_decay: float = 1e-5

    def start(self) -> list[Array]:
        return [weight.copy() for weight in self.weights]


class ExpertNetwork:
    """Every result goes into a buffer made before."""

    # Nothing is allocated in a step. Constants are 0-d arrays, which a ufunc need not convert; `ones.dot` sums faster
    # than `sum`; a mask of floats from `sign` multiplies faster than one of bools from `>`; and the update writes
    # elsewhere than it reads, for b may have length 1 (see ExpertChain).

    def __init__(self, network: Network) -> None:
        self.weights = network.start()
        self.gradients, self.steps, self.shrunk = ([np.empty_like(w) for w in self.weights] for _ in range(3))
        self.batches = cycle([(x, x.T, true, -true / len(true)) for x, true in network.batches])
        self.one, self.zero = np.array(1.0), np.array(0.0)
        self.lr, self.keep = np.array(network.lr), np.array(1 - network.weight_decay)
        rows, (hidden, outputs) = len(network.batches[0][0]), self.weights[2].shape
        self.z, self.h, self.active, self.g_h = (np.empty((rows, hidden)) for _ in range(4))
        self.margin, self.g_pred = (np.empty((rows, outputs)) for _ in range(2))
        self.ones, self.all_ones, self.all_margins = np.ones(rows), np.ones(rows * outputs), self.margin.reshape(-1)

    def step(self) -> float:
        w1, b1, w2, b2 = self.weights
        g_w1, g_b1, g_w2, g_b2 = self.gradients
        z, h, margin, active = self.z, self.h, self.margin, self.active
        g_h, g_pred, ones = self.g_h, self.g_pred, self.ones
        x, x_transposed, true, slope = next(self.batches)

        x.dot(w1, z)
        np.add(z, b1, out=z)
        np.maximum(z, self.zero, out=h)
        h.dot(w2, margin)
        np.add(margin, b2, out=margin)
        np.multiply(margin, true, out=margin)
        np.subtract(self.one, margin, out=margin)
        np.maximum(margin, self.zero, out=margin)
        loss = self.all_margins.dot(self.all_ones) / len(x)

        np.sign(margin, out=g_pred)
        np.multiply(g_pred, slope, out=g_pred)
        h.T.dot(g_pred, g_w2)
        ones.dot(g_pred, g_b2)
        g_pred.dot(w2.T, g_h)
        np.sign(h, out=active)
        np.multiply(g_h, active, out=g_h)
        x_transposed.dot(g_h, g_w1)
        ones.dot(g_h, g_b1)

        for weight, gradient, step, shrunk in zip(self.weights, self.gradients, self.steps, self.shrunk, strict=True):
            np.multiply(gradient, self.lr, out=step)
            np.multiply(weight, self.keep, out=shrunk)
            np.subtract(shrunk, step, out=weight)
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.weights


class StudentNetwork:
    """The formulas as they are, each result a new array."""

    def __init__(self, network: Network) -> None:
        self.weights = network.start()
        self.batches = cycle(network.batches)
        self.lr, self.weight_decay = network.lr, network.weight_decay

    def step(self) -> float:
        w1, b1, w2, b2 = self.weights
        x, true = next(self.batches)

        z = x @ w1 + b1
        h = np.maximum(z, 0)
        pred = h @ w2 + b2
        margin = 1 - pred * true
        loss = np.maximum(margin, 0).sum() / len(x)

        g_pred = np.where(margin > 0, -true, 0) / len(x)
        g_w2 = h.T @ g_pred
        g_b2 = g_pred.sum(axis=0)
        g_z = (g_pred @ w2.T) * (z > 0)
        g_w1 = x.T @ g_z
        g_b1 = g_z.sum(axis=0)

        for weight, gradient in zip(self.weights, [g_w1, g_b1, g_w2, g_b2], strict=True):
            weight -= self.lr * gradient + self.weight_decay * weight
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.weights


class OurNetwork:
    """As a user of the package writes it."""

    def __init__(self, network: Network) -> None:
        (inputs, hidden), outputs = network.weights[0].shape, network.weights[2].shape[1]
        self.model = nn.Sequential(nn.Dense(inputs, hidden), nn.ReLU(), nn.Dense(hidden, outputs))
        for parameter, weight in zip(self.model.parameters(), network.weights, strict=True):
            parameter.data = weight
        self.sgd = optim.SGD(self.model.parameters(), lr=network.lr, weight_decay=network.weight_decay)
        self.batches = cycle(network.batches)

    def step(self) -> float:
        x, true = next(self.batches)
        self.sgd.zero_grad()
        loss = tg.hinge(self.model(x), true)
        loss.backward()
        self.sgd.step()
        return float(loss.item())

    def results(self) -> Sequence[Array]:
        return [parameter.numpy() for parameter in self.model.parameters()]


def he_weights(rng: np.random.Generator, inputs: int, hidden: int, outputs: int) -> tuple[Array, Array, Array, Array]:
    w1 = rng.normal(scale=np.sqrt(2 / inputs), size=(inputs, hidden))
    w2 = rng.normal(scale=np.sqrt(2 / hidden), size=(hidden, outputs))
    return w1, np.full(hidden, 0.01), w2, np.full(outputs, 0.01)


def circles() -> Network:
    """Two noisy circles, one in the other, 100 points each: 200x2 inputs, dense 2-16, relu, dense 16-1."""
    rng = np.random.default_rng(0)
    angles, true = rng.uniform(0, 2 * np.pi, size=200), np.repeat([-1.0, 1.0], 100)
    radii = np.where(true < 0, 1.0, 0.5) + rng.normal(scale=0.05, size=200)
    inputs = np.column_stack([radii * np.cos(angles), radii * np.sin(angles)])
    return Network(he_weights(rng, 2, 16, 1), [(inputs, true[:, None])])


def digits() -> Network:
    """Random dots in the shape of the 8x8 digits, 39 batches of 32: dense 64-64, relu, dense 64-10, ten ±1 outputs."""
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 17, size=(39, 32, 64)) / 16
    truth = np.where(rng.integers(10, size=(39, 32, 1)) == np.arange(10), 1.0, -1.0)
    return Network(he_weights(rng, 64, 64, 10), list(zip(inputs, truth, strict=True)))


CHAIN: dict[str, Callable[[Chain], Contender]] = {UNIT: ExpertChain, STUDENT: StudentChain, OURS: OurChain}
NETWORK: dict[str, Callable[[Network], Contender]] = {UNIT: ExpertNetwork, STUDENT: StudentNetwork, OURS: OurNetwork}


def chain_workload(name: str, chain: Chain) -> Workload:
    starts = {contender: partial(make, chain) for contender, make in CHAIN.items()}
    return Workload(name, starts, operations=2 * chain.length + 1)


def network_workload(name: str, network: Network) -> Workload:
    return Workload(name, {contender: partial(make, network) for contender, make in NETWORK.items()})


WORKLOADS = (
    chain_workload("chain, forward", Chain(gradients=False)),
    chain_workload("chain, gradients", Chain(gradients=True)),
    network_workload("circles", circles()),
    network_workload("digits, batch of 32", digits()),
)

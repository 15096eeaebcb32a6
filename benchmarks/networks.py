"""Dense networks with relu between the layers: W1 to W4, and W8 with dropout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle, pairwise
from typing import Any

import numpy as np

import tinygrad_np as tg
from benchmarks.ours import OurTraining, layers_training
from benchmarks.problems import STUDENT, UNIT, Array, Problem, Setting, Workload, workload
from tinygrad_np import nn

SMALL, BLOCK = 2048, 8192
"""Entries: up to SMALL a ufunc's time is mostly its call; four BLOCKs fit into a processor's second cache together."""


class ExpertUpdate:
    """``w -= lr * gradient + weight_decay * w``, a cache-sized block after the other."""

    # The update writes elsewhere than it reads before it writes back: a ufunc in place on length 1 takes twice as long.

    def __init__(self, problem: Problem, weights: Sequence[Array], gradients: Sequence[Array]) -> None:
        dtype = weights[0].dtype
        self.lr, self.keep = np.array(problem.lr, dtype), np.array(1 - problem.weight_decay, dtype)
        step, shrunk = np.empty((2, BLOCK), dtype)
        self.blocks = []
        for weight, gradient in zip(weights, gradients, strict=True):
            flat, flat_gradient = weight.reshape(-1), gradient.reshape(-1)
            for i in range(0, flat.size, BLOCK):
                block = flat[i : i + BLOCK]
                spares = step[: block.size], shrunk[: block.size]
                self.blocks.append((block, flat_gradient[i : i + BLOCK], *spares))

    def __call__(self) -> None:
        multiply, subtract, lr, keep = np.multiply, np.subtract, self.lr, self.keep
        for weight, gradient, step, shrunk in self.blocks:
            multiply(gradient, lr, step)
            multiply(weight, keep, shrunk)
            subtract(shrunk, step, weight)


class ExpertBias:
    """Adds b to the rows of z. Long rows add faster than short ones, so several rows of a large z count as one."""

    def __init__(self, z: Array, b: Array) -> None:
        rows, width = z.shape
        self.b, self.tile, self.long_rows, self.long_b = b, None, z, b
        if z.size > SMALL:
            together = next((n for n in range(1, rows) if rows % n == 0 and n * width >= 128), rows)
            self.tile, self.long_rows = np.empty((together, width), z.dtype), z.reshape(rows // together, -1)
            self.long_b = self.tile.reshape(-1)

    def __call__(self) -> None:
        if self.tile is not None:
            self.tile[...] = self.b
        np.add(self.long_rows, self.long_b, self.long_rows)


def positive(h: Array, zero: Array, out: Array) -> None:
    """1 where an output of relu is not 0: a mask of floats multiplies faster than one of bools."""
    if h.size <= SMALL:
        np.sign(h, out)
    else:
        np.greater(h, zero, out)


class ExpertNetwork:
    """Every result goes into a buffer made before."""

    # Nothing is allocated in a step. Constants are arrays, of full size where that is faster; `a.dot(b, out)` has the
    # least overhead of all products, `ones.dot` of all sums, and ufuncs take `out` fastest by position (`np.maximum`
    # has it by name only). Dropout needs no rule: an entry dropped is 0, as one that relu stopped, and relu's mask
    # drops its gradient too.

    def __init__(self, problem: Problem, loss: str = "hinge") -> None:
        self.weights = problem.start()
        dtype = self.weights[0].dtype
        self.gradients = [np.empty_like(weight) for weight in self.weights]
        self.update = ExpertUpdate(problem, self.weights, self.gradients)
        rows, last = len(problem.batches[0][0]), self.weights[-1].size
        outputs = [np.empty((rows, b.size), dtype) for b in self.weights[1::2]]
        *self.hidden, self.pred = [
            (w, z, ExpertBias(z, b), np.zeros_like(z))
            for w, b, z in zip(self.weights[::2], self.weights[1::2], outputs, strict=True)
        ]
        slopes = [np.empty_like(z) for z in outputs]  # the gradients by the layers' outputs
        self.backward = [
            (w.T, z, slope, np.empty_like(z), g_w, g_b)
            for w, z, slope, g_w, g_b in zip(
                [*self.weights[2::2], self.weights[0]],  # the last is not used
                outputs,
                slopes,
                self.gradients[::2],
                self.gradients[1::2],
                strict=True,
            )
        ]
        self.hinge, self.inverse = loss == "hinge", np.array(1 / rows, dtype)
        self.zero, self.one, self.ones = np.array(0, dtype), np.array(1, dtype), np.ones(rows, dtype)
        self.flat, self.flat_ones = self.pred[1].reshape(-1), np.ones(rows * last, dtype)
        self.batches = cycle([(x, x.T, true, -true / len(true), mask) for x, true, *mask in problem.batches])

    def step(self) -> float:
        ones, zero = self.ones, self.zero
        x, x_transposed, true, slope, masks = next(self.batches)

        h = x
        for w, z, add_bias, zeros in self.hidden:
            h.dot(w, z)
            add_bias()
            np.maximum(z, zeros, out=z)
            h = z
        for mask in masks:
            np.multiply(h, mask, h)
        w, pred, add_bias, zeros = self.pred
        h.dot(w, pred)
        add_bias()

        _, _, g, _, g_w, g_b = self.backward[-1]
        if self.hinge:
            np.multiply(pred, true, pred)
            np.subtract(self.one, pred, pred)
            np.maximum(pred, zeros, out=pred)
            loss = self.flat.dot(self.flat_ones) / len(x)
            positive(pred, zero, g)
            np.multiply(g, slope, g)
        else:
            np.subtract(pred, true, pred)
            loss = self.flat.dot(self.flat) / (2 * len(x))
            np.multiply(pred, self.inverse, g)

        for w_above_transposed, h, g_h, active, g_w_below, g_b_below in self.backward[-2::-1]:
            h.T.dot(g, g_w)
            ones.dot(g, g_b)
            g.dot(w_above_transposed, g_h)
            positive(h, zero, active)
            np.multiply(g_h, active, g_h)
            g, g_w, g_b = g_h, g_w_below, g_b_below
        x_transposed.dot(g, g_w)
        ones.dot(g, g_b)

        self.update()
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.weights


class StudentNetwork:
    """The formulas as they are, each result a new array."""

    def __init__(self, problem: Problem, loss: str = "hinge") -> None:
        self.weights, self.batches, self.hinge = problem.start(), cycle(problem.batches), loss == "hinge"
        self.lr, self.weight_decay = problem.lr, problem.weight_decay

    def step(self) -> float:
        x, true, *masks = next(self.batches)
        n, last = len(x), len(self.weights) // 2 - 1

        inputs, before = [x], []
        for i in range(last):
            before.append(inputs[i] @ self.weights[2 * i] + self.weights[2 * i + 1])
            h = np.maximum(before[i], 0)
            for mask in masks:
                h = h * mask
            inputs.append(h)
        pred = inputs[last] @ self.weights[-2] + self.weights[-1]

        if self.hinge:
            margin = 1 - pred * true
            loss = np.maximum(margin, 0).sum() / n
            g = np.where(margin > 0, -true, 0) / n
        else:
            loss = ((pred - true) ** 2).sum() / (2 * n)
            g = (pred - true) / n

        gradients: list[Array] = []
        for i in range(last, -1, -1):
            gradients = [inputs[i].T @ g, g.sum(axis=0), *gradients]
            if i > 0:
                g = g @ self.weights[2 * i].T
                for mask in masks:
                    g = g * mask
                g = g * (before[i - 1] > 0)

        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight -= self.lr * gradient + self.weight_decay * weight
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.weights


class Masks(nn.Layer):
    """Dropout with masks that were drawn before: any callable can stand in a Sequential."""

    def __init__(self, masks: Sequence[Array]) -> None:
        self.masks: Iterator[Array] = cycle(masks)

    def __call__(self, *inputs: Any) -> Any:
        (x,) = inputs
        return tg.dropout_mask(x, next(self.masks))


def our_layers(problem: Problem, loss: str = "hinge") -> OurTraining:
    dtype = problem.parameters[0].dtype
    layers: list[Any] = []
    for w in problem.parameters[::2]:
        layers += [nn.Dense(*w.shape, dtype=dtype), nn.ReLU()]
    layers.pop()
    if len(problem.batches[0]) == 3:
        layers.insert(-1, Masks([mask for _, _, mask in problem.batches]))
    return layers_training(problem, nn.Sequential(*layers), getattr(tg, loss))


def network_loss(say: Any, weights: Sequence[Any], batch: Sequence[Any], loss: str = "hinge") -> Any:
    """What libraries compute."""
    h, true, *masks = batch
    last = len(weights) - 2
    for i in range(0, last, 2):
        h = say.relu(say.dense(h, weights[i], weights[i + 1]))
        for mask in masks:
            h = h * mask
    return getattr(say, loss)(say.dense(h, weights[last], weights[last + 1]), true)


def he_weights(rng: np.random.Generator, *widths: int) -> tuple[Array, ...]:
    """W and b of each layer: He-normal, and 0.01."""
    weights: list[Array] = []
    for inputs, outputs in pairwise(widths):
        weights += [rng.normal(scale=np.sqrt(2 / inputs), size=(inputs, outputs)), np.full(outputs, 0.01)]
    return tuple(weights)


def two_circles(rng: np.random.Generator) -> tuple[Array, Array]:
    """Two noisy circles, one in the other, 100 points each, and which of them each point is on: -1 or 1."""
    angles, true = rng.uniform(0, 2 * np.pi, size=200), np.repeat([-1.0, 1.0], 100)
    radii = np.where(true < 0, 1.0, 0.5) + rng.normal(scale=0.05, size=200)
    return np.column_stack([radii * np.cos(angles), radii * np.sin(angles)]), true[:, None]


def digits(batches: int, rows: int) -> Problem:
    """Random dots in the shape of the 8x8 digits; ten outputs, the right one 1 and the others -1."""
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 17, size=(batches, rows, 64)) / 16
    truth = np.where(rng.integers(10, size=(batches, rows, 1)) == np.arange(10), 1.0, -1.0)
    return Problem(he_weights(rng, 64, 64, 10), list(zip(inputs, truth, strict=True)))


def network(name: str, problem: Problem, setting: Setting, loss: str = "hinge") -> Workload:
    by_hand = {UNIT: partial(ExpertNetwork, loss=loss), STUDENT: partial(StudentNetwork, loss=loss)}
    layers = partial(our_layers, loss=loss)
    return workload(name, problem, setting, by_hand, partial(network_loss, loss=loss), layers=layers)


def circles(setting: Setting) -> Workload:
    """200x2 inputs, dense 2-16, relu, dense 16-1, hinge."""
    rng = np.random.default_rng(0)
    data = two_circles(rng)
    return network("W1 circles", Problem(he_weights(rng, 2, 16, 1), [data]), setting)


def full_batch(setting: Setting) -> Workload:
    """1257x64 inputs, dense 64-64, relu, dense 64-10, hinge."""
    return network("W2 digits, full batch", digits(1, 1257), setting)


def small_batch(setting: Setting) -> Workload:
    """The same in 39 batches of 32."""
    return network("W3 digits, batch of 32", digits(39, 32), setting)


def wide(setting: Setting) -> Workload:
    """128x784 inputs, dense 784-512-512-10 with relu, mse."""
    rng = np.random.default_rng(0)
    inputs, hidden = (50, 40) if setting.small else (784, 512)
    data = rng.uniform(-0.5, 0.5, size=(128, inputs)), np.eye(10)[rng.integers(10, size=128)]
    problem = Problem(he_weights(rng, inputs, hidden, hidden, 10), [data])
    return network("W4 wide, batch of 128", problem, setting, loss="mse")


def dropout(setting: Setting) -> Workload:
    """W2 with dropout after relu: eight masks drawn before, one a step in turn."""
    plain = digits(1, 1257)
    rng = np.random.default_rng(1)
    masks = (rng.random((8, 1257, 64)) < 0.5).astype(float)
    batches = [(*plain.batches[0], mask) for mask in masks]
    return network("W8 digits with dropout", Problem(plain.parameters, batches), setting)

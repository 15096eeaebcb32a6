"""Single formulas: W9a softmax cross-entropy, W9b batched products with tanh, W10 a Hessian times a vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import tinygrad_np as tg
from benchmarks.networks import ExpertUpdate, he_weights, two_circles
from benchmarks.ours import OurTraining, layers_training
from benchmarks.problems import STUDENT, UNIT, Array, Problem, Setting, Workload, workload
from tinygrad_np import nn

# --- W9a: dense, softmax, cross-entropy with class numbers ------------------------------------------------------------


class ExpertClassifier:
    """Every result goes into a buffer made before; scores stand in columns, as sums over short rows are slow."""

    def __init__(self, problem: Problem) -> None:
        self.weights = problem.start()
        self.gradients = [np.empty_like(weight) for weight in self.weights]
        self.update = ExpertUpdate(problem, self.weights, self.gradients)
        ((self.x, labels),) = problem.batches
        (n, _), classes, dtype = self.x.shape, self.weights[1].size, self.x.dtype
        self.true = np.ascontiguousarray(np.eye(classes, dtype=dtype)[labels].T)
        self.share = self.true / n
        self.scores, self.odds = np.empty((2, classes, n), dtype)
        self.highest, self.sums, self.scale = np.empty((3, n), dtype)
        self.ones, self.ones_of_classes = np.ones(n, dtype), np.ones(classes, dtype)
        self.inverse = np.array(1 / n, dtype)
        self.b = self.weights[1][:, None]

    def step(self) -> float:
        (w, _), (g_w, g_b) = self.weights, self.gradients
        scores, odds, sums = self.scores, self.odds, self.sums

        w.T.dot(self.x.T, scores)
        np.add(scores, self.b, scores)
        np.maximum.reduce(scores, axis=0, out=self.highest)
        np.subtract(scores, self.highest, scores)
        right = scores.reshape(-1).dot(self.true.reshape(-1))
        np.exp(scores, odds)
        self.ones_of_classes.dot(odds, sums)
        np.divide(self.inverse, sums, self.scale)
        np.log(sums, sums)
        loss = (sums.dot(self.ones) - right) / len(sums)

        np.multiply(odds, self.scale, odds)
        np.subtract(odds, self.share, odds)
        self.x.T.dot(odds.T, g_w)
        odds.dot(self.ones, g_b)

        self.update()
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.weights


class StudentClassifier:
    """The formulas as they are, each result a new array."""

    def __init__(self, problem: Problem) -> None:
        self.weights, self.lr, self.weight_decay = problem.start(), problem.lr, problem.weight_decay
        ((self.x, self.labels),) = problem.batches

    def step(self) -> float:
        w, b = self.weights
        n = len(self.x)

        scores = self.x @ w + b
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        loss = -np.log(probabilities[np.arange(n), self.labels]).sum() / n

        g = probabilities.copy()
        g[np.arange(n), self.labels] -= 1
        g = g / n
        for weight, gradient in zip(self.weights, [self.x.T @ g, g.sum(axis=0)], strict=True):
            weight -= self.lr * gradient + self.weight_decay * weight
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.weights


def classifier_layers(problem: Problem) -> OurTraining:
    w, _ = problem.parameters
    return layers_training(problem, nn.Sequential(nn.Dense(*w.shape, dtype=w.dtype)), tg.cross_entropy)


def classifier_loss(say: Any, weights: Sequence[Any], batch: Sequence[Any]) -> Any:
    (w, b), (x, labels) = weights, batch
    return say.cross_entropy(say.dense(x, w, b), labels)


def classifier(setting: Setting) -> Workload:
    """1257x64 inputs, dense 64-10, softmax cross-entropy with class numbers."""
    rng = np.random.default_rng(0)
    data = rng.integers(0, 17, size=(1257, 64)) / 16, rng.integers(10, size=1257)
    problem = Problem(he_weights(rng, 64, 10), [data])
    by_hand = {UNIT: ExpertClassifier, STUDENT: StudentClassifier}
    return workload("W9a cross-entropy", problem, setting, by_hand, classifier_loss, layers=classifier_layers)


# --- W9b: h = tanh(h @ W + b), four times, on eight matrices ----------------------------------------------------------

REPEATS = 4


class ExpertRepeats:
    """Every result goes into a buffer made before."""

    # All h stand below each other, and so do their gradients: one product of the stacks is the sum of the four.

    def __init__(self, problem: Problem) -> None:
        self.weights = problem.start()
        self.gradients = [np.empty_like(weight) for weight in self.weights]
        self.update = ExpertUpdate(problem, self.weights, self.gradients)
        ((first,),) = problem.batches
        (batch, rows, width), dtype = first.shape, first.dtype
        self.stack, self.g_stack = np.empty((2, batch, REPEATS, rows, width), dtype)
        self.stack[:, 0] = first
        self.last, self.slope, self.g_h = np.empty((3, batch, rows, width), dtype)
        self.h = [*(self.stack[:, i] for i in range(REPEATS)), self.last]
        self.transposed = self.stack.reshape(batch, -1, width).swapaxes(1, 2)
        self.tall, self.flat = self.g_stack.reshape(batch, -1, width), self.g_stack.reshape(-1, width)
        self.one, self.eighth, self.ones = np.array(1, dtype), np.array(1 / 8, dtype), np.ones(len(self.flat), dtype)

    def step(self) -> float:
        (w, b), (g_w, g_b) = self.weights, self.gradients
        slope, g_h = self.slope, self.g_h

        for h, following in zip(self.h, self.h[1:], strict=False):
            np.matmul(h, w, out=following)
            np.add(following, b, following)
            np.tanh(following, following)
        flat = self.last.reshape(-1)
        loss = flat.dot(flat) / 16

        np.multiply(self.last, self.eighth, g_h)
        for i in reversed(range(REPEATS)):
            g_z = self.g_stack[:, i]
            np.multiply(self.h[i + 1], self.h[i + 1], slope)
            np.subtract(self.one, slope, slope)
            np.multiply(g_h, slope, g_z)
            if i > 0:
                np.matmul(g_z, w.swapaxes(1, 2), out=g_h)
        np.matmul(self.transposed, self.tall, out=g_w)
        self.ones.dot(self.flat, g_b)

        self.update()
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.weights


class StudentRepeats:
    """The formulas as they are, each result a new array."""

    def __init__(self, problem: Problem) -> None:
        self.weights, self.lr, self.weight_decay = problem.start(), problem.lr, problem.weight_decay
        ((self.first,),) = problem.batches

    def step(self) -> float:
        w, b = self.weights
        values = [self.first]
        for _ in range(REPEATS):
            values.append(np.tanh(values[-1] @ w + b))
        loss = (values[-1] * values[-1]).sum() / 16

        g = 2 * values[-1] / 16
        g_w, g_b = np.zeros_like(w), np.zeros_like(b)
        for i in reversed(range(REPEATS)):
            g_z = g * (1 - values[i + 1] ** 2)
            g_w += values[i].swapaxes(1, 2) @ g_z
            g_b += g_z.sum(axis=(0, 1))
            g = g_z @ w.swapaxes(1, 2)
        for weight, gradient in zip(self.weights, [g_w, g_b], strict=True):
            weight -= self.lr * gradient + self.weight_decay * weight
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.weights


def repeats_loss(say: Any, weights: Sequence[Any], batch: Sequence[Any]) -> Any:
    (w, b), (h,) = weights, batch
    for _ in range(REPEATS):
        h = say.tanh(say.dense(h, w, b))
    return say.total(h * h) / 16


def repeats(setting: Setting) -> Workload:
    """h = tanh(h @ W + b), four times, loss sum(h * h) / 16; h and W (8, 64, 64), b (64,)."""
    rng = np.random.default_rng(0)
    w = rng.normal(scale=np.sqrt(2 / 64), size=(8, 64, 64))
    problem = Problem((w, np.full(64, 0.01)), [(rng.normal(size=(8, 64, 64)),)])
    return workload("W9b batched tanh", problem, setting, {UNIT: ExpertRepeats, STUDENT: StudentRepeats}, repeats_loss)


# --- W10: the Hessian of a network's loss, times a vector -------------------------------------------------------------


class ExpertCurvature:
    """The derivative of the backward pass along v, by hand (B. Pearlmutter, 1994), in buffers made before."""

    # A name with d is the derivative along v of the name without it.

    def __init__(self, problem: Problem) -> None:
        self.weights, self.direction = problem.start(), problem.direction
        ((self.x, self.true),) = problem.batches
        self.found = [np.empty_like(weight) for weight in self.weights]
        (n, _), hidden, dtype = self.x.shape, self.weights[1].size, self.x.dtype
        self.h, self.dh, self.slope, self.dslope, self.g, self.dg, self.spare = np.empty((7, n, hidden), dtype)
        self.error, self.derror, self.thin = np.empty((3, n, 1), dtype)
        self.spare_w = np.empty_like(self.weights[2])
        self.one, self.two, self.inverse = np.array(1, dtype), np.array(-2, dtype), np.array(1 / n, dtype)
        self.ones = np.ones(n, dtype)

    def step(self) -> float:
        w1, b1, w2, b2 = self.weights
        v1, c1, v2, c2 = self.direction
        dw1, db1, dw2, db2 = self.found
        x, h, dh, slope, dslope, g, dg = self.x, self.h, self.dh, self.slope, self.dslope, self.g, self.dg
        error, derror, thin, spare, ones = self.error, self.derror, self.thin, self.spare, self.ones

        x.dot(w1, h)
        np.add(h, b1, h)
        np.tanh(h, h)
        h.dot(w2, error)
        np.add(error, b2, error)
        np.subtract(error, self.true, error)
        np.multiply(error, self.inverse, error)

        np.multiply(h, h, slope)
        np.subtract(self.one, slope, slope)
        x.dot(v1, dh)
        np.add(dh, c1, dh)
        np.multiply(dh, slope, dh)
        h.dot(v2, derror)
        dh.dot(w2, thin)
        np.add(derror, thin, derror)
        np.add(derror, c2, derror)
        along = error.reshape(-1).dot(derror.reshape(-1))
        np.multiply(derror, self.inverse, derror)

        h.T.dot(derror, dw2)
        dh.T.dot(error, self.spare_w)
        np.add(dw2, self.spare_w, dw2)
        ones.dot(derror, db2)
        error.dot(w2.T, g)
        derror.dot(w2.T, dg)
        error.dot(v2.T, spare)
        np.add(dg, spare, dg)
        np.multiply(dg, slope, dg)
        np.multiply(h, dh, dslope)
        np.multiply(dslope, self.two, dslope)
        np.multiply(g, dslope, g)
        np.add(dg, g, dg)
        x.T.dot(dg, dw1)
        ones.dot(dg, db1)
        return float(along)

    def results(self) -> Sequence[Array]:
        return self.found


class StudentCurvature:
    """The same formulas, each result a new array."""

    def __init__(self, problem: Problem) -> None:
        self.weights, self.direction = problem.start(), problem.direction
        ((self.x, self.true),) = problem.batches
        self.found: list[Array] = []

    def step(self) -> float:
        w1, b1, w2, b2 = self.weights
        v1, c1, v2, c2 = self.direction
        x, n = self.x, len(self.x)

        h = np.tanh(x @ w1 + b1)
        error = (h @ w2 + b2 - self.true) / n
        dh = (x @ v1 + c1) * (1 - h**2)
        dpred = h @ v2 + dh @ w2 + c2
        along = (error * dpred).sum()

        derror = dpred / n
        dw2 = h.T @ derror + dh.T @ error
        dg = (derror @ w2.T + error @ v2.T) * (1 - h**2) + (error @ w2.T) * (-2 * h * dh)
        self.found = [x.T @ dg, dg.sum(axis=0), dw2, derror.sum(axis=0)]
        return float(along)

    def results(self) -> Sequence[Array]:
        return self.found


def curvature_loss(say: Any, weights: Sequence[Any], batch: Sequence[Any]) -> Any:
    w1, b1, w2, b2 = weights
    x, true = batch
    return say.mse(say.dense(say.tanh(say.dense(x, w1, b1)), w2, b2), true)


def curvature(setting: Setting) -> Workload:
    """200x2 inputs, dense 2-16, tanh, dense 16-1, mse: the Hessian by all four parameters times a vector."""
    rng = np.random.default_rng(0)
    data = two_circles(rng)
    parameters = he_weights(rng, 2, 16, 1)
    direction = tuple(rng.normal(size=parameter.shape) for parameter in parameters)
    problem = Problem(parameters, [data], direction=direction)
    by_hand = {UNIT: ExpertCurvature, STUDENT: StudentCurvature}
    return workload("W10 Hessian times vector", problem, setting, by_hand, curvature_loss, "curvature")

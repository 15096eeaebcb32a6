"""W5: two convolutions with pooling, and two dense layers, on 32 images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import tinygrad_np as tg
from benchmarks.networks import ExpertUpdate, he_weights
from benchmarks.ours import OurTraining, layers_training
from benchmarks.problems import STUDENT, UNIT, Array, Problem, Setting, Workload, workload
from tinygrad_np import nn

PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Of a 2x2 window, by row and column."""


class ExpertConvolution:
    """A 3x3 convolution, the maxima of 2x2, a bias and relu, on images (channels, n, height, width)."""

    # The four outputs of a pooling window all see the same 4x4 patch of the image. So patches are taken for every
    # second row and column only, and one product with the kernels at four places gives four arrays, one per place,
    # whose maximum is the pooled image. Bias and relu grow with their input: after the maximum they cost a quarter.

    def __init__(self, kernels: Array, b: Array, g_kernels: Array, g_b: Array, images: int, side: int) -> None:
        (outputs, channels), dtype, half = kernels.shape[:2], kernels.dtype, side // 2
        self.kernels, self.b, self.g_kernels, self.g_b = kernels, b[:, None], g_kernels, g_b
        self.padded, self.g_padded = np.zeros((2, channels, images, side + 2, side + 2), dtype)
        self.inside, self.g_inside = (a[:, :, 1:-1, 1:-1] for a in (self.padded, self.g_padded))

        shape = (channels, 4, 4, images, half, half)
        self.patches, self.g_patches = np.empty((2, *shape), dtype)
        self.seen = sliding_window_view(self.padded, (half * 2 - 1,) * 2, (2, 3))[..., ::2, ::2].transpose(
            0, 2, 3, 1, 4, 5
        )
        windows = sliding_window_view(self.g_padded, (half * 2 - 1,) * 2, (2, 3), writeable=True)[..., ::2, ::2]
        self.spread = [(windows[:, :, i, j], self.g_patches[:, i, j]) for i in range(4) for j in range(4)]
        self.columns, self.g_columns = (a.reshape(channels * 16, -1) for a in (self.patches, self.g_patches))

        self.wide, self.g_wide = np.zeros((2, 4, outputs, channels, 4, 4), dtype)
        self.placed = [self.wide[k, :, :, i : i + 3, j : j + 3] for k, (i, j) in enumerate(PLACES)]
        self.g_placed = [self.g_wide[k, :, :, i : i + 3, j : j + 3] for k, (i, j) in enumerate(PLACES)]
        self.matrix, self.g_matrix = (a.reshape(4 * outputs, -1) for a in (self.wide, self.g_wide))

        size = images * half * half
        self.all, self.g_all = np.empty((2, 4, outputs, size), dtype)
        self.rows, self.g_rows = (a.reshape(4 * outputs, size) for a in (self.all, self.g_all))
        self.maxima, self.spare, self.out, self.active, self.g = np.empty((5, outputs, size), dtype)
        self.out_images, self.g_images = (a.reshape(outputs, images, half, half) for a in (self.out, self.g))
        self.zeros, self.ones = np.zeros_like(self.out), np.ones(size, dtype)

    def forward(self, images: Array) -> Array:
        self.inside[...] = images
        self.patches[...] = self.seen
        for placed in self.placed:
            placed[...] = self.kernels
        self.matrix.dot(self.columns, self.rows)
        first, second, third, fourth = self.all
        np.maximum(first, second, out=self.maxima)
        np.maximum(third, fourth, out=self.spare)
        np.maximum(self.maxima, self.spare, out=self.maxima)
        np.add(self.maxima, self.b, self.out)
        np.maximum(self.out, self.zeros, out=self.out)
        return self.out_images

    def backward(self, further: bool) -> Array:
        """From the gradient in `g` to those of kernels and bias and, if there is a layer before, of the images."""
        np.sign(self.out, self.active)
        np.multiply(self.g, self.active, self.g)
        self.g.dot(self.ones, self.g_b)
        np.equal(self.all, self.maxima, self.g_all)  # of two equal maxima both count: pixels are random, none are equal
        np.multiply(self.g_all, self.g, self.g_all)
        self.g_rows.dot(self.columns.T, self.g_matrix)
        first, second, third, fourth = self.g_placed
        np.add(first, second, self.g_kernels)
        np.add(self.g_kernels, third, self.g_kernels)
        np.add(self.g_kernels, fourth, self.g_kernels)
        if further:
            self.matrix.T.dot(self.g_rows, self.g_columns)
            self.g_padded.fill(0)
            for window, part in self.spread:
                np.add(window, part, window)
        return self.g_inside


class ExpertImages:
    """Every result goes into a buffer made before."""

    def __init__(self, problem: Problem) -> None:
        self.weights = problem.start()
        self.gradients = [np.empty_like(weight) for weight in self.weights]
        self.update = ExpertUpdate(problem, self.weights, self.gradients)
        x, _ = problem.batches[0]
        (n, _, side, _), dtype = x.shape, x.dtype
        k1, b1, k2, b2, w3, _, w4, _ = self.weights
        g_k1, g_b1, g_k2, g_b2, *_ = self.gradients
        self.first = ExpertConvolution(k1, b1, g_k1, g_b1, n, side)
        self.second = ExpertConvolution(k2, b2, g_k2, g_b2, n, side // 2)
        self.flat, self.g_flat = np.empty((2, n, len(w3)), dtype)
        # Rows are images here, and channels there.
        self.by_channel, self.g_by_channel = (
            a.reshape(n, len(k2), side // 4, side // 4).transpose(1, 0, 2, 3) for a in (self.flat, self.g_flat)
        )
        self.h, self.active, self.g_h = np.empty((3, n, len(w4)), dtype)
        self.margin, self.g_pred = np.empty((2, n, 1), dtype)
        self.zero, self.one, self.ones = np.array(0, dtype), np.array(1, dtype), np.ones(n, dtype)
        ((x, self.true),) = problem.batches
        self.x, self.slope = x.transpose(1, 0, 2, 3), -self.true / n

    def step(self) -> float:
        _, _, _, _, w3, b3, w4, b4 = self.weights
        _, _, _, _, g_w3, g_b3, g_w4, g_b4 = self.gradients
        h, margin, active, g_h, g_pred, ones = self.h, self.margin, self.active, self.g_h, self.g_pred, self.ones
        x, true, slope = self.x, self.true, self.slope

        self.by_channel[...] = self.second.forward(self.first.forward(x))
        self.flat.dot(w3, h)
        np.add(h, b3, h)
        np.maximum(h, self.zero, out=h)
        h.dot(w4, margin)
        np.add(margin, b4, margin)
        np.multiply(margin, true, margin)
        np.subtract(self.one, margin, margin)
        np.maximum(margin, self.zero, out=margin)
        loss = margin.reshape(-1).dot(ones) / len(true)

        np.sign(margin, g_pred)
        np.multiply(g_pred, slope, g_pred)
        h.T.dot(g_pred, g_w4)
        ones.dot(g_pred, g_b4)
        g_pred.dot(w4.T, g_h)
        np.sign(h, active)
        np.multiply(g_h, active, g_h)
        self.flat.T.dot(g_h, g_w3)
        ones.dot(g_h, g_b3)
        g_h.dot(w3.T, self.g_flat)
        self.second.g_images[...] = self.g_by_channel
        self.first.g_images[...] = self.second.backward(further=True)
        self.first.backward(further=False)

        self.update()
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.weights


class StudentImages:
    """The formulas as they are, each result a new array."""

    def __init__(self, problem: Problem) -> None:
        self.weights, self.lr, self.weight_decay = problem.start(), problem.lr, problem.weight_decay
        ((self.x, self.true),) = problem.batches

    def step(self) -> float:
        k1, b1, k2, b2, w3, b3, w4, b4 = self.weights
        x, true, n = self.x, self.true, len(self.x)

        z1, windows1 = convolve(x, k1)
        z1 = z1 + b1[:, None, None]
        p1, chosen1 = pool(np.maximum(z1, 0))
        z2, windows2 = convolve(p1, k2)
        z2 = z2 + b2[:, None, None]
        p2, chosen2 = pool(np.maximum(z2, 0))
        flat = p2.reshape(n, -1)
        z3 = flat @ w3 + b3
        h = np.maximum(z3, 0)
        margin = 1 - (h @ w4 + b4) * true
        loss = np.maximum(margin, 0).sum() / n

        g = np.where(margin > 0, -true, 0) / n
        g_w4, g_b4 = h.T @ g, g.sum(axis=0)
        g = (g @ w4.T) * (z3 > 0)
        g_w3, g_b3 = flat.T @ g, g.sum(axis=0)
        g = unpool((g @ w3.T).reshape(p2.shape), chosen2) * (z2 > 0)
        g_k2, g_b2 = np.tensordot(g, windows2, ((0, 2, 3), (0, 2, 3))), g.sum(axis=(0, 2, 3))
        g, _ = convolve(g, k2[:, :, ::-1, ::-1].swapaxes(0, 1))
        g = unpool(g, chosen1) * (z1 > 0)
        g_k1, g_b1 = np.tensordot(g, windows1, ((0, 2, 3), (0, 2, 3))), g.sum(axis=(0, 2, 3))

        gradients = [g_k1, g_b1, g_k2, g_b2, g_w3, g_b3, g_w4, g_b4]
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight -= self.lr * gradient + self.weight_decay * weight
        return float(loss)

    def results(self) -> Sequence[Array]:
        return self.weights


def convolve(x: Array, kernels: Array) -> tuple[Array, Array]:
    """The images convolved with 3x3 kernels, and the windows (n, channels, height, width, 3, 3) that were seen."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = sliding_window_view(padded, (3, 3), (2, 3))
    return np.tensordot(windows, kernels, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2), windows


def pool(x: Array) -> tuple[Array, Array]:
    """The maxima of 2 by 2, and in which place of a window each stood."""
    n, channels, height, width = x.shape
    windows = x.reshape(n, channels, height // 2, 2, width // 2, 2).swapaxes(3, 4).reshape(-1, 4)
    chosen = windows.argmax(axis=1)
    return windows[np.arange(len(windows)), chosen].reshape(n, channels, height // 2, width // 2), chosen


def unpool(g: Array, chosen: Array) -> Array:
    n, channels, height, width = g.shape
    windows = np.zeros((g.size, 4), g.dtype)
    windows[np.arange(g.size), chosen] = g.reshape(-1)
    return windows.reshape(n, channels, height, width, 2, 2).swapaxes(3, 4).reshape(n, channels, 2 * height, 2 * width)


def our_layers(problem: Problem) -> OurTraining:
    k1, _, k2, _, w3, _, w4, _ = problem.parameters
    dtype = k1.dtype
    model = nn.Sequential(
        nn.Conv2D(k1.shape[1], k1.shape[0], 3, dtype=dtype),
        nn.ReLU(),
        nn.MaxPool2D(2),
        nn.Conv2D(k2.shape[1], k2.shape[0], 3, dtype=dtype),
        nn.ReLU(),
        nn.MaxPool2D(2),
        nn.Flatten(),
        nn.Dense(*w3.shape, dtype=dtype),
        nn.ReLU(),
        nn.Dense(*w4.shape, dtype=dtype),
    )
    return layers_training(problem, model, tg.hinge)


def images_loss(say: Any, weights: Sequence[Any], batch: Sequence[Any]) -> Any:
    """What libraries compute."""
    k1, b1, k2, b2, w3, b3, w4, b4 = weights
    x, true = batch
    h = say.pool(say.relu(say.conv(x, k1, b1)))
    h = say.flatten(say.pool(say.relu(say.conv(h, k2, b2))))
    return say.hinge(say.dense(say.relu(say.dense(h, w3, b3)), w4, b4), true)


def images(setting: Setting) -> Workload:
    """32x1x28x28 images, conv 3x3 to 2 channels, relu, pool 2, conv 3x3 to 4, relu, pool 2, 196-32, relu, 32-1."""
    rng = np.random.default_rng(0)
    n, side = (8, 12) if setting.small else (32, 28)
    data = rng.normal(size=(n, 1, side, side)), rng.choice([-1.0, 1.0], size=(n, 1))
    kernels = rng.normal(scale=np.sqrt(2 / 9), size=(2, 1, 3, 3)), rng.normal(scale=np.sqrt(2 / 18), size=(4, 2, 3, 3))
    dense = he_weights(rng, 4 * (side // 4) ** 2, 32, 1)
    problem = Problem((kernels[0], np.full(2, 0.01), kernels[1], np.full(4, 0.01), *dense), [data])
    by_hand = {UNIT: ExpertImages, STUDENT: StudentImages}
    return workload("W5 images", problem, setting, by_hand, images_loss, layers=our_layers)

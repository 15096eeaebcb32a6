"""What each function of the course must do: a reference, examples, and inputs to try it on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np

from tinygrad_np import blocks
from tinygrad_np.values import Array

WHOLE = {"integers": None, "integers first": 1}
"""The kinds of inputs of which arrays are of integers: how many, from the first one on; None for all."""


class Inputs:
    """Where a task draws its arguments from: sides of arrays, numbers of some kind, masks and signs.

    Parameters
    ----------
    rng
        Draws all of it.
    kind
        Of numbers: "any" (from -10 to 10), "zeros" (half of them), "ties" (few different ones), or one of `WHOLE`.
    sides
        The smallest and the largest side of an array.
    first
        The first sides to be asked for.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        kind: str = "any",
        sides: tuple[int, int] = (1, 6),
        first: tuple[int, ...] = (),
    ) -> None:
        self.rng, self.kind, self.sides = rng, kind, sides
        self._first = list(first)
        self._whole = chain(repeat(True, WHOLE[kind] or sys.maxsize) if kind in WHOLE else [], repeat(False))

    def side(self, most: int = 100) -> int:
        """The length of an axis."""
        if self._first:
            return min(self._first.pop(0), most)
        low, high = self.sides
        return int(self.rng.integers(min(low, most), min(high, most), endpoint=True))

    def numbers(self, *shape: int) -> Array:
        """An array of numbers."""
        if next(self._whole):
            return self.rng.integers(-10, 11, shape)
        if self.kind == "ties":
            return np.asarray(self.rng.choice([-1.0, 0.5, 1.0], shape))
        found = np.asarray(self.rng.uniform(-10, 10, shape))
        return found * self.mask(*shape) if self.kind == "zeros" else found

    def mask(self, *shape: int) -> Array:
        """Zeros and ones."""
        return np.asarray(self.rng.integers(0, 2, shape))

    def signs(self, *shape: int) -> Array:
        """Minus ones and ones."""
        return np.asarray(self.rng.choice([-1, 1], shape))

    def pick(self, *items: Any) -> Any:
        """One of these."""
        return items[int(self.rng.integers(len(items)))]


class Gradient(NamedTuple):
    """That a task is the gradient of another function, by one of its arguments."""

    forward: Callable[..., Any]
    arguments: tuple[str, ...]  # of the forward, by the names of the task's
    by: str
    g: str | None = None  # the incoming gradient; None for a loss
    fixed: dict[str, Any] = {}  # noqa: RUF012 (read only)


@dataclass(frozen=True)
class Task:
    """A function to be written.

    Parameters
    ----------
    name
        Its name.
    arguments
        The names of its arguments, in order.
    reference
        A function that returns what it must return.
    draw
        Draws arguments from `Inputs`.
    examples
        Arguments that are worked out in the text.
    gradient
        What it is the gradient of, if it is one.
    check
        For what cannot be compared (random results): of the function and a generator, the first thing that is wrong,
        as text, or None.
    kink
        Where a gradient's convention counts, in words.
    mistakes
        Typical mistakes: each in words, and as a function that makes it.
    """

    name: str
    arguments: tuple[str, ...]
    reference: Callable[..., Any]
    draw: Callable[[Inputs], tuple[Any, ...]]
    examples: Sequence[tuple[Any, ...]] = ()
    gradient: Gradient | None = None
    check: Callable[[Callable[..., Any], np.random.Generator], str | None] | None = None
    kink: str = ""
    mistakes: Sequence[tuple[str, Callable[..., Any]]] = ()

    def cases(self, seed: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Arguments with what is special about them: the examples, generated ones, and hidden ones of this seed."""
        for example in self.examples:
            yield "example", example
        fixed = np.random.default_rng(0)
        for kind, sides in (
            ("any", (1, 1)),
            ("any", (2, 3)),
            ("integers", (2, 3)),
            ("integers first", (2, 3)),
            ("zeros", (3, 5)),
            ("ties", (1, 3)),
            ("any", (7, 12)),
        ):
            for _ in range(2):
                yield kind, self.draw(Inputs(fixed, kind, sides))
        for first in ((1,), (4, 1)):  # one row, one column
            yield "any", self.draw(Inputs(fixed, "any", (2, 5), first))
        hidden = np.random.default_rng(seed)
        for number in range(24):
            kind = ("any", "any", "integers first", "zeros", "ties", "integers")[number % 6]
            yield kind, self.draw(Inputs(hidden, kind))


# --- what to draw -----------------------------------------------------------------------------------------------------


def _dense(some: Inputs) -> tuple[Any, ...]:
    n, d, h = some.side(), some.side(), some.side()
    return some.numbers(n, d), some.numbers(n, h), some.numbers(d, h), some.numbers(h)


def _dense_forward(some: Inputs) -> tuple[Any, ...]:
    x, _, w, b = _dense(some)
    return x, w, b


def _matrix(some: Inputs) -> tuple[Any, ...]:
    return (some.numbers(some.side(), some.side()),)


def _alike(some: Inputs) -> tuple[Any, ...]:
    shape = some.side(), some.side()
    return some.numbers(*shape), some.numbers(*shape)


def _targets(some: Inputs) -> tuple[int, ...]:
    """One target for each object, as a vector or a column; or several."""
    n = some.side()
    shape: tuple[int, ...] = some.pick((n,), (n,), (n, 1), (n, some.side()))
    return shape


def _hinge(some: Inputs) -> tuple[Any, ...]:
    shape = _targets(some)
    return some.numbers(*shape), some.signs(*shape)


def _mse(some: Inputs) -> tuple[Any, ...]:
    shape = _targets(some)
    return some.numbers(*shape), some.numbers(*shape)


def _l2(some: Inputs) -> tuple[Any, ...]:
    decay = some.pick(0.0, 0.01, 2, 0.5, float(some.rng.uniform(0, 2)))
    if some.pick(True, False, False):
        return decay, some.numbers(some.side())
    shapes = [some.pick((some.side(),), (some.side(), some.side()), ()) for _ in range(some.side(4))]
    return decay, [some.numbers(*shape) for shape in shapes]


def _dropout_forward(some: Inputs) -> tuple[Any, ...]:
    shape = some.side(), some.side()
    return some.numbers(*shape), some.mask(*shape), some.pick(0.0, 0.3, 0.5, 0.9, 1.0), some.pick(True, False)


def _masked(some: Inputs) -> tuple[Any, ...]:
    shape = some.side(), some.side()
    return some.numbers(*shape), some.numbers(*shape), some.mask(*shape)


def _correlated(some: Inputs) -> tuple[Any, ...]:
    p, q = some.pick(0, 1, 2), some.pick(0, 1, 1, 2)
    return some.numbers(some.side(), some.side()), some.numbers(2 * p + 1, 2 * q + 1)


def _blurred(some: Inputs) -> tuple[Any, ...]:
    return some.numbers(some.side(), some.side()), some.pick(1, 3, 3, 5, 7)


def _pooled(some: Inputs) -> tuple[Any, ...]:
    return (some.numbers(2 * some.side(), 2 * some.side()),)


def _pooled_grad(some: Inputs) -> tuple[Any, ...]:
    h, w = some.side(), some.side()
    return some.numbers(2 * h, 2 * w), some.numbers(h, w)


def _images(some: Inputs) -> tuple[Any, ...]:
    return (some.numbers(some.side(3), some.side(3), some.side(4), some.side(4)),)


def _images_grad(some: Inputs) -> tuple[Any, ...]:
    (x,) = _images(some)
    return x, some.numbers(len(x), x[0].size)


def _check_mask(function: Callable[..., Any], rng: np.random.Generator) -> str | None:
    """A mask is random: its shape, its entries, how many are zero and whether they are alike can be checked."""
    for shape in ((3, 4), (1, 1), (5,), (40, 50)):
        for rate in (0.0, 1.0, 0.5, float(rng.uniform(0.1, 0.9))):
            mask = function(shape, rate)
            called = f"for shape = {shape}, drop_rate = {rate:.3g}"
            if np.shape(mask) != shape:
                return f"{called}: expected a mask of this shape, got {np.shape(mask)}"
            found = np.asarray(mask)
            if not np.isin(found, (0, 1)).all():
                return f"{called}: expected zeros and ones alone"
            zeros, n = int((found == 0).sum()), found.size
            for axis, what in enumerate(("rows", "columns") if n > 100 and 0 < rate < 1 else ()):
                if (found == np.take(found, [0], axis)).all():
                    return f"{called}: all {what} are the same; each entry is to be drawn on its own"
            if abs(zeros - n * rate) > 6 * np.sqrt(n * rate * (1 - rate)) + (n < 100) * n * (0 < rate < 1):
                return f"{called}: {zeros} of {n} entries are 0, expected about {n * rate:.0f}"
    if np.array_equal(function((40, 50), 0.5), function((40, 50), 0.5)):
        return "two masks are the same; each is to be drawn anew"
    return None


# --- typical mistakes -------------------------------------------------------------------------------------------------


def _per_entry(right: Callable[..., Any]) -> Callable[..., Any]:
    """A loss or its gradient, divided by the number of entries."""
    return lambda pred, true: right(pred, true) * len(pred) / pred.size


def _all(weights: Any) -> list[Array]:
    return [np.asarray(w, float) for w in (weights if isinstance(weights, list) else [weights])]


def _boxed(image: Array, size: int) -> Array:
    return np.asarray(blocks.conv_matrix(image, np.ones((size, size))))


def _windows(x: Array) -> Array:
    """The entries of each 2 by 2 window in two axes behind those of the windows."""
    h, w = x.shape
    return x.reshape(h // 2, 2, w // 2, 2).swapaxes(1, 2)


_PER_ENTRY = "divided by the number of all entries; N is the number of objects"
_BLURRED = (
    ("the sum is not divided by the number of pixels in the box", _boxed),
    (
        "at the edges it divides by the pixels that are in the image; those outside count as zeros",
        lambda image, size: _boxed(image, size) / _boxed(np.ones_like(image), size),
    ),
)
_DROPPED = (
    (
        "it scales while training (inverted dropout); the task scales when training is over",
        lambda x, mask, rate, training: x * mask / (1 - rate) if training else x,
    ),
    ("it does not scale when training is over", lambda x, mask, _, training: x * mask if training else x),
    (
        "the mask is used when training is over, too",
        lambda x, mask, rate, training: x * mask * (1 if training else 1 - rate),
    ),
    ("it does the same while training and when that is over", lambda x, mask, *_: x * mask),
    ("it does the same while training and when that is over", lambda x, mask, rate, _: x * mask / (1 - rate)),
    (
        "training and what comes after it are the wrong way round",
        lambda x, mask, rate, training: x * (1 - rate) if training else x * mask,
    ),
    (
        "when training is over it scales by the rate of what is dropped, not of what is kept",
        lambda x, mask, rate, training: x * mask if training else x * rate,
    ),
    (
        "when training is over it divides where it should multiply",
        lambda x, mask, rate, training: x * mask if training else x / (1 - rate),
    ),
)
_DECAYED = (
    ("the weights are not squared", lambda decay, weights: decay / 2 * sum(w.sum() for w in _all(weights))),
    (
        "the weights are added up before they are squared",
        lambda decay, weights: decay / 2 * sum(w.sum() for w in _all(weights)) ** 2,
    ),
    (
        "// cuts off fractions; / does not",
        lambda decay, weights: decay // 2 * sum((w * w).sum() for w in _all(weights)),
    ),
)
_POOLED = (
    ("it is the mean of each window, not the largest", lambda x: _windows(x).mean(axis=(2, 3))),
    (
        "it starts from 0, which is larger than negative entries",
        lambda x: np.maximum(_windows(x).max(axis=(2, 3)), 0),
    ),
)


# --- the tasks --------------------------------------------------------------------------------------------------------

_X = np.array([[1, -1], [-1, 0], [1, 1]])
_W, _B = np.array([[4], [2]]), np.array([3])
_BY_DENSE = (blocks.dense_forward, ("x_input", "W", "b"))
_GRADED = (
    Task(
        "box_blur",
        ("image", "box_size"),
        blocks.box_blur,
        _blurred,
        [(np.array([[9, 0, 9], [0, 0, 0], [9, 0, 9]]), 3)],
        mistakes=_BLURRED,
    ),
    Task(
        "conv_matrix",
        ("matrix", "kernel"),
        blocks.conv_matrix,
        _correlated,
        [(np.array([[1, 2, 3], [2, 3, 4], [3, 4, 5]]), np.diag([1, 1, 2]))],
        mistakes=[
            (
                "the kernel is turned around; it is to be laid on the image as it is",
                lambda matrix, kernel: blocks.conv_matrix(matrix, kernel[::-1, ::-1]),
            )
        ],
    ),
    Task(
        "dense_forward",
        ("x_input", "W", "b"),
        blocks.dense_forward,
        _dense_forward,
        [(_X, _W, _B)],
        mistakes=[("b is not added", lambda x, w, _: x @ w)],
    ),
    Task(
        "dense_grad_W",
        ("x_input", "grad_output", "W", "b"),
        blocks.dense_grad_W,
        _dense,
        gradient=Gradient(*_BY_DENSE, "W", "grad_output"),
    ),
    Task(
        "dense_grad_b",
        ("x_input", "grad_output", "W", "b"),
        blocks.dense_grad_b,
        _dense,
        gradient=Gradient(*_BY_DENSE, "b", "grad_output"),
    ),
    Task(
        "dense_grad_input",
        ("x_input", "grad_output", "W", "b"),
        blocks.dense_grad_input,
        _dense,
        gradient=Gradient(*_BY_DENSE, "x_input", "grad_output"),
    ),
    Task(
        "dropout_forward",
        ("x_input", "mask", "drop_rate", "training_phase"),
        blocks.dropout_forward,
        _dropout_forward,
        mistakes=_DROPPED,
    ),
    Task(
        "dropout_grad_input",
        ("x_input", "grad_output", "mask"),
        blocks.dropout_grad_input,
        _masked,
        gradient=Gradient(
            blocks.dropout_forward,
            ("x_input", "mask"),
            "x_input",
            "grad_output",
            {"drop_rate": 0.5, "training_phase": True},
        ),
    ),
    Task("flatten_forward", ("x_input",), blocks.flatten_forward, _images),
    Task(
        "flatten_grad_input",
        ("x_input", "grad_output"),
        blocks.flatten_grad_input,
        _images_grad,
        gradient=Gradient(blocks.flatten_forward, ("x_input",), "x_input", "grad_output"),
    ),
    Task(
        "hinge_forward",
        ("target_pred", "target_true"),
        blocks.hinge_forward,
        _hinge,
        [(np.array([2, -5, 3, 0.5]), np.array([-1, -1, 1, 1]))],
        mistakes=[
            (_PER_ENTRY, _per_entry(blocks.hinge_forward)),
            (
                "objects beyond the margin count too: where is the maximum with 0?",
                lambda pred, true: (1 - pred * true).sum() / len(pred),
            ),
        ],
    ),
    Task(
        "hinge_grad_input",
        ("target_pred", "target_true"),
        blocks.hinge_grad_input,
        _hinge,
        gradient=Gradient(blocks.hinge_forward, ("target_pred", "target_true"), "target_pred"),
        kink="the margin is exactly 1",
        mistakes=[(_PER_ENTRY, _per_entry(blocks.hinge_grad_input))],
    ),
    Task(
        "l2_regularizer",
        ("weight_decay", "weights"),
        blocks.l2_regularizer,
        _l2,
        [(2, np.array([5, 3, 7, 5, 0.5]))],
        mistakes=_DECAYED,
    ),
    Task("maxpool_forward", ("x_input",), blocks.maxpool_forward, _pooled, mistakes=_POOLED),
    Task(
        "mse_forward",
        ("target_pred", "target_true"),
        blocks.mse_forward,
        _mse,
        mistakes=[
            (_PER_ENTRY, _per_entry(blocks.mse_forward)),
            (
                "the differences are added up before they are squared",
                lambda pred, true: (pred - true).sum() ** 2 / (2 * len(pred)),
            ),
        ],
    ),
    Task(
        "mse_grad_input",
        ("target_pred", "target_true"),
        blocks.mse_grad_input,
        _mse,
        gradient=Gradient(blocks.mse_forward, ("target_pred", "target_true"), "target_pred"),
        mistakes=[(_PER_ENTRY, _per_entry(blocks.mse_grad_input))],
    ),
    Task(
        "relu_forward",
        ("x_input",),
        blocks.relu_forward,
        _matrix,
        [(np.array([[1, -0.5], [0.3, 0.1]]),)],
        mistakes=[("it says where x_input is positive, not what it is there", lambda x: x > 0)],
    ),
    Task(
        "relu_grad_input",
        ("x_input", "grad_output"),
        blocks.relu_grad_input,
        _alike,
        gradient=Gradient(blocks.relu_forward, ("x_input",), "x_input", "grad_output"),
        kink="x_input is exactly 0",
    ),
)
_HELPERS = (
    Task(
        "dropout_generate_mask", ("shape", "drop_rate"), blocks.dropout_generate_mask, lambda _: (), check=_check_mask
    ),
    Task(
        "maxpool_grad_input",
        ("x_input", "grad_output"),
        blocks.maxpool_grad_input,
        _pooled_grad,
        gradient=Gradient(blocks.maxpool_forward, ("x_input",), "x_input", "grad_output"),
        kink="several entries of a window are the largest",
    ),
)

GRADED = tuple(task.name for task in _GRADED)
"""The functions that have a row in the course's table, in its order."""

TASKS = {task.name: task for task in (*_GRADED, *_HELPERS)}
"""All functions that can be marked, by name."""

"""Random differentiable programs: a few leaves, and 5 to 50 operations on what there is so far, drawn by Hypothesis.

A `Program` is data, so that a failing one prints as what it computes and shrinks to the fewest operations that fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg

SMOOTH = (
    "sin",
    "cos",
    "tanh",
    "arctan",
    "arcsinh",
    "sinh",
    "exp",
    "expm1",
    "exp2",
    "sigmoid",
    "square",
    "negative",
    "sinc",
    "erf",
    "softmax",
    "log_softmax",
)
"""Functions of one array, smooth everywhere."""

POSITIVE = ("log", "log1p", "sqrt", "cbrt", "reciprocal", "log2", "arctan")
"""Functions of one array that is first made positive, by ``1 + x * x``."""

BINARY = ("add", "subtract", "multiply", "logaddexp", "maximum", "minimum", "hypot1", "divide1")
REDUCTIONS = ("sum", "mean", "var", "prod", "logsumexp", "max", "min", "ptp")
SCANS = ("cumsum", "cumprod", "sort", "flip", "softmax")


@dataclass(frozen=True)
class Step:
    """One operation: its name, the places of its operands among the values so far, and what else it is given."""

    op: str
    operands: tuple[int, ...]
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """Leaves, by their shapes, and steps; the last value, summed up, is the result."""

    shapes: tuple[tuple[int, ...], ...]
    steps: tuple[Step, ...]
    seed: int

    def leaves(self) -> list[Any]:
        """Entries that differ from each other, off zero."""
        rng = np.random.default_rng(self.seed)
        return [rng.uniform(0.2, 1.2, shape) * rng.choice([-1, 1], shape) for shape in self.shapes]

    def __call__(self, *leaves: Any) -> Any:
        values = list(leaves)
        for step in self.steps:
            values.append(run(step, [values[i] for i in step.operands]))
        return sum((tg.sum(tg.sin(v)) for v in values[-3:]), 0.0)


def run(step: Step, operands: Sequence[Any]) -> Any:
    """What a step returns, bent to be between -4 and 4, so that nothing overflows in 50 steps."""
    result = OPERATIONS.get(step.op, lambda *xs, **given: getattr(tg, step.op)(*xs, **given))(*operands, **step.given)
    return result / tg.sqrt(1 + result * result / 16)


def _positive(x: Any) -> Any:
    return 1 + x * x


OPERATIONS: dict[str, Callable[..., Any]] = {
    "hypot1": lambda x, y: tg.hypot(x, 1 + y * y),
    "divide1": lambda x, y: x / _positive(y),
    "power": lambda x, exponent: _positive(x) ** exponent,
    "getitem": lambda x, index: x[index],
    "matmul": lambda x, y: tg.reshape(x, (-1, 1)) @ tg.reshape(y, (1, -1)),
    "where": lambda x, y, mask: tg.where(mask, x, y),
    "concatenate": lambda x, y: tg.concatenate([tg.ravel(x), tg.ravel(y)]),
    "stack": lambda x: tg.stack([x, 2 * x, x], axis=-1),
    "same_twice": lambda x: tg.concatenate([x.reshape(-1), x.reshape(-1)]),
    "pad": lambda x, width, mode: tg.pad(x, width, mode=mode),
    **{f"of_positive_{name}": lambda x, name=name: getattr(tg, name)(_positive(x)) for name in POSITIVE},
}

LARGEST = 60  # entries of a value


@st.composite
def programs(draw: st.DrawFn, least: int = 5, most: int = 50) -> Program:
    """A program; what broadcasts is drawn from the values so far, and every leaf can be reached."""
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=draw(st.integers(1, 3)), max_dims=3, max_side=3))
    known = [tuple(shape) for shape in shapes.input_shapes]
    steps: list[Step] = []
    for _ in range(draw(st.integers(least, most))):
        place = draw(st.integers(max(0, len(known) - 4), len(known) - 1) | st.integers(0, len(known) - 1))
        step, shape = draw(next_step(known, place))
        if np.prod(shape, dtype=int) > LARGEST:
            step, shape = Step("mean", (place,), {"axis": None}), ()
        steps.append(step)
        known.append(shape)
    return Program(tuple(map(tuple, shapes.input_shapes)), tuple(steps), draw(st.integers(0, 2**16)))


@st.composite
def next_step(draw: st.DrawFn, known: Sequence[tuple[int, ...]], place: int) -> tuple[Step, tuple[int, ...]]:
    """One more step on the value at `place`, and the shape that it returns."""
    shape = known[place]
    kind = draw(st.sampled_from(["smooth", "positive", "binary", "reduce", "scan", "shape", "index", "product"]))
    if kind == "smooth":
        name = draw(st.sampled_from(SMOOTH))
        given = {"axis": -1} if "softmax" in name else {}
        if "softmax" in name and (not shape or shape[-1] == 0):
            name, given = "sin", {}
        return Step(name, (place,), given), shape
    if kind == "positive":
        return Step(f"of_positive_{draw(st.sampled_from(POSITIVE))}", (place,)), shape
    fitting = [i for i, other in enumerate(known) if fits(shape, other)]
    if kind == "binary":
        other = draw(st.sampled_from(fitting))
        out = np.broadcast_shapes(shape, known[other])
        return Step(draw(st.sampled_from(BINARY)), (place, other)), out
    if kind == "product" and 0 not in shape:
        other = draw(st.integers(0, len(known) - 1))
        return Step("matmul", (place, other)), (int(np.prod(shape)), int(np.prod(known[other])))
    axis = draw(st.integers(-len(shape), len(shape) - 1)) if shape else None
    if kind == "reduce":
        axis = draw(st.sampled_from([axis, None]))
        keepdims = draw(st.booleans())
        name = draw(st.sampled_from(REDUCTIONS))
        if 0 in shape:
            name = "sum"
        return Step(name, (place,), {"axis": axis, "keepdims": keepdims}), reduced(shape, axis, keepdims)
    if kind == "scan" and shape:
        return Step(draw(st.sampled_from(SCANS)) if 0 not in shape else "cumsum", (place,), {"axis": axis}), shape
    if kind == "index" and shape:
        index = draw(indices(shape))
        return Step("getitem", (place,), {"index": index}), np.empty(shape)[index].shape
    return draw(rearranged(known, place, fitting))


@st.composite
def rearranged(
    draw: st.DrawFn, known: Sequence[tuple[int, ...]], place: int, fitting: Sequence[int]
) -> tuple[Step, tuple[int, ...]]:
    shape = known[place]
    size = int(np.prod(shape))
    choice = draw(
        st.sampled_from(["reshape", "transpose", "stack", "concatenate", "twice", "roll", "where", "pad", "tile"])
    )
    if choice == "transpose":
        return Step("transpose", (place,)), shape[::-1]
    if choice == "stack":
        return Step("stack", (place,)), (*shape, 3)
    if choice == "concatenate":
        other = draw(st.integers(0, len(known) - 1))
        return Step("concatenate", (place, other)), (size + int(np.prod(known[other])),)
    if choice == "twice":
        return Step("same_twice", (place,)), (2 * size,)
    if choice == "roll":
        return Step("roll", (place,), {"shift": draw(st.integers(-3, 3))}), shape
    if choice == "where":
        other = draw(st.sampled_from(fitting))
        out = np.broadcast_shapes(shape, known[other])
        mask = draw(hnp.arrays(bool, out))
        return Step("where", (place, other), {"mask": mask}), out
    if choice == "pad" and shape and 0 not in shape:
        mode = draw(st.sampled_from(["constant", "edge", "wrap", "symmetric"]))
        return Step("pad", (place,), {"width": 1, "mode": mode}), tuple(n + 2 for n in shape)
    if choice == "tile":
        return Step("tile", (place,), {"reps": (2, 1)}), np.tile(np.empty(shape), (2, 1)).shape
    return Step("reshape", (place,), {"shape": (-1,) if size else (0,)}), (size,)


def fits(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        np.broadcast_shapes(shape, other)
    except ValueError:
        return False
    return True


def reduced(shape: tuple[int, ...], axis: int | None, keepdims: bool) -> tuple[int, ...]:
    return np.sum(np.empty(shape), axis=axis, keepdims=keepdims).shape


def indices(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    basic = hnp.basic_indices(shape, allow_newaxis=True)
    if 0 in shape:
        return basic
    whole = hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))
    return basic | whole | st.lists(st.integers(-shape[0], shape[0] - 1), min_size=1, max_size=4)

"""Random differentiable programs: a few leaves, and operations on what there is so far, drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import SearchStrategy

import tinygrad_np as tg
from tinygrad_np.errors import RangeError
from tinygrad_np.facts.choices import Shape
from tinygrad_np.strategies.spelling import Spelt, spelt
from tinygrad_np.values import Array

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

LARGEST = 60
"""Entries of a value."""


@dataclass(frozen=True, repr=False)
class Step(Spelt):
    """One operation.

    Parameters
    ----------
    op
        Its name.
    operands
        The places of its operands among the leaves and the results of earlier steps.
    given
        What else it is given, by keyword.

    Examples
    --------
    >>> Step("sum", (0,), {"axis": -1})
    Step('sum', (0,), {'axis': -1})
    """

    op: str
    operands: tuple[int, ...]
    given: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        given = f", {spelt(dict(self.given))}" if self.given else ""
        return f"Step({self.op!r}, {self.operands}{given})"


@dataclass(frozen=True, repr=False)
class Program(Spelt):
    """A function of arrays or Tensors, as data, so that a failing one prints and shrinks to the fewest operations.

    Its result is one number: the sum of the last three values, each bent by a sine.

    Parameters
    ----------
    shapes
        Of the leaves.
    steps
        What is computed, one after the other.
    seed
        Of the leaves' entries.

    Examples
    --------
    >>> from tinygrad_np import verify
    >>> program = Program(((2,),), (Step("sin", (0,)), Step("max", (1,), {"axis": 0})), seed=0)
    >>> verify.check_grads(program, *program.leaves()).kinks
    []
    """

    shapes: tuple[Shape, ...]
    steps: tuple[Step, ...]
    seed: int

    def leaves(self) -> list[Array]:
        """Arrays to call the program with; their entries differ from each other and from zero."""
        rng = np.random.default_rng(self.seed)
        return [np.asarray(rng.uniform(0.2, 1.2, shape) * rng.choice([-1, 1], shape)) for shape in self.shapes]

    def __call__(self, *leaves: Any) -> Any:
        values = list(leaves)
        for step in self.steps:
            values.append(_run(step, [values[i] for i in step.operands]))
        return sum((tg.sum(tg.sin(v)) for v in values[-3:]), 0.0)

    def __repr__(self) -> str:
        return f"Program({self.shapes}, {self.steps}, {self.seed})"


def _run(step: Step, operands: Sequence[Any]) -> Any:
    """What a step returns, bent to be between -4 and 4, so that nothing overflows in 50 steps."""
    operation = OPERATIONS.get(step.op) or getattr(tg, step.op)
    result = operation(*operands, **step.given)
    return result / tg.sqrt(1 + result * result / 16)


def _positive(x: Any) -> Any:
    return 1 + x * x


def _of_positive(name: str) -> Callable[..., Any]:
    return lambda x: getattr(tg, name)(_positive(x))


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
    **{f"of_positive_{name}": _of_positive(name) for name in POSITIVE},
}
"""What is not, by the same name, a function of the package."""


def programs(least: int = 5, most: int = 50) -> SearchStrategy[Program]:
    """Random programs of operations that broadcast, reduce, index, rearrange and reuse values.

    Parameters
    ----------
    least, most
        How many steps.

    Returns
    -------
    SearchStrategy
        Of `Program`.

    Raises
    ------
    RangeError
        If there can be no such number of steps.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(programs(1, 9), lambda program: True)
    Program(((),), (Step('sin', (0,)),), 0)
    """
    if not 0 <= least <= most:
        raise RangeError(f"programs: expected 0 <= least <= most, got least={least} and most={most}")
    return _programs(least, most)


@st.composite
def _programs(draw: st.DrawFn, least: int, most: int) -> Program:
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=draw(st.integers(1, 3)), max_dims=3, max_side=3))
    known = [tuple(shape) for shape in shapes.input_shapes]
    steps: list[Step] = []
    while len(steps) < most:
        found = draw(_another(known, len(steps) < least))
        if found is None:
            break
        steps.append(found[0])
        known.append(found[1])
    return Program(tuple(map(tuple, shapes.input_shapes)), tuple(steps), draw(st.integers(0, 2**16)))


@st.composite
def _another(draw: st.DrawFn, known: Sequence[Shape], needed: bool) -> tuple[Step, Shape] | None:
    """One more step and the shape that it returns, or none unless it is needed.

    Its operands are counted from the last value, so that a failing program can lose any of its steps.
    """
    if not draw(st.integers(0, 49)) and not needed:
        return None
    place = len(known) - draw(st.integers(1, min(4, len(known))) | st.integers(1, len(known)))
    step, shape = draw(_step(known, place))
    if np.prod(shape, dtype=int) > LARGEST:
        return Step("mean", (place,), {"axis": None}), ()
    return step, shape


@st.composite
def _step(draw: st.DrawFn, known: Sequence[Shape], place: int) -> tuple[Step, Shape]:
    """A step on the value at `place`, and the shape that it returns."""
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
    fitting = [i for i, other in enumerate(known) if _fits(shape, other)]
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
        return Step(name, (place,), {"axis": axis, "keepdims": keepdims}), _reduced(shape, axis, keepdims)
    if kind == "scan" and shape:
        return Step(draw(st.sampled_from(SCANS)) if 0 not in shape else "cumsum", (place,), {"axis": axis}), shape
    if kind == "index" and shape:
        index = draw(_indices(shape))
        return Step("getitem", (place,), {"index": index}), np.empty(shape)[index].shape
    return draw(_rearranged(known, place, fitting))


@st.composite
def _rearranged(draw: st.DrawFn, known: Sequence[Shape], place: int, fitting: Sequence[int]) -> tuple[Step, Shape]:
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


def _fits(shape: Shape, other: Shape) -> bool:
    try:
        np.broadcast_shapes(shape, other)
    except ValueError:
        return False
    return True


def _reduced(shape: Shape, axis: int | None, keepdims: bool) -> Shape:
    out: Shape = np.sum(np.empty(shape), axis=axis, keepdims=keepdims).shape
    return out


def _indices(shape: Shape) -> SearchStrategy[Any]:
    basic: SearchStrategy[Any] = hnp.basic_indices(shape, allow_newaxis=True)
    if 0 in shape:
        return basic
    whole = hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))
    return basic | whole | st.lists(st.integers(-shape[0], shape[0] - 1), min_size=1, max_size=4)

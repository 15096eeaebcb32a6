"""Classic mistakes, each a wrong rule or forward of a real primitive, and whether they are found and explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

import tinygrad_np as tg
from tinygrad_np import program, verify
from tinygrad_np.facts import known
from tinygrad_np.ops.choice import _clip
from tinygrad_np.primitives import Primitive
from tinygrad_np.verify.subjects import variant

Item = TypeVar("Item")


@dataclass(frozen=True)
class Mistake:
    """A wrong rule (by the name of its argument) or forward of a primitive.

    Parameters
    ----------
    what
        In words.
    of
        The primitive.
    kind
        The diagnosis that is right; None where none is asked for.
    rules, forward, kernel
        What is wrong; see `tinygrad_np.verify.subjects.variant`.
    """

    what: str
    of: Primitive
    kind: str | None
    rules: dict[str, Any]
    forward: Any = None
    kernel: Any = None


def _wrong(what: str, of: Primitive, kind: str | None = None, /, forward: Any = None, **rules: Any) -> Mistake:
    return Mistake(what, of, kind, rules, forward)


def _axes(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """`shape` with ones in the place of an axis that was reduced."""
    every = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(1 if i in {a % len(shape) for a in every} else n for i, n in enumerate(shape))


def _spread(g: Any, shape: tuple[int, ...], axis: Any, where: Any = True) -> Any:
    return tg.keep_where(tg.broadcast_to(tg.reshape(g, _axes(shape, axis)), shape), where)


def _length(shape: tuple[int, ...], axis: Any) -> float:
    return float(np.prod(shape)) / max(1.0, float(np.prod(_axes(shape, axis))))


def _rounded(g: Any) -> Any:
    return tg.astype(tg.astype(g, np.float32), np.float64) if g.dtype == np.float64 else g


def _zeroed(g: Any, x: Any) -> Any:
    if not isinstance(g, np.ndarray):  # recorded
        return tg.keep_where(g, x > 0)
    g[x <= 0] = 0
    return g


def _own(of: Primitive, argument: str, *given: Any) -> Any:
    rule = of.rules[argument]
    assert rule is not None
    return rule(*given)


def _overwritten(g: Any, x_shape: tuple[int, ...], index: Any) -> Any:
    return tg.set_at(np.zeros(x_shape), index, g)


def _scaled_in_place(x: Any, /) -> Any:
    x *= 2
    return np.tanh(x / 2)


_noise = np.random.default_rng(0)

MISTAKES: tuple[Mistake, ...] = (
    # --- a constant factor
    _wrong("the 2 of the square is forgotten", tg.square, "factor 1/2", x=lambda g, x: g * x),
    _wrong("the 2 of the root is forgotten", tg.sqrt, "factor 2", x=lambda g, out: g / out),
    _wrong(
        "half the squares, whose 1/2 is forgotten",
        tg.l2,
        "factor 2",
        weights=lambda g, weights, weight_decay: [g * 2 * weight_decay * w for w in weights],
    ),
    _wrong("the minus of the cosine is forgotten", tg.cos, "factor -1", x=lambda g, x: g * tg.sin(x)),
    _wrong("the minus of the reciprocal is forgotten", tg.reciprocal, "factor -1", x=lambda g, out: g * out * out),
    _wrong("the minus of the denominator is forgotten", tg.divide, "factor -1", y=lambda g, out, y: g * out / y),
    _wrong("log10 as if it were log", tg.log10, "factor", x=lambda g, x: g / x),
    _wrong("radians for degrees", tg.deg2rad, "factor", x=lambda g: g * (180 / np.pi)),
    _wrong(
        "the degrees of freedom are forgotten",
        tg.var,
        "factor",
        x=lambda g, x, axis, where: _own(tg.var, "x", g, x, axis, 0, 0, where),
    ),
    # --- a length too often, or not at all
    _wrong(
        "the hinge is not divided by N",
        tg.hinge,
        "factor N",
        pred=lambda g, pred, true: tg.keep_where(-true, pred * true < 1) * g,
    ),
    _wrong("the squared error is not divided by N", tg.mse, "factor N", pred=lambda g, pred, true: (pred - true) * g),
    _wrong("the mean is not divided", tg.mean, "factor N", x=lambda g, x_shape, axis: _spread(g, x_shape, axis)),
    _wrong(
        "the sum is divided by its length",
        tg.sum,
        "factor 1/N",
        x=lambda g, x_shape, axis, where: _spread(g, x_shape, axis, where) / _length(x_shape, axis),
    ),
    _wrong(
        "the hinge is divided by N twice",
        tg.hinge,
        "factor 1/N",
        pred=lambda g, pred, true: tg.keep_where(-true, pred * true < 1) * (g / len(pred) ** 2),
    ),
    # --- transposed
    _wrong("a product's gradient, transposed", tg.dense, "transposed", w=lambda g, x: g.T @ x),
    _wrong("a product's gradient by x, transposed", tg.dense, "transposed", x=lambda g, w: w @ g.T),
    _wrong("matrix_transpose is not undone", tg.matrix_transpose, "transposed", x=lambda g: g),
    _wrong("swapaxes is not undone", tg.swapaxes, "transposed", x=lambda g: g),
    _wrong("transpose is done again, not undone", tg.transpose, "transposed", x=lambda g, axes: tg.transpose(g, axes)),
    # --- broadcasting
    _wrong("a bias's gradient is not summed", tg.add_bias, "broadcast not summed", b=lambda g: g),
    _wrong("a layer's bias is not summed over rows", tg.dense, "broadcast not summed", b=lambda g: g),
    _wrong("broadcast_to is not summed back", tg.broadcast_to, "broadcast not summed", x=lambda g: g),
    _wrong("a layer's bias is summed over columns too", tg.dense, "summed twice", b=lambda g: g.sum()),
    _wrong("a bias is summed over all axes", tg.add_bias, "summed twice", b=lambda g: g.sum()),
    # --- terms
    _wrong("tanh without its second term", tg.tanh, "term missing", x=lambda g: g),
    _wrong("sigmoid without its second term", tg.sigmoid, "term missing", x=lambda g, out: g * out),
    _wrong("tan without the 1", tg.tan, "term missing", x=lambda g, out: g * out * out),
    _wrong("softmax without the sum", tg.softmax, "term missing", x=lambda g, out: out * g),
    _wrong("log_softmax without the sum", tg.log_softmax, "term missing", x=lambda g: g),
    _wrong("the squared error without the target", tg.mse, "term missing", pred=lambda g, pred: pred * (g / len(pred))),
    _wrong(
        "sigmoid with its second term doubled", tg.sigmoid, "term doubled", x=lambda g, out: g * out * (1 - 2 * out)
    ),
    _wrong(
        "softmax with its sum doubled",
        tg.softmax,
        "term doubled",
        x=lambda g, out, axis: out * (g - 2 * tg.sum(g * out, axis, keepdims=True)),
    ),
    _wrong("tanh with the other sign", tg.tanh, "term of the wrong sign", x=lambda g, out: g * (1 + out * out)),
    # --- masks
    _wrong("the mask of relu from the wrong side", tg.relu, "mask", x=lambda g, x: tg.keep_where(g, x < 0)),
    _wrong(
        "the mask of the hinge from the wrong side",
        tg.hinge,
        "mask",
        pred=lambda g, pred, true: tg.keep_where(-true, pred * true > 1) * (g / len(pred)),
    ),
    _wrong(
        "clip passes on what is outside",
        _clip,
        "mask",
        x=lambda g, x, low, high: tg.keep_where(g, tg.logical_or(x < low, x > high)),
    ),
    _wrong(
        "a mask that is inverted",
        tg.keep_where,
        "mask",
        x=lambda g, condition: tg.keep_where(g, tg.logical_not(condition)),
    ),
    _wrong("relu without its mask", tg.relu, "mask missing", x=lambda g: g),
    _wrong("clip without its mask", _clip, "mask missing", x=lambda g: g),
    _wrong(
        "all of a window takes the gradient",
        tg.max_pool2d,
        "mask missing",
        x=lambda g, x_shape: tg.repeat(tg.repeat(g, x_shape[-2] // g.shape[-2], -2), x_shape[-1] // g.shape[-1], -1),
    ),
    # --- dtypes
    _wrong("computed in single precision", tg.exp, "dtype", x=lambda g, out: _rounded(g * out)),
    _wrong(
        "a product in single precision", tg.matmul, "dtype", w=lambda g, x, w: _rounded(_own(tg.matmul, "w", g, x, w))
    ),
    # --- another argument's
    _wrong("both factors take one gradient", tg.multiply, "other argument", x=lambda g, x: g * x),
    _wrong("x and y of arctan2 are swapped", tg.arctan2, "other argument", y=tg.arctan2.rules["x"]),
    _wrong("x and y of hypot are swapped", tg.hypot, "other argument", x=lambda g, out, y: g * y / out),
    _wrong("base and exponent are swapped", tg.power, "other argument", x=tg.power.rules["y"]),
    # --- the incoming gradient
    _wrong("the incoming gradient is ignored", tg.sin, "g ignored", x=lambda g, x: tg.cos(x)),  # noqa: ARG005
    _wrong("the square's incoming gradient is ignored", tg.square, "g ignored", x=lambda g, x: 2 * x),  # noqa: ARG005
    _wrong("a product ignores it", tg.dense, "g ignored", w=lambda g, x: x.T @ np.ones(g.shape, g.dtype)),
    _wrong(
        "the mean ignores it",
        tg.mean,
        "g ignored",
        x=lambda g, x_shape, axis: _spread(np.ones(g.shape, g.dtype) / _length(x_shape, axis), x_shape, axis),
    ),
    # --- the output for the input
    _wrong("the sine's slope at its result", tg.sin, "from output", x=lambda g, out: g * tg.cos(out)),
    _wrong("the square's slope at its result", tg.square, "from output", x=lambda g, out: g * 2 * out),
    _wrong("the sign of the absolute value", tg.absolute, x=lambda g, out: g * tg.sign(out)),
    _wrong("exp of exp", tg.exp, "from output", x=lambda g, out: g * tg.exp(out)),
    _wrong("the root's slope at its result", tg.sqrt, "from output", x=lambda g, out: g / (2 * tg.sqrt(out))),
    # --- what comes in is changed
    _wrong("relu writes into the incoming gradient", tg.relu, "input modified", x=_zeroed),
    _wrong("a forward that works in place", tg.tanh, "input modified", forward=_scaled_in_place),
    # --- places
    _wrong("entries stay where sorting put them", tg.sort, "places", a=lambda g, a: tg.reshape(g, a.shape)),
    _wrong("roll is done again, not undone", tg.roll, "places", x=lambda g, shift, axis: tg.roll(g, shift, axis)),
    _wrong("flip is not undone", tg.flip, "places", x=lambda g: g),
    _wrong(
        "the kernel of a convolution is turned",
        tg.conv2d,
        "places",
        kernel=lambda g, x, kernel_shape, padding: tg.flip(
            _own(tg.conv2d, "kernel", g, x, kernel_shape, padding), (-2, -1)
        ),
    ),
    # --- found, with no diagnosis asked for
    _wrong("an entry that is read twice counts once", tg.getitem, x=_overwritten),
    _wrong("sums from the wrong end", tg.cumsum, x=lambda g, x_shape, axis: tg.reshape(tg.cumsum(g, axis), x_shape)),
    _wrong("the larger takes all, at ties too", tg.maximum, x=lambda g, x, y: tg.keep_where(g, x >= y)),
    _wrong("the smaller takes the gradient", tg.maximum, x=lambda g, x, y: tg.keep_where(g, x < y)),
    _wrong("relu has a slope at zero", tg.relu, x=lambda g, x: tg.keep_where(g, x >= 0)),
    _wrong("the hypotenuse of nothing is nan", tg.hypot, x=lambda g, out, x: g * x / out),
    _wrong(
        "the product through a division",
        tg.prod,
        x=lambda g, x, out, axis, where: _spread(g * tg.reshape(out, g.shape), x.shape, axis, where) / x,
    ),
    _wrong("sigmoid overflows far out", tg.sigmoid, x=lambda g, x: g * tg.exp(-x) / (1 + tg.exp(-x)) ** 2),
    _wrong("a slope that is no function of x", tg.square, x=lambda g, x: g * 2 * tg.stop_gradient(x)),
    _wrong("a mask that is drawn anew", tg.dropout_mask, x=lambda g, mask: g * mask * (1 + _noise.random())),
    _wrong("the order in memory is taken for that of entries", tg.copy, x=lambda g: np.ravel(g, "K").reshape(g.shape)),
    _wrong("a forward that loses its last digits", tg.exp, forward=lambda x, /: np.exp(x) * (1 + 1e-9)),
    _wrong("a forward of another function", tg.expm1, forward=lambda x, /: np.exp(x)),
    _wrong("a rule that is a little off", tg.arctan, x=lambda g, x: g * (1 + 1e-7) / (1 + x * x)),
)
"""All of them; those with a `kind` are the ones that must be diagnosed."""


class Row(NamedTuple):
    """What became of one mistake over some seeds."""

    mistake: str
    function: str
    expected: str | None  # the diagnosis
    seeds: int
    caught: int
    check: str  # that caught it, most often
    right: int  # diagnoses, as expected
    wrong: int  # others

    @property
    def is_good(self) -> bool:
        """Caught for each seed, and never explained wrongly."""
        return self.caught == self.seeds and not self.wrong


def try_mistake(number: int, seeds: int) -> Row:
    """Check the mistake with this number, once for each seed."""
    mistake = MISTAKES[number]
    wrong = variant(mistake.of, mistake.rules, mistake.forward, mistake.kernel)
    checks, kinds = list[str](), list[str]()
    for seed in range(seeds):
        try:
            verify.primitive(wrong, facts=known[mistake.of], seed=seed)
        except verify.GradientMismatch as error:
            checks.append(error.check)
            kinds += [error.diagnosis.kind] if error.diagnosis else []
    right = kinds.count(mistake.kind) if mistake.kind else 0
    most = max(checks, key=checks.count, default="-")
    return Row(mistake.what, str(mistake.of), mistake.kind, seeds, len(checks), most, right, len(kinds) - right)


def false_alarms(number: int, seeds: int) -> list[str]:
    """What is said of the function with this number in `known`, all of whose rules are right: nothing, one hopes."""
    function, said = list(known)[number], []
    for seed in range(seeds):
        try:
            verify.primitive(function, seed=seed)
        except verify.GradientMismatch as error:
            said.append(f"seed {seed}: {error}")
    return said


def run(work: Callable[[int, int], Item], numbers: Sequence[int], seeds: int, jobs: int) -> Iterator[Item]:
    """What `work` returns for each of the numbers, found by some processes."""
    if jobs == 1:
        yield from (work(number, seeds) for number in numbers)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(work, numbers, [seeds] * len(numbers))


def table(rows: Sequence[Row]) -> str:
    """The rows as text, and how many mistakes were caught and explained."""
    lines = [("mistake", "in", "caught", "by the check", "diagnosis", "right", "wrong")]
    for row in rows:
        right = f"{row.right} of {row.seeds}" if row.expected else "-"
        caught = f"{row.caught} of {row.seeds}"
        lines.append((row.mistake, row.function, caught, row.check, row.expected or "-", right, str(row.wrong)))
    told = [row for row in rows if row.expected]
    good, asked = sum(row.right for row in told), sum(row.seeds for row in told)
    total = f"{len(rows)} mistakes, caught {sum(r.caught for r in rows)} of {sum(r.seeds for r in rows)} times; "
    total += f"{good} of {asked} diagnoses right ({good / max(1, asked):.1%}), {sum(r.wrong for r in rows)} wrong"
    return f"{program.table(lines)}\n{total}"

"""Hold gradients against differences of values: along random directions, argument by argument, and once more on top."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinygrad_np as tg

Array = np.ndarray[Any, np.dtype[Any]]


class GradientMismatch(AssertionError):
    """A gradient that does not agree with the differences of the values."""


def slope(f: Callable[[float], float], step: float = 1e-3) -> float:
    """The derivative of `f` at 0 by central differences, extrapolated twice (Richardson): an error of order step**6."""
    d = [(f(h) - f(-h)) / (2 * h) for h in (step, step / 2, step / 4)]
    e = [(4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3]
    return (16 * e[1] - e[0]) / 15


def check_gradients(
    function: Callable[..., tg.Tensor],
    arguments: Sequence[Array],
    rng: np.random.Generator,
    order: int = 2,
    directions: int = 3,
    rtol: float = 1e-7,
) -> None:
    """Raise `GradientMismatch` unless the gradients of `function` up to `order` agree with its values.

    `arguments` are float64 arrays, at a point around which the function is smooth. Along each random direction in each
    argument the slope of a random combination of the results must be what the gradient says, to `rtol` of the terms.
    """
    out = function(*map(tg.tensor, arguments))
    weights = rng.normal(size=out.shape)

    def combined(*arrays: Array) -> float:
        return float((weights * function(*map(tg.tensor, arrays)).numpy()).sum())

    leaves = [tg.tensor(a, requires_grad=True) for a in arguments]
    result = function(*leaves)
    gradients = tg.grad(result, leaves, seed=weights)
    for i, (argument, gradient) in enumerate(zip(arguments, gradients, strict=True)):
        if gradient.shape != argument.shape or gradient.dtype != argument.dtype:
            raise GradientMismatch(f"argument {i}: gradient {gradient.dtype} {gradient.shape} for {argument.shape}")
        for _ in range(directions if argument.size else 0):
            direction = rng.normal(size=argument.shape)

            def moved(step: float, i: int = i, direction: Array = direction) -> float:
                arrays = list(arguments)
                arrays[i] = arguments[i] + step * direction
                return combined(*arrays)

            terms = gradient.numpy() * direction
            analytic, numeric = float(terms.sum()), slope(moved)
            noise = 1e-11 * (1 + np.abs(weights * result.numpy()).sum())  # rounding, divided by the step
            if not abs(analytic - numeric) <= rtol * np.abs(terms).sum() + noise:
                raise GradientMismatch(
                    f"order {3 - order}, argument {i}: the gradient says {analytic}, differences say {numeric} along "
                    f"{direction} at {arguments}"
                )
    if order > 1:
        mixes = [rng.normal(size=a.shape) for a in arguments]

        def gradient_mix(*tensors: tg.Tensor) -> tg.Tensor:
            live = [t if t.requires_grad else tg.tensor(t, requires_grad=True) for t in tensors]
            parts = tg.grad(function(*live), live, seed=weights, create_graph=True)
            return sum(((part * mix).sum() for part, mix in zip(parts, mixes, strict=True)), tg.tensor(0.0))

        check_gradients(gradient_mix, arguments, rng, order - 1, directions, rtol)

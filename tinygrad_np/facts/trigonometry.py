"""Circular and hyperbolic functions, their inverses, and sinc."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

import tinygrad_np as tg
from tinygrad_np.facts.common import Convention, Facts, Shapes, Trial, unary
from tinygrad_np.ops.trigonometry import _secant, _sinc_derivative
from tinygrad_np.values import Array


def inside_one(rng: Generator, shapes: Shapes) -> list[Array]:
    """Entries between -0.8 and 0.8."""
    return [rng.uniform(-0.8, 0.8, shape) for shape in shapes]


def above_one(rng: Generator, shapes: Shapes) -> list[Array]:
    """Entries between 1.3 and 3."""
    return [rng.uniform(1.3, 3, shape) for shape in shapes]


def between_poles(rng: Generator, shapes: Shapes) -> list[Array]:
    """Entries between -1.2 and 1.2, where the tangent has no pole."""
    return [rng.uniform(-1.2, 1.2, shape) for shape in shapes]


NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)


def sinc_slope(x: Array, order: int) -> Array:
    """The derivative under the integral: sinc(x) is the mean of cos(pi * x * t) for t from 0 to 1."""
    t = np.pi * (NODES + 1) / 2
    slopes: Array = (t**order * np.cos(np.multiply.outer(x, t) + order * np.pi / 2)) @ (WEIGHTS / 2)
    return slopes.astype(np.result_type(x, np.float16))


NEAR_ONE = 1 - 2.0**-40  # its square needs more digits than there are
LEFT = 2.0**-40 * (2 - 2.0**-40)  # 1 - NEAR_ONE**2

FACTS: dict[object, Facts] = {
    # circular functions
    tg.sin: unary(np.sin, analytic=True, conventions=[Convention(([0.0],), ([1.0],))]),
    tg.cos: unary(np.cos, analytic=True, conventions=[Convention(([-0.0],), ([0.0],))]),
    tg.tan: unary(np.tan, between_poles, analytic=True),
    tg.arcsin: unary(
        np.arcsin,
        inside_one,
        analytic=True,
        conventions=[Convention(([NEAR_ONE, 0.0, -NEAR_ONE],), ([LEFT**-0.5, 1.0, LEFT**-0.5],))],
    ),
    tg.arccos: unary(
        np.arccos,
        inside_one,
        analytic=True,
        conventions=[Convention(([NEAR_ONE, 0.0, -NEAR_ONE],), ([-(LEFT**-0.5), -1.0, -(LEFT**-0.5)],))],
    ),
    tg.arctan: unary(
        np.arctan,
        analytic=True,
        conventions=[Convention(([np.inf, -1e300, 1e100, 1.0, 0.0],), ([0.0, 0.0, 1e-200, 0.5, 1.0],))],
    ),
    _secant: unary(
        lambda x: np.sqrt(1 + x**2), conventions=[Convention(([np.inf, -1e300, 0.0],), ([1.0, -1.0, 0.0],))]
    ),
    # hyperbolic functions
    tg.sinh: unary(np.sinh, analytic=True, conventions=[Convention(([0.0],), ([1.0],))]),
    tg.cosh: unary(np.cosh, analytic=True, conventions=[Convention(([-0.0],), ([0.0],))]),
    tg.arcsinh: unary(
        np.arcsinh, analytic=True, conventions=[Convention(([np.inf, -1e300, 0.0],), ([0.0, 1e-300, 1.0],))]
    ),
    tg.arccosh: unary(
        np.arccosh,
        above_one,
        analytic=True,
        zeros="pole",
        ties="pole",
        conventions=[Convention(([np.inf, 1e300, 1 + 2.0**-52],), ([0.0, 1e-300, 2**25.5],))],
    ),
    tg.arctanh: unary(
        np.arctanh,
        inside_one,
        analytic=True,
        conventions=[Convention(([NEAR_ONE, 0.0, -NEAR_ONE],), ([1 / LEFT, 1.0, 1 / LEFT],))],
    ),
    # sinc
    tg.sinc: unary(
        np.sinc,
        analytic=True,
        conventions=[Convention(([0.0, -0.0, 1e-300],), ([0.0, 0.0, -(np.pi**2) / 3 * 1e-300],))],
    ),
    _sinc_derivative: Facts(
        sinc_slope,
        lambda some: Trial((some.shape(),), (some.integer(1, 4),)),
        base=Trial(((2, 3),), (1,)),
        scalar=Trial(((),), (2,)),
        empty=Trial(((0, 3),), (3,)),
        broadcast=Trial(((2, 3),), (4,)),
        analytic=True,
        conventions=[Convention(([0.0],), ([-(np.pi**2) / 3],), (1,)), Convention(([0.0],), ([np.pi**4 / 5],), (3,))],
        more=[Trial(((2, 3),), (order,)) for order in (2, 3, 4)],
        exact=1e-12,
    ),
    # degrees and radians
    tg.deg2rad: unary(np.deg2rad, conventions=[Convention(([0.0],), ([np.pi / 180],))]),
    tg.rad2deg: unary(np.rad2deg, conventions=[Convention(([0.0],), ([180 / np.pi],))]),
}

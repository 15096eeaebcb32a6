"""Exponentials, logarithms, powers and their kin."""

from __future__ import annotations

import math

import numpy as np

import tinygrad_np as tg
from tinygrad_np.errors import ArgumentError, DtypeError
from tinygrad_np.facts.common import Convention, Facts, off_zero, positive, unary

HUGE = 1e308

FACTS: dict[object, Facts] = {
    # exponentials
    tg.exp2: unary(
        np.exp2,
        analytic=True,
        conventions=[Convention(([-2000.0, 0.0, 3.0],), ([0.0, math.log(2), 8 * math.log(2)],))],
        refusals=[(([1.0], np.ones(1)), ArgumentError, "exp2: ")],
    ),
    tg.expm1: unary(
        np.expm1, analytic=True, conventions=[Convention(([-2000.0, -40.0, 0.0],), ([0.0, math.exp(-40), 1.0],))]
    ),
    tg.softplus: unary(
        lambda x: np.log1p(np.exp(x)), conventions=[Convention(([1e300, 0.0, -1e300],), ([1.0, 0.5, 0.0],))]
    ),
    # logarithms
    tg.log2: unary(
        np.log2,
        positive,
        analytic=True,
        zeros="pole",
        conventions=[Convention(([HUGE, 1.0],), ([1 / math.log(2) / HUGE, 1 / math.log(2)],))],
    ),
    tg.log10: unary(
        np.log10,
        positive,
        analytic=True,
        zeros="pole",
        conventions=[Convention(([HUGE, 1.0],), ([1 / math.log(10) / HUGE, 1 / math.log(10)],))],
    ),
    tg.log1p: unary(
        np.log1p,
        positive,
        analytic=True,
        conventions=[Convention(([-0.0, 1e-300, -1e-300, 2**-53 - 1],), ([1.0, 1.0, 1.0, 2.0**53],))],
    ),
    # powers
    tg.square: unary(np.square, analytic=True, conventions=[Convention(([-0.0, -1e150],), ([0.0, -2e150],))]),
    tg.cbrt: unary(
        np.cbrt, off_zero, zeros="pole", conventions=[Convention(([-8.0, 1e-300],), ([1 / 12, 1e200 / 3],))]
    ),
    tg.reciprocal: unary(
        np.reciprocal,
        off_zero,
        analytic=True,
        zeros="pole",
        conventions=[Convention(([-4.0, 1e200],), ([-1 / 16, 0.0],))],
    ),
    # the error function
    tg.erf: unary(
        lambda x: np.vectorize(math.erf, otypes=[np.result_type(x, np.float16)])(x),
        conventions=[Convention(([0.0, 1e300, -1e300, np.inf],), ([2 / math.sqrt(math.pi), 0.0, 0.0, 0.0],))],
        refusals=[((np.array([1j]),), DtypeError, "erf: expected real numbers, got complex128")],
    ),
}

"""What the registry's tests do not see of functions of one entry: float types, far ends, orders above the second."""

import math

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np import verify
from tinygrad_np.facts import exponentials, trigonometry

FUNCTIONS = [*exponentials.FACTS, *trigonometry.FACTS]
PUBLIC = [f for f in FUNCTIONS if not str(f).startswith("_")]
ABOVE_ONE = ("arccosh", "_secant")


def derivatives(f, x, order):
    """The first derivatives of `f` at each entry, up to an order."""
    leaf = tg.tensor(x, requires_grad=True)
    results = [f(leaf)]
    for _ in range(order):
        results.append(tg.grad(results[-1], leaf, seed=np.ones(leaf.shape), create_graph=True))
    return [r.numpy() for r in results[1:]]


def points(f):
    return np.linspace(1.25, 1.75, 5) if str(f) in ABOVE_ONE else np.linspace(0.125, 0.875, 7)


@pytest.mark.parametrize("f", PUBLIC, ids=str)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_every_float_type_stays_what_it_is_and_has_its_accuracy(f, dtype):
    """Against float64, or for longdouble as exact as float64 is; the first two derivatives too."""
    x = points(f)
    tolerance = 30 * max(np.finfo(dtype).eps, np.finfo(float).eps)
    for got, expected in zip(
        [f(x.astype(dtype)), *derivatives(f, x.astype(dtype), 2)], [f(x), *derivatives(f, x, 2)], strict=True
    ):
        assert got.dtype == dtype
        np.testing.assert_allclose(got.astype(float), expected, tolerance, tolerance)


LN = np.log(np.arange(11, dtype=np.longdouble)[1:])
HALF_TURN = np.arccos(np.longdouble(-1))


@pytest.mark.parametrize(
    ("f", "exact"),
    [
        (tg.exp2, lambda x: np.exp2(x) * LN[1]),
        (tg.log2, lambda x: 1 / (x * LN[1])),
        (tg.log10, lambda x: 1 / (x * LN[9])),
        (tg.deg2rad, lambda x: HALF_TURN / 180 + 0 * x),
        (tg.rad2deg, lambda x: 180 / HALF_TURN + 0 * x),
    ],
    ids=["exp2", "log2", "log10", "deg2rad", "rad2deg"],
)
def test_constants_of_rules_are_as_exact_as_longdouble(f, exact):
    x = points(f).astype(np.longdouble)
    np.testing.assert_allclose(derivatives(f, x, 1)[0], exact(x), 8 * np.finfo(np.longdouble).eps, 0)


FAR_OUT = {
    tg.arctan: lambda x: 1 / (1 + x**2),
    tg.arcsinh: lambda x: 1 / np.sqrt(1 + x**2),
    tg.arccosh: lambda x: 1 / np.sqrt(x**2 - 1),
    tg.log2: lambda x: 1 / (x * np.log(2)),
    tg.log10: lambda x: 1 / (x * np.log(10)),
    tg.log1p: lambda x: 1 / (1 + x),
    tg.cbrt: lambda x: 1 / (3 * np.cbrt(x) ** 2),
    tg.softplus: lambda x: 1 + 0 * x,
    tg.erf: lambda x: 0 * x,
}


@pytest.mark.parametrize("f", FAR_OUT, ids=str)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_slopes_are_right_and_without_warning_up_to_the_largest_numbers(f, dtype):
    """Where a square of an entry would overflow; the second derivative, which is about 0, is finite too."""
    x = np.geomspace(300, float(np.finfo(dtype).max), 30, dtype=float).astype(dtype)[:-1]
    first, second = derivatives(f, x, 2)
    resolution = float(np.finfo(dtype).smallest_subnormal)
    np.testing.assert_allclose(first, FAR_OUT[f](x.astype(float)), 4 * np.finfo(dtype).eps, 2 * resolution)
    assert np.isfinite(second).all()


INFINITE = [
    (tg.log2, [0.0], [np.inf]),
    (tg.log10, [0.0], [np.inf]),
    (tg.log1p, [-1.0], [np.inf]),
    (tg.cbrt, [0.0], [np.inf]),
    (tg.reciprocal, [0.0], [-np.inf]),
    (tg.arcsin, [-1.0, 1.0], [np.inf, np.inf]),
    (tg.arccos, [-1.0, 1.0], [-np.inf, -np.inf]),
    (tg.arccosh, [1.0], [np.inf]),
    (tg.arctanh, [-1.0, 1.0], [np.inf, np.inf]),
]


@pytest.mark.parametrize(("f", "x", "expected"), INFINITE, ids=str)
def test_slopes_at_the_ends_of_domains_are_infinite(f, x, expected):
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(derivatives(f, np.array(x), 1)[0], expected)


def test_erf_is_that_of_the_standard_library_to_the_last_digits():
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [rng.uniform(-7, 7, 20_000), 10.0 ** rng.uniform(-300, 0, 5_000), [0.5, np.nextafter(0.5, 0), 6.0]]
    )
    expected = np.array([math.erf(v) for v in x])
    assert (np.abs(tg.erf(x) - expected) <= 4 * np.spacing(np.abs(expected))).all()
    np.testing.assert_array_equal(tg.erf([-np.inf, -30.0, -0.0, 0.0, 30.0, np.inf]), [-1, -1, 0, 0, 1, 1])
    assert np.signbit(tg.erf(-0.0))
    assert np.isnan(tg.erf(np.nan))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, bool])
def test_erf_gives_integers_the_float_type_that_numpy_does(dtype):
    assert tg.erf(np.ones(2, dtype)).dtype == np.exp(np.ones(2, dtype)).dtype


def test_sinc_has_all_its_derivatives_at_zero():
    """1 - (pi x)^2 / 3! + (pi x)^4 / 5! - ..., differentiated term by term."""
    got = [d[0] for d in derivatives(tg.sinc, np.array([0.0]), 8)]
    expected = [0.0 if n % 2 else (-1) ** (n // 2) * math.pi**n / (n + 1) for n in range(1, 9)]
    np.testing.assert_allclose(got, expected, 1e-14, 0)


def test_sinc_has_smooth_derivatives_where_series_and_recurrence_meet():
    x = np.concatenate([np.linspace(-3, 3, 25), 10.0 ** -np.arange(1, 20)])
    assert not verify.check_grads(tg.sinc, x, order=7).kinks

"""The checker is trusted only because it rejects what is wrong by little."""

import numpy as np
import pytest

import tinygrad_np as tg
from tests.checker import GradientMismatch, check_gradients, slope


def wrong(forward, **rules):
    """A primitive with these rules, called as a function of Tensors."""
    made = tg.primitive(forward)
    made.def_vjp(**rules)
    return made


def product(x, w, /):
    return x @ w


def square(x, /):
    return x * x


def average(x, /):
    return np.mean(x)


x_rule, w_rule = (lambda g, w: g @ tg.swapaxes(w, -1, -2)), (lambda g, x: tg.swapaxes(x, -1, -2) @ g)
WRONG = {
    "a factor 1.001": (product, {"x": lambda g, w: 1.001 * (g @ tg.swapaxes(w, -1, -2)), "w": w_rule}, 2),
    "a factor 0.999 in the second argument": (product, {"x": x_rule, "w": lambda g, x: 0.999 * (x.T @ g)}, 2),
    "a sign": (product, {"x": lambda g, w: -(g @ tg.swapaxes(w, -1, -2)), "w": w_rule}, 2),
    "a transpose": (product, {"x": lambda g, w: g @ w, "w": w_rule}, 2),
    "a missing 1/N": (average, {"x": lambda g, x_shape: tg.broadcast_to(g, x_shape)}, 1),
    "a missing term": (square, {"x": lambda g, x: g * x}, 1),
    "a rule that reads data": (square, {"x": lambda g, x: g * 2 * tg.stop_gradient(x)}, 1),
    "an ignored incoming gradient": (square, {"x": lambda g, x: 2 * x + 0 * g}, 1),
}


@pytest.mark.parametrize("mistake", WRONG)
@pytest.mark.parametrize("seed", range(20))
def test_a_wrong_rule_is_rejected(mistake, seed):
    forward, rules, count = WRONG[mistake]
    rng = np.random.default_rng(seed)
    with pytest.raises(GradientMismatch):
        check_gradients(wrong(forward, **rules), [rng.normal(size=(3, 3)) for _ in range(count)], rng)


@pytest.mark.parametrize("seed", range(20))
def test_a_right_rule_is_accepted(seed):
    rng = np.random.default_rng(seed)
    check_gradients(wrong(product, x=x_rule, w=w_rule), [rng.normal(size=(3, 3)) for _ in range(2)], rng)
    check_gradients(wrong(square, x=lambda g, x: g * 2 * x), [rng.normal(size=(3, 3))], rng)


def test_a_rule_that_reads_data_passes_first_order_alone():
    rng = np.random.default_rng(0)
    cheat = wrong(square, x=lambda g, x: g * 2 * tg.stop_gradient(x))
    check_gradients(cheat, [rng.normal(size=3)], rng, order=1)


def test_differences_are_exact_to_ten_digits():
    assert slope(lambda h: float(np.exp(1 + h))) == pytest.approx(np.e, rel=1e-10)

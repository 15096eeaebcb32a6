"""The checker is trusted only because it finds what is wrong by little, says why, and leaves alone what is right."""

import os
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np import cli, facts, verify
from tinygrad_np.errors import ArgumentError, DtypeError, RangeError, RuleError, ShapeError
from tinygrad_np.facts import Convention, Facts, Trial, known, unary
from tinygrad_np.primitives import Kernel
from tinygrad_np.verify import GradientMismatch, catalogue
from tinygrad_np.verify.catalogue import MISTAKES
from tinygrad_np.verify.differences import Verdict, judge
from tinygrad_np.verify.report import Kink
from tinygrad_np.verify.smallest import smallest
from tinygrad_np.verify.subjects import variant

SEEDS = 50 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 1
RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 5)), RNG.normal(size=5)


def mismatch(check, *args, **options):
    with pytest.raises(GradientMismatch) as caught:
        check(*args, **options)
    return caught.value


# --- differences ------------------------------------------------------------------------------------------------------


def judged(f, claimed, eps=2.2e-16):
    return judge(lambda h: np.array([f(h)]), claimed, abs(claimed), 1.0, eps)


@pytest.mark.parametrize("scale", [1.0, 30.0, 3000.0])
def test_slopes_are_found_whatever_the_scale_of_the_function(scale):
    slope = scale * np.cos(scale)
    assert judged(lambda h: np.sin(scale * (1 + h)), slope).verdict is Verdict.RIGHT
    assert judged(lambda h: np.sin(scale * (1 + h)), slope * (1 + 1e-5)).verdict is Verdict.WRONG


def test_slopes_are_found_near_the_end_of_a_domain():
    with np.errstate(all="ignore"):
        assert judged(lambda h: np.log(1e-5 + h), 1e5).verdict is Verdict.RIGHT
        assert judged(lambda h: np.log(1e-5 + h), 1.001e5).verdict is Verdict.WRONG


@pytest.mark.parametrize("kinked", [np.abs, lambda h: max(h, 0.0), np.sign, lambda h: abs(h) ** 0.5, lambda h: h % 1.0])
def test_kinks_are_told_from_wrong_slopes(kinked):
    assert judged(kinked, 0.7).verdict is Verdict.KINK


def test_a_slope_below_rounding_is_not_judged():
    assert judged(lambda h: 1 + 1e-9 * h, 1.0, eps=1e-3).verdict is not Verdict.RIGHT
    assert judged(lambda h: float(np.float16(1000 + h)), 0.9, eps=1e-3).verdict is not Verdict.WRONG


# --- functions of Tensors ---------------------------------------------------------------------------------------------


def test_what_is_right_is_reported():
    args = X, W, B
    report = verify.check_grads(
        lambda *xwb: tg.tanh(tg.dense(*xwb)), *args, reference=lambda *xwb: np.tanh(dense(*xwb))
    )
    assert report.checks["gradient"] == report.checks["second derivative"] == 9
    assert report.checks["value"] == 1
    assert 0 < report.evaluations < 200
    assert not report.kinks
    assert not report.skipped
    assert str(report).startswith("function: right, by ")


def test_third_derivatives_are_checked_when_asked_for():
    cheat = variant(tg.sin, {"x": lambda g, x: g * twice_right(x)})
    assert verify.check_grads(lambda x: cheat(x), X, order=2)
    assert mismatch(verify.check_grads, lambda x: cheat(x), X, order=3).check == "higher derivative"


@tg.primitive
def twice_right(x, /):
    return np.cos(x)


twice_right.def_vjp(x=lambda g, x: -g * tg.sin(tg.stop_gradient(x)))


def test_a_rule_that_reads_data_is_wrong_in_second_order_alone():
    cheat = variant(tg.square, {"x": lambda g, x: g * 2 * tg.stop_gradient(x)})
    verify.check_grads(cheat, X, order=1)
    error = mismatch(verify.check_grads, cheat, X)
    assert error.check == "second derivative"
    assert error.diagnosis is None


def test_kinks_are_reported_and_hide_nothing():
    x = np.array([[0.0, 1.0], [-1.0, 0.0]])
    report = verify.check_grads(lambda x: tg.relu(x), x)
    assert report.kinks == [Kink("x", (0, 0)), Kink("x", (1, 1))]
    wrong = variant(tg.relu, {"x": lambda g, x: tg.keep_where(g, x > 0) * (1 + 1e-5)})
    error = mismatch(verify.check_grads, wrong, x)
    assert error.index == (0, 1)
    assert (error.wrong, error.entries) == (1, 2)
    assert "#" in str(error)
    assert "?" in str(error)


def test_ties_are_kinks():
    report = verify.check_grads(lambda x: tg.max(x, axis=1), np.array([[1.0, 1.0, 0.0], [3.0, 2.0, 1.0]]))
    assert report.kinks == [Kink("x", (0, 0)), Kink("x", (0, 1))]


def test_a_function_that_detaches_what_it_should_not_is_wrong():
    error = mismatch(verify.check_grads, lambda x: x * tg.stop_gradient(x), X)
    assert error.diagnosis.kind == "factor 1/2"
    error = mismatch(verify.check_grads, lambda x: tg.exp(tg.stop_gradient(x)) + 0 * x, X)
    assert error.diagnosis.kind == "no gradient"


def test_a_function_that_is_random_is_refused_as_such():
    rng = np.random.default_rng(0)
    error = mismatch(verify.check_grads, lambda x: x * rng.random(), X)
    assert error.check == "deterministic"


def test_a_value_is_held_against_a_reference():
    assert mismatch(verify.check_grads, tg.exp, X, reference=np.expm1).check == "value"
    error = mismatch(verify.check_grads, lambda x: tg.sum(x, 1), X, reference=lambda x: x.sum(1, keepdims=True))
    assert "its value has shape (4,), the reference's has (4, 1)" in str(error)


def test_lists_of_results_and_numbers_are_taken():
    verify.check_grads(lambda x, k: [x * 2, tg.sin(x * k)], 0.5, 3)
    verify.check_grads(lambda x: x * 2, tg.tensor(X, requires_grad=True))
    verify.check_grads(lambda x: x * 2, np.zeros((0, 3)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble], ids=lambda d: d.__name__)
def test_steps_fit_the_dtype(dtype):
    x = X.astype(dtype)
    verify.check_grads(lambda x: x * x * x, x)
    verify.check_vjp(lambda x: x * x * x, lambda g, x: (3 * g * x * x).astype(dtype), x)
    wrong = mismatch(verify.check_vjp, lambda x: x * x * x, lambda g, x: (g * x * x).astype(dtype), x)
    assert wrong.check == "gradient"


# --- hand-written pairs -----------------------------------------------------------------------------------------------


def dense(x, w, b):
    return x @ w + b


def dense_vjp(g, x, w, b):
    return g @ w.T, x.T @ g, g.sum(0)


def test_a_right_pair_passes():
    assert verify.check_vjp(dense, dense_vjp, X, W, B).checks["gradient"] == 9
    verify.check_vjp(np.tanh, lambda g, x: g * (1 - np.tanh(x) ** 2), X)


def test_integers_are_constants_whatever_is_returned_for_them():
    rows = np.array([0, 2, 2])

    def vjp(g, x, rows):
        out = np.zeros_like(x)
        np.add.at(out, rows, g)
        return out, None

    verify.check_vjp(lambda x, rows: x[rows], vjp, X, rows)
    verify.check_vjp(lambda x, rows: x[rows], lambda g, x, rows: [vjp(g, x, rows)[0], np.zeros(3)], X, rows)


WRONG = {
    "count": (dense, lambda g, x, w, b: (g @ w.T, x.T @ g), (X, W, B), "expected a list of 3 gradients"),
    "shape": (dense, lambda g, x, w, b: (g @ w.T, x.T @ g, g), (X, W, B), "the gradient of b has shape (4, 5)"),
    "dtype": (np.square, lambda g, x: (2 * g * x).astype(np.float32), (X,), "has dtype float32, expected"),
    "error": (np.square, lambda g, x: g.nothing, (X,), "ends with AttributeError"),
    "layout": (np.square, lambda g, x: 2 * np.ravel(g, "K").reshape(g.shape) * x, (X,), "in Fortran order"),
    "linear in g": (np.square, lambda g, x: 2 * g * x + 1e-9, (X,), "is not linear in the incoming one"),
    "deterministic": (np.square, lambda g, x: 2 * g * x * (1 + 1e-10 * RNG.random()), (X,), "two pulls of the same"),
    "input modified": (np.square, lambda g, x: np.multiply(g, 2 * x, out=g), (X,), "changes the incoming gradient"),
}


@pytest.mark.parametrize("check", WRONG)
def test_what_does_not_hold_is_named(check):
    forward, vjp, args, text = WRONG[check]
    error = mismatch(verify.check_vjp, forward, vjp, *args)
    assert error.check == check
    assert text in str(error)


def test_a_pair_that_computes_in_single_precision_is_told_so():
    error = mismatch(verify.check_vjp, np.exp, lambda g, x: (g * np.exp(x)).astype(np.float32).astype(float), X)
    assert error.diagnosis.kind == "dtype"
    assert "computed in float32" in str(error)


def test_the_error_has_all_that_the_text_says():
    error = mismatch(verify.check_vjp, dense, lambda g, x, w, b: (g @ w.T, 2 * (x.T @ g), g.sum(0)), X, W, B)
    assert (error.name, error.check, error.argument, error.argument_name) == ("dense", "gradient", 1, "w")
    assert error.ratio == pytest.approx(2, rel=1e-6)
    assert error.analytic == pytest.approx(2 * error.numeric, rel=1e-6)
    assert error.wrong == error.entries == W.size
    assert error.where.shape == W.shape
    assert error.where[error.index]
    assert error.diagnosis.kind == "factor 2"
    assert [a.shape for a in error.smallest.arrays] == [(1, 1), (1, 1), (1,)]
    assert error.smallest.analytic == 2 * error.smallest.arrays[0]
    for part in ("dense: the gradient of w is wrong", "15 of 15 entries", "#####", "2 times", "smallest failing input"):
        assert part in str(error)


def test_the_error_survives_pickling():
    error = mismatch(verify.check_vjp, np.square, lambda g, x: g * x, X)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_mistake_is_told_without_an_explanation_if_none_is_asked_for():
    wrong = variant(tg.square, {"x": lambda g, x: g * x})
    error = mismatch(verify.check_grads, wrong, X, explain=False)
    assert (error.ratio, error.diagnosis, error.smallest) == (pytest.approx(0.5), None, None)
    error = mismatch(verify.primitive, wrong, facts=known[tg.square], explain=False)
    assert (error.diagnosis, error.smallest) == (None, None)


def test_large_arrays_and_deep_ones_are_shown_in_part():
    def vjp(g, x):
        out = 2 * g * x
        out[1, 0, 5] *= 2
        return out

    error = mismatch(verify.check_vjp, np.square, vjp, np.random.default_rng(0).normal(size=(2, 20, 80)) + 3)
    assert error.index == (1, 0, 5)
    assert error.wrong == 1
    assert "in [1, ...]" in str(error)
    assert "..." in str(error)


def test_one_wrong_entry_of_many_is_found_on_a_small_budget():
    def vjp(g, x):
        out = 2 * g * x
        out[777] *= 1.01
        return out

    error = mismatch(verify.check_vjp, np.square, vjp, np.linspace(1, 2, 5000), budget=200)
    assert error.index == (777,)


def test_what_the_budget_is_too_small_for_is_said():
    report = verify.check_grads(tg.sin, X, budget=10)
    assert report.skipped == ["what comes after 10 evaluations, which is the budget"]
    assert str(report).startswith("sin: nothing wrong found, not all checked")
    assert report.evaluations <= 10


def test_a_gradient_of_nan_is_wrong():
    error = mismatch(verify.check_vjp, np.square, lambda g, x: 2 * g * x / np.where(x > 0, 1, np.nan), X)
    assert np.isnan(error.analytic)
    assert error.diagnosis.kind == "not finite"


# --- what is right is left alone, and what is wrong does not slip through ---------------------------------------------


RIGHT = {
    "a slope that bends": (
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda g, x: g * np.where(x > 0, 1, np.exp(np.minimum(x, 0))),
        [np.array([0.0, 1.0, -1.0])],
    ),
    "pixels in single precision": (
        lambda x, b: (x * x).sum(1) + b,
        lambda g, x, b: (2 * g[:, None] * x, g),
        [np.arange(40, dtype=np.float32).reshape(2, 20) * 6, np.array([0.3, -1.2], np.float32)],
    ),
    "a small slope on a large value": (
        lambda x, b: x * x + b,
        lambda g, x, b: (2 * g * x, g),
        [np.array([1e7]), np.ones(1)],
    ),
    "faster than any step": (np.sin, lambda g, x: g * np.cos(x), [np.array([1e8, 1.0])]),
    "infinite at an end": (np.sqrt, lambda g, x: g / (2 * np.sqrt(x)), [np.array([0.0, 1.0])]),
    "nothing but nan": (np.sqrt, lambda g, x: g * x, [np.array([-1.0, -2.0])]),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_differences_cannot_tell_is_no_mistake(case):
    forward, vjp, args = RIGHT[case]
    with np.errstate(all="ignore"):
        verify.check_vjp(forward, vjp, *args)


def test_second_derivatives_that_jump_are_kinks():
    report = verify.check_grads(
        lambda x: tg.where(tg.absolute(x) < 1, x * x / 2, tg.absolute(x) - 0.5), [1.0, 0.2, 3.0]
    )
    assert report.kinks == [Kink("x", (0,))]
    verify.check_grads(lambda x, w: (tg.relu(x @ w) ** 2).sum(), np.zeros((2, 3)), np.ones((3, 2)))


def test_arguments_of_two_precisions_are_held_to_the_coarser():
    verify.check_grads(lambda x, w: tg.tanh(x @ w), X[:3].astype(np.float32), X[:3])


def test_the_directions_are_not_the_users_own_numbers():
    x, w = (np.random.default_rng(0).normal(size=(3, 3)) for _ in range(2))
    mismatch(verify.check_vjp, lambda x, w: x @ w, lambda g, x, w: (g @ w.T, (x.T @ g).T), x, w)


def test_small_entries_do_not_hide_behind_large_ones():
    wrong = np.array([1e5, 1.0, 2.0])
    error = mismatch(verify.check_vjp, lambda x: (x * x).sum(), lambda g, x: g * np.where(x < 10, 100, 2) * x, wrong)
    assert error.where.tolist() == [False, True, True]


def test_a_disagreement_counts_though_the_budget_ends():
    error = mismatch(verify.check_vjp, np.square, lambda g, x: g * x, np.ones(6) * 0.3, budget=20)
    assert "along a direction it says" in str(error)


def test_a_forward_that_works_in_place_is_told_so():
    error = mismatch(verify.check_vjp, lambda x: np.maximum(x, 0, out=x), lambda g, x: g, np.array([1.0, -2.0]))
    assert error.diagnosis.kind == "input modified"


def test_a_pair_may_store_what_it_uses_and_functions_may_assert():
    class Square:
        def forward(self, x):
            assert (x < 10).all()
            self.x = x
            return x * x

        def backward(self, g):
            return 2 * g * self.x

    layer = Square()
    verify.check_vjp(layer.forward, lambda g, x: layer.backward(g), np.array([9.99999, 1.0]))


def test_arguments_without_a_gradient_are_named():
    report = verify.check_vjp(lambda x, b: x * b, lambda g, x, b: (g * b, None), X, X)
    assert report.constants == ["b"]
    assert "constants: b" in str(report)


def test_masks_are_told_from_constants_by_other_inputs():
    error = mismatch(verify.check_vjp, lambda x: np.maximum(x, 0), lambda g, x: g * (x < 0), np.array([1.0, 2, 3, 4]))
    assert error.diagnosis.kind == "mask"


def test_an_axis_is_named_only_if_it_is_the_one():
    error = mismatch(verify.check_vjp, lambda x: x.mean(-1), lambda g, x: g[..., None] + 0 * x, RNG.normal(size=(4, 4)))
    assert "the length of x along axis 1" in error.diagnosis.text


def test_terms_are_not_named_where_sums_look_alike():
    def softmax(x):
        return np.exp(x) / np.exp(x).sum()

    error = mismatch(verify.check_vjp, softmax, lambda g, x: g * softmax(x), RNG.normal(size=5))
    assert error.diagnosis == ("term missing", "a term is missing")


@pytest.mark.parametrize("found", [{"x": 1}, "text", None, [None, None]], ids=str)
def test_what_is_no_gradient_is_told_so(found):
    with pytest.raises((GradientMismatch, ArgumentError)):
        verify.check_vjp(np.square, lambda g, x: found, X)


def test_options_of_a_primitive_count_however_it_is_made():
    assert tg.primitive(lambda x, y, /: x + y, broadcasts=True).broadcasts


# --- primitives -------------------------------------------------------------------------------------------------------


@tg.primitive
def cube(x, /):
    return x**3


cube.def_vjp(x=lambda g, x: g * 3 * x**2)


@pytest.fixture
def described(monkeypatch):
    monkeypatch.setitem(known, cube, unary(lambda x: x * x * x, analytic=True))


@pytest.mark.usefixtures("described")
def test_a_primitive_of_ones_own_is_checked_where_it_is_described():
    report = verify.primitive(cube)
    assert {"value", "gradient", "second derivative", "float32", "last digits", "two uses"} < set(report.checks)
    assert mismatch(verify.primitive, cube, facts=unary(np.square)).check == "value"


def test_a_primitive_is_checked_at_given_arguments():
    assert verify.primitive(cube, X).checks["gradient"]
    assert verify.primitive(tg.sum, X, 1).checks["gradient"]
    assert verify.primitive(tg.concatenate, [X, X], 1).checks["gradient"]
    wrong = variant(cube, {"x": lambda g, x: g * 2 * x**2})
    assert mismatch(verify.primitive, wrong, X).ratio == pytest.approx(2 / 3)


def test_nothing_known_and_nothing_given_is_refused():
    with pytest.raises(ArgumentError, match=r"no inputs are known for cube; .*verify.describe\(cube"):
        verify.primitive(cube)
    with pytest.raises(ArgumentError, match="expected Facts, got a ufunc"):
        verify.describe(cube, np.square)


def test_describing_is_remembered(monkeypatch):
    monkeypatch.setattr(verify, "known", {})
    verify.describe(cube, unary(None))
    assert verify.primitive(cube).checks["gradient"]
    assert [report.name for report in verify.all()] == ["cube"]


def test_all_that_is_wrong_is_told_at_once(monkeypatch):
    wrong = [variant(cube, {"x": lambda g, x: g * x}), variant(tg.sin, {"x": lambda g, x: g * x})]
    monkeypatch.setattr(verify, "known", {w: unary(None) for w in wrong} | {tg.cos: known[tg.cos]})
    with pytest.raises(ExceptionGroup, match="2 of 3 functions are wrong") as caught:
        verify.all()
    assert [error.name for error in caught.value.exceptions] == ["cube", "sin"]


def test_a_kernel_that_differs_from_the_rules_is_found():
    kernel = tg.dense.kernel
    assert kernel is not None

    def off(part, by):
        return lambda *args: tuple(None if p is None else p * by for p in part(*args))

    def backward(lend, g, live, x, w):
        return off(kernel.backward, 1.001)(lend, g, live, x, w)

    wrong = variant(tg.dense, {}, kernel=Kernel(kernel.forward, backward))
    assert mismatch(verify.primitive, wrong, facts=known[tg.dense]).check == "gradient"
    wrong = variant(tg.dense, {}, kernel=Kernel(off(kernel.forward, 1 + 1e-9), kernel.backward))
    assert "without the kernel" in str(
        mismatch(verify.primitive, wrong, facts=replace(known[tg.dense], reference=None))
    )


def test_a_stated_convention_must_be_a_subgradient():
    odd = unary(lambda x: np.maximum(x, 0), facts.off_zero, conventions=[Convention(([0.0, 1.0],), ([2.0, 1.0],))])
    wrong = variant(tg.relu, {"x": lambda g, x: tg.keep_where(g, x > 0) + 2 * tg.keep_where(g, tg.equal(x, 0))})
    error = mismatch(verify.primitive, wrong, facts=odd)
    assert error.check == "subgradient"


def test_what_should_be_refused_and_is_not_is_found():
    lax = Facts(np.square, scalar=facts.Refused(ValueError, ((),)))
    assert mismatch(verify.primitive, tg.square, facts=lax).check == "refusal"


def test_ties_that_are_said_to_be_smooth_are_not_believed():
    wrong = Facts(np.square, base=Trial(((2, 3),)), ties="kink")
    assert verify.primitive(tg.square, facts=wrong).checks["subgradient"] == 1


# --- what is asked for ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"order": 1.5}, {"directions": "2"}, {"budget": True}], ids=str)
def test_numbers_must_be_whole(options):
    with pytest.raises(ArgumentError, match=f"expected a whole number as {next(iter(options))}, got"):
        verify.check_grads(tg.sin, X, **options)


def test_things_of_the_wrong_kind_are_refused():
    with pytest.raises(RangeError, match="expected a seed of at least 0"):
        verify.check_grads(tg.sin, X, seed=-1)
    with pytest.raises(ArgumentError, match="expected a function, got 5"):
        verify.check_grads(5, X)
    with pytest.raises(ArgumentError, match=r"expected a primitive or derived function, as tg.relu, got 'relu'"):
        verify.primitive("relu")
    with pytest.raises(ArgumentError, match="expected a primitive of yours, got 5"):
        verify.describe(5, Facts())
    with pytest.raises(RuleError, match="it has no rules yet"):
        verify.primitive(tg.primitive(lambda x, /: x), X)
    with pytest.raises(RangeError, match="expected zeros to be 'smooth', 'kink' or 'pole', got 'smoth'"):
        Facts(zeros="smoth")


@pytest.mark.parametrize("options", [{"order": 0}, {"directions": 0}, {"budget": 0}], ids=str)
def test_numbers_below_one_are_refused(options):
    with pytest.raises(RangeError, match=f"expected {next(iter(options))} of at least 1, got 0"):
        verify.check_grads(tg.sin, X, **options)


def test_something_must_be_there_to_move():
    for args in ((), (1, [2, 3])):
        with pytest.raises(DtypeError, match="expected an argument of floats to move"):
            verify.check_grads(tg.sin, *args)
    with pytest.raises(DtypeError, match="to return floats"):
        verify.check_grads(tg.argmax, X)
    with pytest.raises(DtypeError, match=r"got <U4$"):
        verify.check_grads(tg.sin, "text")
    with pytest.raises(ArgumentError, match=r"expected a gradient of square, got None"):
        verify.check_vjp(np.square, lambda g, x: [None], X)
    with pytest.raises(ArgumentError, match="expected a function, got 3"):
        verify.check_vjp(np.square, lambda g, x: 2 * g * x, X, reference=3)
    with pytest.raises(ShapeError, match=r"^check_vjp: expected numbers in a regular grid"):
        verify.check_vjp(np.square, lambda g, x: 2 * g * x, [[1.0], [1.0, 2.0]])
    with pytest.raises(ArgumentError, match="expected Facts as facts=, got a dict"):
        verify.primitive(tg.sin, facts={})


def test_the_smallest_input_is_found():
    arrays = [np.arange(12.0).reshape(3, 4) + 0.3, np.arange(8).reshape(4, 2)]
    found = smallest(arrays, lambda given: given[0].shape[1] == given[1].shape[0] >= 2 and (given[0] > 1).any())
    assert [a.shape for a in found] == [(1, 2), (2, 1)]
    assert sorted(found[0].ravel().tolist()) == [1.0, 1.3]


# --- what could hide, or look wrong ---------------------------------------------------------------------------------


def test_a_rule_that_drops_the_graph_of_the_incoming_gradient():
    @tg.primitive
    def square(x, /):
        return x * x

    square.def_vjp(x=lambda g, x: np.asarray(getattr(g, "data", g)) * 2 * x)
    assert mismatch(verify.check_grads, square, X).check == "second derivative"
    assert mismatch(verify.primitive, square, facts=unary(lambda x: x * x)).check == "second derivative"


def test_many_entries_that_are_each_too_small_to_tell():
    x = np.random.default_rng(0).normal(size=10_000).astype(np.float32)

    def pull(factor):
        return lambda g, x: np.float32(factor * 2 / x.size) * g * x

    error = mismatch(verify.check_vjp, lambda x: (x**2).mean(), pull(0), x, explain=False)
    assert "along a direction it says 0, differences" in str(error)
    assert "not all checked" in str(verify.check_vjp(lambda x: (x**2).mean(), pull(1), x, explain=False))


@pytest.mark.parametrize(("forward", "odd"), [(np.log, 0.0), (np.log, -1.0), (np.square, np.nan), (np.exp, 1000.0)])
def test_an_entry_that_is_not_finite_hides_no_other(forward, odd):
    slope = {np.log: lambda x: 1 / x, np.square: lambda x: 2 * x, np.exp: np.exp}[forward]
    x = np.linspace(1, 2, 20)
    x[3] = odd
    with np.errstate(all="raise"):
        report = verify.check_vjp(lambda x: forward(x), lambda g, x: g * slope(x), x)
        assert report.skipped == ["1 entries of x: rounding hides their slopes, or values are not finite"]
        error = mismatch(verify.check_vjp, forward, lambda g, x: -g * slope(x), x)
    assert error.wrong == 19


def test_where_no_entry_can_be_compared_it_is_not_called_right():
    report = verify.check_grads(tg.relu, np.zeros(3), order=1)
    assert "gradient" not in report.checks
    assert "not all checked" in str(report)


@pytest.mark.parametrize("of", [lambda g: np.clip(g, -1e3, 1e3), lambda g: g / abs(g).max() * abs(g).max()])
def test_large_and_zero_incoming_gradients_count_too(of):
    error = mismatch(verify.check_vjp, np.square, lambda g, x: 2 * x * of(g), X)
    assert error.check == "linear in g"


def test_values_that_are_coarser_than_their_dtype_are_no_mistake():
    def rounded(x):
        return np.sin(x.astype(np.float32)).astype(float)

    assert not verify.check_vjp(rounded, lambda g, x: g * np.cos(x), X).checks.get("gradient")
    verify.check_vjp(np.sum, lambda g, x: np.full(x.shape, g), np.array([1e9, 1.0, -1e9]))


def test_sums_in_another_order_are_no_mistake():
    x = np.random.default_rng(0).normal(size=(100, 100)) * 100
    x = (x - x.mean()).astype(np.float32)
    verify.check_vjp(lambda x: x.sum(), lambda g, x: np.full(x.shape, g), x)


def test_wrong_long_doubles_are_explained():
    x = np.linspace(0.1, 1, 6).astype(np.longdouble)
    error = mismatch(verify.check_vjp, np.tanh, lambda g, x: 2 * g * (1 - np.tanh(x) ** 2), x)
    assert error.diagnosis.kind == "factor 2"


def standard(x):
    return (x - x.mean()) / x.std()


def unscaled(g, x):
    h = standard(x)
    return g - g.mean() - h * (g * h).mean()


UNTOLD = {
    "a projection": (standard, unscaled, np.array([-1.3, 0.7, 0.2, 1.6])),
    "a sign": (np.abs, lambda g, x: g, np.linspace(-1, 1, 6)),
    "a term of nothing": (lambda x: x + 1, lambda g, x: g * (2 * x + 1), X),
    "another term of nothing": (lambda x: x + 1, lambda g, x: g * (x + 1), X),
}


@pytest.mark.parametrize("what", UNTOLD)
def test_what_could_be_one_thing_or_another_is_not_explained(what):
    assert mismatch(verify.check_vjp, *UNTOLD[what]).diagnosis is None


def test_short_data_do_not_make_a_gradient_short():
    x = RNG.normal(size=(3, 2)).astype(np.float32).astype(float)
    error = mismatch(verify.check_vjp, lambda x: (x**2).sum(), lambda g, x: 2 * x, x)
    assert error.diagnosis.kind == "g ignored"


# --- the catalogue ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=lambda i: MISTAKES[i].what)
def test_every_classic_mistake_is_caught_and_never_explained_wrongly(number):
    row = catalogue.try_mistake(number, SEEDS)
    assert row.is_good, row
    assert row.right >= 0.9 * row.seeds or not row.expected, row


def test_what_is_off_by_little_is_shown_with_its_digits_and_not_explained():
    x = np.array([[0.3, -0.5, 0.8], [0.1, 0.2, -0.9]])
    error = mismatch(verify.check_vjp, np.arctan, lambda g, x: g * (1 + 4e-7) / (1 + x * x), x)
    assert error.diagnosis is None
    assert re.search(r"ratio 1\.000000[345]", str(error))
    rule, differences = re.findall(r"(?:rule's gradient of .*|by differences) = (.*)", str(error))
    assert rule != differences


def test_the_catalogue_has_every_kind_of_explanation():
    kinds = {mistake.kind for mistake in MISTAKES}
    assert len(MISTAKES) >= 40
    assert kinds >= {"factor 2", "factor 1/2", "factor N", "factor 1/N", "factor -1", "factor", "transposed"}
    assert kinds >= {"broadcast not summed", "summed twice", "term missing", "term doubled", "mask", "dtype"}
    assert kinds >= {"other argument", "g ignored", "from output", "input modified"}


def test_the_table_in_the_docs_has_every_mistake():
    page = (Path(__file__).parents[1] / "docs" / "verify.md").read_text(encoding="utf-8")
    table = page.partition("verify --catalogue --jobs 2\n")[2].partition("```")[0].splitlines()
    rows = [re.split(r"  +", row.strip()) for row in table[1 : 1 + len(MISTAKES)]]
    assert [(row[0], row[1], row[4]) for row in rows] == [(m.what, str(m.of), m.kind or "-") for m in MISTAKES]
    assert {row[2] for row in rows} == {"50 of 50"}
    assert {row[6] for row in rows} == {"0"}
    assert re.fullmatch(r"2\d\d functions by 50 seeds: 0 wrong", table[-1])


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_checks_functions_by_name(capsys):
    assert cli.main(["verify", "softmax", "--jobs", "1"]) == 0
    assert capsys.readouterr().out == "1 function by 1 seed: 0 wrong\n"
    assert cli.main(["verify", "softmix"]) == 2
    assert "as softmax, got 'softmix'; do you mean softmax or " in capsys.readouterr().err
    assert cli.main(["verify", ""]) == 2
    assert capsys.readouterr().err.endswith("as softmax, got ''\n")


def test_the_command_prints_the_catalogue(capsys, monkeypatch):
    monkeypatch.setattr(catalogue, "MISTAKES", MISTAKES[:2])
    assert cli.main(["verify", "sin", "--catalogue", "--seeds", "1", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "the 2 of the square is forgotten" in out
    assert "2 mistakes, caught 2 of 2 times; 2 of 2 diagnoses right (100.0%), 0 wrong" in out

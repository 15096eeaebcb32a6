"""Functions of one entry at a time and choices, beyond what the registry asks of all: orders, dtypes, names."""

import warnings

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np.errors import DtypeError, GraphError

FLOATS = [np.float16, np.float32, np.longdouble]
ENTRYWISE = [
    *("heaviside", "logaddexp", "logaddexp2", "floor_divide", "remainder", "fmod", "copysign", "hypot", "arctan2"),
    *("fmax", "fmin", "maximum", "minimum"),
]


def slopes(function, entries, orders):
    """The gradients of first to highest order of a function of one entry at a time."""
    x = tg.tensor(entries, float, requires_grad=True)
    result, found = function(x), []
    for _ in range(orders):
        result = tg.grad(result.sum(), x, create_graph=True)
        found.append(result.numpy().tolist())
    return found


def test_whole_powers_are_right_in_every_order():
    entries = [0.0, -2.0, 1e-200]
    for two in (2, 2.0, np.array(2), np.full(3, 2.0), tg.tensor(2)):
        assert slopes(lambda x, two=two: x**two, entries, 4) == [[0.0, -4.0, 2e-200], [2.0] * 3, [0.0] * 3, [0.0] * 3]
    for one in (1, np.full(3, 1)):
        assert slopes(lambda x, one=one: x**one, entries, 4) == [[1.0] * 3, [0.0] * 3, [0.0] * 3, [0.0] * 3]
    for zero in (0, np.zeros(3)):
        assert slopes(lambda x, zero=zero: x**zero, [*entries[:2], 5e-324], 2) == [[0.0] * 3] * 2
    cubes = [[0.0, 12.0], [0.0, -12.0], [6.0, 6.0], [0.0, 0.0]]
    for cube in (lambda x: x**3, lambda x: tg.float_power(x, 3), lambda x: x**1 * x**2):
        assert slopes(cube, [0.0, -2.0], 4) == cubes


def test_a_number_to_the_power_of_a_tensor_in_every_order():
    for order, found in enumerate(slopes(lambda x: 2**x, [0.0, 3.0], 4), 1):
        np.testing.assert_allclose(found, np.log(2) ** order * np.array([1.0, 8.0]), rtol=1e-14)


def test_a_power_by_its_exponent_at_the_ends():
    with np.errstate(all="ignore"):
        y = tg.tensor([2.0, -1.0, -1.0], requires_grad=True)
        found = tg.grad((np.array([-2.0, 0.0, np.inf]) ** y).sum(), y).numpy()
    np.testing.assert_array_equal(found, [np.nan, -np.inf, 0.0])


def test_true_division_of_integers():
    assert tg.divide(tg.tensor([1, 2]), 4).numpy().tolist() == [0.25, 0.5]
    assert slopes(lambda x: np.array([1, 2]) / x, [1.0, 2.0], 2) == [[-1.0, -0.5], [2.0, 0.5]]


@pytest.mark.parametrize("name", ENTRYWISE)
@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_stay_what_they_are(name, dtype):
    x = tg.tensor([0.3, -1.7], dtype, requires_grad=True)
    y = tg.tensor([1.1, 0.6], dtype, requires_grad=True)
    ours, theirs = getattr(tg, name), getattr(np, name)
    for left, right in ((x, y), (x, 2.0), (2, y)):
        plain = [a.numpy() if isinstance(a, tg.Tensor) else a for a in (left, right)]
        out = ours(left, right)
        assert out.dtype == dtype
        np.testing.assert_array_equal(out.numpy(), theirs(*plain))
        for gradient in tg.grad(out.sum(), [a for a in (left, right) if isinstance(a, tg.Tensor)]):
            assert gradient.dtype == dtype


@pytest.mark.parametrize("dtype", FLOATS)
def test_choices_and_bounds_that_are_numbers_leave_the_dtype(dtype):
    x = tg.tensor([0.3, -1.7, 2.5], dtype, requires_grad=True)
    results = [
        *(tg.clip(x, -1, 1.0), tg.clip(x, None, 0.5), tg.clip(x, min=0), tg.select([x > 0, x < -1], [x, 2.0], 1)),
        *(tg.piecewise(x, [x > 0], [lambda v: v * v, 7]), tg.ldexp(x, 3), *tg.modf(x), *tg.divmod(x, 2)),
        *(tg.nan_to_num(x, nan=1.0), tg.round(x, 1), tg.fabs(x), tg.sign(x), tg.positive(x)),
    ]
    for out in results:
        assert out.dtype == dtype
        assert tg.grad(out.sum(), x).dtype == dtype
    assert tg.float_power(x, 2).dtype == np.result_type(dtype, np.float64)


ALIASES = "abs absolute, around round, atan2 arctan2, mod remainder, pow power, true_divide divide"


@pytest.mark.parametrize("names", ALIASES.split(", "))
def test_several_names_of_one_function(names):
    alias, name = names.split()
    assert getattr(tg, alias) is getattr(tg, name)


def test_ends_give_no_warning_and_no_nan():
    ends = np.array([1e4, -1e4, -np.inf, 0.0])
    x, y = (tg.tensor(a.ravel(), requires_grad=True) for a in np.meshgrid(ends, ends))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in (tg.logaddexp, tg.logaddexp2, tg.hypot, tg.arctan2, tg.fmax, tg.fmin):
            gradients = tg.grad(function(x, y), [x, y], seed=np.ones(16), create_graph=True)
            for gradient in (*gradients, *tg.grad(sum((g * g).sum() for g in gradients), [x, y])):
                assert np.isfinite(gradient.numpy()).all()


def test_piecewise_takes_conditions_as_numpy_does():
    array = np.array([-1.0, 0.0, 4.0])
    x = tg.tensor(array, requires_grad=True)
    functions = [lambda v: -v, lambda v: v * v]
    for ours, theirs in (
        (x < 0, array < 0),
        ([x < 0], [array < 0]),
        ((x < 0, x >= 0), (array < 0, array >= 0)),
        ([x < 0, x >= -5], [array < 0, array >= -5]),
        ([True, False, False], [True, False, False]),
        ([x[0] < 0, x[1] < 0, x[2] < 0], [True, False, False]),
        (tg.stack([x < 0, x > 2]), np.stack([array < 0, array > 2])),
    ):
        expected = np.piecewise(array, theirs, functions)
        np.testing.assert_array_equal(tg.piecewise(x, ours, functions).numpy(), expected)
    s = tg.tensor(-2.0, requires_grad=True)
    assert tg.piecewise(s, [s < 0, s >= 0], functions).item() == 2.0
    assert tg.piecewise(s, s < 0, functions).item() == 2.0
    assert tg.piecewise(3, True, [lambda v: v / 2, 0]).tolist() == np.piecewise(3, True, [lambda v: v / 2, 0]).tolist()


def test_piecewise_computes_nothing_outside_and_feeds_what_its_functions_hold():
    x, w = tg.tensor([-4.0, 0.0, 4.0], requires_grad=True), tg.tensor(3.0, requires_grad=True)
    out = tg.piecewise(x, [x > 0, x < 0], [lambda v: w * v**0.5, w])
    assert [g.numpy().tolist() for g in tg.grad(out.sum(), [x, w])] == [[0.0, 0.0, 0.75], 3.0]


def test_no_gradient_is_lost_in_options():
    w = tg.tensor(1.0, requires_grad=True)
    with pytest.raises(GraphError):
        tg.nan_to_num(np.ones(3), nan=w)
    with pytest.raises((GraphError, DtypeError)):
        tg.round(np.ones(3), w)
    assert tg.isclose([1.0, 2.0], [1.5, 9.0], w).numpy().tolist() == [True, True]

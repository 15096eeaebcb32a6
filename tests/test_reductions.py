"""What the registry's tests of reductions and scans cannot express."""

import itertools
import warnings

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np import verify
from tinygrad_np.errors import ArgumentError, DtypeError, GraphError, ShapeError

NAN = np.nan
RNG = np.random.default_rng(0)
ZEROS = [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [2.0, 0.0, -0.0], [0.0], []]


def slopes(function, *arrays):
    """Gradients of the sum of the result."""
    leaves = [tg.tensor(a, float, requires_grad=True) for a in arrays]
    gradients = tg.grad(function(*leaves).sum(), leaves)
    return gradients[0].numpy() if len(leaves) == 1 else [g.numpy() for g in gradients]


# --- products at zeros ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entries", ZEROS, ids=str)
@pytest.mark.parametrize("function", [tg.prod, tg.cumprod])
def test_products_are_right_to_third_order_at_zeros(function, entries):
    assert not verify.check_grads(function, np.array(entries), order=3).kinks


def test_products_along_axes_are_right_at_zeros():
    x = RNG.uniform(1, 2, (2, 3, 2)) * (RNG.random((2, 3, 2)) < 0.6)
    for axis in (None, 1, (0, -1), ()):
        assert not verify.check_grads(lambda t, axis=axis: tg.prod(t, axis, initial=3.0), x).kinks
    for axis in (None, 0, -2):
        assert not verify.check_grads(lambda t, axis=axis: tg.cumprod(t, axis), x).kinks
        assert not verify.check_grads(lambda t, axis=axis: tg.nancumprod(t, axis), np.where(x > 1.5, NAN, x)).kinks


def test_the_gradient_of_a_product_is_that_of_the_formula():
    x = np.array([[0.0, 2.0, 5.0], [3.0, 4.0, 5.0]])
    others = [[np.prod(np.delete(row, i)) for i in range(3)] for row in x]
    np.testing.assert_array_equal(slopes(lambda t: tg.prod(t, 1), x), others)


# --- entries left out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [tg.sum, tg.mean, tg.prod, tg.var, tg.std], ids=str)
@pytest.mark.parametrize("axis", [None, 0, (1, 0)])
def test_entries_left_out_may_be_nan_and_have_no_gradient(function, axis):
    x = np.array([[1.0, NAN, 3.0], [4.0, 5.0, np.inf], [2.0, 7.0, 6.0]])
    mask = np.isfinite(x)
    for where in (mask, tg.tensor(mask), mask.tolist()):
        found = slopes(lambda t, where=where: function(t, axis, where=where), x)
        check = slopes(getattr(tg, f"nan{function}"), np.where(mask, x, NAN)) if axis is None else found
        np.testing.assert_allclose(found, check)
        assert (found[~mask] == 0).all()
        assert (found[mask] != 0).any()


def test_a_mask_that_is_no_bools_is_refused():
    live = tg.tensor(np.ones(3), requires_grad=True)
    for function in (tg.sum, tg.mean, tg.std, tg.any):
        for where in (np.ones(3), [1, 0, 1]):
            with pytest.raises(DtypeError, match=f"^{function}: expected bools as where=, got dtype"):
                function([1.0, 2.0, 3.0], where=where)
        with pytest.raises(GraphError, match="silently drop the graph"):
            function([1.0, 2.0, 3.0], where=live)


def test_initial_is_a_constant_and_says_so():
    x, start = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor(3.0, requires_grad=True)
    for function in (tg.sum, tg.prod, tg.max, tg.nanmin):
        with pytest.raises(GraphError, match="silently drop the graph"):
            function(x, initial=start)
    assert float(tg.sum(x, initial=start.detach()).detach()) == 6


def test_options_that_numpy_has_and_we_do_not_are_refused():
    for call in (
        lambda: tg.sum([1.0], out=np.zeros(())),
        lambda: tg.median([1.0], overwrite_input=True),
        lambda: tg.quantile([1.0], 0.5, weights=[1.0]),
        lambda: tg.quantile([1.0], 0.5, interpolation="lower"),
        lambda: tg.var([1.0], mean=1.0),
        lambda: tg.nansum([1.0], out=None),
    ):
        with pytest.raises(ArgumentError, match="expected arguments"):
            call()
    with pytest.raises(ShapeError, match="var: ddof and correction"):
        tg.var([1.0, 2.0], ddof=1, correction=1)
    with pytest.raises(ShapeError, match="quantile: 'nowhere' is not a valid method"):
        tg.quantile([1.0, 2.0], 0.5, method="nowhere")


# --- how entries are spread -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_the_deviation_of_a_constant_has_the_gradient_zero(dtype):
    for n, value in itertools.product((1, 3, 7, 100), (0.0, 0.1, 0.7, 100.3)):
        x = tg.tensor(np.full(n, value, dtype), requires_grad=True)
        for function in (tg.std, tg.var, tg.nanstd):
            assert (tg.grad(function(x), x).numpy() == 0).all(), (function, n, value)


def test_where_no_freedom_is_left_numpy_warns_and_the_gradient_is_nan_there_alone():
    x = tg.tensor([[1.0, NAN, NAN], [1.0, 2.0, NAN]], requires_grad=True)
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        y = tg.nanvar(x, 1, ddof=1)
    np.testing.assert_array_equal(tg.grad(y.sum(), x).numpy(), [[NAN, 0, 0], [-1, 1, 0]])
    with np.errstate(invalid="ignore"), pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        y = tg.var(x[:, 0], ddof=2)
    assert np.isnan(tg.grad(y, x).numpy()[:, 0]).all()


# --- NaN --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nanmean", "nanmax", "nanmin", "nanmedian", "nanvar", "nanstd"])
def test_a_slice_of_nan_alone_is_nan_with_numpys_warning_and_has_no_gradient(name):
    x = np.array([[NAN, NAN], [1.0, 4.0]])
    with warnings.catch_warnings(record=True) as theirs:
        warnings.simplefilter("always")
        expected = getattr(np, name)(x, 1)
    leaf = tg.tensor(x, requires_grad=True)
    with warnings.catch_warnings(record=True) as ours:
        warnings.simplefilter("always")
        y = getattr(tg, name)(leaf, 1)
    assert [str(w.message) for w in ours] == [str(w.message) for w in theirs] != []
    np.testing.assert_array_equal(y.numpy(), expected)
    gradient = tg.grad(y.sum(), leaf).numpy()
    assert (gradient[0] == 0).all()
    assert (gradient[1] != 0).any()


def test_quantiles_of_nan_alone():
    x = tg.tensor([[NAN, NAN], [1.0, 4.0]], requires_grad=True)
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        y = tg.nanquantile(x, [0.5, 0.25], 1)
    np.testing.assert_array_equal(tg.grad(y.sum(), x).numpy(), [[0, 0], [1.25, 0.75]])
    np.testing.assert_array_equal(slopes(lambda t: tg.quantile(t, 0.5, 1), x.numpy()), [[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ShapeError, match="nanargmax: All-NaN slice"):
        tg.nanargmax(x, 1)


@pytest.mark.parametrize("function", [np.quantile, np.nanquantile])
@pytest.mark.parametrize(
    "method",
    ["averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "weibull", "normal_unbiased"],
)
def test_every_method_of_quantiles_has_its_slopes(function, method):
    x = RNG.permutation(np.arange(10.0)).reshape(2, 5) ** 1.5
    if function is np.nanquantile:
        x[0, 1] = x[1, 3] = x[1, 0] = NAN
    ours = getattr(tg, function.__name__)
    for q in (0, 0.1, 0.5, 0.55, 1):
        assert not verify.check_grads(lambda t, q=q: ours(t, q, 1, method=method), x, order=1).kinks


def test_a_quantile_that_would_need_a_gradient_is_refused():
    with pytest.raises(GraphError, match="silently drop the graph"):
        tg.quantile([1.0, 2.0], tg.tensor(0.5, requires_grad=True))
    assert float(tg.percentile([1.0, 2.0], tg.tensor(50.0))) == 1.5


@pytest.mark.parametrize("function", [tg.quantile, tg.nanquantile], ids=str)
def test_quantiles_of_a_float32_are_numpys_with_gradients_in_float32(function):
    x = tg.tensor(np.arange(11, dtype=np.float32), requires_grad=True)
    for q in (0.1, [0.1], np.float64(0.1), np.float32(0.1)):
        assert function(x, q).dtype == getattr(np, str(function))(x.numpy(), q).dtype
        y = function(x, q, method="lower")
        gradient = tg.grad(y.sum(), x).numpy()
        assert gradient.dtype == np.float32
        assert gradient[int(y.sum().item())] == gradient.sum() == 1


# --- several arguments ------------------------------------------------------------------------------------------------


def test_weights_of_an_average_have_gradients():
    x, w = RNG.normal(size=(2, 3)), RNG.uniform(1, 2, (2, 3))
    assert not verify.check_grads(lambda x, w: tg.average(x, 1, w), x, w).kinks
    assert not verify.check_grads(lambda x, w: tg.average(x, (1, 0), w, keepdims=True), x, w.T).kinks
    assert not verify.check_grads(lambda x, w: tg.average(x, weights=w), x, w).kinks
    assert not verify.check_grads(lambda x, w: tg.average(x, -1, w[0]), x, w).kinks
    assert not verify.check_grads(lambda w: tg.stack(tg.average(x, 0, w[:, 0], returned=True)), w).kinks
    assert isinstance(tg.average(x, 1, w), np.ndarray)


def test_the_step_of_an_integral_has_a_gradient():
    assert slopes(lambda dx: tg.trapezoid([1.0, 2.0, 4.0], dx=dx), 2.0) == 4.5
    y, x = RNG.normal(size=(3, 2)), np.array([0.0, 1.0, 3.0])
    assert not verify.check_grads(lambda y, x: tg.trapezoid(y, x, axis=0), y, x).kinks


# --- exponentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [-1e4, 0.0, 1e4])
def test_exponentials_are_exact_far_out(shift):
    x = np.array([[0.0, -1.0, 2.0], [1.0, 1.0, 1.0]])
    near, far = slopes(lambda t: tg.logsumexp(t, 1), x), slopes(lambda t: tg.logsumexp(t, 1), x + shift)
    np.testing.assert_allclose(far, near, rtol=1e-12)
    np.testing.assert_allclose(tg.logsumexp(x + shift, 1) - shift, np.log(np.exp(x).sum(1)), rtol=1e-11)
    np.testing.assert_allclose(tg.log_softmax(x + shift), x - np.log(np.exp(x).sum(1, keepdims=True)), rtol=1e-12)


def test_log_softmax_of_entries_that_are_minus_infinity():
    np.testing.assert_array_equal(tg.log_softmax([-np.inf, 0.0]), [-np.inf, 0.0])
    np.testing.assert_array_equal(slopes(lambda t: tg.log_softmax(t)[1:], [-np.inf, 0.0, 0.0]), [0.0, 0.0, 0.0])


def test_logsumexp_at_infinities_has_curvature_zero():
    x = tg.tensor([-np.inf, -np.inf], requires_grad=True)
    y = tg.logsumexp(x)
    assert y.item() == -np.inf
    (slope,) = tg.grad(y, [x], create_graph=True)
    np.testing.assert_array_equal(tg.grad(slope.sum(), x).numpy(), [0.0, 0.0])


# --- dtypes and methods -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "var", "std", "cumsum", "cumprod", "nansum", "nanmean"])
def test_float32_is_as_exact_as_numpys(name):
    x = RNG.normal(size=(50, 40)).astype(np.float32)
    for axis, dtype in itertools.product((None, 0, 1), (None, np.float64)):
        y = getattr(tg, name)(tg.tensor(x, requires_grad=True), axis, dtype=dtype)
        expected = getattr(np, name)(x, axis, dtype=dtype)
        assert y.dtype == expected.dtype
        np.testing.assert_array_equal(y.numpy(), expected)


def test_a_mean_of_more_entries_than_float16_can_count():
    x = tg.tensor(np.ones(70000, np.float16), requires_grad=True)
    assert (tg.grad(tg.mean(x), x).numpy() == np.float16(1 / 70000)).all()


def test_methods_take_the_options_too():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert x.sum(0, keepdims=True, initial=1.0).numpy().tolist() == [[5.0, 7.0]]
    assert x.mean(axis=1, where=[True, False]).numpy().tolist() == [1.0, 3.0]
    assert x.max(initial=9.0).item() == x.min(initial=9.0).item() + 8
    assert tg.amax is tg.max
    assert tg.amin is tg.min

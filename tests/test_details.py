"""Claims that the other tests leave open: options passed on, refusals by name, numbers that are no arrays, orders above
the first, and what the engine does for functions of anybody's."""

import warnings

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np import buffers
from tinygrad_np.derived import Derived
from tinygrad_np.errors import ArgumentError, DtypeError, IndexRangeError, RangeError, ShapeError, TinygradError
from tinygrad_np.ops.placing import _integers
from tinygrad_np.ops.reductions import _weights
from tinygrad_np.signatures import spelt


def leaf(value, dtype=float):
    return tg.tensor(value, dtype, requires_grad=True)


# --- options are passed on --------------------------------------------------------------------------------------------


def test_a_stable_sort_keeps_the_order_of_ties():
    x = np.random.default_rng(0).integers(3, size=1000).astype(float)
    np.testing.assert_array_equal(tg.argsort(x, stable=True), np.argsort(x, stable=True))


@pytest.mark.parametrize("f", [tg.sum, tg.prod, tg.mean, tg.var, tg.std, tg.cumsum, tg.cumprod])
def test_reduced_in_another_dtype(f):
    assert f(np.array([1.0, 2.0]), dtype=np.float32).dtype == np.float32
    x = leaf([1.0, 2.0])
    out = f(x, dtype=np.float32)
    assert out.dtype == np.float32
    assert tg.grad(out.sum(), x).dtype == np.float64


@pytest.mark.parametrize("join", [tg.stack, tg.concatenate, tg.vstack, tg.hstack])
def test_joined_in_another_dtype(join):
    parts = [leaf([1.0, 2.0]), leaf([3.0, 4.0])]
    out = join(parts, dtype=np.float32)
    assert out.dtype == np.float32
    assert tg.grad(out.sum(), parts[0]).dtype == np.float64
    with pytest.raises(TinygradError, match=f"^{join}: "):
        join(parts, dtype=np.float32, casting="safe")


@pytest.mark.parametrize("f", [tg.nansum, tg.nanprod, tg.nanmean, tg.nancumsum, tg.nancumprod])
def test_what_leaves_out_nan_takes_a_dtype(f):
    x = np.array([1.0, np.nan, 3.0])
    assert f(x, dtype=np.float32).dtype == np.float32
    assert f(leaf(x), dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("f", [tg.nansum, tg.nanprod, tg.nancumsum, tg.nancumprod])
@pytest.mark.parametrize("x", [[2.0, np.nan, 3.0], [np.nan, np.nan]], ids=str)
def test_nan_takes_no_part(f, x):
    t = leaf(x)
    out = f(t)
    np.testing.assert_array_equal(out.numpy(), getattr(np, str(f))(x))
    gradient = tg.grad(out.sum(), t).numpy()
    np.testing.assert_array_equal(gradient[np.isnan(x)], 0.0)


@pytest.mark.parametrize("f", [tg.nansum, tg.nanprod])
def test_nan_takes_no_part_beside_an_initial_number(f):
    x = [2.0, np.nan, 3.0]
    assert f(leaf(x), initial=5.0).item() == getattr(np, str(f))(x, initial=5.0)


def test_the_ends_of_differences_are_joined_to_them():
    found = tg.ediff1d([1.0, 2.0, 4.0], to_begin=0.5, to_end=[7.0, 8.0])
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, [0.5, 1.0, 2.0, 7.0, 8.0])


def test_a_mask_says_where_to_insert():
    found = tg.insert([1.0, 2.0, 3.0], np.array([True, False, True]), 9.0)
    np.testing.assert_array_equal(found, [9.0, 1.0, 2.0, 9.0, 3.0])


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.2.0", reason="NumPy takes no dict of widths")
def test_axes_without_a_width_are_not_padded():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    out = tg.pad(x, {1: (1, 2)})
    assert out.shape == (2, 5)
    np.testing.assert_array_equal(tg.grad(out, x, seed=np.arange(10.0).reshape(2, 5)).numpy(), [[1, 2], [6, 7]])


def test_a_copy_lies_in_memory_as_asked():
    x = np.asfortranarray(np.ones((2, 3)))
    assert tg.copy(x).flags.f_contiguous
    assert tg.copy(x, order="C").flags.c_contiguous


@pytest.mark.parametrize("axis", [1, -1])
def test_a_bias_of_the_axis_that_is_asked_for(axis):
    x, b = np.zeros((2, 3, 3)), np.array([1.0, 2.0, 3.0])
    expected = np.broadcast_to(b[:, None] if axis == 1 else b, x.shape)
    np.testing.assert_array_equal(tg.add_bias(x, leaf(b), axis).numpy(), expected)


@pytest.mark.parametrize("loss", [tg.mse, tg.hinge])
def test_small_integers_beside_what_needs_a_gradient(loss):
    pred, true = np.array([[1], [3]], np.uint8), leaf([[-0.5], [0.2]])
    other = leaf(true.numpy())
    expected = tg.grad(loss(pred.astype(float), other), other).numpy()
    np.testing.assert_allclose(tg.grad(loss(pred, true), true).numpy(), expected, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float16, np.float32])
def test_both_parts_of_a_number_have_one_dtype(dtype):
    for part, expected in zip(tg.modf(np.array([1, 2], dtype)), np.modf(np.array([1, 2], dtype)), strict=True):
        assert part.dtype == expected.dtype
        np.testing.assert_array_equal(part, expected)


# --- refusals, by name and in words that help -------------------------------------------------------------------------


MASKED = ["any", "all", *(n + f for n in ("", "nan") for f in ("max", "min", "sum", "prod", "mean", "var", "std"))]


@pytest.mark.parametrize("f", [getattr(tg, name) for name in MASKED], ids=str)
def test_a_mask_of_numbers_is_refused(f):
    options = {"initial": 0.0} if str(f).endswith(("max", "min")) else {}
    with pytest.raises(TinygradError, match=f"^{f}: .*expected bools as where="):
        f([1.0, 2.0], where=[1, 0], **options)


@pytest.mark.parametrize("bound", ["min", "max"])
def test_bounds_given_twice_are_refused(bound):
    with pytest.raises(ArgumentError, match=r"^clip: expected both"):
        tg.clip([1.0], 0.0, 2.0, **{bound: 1.0})


@pytest.mark.parametrize(("like", "dtype"), [([1, 2], None), ([1.0, 2.0], int)])
def test_a_value_that_needs_gradients_does_not_fill_integers(like, dtype):
    with pytest.raises(DtypeError, match=r"^full_like: "):
        tg.full_like(like, leaf(3.0), dtype)
    assert tg.full_like(like, leaf(3.0), float).requires_grad


def test_places_in_one_number_are_refused_in_our_words():
    with pytest.raises(ShapeError, match=r"^nonzero: expected an array with axes"):
        tg.nonzero(np.array(3.0))


@pytest.mark.parametrize("empty", [([], [1.0]), ([1.0], [])])
def test_empty_vectors_are_not_correlated(empty):
    with pytest.raises(ShapeError, match=r"^correlate: expected two vectors that are not empty"):
        tg.correlate(*empty)


def test_bools_have_no_sign():
    with pytest.raises(TinygradError, match=r"^positive: "):
        tg.positive(np.array([True]))


def test_biases_that_are_no_vector_are_refused():
    with pytest.raises(ShapeError, match=r"^add_bias: "):
        tg.add_bias(np.ones((2, 3, 3)), np.ones((3, 3)))


@pytest.mark.parametrize("layer", [tg.dense, tg.dense_relu])
def test_a_layer_of_a_number_is_refused_in_our_words(layer):
    with pytest.raises(ShapeError, match=f"^{layer}: expected x "):
        layer(1.0, np.ones((1, 1)), np.ones(1))


# --- numbers that are no arrays ---------------------------------------------------------------------------------------


def test_python_numbers_are_taken():
    np.testing.assert_array_equal(tg.keep_where(2.0, np.array([True, False])), [2.0, 0.0])
    assert tg.power(2.0, 3.0) == 8.0
    np.testing.assert_array_equal(tg.ravel(3.0), [3.0])
    assert tg.transpose(3.0) == 3.0
    assert tg.astype(3.0, int).dtype == int
    for f, axes in (tg.swapaxes, (0, 1)), (tg.rollaxis, (0,)):
        with pytest.raises(TinygradError, match=f"^{f}: "):
            f(3.0, *axes)


def test_small_unsigned_parameters_do_not_wrap_around():
    assert tg.tile(np.zeros(3), np.uint8(200)).shape == (600,)
    assert _integers(np.uint8(200))[0] * 3 == 600
    assert tg.roll(np.arange(300), np.array([200, 99], np.uint8), (0, 0))[0] == 1
    many, last = leaf(np.ones(300)), np.array([255, 254], np.uint8)
    for mode in ("wrap", "clip"):
        assert tg.grad(tg.take(many, last, mode=mode).sum(), many).numpy()[[254, 255]].tolist() == [1.0, 1.0]
    x = np.arange(4.0).reshape(2, 2)
    for k in (1, 3):
        t = leaf(x)
        np.testing.assert_array_equal(tg.grad(tg.rot90(t, np.uint8(k)), t, seed=tg.rot90(x, k)).numpy(), x)


def test_an_empty_list_takes_nothing():
    assert tg.take([1.0, 2.0], []).shape == (0,)
    assert tg.take(leaf([1.0, 2.0]), []).shape == (0,)


def test_a_number_takes_one_entry():
    x = leaf([1.0, 2.0])
    np.testing.assert_array_equal(tg.grad(tg.take(x, 1), x).numpy(), [0.0, 1.0])


def test_blocks_of_more_axes_than_lists():
    rows = np.arange(4.0).reshape(2, 2)
    for blocks in ([rows, rows[:, :1]], [[1.0, rows[0]]], [[rows], [rows[0]]], [rows[0], np.ones((1, 1, 2))]):
        np.testing.assert_array_equal(tg.block(blocks), np.block(blocks))


def test_a_list_is_made_unique():
    np.testing.assert_array_equal(tg.unique([3.0, 1.0, 3.0]), [1.0, 3.0])


@pytest.mark.parametrize("f", [tg.max, tg.min])
def test_an_initial_number_ties_in_the_dtype_of_the_result(f):
    x = leaf([0.1], np.float32)
    np.testing.assert_array_equal(tg.grad(f(x, initial=np.float64(0.1)), x).numpy(), [0.5])


def test_a_list_chooses():
    x = leaf([1.0, 2.0])
    np.testing.assert_array_equal(tg.grad(tg.choose([0, 1], [x * 3, x * 5]).sum(), x).numpy(), [3.0, 5.0])


# --- indices are what they were when the call was made ----------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x, i: tg.add_at(x * x, i, x[:2]),
        lambda x, i: tg.set_at(x * x, i, x[:2]),
        lambda x, i: tg.choose(i, [x[:2] * 2, x[1:] * 3, x[:2] * x[1:]]),
    ],
    ids=["add_at", "set_at", "choose"],
)
def test_an_index_that_is_changed_later_changes_no_gradient(f):
    x, i = leaf([1.0, 2.0, 3.0]), tg.tensor([0, 1])
    expected = tg.grad(f(x, np.array([0, 1])).sum(), x).numpy()
    out = f(x, i).sum()
    i.data = np.array([2, 2])
    np.testing.assert_array_equal(tg.grad(out, x).numpy(), expected)


@pytest.mark.parametrize("write", [tg.add_at, tg.set_at, tg.getitem])
def test_a_tensor_in_an_index_of_several_may_change_later(write):
    x, i = leaf(np.arange(6.0).reshape(3, 2)), tg.tensor([0, 2])
    value = () if write is tg.getitem else (x[:2, 1] * 2,)
    expected = tg.grad(write(x * x, (np.array([0, 2]), 1), *value).sum(), x).numpy()
    out = write(x * x, (i, 1), *value).sum()
    i.data = np.array([1, 1])
    np.testing.assert_array_equal(tg.grad(out, x).numpy(), expected)


# --- slopes -----------------------------------------------------------------------------------------------------------


def test_the_step_takes_its_height_from_h0():
    h0 = leaf([0.5, 0.5])
    gradient = tg.grad(tg.heaviside(np.array([0.0, 1.0]), h0), h0, seed=np.array([2.5, 2.5]))
    np.testing.assert_array_equal(gradient.numpy(), [2.5, 0.0])


@pytest.mark.parametrize("step", [tg.sign, tg.floor, tg.ceil, tg.rint, tg.trunc, tg.fix, tg.round], ids=str)
def test_the_slope_of_a_step_is_a_zero_that_can_be_differentiated(step):
    x, w = leaf([0.3, 1.7]), leaf([1.0, 2.0])
    slope = tg.grad((step(x) * w).sum(), x, create_graph=True)
    assert slope.requires_grad
    np.testing.assert_array_equal(tg.grad(slope.sum(), w).numpy(), [0.0, 0.0])


def test_the_slope_of_a_remainder_is_a_whole_number():
    """However the quotient is rounded."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=1000) * 100, leaf(rng.normal(size=1000))
    slopes = tg.grad(tg.fmod(x, y).sum(), y).numpy()
    np.testing.assert_array_equal(slopes, np.rint(slopes))


def test_nothing_has_no_weight():
    np.testing.assert_array_equal(_weights([-np.inf, -np.inf], 0), [0.0, 0.0])


def test_biases_of_very_many_rows():
    b = leaf([1.0, 2.0])
    gradient = tg.grad(tg.add_bias(np.ones((70_000, 2)), b), b, seed=np.full((70_000, 2), 0.5))
    np.testing.assert_array_equal(gradient.numpy(), [35_000.0, 35_000.0])


# --- the engine -------------------------------------------------------------------------------------------------------


def halves(x):
    """Half of it."""
    if x is None:
        raise ValueError("nothing to halve")
    return x / 2


def test_a_derived_function_is_what_it_was_made_of():
    made = Derived(halves)
    assert made.__name__ == "halves"
    assert made.__doc__ == "Half of it."
    assert made.__wrapped__ is halves


def test_parameters_are_spelt_as_they_are_given():
    def f(x: int, /, y: float = 1.0, *, z: str = "a") -> None: ...

    assert spelt(f) == "(x, y=1.0, *, z='a')"
    assert spelt(lambda x, /: x) == "(x)"


def test_what_goes_wrong_in_a_derived_function_is_told_with_its_name():
    with pytest.raises(TinygradError, match=r"^halves: nothing to halve"):
        Derived(halves)(None)
    with pytest.raises(ArgumentError, match=r"^halves: expected arguments"):
        Derived(halves)(1, 2)


@tg.primitive(sequence=True)
def joined(arrays, /):
    return np.concatenate(arrays)


joined.def_vjp(arrays=lambda g, arrays_shape: [g[:1], g[1:]])


@pytest.mark.parametrize("single", [5, np.array(1.0), tg.tensor(1.0), leaf(1.0)], ids=str)
def test_a_sequence_is_not_one_number(single):
    with pytest.raises(TinygradError, match=r"^joined: "):
        joined(single)


def test_a_sequence_holds_real_numbers_alone_beside_a_tensor():
    """Even where the function itself would make real ones of them."""

    @tg.primitive(sequence=True)
    def real_parts(arrays, /):
        return np.concatenate([a.real for a in arrays])

    real_parts.def_vjp(arrays=lambda g, arrays_shape: [g[:1], g[1:]])
    for other in np.array([2.0]), [2.0], np.array([2.0]).view(type("Sub", (np.ndarray,), {})):
        np.testing.assert_array_equal(real_parts([leaf([1.0]), other]).numpy(), [1.0, 2.0])
    with pytest.raises(TinygradError, match=r"^real_parts: "):
        real_parts([leaf([1.0]), np.ma.masked_array([2.0], [True])])
    with pytest.raises(TinygradError, match=r"^real_parts: "):
        real_parts([leaf([1.0]), np.array([1j])])


def test_the_kernel_that_was_given_last_is_used():
    @tg.primitive
    def double(x, /):
        return x * 2

    double.def_vjp(x=lambda g: g * 2)
    x, seen = leaf([1.0]), []

    def slope():
        return tg.grad(double(x).sum(), x).item()

    def kernel(number):
        def forward(lend, x):
            seen.append(("forward", number))
            return (x * 2,)

        def backward(lend, g, live):
            seen.append(("backward", number))
            return (g * 2,)

        return forward, backward

    assert slope() == 2
    for number in 1, 2:
        double.def_kernel(*kernel(number))
        assert slope() == 2
    assert seen == [("forward", 1), ("backward", 1), ("forward", 2), ("backward", 2)]


def test_a_parameter_given_by_keyword_alone():
    @tg.primitive
    def scaled(x, /, power=1, plus=0, *, by=2.0):
        return x**power * by + plus

    scaled.def_vjp(x=lambda g, x, power, by: g * (by * power * x ** (power - 1)))
    x = leaf([3.0])
    for out, value, slope in (scaled(x), 6, 2), (scaled(x, 2), 18, 12), (scaled(x, 2, 1, by=5.0), 46, 30):
        assert out.item() == value
        assert tg.grad(out, x, seed=[1.0]).item() == slope
    with pytest.raises(ArgumentError, match=r"^scaled: "):
        scaled(x, 2, 1, 5.0)


def test_rules_that_are_recorded_get_a_tensor():
    seen = []

    @tg.primitive
    def same(x, /):
        return x + 0

    same.def_vjp(x=lambda g: seen.append(type(g)) or g)
    x = leaf([1.0])
    tg.grad(same(x), x, seed=np.ones(1))
    tg.grad(same(x), x, seed=np.ones(1), create_graph=True)
    assert seen == [np.ndarray, tg.Tensor]


def test_what_a_pool_lends_is_told_from_other_arrays():
    lent = buffers.Pool().lend((100, 100), np.dtype(float))
    assert buffers.is_lent(lent)
    assert buffers.is_lent(lent[1:])
    assert not buffers.is_lent(np.empty(3)[1:])
    assert not buffers.is_lent(None)


def test_a_pool_lends_what_is_large():
    pool = buffers.Pool()
    assert pool.lend((buffers.LARGE // 8,), np.dtype(float)) is not None
    assert pool.lend((buffers.LARGE // 8 - 1,), np.dtype(float)) is None


@pytest.mark.parametrize("bits", [63, 64, 65, 100])
def test_large_whole_numbers_beside_a_tensor(bits):
    assert (leaf([1.0]) * 2**bits).item() == 2.0**bits
    assert tg.float_power(2**bits, leaf([1.0])).item() == 2.0**bits


# --- offsets, places and what is counted ------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-2, -1, 1, 2])
@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (2, 4, 3)])
def test_diagonals_beside_the_main_one_have_their_own_gradient(shape, offset):
    x = leaf(np.arange(np.prod(shape), dtype=float).reshape(shape))
    out = tg.diagonal(x, offset)
    np.testing.assert_array_equal(out.numpy(), np.diagonal(x.numpy(), offset))
    found = tg.grad(out, x, seed=out.numpy()).numpy()
    kept = np.isin(x.numpy(), out.numpy())
    np.testing.assert_array_equal(found, np.where(kept, x.numpy(), 0))


@pytest.mark.parametrize("offset", [-2, 1, 3])
def test_a_vector_beside_the_main_diagonal(offset):
    x = leaf([1.0, 2.0, 3.0])
    out = tg.diag(x, offset)
    np.testing.assert_array_equal(out.numpy(), np.diag(x.numpy(), offset))
    np.testing.assert_array_equal(tg.grad(out, x, seed=out.numpy()).numpy(), [1.0, 2.0, 3.0])


@pytest.mark.parametrize("equal_nan", [True, False])
def test_whether_nan_equals_nan_is_passed_on(equal_nan):
    x = [np.nan, 1.0, np.nan, 1.0]
    expected = np.unique(x, equal_nan=equal_nan)
    np.testing.assert_array_equal(tg.unique(leaf(x), equal_nan=equal_nan).numpy(), expected)
    assert len(expected) == (2 if equal_nan else 3)


@pytest.mark.parametrize("write", [tg.add_at, tg.set_at])
@pytest.mark.parametrize("value", [1.0, leaf(1.0)], ids=["number", "tensor"])
def test_writing_beyond_the_end_is_refused(write, value):
    with pytest.raises(TinygradError, match=f"^{write}: .*out of bounds"):
        write(leaf([1.0, 2.0]), 5, value)


def test_what_is_written_may_have_axes_of_one_in_front():
    x, value = leaf(np.zeros((3, 2))), leaf(np.ones((1, 1, 2)))
    out = tg.set_at(x, 1, value)
    np.testing.assert_array_equal(out.numpy(), [[0, 0], [1, 1], [0, 0]])
    assert tg.grad(out.sum(), value).shape == (1, 1, 2)
    out = tg.set_at(x, [2, 1], value)
    np.testing.assert_array_equal(out.numpy(), [[0, 0], [1, 1], [1, 1]])
    assert tg.grad(out.sum(), value).numpy().tolist() == [[[2.0, 2.0]]]
    with pytest.raises(ShapeError):
        tg.set_at(x, [2, 1], leaf(np.ones((2, 1, 2))))


def test_truth_of_small_integers_is_what_it_says():
    scores = leaf([[0.5, 1.5], [2.0, -1.0]])
    truth = np.array([[0, 1], [1, 0]])
    exact = tg.cross_entropy(scores, truth.astype(float)).item()
    for dtype in (np.int8, np.uint8, bool):
        assert tg.cross_entropy(scores, truth.astype(dtype)).item() == exact


# --- what kernels, conversions and options are for --------------------------------------------------------------------


def test_infinities_are_replaced_each_by_its_own():
    x = [np.nan, np.inf, -np.inf, 4.0]
    assert tg.nan_to_num(x, nan=1.0, posinf=2.0, neginf=3.0).tolist() == [1.0, 2.0, 3.0, 4.0]


def test_what_is_not_kept_is_zero_be_it_what_it_may():
    x = leaf([1.0, np.inf, -np.inf, np.nan, -2.0])
    kept = tg.keep_where(x, np.array([True, False, False, False, False])).numpy()
    assert kept.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert not np.signbit(kept).any()


@pytest.mark.parametrize("given", [(1.0,), (None,), (0.0, 1.0, 2.0), (1.0, ..., 2.0), (..., 1.0, 2.0)], ids=str)
def test_bounds_are_given_in_one_way(given):
    with pytest.raises(ArgumentError, match=r"^clip: expected both"):
        tg.clip(leaf([1.0]), *given[:2], **({"max": given[2]} if len(given) > 2 else {}))


def test_the_error_function_has_the_dtype_of_its_argument():
    for x in (0.5, [0.5], np.float64(0.5)):
        assert tg.erf(x).dtype == np.float64
    assert tg.erf(np.float32(0.5)).dtype == np.float32
    assert tg.erf(1).dtype == np.float64


def test_an_average_along_a_list_of_axes():
    x = leaf(np.arange(6.0).reshape(2, 3))
    assert tg.average(x, axis=[0, 1]).item() == 2.5
    assert tg.average(x, axis=[0, 1], weights=np.ones((2, 3))).item() == 2.5


def test_spacings_may_be_numbers_lists_and_arrays():
    f = np.array([0.0, 1.0, 4.0])
    assert tg.gradient(f.astype(np.float32), 0.5).dtype == np.float32
    for spacing in ([0.0, 1.0, 3.0], np.array([0.0, 1.0, 3.0]), 2, 0.5):
        np.testing.assert_allclose(tg.gradient(leaf(f), spacing).numpy(), np.gradient(f, spacing), rtol=1e-15)


@pytest.mark.parametrize("join", [tg.hstack, tg.vstack, tg.dstack, tg.column_stack, tg.stack, tg.concatenate])
def test_nothing_cannot_be_joined(join):
    with pytest.raises(TinygradError, match=f"^{join}: "):
        join([])


def test_a_number_fills_what_has_more_axes_than_its_own():
    value = leaf(np.ones((2, 3)))
    out = tg.full_like(np.zeros((5, 2, 3)), value)
    np.testing.assert_array_equal(tg.grad(out.sum(), value).numpy(), np.full((2, 3), 5.0))


def test_where_none_is_present_the_gradient_is_zero_without_a_warning():
    x, where = leaf(np.ones((2, 3))), np.array([[True, False, True], [False, False, False]])
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        out = tg.mean(x, 1, where=where)
    found = tg.grad(out, x, seed=np.ones(2)).numpy()
    np.testing.assert_array_equal(found, [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize("padding", [(1.5, 1), (1, None), ("1", 1)], ids=str)
def test_padding_is_of_whole_numbers(padding):
    with pytest.raises(RangeError, match=r"^conv2d: expected padding"):
        tg.conv2d(leaf(np.ones((1, 1, 4, 4))), np.ones((1, 1, 3, 3)), padding)


@pytest.mark.parametrize("true", [2.0, -0.5, 0.0])
def test_labels_of_any_size_by_the_kernel_as_by_the_rules(true):
    pred = leaf([[0.25], [-3.0]])
    loss = tg.hinge(pred, np.full((2, 1), true))
    by_kernel = tg.grad(loss, pred).numpy()
    by_rules = tg.grad(loss, pred, create_graph=True).numpy()
    np.testing.assert_array_equal(by_kernel, by_rules)
    np.testing.assert_array_equal(by_rules, np.where(pred.numpy() * true < 1, -true / 2, 0))


def test_an_image_without_a_column_is_nothing_but_its_padding():
    image, kernel = leaf(np.ones((1, 1, 3, 0))), leaf(np.ones((1, 1, 3, 1)))
    out = tg.conv2d(image, kernel, (0, 1))
    assert out.numpy().tolist() == [[[[0.0, 0.0]]]]
    assert tg.grad(out.sum(), kernel).numpy().tolist() == [[[[0.0], [0.0], [0.0]]]]


def test_sides_that_are_small_integers_do_not_wrap_around():
    side = np.uint8(20)
    assert tg.resize([1.0, 2.0], (side, side)).shape == (20, 20)


def test_a_conversion_to_its_own_dtype_may_spare_the_copy():
    x = np.array([1.0, 2.0])
    assert np.shares_memory(tg.astype(x, float, copy=False), x)
    assert not np.shares_memory(tg.astype(x, float), x)


def test_powers_of_small_floats_are_in_double_precision():
    x = np.array([1.1], np.float32)
    np.testing.assert_array_equal(tg.float_power(leaf(x, np.float32), 3).numpy(), np.float_power(x, 3))
    np.testing.assert_array_equal(tg.float_power(3, leaf(x, np.float32)).numpy(), np.float_power(3, x))


def test_what_two_views_see_is_nobodys_alone():
    pool = buffers.Pool()
    lent = pool.lend((100, 100), np.dtype(float))
    assert buffers.alone(lent)
    other = lent.base.view(np.ndarray)
    assert not buffers.alone(lent)
    del other
    assert buffers.alone(lent)


def test_a_pool_lets_go_of_no_more_than_it_must():
    pool, side = buffers.Pool(), buffers.SPARE // 4
    shapes = [(side // 8 + i,) for i in range(6)]
    for shape in shapes:  # each is free again at once
        pool.lend(shape, np.dtype(float))
    kept = [key[0] for key in pool.buffers]
    assert kept == shapes[1:]


@pytest.mark.parametrize("f", [tg.sort, tg.argsort])
def test_a_kind_and_stable_exclude_each_other(f):
    with pytest.raises(TinygradError, match=rf"^{f}: .*kind"):
        f([2.0, 1.0], kind="stable", stable=True)


@pytest.mark.parametrize("index", [(slice(None), 5), (..., 5), (None, 0, [0, 5])], ids=str)
def test_a_number_out_of_range_beside_slices_is_one_of_the_index(index):
    with pytest.raises(IndexRangeError, match=r"^getitem: index 5 is out of bounds for axis 1"):
        tg.getitem(leaf(np.ones((3, 2))), index)


def test_losses_of_very_many_are_means_too():
    pred, true = leaf(np.full((1 << 17, 1), 0.5)), np.ones((1 << 17, 1))
    assert tg.hinge(pred, true).item() == 0.5
    assert tg.mse(pred, true).item() == pytest.approx(0.125, rel=1e-12)
    assert tg.sum(pred).item() == 1 << 16


def test_scores_of_integers_are_scores():
    scores, labels = np.array([[1, 3], [2, 2]], np.int8), np.array([1, 0])
    assert tg.cross_entropy(scores, labels) == tg.cross_entropy(scores.astype(float), labels)


def test_a_mask_beside_too_many_numbers_is_an_index_out_of_range():
    with pytest.raises(IndexRangeError, match=r"^getitem: too many indices"):
        tg.getitem(leaf(np.ones(3)), (np.array([True, False, True]), 0))
    with pytest.raises(IndexRangeError, match=r"^getitem: too many indices"):
        tg.getitem(leaf(np.ones(3)), (np.ones((1, 3), int), 0))
    with pytest.raises(DtypeError, match=r"^getitem: "):
        tg.getitem(leaf(np.ones((3, 2))), (0, 1.5))


def test_entries_are_added_wherever_an_array_lies():
    x = np.asfortranarray(np.zeros((3, 2)))
    assert tg.add_at(x, [0, 2, 0], 1.0).tolist() == [[2.0, 2.0], [0.0, 0.0], [1.0, 1.0]]


def test_several_results_are_a_tuple():
    assert type(tg.atleast_1d(1.0, 2.0)) is tuple


def test_powers_of_what_does_not_broadcast_are_refused_for_that():
    with pytest.raises(ShapeError, match=r"^power: .*broadcast"):
        tg.power(leaf([1.0, 2.0]), np.ones(3))


@pytest.mark.parametrize("op", ["sum", "ptp", "tensor"])
def test_ragged_lists_are_refused(op):
    with pytest.raises(ShapeError, match=f"^{op}: expected numbers in a regular grid"):
        getattr(tg, op)([[1.0], [1.0, 2.0]])


def test_what_is_inserted_takes_the_dtype_of_what_is_there():
    assert tg.insert(np.array([1, 2]), 1, 2.75).tolist() == [1, 2, 2]
    assert tg.insert(np.array([1, 2]), 1, 2.75).dtype == int


def test_a_number_is_summed_to_itself():
    assert tg.sum_to(2.0, ()) == 2.0


def test_a_bias_of_an_axis_that_is_as_long_as_the_last():
    x, b = leaf(np.zeros((2, 3, 3))), leaf([1.0, 2.0, 3.0])
    out = tg.add_bias(x, b, axis=-2)
    np.testing.assert_array_equal(out.numpy()[0], [[1.0] * 3, [2.0] * 3, [3.0] * 3])


def test_the_mean_of_nothing_has_an_empty_gradient_without_a_warning():
    x = leaf(np.ones((2, 0)))
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        out = tg.mean(x, 1)
    assert tg.grad(out, x, seed=np.ones(2)).shape == (2, 0)


def test_powers_of_the_number_zero_rest():
    y = leaf([2.0, 0.5])
    assert tg.grad(tg.power(0.0, y), y, seed=np.ones(2)).numpy().tolist() == [0.0, 0.0]

"""What arrays in several lists, dtypes and places do, beyond a case each."""

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np import verify
from tinygrad_np.errors import GraphError, RangeError, StaleError, TinygradError


def leaf(shape, dtype=float, start=0):
    return tg.tensor(np.arange(start, start + np.prod(shape)).reshape(shape), dtype, requires_grad=True)


@pytest.mark.parametrize("join", [tg.concatenate, tg.stack, tg.vstack, tg.hstack, tg.dstack, tg.column_stack, tg.block])
def test_each_gradient_has_its_arguments_dtype(join):
    parts = [leaf((2, 2), np.float16), leaf((2, 2), np.float32), leaf((2, 2), np.longdouble)]
    out = join([*parts, np.ones((2, 2), int)])
    assert out.dtype == np.longdouble
    gradients = tg.grad((out * out).sum(), parts)
    assert [g.dtype for g in gradients] == [np.float16, np.float32, np.longdouble]
    for g, p in zip(gradients, parts, strict=True):
        np.testing.assert_array_equal(g.numpy(), 2 * p.numpy())


@pytest.mark.parametrize("name", ["concatenate", "stack", "vstack", "hstack", "dstack", "column_stack"])
def test_one_tensor_is_the_list_of_its_rows(name):
    t = leaf((2, 3, 2))
    out = getattr(tg, name)(t)
    np.testing.assert_array_equal(out.numpy(), getattr(np, name)(t.numpy()))
    np.testing.assert_array_equal(tg.grad((out * out).sum(), t).numpy(), 2 * t.numpy())


def test_half_of_the_dtypes_stay_what_they_are():
    for dtype in (np.float16, np.float32, np.longdouble):
        t = leaf((2, 3), dtype)
        for function in (
            lambda x: tg.repeat(x, 2, 1),
            lambda x: tg.repeat(x, [1, 0, 2], 1),
            lambda x: tg.tile(x, (2, 2)),
            lambda x: tg.pad(x, 1),
            lambda x: tg.pad(x, 1, "reflect"),
            lambda x: tg.diagonal(x, 1),
            tg.trace,
            tg.tril,
            tg.block,
        ):
            out = function(t)
            assert out.dtype == dtype
            assert tg.grad(out.sum(), t).dtype == dtype


def test_nested_blocks():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in [(2, 3), (2, 1), (1, 3), ()]]

    def nested(block, a, b, c, d):
        return block([[a, b], [c, d]])

    result = nested(tg.block, *arrays)
    np.testing.assert_array_equal(result, nested(np.block, *arrays))
    assert not verify.check_grads(lambda *tensors: nested(tg.block, *tensors), *arrays).kinks
    deep = [[[arrays[0], arrays[1]]], [[np.ones((2, 4))]]]
    np.testing.assert_array_equal(tg.block(deep), np.block(deep))


def test_an_array_that_is_no_list_is_a_block_of_its_own():
    x = np.ones(3)
    assert not np.shares_memory(tg.block(x), x)


def test_pad_widths_as_a_dict():
    t = leaf((2, 3))
    widths = {-1: (1, 2), 0: 1}
    expected = np.pad(t.numpy(), ((1, 1), (1, 2)))
    try:
        np.pad(t.numpy(), widths)
    except TypeError:  # before NumPy 2.2
        with pytest.raises(TinygradError, match=r"^pad: "):
            tg.pad(t, widths)
        return
    out = tg.pad(t, widths)
    np.testing.assert_array_equal(out.numpy(), expected)
    np.testing.assert_array_equal(tg.grad((out * out).sum(), t).numpy(), 2 * t.numpy())


def test_tensors_of_integers_say_where_to_cut_and_how_often_to_repeat():
    t, twos = leaf((4,)), tg.tensor([1, 2])
    for out, expected in [
        (tg.concatenate(tg.split(t, twos)), np.arange(4)),
        (tg.concatenate(tg.split(t, tg.tensor(2))), np.arange(4)),
        (tg.repeat(t[:2], twos), [0, 1, 1]),
        (tg.delete(t, twos), [0, 3]),
        (tg.insert(t, twos, 9.0), [0, 9, 1, 9, 2, 3]),
        (tg.tile(t, tg.tensor(2)), np.tile(np.arange(4), 2)),
        (tg.tile(t, twos), np.tile(np.arange(4), (1, 2))),
        (tg.roll(t, tg.tensor(1)), np.roll(np.arange(4), 1)),
    ]:
        np.testing.assert_array_equal(out.numpy(), expected)
        counts = [np.count_nonzero(np.asarray(expected) == i) for i in range(4)]  # its entries are 0, 1, 2, 3
        np.testing.assert_array_equal(tg.grad(out.sum(), t).numpy(), counts)


def test_a_gradient_is_never_dropped_by_what_is_no_operand():
    t = leaf((2, 3))
    for call in (
        lambda: tg.pad(t, 1, constant_values=t),
        lambda: tg.split(t, t),
        lambda: tg.concatenate([[t, t], [t]]),
    ):
        with pytest.raises(GraphError, match="would silently drop the graph"):
            call()


def test_options_that_are_not_there_are_refused():
    t = leaf((2, 3))
    with pytest.raises(RangeError, match=r"^pad: expected reflect_type 'even', got 'odd'"):
        tg.pad(t, 1, "reflect", reflect_type="odd")
    with pytest.raises(RangeError, match=r"^meshgrid: expected indexing 'xy' or 'ij', got 'xz'"):
        tg.meshgrid(t[0], indexing="xz")
    with pytest.raises(TinygradError, match=r"^pad: unsupported keyword arguments for mode 'edge'"):
        tg.pad(t, 1, "edge", constant_values=0)


def test_numpys_integers_are_axes():
    t = leaf((2, 3))
    for function in (
        lambda one: tg.concatenate([t, t], one),
        lambda one: tg.stack([t, t], one),
        lambda one: tg.concatenate(tg.split(t, 3, one)),
        lambda one: tg.repeat(t, one, one),
        lambda one: tg.delete(t, one, one),
        lambda one: tg.rollaxis(t, one),
        lambda one: tg.diagonal(t, one, one, np.int64(0)),
        lambda one: tg.moveaxis(t, one, 0),
    ):
        plain, numpys = function(1), function(np.int64(1))
        np.testing.assert_array_equal(plain.numpy(), numpys.numpy())
        seed = np.arange(plain.size).reshape(plain.shape)
        np.testing.assert_array_equal(tg.grad(plain, t, seed).numpy(), tg.grad(numpys, t, seed).numpy())


def test_infinities_stay_in_their_own_triangle():
    t = tg.tensor([[1.0, np.inf], [np.nan, 2.0]], requires_grad=True)
    np.testing.assert_array_equal(tg.triu(t).numpy(), [[1, np.inf], [0, 2]])
    np.testing.assert_array_equal(
        tg.grad(tg.tril(t), t, seed=np.array([[1, np.nan], [2, 3]])).numpy(), [[1, 0], [2, 3]]
    )


@pytest.mark.parametrize(
    "view",
    [
        lambda t: t.reshape(3, 2),
        lambda t: tg.ravel(t),
        lambda t: tg.flip(t),
        lambda t: tg.moveaxis(t, 0, 1),
        lambda t: tg.rot90(t),
        lambda t: tg.expand_dims(t, 0),
        lambda t: tg.atleast_3d(t),
        lambda t: tg.diagonal(t),
        lambda t: tg.split(t, 2)[0],
        lambda t: tg.unstack(t)[1],
        lambda t: tg.broadcast_arrays(t, np.ones((2, 2, 3)))[0],
    ],
)
def test_views_of_a_leaf_go_stale_with_it(view):
    t = leaf((2, 3))
    part = view(t)
    assert np.shares_memory(part.numpy(), t.numpy())
    out = (part * part).sum()
    t.data = t.data + 1
    with pytest.raises(StaleError):
        tg.grad(out, t)


def test_copies_of_a_leaf_do_not():
    t = leaf((2, 3))
    twin = tg.copy(t)
    out = (twin * twin).sum()
    t.data = t.data + 1
    np.testing.assert_array_equal(tg.grad(out, t).numpy(), 2 * np.arange(6.0).reshape(2, 3))


def test_aliases_are_one_function():
    assert tg.concat is tg.concatenate
    assert tg.permute_dims is tg.transpose
    assert tg.empty_like is tg.zeros_like


def test_results_of_plain_arrays_can_be_written():
    for array in (*tg.meshgrid(np.arange(2), np.arange(3)), tg.full_like(np.ones(3), 2.0), tg.empty_like(np.ones(2))):
        array[...] = 7


def test_an_array_repeated_in_a_list_gets_both_gradients():
    t = leaf((2,))
    for join in (tg.concatenate, tg.stack, tg.vstack, tg.hstack):
        np.testing.assert_array_equal(tg.grad((join([t, 2 * t, t])).sum(), t).numpy(), [4, 4])

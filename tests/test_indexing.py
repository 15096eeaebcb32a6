"""Indices of every kind, and what the registry's tests cannot say of indexing, sorting and differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tinygrad_np import verify
from tinygrad_np.errors import ArgumentError, DtypeError, GraphError, IndexRangeError, RangeError, StaleError
from tinygrad_np.strategies import choices

# --- any index --------------------------------------------------------------------------------------------------------

INT_TYPES = [np.int8, np.int64, np.uint8, np.uint64]


@st.composite
def parts(draw, shape):
    """An index as a tuple: arrays, lists, masks, numbers, slices, newaxes and an ellipsis in any order."""
    index, axes, common = [], list(shape), draw(hnp.array_shapes(max_dims=2, max_side=3))
    hit = common[0] if len(common) == 1 else None  # how many entries a mask must choose to broadcast
    while axes and draw(st.integers(0, 4)):
        n = axes[0]
        kinds = ["slice", *(["number", "array", "list", "mask", "masks"] if n else ["empty"])]
        kind = draw(st.sampled_from(kinds))
        if kind == "slice":
            index.append(draw(st.slices(n)))
        elif kind == "number":
            number = draw(st.integers(-n, n - 1))
            index.append(draw(st.sampled_from([number, np.int32(number), np.array(number)])))
        elif kind == "empty":
            index.append(draw(st.sampled_from([[], np.empty(0, int), np.zeros(0, bool)])) if hit in (None, 0) else [])
            if common != (1,) and hit != 0:
                index[-1] = slice(None)
        elif kind in ("array", "list"):
            dtype = draw(st.sampled_from(INT_TYPES))
            low = 0 if np.dtype(dtype).kind == "u" else -n
            array = draw(
                hnp.arrays(dtype, draw(st.sampled_from([common, (1,), common[1:]])), elements=st.integers(low, n - 1))
            )
            index.append(array if kind == "array" else array.tolist())
        else:
            sides = axes[:2] if kind == "masks" else axes[:1]
            size = int(np.prod(sides))
            if hit is None or hit > size:
                index.append(slice(None))
                continue_axes = 1
            else:
                mask = np.zeros(size, bool)
                mask[draw(st.permutations(range(size)))[:hit]] = True
                index.append(mask.reshape(sides) if draw(st.booleans()) else mask.reshape(sides).tolist())
                continue_axes = len(sides)
            axes = axes[continue_axes - 1 :]
        axes = axes[1:]
    for extra in draw(st.lists(st.sampled_from([None, True, np.True_, np.array(True)]), max_size=2)):
        index.insert(draw(st.integers(0, len(index))), extra)
    if draw(st.booleans()):
        index.append(...)
    return tuple(index)


@st.composite
def cases(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    whole = choices().map(lambda some: some.index(shape))
    index = draw(parts(shape) | whole | st.sampled_from([True, False, np.False_, np.array(False), ()]))
    try:
        np.empty(shape)[index]
    except IndexError:
        return shape, None
    return shape, index


def as_tensors(index):
    """The index with its arrays as Tensors."""
    if isinstance(index, tuple):
        return tuple(map(as_tensors, index))
    return tg.tensor(index) if isinstance(index, np.ndarray) else index


def counted(shape, index, g):
    """The gradient, entry by entry."""
    out = np.zeros(shape)
    places = np.asarray(np.arange(out.size).reshape(shape)[index])
    for place, entry in zip(places.reshape(-1), g.reshape(-1), strict=True):
        out.reshape(-1)[place] += entry
    return out


@given(case=cases(), seed=st.integers(0, 2**32 - 1))
def test_every_index_reads_what_numpy_reads_and_adds_up_where_it_was(case, seed):
    shape, index = case
    if index is None:
        return
    rng = np.random.default_rng(seed)
    x = np.asarray(rng.normal(size=shape))
    expected = np.asarray(x[index])
    g = rng.normal(size=expected.shape)
    for given_index in (index, as_tensors(index)):
        w = tg.tensor(x, requires_grad=True)
        for read in (w[given_index], tg.getitem(w, given_index)):
            np.testing.assert_array_equal(read.numpy(), expected)
            gradient = tg.grad(read, w, seed=g).numpy()
            np.testing.assert_allclose(gradient, counted(shape, index, g), rtol=1e-14, atol=1e-15)
    written, added = x.copy(), x.copy()
    written[index] = g
    np.add.at(added, index, g)
    np.testing.assert_allclose(tg.add_at(w, given_index, g).numpy(), added, rtol=1e-14, atol=1e-15)
    value = tg.tensor(g, requires_grad=True)
    result = tg.set_at(w, given_index, value)
    np.testing.assert_array_equal(result.numpy(), written)
    kept, given_away = tg.grad(result, (w, value), seed=np.ones(shape))
    replaced = np.ones(shape)
    replaced[index] = 0
    np.testing.assert_array_equal(kept.numpy(), replaced)
    assert given_away.numpy().sum() == replaced.size - replaced.sum()  # one entry for each place
    assert not verify.check_grads(lambda w, v: tg.set_at(w * w, given_index, v * v), x, g).kinks


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda a: a.copy()[::-1][::-1], lambda a: a[:, :1] + 0 * a])
@pytest.mark.parametrize("index_layout", [np.asfortranarray, np.ascontiguousarray])
def test_the_gradient_goes_to_the_value_that_stayed_however_it_lies_in_memory(layout, index_layout):
    rng = np.random.default_rng(0)
    index, v = index_layout(rng.integers(0, 3, (4, 5))), layout(rng.normal(size=(4, 5)))
    x, value = tg.tensor(np.zeros(3), requires_grad=True), tg.from_numpy(v, requires_grad=True)
    out = tg.set_at(x, index, value)
    g = np.array([1.0, 10.0, 100.0])
    (gradient,) = tg.grad(out, [value], seed=g)
    assert sorted(gradient.numpy()[gradient.numpy() != 0]) == [1, 10, 100]
    for place in range(3):
        (stayed,) = v[(index == place) & (gradient.numpy() != 0)]
        assert stayed == out.numpy()[place]


def test_the_last_of_repeated_assignments_stays_as_in_numpy():
    x, value = tg.tensor([0.0, 0.0], requires_grad=True), tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = tg.set_at(x, [0, 0, 1], value)
    np.testing.assert_array_equal(out.numpy(), [2.0, 3.0])
    np.testing.assert_array_equal(tg.grad(out.sum(), value).numpy(), [0.0, 1.0, 1.0])


def test_a_tracked_tensor_is_no_index():
    x, index = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([0.0, 1.0], requires_grad=True)
    for call in (
        lambda: x[index],
        lambda: tg.getitem(x, index),
        lambda: tg.set_at(x, index, 0.0),
        lambda: tg.add_at(x, (index,), 0.0),
        lambda: tg.take(x, index),
        lambda: tg.choose(index, [x, x]),
    ):
        with pytest.raises((DtypeError, GraphError)):
            call()


def test_lists_of_tensors_are_indices():
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    one, two = tg.tensor(1), tg.tensor(2)
    for read in (x[[one, two]], tg.getitem(x, [one, two]), x[tg.tensor([1, 2])], x[[tg.tensor([1, 2])],]):
        np.testing.assert_array_equal(read.numpy().reshape(-1), [2.0, 3.0])
        np.testing.assert_array_equal(tg.grad(read.sum(), x).numpy(), [0.0, 1.0, 1.0])


def test_indices_of_a_tensor_that_was_written_since_are_stale():
    x, index = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([0, 1, 1])
    taken = tg.take(x, index)
    index.data = np.array([0, 0, 0])
    with pytest.raises(StaleError):
        tg.grad(taken.sum(), x)


def test_one_index_of_many_rows_is_quick_and_exact():
    rng = np.random.default_rng(0)
    rows, g = rng.integers(-50, 50, (30, 4)), rng.normal(size=(30, 4, 3, 2))
    expected = np.zeros((50, 3, 2))
    np.add.at(expected, rows, g)
    np.testing.assert_array_equal(tg.scatter_add(g, rows, (50, 3, 2)), expected)
    np.testing.assert_array_equal(tg.scatter_add(g, (rows.astype(np.int16),), (50, 3, 2)), expected)
    assert tg.scatter_add(np.ones((2, 0)), [0, 1], (2, 0)).shape == (2, 0)
    ints = tg.scatter_add(np.ones((2, 2), np.int8), [0, 0], (2, 2))
    assert ints.dtype == np.int8
    np.testing.assert_array_equal(ints, [[2, 2], [0, 0]])
    with pytest.raises(IndexRangeError, match="index 2 is out of bounds for axis 0 with size 2"):
        tg.scatter_add(np.ones((1, 2)), [2], (2, 2))


def test_what_is_broadcast_to_an_index_of_two_axes_is_all_added_up():
    """Where ``np.add.at`` itself gives 11."""
    for index in ([[0, 0], [0, 0]], (np.zeros((2, 2), int),), ([[0, 0], [0, 0]], ...), (None, [[0, 0], [0, 0]])):
        assert tg.add_at([0.0], index, [1.0, 10.0]).tolist() == [22.0]
        assert tg.scatter_add([1.0, 10.0], index, (1,)).tolist() == [22.0]


def test_floats_take_only_what_converts_to_them():
    x = np.zeros(3, np.float32)
    assert tg.set_at(x, 0, 0.1).dtype == tg.add_at(x, [0, 0], np.ones(2)).dtype == np.float32
    assert tg.set_at(np.zeros(3, np.uint8), 0, 7).tolist() == [7, 0, 0]
    w = tg.tensor(x, requires_grad=True)
    assert tg.grad(tg.set_at(w, 0, 0.1).sum(), w).dtype == np.float32


def test_constants_come_out_as_tensors_of_tensors_and_arrays_of_arrays():
    x = tg.tensor([[1.0, 0.0], [2.0, 3.0]], requires_grad=True)
    places = tg.nonzero(x)
    assert all(isinstance(p, tg.Tensor) and not p.requires_grad for p in places)
    assert all(type(p) is np.ndarray for p in tg.nonzero(x.numpy()))
    np.testing.assert_array_equal(x[places].numpy(), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(tg.grad(x[places].sum(), x).numpy(), [[1, 0], [1, 1]])
    for constant in (tg.argsort(x), tg.argwhere(x), tg.flatnonzero(x), tg.searchsorted(x[1], x), tg.lexsort(x)):
        assert isinstance(constant, tg.Tensor)
        assert not constant.requires_grad


def test_choices_may_be_tensors_and_numbers():
    a, b = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([[3.0], [4.0]], requires_grad=True)
    out = tg.choose(tg.tensor([0, 1]), [a, b, 5.0])
    np.testing.assert_array_equal(out.numpy(), [[1.0, 3.0], [1.0, 4.0]])
    by_a, by_b = tg.grad(out.sum(), (a, b))
    np.testing.assert_array_equal(by_a.numpy(), [2.0, 0.0])
    np.testing.assert_array_equal(by_b.numpy(), [[1.0], [1.0]])


# --- order ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_ties_keep_their_order_and_nans_come_last(dtype):
    x = tg.tensor(np.array([1.0, np.nan, 1.0, 0.0, np.nan], dtype), requires_grad=True)
    np.testing.assert_array_equal(tg.sort(x).numpy(), np.sort(x.numpy()))
    for place, source in enumerate([3, 0, 2, 1, 4]):
        for out in (tg.sort(x), tg.sort(x, kind="quicksort"), tg.partition(x, [0, 1, 2, 3, 4])):
            gradient = tg.grad(out[place], x)
            assert gradient.dtype == dtype
            np.testing.assert_array_equal(gradient.numpy(), np.eye(5)[source])


def test_a_long_line_of_ties_keeps_its_order():
    values = np.random.default_rng(0).integers(0, 5, 1000).astype(float)
    x = tg.tensor(values, requires_grad=True)
    order = np.argsort(values, stable=True)
    seed = np.arange(1000.0)
    np.testing.assert_array_equal(tg.grad(tg.sort(x), x, seed=seed).numpy()[order], seed)
    part = tg.partition(x, 300)
    np.testing.assert_array_equal(part.numpy(), np.partition(values, 300))
    gradient = tg.grad(part, x, seed=seed).numpy().astype(int)
    np.testing.assert_array_equal(part.numpy()[gradient], values)
    for value in range(5):
        assert (np.diff(gradient[values == value]) > 0).all()


def test_sorters_may_be_tensors():
    x = tg.tensor([3.0, 1.0, 2.0])
    assert tg.searchsorted(x, 1.5, sorter=tg.argsort(x)).item() == 1
    assert tg.partition(x, tg.tensor([1]))[1].item() == 2.0


def test_unique_gives_tensors_for_tensors():
    x = tg.tensor([2.0, 1.0, 2.0], requires_grad=True)
    values, counts = tg.unique(x, return_counts=True)
    assert values.requires_grad
    np.testing.assert_array_equal(counts.numpy(), [1, 2])


# --- differences ------------------------------------------------------------------------------------------------------


def test_gradients_flow_to_what_is_joined_before_differences():
    arrays = map(np.random.default_rng(0).normal, [0] * 3, [1] * 3, [(2, 3), (1, 3), ()])
    assert not verify.check_grads(lambda a, b, c: tg.diff(a * a, 2, 0, b * b, c * c), *arrays).kinks


def test_differences_of_bools_and_integers_are_numpys():
    bools, small = np.array([True, True, False]), np.array([3, 1, 2], np.uint8)
    for a in (bools, small):
        np.testing.assert_array_equal(tg.diff(a), np.diff(a))
        assert tg.diff(a).dtype == np.diff(a).dtype
    np.testing.assert_array_equal(tg.gradient(small), np.gradient(small))


@pytest.mark.parametrize("edge_order", [1, 2])
def test_coordinates_at_even_distances_have_their_own_gradients(edge_order):
    rng = np.random.default_rng(0)
    f, x = rng.normal(size=(5, 2)), np.arange(5.0) * 0.5

    def slopes(f, x):
        return tg.gradient(f, x, axis=0, edge_order=edge_order)

    np.testing.assert_allclose(slopes(f, x), np.gradient(f, x, axis=0, edge_order=edge_order), rtol=1e-14)
    assert not verify.check_grads(slopes, f, x).kinks


def test_an_infinite_entry_counts_at_even_distances_as_in_numpy():
    f, x = np.array([1.0, np.inf, 2.0, 4.0, 8.0]), np.arange(5.0)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(tg.gradient(f, x), np.gradient(f, x))
        np.testing.assert_array_equal(tg.gradient(f), np.gradient(f))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_slopes_keep_their_dtype(dtype):
    f, x = np.array([1.0, 2.0, 4.0], dtype), np.array([0.0, 1.0, 3.0])
    for spacing in ((), (0.1,), (np.float64(0.1),), (x,)):
        expected, out = np.gradient(f, *spacing), tg.gradient(f, *spacing)
        assert out.dtype == expected.dtype == dtype
        np.testing.assert_allclose(out, expected, rtol=4 * np.finfo(dtype).eps)


def test_slopes_of_one_axis_are_an_array_and_of_several_a_tuple():
    f = tg.tensor(np.ones((3, 3)), requires_grad=True)
    assert isinstance(tg.gradient(f, axis=(0,)), tg.Tensor)
    assert type(tg.gradient(f)) is tuple
    with pytest.raises(RangeError, match="expected an edge_order of 1 or 2, got 3"):
        tg.gradient(f, edge_order=3)


def test_gradients_flow_to_the_points_and_the_ends_of_an_interpolation():
    rng = np.random.default_rng(0)
    x, xp = np.array([-0.5, 0.3, 1.2, 2.5, 3.5]), np.array([0.0, 1.0, 2.0, 3.0])
    assert not verify.check_grads(tg.interp, x, xp, rng.normal(size=4)).kinks
    assert not verify.check_grads(tg.interp, x, xp, rng.normal(size=4), np.array(0.5), np.array(-0.5)).kinks


def test_an_interpolation_has_no_period():
    with pytest.raises(ArgumentError, match="interp: expected arguments"):
        tg.interp([1.0], [0.0, 1.0], [0.0, 1.0], period=1.0)


@pytest.mark.parametrize("name", ["take", "compress"])
def test_out_is_refused(name):
    with pytest.raises(ArgumentError, match=name):
        getattr(tg, name)([0], [1.0], out=np.empty(1))


def test_other_modes_are_refused():
    for call in (lambda: tg.take([1.0], [0], mode="bounce"), lambda: tg.choose([0], [[1.0]], mode="bounce")):
        with pytest.raises(RangeError, match="expected the mode 'raise', 'wrap' or 'clip', got 'bounce'"):
            call()

"""Tensors as Python and NumPy meet them."""

import copy
import math
import pickle

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np.errors import (
    ArgumentError,
    DtypeError,
    GraphError,
    IndexRangeError,
    MutationError,
    ShapeError,
    TinygradError,
)


def leaf(value, name=None, dtype=float):
    return tg.tensor(value, dtype, requires_grad=True, name=name)


# --- making one -------------------------------------------------------------------------------------------------------


def test_tensor_copies_and_from_numpy_shares():
    a = np.array([1.0, 2.0])
    copied, shared = tg.tensor(a), tg.from_numpy(a, requires_grad=True, name="a")
    a[0] = 5.0
    assert copied.tolist() == [1.0, 2.0]
    assert shared.tolist() == [5.0, 2.0]
    assert (shared.requires_grad, shared.is_leaf, shared.name) == (True, True, "a")
    shared.data = [7.0, 8.0]
    assert a.tolist() == [7.0, 8.0]


def test_tensor_takes_native_byte_order_and_plain_arrays():
    swapped = tg.tensor(np.array([1.0, 2.0], dtype=">f8" if np.little_endian else "<f8"))
    assert swapped.dtype.isnative
    assert swapped.tolist() == [1.0, 2.0]
    assert type(tg.tensor(np.ones(1).view(np.recarray)).numpy()) is np.ndarray
    assert tg.tensor(tg.tensor([1, 2])).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: tg.tensor([1, 2], requires_grad=True), DtypeError, r"real floating-point dtype.*int64.*dtype=float"),
        (lambda: tg.tensor([True], requires_grad=True), DtypeError, "got bool"),
        (lambda: tg.tensor([1j], requires_grad=True), DtypeError, "real numbers or bools, got dtype complex128"),
        (
            lambda: tg.tensor([object()], requires_grad=True),
            DtypeError,
            "expected real numbers or bools, got dtype object",
        ),
        (lambda: tg.tensor(1j, float), DtypeError, "expected numbers of dtype .*float"),
        (lambda: tg.tensor(["a"]), DtypeError, "expected real numbers or bools, got dtype <U1"),
        (lambda: tg.tensor([[1.0], [2.0, 3.0]]), ShapeError, "a regular grid"),
        (lambda: tg.tensor(leaf(1.0) * 2), GraphError, r"drop the graph .* tensor\(t.detach\(\)\)"),
        (lambda: tg.from_numpy([1.0]), ArgumentError, r"expected an array, got list; use tensor\(\)"),
        (lambda: tg.from_numpy(np.array([1.0], ">f8")), DtypeError, "native byte order, got '>f8'"),
        (lambda: tg.from_numpy(np.array([1]), requires_grad=True), DtypeError, "got int64"),
    ],
)
def test_what_no_tensor_can_be_made_of(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_tensor_is_not_made_by_its_class():
    with pytest.raises(
        ArgumentError, match=r"Tensor: expected to be made by tensor\(...\) or from_numpy\(...\), got a list"
    ):
        tg.Tensor([1.0])


# --- looking at one --------------------------------------------------------------------------------------------------


def test_attributes_are_those_of_the_array():
    a = np.arange(6.0).reshape(2, 3)
    t = tg.tensor(a)
    assert (t.shape, t.ndim, t.size, t.dtype, t.nbytes, len(t)) == (a.shape, 2, 6, a.dtype, a.nbytes, 2)
    assert t.T.tolist() == a.T.tolist()
    assert t.mT.shape == (3, 2)
    assert [row.tolist() for row in t] == a.tolist()
    first, second = t
    assert (first.tolist(), second.tolist()) == (a[0].tolist(), a[1].tolist())


def test_iteration_and_unpacking_record():
    x = leaf([3.0, 4.0])
    a, b = x
    assert tg.grad(a * b, x).tolist() == [4.0, 3.0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: leaf([1.0, 2.5]), "tensor([1. , 2.5], requires_grad=True)"),
        (lambda: leaf([1.0]) * 2, "tensor([2.], requires_grad=True)"),
        (lambda: tg.tensor(3), "tensor(3)"),
        (lambda: tg.tensor([1.0], np.float32), "tensor([1.], dtype=float32)"),
        (lambda: tg.tensor(np.zeros((0, 3))), "tensor([], shape=(0, 3))"),
        (lambda: tg.tensor([True]), "tensor([ True])"),
    ],
)
def test_repr(make, text):
    assert repr(make()) == text


def test_repr_of_a_million_entries_is_short():
    assert len(repr(tg.tensor(np.zeros(1_000_000)))) < 200


def test_formatting():
    assert f"{leaf(2.5):.3f}" == "2.500"
    assert f"{leaf([2.5]):>8.1f}" == "     2.5"
    assert f"{tg.tensor([1.0, 2.0])}" == "tensor([1., 2.])"


def test_ways_out_that_always_work():
    x = leaf([[1.0, 2.0]]) * 2
    assert x.tolist() == [[2.0, 4.0]]
    assert x.sum().item() == 6.0
    assert x.item(0, 1) == 4.0
    assert x.numpy().tolist() == [[2.0, 4.0]]


@pytest.mark.parametrize("way", [float, int, complex, math.sin, np.asarray, np.array, lambda t: [1, 2, 3][t]])
def test_ways_out_that_would_drop_the_graph_are_errors_with_advice(way):
    with pytest.raises(GraphError, match=r"silently drop the graph .* use .*(item\(\)|numpy\(\) or detach\(\))"):
        way(leaf(1.0) * 1)


def test_constants_go_straight_into_numpy():
    t = tg.tensor([1.0, 2.0])
    assert np.asarray(t).tolist() == [1.0, 2.0]
    assert np.array(t, dtype=np.float32).dtype == np.float32
    assert float(tg.tensor(1.5)) == 1.5
    assert int(tg.tensor(2)) == 2
    assert [10, 20, 30][tg.tensor(1)] == 20
    assert np.cumsum(t).tolist() == [1.0, 3.0]
    assert np.median([t, t]) == 1.5
    assert np.arctan2(t, t).tolist() == [math.pi / 4] * 2
    assert np.add.reduce(t) == 3.0
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(t)[0] = 5.0


def test_truth_is_numpys():
    assert bool(leaf(1.0))
    assert not leaf(0.0)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(leaf([1.0, 2.0]))


def test_tensors_hash_by_identity_and_compare_by_value():
    a, b = tg.tensor(1.0), tg.tensor(1.0)
    assert (a == b).item() is True
    assert len({a, b}) == 2
    assert (leaf([1.0, 3.0]) > 2).tolist() == [False, True]
    for compare in (np.equal, np.not_equal, np.greater, np.greater_equal, np.less, np.less_equal):
        assert compare(tg.tensor([1, 2]), 2).tolist() == compare([1, 2], 2).tolist()
    assert (a == None) is False  # noqa: E711  the question is what == says
    assert (a != "a") is True
    with pytest.raises(TypeError, match="'>' not supported"):
        a > None  # noqa: B015  it raises
    with pytest.raises(TypeError, match="unsupported operand"):
        a + None


# --- writing to one --------------------------------------------------------------------------------------------------


def test_data_and_numpy_are_read_only_views():
    w = leaf([1.0, 2.0])
    for view in (w.data, w.numpy()):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 5.0
    view = w.data
    w.data = np.array([3, 4])
    assert view.tolist() == [3.0, 4.0]  # a view, and the write was in place


@pytest.mark.parametrize(
    ("write", "error", "words"),
    [
        (
            lambda w: setattr(w, "data", [1.0, 2.0, 3.0]),
            ShapeError,
            r"data: expected an array of shape \(2,\), got \(3,\)",
        ),
        (lambda w: setattr(w, "data", 0.0), ShapeError, r"got \(\)"),
        (
            lambda w: setattr(w, "data", np.ones(2) * 1j),
            DtypeError,
            r"float64 .* got complex128; convert it with astype",
        ),
        (lambda w: setattr(w * 2, "data", [1.0, 2.0]), MutationError, "only a leaf can be written"),
        (lambda w: setattr(w.reshape(2, 1), "data", [[1.0], [2.0]]), MutationError, "the result of an operation"),
        (lambda w: setattr(w, "grad", [1.0]), ShapeError, r"grad: expected None or an array float64 \(2,\)"),
        (lambda w: setattr(w, "grad", np.ones(2, np.float32)), DtypeError, r"got float32 \(2,\)"),
        (lambda w: setattr(w * 2, "grad", None), GraphError, "only a leaf"),
    ],
)
def test_refused_writes_change_nothing(write, error, words):
    w = leaf([1.0, 2.0])
    loss = (w * w).sum()
    with pytest.raises(error, match=words):
        write(w)
    assert w.tolist() == [1.0, 2.0]
    assert tg.grad(loss, w).tolist() == [2.0, 4.0]  # nor is the graph thought stale


def test_grad_can_be_set_and_cleared():
    w = leaf([1.0, 2.0])
    given = np.array([3.0, 4.0])
    w.grad = given
    given[:] = 0
    assert w.grad.tolist() == [3.0, 4.0]
    w.grad = None
    assert w.grad is None
    assert (w * 2).grad is None


# --- copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_of_a_leaf_are_new_leaves(way):
    w = leaf([1.0, 2.0], "w", np.float32)
    (w * w).sum().backward()
    twin = way(w)
    assert (twin.tolist(), twin.dtype, twin.name, twin.is_leaf, twin.grad) == ([1.0, 2.0], np.float32, "w", True, None)
    twin.data = np.zeros(2, np.float32)
    assert w.tolist() == [1.0, 2.0]
    assert not way(tg.tensor([1.0])).requires_grad
    with pytest.raises(GraphError, match=r"a copy would silently drop the graph.*detach\(\)"):
        way(w * 2)
    assert way((w * 2).detach()).tolist() == [2.0, 4.0]


def test_detach_shares_memory_and_stops_gradients():
    w = leaf([1.0, 2.0])
    assert np.shares_memory(w.detach().numpy(), w.numpy())
    assert not w.detach().requires_grad
    assert tg.grad((w * w.detach()).sum(), w).tolist() == [1.0, 2.0]
    assert tg.grad((w * tg.stop_gradient(w)).sum(), w).tolist() == [1.0, 2.0]
    assert tg.stop_gradient(3.0) == 3.0


# --- NumPy's protocols -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: np.array([1.0, 2.0]) + x, [1.0, 1.0]),
        (lambda x: np.array([1.0, 2.0]) - x, [-1.0, -1.0]),
        (lambda x: np.float64(3) * x, [3.0, 3.0]),
        (lambda x: np.array([4.0, 9.0]) / x, [-4.0, -2.25]),
        (lambda x: 2.0**x, [2 * math.log(2), 4 * math.log(2)]),
        (lambda x: 5 - x, [-1.0, -1.0]),
        (lambda x: 1 / x, [-1.0, -0.25]),
        (lambda x: 3 + x, [1.0, 1.0]),
        (lambda x: [1.0, 2.0] * x, [1.0, 2.0]),
        (lambda x: np.eye(2) @ x, [1.0, 1.0]),
        (lambda x: [[1.0, 2.0], [3.0, 4.0]] @ x, [4.0, 6.0]),
        (lambda x: np.exp(x), [math.e, math.exp(2)]),
        (lambda x: np.sum(x, axis=0), [1.0, 1.0]),
        (lambda x: np.where([True, False], x, 0.0), [1.0, 0.0]),
        (lambda x: np.concatenate([x, np.ones(3)]), [1.0, 1.0]),
        (lambda x: np.maximum(x, 1.5), [0.0, 1.0]),
        (lambda x: sum(x), [1.0, 1.0]),
        (lambda x: abs(-x), [1.0, 1.0]),
        (lambda x: +x, [1.0, 1.0]),
        (lambda x: x.astype(np.float32), [1.0, 1.0]),
        (lambda x: x.flatten().max() + x.min(), [1.0, 1.0]),
        (lambda x: x.transpose().swapaxes(0, -1).mean(), [0.5, 0.5]),
        (lambda x: x.reshape(2, 1).transpose(1, 0).reshape((2,)), [1.0, 1.0]),
        (lambda x: x[tg.tensor([1, 1])] * x[tg.tensor([True, False])], [3.0 + 1.0, 2.0]),
        (lambda x: x[tg.tensor(0), None], [1.0, 0.0]),
    ],
)
def test_operators_methods_and_numpys_functions_record(f, expected):
    x = leaf([1.0, 2.0])
    np.testing.assert_allclose(tg.grad(f(x).sum() if f(x).ndim else f(x), x).numpy(), expected, rtol=1e-12)


def test_all_indices_add_up():
    x = leaf([1.0, 2.0])
    y = x[tg.tensor([1, 1])] * x[tg.tensor([True, False])]
    assert y.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda x: np.unwrap(x), GraphError, r"np.unwrap, which is not recorded, .* t.numpy\(\) or t.detach\(\)"),
        (lambda x: np.nextafter(x, 1.0), GraphError, "np.nextafter"),
        (lambda x: np.add.reduce(x), GraphError, "np.add.reduce"),
        (lambda x: np.median([x, x]), GraphError, "an array made of it by NumPy would silently drop"),
        (lambda x: np.add(x, 1.0, out=np.empty(2)), GraphError, "np.add"),
        (lambda x: np.add(1.0, 1.0, out=x), MutationError, "np.add: expected arrays as out="),
        (lambda x: x[5], IndexRangeError, "getitem: index 5 is out of bounds"),
        (lambda x: x["a"], IndexRangeError, "getitem: only integers"),
        (lambda x: x + np.ones(3), ShapeError, "add: operands could not be broadcast"),
        (lambda x: np.max(x, out=np.empty(())), ArgumentError, "max: expected arguments"),
    ],
)
def test_what_would_drop_the_graph_or_fail_says_so(f, error, words):
    with pytest.raises(error, match=words) as caught:
        f(leaf([1.0, 2.0]))
    assert isinstance(caught.value, TinygradError)


def test_memory_of_a_detached_parameter_is_not_written_behind_the_tapes_back():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    loss = (x * w).sum()
    for write in (
        lambda: np.copyto(w.detach(), 100.0),
        lambda: np.asarray(w.detach()).fill(50),
    ):
        with pytest.raises(ValueError, match="read-only"):
            write()
    for write in (
        lambda: np.cumsum([1.0, 2.0], out=w.detach()),
        lambda: np.clip([1.0, 2.0], 0, 1, out=w.detach()),
        lambda: np.add.at(w.detach(), [0], 7.0),
    ):
        with pytest.raises(MutationError, match="a Tensor, which never changes in place"):
            write()
    assert w.tolist() == [3.0, 4.0]
    assert tg.grad(loss, x).tolist() == [3.0, 4.0]
    copied = (x * np.asarray(w.detach())).sum()
    w.data = [0.0, 0.0]
    assert tg.grad(copied, x).tolist() == [3.0, 4.0]


def test_read_only_memory_is_refused_before_anything_is_written():
    array = np.array([1.0, 2.0])
    array.flags.writeable = False
    w, v = tg.from_numpy(array, requires_grad=True), leaf([1.0])
    loss = (w * w).sum()
    with pytest.raises(MutationError, match="the memory is read-only"):
        w.data = [0.0, 0.0]
    v.grad, w.grad = np.ones(1), np.ones(2)
    with pytest.raises(MutationError, match="read-only"):
        tg.optim.SGD([v, w]).step()
    assert v.tolist() == [1.0]
    assert tg.grad(loss, w).tolist() == [2.0, 4.0]


def test_shapes_of_tensors_are_numpys():
    w = leaf([[1.0, 2.0]])
    assert (np.shape(w), np.ndim(w), np.size(w), np.size(w, axis=1)) == ((1, 2), 2, 2, 2)


def test_in_place_addition_of_a_tracked_tensor_to_an_array_is_refused():
    a = np.zeros(2)
    with pytest.raises(GraphError, match=r"np.add.*t.numpy\(\) or t.detach\(\)"):
        a += leaf([1.0, 2.0])
    assert a.tolist() == [0.0, 0.0]

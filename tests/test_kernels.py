"""Raw kernels give what the rules give, and lent buffers never show: no bit of what anybody holds changes."""

import gc
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_np as tg
from tests.test_registry import FACTS, PRIMITIVES, call, draw, live_places, without_kernel
from tinygrad_np import buffers, codegen, nn, optim
from tinygrad_np.buffers import Pool, allocate, alone
from tinygrad_np.facts import Trial
from tinygrad_np.strategies import choices
from tinygrad_np.verify.checks import LAYOUTS

KERNELS = [primitive for primitive in PRIMITIVES if primitive.kernel is not None]
every_kernel = pytest.mark.parametrize("primitive", KERNELS, ids=str)


def lend_from(monkeypatch, size):
    """Lend arrays of at least this many bytes."""
    monkeypatch.setattr(buffers, "LARGE", size)
    monkeypatch.setitem(codegen._SCOPE, "LARGE", size)
    for primitive in PRIMITIVES:
        monkeypatch.setattr(primitive, "plans", {})
        monkeypatch.setattr(primitive, "call", primitive._first_call)


@pytest.fixture
def lending(monkeypatch):
    """Even the smallest arrays are lent."""
    lend_from(monkeypatch, 0)


def outcome(primitive, arrays, trial, positions, seed):
    """The value and its gradients, as arrays."""
    tensors = [tg.tensor(a, requires_grad=True) if i in positions else a for i, a in enumerate(arrays)]
    out = call(primitive, tensors, trial)
    gradients = tg.grad(out, [tensors[i] for i in positions], seed=seed) if positions else ()
    return [out.numpy(), *(g.numpy() for g in gradients)]


def in_order(primitive, arrays, trial):
    """What a kernel is given: arrays and all static parameters."""
    return primitive._bind((*arrays, *trial.static), dict(trial.options))


def check_against_rules(primitive, arrays, trial, positions):
    rng = np.random.default_rng(1)
    shape = np.shape(call(primitive, arrays, trial))
    seed = rng.normal(size=shape)
    frozen = [np.copy(a) for a in (*arrays, seed)]
    with np.errstate(all="ignore"):
        found = outcome(primitive, arrays, trial, positions, seed)
        with pytest.MonkeyPatch.context() as monkeypatch:
            without_kernel(monkeypatch, primitive)
            expected = outcome(primitive, arrays, trial, positions, seed)
    for a, b in zip(found, expected, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        tolerance = 50 * np.finfo(a.dtype).eps
        np.testing.assert_allclose(a, b, tolerance, tolerance * np.abs(b[np.isfinite(b)]).max(initial=1))
    for a, b in zip((*arrays, seed), frozen, strict=True):
        np.testing.assert_array_equal(a, b)


# --- kernels and rules ------------------------------------------------------------------------------------------------


@every_kernel
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("size", [0, 1 << 60], ids=["lent", "allocated"])
def test_kernels_agree_with_rules(primitive, size, data, seed):
    """For drawn shapes, layouts, dtypes (mixed ones too), and each choice of arguments that need gradients."""
    case, rng = FACTS[primitive], np.random.default_rng(seed)
    trial = case.trial(data.draw(choices()))
    arrays = draw(primitive, trial, rng)
    layouts, dtypes = sorted(LAYOUTS), [np.float64, np.float32]
    same = data.draw(st.sampled_from(dtypes))
    mixed = data.draw(st.booleans())
    for i, a in enumerate(arrays):
        if a.dtype.kind == "f":
            dtype = data.draw(st.sampled_from(dtypes)) if mixed else same
            arrays[i] = LAYOUTS[data.draw(st.sampled_from(layouts))](a.astype(dtype))
    live = live_places(primitive, arrays)
    positions = [i for i in live if data.draw(st.booleans())] or live[:1]
    with pytest.MonkeyPatch.context() as monkeypatch:
        lend_from(monkeypatch, size)
        check_against_rules(primitive, arrays, trial, positions)


ODD = {
    "float16": lambda a: a.astype(np.float16),
    "long double": lambda a: a.astype(np.longdouble),
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "subclass": lambda a: a.view(type("Sub", (np.ndarray,), {})),
}


@every_kernel
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("which", [0, None], ids=["the first", "all"])
def test_odd_dtypes_take_the_rules(primitive, odd, which, lending):
    arrays = draw(primitive, FACTS[primitive].base, np.random.default_rng(0))
    chosen = [i for i, a in enumerate(arrays) if a.dtype.kind == "f" and which in (i, None)]
    for i in chosen:
        arrays[i] = ODD[odd](arrays[i])
    positions = live_places(primitive, arrays) if odd in ("float16", "long double") else []
    if positions:
        check_against_rules(primitive, arrays, FACTS[primitive].base, positions)
    value = np.asarray(call(primitive, arrays, FACTS[primitive].base))
    with pytest.MonkeyPatch.context() as monkeypatch:
        without_kernel(monkeypatch, primitive)
        expected = np.asarray(call(primitive, arrays, FACTS[primitive].base))
    assert value.dtype == expected.dtype
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    if odd != "subclass":
        assert primitive.kernel.forward(allocate, *in_order(primitive, arrays, FACTS[primitive].base)) is None


@every_kernel
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_kernel_takes_its_base_case(primitive, dtype):
    """So that the tests above compare something."""
    arrays = draw(primitive, FACTS[primitive].base, np.random.default_rng(0))
    if primitive is tg.cross_entropy:
        arrays[1] = np.arange(len(arrays[0])) % arrays[0].shape[1]
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    assert primitive.kernel.forward(allocate, *in_order(primitive, arrays, FACTS[primitive].base)) is not None


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("label_dtype", [np.int64, np.int8, np.uint8])
def test_class_numbers_take_the_kernel(dtype, label_dtype, lending):
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(300, 4)).astype(dtype), rng.integers(4, size=300).astype(label_dtype)
    check_against_rules(tg.cross_entropy, [scores, labels], Trial(()), [0])
    assert tg.cross_entropy.kernel.forward(allocate, scores, labels) is not None
    scores[3, labels[3]] = -np.inf
    assert tg.cross_entropy.kernel.forward(allocate, scores, labels) is None
    scores[3] = [-np.inf, 0, 1, 2]
    labels[3] = 1
    check_against_rules(tg.cross_entropy, [scores, labels], Trial(()), [0])


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("gate", [tg.relu, tg.dense_relu, tg.conv2d_relu_pool])
def test_what_relu_stops_is_zero_whatever_comes(gate, bad, lending):
    """0 times infinity would be NaN, and a warning."""
    if gate is tg.relu:
        arrays = [np.array([[1.0, -1.0], [-2.0, 2.0]])]
    elif gate is tg.dense_relu:
        arrays = [np.array([[1.0, -1.0], [-2.0, 2.0]]), np.eye(2), np.zeros(2)]
    else:
        arrays = [np.array([1.0, -1.0, -2.0, 2.0]).reshape(1, 1, 4, 1).repeat(2, 3), np.ones((1, 1, 1, 1)), np.zeros(1)]
    static = ("valid", 1) if gate is tg.conv2d_relu_pool else ()
    tensors = [tg.tensor(a, requires_grad=True) for a in arrays]
    out = gate(*tensors, *static)
    seed = np.where(out.numpy() > 0, 1.0, bad)
    gradient = tg.grad(out, tensors, seed=seed)[0].numpy()
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient != 0, arrays[0] > 0)


def test_a_kernel_that_declines_half_way_leaves_the_work_to_the_rules(lending):
    x = tg.tensor([[3.0]], requires_grad=True)
    seen = []

    @tg.primitive
    def double(x, /):
        return x * 2

    double.def_vjp(x=lambda g: g * 2)
    double.def_kernel(lambda lend, x: (x * 2,), lambda lend, g, live: seen.append(live))
    assert tg.grad(double(x).sum(), x).item() == 2
    assert seen == [(True,)]


def test_what_only_a_kernel_asks_for_is_neither_kept_nor_checked():
    """The first layer's rules do not need its weights, so that an update in place spoils nothing."""
    x, w, b = np.ones((3, 2)), tg.tensor(np.ones((2, 4)), requires_grad=True), tg.tensor(np.ones(4), requires_grad=True)
    out = tg.dense(x, w, b).sum()
    w.data = np.zeros((2, 4))
    gradient, _ = tg.grad(out, [w, b])
    np.testing.assert_array_equal(gradient.numpy(), np.full((2, 4), 3.0))


# --- lent buffers -----------------------------------------------------------------------------------------------------


def network(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Dense(4, 8, rng=rng), nn.ReLU(), nn.Dense(8, 8, rng=rng), nn.ReLU(), nn.Dense(8, 1, rng=rng)
    )


def batch(n=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)), rng.choice([-1.0, 1.0], size=(n, 1))


def gradients(model, loss):
    return [g.numpy().copy() for g in tg.grad(loss, model.parameters())]


def equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_buffers_are_used_again(lending):
    model, (x, true) = network(), batch()
    for _ in range(3):
        tg.hinge(model(x), true).backward()
    pool = model.parameters()[0]._node.pool
    held = {id(b) for same in pool.buffers.values() for b in same}
    for _ in range(3):
        tg.hinge(model(x), true).backward()
    assert held == {id(b) for same in pool.buffers.values() for b in same}


def test_a_layer_called_twice_in_one_graph(lending):
    rng = np.random.default_rng(0)
    layer, x = nn.Dense(4, 4, rng=rng), rng.normal(size=(5, 4))
    net = nn.Sequential(layer, nn.ReLU())
    for _ in range(3):
        out = net(net(net(x)))
        found = gradients(layer, tg.mse(out, np.zeros((5, 4))))
        w, b = (tg.tensor(p.numpy(), requires_grad=True) for p in layer.parameters())
        h = x
        for _ in range(3):
            h = tg.where((z := h @ w + b) > 0, z, 0.0)
        equal(found, [g.numpy() for g in tg.grad((h * h).sum() / 10, [w, b])])


@given(order=st.lists(st.sampled_from(["forward", "backward", "keep", "drop", "step", "again"]), max_size=30))
def test_nothing_that_is_held_ever_changes(order):
    """Graphs, outputs and gradients kept through any order of steps keep their bits, and graphs their gradients."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        lend_from(monkeypatch, 0)
        model = network()
        sgd = optim.SGD(model.parameters(), lr=0.01)
        held, graphs = [], []
        for i, action in enumerate(order):
            x, true = batch(3 + i % 3, seed=i)
            if action == "forward":
                out = model(x)
                graphs.append((tg.hinge(out, true), None))
                held.append((out.numpy(), out.numpy().copy()))
            elif action == "backward" and graphs:
                loss, expected = graphs.pop()
                found = gradients(model, loss)
                if expected is not None:
                    equal(found, expected)
                graphs.append((loss, found))
            elif action == "keep":
                sgd.zero_grad()
                tg.hinge(model(x), true).backward()
                held += [(p.grad, p.grad.copy()) for p in model.parameters()]
            elif action == "drop" and held:
                held.pop(0)
            elif action == "step":
                sgd.step()
                graphs.clear()  # which the update made stale
            elif action == "again" and graphs:
                graphs.append((tg.mse(model(x), true), None))
            for array, copy in held:
                np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("gate", [tg.relu, lambda x: tg.dropout_mask(x, np.array([True, False, True]))])
def test_a_gradient_that_goes_two_ways_is_overwritten_by_neither(gate, lending):
    """Kernels write into the gradient that came only where nobody else holds it: a sum passes one on to both terms."""
    x = tg.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = tg.tensor([-1.0, 2.0, -3.0], requires_grad=True)
    found = tg.grad((gate(x) + (gate(y) + y)).sum(), [x, y])
    open_x, open_y = ((gate(t).numpy() != 0).astype(float) for t in (x, y))
    equal([g.numpy() for g in found], [open_x, open_y + 1])


def test_two_graphs_alive_and_the_first_used_after_the_next_began(lending):
    model, first, second = network(), batch(seed=1), batch(seed=2)
    alone_1 = gradients(model, tg.hinge(model(first[0]), first[1]))
    alone_2 = gradients(model, tg.hinge(model(second[0]), second[1]))
    loss_1 = tg.hinge(model(first[0]), first[1])
    loss_2 = tg.hinge(model(second[0]), second[1])
    equal(gradients(model, loss_1), alone_1)
    equal(gradients(model, loss_2), alone_2)
    equal(gradients(model, loss_1), alone_1)


def test_threads_do_not_share_buffers(lending):
    model = network()
    batches = [batch(5 + i % 2, seed=i) for i in range(8)]
    expected = [gradients(model, tg.hinge(model(x), true)) for x, true in batches]
    failures = []

    def work(i):
        x, true = batches[i]
        try:
            for _ in range(100):
                equal(gradients(model, tg.hinge(model(x), true)), expected[i])
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_gradients_of_gradients_through_lent_buffers(lending):
    model, (x, true) = network(), batch()
    found = []
    for _ in range(2):
        slopes = tg.grad(tg.mse(model(x), true), model.parameters(), create_graph=True)
        square = sum((s * s).sum() for s in slopes)
        found.append([g.numpy() for g in tg.grad(square, model.parameters())])
    with pytest.MonkeyPatch.context() as monkeypatch:
        for primitive in KERNELS:
            without_kernel(monkeypatch, primitive)
        slopes = tg.grad(tg.mse(model(x), true), model.parameters(), create_graph=True)
        expected = [g.numpy() for g in tg.grad(sum((s * s).sum() for s in slopes), model.parameters())]
    equal(found[0], expected)
    equal(found[1], expected)


def test_an_exception_half_way_gives_everything_back(lending):
    model, (x, true) = network(), batch()
    expected = gradients(model, tg.hinge(model(x), true))

    @tg.primitive
    def broken(x, /):
        return x + 0

    def fail(g):
        raise RuntimeError("half-way")

    broken.def_vjp(x=fail)
    for _ in range(3):
        hidden = model[:3](x)
        loss = tg.hinge(model[3:](broken(hidden)), true)
        with pytest.raises(RuntimeError, match="half-way"):
            loss.backward()
        assert all(p.grad is None for p in model.parameters())
        del hidden, loss
    equal(gradients(model, tg.hinge(model(x), true)), expected)


def test_batches_of_changing_size(lending):
    model = network()
    for n in (6, 3, 6, 1, 9, 6):
        x, true = batch(n)
        w1, b1, w2, b2, w3, b3 = (p.numpy() for p in model.parameters())
        expected = np.maximum(np.maximum(x @ w1 + b1, 0) @ w2 + b2, 0) @ w3 + b3
        np.testing.assert_allclose(model(x).numpy(), expected, rtol=1e-12)
        tg.hinge(model(x), true).backward()


def test_a_pool_of_changing_shapes_stays_small(monkeypatch):
    monkeypatch.setattr(buffers, "SPARE", 1_000_000)
    pool, dtype = Pool(), np.dtype(float)
    held = pool.lend((50_000,), dtype)
    for n in range(10_000, 20_000, 10):
        pool.lend((n,), dtype)
        kept = sum(buffer.nbytes for same in pool.buffers.values() for buffer in same)
        assert kept <= 2 * (held.nbytes + 8 * n) + 1_000_000
    assert sum(len(same) for same in pool.buffers.values()) > 2


def test_a_pool_lends_nothing_twice_at_a_time():
    pool, dtype = Pool(), np.dtype(float)
    lent = [pool.lend((100, 100), dtype) for _ in range(40)]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(lent) for b in lent[:i])
    view = lent[0][1:]
    del lent
    for _ in range(3):
        assert not np.shares_memory(view, pool.lend((100, 100), dtype))
    assert pool.lend((3,), dtype) is None


def test_alone_is_told_from_shared():
    array = np.empty(3)
    assert alone(array)
    other = array
    assert not alone(array)
    del other
    view = array[1:]
    assert not alone(array)
    assert not alone(view)
    del view
    assert alone(array)
    array.flags.writeable = False
    assert not alone(array)
    lent = Pool().lend((100, 100), np.dtype(float))
    assert alone(lent)
    views = [lent[0]]
    assert not alone(lent)
    views.clear()
    assert alone(lent)


@pytest.mark.parametrize("partly", [False, True])
def test_large_gradients_are_added_up_in_place(partly):
    x, other = (tg.tensor(np.ones(200_000), requires_grad=True) for _ in range(2))
    total = sum((x * float(k) for k in range(2, 8)), other).sum()
    tracemalloc.start()
    try:
        gradients = tg.grad(total, x if partly else [x, other])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    gradient = gradients if partly else gradients[0]
    assert peak < 2 * x.nbytes + 50_000  # what is held, and the part that comes or the other's gradient
    np.testing.assert_array_equal(gradient.numpy(), np.full(200_000, 27.0))


def train(model, steps, n):
    x, true = batch(n)
    sgd = optim.SGD(model.parameters(), lr=0.001)
    for _ in range(steps):
        sgd.zero_grad()
        tg.hinge(model(x), true).backward()
        sgd.step()


def test_memory_is_flat_over_10_000_steps_and_given_back_with_the_model():
    train(network(), 10, 6)  # what is made once
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        begin, _ = tracemalloc.get_traced_memory()
        model = network()
        train(model, 100, 6)
        early, _ = tracemalloc.get_traced_memory()
        train(model, 9_900, 6)
        late, _ = tracemalloc.get_traced_memory()
        assert late - early < 5_000
        train(model, 20, 5_000)  # large ones
        large, _ = tracemalloc.get_traced_memory()
        assert large - late > 500_000  # the buffers are the model's
        train(model, 20, 5_000)
        again, _ = tracemalloc.get_traced_memory()
        assert abs(again - large) < 5_000
        del model
        end, _ = tracemalloc.get_traced_memory()
        assert end - begin < 200_000  # the vectors of ones for sums
    finally:
        tracemalloc.stop()
        gc.enable()

"""Layers, and the optimizer that trains them."""

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np import nn, optim
from tinygrad_np.errors import ArgumentError, RangeError, ShapeError


def model(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Dense(3, 4, rng=rng), nn.ReLU(), nn.Dropout(0.5, rng=rng), nn.Dense(4, 2, rng=rng))


def test_a_dense_layer_is_the_formula():
    layer = nn.Dense(3, 2, rng=np.random.default_rng(0))
    x = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(layer(x).numpy(), x @ layer.W.numpy() + layer.b.numpy())
    assert layer.b.tolist() == [0.0, 0.0]
    wide = nn.Dense(2000, 50, rng=np.random.default_rng(0)).W.numpy()
    assert wide.std() == pytest.approx(np.sqrt(2 / 2000), rel=0.02)
    assert nn.Dense(3, 2, dtype=np.float32)(x.astype(np.float32)).dtype == np.float32


def test_a_dense_layer_takes_any_axes_in_front():
    layer = nn.Dense(3, 2, rng=np.random.default_rng(0))
    x = np.arange(24.0).reshape(4, 2, 3)
    np.testing.assert_allclose(layer(x).numpy(), x @ layer.W.numpy())
    np.testing.assert_allclose(layer(x[0, 0]).numpy(), x[0, 0] @ layer.W.numpy())


def test_an_image_network_is_its_primitives():
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Conv2D(1, 2, 3, rng=rng), nn.ReLU(), nn.MaxPool2D(), nn.Flatten(), nn.Dense(32, 1, rng=rng))
    x = rng.normal(size=(5, 1, 8, 8))
    conv, dense = net[0], net[4]
    hidden = tg.relu(tg.add_bias(tg.conv2d(x, conv.W), conv.b, 1))
    expected = tg.flatten(tg.max_pool2d(hidden, 2)) @ dense.W + dense.b
    np.testing.assert_allclose(net(x).numpy(), expected.numpy(), rtol=1e-12)
    assert [name for name, _ in net.named_parameters()] == ["0.W", "0.b", "4.W", "4.b"]
    assert nn.Conv2D(1, 2, 4, padding="valid")(x).shape == (5, 2, 5, 5)
    assert repr(net[:4]).splitlines()[1:-1] == [
        "  (0): Conv2D(1, 2, 3, padding='same')",
        "  (1): ReLU()",
        "  (2): MaxPool2D(2)",
        "  (3): Flatten()",
    ]


def test_parameters_have_names_in_order():
    assert [name for name, _ in model().named_parameters()] == ["0.W", "0.b", "3.W", "3.b"]
    assert [w.shape for w in model().parameters()] == [(3, 4), (4,), (4, 2), (2,)]


def test_a_shared_layer_has_its_parameters_once():
    layer = nn.Dense(2, 2)
    assert [name for name, _ in nn.Sequential(layer, nn.ReLU(), layer).named_parameters()] == ["0.W", "0.b"]


def test_a_layer_called_twice_in_one_graph():
    layer = nn.Dense(2, 2, rng=np.random.default_rng(0))
    x = np.array([[1.0, 2.0]])
    W, b = layer.W.numpy(), layer.b.numpy()
    gW, gb = tg.grad(layer(layer(x)).sum(), [layer.W, layer.b])
    ones = np.ones((1, 2))
    np.testing.assert_allclose(gW.numpy(), (x @ W + b).T @ ones + x.T @ (ones @ W.T))
    np.testing.assert_allclose(gb.numpy(), (ones + ones @ W.T)[0])


def test_sequential_is_callable_iterable_indexable():
    net = model()
    assert len(net) == 4
    assert net[1] is list(net)[1]
    assert isinstance(net[:2], nn.Sequential)
    assert net[:2].parameters()[0] is net[0].W
    assert nn.Sequential()(3) == 3
    assert repr(net) == "Sequential(\n  (0): Dense(3, 4)\n  (1): ReLU()\n  (2): Dropout(0.5)\n  (3): Dense(4, 2)\n)"


def test_train_and_eval_reach_every_layer():
    inner = model()
    outer = nn.Sequential(inner, nn.ReLU())
    assert outer.eval() is outer
    assert not any(layer.training for layer in (outer, inner, *inner, outer[1]))
    assert outer.train() is outer
    assert all(layer.training for layer in (outer, inner, *inner, outer[1]))


def test_any_callable_takes_part():
    class Shift:
        """Not a Layer, but has what a layer may have."""

        def __init__(self):
            self.by, self.training = tg.tensor(1.0, requires_grad=True), True

        def __call__(self, x):
            return x + self.by

        def named_parameters(self):
            yield "by", self.by

        def train(self):
            self.training = True

        def eval(self):
            self.training = False

    shift = Shift()
    net = nn.Sequential(tg.relu, shift, lambda x: x * 2)
    assert net(tg.tensor([-1.0, 1.0])).tolist() == [2.0, 4.0]
    assert [name for name, _ in net.named_parameters()] == ["1.by"]
    net.eval()
    assert not shift.training
    net.train()
    assert shift.training


def test_a_users_layer_finds_its_attributes():
    class Twice(nn.Layer):
        def __init__(self):
            self.inner = nn.Dense(2, 2)
            self.scale = tg.tensor([1.0], requires_grad=True)
            self.constant = tg.tensor([1.0])

        def __call__(self, x):
            return self.inner(self.inner(x)) * self.scale

    net = nn.Sequential(Twice())
    assert [name for name, _ in net.named_parameters()] == ["0.inner.W", "0.inner.b", "0.scale"]
    net.eval()
    assert not net[0].inner.training
    shown = "Sequential(\n  (0): Twice(\n    (inner): Dense(2, 2)\n    (scale): float64 (1,)\n  )\n)"
    assert repr(net) == shown  # constants are left out
    with pytest.raises(NotImplementedError, match="Layer: a layer writes __call__"):
        nn.Layer()(1)


def test_a_summary_says_what_each_layer_returns_and_holds():
    rng = np.random.default_rng(0)
    shared = nn.Dense(4, 4, dtype=np.float32)
    net = nn.Sequential(
        nn.Sequential(nn.Conv2D(1, 2, 3, dtype=np.float32), tg.relu, nn.MaxPool2D(), nn.Flatten()),
        nn.Dense(8, 4, dtype=np.float32),
        nn.Dropout(0.5, rng=rng),
        shared,
        shared,
    )
    state = rng.bit_generator.state
    assert [" ".join(line.split()) for line in net.summary((3, 1, 4, 4)).splitlines()] == [
        "layer output parameters bytes",
        "0.0 Conv2D(1, 2, 3, padding='same') (3, 2, 4, 4) 20 80",
        "0.1 relu (3, 2, 4, 4) 0 0",
        "0.2 MaxPool2D(2) (3, 2, 2, 2) 0 0",
        "0.3 Flatten() (3, 8) 0 0",
        "1 Dense(8, 4) (3, 4) 36 144",
        "2 Dropout(0.5) (3, 4) 0 0",
        "3 Dense(4, 4) (3, 4) 20 80",
        "4 Dense(4, 4) (3, 4) 0 0",
        "in all 76 304",
    ]
    assert rng.bit_generator.state == state
    assert net.training
    assert net[2].training
    assert repr(net).splitlines()[2:4] == ["    (0): Conv2D(1, 2, 3, padding='same')", "    (1): relu"]
    with pytest.raises(ShapeError, match="conv2d"):
        net.summary((3, 4))


def test_a_layer_of_ones_own_has_a_summary():
    class Split(nn.Layer):
        def __init__(self):
            self.left, self.right = nn.Dense(2, 1), nn.Dense(2, 3)

        def __call__(self, x):
            return self.left(x), self.right(x)

    lines = [" ".join(line.split()) for line in Split().summary((5, 2)).splitlines()]
    assert lines[1:] == ["Split [(5, 1), (5, 3)] 12 96", "in all 12 96"]
    assert "in all" in nn.ReLU().summary((2,))


def test_layers_in_lists_and_dicts_are_found():
    class Branches(nn.Layer):
        kind = nn.Dense

        def __init__(self):
            self.made_of = nn.Dense  # a class is no layer
            self.hidden = [nn.Dense(2, 2), (nn.Dropout(0.5),)]
            self.heads = {"a": nn.Dense(2, 1), "scale": tg.tensor(1.0, requires_grad=True)}

    net = Branches()
    names = [name for name, _ in net.named_parameters()]
    assert names == ["hidden.0.W", "hidden.0.b", "heads.a.W", "heads.a.b", "heads.scale"]
    net.eval()
    assert not net.hidden[1][0].training


def test_dropout_drops_in_training_and_scales_in_testing():
    layer = nn.Dropout(0.25, rng=np.random.default_rng(0))
    x = tg.tensor(np.ones(10_000), requires_grad=True)
    out = layer(x)
    assert set(out.tolist()) == {0.0, 1.0}
    assert out.numpy().mean() == pytest.approx(0.75, abs=0.02)
    np.testing.assert_array_equal(tg.grad(out.sum(), x).numpy(), out.numpy())
    assert set(layer.eval()(x).tolist()) == {0.75}
    assert layer.train()(x).tolist() != out.tolist()  # another mask


def test_dropout_draws_from_its_own_generator():
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first = [nn.Dropout(0.5, rng=np.random.default_rng(3))(tg.tensor(np.ones(50))).tolist() for _ in range(2)]
    nn.Dropout(0.5)(tg.tensor(np.ones(5)))
    nn.Dense(2, 2)
    assert first[0] == first[1]
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_losses_are_layers():
    pred, true = tg.tensor([[0.5], [-2.0]]), tg.tensor([[1.0], [-1.0]])
    assert nn.Hinge()(pred, true).item() == 0.25
    assert nn.MSE()(pred, true).item() == 0.3125


def test_sgd_is_the_courses_update_in_place():
    w, unused = tg.tensor([1.0, -2.0], requires_grad=True), tg.tensor([5.0], requires_grad=True)
    memory = w.data
    sgd = optim.SGD([w, unused], lr=0.1, weight_decay=0.01)
    (w * w).sum().backward()
    gradient = w.grad
    sgd.step()
    np.testing.assert_allclose(w.numpy(), [1 - 0.1 * 2 - 0.01, -2 + 0.1 * 4 + 0.02], rtol=1e-15)
    assert np.shares_memory(memory, w.data)
    assert gradient.tolist() == [2.0, -4.0]
    assert unused.tolist() == [5.0]
    sgd.zero_grad()
    assert w.grad is None


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda w: optim.SGD([]), ArgumentError, "at least one parameter"),
        (
            lambda w: optim.SGD(w),
            ArgumentError,
            r"a list of parameters, got a Tensor; pass model.parameters\(\) or .w.",
        ),
        (lambda w: optim.SGD(nn.Sequential(nn.Dense(1, 1))), ArgumentError, "got a Sequential; pass model.parameters"),
        (lambda w: optim.SGD([w, w]), ArgumentError, r"parameters\[1\] is there twice"),
        (lambda w: optim.SGD([w * 2]), ArgumentError, r"parameters\[0\] to be a leaf"),
        (lambda w: optim.SGD([tg.tensor(1.0)]), ArgumentError, "a leaf that requires gradients"),
        (lambda w: optim.SGD([w], lr=-1), RangeError, "lr to be a finite number of at least 0, got -1"),
        (lambda w: optim.SGD([w], weight_decay=float("nan")), RangeError, "weight_decay .* got nan"),
        (lambda w: optim.SGD([w], momentum=-1), RangeError, "momentum to be a finite number of at least 0, got -1"),
        (lambda w: optim.SGD([w], momentum=0.9, dampening=1.5), RangeError, r"dampening in \[0, 1\], got 1.5"),
        (lambda w: optim.SGD([w], nesterov=True), RangeError, "a momentum above 0 and no dampening .* got 0.0 and 0.0"),
        (lambda w: optim.SGD([w], momentum=0.9, dampening=0.1, nesterov=True), RangeError, "got 0.9 and 0.1"),
        (lambda w: optim.SGD([w], decay="torch"), RangeError, "expected decay to be 'course' or 'loss', got 'torch'"),
        (lambda w: nn.Dropout(1), RangeError, r"a rate in \[0, 1\), got 1"),
        (lambda w: nn.Dropout(-0.1), RangeError, "got -0.1"),
        (lambda w: nn.Dense(0, 2), RangeError, "got 0 and 2"),
        (lambda w: nn.Conv2D(1, 0, 3), RangeError, "got 1, 0 and 3"),
        (lambda w: nn.Conv2D(1, 1, 2), RangeError, "'same' with an odd size; got 'same' with 2"),
        (lambda w: nn.MaxPool2D(0), RangeError, "a size of at least 1, got 0"),
        (lambda w: nn.Sequential(nn.ReLU(), 3), ArgumentError, "layer 1 is a int"),
    ],
)
def test_refusals(make, error, words):
    with pytest.raises(error, match=words):
        make(tg.tensor([1.0], requires_grad=True))


def formula(w, gradients, lr, momentum, dampening, nesterov, weight_decay, decay):
    """SGD as its docstring has it, one line each."""
    v = None
    for g in gradients:
        s = g + weight_decay * w if decay == "loss" else g
        if momentum:
            v = s if v is None else momentum * v + (1 - dampening) * s
            s = s + momentum * v if nesterov else v
        w = w - (lr * s + weight_decay * w) if decay == "course" else w - lr * s
    return w


@pytest.mark.parametrize("decay", ["course", "loss"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(
    ("momentum", "dampening", "nesterov"), [(0.0, 0.0, False), (0.9, 0.0, False), (0.9, 0.5, False), (0.9, 0.0, True)]
)
@pytest.mark.parametrize(("dtype", "shape"), [(np.float64, (3,)), (np.float32, (200, 101)), (np.float64, ())])
def test_sgd_is_the_formula_of_its_docstring(decay, weight_decay, momentum, dampening, nesterov, dtype, shape):
    rng = np.random.default_rng(0)
    start, gradients = np.array(rng.normal(size=shape), dtype), [rng.normal(size=shape).astype(dtype) for _ in range(4)]
    options = {"lr": 0.1, "momentum": momentum, "dampening": dampening, "nesterov": nesterov}
    options |= {"weight_decay": weight_decay, "decay": decay}
    w = tg.tensor(start, requires_grad=True)
    sgd = optim.SGD([w], **{key: np.float64(v) if isinstance(v, float) else v for key, v in options.items()})
    for g in gradients:
        w.grad = g
        sgd.step()
    assert w.dtype == dtype
    tolerance = 1e-12 if dtype is np.float64 else 1e-5
    np.testing.assert_allclose(w.numpy(), formula(start, gradients, **options), rtol=tolerance, atol=tolerance)


def test_sgd_takes_pytorchs_steps():
    """torch 2.13: SGD([w], lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True) after three gradients."""
    w = tg.tensor([1.0, -2.0], requires_grad=True)
    sgd = optim.SGD([w], lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True, decay="loss")
    for g in ([0.5, 1.0], [-1.0, 0.25], [2.0, -3.0]):
        w.grad = np.array(g)
        sgd.step()
    np.testing.assert_allclose(w.numpy(), [0.7111684581909999, -1.824460438182], rtol=1e-12)


def test_the_velocity_of_a_parameter_waits_for_its_gradients():
    a, b = (tg.tensor([1.0], requires_grad=True) for _ in range(2))
    sgd = optim.SGD([a, b], lr=1.0, momentum=0.5)
    a.grad = np.array([1.0])
    sgd.step()
    assert sgd.state().keys() == {"0"}
    b.grad = np.array([1.0])
    sgd.step()
    assert (a.item(), b.item()) == (1 - 1 - 1.5, 0.0)
    assert (sgd.state()["0"].item(), sgd.state()["1"].item()) == (1.5, 1.0)


def test_an_optimizer_goes_on_from_its_state(tmp_path):
    def run(w, sgd, steps):
        for _ in range(steps):
            sgd.zero_grad()
            (w * w).sum().backward()
            sgd.step()

    def make(start):
        w = tg.tensor(start, requires_grad=True)
        return w, optim.SGD([w], lr=0.1, momentum=0.9)

    once, sgd = make([1.0, -2.0])
    run(once, sgd, 6)
    half, sgd = make([1.0, -2.0])
    run(half, sgd, 3)
    tg.save(tmp_path / "sgd.npz", sgd.state())
    rest, sgd = make(half.numpy())
    run(rest, sgd.load_state(tg.load(tmp_path / "sgd.npz")), 3)
    assert rest.tolist() == once.tolist()
    for state, words in [({"1": [1.0]}, "not expected '1'"), ([1.0], "expected arrays by name")]:
        with pytest.raises(ArgumentError, match=words):
            sgd.load_state(state)
    with pytest.raises(ShapeError, match="expected '0' to be float64"):
        sgd.load_state({"0": np.zeros(3)})
    assert sgd.load_state({}).state() == {}


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_large_parameters_are_updated_by_the_same_formula(weight_decay, layout, dtype):
    """They are updated a block at a time, if their memory is in one piece."""
    rng = np.random.default_rng(0)
    w = tg.tensor(np.array(rng.normal(size=(300, 101)), dtype, order=layout), requires_grad=True)
    before, memory = w.numpy().copy(), w.numpy()
    w.grad = np.array(rng.normal(size=(300, 101)), dtype)
    optim.SGD([w], lr=0.1, weight_decay=weight_decay).step()
    lr, decay = dtype(0.1), dtype(weight_decay)
    tolerance = 1e-14 if dtype is np.float64 else 0
    np.testing.assert_allclose(w.numpy(), before - (lr * w.grad + decay * before), rtol=tolerance, atol=tolerance)
    assert np.shares_memory(w.numpy(), memory)


def test_training_lowers_the_loss_and_is_repeatable():
    def train():
        rng = np.random.default_rng(1)
        net = nn.Sequential(nn.Dense(2, 8, rng=rng), nn.ReLU(), nn.Dense(8, 1, rng=rng))
        sgd = optim.SGD(net.parameters(), lr=0.1)
        x = rng.normal(size=(50, 2))
        y = np.where((x**2).sum(axis=1, keepdims=True) > 1, 1.0, -1.0)
        losses = []
        for _ in range(200):
            sgd.zero_grad()
            loss = tg.hinge(net(x), y)
            loss.backward()
            sgd.step()
            losses.append(loss.item())
        return losses

    first = train()
    assert first[-1] < 0.3 * first[0]
    assert train() == first

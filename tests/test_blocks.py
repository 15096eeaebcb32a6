"""The stand-in for the course's file: every worked example of the text, its cells, its classes, its conventions."""

import inspect

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np import blocks
from tinygrad_np.errors import RangeError, ShapeError

SIGNATURES = {
    "box_blur": ["image", "box_size"],
    "conv_matrix": ["matrix", "kernel"],
    "dense_forward": ["x_input", "W", "b"],
    "dense_grad_W": ["x_input", "grad_output", "W", "b"],
    "dense_grad_b": ["x_input", "grad_output", "W", "b"],
    "dense_grad_input": ["x_input", "grad_output", "W", "b"],
    "dropout_forward": ["x_input", "mask", "drop_rate", "training_phase"],
    "dropout_generate_mask": ["shape", "drop_rate"],
    "dropout_grad_input": ["x_input", "grad_output", "mask"],
    "flatten_forward": ["x_input"],
    "flatten_grad_input": ["x_input", "grad_output"],
    "hinge_forward": ["target_pred", "target_true"],
    "hinge_grad_input": ["target_pred", "target_true"],
    "l2_regularizer": ["weight_decay", "weights"],
    "maxpool_forward": ["x_input"],
    "maxpool_grad_input": ["x_input", "grad_output"],
    "mse_forward": ["target_pred", "target_true"],
    "mse_grad_input": ["target_pred", "target_true"],
    "relu_forward": ["x_input"],
    "relu_grad_input": ["x_input", "grad_output"],
}
CLASSES = {"Layer", "Dense", "ReLU", "Dropout", "SequentialNN", "Loss", "Hinge", "MSE", "Optimizer", "SGD", "ConvLayer"}
CLASSES |= {"MaxPool2x2", "FlattenLayer"}


def exact(value, expected):
    np.testing.assert_array_equal(value, expected)
    assert np.shape(value) == np.shape(expected)


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGNATURES)
def test_functions_have_the_courses_names_and_arguments(name):
    function = getattr(blocks, name)
    assert inspect.isfunction(function)
    assert function.__name__ == name
    assert list(inspect.signature(function).parameters) == SIGNATURES[name]


def test_a_star_import_brings_every_function_and_class():
    names = {}
    exec("from tinygrad_np.blocks import *", names)
    assert set(SIGNATURES) | CLASSES == set(names) - {"__builtins__"}


# --- worked examples of the text -------------------------------------------------------------------------------------


def test_example_dense():
    x, w, b = np.array([[1, -1], [-1, 0], [1, 1]]), np.array([[4], [2]]), np.array([3])
    exact(blocks.dense_forward(x, w, b), [[5], [-1], [9]])


def test_example_relu():
    exact(blocks.relu_forward(np.array([[1, -0.5], [0.3, 0.1]])), [[1, 0], [0.3, 0.1]])


def test_example_hinge():
    assert blocks.hinge_forward(np.array([2, -5, 3, 0.5]), np.array([-1, -1, 1, 1])) == 0.875


def test_example_l2():
    assert blocks.l2_regularizer(2, np.array([5, 3, 7, 5, 0.5])) == 108.25


def test_example_convolution():
    exact(
        blocks.conv_matrix(np.array([[1, 2, 3], [2, 3, 4], [3, 4, 5]]), np.diag([1, 1, 2])),
        [[7, 10, 3], [10, 14, 6], [3, 6, 8]],
    )


def test_example_blur():
    image = np.array([[9, 0, 9], [0, 0, 0], [9, 0, 9]])
    np.testing.assert_allclose(blocks.box_blur(image, 3), [[1, 2, 1], [2, 4, 2], [1, 2, 1]], rtol=1e-12)


# --- the course's formulas -------------------------------------------------------------------------------------------


def arrays(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-10, 10, shape) for shape in shapes]


def test_dense_gradients():
    x, g, w, b = arrays((5, 3), (5, 2), (3, 2), (2,))
    np.testing.assert_allclose(blocks.dense_grad_input(x, g, w, b), g @ w.T)
    np.testing.assert_allclose(blocks.dense_grad_W(x, g, w, b), x.T @ g)
    np.testing.assert_allclose(blocks.dense_grad_b(x, g, w, b), g.sum(axis=0))


def test_relu_gradient_is_0_at_0():
    exact(blocks.relu_grad_input(np.array([[0.0, -0.0, 1, -1]]), np.array([[5.0, 6, 7, 8]])), [[0, 0, 7, 0]])


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
def test_losses_divide_by_the_number_of_rows(shape):
    pred, true = arrays(shape, shape)
    true = np.sign(true)
    pred.flat[0] = true.flat[0]  # a margin of exactly 1
    margin = 1 - pred * true
    assert blocks.hinge_forward(pred, true) == pytest.approx(np.maximum(0, margin).sum() / 4)
    np.testing.assert_allclose(blocks.hinge_grad_input(pred, true), np.where(margin > 0, -true / 4, 0))
    assert blocks.mse_forward(pred, true) == pytest.approx(((pred - true) ** 2).sum() / 8)
    np.testing.assert_allclose(blocks.mse_grad_input(pred, true), (pred - true) / 4)
    assert isinstance(blocks.hinge_forward(pred, true), float)
    assert isinstance(blocks.mse_forward(pred, true), float)


def test_hinge_gradient_has_no_negative_zeros():
    assert not np.signbit(blocks.hinge_grad_input(np.array([5.0, -5.0]), np.array([1, -1]))).any()


def test_dropout():
    x, g = arrays((4, 3), (4, 3))
    mask = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 0]])
    exact(blocks.dropout_forward(x, mask, 0.3, True), x * mask)
    exact(blocks.dropout_forward(x, mask, 0.3, False), x * 0.7)
    exact(blocks.dropout_grad_input(x, g, mask), g * mask)
    np.random.seed(0)
    drawn = blocks.dropout_generate_mask((100, 100), 0.3)
    assert drawn.shape == (100, 100)
    assert set(drawn.reshape(-1)) == {0.0, 1.0}
    assert drawn.mean() == pytest.approx(0.7, abs=0.02)
    assert blocks.dropout_generate_mask((3,), 0.0).tolist() == [1.0] * 3
    assert blocks.dropout_generate_mask((3,), 1.0).tolist() == [0.0] * 3


def test_l2_takes_a_list_or_an_array():
    a, b, c = arrays((2, 3), (3,), ())
    assert blocks.l2_regularizer(0.1, [a, b, c]) == pytest.approx(0.05 * ((a**2).sum() + (b**2).sum() + c**2))
    assert blocks.l2_regularizer(0.1, a) == pytest.approx(0.05 * (a**2).sum())
    assert blocks.l2_regularizer(0.1, []) == 0


@pytest.mark.parametrize("sides", [(1, 1), (1, 3), (3, 1), (3, 5), (7, 7)])
@pytest.mark.parametrize("shape", [(1, 1), (2, 6), (4, 3)])
def test_convolution_is_its_definition(shape, sides):
    x, k = arrays(shape, sides)
    p, q = sides[0] // 2, sides[1] // 2
    expected = np.zeros(shape)
    for i, j, a, b in np.ndindex(*shape, *sides):
        if 0 <= i + a - p < shape[0] and 0 <= j + b - q < shape[1]:
            expected[i, j] += k[a, b] * x[i + a - p, j + b - q]
    np.testing.assert_allclose(blocks.conv_matrix(x, k), expected, atol=1e-10)


def test_blur_with_a_box_larger_than_the_image():
    (image,) = arrays((2, 3))
    np.testing.assert_allclose(blocks.box_blur(image, 7), np.full((2, 3), image.sum() / 49))
    np.testing.assert_allclose(blocks.box_blur(image, 1), image)


def test_pooling_and_flattening():
    x = np.array([[1, 2, 0, 0], [2, 0, 0, 0], [5, 4, 7, 7], [3, 4, 7, 7]])
    exact(blocks.maxpool_forward(x), [[2, 0], [5, 7]])
    exact(
        blocks.maxpool_grad_input(x, np.array([[1.0, 2.0], [3.0, 4.0]])),
        [[0, 1, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]],
    )
    (y,) = arrays((2, 3, 4, 5))
    exact(blocks.flatten_forward(y), y.reshape(2, 60))
    exact(blocks.flatten_grad_input(y, y.reshape(2, 60)), y)


def calls():
    x, g, w, b, pred, image, kernel = arrays((5, 3), (5, 2), (3, 2), (2,), (5, 2), (4, 6), (3, 3))
    true, mask, volume = np.sign(g), np.arange(10).reshape(5, 2) % 2, image.reshape(1, 1, 4, 6)
    return {
        "box_blur": (image, 3),
        "conv_matrix": (image, kernel),
        "dense_forward": (x, w, b),
        "dense_grad_W": (x, g, w, b),
        "dense_grad_b": (x, g, w, b),
        "dense_grad_input": (x, g, w, b),
        "dropout_forward": (g, mask, 0.5, True),
        "dropout_generate_mask": ((2, 3), 0.5),
        "dropout_grad_input": (g, g, mask),
        "flatten_forward": (volume,),
        "flatten_grad_input": (volume, image.reshape(1, 24)),
        "hinge_forward": (pred, true),
        "hinge_grad_input": (pred, true),
        "l2_regularizer": (0.1, [x, g, b]),
        "maxpool_forward": (image,),
        "maxpool_grad_input": (image, image[:2, :3]),
        "mse_forward": (pred, true),
        "mse_grad_input": (pred, true),
        "relu_forward": (x,),
        "relu_grad_input": (g, pred),
    }


@pytest.mark.parametrize("name", SIGNATURES)
def test_plain_arrays_in_and_out_and_no_input_is_changed(name):
    arguments = calls()[name]
    given = [a for argument in arguments for a in (argument if isinstance(argument, list) else [argument])]
    given = [a for a in given if isinstance(a, np.ndarray)]
    frozen = [a.copy() for a in given]
    for a in given:
        a.flags.writeable = False
    out = getattr(blocks, name)(*arguments)
    assert type(out) in (np.ndarray, np.float64)
    for a, copy in zip(given, frozen, strict=True):
        np.testing.assert_array_equal(a, copy)
        assert not np.shares_memory(a, out) or name in ("flatten_forward", "flatten_grad_input")


@pytest.mark.parametrize("name", [name for name in SIGNATURES if name != "dropout_generate_mask"])
def test_integer_arrays_give_the_same_numbers(name):
    def to(dtype, argument):
        if isinstance(argument, list):
            return [to(dtype, a) for a in argument]
        return np.trunc(argument).astype(dtype) if isinstance(argument, np.ndarray) else argument

    whole, real = ([to(dtype, a) for a in calls()[name]] for dtype in (int, float))
    np.testing.assert_allclose(getattr(blocks, name)(*whole), getattr(blocks, name)(*real), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: blocks.hinge_forward(np.ones(3), np.ones((3, 1))),
            ShapeError,
            r"hinge_forward: .*\(3,\) and \(3, 1\)",
        ),
        (lambda: blocks.hinge_grad_input(np.ones(3), np.ones(2)), ShapeError, "hinge_grad_input: expected"),
        (lambda: blocks.mse_grad_input(np.ones((0, 2)), np.ones((0, 2))), ShapeError, "at least one row"),
        (
            lambda: blocks.dense_grad_b(np.ones((3, 2)), np.ones((2, 1)), np.ones((2, 1)), np.ones(1)),
            ShapeError,
            "dense_g",
        ),
        (
            lambda: blocks.dense_grad_W(np.ones((2, 3)), np.ones((2, 1)), np.ones((4, 1)), np.ones(1)),
            ShapeError,
            "n_in",
        ),
        (
            lambda: blocks.dropout_forward(np.ones((2, 3)), np.ones((4, 2, 3)), 0.5, True),
            ShapeError,
            "expected a mask of",
        ),
        (lambda: blocks.dropout_grad_input(np.ones(3), np.ones(3), np.ones(2)), ShapeError, "dropout_grad_input: exp"),
        (lambda: blocks.ConvLayer(1, 2, 3).backward(np.ones((5, 1, 4, 4)), np.ones((5, 2, 3, 3))), ShapeError, "ConvL"),
        (
            lambda: blocks.relu_grad_input(np.ones(3), np.ones((3, 3))),
            ShapeError,
            "relu_grad_input: expected grad_output",
        ),
        (
            lambda: blocks.maxpool_grad_input(np.ones((2, 2)), np.ones((2, 2))),
            ShapeError,
            r"shape \(1, 1\), got \(2, 2\)",
        ),
        (
            lambda: blocks.flatten_grad_input(np.ones((1, 1, 2, 2)), np.ones((4, 1))),
            ShapeError,
            r"\(1, 4\), got \(4, 1\)",
        ),
        (lambda: blocks.conv_matrix(np.ones((3, 3)), np.ones((2, 2))), ShapeError, "odd sides"),
        (
            lambda: blocks.conv_matrix(np.ones(3), np.ones((3, 3))),
            ShapeError,
            r"conv_matrix: expected a matrix \(N, M\)",
        ),
        (lambda: blocks.box_blur(np.ones((3, 3)), 2), RangeError, "box_size to be an odd integer above 0, got 2"),
        (lambda: blocks.dropout_generate_mask((2,), 1.5), RangeError, r"drop_rate in \[0, 1\], got 1.5"),
    ],
)
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("name", [name for name in SIGNATURES if name != "dropout_generate_mask"])
def test_lists_of_numbers_will_do(name):
    def listed(argument):
        if isinstance(argument, list):
            return [listed(a) for a in argument]
        return argument.tolist() if isinstance(argument, np.ndarray) else argument

    expected = getattr(blocks, name)(*calls()[name])
    np.testing.assert_array_equal(getattr(blocks, name)(*map(listed, calls()[name])), expected)


def test_small_integers_do_not_wrap_around():
    byte = np.full((3, 3), 200, np.uint8)
    assert blocks.conv_matrix(byte, np.ones((3, 3), np.uint8))[1, 1] == 1800
    assert blocks.dense_forward(byte, byte, byte[0]).tolist() == [[120200] * 3] * 3
    assert blocks.dense_grad_b(byte, byte, byte, byte[0]).tolist() == [600] * 3
    assert blocks.mse_grad_input(byte[0], byte[0] + np.uint8(1)).tolist() == [-1 / 3] * 3
    assert blocks.l2_regularizer(2, byte) == 9 * 200.0**2


# --- the course's classes -----------------------------------------------------------------------------------


def test_two_circles_are_told_apart_by_a_loop_of_the_courses_kind():
    """Model, loss and optimizer by the course's calls; `model` sees every phase, `SGD` writes into its arrays."""
    np.random.seed(0)
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    points, sides = np.concatenate([1.1 * circle, 3 * circle]), np.repeat([[1.0], [-1.0]], 100, axis=0)
    model, loss = blocks.SequentialNN(), blocks.Hinge()
    for layer in (blocks.Dense(2, 16), blocks.ReLU(), blocks.Dropout(0.1), blocks.Dense(16, 1)):
        model.add(layer)
    sgd = blocks.SGD(model, lr=0.1, weight_decay=0.001)
    model.set_training_phase(True)
    history = []
    for _ in range(100):
        pred = model.forward(points)
        history.append(loss.forward(pred, sides) + blocks.l2_regularizer(0.001, model.get_params()))
        model.backward(points, loss.backward(pred, sides))
        sgd.update_params()
    model.set_training_phase(False)
    assert history[-1] < 0.3 * history[0]
    assert ((model.forward(points) > 0) == (sides > 0)).mean() > 0.95


def test_a_seeded_run_gives_the_courses_numbers():
    """Written out by the text's formulas in NumPy: the same draws, the same steps, the same weights."""
    rng = np.random.RandomState(3)
    w1, w2 = rng.normal(size=(2, 5)), rng.normal(size=(5, 1))
    b1, b2 = np.zeros(5), np.zeros(1)
    x, y = np.random.RandomState(4).normal(size=(20, 2)), np.sign(np.random.RandomState(5).normal(size=(20, 1)))
    np.random.seed(3)
    model = blocks.SequentialNN()
    for layer in (blocks.Dense(2, 5), blocks.ReLU(), blocks.Dense(5, 1)):
        model.add(layer)
    sgd, loss = blocks.SGD(model, lr=0.1, weight_decay=0.01), blocks.Hinge()
    for _ in range(10):
        pred = model.forward(x)
        model.backward(x, loss.backward(pred, y))
        sgd.update_params()
        z = x @ w1 + b1
        h = np.maximum(z, 0)
        g = np.where(1 - (h @ w2 + b2) * y > 0, -y, 0) / 20
        gh = (g @ w2.T) * (z > 0)
        for w, dw in ((w1, x.T @ gh), (b1, gh.sum(0)), (w2, h.T @ g), (b2, g.sum(0))):
            w -= 0.1 * dw + 0.01 * w
    for mine, theirs in zip(model.get_params(), (w1, b1, w2, b2), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_a_students_layer_mixes_with_ours():
    class Square(blocks.Layer):
        def forward(self, x_input):
            self.output = x_input**2
            return self.output

        def backward(self, x_input, grad_output):
            return 2 * x_input * grad_output

    model = blocks.SequentialNN()
    for layer in (blocks.Dense(2, 3), Square(), blocks.Dense(3, 1)):
        model.add(layer)
    x, g = arrays((4, 2), (4, 1))
    model.forward(x)
    model.backward(x, g)
    first, _, last = model.layers
    leaves = [tg.tensor(a, requires_grad=True) for a in model.get_params()]
    out = tg.add_bias((tg.add_bias(x @ leaves[0], leaves[1]) ** 2) @ leaves[2], leaves[3])
    for mine, tape in zip(model.get_params_gradients(), tg.grad(out, leaves, seed=g), strict=True):
        np.testing.assert_allclose(mine, tape.numpy(), rtol=1e-12)
    assert first.output.shape == (4, 3)
    assert last.grad_W.shape == (3, 1)


def test_layers_behave_as_the_courses():
    layer = blocks.Dense(3, 2)
    assert (layer.training_phase, layer.output) == (True, 0.0)
    assert layer.W.shape == layer.grad_W.shape == (3, 2)
    assert layer.b.tolist() == layer.grad_b.tolist() == [0.0, 0.0]
    x, g = arrays((4, 3), (4, 2))
    before = layer.grad_W
    returned = layer.backward(x, g)  # without a forward: only the arguments count
    np.testing.assert_allclose(returned, g @ layer.W.T)
    np.testing.assert_allclose(layer.grad_W, x.T @ g)
    assert layer.grad_W is not before
    assert layer.get_params()[0] is layer.W
    assert layer.get_params_gradients()[1] is layer.grad_b
    base = blocks.Layer()
    assert base.forward(x) is x
    assert base.backward(x, g) is g
    assert base.get_params() == base.get_params_gradients() == []


def test_models_leave_the_phase_to_set_training_phase():
    model, dropout = blocks.SequentialNN(), blocks.Dropout(0.5)
    assert model.training_phase is True
    model.set_training_phase(False)
    model.add(dropout)
    assert dropout.training_phase is True
    model.set_training_phase(False)
    assert dropout.training_phase is False
    assert (dropout.drop_rate, dropout.mask) == (0.5, 1.0)
    x = np.ones((3, 3))
    exact(model.forward(x), x * 0.5)
    model.set_training_phase()
    model.forward(x)
    exact(model.backward(x, x), dropout.mask)


def test_the_base_classes_do_nothing():
    loss = blocks.Loss()
    assert loss.forward(np.ones(2), np.ones(2)) == 0.0
    exact(loss.backward(np.ones(2), np.ones(2)), [0.0, 0.0])
    optimizer = blocks.Optimizer("model", 0.5, 0.25)
    assert optimizer.update_params() is None
    assert (optimizer.model, optimizer.lr, optimizer.weight_decay) == ("model", 0.5, 0.25)
    default = blocks.Optimizer("model")
    assert (default.lr, default.weight_decay) == (0.01, 0.0)
    mse = blocks.MSE()
    assert mse.forward(np.array([3.0]), np.array([1.0])) == mse.output == 2.0
    exact(mse.backward(np.array([3.0]), np.array([1.0])), [2.0])


def test_the_next_weeks_network_learns_and_its_gradients_are_the_tapes():
    np.random.seed(0)
    model = blocks.SequentialNN()
    conv, dense = blocks.ConvLayer(1, 2, 3), blocks.Dense(32, 1)
    for layer in (conv, blocks.ReLU(), blocks.MaxPool2x2(), blocks.FlattenLayer(), dense):
        model.add(layer)
    assert conv.W.shape == (2, 1, 3, 3)
    assert conv.b.tolist() == [0.0, 0.0]
    x, _ = arrays((6, 1, 8, 8), (1,))
    y = np.sign(x.sum(axis=(1, 2, 3))).reshape(6, 1)
    loss, sgd = blocks.Hinge(), blocks.SGD(model, lr=0.001)
    pred = model.forward(x)
    gradient = model.backward(x, loss.backward(pred, y))
    image, w, b, v, c = leaves = [tg.tensor(a, requires_grad=True) for a in (x, conv.W, conv.b, dense.W, dense.b)]
    hidden = tg.flatten(tg.max_pool2d(tg.relu(tg.add_bias(tg.conv2d(image, w), b, axis=1))))
    grads = tg.grad(tg.hinge(tg.add_bias(hidden @ v, c), y), leaves)
    for mine, tape in zip((gradient, *model.get_params_gradients()), grads, strict=True):
        np.testing.assert_allclose(mine, tape.numpy(), rtol=1e-9, atol=1e-12)
    before = loss.forward(pred, y)
    for _ in range(30):
        pred = model.forward(x)
        model.backward(x, loss.backward(pred, y))
        sgd.update_params()
    assert loss.forward(model.forward(x), y) < before

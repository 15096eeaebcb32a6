"""The experiments: what they train, what they report, what they keep."""

import json
from dataclasses import asdict, dataclass, replace

import numpy as np
import pytest

import tinygrad_np as tg
from tests.idx import write
from tinygrad_np.errors import FileFormatError, RangeError
from tinygrad_np.experiments import Circles, CirclesOptions, Classifier, DigitsOptions, MnistOptions, data
from tinygrad_np.experiments.circles import network
from tinygrad_np.experiments.options import Numbers, Options, Words, option


def trained(options, folder=None):
    rng = np.random.default_rng(options.seed)
    digits = data(options, rng, folder)
    classifier = Classifier(options, rng)
    losses = list(classifier.train(digits))
    assert len(losses) == classifier.steps(digits)
    return classifier, digits, losses


SMALL = DigitsOptions(epochs=2, layers=(8,), seed=3)


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (DigitsOptions, {"epochs": 0}, "DigitsOptions: expected epochs to be a whole number of at least 1, got 0"),
        (DigitsOptions, {"epochs": 1.5}, "whole number of at least 1, got 1.5"),
        (DigitsOptions, {"epochs": True}, "got True"),
        (DigitsOptions, {"dropout": 1}, "dropout to be a number of at least 0 and below 1, got 1"),
        (DigitsOptions, {"lr": float("nan")}, "lr to be a number of at least 0, got nan"),
        (DigitsOptions, {"lr": float("inf")}, "got inf"),
        (DigitsOptions, {"lr": "fast"}, "got 'fast'"),
        (DigitsOptions, {"nesterov": 1}, "nesterov to be True or False, got 1"),
        (DigitsOptions, {"decay": "torch"}, "decay to be course or loss, got 'torch'"),
        (DigitsOptions, {"dtype": "int8"}, "dtype to be float32 or float64, got 'int8'"),
        (DigitsOptions, {"layers": 8}, "layers to be a tuple, each a whole number of at least 1, got 8"),
        (DigitsOptions, {"layers": (8, 0)}, r"got \(8, 0\)"),
        (DigitsOptions, {"labels": (1, 1)}, r"labels to be two or more digits, got \(1, 1\)"),
        (DigitsOptions, {"labels": (1, 10)}, "each a whole number of at least 0 and below 10"),
        (MnistOptions, {"limit": -1}, "MnistOptions: expected limit"),
        (CirclesOptions, {"designs": ("8-",)}, "designs to be a tuple, each the units of the hidden layers"),
        (CirclesOptions, {"designs": ()}, "one design or more"),
    ],
)
def test_options_that_are_not_allowed_are_refused(kind, values, words):
    with pytest.raises(RangeError, match=words):
        kind(**values)


def test_every_option_of_an_experiment_is_allowed_its_default():
    for kind in (CirclesOptions, DigitsOptions, MnistOptions):
        assert kind() == kind(**asdict(kind()))


def test_a_default_that_is_not_allowed_is_found():
    @dataclass(frozen=True)
    class Walk(Options):
        steps: int = option(0, "how far", Numbers(int, 1))
        way: str = option("up", "where", Words("up|down", "up or down"))

    with pytest.raises(RangeError, match="Walk: expected steps"):
        Walk()
    assert Walk(steps=np.int64(3)).way == "up"


# --- circles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("design", "title", "parameters"),
    [
        ("single", "2 > 1", 3),
        ("3", "2 > 3 > 1, ReLU", 13),
        ("3-linear", "2 > 3 > 1, linear", 13),
        ("16-16", "2 > 16 > 16 > 1, ReLU", 337),
        ("4-3-linear", "2 > 4 > 3 > 1, linear", 31),
    ],
)
def test_a_design_is_a_network(design, title, parameters):
    said, model = network(design, np.random.default_rng(0))
    assert said == title
    assert sum(w.size for w in model.parameters()) == parameters
    x = np.random.default_rng(0).normal(size=(50, 2))
    bent = np.abs(model(x).numpy() + model(-x).numpy() - 2 * model(0 * x).numpy()).max()
    assert (bent < 1e-12) == ("ReLU" not in title)


def test_circles_show_what_the_course_teaches():
    """One layer, and several without activation, cannot; enough ReLUs can."""
    circles = Circles(CirclesOptions())
    assert list(circles.train()) == list(range(1, 101))
    right = {result.design: result.accuracy for result in circles.results()}
    assert right["2 > 1"] < 0.7
    assert right["2 > 16 > 1, linear"] < 0.7
    assert right["2 > 16 > 1, ReLU"] == right["2 > 16 > 16 > 1, ReLU"] == 1.0


@pytest.mark.parametrize("decay", ["course", "loss"])
def test_the_l2_term_is_reported_and_its_gradient_taken_once(decay):
    options = CirclesOptions(designs=("4",), steps=3, weight_decay=0.02, lr=0.3, decay=decay, noise=0.2, seed=5)
    circles = Circles(options)
    _, model = network("4", np.random.default_rng(5))
    truth = np.where(circles.labels == 1, 1.0, -1.0)[:, None]
    for _ in circles.train():
        hinge = tg.hinge(model(circles.points), truth)
        squares = sum(float((w.data**2).sum()) for w in model.parameters())
        assert circles.losses[-1] == pytest.approx([hinge.item() + 0.01 * squares], rel=1e-12)
        gradients = tg.grad(hinge, model.parameters())
        for w, g in zip(model.parameters(), gradients, strict=True):
            w.data = w.data - 0.3 * g.data - 0.02 * w.data * (0.3 if decay == "loss" else 1)
    for a, b in zip(model.parameters(), circles.models[0][1].parameters(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    hinge = tg.hinge(model(circles.points), truth).item()
    squares = sum(float((w.data**2).sum()) for w in model.parameters())
    assert circles.results()[0].loss == pytest.approx(hinge + 0.01 * squares, rel=1e-12)


def test_a_design_does_not_depend_on_its_neighbours():
    alone, together = (Circles(CirclesOptions(designs=d, steps=5)) for d in (("8",), ("2", "8")))
    list(alone.train())
    list(together.train())
    assert alone.results()[0] == together.results()[1]


def test_regions_are_the_networks_outputs_with_y_upwards():
    circles = Circles(CirclesOptions(designs=("3",)))
    reach, (scores,) = circles.regions(side=5)
    assert reach == pytest.approx(3.45)
    model = circles.models[0][1]
    np.testing.assert_allclose(scores[0, 4], model(np.array([[reach, -reach]])).item())
    np.testing.assert_allclose(scores[4, 0], model(np.array([[-reach, reach]])).item())


# --- digits -----------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits(tmp_path):
    options = replace(SMALL, dropout=0.3, momentum=0.5)
    for name in ("one.npz", "two.npz"):
        trained(options)[0].save(tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert trained(replace(options, seed=4))[0].history != trained(options)[0].history
    first, second = (Circles(CirclesOptions(steps=3, noise=0.5, seed=7)) for _ in range(2))
    assert list(first.train()) == list(second.train())
    assert first.losses == second.losses


def test_a_history_is_measured_without_dropout():
    classifier, digits, losses = trained(replace(SMALL, dropout=0.5, weight_decay=1e-3))
    assert len(classifier.history) == 2
    assert not classifier.model.training
    last = classifier.history[-1]
    model, truth = classifier.model, np.where(digits.y_test[:, None] == np.arange(10), 1.0, -1.0)
    scores = model(digits.x_test)
    squares = sum(float((w.data**2).sum()) for w in model.parameters())
    assert last.test_loss == pytest.approx(tg.hinge(scores, truth).item() + 0.5e-3 * squares)
    assert last.test_accuracy == np.mean(scores.numpy().argmax(axis=1) == digits.y_test)
    assert losses[0] > last.train_loss


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({"layers": ()}, [(64, 10), (10,)]),
        ({"layers": (5, 4)}, [(64, 5), (5,), (5, 4), (4,), (4, 10), (10,)]),
        ({"labels": (3, 8), "layers": (5,)}, [(64, 5), (5,), (5, 1), (1,)]),
        ({"cnn": True}, [(2, 1, 3, 3), (2,), (4, 2, 3, 3), (4,), (16, 32), (32,), (32, 10), (10,)]),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_networks_are_those_of_the_options(options, shapes, dtype):
    classifier, digits, _ = trained(DigitsOptions(epochs=1, dtype=dtype, dropout=0.1, **options))
    assert [w.shape for w in classifier.model.parameters()] == shapes
    assert {str(w.dtype) for w in classifier.model.parameters()} == {dtype}
    assert classifier.scores(digits.x_test).dtype == dtype
    assert ["Dropout" in repr(layer) for layer in classifier.model].count(True) == sum(
        len(shape) == 2 for shape in shapes
    ) - 1


def test_two_labels_are_one_output():
    classifier, digits, _ = trained(DigitsOptions(epochs=8, labels=(8, 3), layers=(16,)))
    assert classifier.history[-1].test_accuracy > 0.9
    answers = classifier.answers(digits.x_test)
    labels = np.array([8, 3])[digits.y_test]
    assert np.mean([answer.label for answer in answers] == labels) == classifier.history[-1].test_accuracy
    assert classifier.confusion(digits.x_test, digits.y_test).trace() / len(labels) == np.mean(
        [answer.label for answer in answers] == labels
    )
    first = answers[0]
    assert list(first.scores.values()) == sorted(first.scores.values(), reverse=True)
    assert sum(first.scores.values()) == 0
    assert first.scores[3] == pytest.approx(classifier.scores(digits.x_test[:1])[0, 0])


def test_a_thousand_digits_at_a_time_are_all_digits():
    classifier = Classifier(SMALL, np.random.default_rng(0))
    pixels = np.random.default_rng(0).random((2500, 64))
    one_by_one = np.concatenate([classifier.scores(p[None]) for p in pixels])
    np.testing.assert_allclose(classifier.scores(pixels), one_by_one, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("cnn", [False, True])
def test_mnist_learns_zero_against_one(tmp_path, cnn):
    classifier, digits, _ = trained(MnistOptions(labels=(0, 1), cnn=cnn, epochs=8, limit=60), write(tmp_path))
    assert len(digits.y_train) == 60
    assert classifier.history[-1].test_accuracy > 0.9
    shapes = [w.shape for w in classifier.model.parameters()]
    assert shapes[-4:] == ([(196, 32), (32,), (32, 1), (1,)] if cnn else [(784, 128), (128,), (128, 1), (1,)])


def test_mnist_needs_its_folder():
    with pytest.raises(RangeError, match="mnist: expected --data, the folder of train-images-idx3-ubyte, train-labels"):
        data(MnistOptions(), np.random.default_rng(0))


# --- models in files --------------------------------------------------------------------------------------------------


def test_a_model_is_kept_with_its_options_and_history(tmp_path):
    classifier, digits, _ = trained(replace(SMALL, dropout=0.2, seed=np.int64(3)))
    classifier.save(tmp_path / "model.npz")
    again = Classifier.load(tmp_path / "model.npz")
    assert again.options == classifier.options
    assert again.history == classifier.history
    assert not again.model.training
    np.testing.assert_array_equal(again.scores(digits.x_test), classifier.scores(digits.x_test))
    own = data(again.options, np.random.default_rng(again.options.seed))
    np.testing.assert_array_equal(own.x_test, digits.x_test)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("options"), "it has no 'options'"),
        (lambda a: a.update(command=np.array("mnist")), "it is one of 'mnist'"),
        (lambda a: a.update(options=np.array("{")), "to be a model that 'digits' saved; Expecting"),
        (lambda a: a.update(options=np.array("[1]")), "saved; 'list' object"),
        (lambda a: a.update(options=np.array(json.dumps({"speed": 3}))), "unexpected keyword argument 'speed'"),
        (lambda a: a.update(options=np.array(json.dumps({"epochs": 0}))), "expected epochs to be a whole number"),
        (
            lambda a: a.update(options=np.array(json.dumps({"layers": [10**12]}))),
            "it has too few parameters for layers",
        ),
        (lambda a: a.update(options=np.array(json.dumps({"layers": [9]}))), r"expected '0.W' to be float64 \(64, 9\)"),
        (lambda a: a.pop("model.0.W"), "missing '0.W'"),
        (lambda a: a.update(history=np.zeros((2, 3))), "saved; "),
        (lambda a: a.update(history=np.array("no")), "saved; "),
    ],
)
def test_a_file_that_is_no_such_model_is_refused(tmp_path, change, words):
    path = tmp_path / "model.npz"
    Classifier(SMALL, np.random.default_rng(0)).save(path)
    arrays = tg.load(path)
    change(arrays)
    tg.save(path, arrays)
    with pytest.raises(FileFormatError, match=words) as caught:
        Classifier.load(path)
    assert f"digits: expected '{path}' to be a model that 'digits' saved" in str(caught.value)

"""Networks that read handwritten digits: training, measuring, keeping and asking them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from tinygrad_np import datasets, files, nn
from tinygrad_np.errors import FileFormatError, RangeError, TinygradError
from tinygrad_np.experiments.options import Numbers, Words, option
from tinygrad_np.experiments.training import TrainingOptions, optimizer, penalty, step
from tinygrad_np.modes import no_grad
from tinygrad_np.ops import hinge
from tinygrad_np.values import Array


@dataclass(frozen=True)
class DigitsOptions(TrainingOptions):
    """What a training on scikit-learn's digits depends on, and nothing else does: the same options give the same bits.

    Examples
    --------
    >>> DigitsOptions(layers=(64, 32)).batch_size
    32
    """

    command: ClassVar[str] = "digits"
    side: ClassVar[int] = 8
    margin: ClassVar[int] = 0

    seed: int = option(0, "of split, weights, batches and dropout", Numbers(int, 0), "N")
    lr: float = option(0.05, "learning rate", Numbers(float, 0))
    weight_decay: float = option(1e-5, "see --decay; its L2 term is in the reported loss", Numbers(float, 0))
    layers: tuple[int, ...] = option((128,), "units of each hidden layer, from the input on", Numbers(int, 1), "N")
    cnn: bool = option(False, "two convolutions with ReLU and pooling instead, then 32 units")
    dropout: float = option(0.0, "the part of hidden units that is dropped in training", Numbers(float, 0, 1))
    labels: tuple[int, ...] = option(tuple(range(10)), "the digits to tell apart", Numbers(int, 0, 10), "N")
    epochs: int = option(60, "passes over the training digits", Numbers(int, 1), "N")
    batch_size: int = option(32, "digits per step", Numbers(int, 1), "N")
    dtype: str = option("float64", "of all numbers", Words("float32|float64", "float32 or float64"), "DTYPE")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise RangeError(f"{type(self).__name__}: expected labels to be two or more digits, got {self.labels}")


@dataclass(frozen=True)
class MnistOptions(DigitsOptions):
    """What a training on MNIST's files depends on.

    Examples
    --------
    >>> MnistOptions(labels=(0, 1), cnn=True).epochs
    10
    """

    command: ClassVar[str] = "mnist"
    side: ClassVar[int] = 28
    margin: ClassVar[int] = 4

    epochs: int = option(10, "passes over the training digits", Numbers(int, 1), "N")
    limit: int = option(0, "learn from the first N training digits alone; 0 for all", Numbers(int, 0), "N")


class Epoch(NamedTuple):
    """Losses (hinge and L2 term) and accuracies on both splits, measured after an epoch, without dropout.

    Examples
    --------
    >>> Epoch(0.5, 0.9, 0.6, 0.8).test_accuracy
    0.8
    """

    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float


class Answer(NamedTuple):
    """What a network says of a digit: its label, and the score of every label, the highest first.

    Examples
    --------
    >>> Answer(3, {3: 1.5, 8: -0.5}).label
    3
    """

    label: int
    scores: dict[int, float]


def network(options: DigitsOptions, rng: np.random.Generator) -> nn.Sequential:
    """Dense layers with ReLU, or the course's network of convolutions. Dropout is after the hidden dense layers.

    Examples
    --------
    >>> network(MnistOptions(cnn=True), np.random.default_rng(0))
    Sequential(
      (0): Conv2D(1, 2, 3, padding='same')
      (1): ReLU()
      (2): MaxPool2D(2)
      (3): Conv2D(2, 4, 3, padding='same')
      (4): ReLU()
      (5): MaxPool2D(2)
      (6): Flatten()
      (7): Dense(196, 32)
      (8): ReLU()
      (9): Dense(32, 10)
    )
    """
    dtype, layers = np.dtype(options.dtype), list[nn.Layer]()
    sizes = [options.side**2, *options.layers]
    if options.cnn:
        for n_input, n_output in ((1, 2), (2, 4)):
            layers += [nn.Conv2D(n_input, n_output, 3, rng=rng, dtype=dtype), nn.ReLU(), nn.MaxPool2D()]
        layers.append(nn.Flatten())
        sizes = [4 * (options.side // 4) ** 2, 32]
    for n_input, n_output in pairwise(sizes):
        layers += [nn.Dense(n_input, n_output, rng=rng, dtype=dtype), nn.ReLU()]
        if options.dropout:
            layers.append(nn.Dropout(options.dropout, rng=rng))
    outputs = len(options.labels) if len(options.labels) > 2 else 1
    return nn.Sequential(*layers, nn.Dense(sizes[-1], outputs, rng=rng, dtype=dtype))


def data(options: DigitsOptions, rng: np.random.Generator, folder: files.AnyPath | None = None) -> datasets.Split:
    """The digits to learn from, of the labels that the options name; MNIST's from its folder.

    Examples
    --------
    >>> data(DigitsOptions(labels=(0, 1)), np.random.default_rng(0)).x_test.shape
    (111, 64)
    """
    if isinstance(options, MnistOptions):
        if folder is None:
            raise RangeError(f"mnist: expected --data, the folder of {', '.join(datasets.MNIST)} (or .gz of these)")
        return datasets.select(datasets.mnist(folder), options.labels, options.limit)
    return datasets.select(datasets.digits(rng), options.labels)


class Classifier:
    """A network that reads digits, and the history of its training.

    Parameters
    ----------
    options : DigitsOptions or MnistOptions
    rng : numpy.random.Generator
        Draws weights, batches and dropout.

    Attributes
    ----------
    model : Sequential
    history : list of Epoch

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> options = DigitsOptions(epochs=2)
    >>> digits, classifier = data(options, rng), Classifier(options, rng)
    >>> for loss in classifier.train(digits):
    ...     pass
    >>> len(classifier.history), classifier.history[-1].test_accuracy > 0.5
    (2, True)
    """

    def __init__(self, options: DigitsOptions, rng: np.random.Generator) -> None:
        self.options = options
        self.model = network(options, rng)
        self.history: list[Epoch] = []
        self._rng = rng

    def steps(self, data: datasets.Split) -> int:
        """How many steps a training on these digits takes."""
        return self.options.epochs * -(-len(data.y_train) // self.options.batch_size)

    def train(self, data: datasets.Split) -> Iterator[float]:
        """Take the steps; after each, its loss comes out. With the last of an epoch the history has one line more."""
        options, sgd = self.options, optimizer(self.model, self.options)
        truth = datasets.signs(data.y_train, len(options.labels)).astype(options.dtype)
        for _ in range(options.epochs):
            self.model.train()
            order = self._rng.permutation(len(truth))
            for start in range(0, len(order), options.batch_size):
                batch = order[start : start + options.batch_size]
                loss = step(self.model, sgd, self._inputs(data.x_train[batch]), truth[batch])
                if start + options.batch_size >= len(order):
                    self.model.eval()
                    on_train, on_test = self.measure(data.x_train, data.y_train), self.measure(data.x_test, data.y_test)
                    self.history.append(Epoch(*on_train, *on_test))
                yield loss

    def _inputs(self, pixels: Array) -> Array:
        """Digits (n, pixels) as the network takes them: the same, or images (n, 1, side, side)."""
        inputs = pixels.astype(self.options.dtype, copy=False)
        return inputs.reshape(-1, 1, self.options.side, self.options.side) if self.options.cnn else inputs

    def scores(self, pixels: Array) -> Array:
        """The network's outputs for digits, (n, pixels) to (n, outputs); a thousand digits at a time."""
        with no_grad():
            parts = np.split(pixels, range(1000, len(pixels), 1000))
            return np.concatenate([np.asarray(self.model(self._inputs(part))) for part in parts])

    def measure(self, pixels: Array, labels: Array) -> tuple[float, float]:
        """Loss, with its L2 term, and accuracy."""
        scores = self.scores(pixels)
        loss = hinge.forward(scores, datasets.signs(labels, len(self.options.labels)))
        right = float((datasets.classes(scores) == labels).mean())
        return float(loss) + penalty(self.model, self.options.weight_decay), right

    def answers(self, pixels: Array) -> list[Answer]:
        """What the network says of each digit."""
        scores = self.scores(pixels)
        if scores.shape[1] == 1:  # of two classes the second
            scores = np.hstack([-scores, scores])
        ranked = [sorted(zip(row, self.options.labels, strict=True), reverse=True) for row in scores.tolist()]
        return [Answer(row[0][1], {label: score for score, label in row}) for row in ranked]

    def confusion(self, pixels: Array, labels: Array) -> Array:
        """How many digits of each class (rows) were taken for each class (columns)."""
        counts = np.zeros((len(self.options.labels),) * 2, int)
        np.add.at(counts, (labels, datasets.classes(self.scores(pixels))), 1)
        return counts

    def save(self, path: files.AnyPath) -> None:
        """Write network, options and history into a file; see `tinygrad_np.save`."""
        about = {"command": self.options.command, "options": json.dumps(asdict(self.options), default=int)}
        history = np.array(self.history, np.float64).reshape(-1, len(Epoch._fields))
        parameters = {f"model.{name}": array for name, array in self.model.state().items()}
        files.save(path, {**about, "history": history, **parameters})

    @classmethod
    def load(cls, path: files.AnyPath, kind: type[DigitsOptions] = DigitsOptions) -> Self:
        """Read what `save` wrote for options of this kind; it is in the testing phase.

        Raises
        ------
        FileFormatError
            If the file is damaged or no such model.
        """
        arrays = files.load(path)

        def wrong(what: object) -> FileFormatError:
            command = kind.command
            return FileFormatError(f"{command}: expected {str(path)!r} to be a model that '{command}' saved; {what}")

        if missing := {"command", "options", "history"} - arrays.keys():
            raise wrong(f"it has no {min(missing)!r}")
        about = {name: str(arrays.pop(name)) for name in ("command", "options")}
        if about["command"] != kind.command:
            raise wrong(f"it is one of {about['command']!r}")
        history = arrays.pop("history")
        try:
            given: dict[str, Any] = {
                key: tuple(v) if isinstance(v, list) else v for key, v in json.loads(about["options"]).items()
            }
            options = kind(**given)
            if max(options.layers, default=0) > max((array.size for array in arrays.values()), default=0):
                raise RangeError(f"it has too few parameters for layers of {options.layers}")
            classifier = cls(options, np.random.default_rng(options.seed))
            state = {name.removeprefix("model."): array for name, array in arrays.items()}
            classifier.model.load_state(state).eval()
            classifier.history = [Epoch(*map(float, line)) for line in history]
        except (TinygradError, ValueError, TypeError, AttributeError) as error:
            raise wrong(error) from error
        return classifier

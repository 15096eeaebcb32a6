"""The course's experiments: data, a network, training with the tape, a picture."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_np import datasets, errors, nn, ops, optim
from tinygrad_np.errors import RangeError
from tinygrad_np.modes import no_grad
from tinygrad_np.values import Array


@dataclass(frozen=True)
class DigitsOptions:
    """What a run of `digits` depends on, and nothing else does: the same options give the same bits.

    Examples
    --------
    >>> DigitsOptions(hidden=64).batch_size
    32
    """

    hidden: int = 128
    epochs: int = 60
    batch_size: int = 32
    lr: float = 0.05
    weight_decay: float = 1e-5
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """One line of a training's history: the mean loss of its batches, L2 term included, and accuracies after it.

    Examples
    --------
    >>> Epoch(loss=0.5, train_accuracy=0.9, test_accuracy=0.8).loss
    0.5
    """

    loss: float
    train_accuracy: float
    test_accuracy: float


def accuracy(model: nn.Sequential, inputs: Array, labels: Array) -> float:
    """The part of inputs whose largest output is that of their label.

    Examples
    --------
    >>> import numpy as np
    >>> accuracy(nn.Sequential(lambda x: x), np.eye(3), np.array([0, 1, 1]))
    0.6666666666666666
    """
    with no_grad():
        scores = np.asarray(model(inputs))
    return float((scores.argmax(axis=1) == labels).mean())


def digits(options: DigitsOptions) -> tuple[nn.Sequential, list[Epoch]]:
    """Train dense layers on scikit-learn's digits: hinge loss on ten outputs, SGD, mini-batches; show the progress.

    Returns
    -------
    model : Sequential
        In the testing phase.
    history : list of Epoch

    Examples
    --------
    >>> model, history = digits(DigitsOptions(epochs=2))
    >>> len(history), history[-1].test_accuracy > 0.5
    (2, True)
    """
    tqdm = _tqdm()
    rng = np.random.default_rng(options.seed)
    data = datasets.digits(rng)
    truth = datasets.signs(data.y_train, 10)
    model = nn.Sequential(
        nn.Dense(data.x_train.shape[1], options.hidden, rng=rng),
        nn.ReLU(),
        nn.Dense(options.hidden, 10, rng=rng),
    )
    sgd = optim.SGD(model.parameters(), lr=options.lr, weight_decay=options.weight_decay)
    history = []
    with tqdm(range(options.epochs), desc="digits", unit="epoch", disable=None) as progress:
        for _ in progress:
            losses = []
            order = rng.permutation(len(truth))
            for batch in np.split(order, range(options.batch_size, len(order), options.batch_size)):
                sgd.zero_grad()
                loss = ops.hinge(model(data.x_train[batch]), truth[batch])
                loss.backward()
                penalty = ops.l2.forward([w.data for w in sgd.parameters], options.weight_decay)
                losses.append(loss.item() + float(penalty))
                sgd.step()
            history.append(
                Epoch(
                    float(np.mean(losses)),
                    accuracy(model, data.x_train, data.y_train),
                    accuracy(model, data.x_test, data.y_test),
                )
            )
            progress.set_postfix(
                loss=f"{history[-1].loss:.3f}", accuracy=f"{history[-1].test_accuracy:.3f}", refresh=False
            )
    return model.eval(), history


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise errors.missing_extra("digits", "its progress bar needs tqdm") from error
    return tqdm


def check_picture(path: Path) -> None:
    """Make sure that a picture can be drawn into this file, before a training is spent on it.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    RangeError
        If the folder does not exist, or matplotlib does not know the kind of picture that the name ends in.

    Examples
    --------
    >>> check_picture(Path("curves.xyz"))
    Traceback (most recent call last):
    ...
    tinygrad_np.errors.RangeError: digits: expected --picture to end in one of ... got 'curves.xyz'
    """
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise errors.missing_extra("digits", "its picture needs matplotlib") from error
    kinds = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix.removeprefix(".").lower() not in kinds:
        raise RangeError(f"digits: expected --picture to end in one of {', '.join(kinds)}, got {path.name!r}")
    if not path.resolve().parent.is_dir():
        raise RangeError(f"digits: expected --picture in a folder that exists, got {str(path)!r}")


def draw_curves(history: list[Epoch], path: Path) -> None:
    """Draw loss and accuracies over the epochs into a picture; a picture at `path` is replaced once this one is whole.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     draw_curves([Epoch(1.0, 0.5, 0.4), Epoch(0.5, 0.9, 0.8)], Path(folder) / "curves.png")
    ...     [path.name for path in Path(folder).iterdir()]
    ['curves.png']
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = range(1, len(history) + 1)
    left.plot(epochs, [epoch.loss for epoch in history], color="tab:gray")
    left.set(title="Training loss (hinge + L2)", xlabel="epoch", ylim=(0, None))
    right.plot(epochs, [epoch.train_accuracy for epoch in history], label="training digits", color="tab:gray")
    right.plot(epochs, [epoch.test_accuracy for epoch in history], label="test digits", color="tab:blue")
    right.set(title=f"Accuracy: {history[-1].test_accuracy:.1%} of test digits at the end", xlabel="epoch")
    right.legend(loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
        part = Path(folder) / path.name
        figure.savefig(part, dpi=120)
        part.replace(path)

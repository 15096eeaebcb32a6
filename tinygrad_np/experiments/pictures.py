"""The pictures of the experiments, drawn by matplotlib without a display; a file appears once it is whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_np import datasets, errors
from tinygrad_np.experiments.circles import Circles, Result
from tinygrad_np.experiments.images import Classifier
from tinygrad_np.files import replacing
from tinygrad_np.values import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_TRAIN, _TEST = "tab:gray", "tab:blue"
_WEIGHTS = 36  # units of the first layer that are shown, at most
_EXAMPLES = 12  # right digits, and wrong ones, at most


def kinds() -> list[str]:
    """The endings of the picture files that matplotlib writes.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.

    Examples
    --------
    >>> "png" in kinds()
    True
    """
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise errors.missing_extra("picture", "pictures are drawn by matplotlib") from error
    return sorted(FigureCanvasBase.get_supported_filetypes())


@contextmanager
def _figure(width: float, height: float, path: Path) -> Iterator[Figure]:
    """A figure in inches, to be drawn on and then written to `path`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    yield figure
    with replacing(path) as part:
        figure.savefig(part, dpi=110)


# --- circles ----------------------------------------------------------------------------------------------------------


def _panels(figure: Figure, circles: Circles) -> list[tuple[Axes, AxesImage]]:
    """One panel per design: its output over the plane, behind the points."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    reach, regions = circles.regions()
    columns = min(3, len(regions))
    grid = figure.subplots(-(-len(regions) // columns), columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes in grid[len(regions) :]:
        axes.remove()
    sides, bands = ListedColormap(["tab:red", "tab:blue"]), colormaps["RdBu"].resampled(12)  # 6 bands on each side of 0
    panels = []
    for axes, scores in zip(grid, regions, strict=False):
        extent = (-reach, reach, -reach, reach)
        image = axes.imshow(np.tanh(scores), bands, vmin=-1.5, vmax=1.5, extent=extent, origin="lower")
        axes.scatter(*circles.points.T, c=circles.labels, cmap=sides, s=12, edgecolors="white", linewidths=0.4)
        panels.append((axes, image))
    return panels


def _size(circles: Circles, side: float) -> tuple[float, float]:
    """Width and height in inches of panels, three in a row."""
    count = len(circles.models)
    return side * min(3, count), (side + 0.35) * -(-count // 3)


def draw_circles(circles: Circles, path: Path) -> None:
    """Draw each design's output over the plane: blue where it says inner circle, red where outer, pale where unsure.

    Examples
    --------
    >>> from tinygrad_np.experiments.circles import CirclesOptions
    >>> draw_circles(Circles(CirclesOptions(designs=("2",))), Path("circles.png"))
    >>> Path("circles.png").exists()
    True
    """
    with _figure(*_size(circles, 3.2), path) as figure:
        for (axes, _), result in zip(_panels(figure, circles), circles.results(), strict=True):
            axes.set_title(f"{result.design}\nloss {result.loss:.2f}, {result.accuracy:.0%} right", fontsize=10)


class Film:
    """A GIF of the regions as they form: call it after every step that shall be a frame, and then `write`.

    Examples
    --------
    >>> from tinygrad_np.experiments.circles import CirclesOptions
    >>> circles = Circles(CirclesOptions(designs=("2",), steps=4))
    >>> film = Film(circles)
    >>> for number in circles.train():
    ...     film.take(number)
    >>> film.write(Path("circles.gif"))
    >>> Path("circles.gif").read_bytes()[:4]
    b'GIF8'
    """

    def __init__(self, circles: Circles) -> None:
        self._circles = circles
        self._frames: list[tuple[str, list[Result], list[Array]]] = []
        self.take(0)

    def take(self, number: int) -> None:
        """Keep what the designs say now, after step `number`."""
        self._frames.append((f"step {number}", self._circles.results(), self._circles.regions()[1]))

    def write(self, path: Path) -> None:
        """Write the frames, ten a second, the last for two seconds."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from PIL import Image

        figure = Figure(figsize=_size(self._circles, 2.0), dpi=90)
        figure.subplots_adjust(0.06, 0.05, 0.98, 0.86, 0.1, 0.25)
        canvas, panels, images = FigureCanvasAgg(figure), _panels(figure, self._circles), []
        for title, results, regions in self._frames:
            figure.suptitle(title, fontsize=10)
            for (axes, shown), result, scores in zip(panels, results, regions, strict=True):
                shown.set_data(np.tanh(scores))
                axes.set_title(f"{result.design}: {result.accuracy:.0%}", fontsize=8)
                axes.tick_params(labelsize=7)
            canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib gives these no types
            pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            images.append(Image.fromarray(pixels[..., :3].copy()))
        durations = [100] * (len(images) - 1) + [2000]  # milliseconds
        with replacing(path) as part:
            images[0].save(part, save_all=True, append_images=images[1:], duration=durations, loop=0)


# --- digits -----------------------------------------------------------------------------------------------------------


def draw_digits(classifier: Classifier, data: datasets.Split, path: Path) -> None:
    """Draw curves of loss and accuracy, the confusion matrix, the first layer's weights, and digits right and wrong.

    Examples
    --------
    >>> from tinygrad_np.experiments import images
    >>> rng = np.random.default_rng(0)
    >>> options = images.DigitsOptions(epochs=1, layers=(8,))
    >>> digits, classifier = images.data(options, rng), Classifier(options, rng)
    >>> for loss in classifier.train(digits):
    ...     pass
    >>> draw_digits(classifier, digits, Path("digits.png"))
    >>> Path("digits.png").exists()
    True
    """
    said = datasets.classes(classifier.scores(data.x_test))
    with _figure(13, 8.5, path) as figure:
        upper, lower = figure.subfigures(2, 1, squeeze=False).ravel()
        loss, accuracy, confusion = upper.subplots(1, 3)
        _curves(loss, accuracy, classifier)
        _confusion(confusion, classifier.confusion(data.x_test, data.y_test), classifier.options.labels)
        weights, right, wrong = lower.subfigures(1, 3, wspace=0.04)
        _weights(weights, classifier)
        _examples(right, classifier, data, said, np.flatnonzero(said == data.y_test), "Right")
        _examples(wrong, classifier, data, said, np.flatnonzero(said != data.y_test), "Wrong")


def _curves(loss: Axes, accuracy: Axes, classifier: Classifier) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = range(1, len(classifier.history) + 1)
    train_loss, train_accuracy, test_loss, test_accuracy = zip(*classifier.history, strict=True)
    marker = "." if len(epochs) < 10 else None
    loss.plot(epochs, train_loss, label="training digits", color=_TRAIN, marker=marker)
    loss.plot(epochs, test_loss, label="test digits", color=_TEST, marker=marker)
    loss.set(title="Loss (hinge + L2)", xlabel="epoch", ylim=(0, None))
    accuracy.plot(epochs, train_accuracy, label="training digits", color=_TRAIN, marker=marker)
    accuracy.plot(epochs, test_accuracy, label="test digits", color=_TEST, marker=marker)
    accuracy.set(title=f"Accuracy: {test_accuracy[-1]:.1%} of test digits at the end", xlabel="epoch")
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
        axes.legend()
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _confusion(axes: Axes, counts: Array, names: Sequence[int]) -> None:
    axes.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            light = count > counts.max() / 2
            axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color="w" if light else "k")
    ticks = range(len(names))
    axes.set(title="Test digits", xlabel="the network says", ylabel="it is")
    axes.set_xticks(ticks, [str(name) for name in names])
    axes.set_yticks(ticks, [str(name) for name in names])


def _weights(figure: Any, classifier: Classifier) -> None:
    """The first layer's weights: red where ink speaks for the unit, blue where against it."""
    first = next(w for name, w in classifier.model.named_parameters() if name.endswith("W")).numpy()
    images = first[:, 0] if classifier.options.cnn else first.T.reshape(-1, *(classifier.options.side,) * 2)
    shown = images[:_WEIGHTS]
    what = f"{len(shown)} of {len(images)} units" if len(shown) < len(images) else "each unit"
    figure.suptitle(f"First layer's weights, {what}")
    reach = np.abs(shown).max() or 1.0
    for axes, image in zip(_grid(figure, len(shown), math.isqrt(len(shown) - 1) + 1), shown, strict=False):
        axes.imshow(image, cmap="RdBu_r", vmin=-reach, vmax=reach)


def _examples(
    figure: Any, classifier: Classifier, data: datasets.Split, said: Array, chosen: Array, title: str
) -> None:
    """The first few digits of those chosen, each with what the network says, and what it is where that is wrong."""
    figure.suptitle(f"{title}: {len(chosen)} of {len(said)} test digits")
    names = classifier.options.labels
    for axes, i in zip(_grid(figure, _EXAMPLES, 4), chosen, strict=False):
        axes.imshow(data.x_test[i].reshape((classifier.options.side,) * 2), cmap="gray_r", vmin=0, vmax=1)
        truth, answer = names[data.y_test[i]], names[said[i]]
        wrong = answer != truth
        text = f"{answer}, is {truth}" if wrong else f"{answer}"
        axes.set_title(text, fontsize=9, color="tab:red" if wrong else "tab:green", pad=2)


def _grid(figure: Any, count: int, columns: int) -> Array:
    """Places for small images, without axes."""
    places: Array = figure.subplots(-(-count // columns), columns, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    return places

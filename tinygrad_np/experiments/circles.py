"""Two circles, and which networks can tell them apart: designs side by side, trained on the same points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tinygrad_np import datasets, nn
from tinygrad_np.errors import RangeError
from tinygrad_np.experiments.options import Numbers, Words, option
from tinygrad_np.experiments.training import TrainingOptions, optimizer, penalty, step
from tinygrad_np.modes import no_grad
from tinygrad_np.ops import hinge
from tinygrad_np.values import Array

DESIGN = Words(
    r"single|[1-9]\d{0,3}(-[1-9]\d{0,3})*(-linear)?",
    "the units of the hidden layers, as in 16 or 8-8, with -linear for no ReLU after them, or 'single' for none",
)


@dataclass(frozen=True)
class CirclesOptions(TrainingOptions):
    """What the experiment depends on, and nothing else does: the same options give the same bits.

    Examples
    --------
    >>> CirclesOptions(designs=("3-3",)).steps
    100
    """

    lr: float = option(0.1, "learning rate", Numbers(float, 0))
    weight_decay: float = option(0.01, "see --decay; its L2 term is in the reported loss", Numbers(float, 0))
    steps: int = option(100, "steps, each on all points", Numbers(int, 1), "N")
    noise: float = option(0.0, "standard deviation of what is added to the points", Numbers(float, 0))
    designs: tuple[str, ...] = option(
        ("single", "16-linear", "2", "4", "16", "16-16"), f"the networks to compare, each {DESIGN}", DESIGN, "DESIGN"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.designs:
            raise RangeError("CirclesOptions: expected one design or more, got none")


class Result(NamedTuple):
    """A line of the table: the loss with its L2 term, and the part of the points that is right.

    Examples
    --------
    >>> Result("2 > 1", 3, 0.5, 1.0).parameters
    3
    """

    design: str
    parameters: int
    loss: float
    accuracy: float


def network(design: str, rng: np.random.Generator) -> tuple[str, nn.Sequential]:
    """The network that a design describes, and what it is in words.

    Examples
    --------
    >>> title, model = network("8-8-linear", np.random.default_rng(0))
    >>> title, len(model)
    ('2 > 8 > 8 > 1, linear', 3)
    """
    linear = design.endswith("-linear")
    hidden = [int(n) for n in design.removesuffix("-linear").split("-")] if design != "single" else []
    sizes = [2, *hidden, 1]
    layers: list[nn.Layer] = []
    for n_input, n_output in pairwise(sizes):
        layers += [nn.Dense(n_input, n_output, rng=rng), *([] if linear else [nn.ReLU()])]
    title = " > ".join(map(str, sizes)) + (", linear" if linear else ", ReLU" if hidden else "")
    return title, nn.Sequential(*layers[: None if linear else -1])  # no ReLU at the end


class Circles:
    """All designs on the same points, to be trained in step.

    Attributes
    ----------
    points : array of shape (200, 2)
    labels : array of shape (200,)
        1 for the inner circle.
    models : list of (str, Sequential)
        With their titles.
    losses : list of lists of float
        For every step taken, each design's loss before it, with the L2 term.

    Examples
    --------
    >>> circles = Circles(CirclesOptions(designs=("single", "16")))
    >>> for _ in circles.train():
    ...     pass
    >>> [result.accuracy > 0.99 for result in circles.results()]
    [False, True]
    """

    def __init__(self, options: CirclesOptions) -> None:
        self.options = options
        self.points, self.labels = datasets.circles(np.random.default_rng(options.seed), options.noise)
        self.models = [network(design, np.random.default_rng(options.seed)) for design in options.designs]
        self.losses: list[list[float]] = []
        self._optimizers = [optimizer(model, options) for _, model in self.models]
        self._truth = datasets.signs(self.labels, 2)

    def train(self) -> Iterator[int]:
        """Take the steps; after each, all designs having taken it, its number comes out."""
        for number in range(1, self.options.steps + 1):
            pairs = zip(self.models, self._optimizers, strict=True)
            self.losses.append([step(model, sgd, self.points, self._truth) for (_, model), sgd in pairs])
            yield number

    def results(self) -> list[Result]:
        """How each design does now."""
        results = []
        for title, model in self.models:
            with no_grad():
                scores = np.asarray(model(self.points))
            loss = float(hinge.forward(scores, self._truth)) + penalty(model, self.options.weight_decay)
            right = float((datasets.classes(scores) == self.labels).mean())
            results.append(Result(title, sum(w.size for w in model.parameters()), loss, right))
        return results

    def regions(self, side: int = 160) -> tuple[float, list[Array]]:
        """Each design's output over a square around the origin: half its width, and arrays (side, side), y upwards."""
        reach = 1.15 * float(np.abs(self.points).max())
        ticks = np.linspace(-reach, reach, side)
        grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
        with no_grad():
            return reach, [np.asarray(model(grid)).reshape(side, side) for _, model in self.models]

"""What all workloads are made of: the numbers of a step, the one interface of those who compute it, and their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

UNIT = "expert NumPy"
"""The contender that all others are divided by: preallocated buffers, ``out=``, in place. Every workload has it."""

STUDENT, PRIMITIVES, LAYERS = "student NumPy", "ours, primitives", "ours, layers"


@dataclass(frozen=True, eq=False)
class Problem:
    """Where a step starts: parameters, batches taken in turn, what the update does, and W10's direction."""

    parameters: tuple[Array, ...]
    batches: Sequence[tuple[Array, ...]] = ((),)
    lr: float = 0.01
    weight_decay: float = 1e-5
    direction: tuple[Array, ...] = ()

    def start(self) -> list[Array]:
        """The parameters, as arrays of one's own."""
        return [parameter.copy() for parameter in self.parameters]

    def astype(self, dtype: str) -> Problem:
        """The same numbers in another floating-point dtype; labels stay integers."""

        def convert(arrays: Sequence[Array]) -> tuple[Array, ...]:
            return tuple(array.astype(dtype) if array.dtype.kind == "f" else array for array in arrays)

        batches = [convert(batch) for batch in self.batches]
        return Problem(convert(self.parameters), batches, self.lr, self.weight_decay, convert(self.direction))


class Contender(Protocol):
    """One way to write a step."""

    def step(self) -> float:
        """Do what is timed; return the loss."""

    def results(self) -> Sequence[Array]:
        """What the last step left behind, for the contenders to agree on: weights or gradients."""


class Words(Protocol):
    """What a loss is written in, so that it is written once; every library fills in its own functions."""

    dense: Callable[[Any, Any, Any], Any]  # x @ w + b
    relu: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    conv: Callable[[Any, Any, Any], Any]  # images, kernels with odd sides, one bias per channel; padding "same"
    pool: Callable[[Any], Any]  # the maxima of 2 by 2
    flatten: Callable[[Any], Any]
    hinge: Callable[[Any, Any], Any]
    mse: Callable[[Any, Any], Any]  # half the mean squared error
    cross_entropy: Callable[[Any, Any], Any]  # scores and class numbers
    total: Callable[[Any], Any]
    loop: Callable[[int, Callable[[Any], Any], Any], Any] | None  # None: Python's own ``for``


Loss = Callable[[Any, Sequence[Any], Sequence[Any]], Any]
"""A loss of Words, parameters and a batch."""


class Library(Protocol):
    """A way to differentiate. It makes a contender of a loss, or returns None where it cannot."""

    name: str
    note: str
    """What a reader of the table should know of it, or nothing."""

    def training(self, problem: Problem, loss: Loss) -> Contender | None:
        """A step is loss, gradients, and the update ``w -= lr * gradient + weight_decay * w``."""

    def gradients(self, problem: Problem, loss: Loss) -> Contender | None:
        """A step is the loss and its gradients."""

    def curvature(self, problem: Problem, loss: Loss) -> Contender | None:
        """A step is the slope along the direction v, and the slope's gradients: the Hessian times v."""


@dataclass(frozen=True)
class Workload:
    """A step by its name, and how each contender starts on it; called again, it starts from the same parameters."""

    name: str
    contenders: Mapping[str, Callable[[], Contender | None]]
    steps: int = 4
    """After how many steps the contenders must agree."""
    dtype: str = "float64"

    @property
    def key(self) -> str:
        """W1 of "W1 circles"."""
        return self.name.split()[0]


@dataclass(frozen=True)
class Setting:
    """What may differ from run to run: the dtype, the libraries that take part, and the size (small in tests)."""

    dtype: str = "float64"
    libraries: Sequence[Library] = field(default_factory=list)
    small: bool = False


def workload(
    name: str,
    problem: Problem,
    setting: Setting,
    by_hand: Mapping[str, Callable[[Problem], Contender]],
    loss: Loss,
    kind: str = "training",
    layers: Callable[[Problem], Contender] | None = None,
) -> Workload:
    """Put the contenders together: those written by hand, one with our layers, and one per library."""
    problem = problem.astype(setting.dtype)
    starts: dict[str, Callable[[], Contender | None]] = {n: partial(make, problem) for n, make in by_hand.items()}
    for library in setting.libraries:
        starts[library.name] = partial(getattr(library, kind), problem, loss)
        if library.name == PRIMITIVES and layers is not None:
            starts[LAYERS] = partial(layers, problem)
    return Workload(name, starts, steps=4 if kind == "training" else 1, dtype=setting.dtype)

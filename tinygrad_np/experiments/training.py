"""One step of training, for every experiment: hinge loss, the tape's gradient, SGD with weight decay."""

from __future__ import annotations

from dataclasses import dataclass

from tinygrad_np import nn, ops, optim
from tinygrad_np.experiments.options import Numbers, Options, Words, option
from tinygrad_np.values import Array


@dataclass(frozen=True)
class TrainingOptions(Options):
    """What `tinygrad_np.optim.SGD` takes, and the seed of all that is random.

    Examples
    --------
    >>> TrainingOptions(momentum=0.9).lr
    0.1
    """

    seed: int = option(0, "of everything random", Numbers(int, 0), "N")
    lr: float = option(0.1, "learning rate", Numbers(float, 0))
    momentum: float = option(0.0, "the optimizer's momentum", Numbers(float, 0))
    dampening: float = option(0.0, "of the momentum", Numbers(float, 0, 1))
    nesterov: bool = option(False, "look ahead along the momentum")
    weight_decay: float = option(0.0, "see --decay; its L2 term is in the reported loss", Numbers(float, 0))
    decay: str = option(
        "course",
        "whose weight decay: the course's, w -= lr * dw + decay * w, or that of the loss, w -= lr * (dw + decay * w)",
        Words("course|loss", "course or loss"),
        "WHOSE",
    )


def optimizer(model: nn.Sequential, options: TrainingOptions) -> optim.SGD:
    """SGD for a model.

    Examples
    --------
    >>> optimizer(nn.Sequential(nn.Dense(2, 1)), TrainingOptions(lr=0.5)).lr
    0.5
    """
    return optim.SGD(
        model.parameters(),
        lr=options.lr,
        momentum=options.momentum,
        dampening=options.dampening,
        nesterov=options.nesterov,
        weight_decay=options.weight_decay,
        decay=options.decay,
    )


def penalty(model: nn.Sequential, weight_decay: float) -> float:
    """The L2 term, ``weight_decay / 2 * ||w||**2``. It is reported; its gradient is the optimizer's decay.

    Examples
    --------
    >>> import numpy as np
    >>> layer = nn.Dense(2, 1)
    >>> layer.W.data = np.ones((2, 1))
    >>> penalty(nn.Sequential(layer), 0.5)
    0.5
    """
    return float(ops.l2.forward([w.data for w in model.parameters()], weight_decay)) if weight_decay else 0.0


def step(model: nn.Sequential, sgd: optim.SGD, inputs: Array, truth: Array) -> float:
    """Take one step down the hinge loss of a batch; return the loss before it, with the L2 term.

    Examples
    --------
    >>> import numpy as np
    >>> model = nn.Sequential(nn.Dense(1, 1))
    >>> sgd = optim.SGD(model.parameters(), lr=0.1)
    >>> first, second = (step(model, sgd, np.ones((1, 1)), np.full((1, 1), 5.0)) for _ in range(2))
    >>> second < first or first == 0
    True
    """
    sgd.zero_grad()
    loss = ops.hinge(model(inputs), truth)
    loss.backward()
    reported = loss.item() + penalty(model, sgd.weight_decay)
    sgd.step()
    return float(reported)

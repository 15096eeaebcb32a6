"""How far predictions are from the truth: one number, a sum over all entries divided by the number of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_np.errors import DtypeError, RangeError, ShapeError
from tinygrad_np.ops.elementwise import keep_where, real
from tinygrad_np.ops.reductions import softmax
from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array, Value

__all__ = [
    "cross_entropy",
    "hinge",
    "l2",
    "mse",
]


def rows(op: str, pred: Array, true: Array, names: str = "pred and true") -> int:
    """The number of rows of two arrays that must have the same shape, and at least one row."""
    if np.shape(pred) != np.shape(true) or np.ndim(pred) == 0 or len(pred) == 0:
        raise ShapeError(
            f"{op}: expected {names} of one shape (n, ...) with at least one row; got {np.shape(pred)} and "
            f"{np.shape(true)}; reshape one of them"
        )
    return len(pred)


@primitive
def hinge(pred: Array, true: Array, /) -> Any:
    """The hinge loss: ``sum(max(0, 1 - pred * true)) / n``.

    Kinks: the slope where a margin is exactly 1 is 0.

    Parameters
    ----------
    pred, true : arrays of one shape (n,) or (n, k)
        Predictions, and the truth as -1 and 1. With k outputs n stays the number of rows.

    Raises
    ------
    ShapeError
        If the shapes differ (nothing is broadcast), or there is no row.

    References
    ----------
    C. Cortes and V. Vapnik, "Support-vector networks" (1995); the course divides by the number of rows.

    Examples
    --------
    >>> float(hinge([2, -5, 3, 0.5], [-1, -1, 1, 1]))
    0.875
    """
    n = rows("hinge", pred, true)
    return np.maximum(1 - pred * real(true), 0).sum() / n


hinge.def_vjp(
    pred=lambda g, pred, true: keep_where(-real(true), pred * true < 1) * (g / len(pred)),
    true=lambda g, pred, true: keep_where(-real(pred), pred * true < 1) * (g / len(pred)),
)


@primitive
def mse(pred: Array, true: Array, /) -> Any:
    """Half the mean squared error: ``sum((pred - true) ** 2) / (2 * n)``.

    Parameters
    ----------
    pred, true : arrays of one shape (n,) or (n, k)
        With k outputs n stays the number of rows.

    Raises
    ------
    ShapeError
        If the shapes differ (nothing is broadcast), or there is no row.

    Examples
    --------
    >>> float(mse([1.0, 2.0], [1.0, 4.0]))
    1.0
    """
    n = rows("mse", pred, true)
    return np.square(pred - real(true)).sum() / (2 * n)


mse.def_vjp(
    pred=lambda g, pred, true: (pred - true) * (g / len(pred)),
    true=lambda g, pred, true: (true - pred) * (g / len(pred)),
)


@primitive
def cross_entropy(scores: Array, labels: Array, /) -> Any:
    """The softmax cross-entropy: ``-sum(truth * log(softmax(scores))) / n``, without overflow.

    Parameters
    ----------
    scores : array of shape (n, k)
        One score per class, of any sign and size.
    labels : array of shape (n,) or (n, k)
        Class numbers from 0 to k - 1, or each row's probabilities (one 1 and zeros elsewhere). Constants.

    Raises
    ------
    ShapeError
        For other shapes, or without a row or a class.
    RangeError
        If a class number is outside of 0 to k - 1.
    DtypeError
        If class numbers are no integers.

    References
    ----------
    C. M. Bishop, "Pattern recognition and machine learning" (2006), section 4.3.4.

    Examples
    --------
    >>> float(cross_entropy([[0.0, 1000.0], [1000.0, 0.0]], [1, 1]))
    500.0
    """
    truth, scores = _truth(scores, labels), real(scores)
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    logarithms = np.log(np.exp(shifted).sum(axis=1)) * truth.sum(axis=1)
    return (logarithms.sum() - (truth * np.where(truth == 0, 0, shifted)).sum()) / len(scores)  # a score may be -inf


def _check_labels(scores: Any, labels: Any) -> bool:
    """Whether the labels are class numbers; refused unless these, or probabilities, fit the scores."""
    shape, given = np.shape(scores), np.shape(labels)
    if len(shape) != 2 or 0 in shape or given not in (shape, shape[:1]):
        raise ShapeError(
            f"cross_entropy: expected scores (n, k) and labels (n,) or (n, k), with n and k at least 1; got {shape} "
            f"and {given}"
        )
    if given == shape:
        return False
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"cross_entropy: expected class numbers of an integer dtype, got {labels.dtype}")
    if not (labels.min() >= 0 and labels.max() < shape[1]):
        raise RangeError(
            f"cross_entropy: expected class numbers from 0 to {shape[1] - 1}, got {labels.min()} to {labels.max()}"
        )
    return True


def _truth(scores: Any, labels: Any) -> Any:
    """The rows' probabilities (n, k), from class numbers or as they are."""
    labels = labels._array if isinstance(labels, Value) else labels
    if not _check_labels(scores, labels):
        return real(labels)
    return (labels[:, None] == np.arange(scores.shape[1])).astype(scores.dtype)


def _entropy_slope(g: Any, scores: Any, labels: Any) -> Any:
    truth = _truth(scores, labels)
    return (softmax(scores) * truth.sum(axis=1, keepdims=True) - truth) * (g / len(scores))


cross_entropy.def_vjp(
    scores=_entropy_slope,
    labels=None,
)


@primitive(sequence=True)
def l2(weights: list[Array], /, weight_decay: float) -> Any:
    """Half the decay times the sum of squares of all weights: ``weight_decay / 2 * sum(w ** 2)``, the L2 penalty.

    Parameters
    ----------
    weights : sequence of arrays
        Of any shapes.
    weight_decay : float

    Examples
    --------
    >>> float(l2([[5, 3], [7, 5, 0.5]], 2))
    108.25
    """
    return weight_decay / 2 * sum(np.square(real(np.asarray(w))).sum() for w in weights)


l2.def_vjp(weights=lambda g, weights, weight_decay: [g * (weight_decay * w) for w in weights])

"""Data sets, read through the libraries that have them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinygrad_np import errors
from tinygrad_np.errors import RangeError
from tinygrad_np.values import Array


class Split(NamedTuple):
    """Inputs and labels, for training and for testing.

    Examples
    --------
    >>> import numpy as np
    >>> Split(np.zeros((3, 64)), np.zeros(3), np.zeros((1, 64)), np.zeros(1)).x_train.shape
    (3, 64)
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


def digits(rng: np.random.Generator, train_part: float = 0.7) -> Split:
    """Scikit-learn's 1,797 handwritten digits, shuffled and split.

    Parameters
    ----------
    rng : numpy.random.Generator
        Shuffles.
    train_part : float
        The part to train on, in (0, 1).

    Returns
    -------
    Split
        Inputs (n, 64), the 8x8 pixels in rows, from 0 (white) to 1 (black); labels (n,), 0 to 9.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    References
    ----------
    E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits" (1998), UCI machine learning repository.

    Examples
    --------
    >>> import numpy as np
    >>> digits(np.random.default_rng(0)).x_train.shape
    (1257, 64)
    """
    if not 0 < train_part < 1:
        raise RangeError(f"digits: expected train_part between 0 and 1, got {train_part}")
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise errors.missing_extra("digits", "the data come with scikit-learn") from error
    images, labels = load_digits(return_X_y=True)
    order = rng.permutation(len(images))
    train, test = np.split(order, [int(len(order) * train_part)])
    pixels = images / 16  # whole numbers from 0 to 16
    return Split(pixels[train], labels[train], pixels[test], labels[test])


def signs(labels: Array, classes: int) -> Array:
    """The truth for a hinge loss on one output per class: 1 at the label, -1 elsewhere, (n,) to (n, classes).

    Examples
    --------
    >>> import numpy as np
    >>> signs(np.array([0, 2]), 3)
    array([[ 1., -1., -1.],
           [-1., -1.,  1.]])
    """
    return np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)

"""Data to learn from: circles, digits, MNIST's files, and pictures of digits."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinygrad_np import errors
from tinygrad_np.errors import FileFormatError, MissingFileError, RangeError
from tinygrad_np.files import AnyPath
from tinygrad_np.values import Array

MNIST = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""The names of MNIST's four files; each may end in ``.gz``."""


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


def circles(rng: np.random.Generator, noise: float = 0.0, n: int = 100) -> tuple[Array, Array]:
    """The course's two circles around the origin, of radius 1.1 and 3.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the noise.
    noise : float
        Standard deviation, in units of the plane, of what is added to each coordinate; at least 0.
    n : int
        Points per circle.

    Returns
    -------
    points : array of shape (2n, 2)
    labels : array of shape (2n,)
        1 for the inner circle, 0 for the outer one.

    Examples
    --------
    >>> import numpy as np
    >>> points, labels = circles(np.random.default_rng(0))
    >>> points[100], labels[100].item()
    (array([0., 3.]), 0)
    """
    if not 0 <= noise < np.inf:
        raise RangeError(f"circles: expected noise to be a finite number of at least 0, got {noise}")
    if n < 1:
        raise RangeError(f"circles: expected at least one point per circle, got {n}")
    phi = np.linspace(0, 2 * np.pi, n)
    circle = np.column_stack([np.sin(phi), np.cos(phi)])
    points = np.concatenate([1.1 * circle, 3.0 * circle])
    return points + noise * rng.normal(size=points.shape), np.repeat([1, 0], n)


def mnist(folder: AnyPath) -> Split:
    """Handwritten digits from the four IDX files of MNIST, plain or gzipped.

    Parameters
    ----------
    folder : str or path
        Where the files of `MNIST` are.

    Returns
    -------
    Split
        Inputs (n, 784), float32, the 28x28 pixels in rows from 0 (background) to 1; labels (n,), 0 to 9.

    Raises
    ------
    MissingFileError
        If there is no such file; it names all four.
    FileFormatError
        For a truncated, corrupted or foreign one: file, offset in bytes, what was expected and what came.

    References
    ----------
    Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits" (1998), which describes the
    format.

    Examples
    --------
    >>> mnist("no/such/folder")
    Traceback (most recent call last):
    ...
    tinygrad_np.errors.MissingFileError: mnist: expected train-images-idx3-ubyte ... in 'no/such/folder', ...
    """
    paths = [_find(Path(folder), name) for name in MNIST]
    splits = []
    for images_path, labels_path in (paths[:2], paths[2:]):
        images, labels = _idx(images_path, 3), _idx(labels_path, 1)
        if len(images) != len(labels):
            raise _no_idx(labels_path, 4, f"{len(images)} labels, one per image of {images_path.name}", len(labels))
        if images.shape[1:] != (28, 28):
            raise _no_idx(images_path, 8, "images of 28 x 28 pixels", "{} x {}".format(*images.shape[1:]))
        if len(labels) and labels.max() > 9:
            wrong = int((labels > 9).argmax())
            raise _no_idx(labels_path, 8 + wrong, "a label from 0 to 9", labels[wrong])
        pixels = images.reshape(len(images), -1)
        splits += [np.divide(pixels, 255, dtype=np.float32), labels.astype(np.intp)]
    return Split(*splits)


def _find(folder: Path, name: str) -> Path:
    """The file of this name in a folder, as it is usually spelt, plain or gzipped."""
    spellings = [spelling + end for spelling in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")]
    for spelling in spellings:
        if (folder / spelling).is_file():
            return folder / spelling
    raise MissingFileError(
        f"mnist: expected {name} (or {name}.gz) in {str(folder)!r}, where it is missing; needed are the four files "
        f"{', '.join(MNIST)}"
    )


def _no_idx(path: Path, offset: int, expected: object, got: object) -> FileFormatError:
    return FileFormatError(f"mnist: {str(path)!r}, offset {offset}: expected {expected}, got {got}")


def _idx(path: Path, axes: int) -> Array:
    """The bytes of an IDX file as an array of this many axes. No more is read than its header claims, and one byte."""
    header = 4 * (1 + axes)
    content, wanted, shape = bytearray(), header + 1, ()
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file = gzip.GzipFile(fileobj=raw) if zipped else raw
            while len(content) < wanted and (chunk := file.read1(min(wanted - len(content), 1 << 20))):
                content += chunk
                if not shape and len(content) >= header:
                    shape = tuple(np.frombuffer(content, ">u4", axes, offset=4).tolist())
                    wanted = header + math.prod(shape) + 1
                magic = bytes([0, 0, 8, axes])
                if content[:4] != magic:
                    got = content[:4].hex(" ")
                    raise _no_idx(path, 0, f"{magic.hex(' ')} (an IDX file of bytes with {axes} axes)", got)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise _no_idx(path, len(content), "more gzipped bytes", f"a damaged file ({error})") from error
    what = f"{wanted - 1} bytes in all, for shape {shape}" if shape else f"a header of {header} bytes"
    if len(content) < wanted - 1:
        raise _no_idx(path, len(content), what, "the end of the file")
    if len(content) == wanted and shape:
        raise _no_idx(path, wanted - 1, what, "more of them")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def picture(path: AnyPath, size: int, margin: int = 0) -> Array:
    """A digit in a picture file, as a network that learnt from digits of `size` pixels a side sees it.

    A picture of that size is taken as it is. Of any other the ink is cut out, scaled to what the margin leaves with its
    proportions kept, and placed with its centre of mass in the middle, as far as it fits: so were MNIST's digits made,
    with a margin of 4. Ink may be dark on light or light on dark: the median along the border is the paper.

    Parameters
    ----------
    path : str or path
        Any kind that Pillow reads.
    size, margin : int
        Pixels.

    Returns
    -------
    array of shape (size * size,)
        Pixels in rows, from 0 (paper) to 1 (ink).

    Raises
    ------
    FileFormatError
        If it is no picture, or nothing is drawn on it.
    MissingExtraError
        If Pillow is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> one = np.full((30, 20), 255, np.uint8)
    >>> one[5:25, 9:12] = 0
    >>> Image.fromarray(one).save("one.png")
    >>> picture("one.png", 4).reshape(4, 4)
    array([[0., 0., 1., 0.],
           [0., 0., 1., 0.],
           [0., 0., 1., 0.],
           [0., 0., 1., 0.]])
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise errors.missing_extra("picture", "pictures are read by Pillow") from error
    try:
        with Image.open(path) as file:
            shown = ImageOps.exif_transpose(file).convert("RGBA")
    except (OSError, Image.DecompressionBombError, SyntaxError, EOFError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's, not Pillow's
            raise
        raise FileFormatError(f"picture: expected {str(path)!r} to be a picture; {error}") from error
    paper = Image.new("RGBA", shown.size, "white")  # behind what is transparent
    grey = np.asarray(Image.alpha_composite(paper, shown).convert("L"), np.float64) / 255
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink: Array = np.abs(grey - np.median(border))
    if ink.max() < 0.1:
        raise FileFormatError(f"picture: expected a digit drawn in {str(path)!r}, got an even surface")
    if ink.shape == (size, size):
        return ink.reshape(-1)
    rows, columns = np.nonzero(ink > ink.max() / 4)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    digit = Image.fromarray((ink / ink.max()).astype(np.float32)).crop(box)
    scale = (size - 2 * margin) / max(digit.size)
    width, height = (max(1, round(n * scale)) for n in digit.size)
    small = np.asarray(digit.resize((width, height), Image.Resampling.BOX), np.float64)
    places = []
    for axis, length in enumerate(small.shape):
        mass = small.sum(axis=1 - axis)
        centre = mass @ np.arange(length) / mass.sum()
        first = int(np.clip(round((size - 1) / 2 - centre), 0, size - length))
        places.append(slice(first, first + length))
    seen = np.zeros((size, size))
    seen[tuple(places)] = small
    return seen.reshape(-1)


def select(data: Split, labels: Sequence[int], limit: int = 0) -> Split:
    """The examples of these labels, numbered by their places in `labels`; of the training ones the first `limit`.

    Examples
    --------
    >>> import numpy as np
    >>> data = Split(np.eye(3), np.array([7, 5, 9]), np.eye(3)[:1], np.array([9]))
    >>> select(data, (7, 9)).y_train, select(data, (7, 9), limit=1).x_train
    (array([0, 1]), array([[1., 0., 0.]]))
    """
    parts: list[Array] = []
    for inputs, truth, most in ((data.x_train, data.y_train, limit or None), (data.x_test, data.y_test, None)):
        chosen = np.flatnonzero(np.isin(truth, labels))[:most]
        if not len(chosen):
            raise RangeError(f"select: expected digits of the labels {tuple(labels)} to train and to test, got none")
        parts += [inputs[chosen], (truth[chosen, None] == np.array(labels)).argmax(axis=1)]
    return Split(*parts)


def signs(labels: Array, classes: int) -> Array:
    """The truth for a hinge loss: 1 at the label, -1 elsewhere, (n,) to (n, classes); of two classes the second alone.

    Examples
    --------
    >>> import numpy as np
    >>> signs(np.array([0, 2]), 3)
    array([[ 1., -1., -1.],
           [-1., -1.,  1.]])
    >>> signs(np.array([0, 1]), 2)
    array([[-1.],
           [ 1.]])
    """
    outputs = [1] if classes == 2 else np.arange(classes)
    return np.where(labels[:, None] == outputs, 1.0, -1.0)


def classes(scores: Array) -> Array:
    """What scores say, (n, outputs) to (n,): the largest of several outputs; for one, class 1 where it is above 0.

    Examples
    --------
    >>> import numpy as np
    >>> classes(np.array([[-3.0, -1.0, -2.0]])), classes(np.array([[-1.0], [2.0]]))
    (array([1]), array([0, 1]))
    """
    return scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(np.intp)

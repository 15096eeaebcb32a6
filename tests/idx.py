"""MNIST's four files, written from real digits enlarged to 28x28."""

import gzip
import struct
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from tinygrad_np.datasets import MNIST


def idx(array):
    """An array of bytes in the IDX format."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def arrays(train=400, test=100):
    """Images and labels, to train and to test."""
    digits = load_digits()
    images = np.zeros((train + test, 28, 28), np.uint8)
    large = digits.images[: train + test].repeat(3, axis=1).repeat(3, axis=2)
    images[:, 2:26, 2:26] = np.round(large * 255 / 16)
    labels = digits.target[: train + test].astype(np.uint8)
    return images[:train], labels[:train], images[train:], labels[train:]


def write(folder, zipped=False, **counts):
    """Write the four files; return the folder."""
    Path(folder).mkdir(exist_ok=True)
    for name, array in zip(MNIST, arrays(**counts), strict=True):
        content = idx(array)
        (folder / (f"{name}.gz" if zipped else name)).write_bytes(gzip.compress(content) if zipped else content)
    return folder

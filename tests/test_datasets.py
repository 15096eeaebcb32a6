"""Data sets: what is in them, and what is said of files that are not what they should be."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from tests.idx import arrays, idx, write
from tinygrad_np import datasets
from tinygrad_np.errors import FileFormatError, MissingFileError, RangeError

COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # of the digits 0 to 9


def test_the_split_is_whole_and_without_overlap():
    data = datasets.digits(np.random.default_rng(0), 0.5)
    assert data.x_train.shape == (898, 64)
    assert data.x_test.shape == (899, 64)
    everything = np.concatenate([data.x_train, data.x_test])
    assert (everything.min(), everything.max()) == (0.0, 1.0)
    assert np.bincount(np.concatenate([data.y_train, data.y_test])).tolist() == COUNTS
    with pytest.raises(RangeError, match="train_part between 0 and 1, got 1"):
        datasets.digits(np.random.default_rng(0), 1)


def test_the_circles_are_the_courses():
    points, labels = datasets.circles(np.random.default_rng(0))
    assert points.shape == (200, 2)
    assert labels.tolist() == [1] * 100 + [0] * 100
    np.testing.assert_allclose(np.hypot(*points.T), np.where(labels, 1.1, 3.0))
    np.testing.assert_allclose(points[0], [0, 1.1])
    np.testing.assert_allclose(points[99], [0, 1.1], atol=1e-12)  # the last point is the first, as in the text
    noisy, _ = datasets.circles(np.random.default_rng(0), noise=0.1)
    assert (noisy - points).std() == pytest.approx(0.1, rel=0.1)
    for bad, words in [({"noise": -1}, "noise to be a finite number of at least 0, got -1"), ({"n": 0}, "one point")]:
        with pytest.raises(RangeError, match=words):
            datasets.circles(np.random.default_rng(0), **bad)


def test_selected_labels_are_numbered_by_their_places():
    data = datasets.digits(np.random.default_rng(0))
    some = datasets.select(data, (7, 1), limit=30)
    assert (len(some.y_train), set(some.y_train.tolist())) == (30, {0, 1})
    np.testing.assert_array_equal(some.x_train, data.x_train[np.isin(data.y_train, (1, 7))][:30])
    np.testing.assert_array_equal(some.y_test, (data.y_test == 1)[np.isin(data.y_test, (1, 7))])
    with pytest.raises(RangeError, match=r"expected digits of the labels \(7, 8\) to train and to test, got none"):
        datasets.select(datasets.Split(np.eye(2), np.array([7, 8]), np.eye(2), np.array([1, 2])), (7, 8))


# --- MNIST's files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [False, True])
def test_mnists_files_are_read(tmp_path, zipped):
    data = datasets.mnist(write(tmp_path, zipped))
    x_train, y_train, x_test, y_test = arrays()
    assert data.x_train.shape == (400, 784)
    np.testing.assert_array_equal(np.round(data.x_train * 255), x_train.reshape(400, 784))
    np.testing.assert_array_equal(np.round(data.x_test * 255), x_test.reshape(100, 784))
    np.testing.assert_array_equal(data.y_train, y_train)
    np.testing.assert_array_equal(data.y_test, y_test)
    assert data.x_train.dtype == np.float32


def test_other_spellings_and_a_wrong_ending_are_read(tmp_path):
    write(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").rename(tmp_path / "train-images.idx3-ubyte")
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    labels.write_bytes(gzip.compress(labels.read_bytes()))  # zipped, and not named so
    assert datasets.mnist(tmp_path).y_test.shape == (100,)


def test_missing_files_are_named_all_four(tmp_path):
    write(tmp_path)
    (tmp_path / datasets.MNIST[2]).unlink()
    with pytest.raises(MissingFileError, match=r"expected t10k-images-idx3-ubyte \(or .*\.gz\) in '.*'") as caught:
        datasets.mnist(tmp_path)
    assert all(name in str(caught.value) for name in datasets.MNIST)
    assert isinstance(caught.value, FileNotFoundError)


GOOD = idx(np.arange(10, dtype=np.uint8).repeat(40))  # 400 labels


def zipped(content):
    return gzip.compress(content, mtime=0)  # the same bytes in every process


@pytest.mark.parametrize(
    ("name", "content", "offset", "words"),
    [
        (0, b"", 0, "expected a header of 16 bytes, got the end of the file"),
        (0, b"\0\0\x08\x03\0\0", 6, "expected a header of 16 bytes, got the end of the file"),
        (0, b"\x89PNG\r\n\x1a\n", 0, r"expected 00 00 08 03 \(an IDX file of bytes with 3 axes\), got 89 50 4e 47"),
        (0, GOOD, 0, "expected 00 00 08 03 .*, got 00 00 08 01"),
        (0, b"\0\0\x08\x03" + struct.pack(">3I", 60000, 28, 28) + bytes(99), 115, "47040016 bytes in all, for shape"),
        (0, b"\0\0\x08\x03" + struct.pack(">3I", *[2**32 - 1] * 3), 16, "got the end of the file"),
        (0, b"\0\0\x08\x03" + struct.pack(">3I", 400, 8, 8) + bytes(25600), 8, "expected images of 28 x 28 .* 8 x 8"),
        (1, GOOD[:-1], 407, r"expected 408 bytes in all, for shape \(400,\), got the end of the file"),
        (1, GOOD + b"!", 408, r"expected 408 bytes in all, for shape \(400,\), got more of them"),
        (1, GOOD[:8] + b"\x0c" * 400, 8, "expected a label from 0 to 9, got 12"),
        (1, idx(np.zeros(3, np.uint8)), 4, "expected 400 labels, one per image of train-images-idx3-ubyte, got 3"),
        (1, zipped(GOOD)[:-8], 408, "expected more gzipped bytes, got a damaged file"),
        (1, zipped(GOOD)[:20] + b"????" + zipped(GOOD)[24:], None, "got a damaged file"),
        (1, zipped(GOOD[:100]), 100, "expected 408 bytes in all"),
    ],
)
def test_damaged_and_foreign_files_say_where(tmp_path, name, content, offset, words):
    path = write(tmp_path) / datasets.MNIST[name]
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(FileFormatError, match=words) as caught:
        datasets.mnist(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value).startswith(f"mnist: {str(path)!r}, offset {'' if offset is None else f'{offset}:'}")
    assert peak < 5e6


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def three():
    """A real digit: pixels (8, 8) from 0 to 1."""
    return datasets.digits(np.random.default_rng(0)).x_test[5].reshape(8, 8)


def dark(pixels):
    return np.round(255 * (1 - pixels)).astype(np.uint8)


@pytest.mark.parametrize(
    "make",
    [
        lambda a: Image.fromarray(dark(a)),
        lambda a: Image.fromarray(255 - dark(a)),
        lambda a: Image.fromarray(dark(a)).convert("RGB"),
        lambda a: Image.fromarray(dark(a)).convert("P"),
        lambda a: Image.fromarray(np.dstack([np.zeros((8, 8, 3), np.uint8), 255 - dark(a)])),  # transparent paper
    ],
    ids=["dark on light", "light on dark", "colours", "palette", "transparent"],
)
def test_a_picture_of_the_networks_size_is_taken_as_it_is(tmp_path, three, make):
    make(three).save(tmp_path / "3.png")
    np.testing.assert_allclose(datasets.picture(tmp_path / "3.png", 8), three.ravel(), atol=0.01)


def test_a_larger_picture_is_cut_and_scaled(tmp_path, three):
    large = Image.new("L", (300, 400), 240)
    large.paste(Image.fromarray(np.uint8(240 * (1 - three))).resize((80, 80), Image.Resampling.NEAREST), (37, 200))
    large.save(tmp_path / "3.png")
    rows = np.flatnonzero((three > three.max() / 4).any(axis=1))
    assert (rows[0], rows[-1]) == (0, 7)  # this one fills its height
    found = datasets.picture(tmp_path / "3.png", 8).reshape(8, 8)
    shifts = [np.abs(np.roll(three, shift, axis=1) - found).max() for shift in (-1, 0, 1)]
    assert min(shifts) < 0.3
    margin = datasets.picture(tmp_path / "3.png", 28, 4).reshape(28, 28)
    assert margin[:4].max() == margin[-4:].max() == 0.0
    assert margin[4].max() > 0.2
    assert np.average(np.arange(28), weights=margin.sum(axis=0)) == pytest.approx(13.5, abs=0.51)


def test_a_line_keeps_one_pixel(tmp_path):
    line = np.full((500, 40), 255, np.uint8)
    line[10:490, 20] = 0
    Image.fromarray(line).save(tmp_path / "1.png")
    found = datasets.picture(tmp_path / "1.png", 8).reshape(8, 8)
    assert (found > 0).sum() == 8
    assert found.max() == 1.0


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (lambda p: p.write_bytes(b"hello"), FileFormatError, "expected '.*x.png' to be a picture; cannot identify"),
        (
            lambda p: Image.new("L", (50, 50), 77).save(p),
            FileFormatError,
            "a digit drawn in '.*x.png', got an even surf",
        ),
        (lambda p: p.mkdir(), OSError, "directory"),
        (lambda p: None, FileNotFoundError, "No such file"),
    ],
)
def test_what_is_no_picture_of_a_digit_is_refused(tmp_path, content, error, words):
    content(tmp_path / "x.png")
    with pytest.raises(error, match=words):
        datasets.picture(tmp_path / "x.png", 8)


def test_a_truncated_picture_is_refused(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8)).save(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes((tmp_path / "x.png").read_bytes()[:1500])
    with pytest.raises(FileFormatError, match=r"expected '.*x\.png' to be a picture"):
        datasets.picture(tmp_path / "x.png", 8)

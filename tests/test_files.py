"""Arrays in files come back bit for bit, or the error says what is wrong with the file."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_np as tg
from tinygrad_np import files, nn
from tinygrad_np.errors import ArgumentError, DtypeError, FileFormatError, MutationError, ShapeError

ODD = np.array([np.nan, -np.nan, -0.0, 5e-324, np.inf, -np.inf, 1e-310])
NAMES = st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="/\\:"), min_size=1, max_size=5)
DTYPES = st.one_of(
    hnp.scalar_dtypes(),
    hnp.unicode_string_dtypes(),
    hnp.byte_string_dtypes(),
    hnp.array_dtypes(hnp.scalar_dtypes(), max_size=3),
)


def same(a, b):
    """Whether two arrays are the same to the last bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@given(
    st.dictionaries(
        NAMES.filter(lambda n: n not in (".", "..")),
        hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, min_side=0)),
        max_size=3,
    )
)
def test_what_is_saved_is_loaded_bit_for_bit(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("files") / "arrays.npz"
    tg.save(path, arrays)
    found = tg.load(path)
    assert list(found) == list(arrays)
    assert all(same(found[name], arrays[name]) for name in arrays)
    with np.load(path, allow_pickle=False) as theirs:
        assert all(same(theirs[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", ">f8", "g", "c16", "?", "i1", ">u8", "M8[ns]", "S3", "V5"])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_every_dtype_and_layout(tmp_path, dtype, layout):
    a = np.frombuffer(np.random.default_rng(0).bytes(np.dtype(dtype).itemsize * 24), dtype).reshape(4, 6)
    a = a[::-1, ::2] if layout == "strided" else np.array(a, order=layout)
    tg.save(tmp_path / "a.npz", {"a": a})
    assert same(tg.load(tmp_path / "a.npz")["a"], a)


def test_odd_numbers_tensors_and_strange_names(tmp_path):
    arrays = {"nan": ODD, "file": ODD.astype(np.float32), "w.npy": np.float64(-0.0), "größe 0.W": tg.tensor([1.0])}
    tg.save(str(tmp_path / "odd"), arrays)  # the path as it is: no suffix is added
    found = tg.load(tmp_path / "odd")
    assert found.keys() == arrays.keys()
    assert same(found["nan"], ODD)
    assert same(found["file"], ODD.astype(np.float32))
    assert found["w.npy"].shape == ()
    found["nan"][0] = 1.0  # an array of the caller's own


def test_the_same_arrays_make_the_same_bytes(tmp_path):
    tg.save(tmp_path / "a.npz", {"a": ODD})
    tg.save(tmp_path / "b.npz", {"a": ODD})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_numpys_own_files_are_read(tmp_path):
    zeros = np.zeros((300, 300))
    np.savez(tmp_path / "a.npz", a=ODD, zeros=zeros)
    np.savez_compressed(tmp_path / "b.npz", a=ODD, zeros=zeros)
    for name in ("a.npz", "b.npz"):
        found = tg.load(tmp_path / name)
        assert same(found["a"], ODD)
        assert same(found["zeros"], zeros)


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ([ODD], ArgumentError, "expected arrays by name, as .'W': array., got a list"),
        ({1: ODD}, ArgumentError, "expected a name that is no path, got 1: it is a int"),
        ({"": ODD}, ArgumentError, "it is empty"),
        ({"a\0b": ODD}, ArgumentError, "not printable"),
        ({"\ud800": ODD}, ArgumentError, "not printable"),
        ({"..": ODD}, ArgumentError, "it is a path"),
        ({"../a": ODD}, ArgumentError, r"got '../a': it is a path"),
        ({"a\\b": ODD}, ArgumentError, "it is a path"),
        ({"C:a": ODD}, ArgumentError, "it is a path"),
        (
            {"a": ODD, "o": np.array([None])},
            DtypeError,
            r"expected 'o' to be of a dtype that .npz files keep, got dtype",
        ),
        ({"a": np.array([(1, None)], "i4,O")}, DtypeError, "convert it"),
        ({"a": np.array(["x"], np.dtypes.StringDType())}, DtypeError, "StringDType"),
        ({"a": np.zeros(2, np.dtype("f8", metadata={"unit": "m"}))}, DtypeError, "that .npz files keep"),
        ({"a": np.ma.masked_array([1.0], [True])}, DtypeError, "masked"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_the_old_file_stays(tmp_path, arrays, error, words):
    path = tmp_path / "a.npz"
    tg.save(path, {"old": ODD})
    with pytest.raises((error, ArgumentError), match=words):
        tg.save(path, arrays)
    assert same(tg.load(path)["old"], ODD)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_an_interrupted_writer_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    tg.save(path, {"old": ODD})

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.npy, "write_array", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tg.save(path, {"new": ODD})
    assert same(tg.load(path)["old"], ODD)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_a_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.npz").symlink_to(tmp_path / "real" / "a.npz")
    tg.save(tmp_path / "link.npz", {"a": ODD})
    assert (tmp_path / "link.npz").is_symlink()
    assert same(tg.load(tmp_path / "real" / "a.npz")["a"], ODD)


# --- damaged and foreign files ----------------------------------------------------------------------------------------


def archive(*members, compression=zipfile.ZIP_STORED):
    """The bytes of a zip file of (name, bytes)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, content in members:
            made.writestr(zipfile.ZipInfo(name) if compression == zipfile.ZIP_STORED else name, content)
    return file.getvalue()


def member(array, **keywords):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **keywords)
    return file.getvalue()


def header(text, version=1):
    """An array's bytes with a header of this text, and 16 bytes of entries."""
    width = "<H" if version == 1 else "<I"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(width, len(text)) + text.encode() + bytes(16)


GOOD = archive(("a.npy", member(ODD)), ("b.npy", member(np.arange(6.0).reshape(2, 3))))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: b"", "it is empty"),
        (lambda: b"\x89PNG\r\n\x1a\n", r"starts with b'\\x89PNG', which is another kind of file"),
        (lambda: member(ODD), "another kind of file"),
        (lambda: GOOD[:200], "its end is missing: it is truncated"),
        (lambda: GOOD.replace(ODD.tobytes()[:8], bytes(8)), r"it is damaged \(Bad CRC-32"),
        (lambda: archive(("a.npy", member(np.array([None])))), "'a' is an array of objects, which are never read"),
        (lambda: archive(("a.npy", member(ODD)), ("a.npy", member(ODD))), "it holds 'a' twice"),
        (lambda: archive(("../a.npy", member(ODD))), r"an array by the name of '\.\./a': it is a path"),
        (lambda: archive(("/etc/a.npy", member(ODD))), "it is a path"),
        (lambda: archive((".npy", member(ODD))), "it is empty"),
        (lambda: archive(("a.txt", b"hello")), "it holds 'a.txt', which is no array"),
        (lambda: archive(("a.npy", b"hello, world")), "it is damaged"),
        (
            lambda: archive(("a.npy", member(ODD) + b"more")),
            "the header of 'a' claims 184 bytes in all, the archive has 188",
        ),
        (lambda: archive(("a.npy", member(ODD)[:-8])), "claims 184 bytes in all, the archive has 176"),
        (lambda: archive(("a.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**12,)}"))), "damaged"),
        (
            lambda: archive(("a.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"))),
            "the header of 'a' claims 8000000000077 bytes in all, the archive has 93",
        ),
        (
            lambda: archive(
                ("a.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}", 3)),
                compression=zipfile.ZIP_DEFLATED,
            ),
            "claims 8000000000079 bytes",
        ),
        (lambda: archive(("a.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}"))), "length -2"),
        (lambda: archive(("a.npy", header("{'descr': 'spam', 'fortran_order': False, 'shape': (2,)}"))), "damaged"),
        (lambda: archive(("a.npy", header("{'shape': (2,)}"))), "damaged"),
        (lambda: archive(("a.npy", header("(" * 5000))), "damaged"),
        (lambda: archive(("a.npy", header(" " * 20_000))), "a header of 20000 bytes"),
    ],
)
def test_damaged_and_foreign_files_are_refused_by_name(tmp_path, content, words):
    path = tmp_path / "model.npz"
    path.write_bytes(content())
    with pytest.raises(FileFormatError, match=words) as caught:
        tg.load(path)
    assert f"load: expected '{path}' to be a .npz file of arrays" in str(caught.value)


def test_a_directory_that_lies_too_takes_no_memory(tmp_path):
    """The header claims 2 GB, and the archive's directory agrees with it."""
    entries = 250_000_000
    content = header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({entries},)}}")
    claimed = len(content) - 16 + 8 * entries
    small = archive(("a.npy", content), compression=zipfile.ZIP_DEFLATED)
    path = tmp_path / "a.npz"
    path.write_bytes(small.replace(struct.pack("<I", len(content)), struct.pack("<I", claimed)))
    tracemalloc.start()
    with pytest.raises(FileFormatError, match=f"claims {claimed} bytes in all, the archive has at most"):
        tg.load(path)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
@example(548, 1)
def test_a_changed_byte_is_an_error_or_changes_nothing(tmp_path_factory, place, change):
    damaged = bytearray(GOOD)
    damaged[place] ^= change
    path = tmp_path_factory.mktemp("files") / "a.npz"
    path.write_bytes(damaged)
    try:
        found = tg.load(path)
    except FileFormatError:
        return
    assert same(found["a"], ODD)
    assert same(found["b"], np.arange(6.0).reshape(2, 3))


@given(st.integers(0, len(GOOD) - 1))
def test_a_truncated_file_is_an_error(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("files") / "a.npz"
    path.write_bytes(GOOD[:length])
    with pytest.raises(FileFormatError):
        tg.load(path)


def test_a_missing_file_is_pythons_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        tg.load(tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError):
        tg.save(tmp_path / "none" / "a.npz", {"a": ODD})


# --- layers -----------------------------------------------------------------------------------------------------------


def network(seed=0, dtype=np.float64, width=4):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Dense(3, width, rng=rng, dtype=dtype), nn.ReLU(), nn.Dense(width, 2, rng=rng, dtype=dtype))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_layer_saves_and_loads_itself(tmp_path, dtype):
    one, two = network(0, dtype), network(1, dtype)
    memory = [w.numpy() for w in two.parameters()]
    one.save(tmp_path / "net.npz")
    assert two.load(tmp_path / "net.npz") is two
    for a, b, m in zip(one.parameters(), two.parameters(), memory, strict=True):
        assert same(a.numpy(), b.numpy())
        assert np.shares_memory(b.numpy(), m)  # in place: an optimizer holds on to it


def test_a_state_is_a_copy_that_can_be_put_back():
    net = network()
    best = net.state()
    before = {name: a.copy() for name, a in best.items()}
    tg.optim.SGD(net.parameters(), lr=0.0, weight_decay=0.5)
    for w in net.parameters():
        w.data = w.data + 1
    assert list(best) == ["0.W", "0.b", "2.W", "2.b"]
    assert all(same(best[name], before[name]) for name in best)
    net.load_state(best)
    assert all(same(net.state()[name], before[name]) for name in best)
    swapped = nn.Sequential(nn.Dense(2, 2), nn.Dense(2, 2))
    first, second = (layer.W.numpy().copy() for layer in swapped)
    views = {name: w.data for name, w in swapped.named_parameters()}
    swapped.load_state(views | {"0.W": views["1.W"], "1.W": views["0.W"]})
    assert same(swapped[0].W.numpy(), second)
    assert same(swapped[1].W.numpy(), first)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            lambda s: s.pop("2.b"),
            ArgumentError,
            "load_state: expected the arrays .*; missing '2.b', not expected nothing",
        ),
        (lambda s: s.update({"3.W": ODD}), ArgumentError, "missing nothing, not expected '3.W'"),
        (lambda s: s.update({"2.b": ODD}), ShapeError, r"expected '2.b' to be float64 \(2,\), got float64 \(7,\)"),
        (lambda s: s.update({"2.b": np.zeros(2, "f4")}), DtypeError, r"got float32 \(2,\); is it the state of another"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, error, words):
    net, state = network(), network(1).state()
    before = net.state()
    change(state)
    with pytest.raises(error, match=words):
        net.load_state(state)
    assert all(same(net.state()[name], before[name]) for name in before)


def test_a_state_is_refused_where_a_parameter_cannot_be_written():
    frozen = np.zeros(2)
    frozen.flags.writeable = False

    class Pair(nn.Layer):
        def __init__(self):
            self.a = tg.tensor([1.0], requires_grad=True)
            self.b = tg.from_numpy(frozen, requires_grad=True)

    pair = Pair()
    with pytest.raises(MutationError, match="read-only"):
        pair.load_state({"a": np.array([5.0]), "b": np.ones(2)})
    assert pair.a.tolist() == [1.0]
    with pytest.raises(ArgumentError, match="expected arrays by name, as state\\(\\) returns, got a list"):
        pair.load_state([1])


def test_two_parameters_of_one_name_cannot_be_saved():
    class Clash(nn.Layer):
        def __init__(self):
            self.parts = {"x.y": tg.tensor(1.0, requires_grad=True), "x": {"y": tg.tensor(2.0, requires_grad=True)}}

    with pytest.raises(ArgumentError, match=r"Clash: expected parameters of different names, got 'parts.x.y' twice"):
        Clash().state()


def test_a_file_of_big_endian_parameters_is_loaded(tmp_path):
    net = network()
    tg.save(tmp_path / "net.npz", {name: a.astype(">f8") for name, a in net.state().items()})
    assert all(same(a, net.state()[name]) for name, a in network(1).load(tmp_path / "net.npz").state().items())

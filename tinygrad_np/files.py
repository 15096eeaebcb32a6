"""Arrays by name in a file (``.npz``): bit for bit, never a pickle, and never half-written."""

from __future__ import annotations

import ast
import errno
import os
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from tinygrad_np import errors
from tinygrad_np.errors import ArgumentError, DtypeError, FileFormatError, ShapeError
from tinygrad_np.values import Array, Value, plain

if TYPE_CHECKING:  # imported where used: together they would take as long as the package
    from pathlib import Path
    from zipfile import ZipFile, ZipInfo

AnyPath = str | os.PathLike[str]

_LONGEST_HEADER = 10_000  # bytes, as numpy.load allows
_DEFLATE = 1032  # bytes that one byte of a deflated file can stand for, at most


@contextmanager
def replacing(path: AnyPath) -> Iterator[Path]:
    """A path to write a file at, which takes the place of the one at `path` once it is whole; if not, it is removed.

    Examples
    --------
    >>> from pathlib import Path
    >>> with replacing("notes.txt") as part:
    ...     part.write_text("all of it")
    9
    >>> Path("notes.txt").read_text()
    'all of it'
    """
    import tempfile
    from pathlib import Path

    path = Path(path).resolve()  # a link stays, and what it leads to is replaced
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
        part = Path(folder) / path.name
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)


def save(path: AnyPath, arrays: Mapping[str, Any]) -> None:
    """Write arrays into a file, from which `load` and ``numpy.load`` read them bit for bit.

    The file appears at `path`, which is taken as it is, once it is whole; one that was there is replaced by it.

    Parameters
    ----------
    path : str or path
    arrays : mapping of str to array or Tensor
        Of any dtype but objects. A name may not be a path, as it becomes a file's name in the archive.

    Raises
    ------
    ArgumentError
        If `arrays` is no mapping, or a name is no string, is empty or is a path.
    DtypeError
        For objects, masked arrays, and dtypes that the format does not keep.

    References
    ----------
    NumPy, "NPY format" (numpy.lib.format); a ``.npz`` file is a zip archive of such files.

    Examples
    --------
    >>> import numpy as np
    >>> save("model.npz", {"W": np.array([1.5, -0.0]), "b": np.float32(3)})
    >>> load("model.npz")
    {'W': array([ 1.5, -0. ]), 'b': array(3., dtype=float32)}
    """
    import zipfile

    if not isinstance(arrays, Mapping):
        raise ArgumentError(f"save: expected arrays by name, as {{'W': array}}, got a {type(arrays).__name__}")
    for name in arrays:
        if (fault := _fault(name)) is not None:
            raise ArgumentError(f"save: expected a name that is no path, got {name!r}: {fault}")
    found = {name: _savable(name, value) for name, value in arrays.items()}
    with replacing(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name, array in found.items():
            version = None if repr(array.dtype).isascii() else (3, 0)  # fields with names beyond ASCII
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:  # no date: same bits
                npy.write_array(member, array, version, allow_pickle=False)


def load(path: AnyPath) -> dict[str, Array]:
    """Read the arrays of a file that `save` or ``numpy.savez`` wrote. All is checked before memory is taken for any.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict of str to array

    Raises
    ------
    FileFormatError
        If it is another kind of file, is truncated or corrupted, holds objects, a name twice or one that is a path, or
        claims to hold more than it does.

    Examples
    --------
    >>> save("model.npz", {"W": [1, 2]})
    >>> load("model.npz")["W"]
    array([1, 2])
    """
    import zipfile
    from pathlib import Path

    path = Path(path)
    with path.open("rb") as file:
        start, size = file.read(4), file.seek(0, os.SEEK_END)
        try:
            with zipfile.ZipFile(file) as archive:
                members = _checked(path, archive, size)
                return {name: _read(path, archive, info) for name, info in members.items()}
        except FileFormatError:
            raise
        except OSError as error:
            if error.errno != errno.EINVAL:  # the disk's; that one is of a place outside of the file
                raise
            raise _broken(path, "it is damaged (its directory points outside of the file)") from error
        except (zipfile.BadZipFile, *_BROKEN) as error:
            what = f"it is damaged ({error})"
            if isinstance(error, zipfile.BadZipFile) and start[:2] != b"PK":
                what = f"it starts with {start!r}, which is another kind of file" if start else "it is empty"
            elif isinstance(error, zipfile.BadZipFile) and "not a zip file" in str(error):
                what = "it starts as one, but its end is missing: it is truncated"
            raise _broken(path, what) from error


def matching(op: str, own: Mapping[str, Array], arrays: Mapping[str, Any]) -> dict[str, Array]:
    """Copies of arrays that are to be written over `own`: refused unless names, shapes and dtypes are the same.

    Examples
    --------
    >>> import numpy as np
    >>> matching("load_state", {"w": np.zeros(2)}, {"w": np.ones(2)})
    {'w': array([1., 1.])}
    """
    if not isinstance(arrays, Mapping):
        raise ArgumentError(f"{op}: expected arrays by name, as state() returns, got a {type(arrays).__name__}")
    if arrays.keys() != own.keys():
        raise ArgumentError(
            f"{op}: expected the arrays {errors.names(own)}; missing {errors.names(own.keys() - arrays.keys())}, "
            f"not expected {errors.names(map(str, arrays.keys() - own.keys()))}"
        )
    found = {name: np.array(value._array if isinstance(value, Value) else value) for name, value in arrays.items()}
    for name, array in own.items():
        got = found[name]
        if got.shape != array.shape or got.dtype.newbyteorder("=") != array.dtype:
            raise (ShapeError if got.shape != array.shape else DtypeError)(
                f"{op}: expected {name!r} to be {array.dtype} {array.shape}, got {got.dtype} {got.shape}; is it the "
                "state of another model?"
            )
    return found


# --- what a file may hold ---------------------------------------------------------------------------------------------

_BROKEN = (
    *(zlib.error, EOFError, NotImplementedError, RuntimeError),  # the archive
    *(ValueError, TypeError, KeyError, IndexError, SyntaxError, OverflowError, MemoryError),  # a header
)
"""What the readers of archives and of headers raise for damaged ones, beside BadZipFile."""


def _broken(path: Path, what: str) -> FileFormatError:
    return FileFormatError(f"load: expected {str(path)!r} to be a .npz file of arrays, as save() writes; {what}")


def _fault(name: Any) -> str | None:
    """What is wrong with a name, if anything is: it becomes a file's name where somebody unpacks the archive."""
    if not isinstance(name, str):
        return f"it is a {type(name).__name__}"
    if not name.isprintable() or name.strip() == "":
        return "it is empty, or has characters that are not printable"
    if name in (".", "..") or "/" in name or "\\" in name or name[1:2] == ":":
        return "it is a path"
    return None


def _savable(name: str, value: Any) -> Array:
    """A value as an array whose dtype the format keeps."""
    array = value._array if isinstance(value, Value) else plain("save", value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy's word for "this will be lost"
            description = npy.dtype_to_descr(array.dtype)
            kept = npy.descr_to_dtype(description) == array.dtype and len(repr(description)) < _LONGEST_HEADER // 2
    except (UserWarning, ValueError, TypeError):
        kept = False
    if not kept or array.dtype.hasobject:
        raise DtypeError(
            f"save: expected {name!r} to be of a dtype that .npz files keep, got {array.dtype!r:.100}; convert it, as "
            "with astype(float)"
        )
    return array


def _checked(path: Path, archive: ZipFile, size: int) -> dict[str, ZipInfo]:
    """The archive's members by the names of their arrays, if all of them are what they claim."""
    members: dict[str, ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename:
            raise _broken(path, f"it holds {name!r}, which is no array")
        if (fault := _fault(name)) is not None:
            raise _broken(path, f"it holds an array by the name of {name!r}: {fault}")
        if name in members:
            raise _broken(path, f"it holds {name!r} twice")
        members[name] = info
    if sum(info.compress_size for info in members.values()) > size:
        raise _broken(path, f"its directory claims more than its {size} bytes")
    for name, info in members.items():
        most = info.compress_size * (_DEFLATE if info.compress_type else 1)
        with archive.open(info) as member:
            dtype, needed = _header(member)
        if dtype.hasobject:
            raise _broken(path, f"{name!r} is an array of objects, which are never read")
        if needed != info.file_size or needed > most:
            has = f"at most {most}" if most < info.file_size else info.file_size
            raise _broken(path, f"the header of {name!r} claims {needed} bytes in all, the archive has {has}")
    return members


def _header(member: IO[bytes]) -> tuple[np.dtype[Any], int]:
    """An array's dtype, and the bytes that it takes with its header, from the header alone."""
    major, _ = npy.read_magic(member)
    width = 2 if major == 1 else 4
    length = int.from_bytes(member.read(width), "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    text = member.read(length).decode("utf-8" if major == 3 else "latin1")
    header = ast.literal_eval(text)
    dtype = npy.descr_to_dtype(header["descr"])
    entries = 1
    for n in header["shape"]:
        if type(n) is not int or n < 0:
            raise ValueError(f"an axis of length {n!r}")
        entries *= n
    return dtype, npy.MAGIC_LEN + width + length + entries * dtype.itemsize


def _read(path: Path, archive: ZipFile, info: ZipInfo) -> Array:
    with archive.open(info) as member:
        array: Array = npy.read_array(member, allow_pickle=False)
        if member.read(1):  # asks for the end, where the checksum is compared
            raise _broken(path, f"{info.filename!r} goes on after its last entry")
    return array

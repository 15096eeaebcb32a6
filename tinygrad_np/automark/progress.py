"""Who has completed what: the course's table, kept in a SQLite file that forgets nothing."""

from __future__ import annotations

import operator
import os
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_np.automark.tasks import GRADED
from tinygrad_np.errors import ArgumentError, RangeError, TinygradError

if TYPE_CHECKING:  # imported where used: most who import the package record nothing
    from sqlite3 import Connection, DatabaseError

STATUSES = ("not attempted", "attempted", "completed")

LONGEST = 256
"""How many characters a username, a name or a mail address may have."""

_MARK = 0x74676E70  # "tgnp": the application id of our files, so that no other program's is taken for one
_VERSION = 1  # of the tables below

_TABLES = (
    "CREATE TABLE students (username TEXT PRIMARY KEY, name TEXT NOT NULL, mail TEXT NOT NULL)",
    "CREATE TABLE statuses (username TEXT NOT NULL, function TEXT NOT NULL, status TEXT NOT NULL, seed TEXT, "
    "PRIMARY KEY (username, function))",  # a seed is text: it may have more bits than SQLite's integers
    f"PRAGMA application_id = {_MARK}",
    f"PRAGMA user_version = {_VERSION}",
)
_REGISTER = (
    "INSERT INTO students (username, name, mail) VALUES (?, ?, ?) "
    "ON CONFLICT (username) DO UPDATE SET name = excluded.name, mail = excluded.mail"
)
_RECORD = (
    "INSERT INTO statuses (username, function, status, seed) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (username, function) DO UPDATE SET status = excluded.status, seed = excluded.seed "
    "WHERE excluded.status = 'completed' OR statuses.status = 'attempted'"
)


class ProgressError(TinygradError, RuntimeError):
    """Progress could not be written, and nothing of it was; or it could not be read.

    Examples
    --------
    >>> try:
    ...     Progress("no/such/folder/automark.sqlite").record("s123", "relu_forward", "completed", seed=1)
    ... except ProgressError:
    ...     print("not recorded")
    not recorded
    """


class Progress:
    """The statuses of all students, in a SQLite file.

    A username needs no registering. Any number of processes may use the same file at once. A file that is damaged is
    renamed to ``automark.sqlite.corrupt-1`` (or the next free number) with a warning, and a new one is begun.

    Parameters
    ----------
    path
        Of the file. Without it, what the environment variable TINYGRAD_AUTOMARK_DB says, or ``automark.sqlite`` in the
        current directory. It may be set later, too.
    patience
        How many seconds to wait while another process is writing.

    Examples
    --------
    >>> progress = Progress("automark.sqlite")
    >>> progress.record("s123", "relu_forward", "completed", seed=1)
    >>> progress.record("s123", "relu_forward", "attempted", seed=2)  # is not taken back
    >>> progress.statuses("s123")["relu_forward"]
    'completed'
    >>> print(progress.table("s123"))  # doctest: +ELLIPSIS
    ---------------------------------------------
    | s123                                      |
    | -                                         |
    ---------------------------------------------
    | box_blur                 | not attempted  |
    ...
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, patience: float = 10.0) -> None:
        self.path, self.patience = path, patience

    @property
    def file(self) -> Path:
        """Where the file is, or will be."""
        return Path(self.path or os.environ.get("TINYGRAD_AUTOMARK_DB") or "automark.sqlite").expanduser().resolve()

    def register(self, username: Any, name: str, mail: str) -> None:
        """Give a username the name and the mail address of its table, or new ones.

        Raises
        ------
        ProgressError
            If they could not be written.
        """
        self._write(_REGISTER, user(username), _text("name", name), _text("mail", mail))

    def record(self, username: Any, function: str, status: str, seed: int | None = None) -> None:
        """Note that a function was attempted or is completed; what is completed stays so.

        The seed is stored with the status that it led to.

        Raises
        ------
        ProgressError
            If it was not recorded.
        """
        if function not in GRADED:
            raise RangeError(f"record: expected one of the functions {', '.join(GRADED)}; got {function!r}")
        if status not in STATUSES[1:]:
            raise RangeError(f"record: expected a status 'attempted' or 'completed', got {status!r}")
        self._write(_RECORD, user(username), function, status, None if seed is None else str(operator.index(seed)))

    def statuses(self, username: Any) -> dict[str, str]:
        """The status of each function, in the table's order.

        Raises
        ------
        ProgressError
            If there is a file that could not be read.
        """
        found = dict(self._read("SELECT function, status FROM statuses WHERE username = ?", user(username)))
        return {function: found.get(function, STATUSES[0]) for function in GRADED}

    def seeds(self, username: Any) -> dict[str, int]:
        """The seed of the run that each recorded status comes from."""
        found = self._read("SELECT function, seed FROM statuses WHERE username = ?", user(username))
        return {function: int(seed) for function, seed in found if seed is not None}

    def table(self, username: Any) -> str:
        """The course's table."""
        username = user(username)
        registered = self._read("SELECT name, mail FROM students WHERE username = ?", username)
        ((name, mail),) = registered or [(username, "-")]
        rule = 45 * "-"
        rows = (f"| {_fitted(f, 24)} | {_fitted(status, 14)} |" for f, status in self.statuses(username).items())
        return "\n".join([rule, f"| {_fitted(name, 41)} |", f"| {_fitted(mail, 41)} |", rule, *rows, rule])

    # --- the file -----------------------------------------------------------------------------------------------------

    def _write(self, statement: str, *values: str | None) -> None:
        self._run(statement, values, "write")

    def _read(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        try:
            there = self.file.exists()
        except OSError as error:
            raise _failure("read", self.file, error) from error
        return self._run(statement, values, "read") if there else []

    def _run(self, statement: str, values: tuple[str | None, ...], what: str) -> list[tuple[Any, ...]]:
        """The rows of a statement, in a transaction of its own; on a new file if the one that is there is damaged."""
        path, aside = self.file, None
        try:
            import sqlite3
        except ImportError as error:  # a Python that was built without it
            raise _failure(what, path, error) from error
        try:
            try:
                return _transaction(path, self.patience, statement, values, what)
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise
            aside = _set_aside(path, self.patience)
            return _transaction(path, self.patience, statement, values, what)
        except (sqlite3.Error, OSError) as error:
            raise _failure(what, path, error) from error
        finally:
            if aside is not None:
                warnings.warn(
                    f"progress: {str(path)!r} was damaged, or no SQLite file; it is now {aside.name!r}, and a new one "
                    "is begun",
                    stacklevel=4,
                )


def user(username: Any) -> str:
    """A username as text: a student number may be an int.

    Examples
    --------
    >>> user(123)
    '123'
    """
    if not isinstance(username, bool):
        with suppress(TypeError, ValueError):  # no int, or one of thousands of digits
            username = str(operator.index(username))
    return _text("username", username)


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ArgumentError(f"progress: expected a {what} in quotes, as 's123', got one of type {type(value).__name__}")
    if not value.isprintable():
        raise RangeError(f"progress: expected a {what} of letters, digits and signs; got {value[:LONGEST]!r}")
    text = unicodedata.normalize("NFC", value).strip()
    if not 1 <= len(text) <= LONGEST:
        raise RangeError(f"progress: expected a {what} of 1 to {LONGEST} characters, got {len(text)}")
    return text


def _width(text: str) -> int:
    """The columns that a text takes on a screen."""
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _fitted(text: str, columns: int) -> str:
    """A text in so many columns, shortened if it is longer."""
    if _width(text) > columns:
        while _width(text) > columns - 3:
            text = text[:-1]
        text += "..."
    return text + " " * (columns - _width(text))


def _transaction(
    path: Path, patience: float, statement: str, values: tuple[str | None, ...], what: str
) -> list[tuple[Any, ...]]:
    """Run a statement as a whole or, whatever happens, not at all."""
    with (
        _guard(path, patience, what),
        closing(_connect(path, patience)) as connection,  # which undoes what was not committed
    ):
        if what == "write":
            connection.execute("PRAGMA journal_mode = DELETE")  # other kinds need memory that is shared
        connection.execute("BEGIN IMMEDIATE" if what == "write" else "BEGIN")
        if not _ours(connection, path, what):
            if what == "read":
                return []
            for each in _TABLES:
                connection.execute(each)
        rows = connection.execute(statement, values).fetchall()
        connection.execute("COMMIT")
        return rows


def _connect(path: Path | str, patience: float) -> Connection:
    import sqlite3

    return sqlite3.connect(path, timeout=patience, isolation_level=None)


@contextmanager
def _guard(path: Path, patience: float, what: str) -> Iterator[None]:
    """The lock of a file beside `path`: all who open `path` share it, and who renames it has it alone.

    Whoever had it open while it is renamed and a new one is begun would take the new one's journal, as it goes by the
    name, for his own.
    """
    import sqlite3

    try:
        guard = _connect(path.with_name(f".{path.name}.lock"), patience)
    except sqlite3.OperationalError:
        if what != "read":
            raise
        guard = _connect(":memory:", patience)  # to read where nothing can be written needs none
    with closing(guard):
        guard.execute("BEGIN EXCLUSIVE" if what == "rename" else "BEGIN")
        guard.execute("SELECT * FROM sqlite_master").fetchall()  # a BEGIN alone waits for something to do
        yield


def _ours(connection: Connection, path: Path, what: str) -> bool:
    """Whether a file holds our tables: True, or False for an empty one, which may become ours."""
    mark, version, tables = (
        connection.execute(question).fetchone()[0]
        for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if mark == _MARK and version > _VERSION:
        raise _failure(what, path, "a newer version of tinygrad_np made it", "install that version")
    if mark != _MARK and (mark or version or tables):
        raise _failure(what, path, "it is another program's database", "set TINYGRAD_AUTOMARK_DB to another file")
    return bool(mark == _MARK)


def _damaged(error: DatabaseError) -> bool:
    """Whether SQLite calls the file corrupt, or no database; never for one that is locked or cannot be read."""
    import sqlite3

    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what it adds in the higher bits
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _set_aside(path: Path, patience: float) -> Path | None:
    """Rename a damaged file, while nobody has it open; None if another process has done so before."""
    import sqlite3

    with _guard(path, patience, "rename"), closing(_connect(path, patience)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")  # another program may have locked what is whole of it
            if connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]:
                return None
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise
        connection.close()
        number = 1
        while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
            number += 1
        return path.rename(aside)


def _failure(
    what: str,
    path: Path,
    why: object,
    advice: str = "try again if another program is using it, or set TINYGRAD_AUTOMARK_DB to a file that can be written",
) -> ProgressError:
    return ProgressError(f"progress: could not {what} {str(path)!r}: {why}; {advice}")

"""Many submissions, each in a process of its own (`worker`), and what came of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinygrad_np.automark.loading import NO_MODULE
from tinygrad_np.automark.results import Result
from tinygrad_np.errors import FileFormatError, MissingFileError, RangeError
from tinygrad_np.files import replacing

COMPANIONS = ("Blocks.py", "automark.py")
"""Files that lie beside a submission; in a folder, they are none themselves unless there is no other."""

NOT_ENTERED = ("venv", "site-packages", "node_modules")
"""Folders that hold the programs of others; nor are those entered whose names begin with a dot or two underscores."""

_KEPT = 4000
"""Characters of what a submission prints: as many from its beginning and from its end."""

_MARK = "TINYGRAD_NP_MARK"
"""The variable by which what a submission starts is known, wherever it goes."""

_RESTARTS = 5
"""How often a process that dies while a submission is loaded is started again, without the statement where it died."""


@dataclass(frozen=True)
class Settings:
    """How submissions are marked.

    Parameters
    ----------
    seed
        Of the hidden cases.
    seconds
        That a function may take, and so may a statement outside of functions.
    memory
        Megabytes that a submission may take, where the system can limit it.
    run_all
        Whether experiments run too.
    assignment
        A file that declares further functions.

    Examples
    --------
    >>> Settings(seed=1).memory
    1024
    """

    seed: int
    seconds: float = 10.0
    memory: int = 1024
    run_all: bool = False
    assignment: Path | None = None


class Submission(NamedTuple):
    """A file, and the name that it has in the report.

    Examples
    --------
    >>> Submission("ann/week1.ipynb", Path("class/ann/week1.ipynb")).name
    'ann/week1.ipynb'
    """

    name: str
    path: Path

    @property
    def file(self) -> str:
        """Which file it is, whatever it is called by: no other submission has the same."""
        return _plain(str(self.path.resolve()))


def _plain(text: str) -> str:
    """A text that can be written: a file's name may hold what no encoding has."""
    return text.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class Marked:
    """What came of one submission.

    Parameters
    ----------
    name, file
        See `Submission`.
    key
        Changes with what its results depend on; see `key_of`.
    results
        One for each function.
    notes
        What failed or was left out while it was loaded.
    output
        What it printed, shortened.
    seconds
        How long it took.

    Examples
    --------
    >>> Marked("a.py", "a.py", "", (Result("relu_forward", True, "", "", 37, 1),)).score
    '1 of 1'
    """

    name: str
    file: str
    key: str
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()
    output: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> int:
        return sum(result.passed for result in self.results)

    @property
    def score(self) -> str:
        return f"{self.passed} of {len(self.results)}"

    @property
    def missing(self) -> set[str]:
        """The modules that it imports and that were not found."""
        return set(NO_MODULE.findall("\n".join([*self.notes, *(result.reason for result in self.results)])))


VERDICTS = ("not defined", "time limit", "memory", "exception", "crashed", "broken", "not marked")
"""Kinds of result that are verdicts of their own; any other kind is that of a wrong result."""


def verdict(result: Result) -> str:
    """What is said of a function in a word or two.

    Examples
    --------
    >>> verdict(Result("hinge_forward", False, "...", "factor N", 37, 1))
    'wrong'
    """
    if result.passed:
        return "completed"
    return result.kind if result.kind in VERDICTS else "wrong"


# --- which ------------------------------------------------------------------------------------------------------------


def find(paths: Sequence[Path]) -> list[Submission]:
    """The submissions at some paths: notebooks, Python files, and all of them in folders and the folders inside.

    Raises
    ------
    RangeError
        If a path is not there, is another kind of file, or a folder with no submission in it.

    Examples
    --------
    >>> for name in ("ann.py", "Blocks.py", "notes.txt"):
    ...     _ = Path(name).write_text("")
    >>> [submission.name for submission in find([Path(".")])]
    ['ann.py']
    """
    found: dict[str, Submission] = {}
    for path in paths:
        for submission in _at(path):
            if submission.file in found and found[submission.file].path.is_symlink():
                del found[submission.file]  # for its real name
            found.setdefault(submission.file, submission)
    names = {submission.name for submission in found.values()}
    if len(names) == len(found):
        return list(found.values())
    return [Submission(_plain(path.as_posix()), path) for _, path in found.values()]


def _at(path: Path) -> list[Submission]:
    if path.is_dir():
        inside = sorted(_inside(path))
        if not inside:
            raise RangeError(f"mark: expected submissions (.ipynb, .py) in the folder {str(path)!r}, got none")
        return [Submission(_plain(file.relative_to(path).as_posix()), file) for file in inside]
    if path.suffix.lower() in (".ipynb", ".py") and path.is_file():
        return [Submission(_plain(path.name), path)]
    what = "another kind of file" if path.is_file() else "a pipe or a device" if path.exists() else "nothing there"
    raise RangeError(f"mark: expected a notebook (.ipynb), a .py file or a folder, got {str(path)!r}: {what}")


def _inside(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith((".", "__")) and f not in NOT_ENTERED]
        found = [Path(here, f) for f in files if f.lower().endswith((".ipynb", ".py")) and not f.startswith(".")]
        found = [path for path in found if path.is_file()]  # no named pipe, whose end would not come
        yield from [p for p in found if p.name not in COMPANIONS] or [p for p in found if p.name == "Blocks.py"]


def key_of(submission: Submission, settings: Settings) -> str:
    """Changes with what results depend on: the submission, the modules beside it, the marker, and how it is marked.

    Examples
    --------
    >>> _ = Path("a.py").write_text("x = 1")
    >>> a = Submission("a.py", Path("a.py"))
    >>> key_of(a, Settings(1)) == key_of(a, Settings(1)) != key_of(a, Settings(2))
    True
    """
    read = hashlib.sha256(_marker())
    for path in filter(None, (submission.path, settings.assignment)):
        for module in _modules(path.resolve()):
            read.update(hashlib.sha256(_content(module)).digest())
    read.update(repr((settings.seed, float(settings.seconds), settings.memory, settings.run_all)).encode())
    return read.hexdigest()


def _modules(path: Path) -> list[Path]:
    """A submission, and the Python files beside it that it names, or that these name: it may import them."""
    found, others = [path], {other for other in path.parent.glob("*.py") if other != path and other.is_file()}
    for one in found:  # which grows
        words = set(re.findall(r"\w+", _content(one).decode("utf-8", "replace")))
        named = {other for other in others if other.stem in words}
        found += sorted(named)
        others -= named
    return found


@cache
def _marker() -> bytes:
    """Changes with this package, NumPy and Python."""
    versions = f"{np.__version__} {sys.version}".encode()
    sources = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"".join([versions, *map(_content, sources)])).digest()


# --- marking ----------------------------------------------------------------------------------------------------------


def mark_all(
    submissions: Sequence[Submission], names: Sequence[str], settings: Settings, jobs: int = 1
) -> Generator[Marked, None, None]:
    """Mark submissions, some at once, and yield each one when it is done. Nothing that they do stops the others.

    Parameters
    ----------
    submissions
        Which.
    names
        Of the functions to be marked, which `assignments.tasks_of` knows.
    settings
        How.
    jobs
        How many at once.

    Examples
    --------
    >>> source = "def relu_forward(x_input):\\n    return x_input * (x_input > 0)"
    >>> _ = Path("ann.py").write_text(source)
    >>> for marked in mark_all(find([Path("ann.py")]), ["relu_forward", "mse_forward"], Settings(seed=1)):
    ...     print(marked.name, marked.score, [verdict(result) for result in marked.results])
    ann.py 1 of 2 ['completed', 'not defined']
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(jobs)
    try:
        running = [pool.submit(_mark_one, submission, names, settings, stop) for submission in submissions]
        for done in as_completed(running):
            yield done.result()
    finally:  # also when whoever asked is interrupted
        stop.set()
        pool.shutdown(cancel_futures=True)


def _mark_one(submission: Submission, names: Sequence[str], settings: Settings, stop: threading.Event) -> Marked:
    """Mark one submission; if its process dies, start another for what is left."""
    start, key = time.perf_counter(), key_of(submission, settings)
    results: dict[str, Result] = {}
    skip: dict[int, str] = {}
    notes: list[str] = []
    output = ""

    def fail(kind: str, reason: str, *failed: str) -> None:
        for name in failed:
            results[name] = Result(name, False, f"  {reason}", kind, 0, settings.seed)

    while left := [name for name in names if name not in results]:
        with tempfile.TemporaryDirectory(prefix="mark-", ignore_cleanup_errors=True) as folder:
            process = _Process(submission, left, settings, skip, Path(folder), stop)
        output = output or process.output
        notes += [note for note in process.notes if note not in notes]
        results |= process.results
        if process.ended:
            break
        if process.again:
            continue
        kind, how = process.death()
        if process.broken:
            fail("broken", process.broken, *left)
        elif (name := process.at.get("name")) is not None:
            fail(kind, f"while it was marked, {how}", name)
        elif (number := process.at.get("number")) is not None and len(skip) < _RESTARTS:
            skip[number] = f"{process.at['where']}: {how}; the rest was run without it"
        else:
            where = f" ({process.at['where']})" if process.at else ""
            fail("broken", f"it could not be loaded{where}: {how}", *left)
    return Marked(
        submission.name,
        submission.file,
        key,
        tuple(results[name] for name in names),
        (*skip.values(), *notes),
        output,
        time.perf_counter() - start,
    )


@dataclass
class _Process:
    """A worker, run to its end: by itself, or because it takes too long."""

    submission: Submission
    names: Sequence[str]
    settings: Settings
    skip: Collection[int]
    folder: Path
    stop: threading.Event
    results: dict[str, Result] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    at: dict[str, Any] = field(default_factory=dict)  # what it was doing
    ended: bool = False
    again: bool = False  # whether it asks for another one to go on
    broken: str = ""
    output: str = ""
    code: int | None = None
    late: bool = False

    def __post_init__(self) -> None:
        events, cwd, job = self.folder / "events", self.folder / "cwd", self.folder / "job"
        cwd.mkdir()
        events.touch()
        job.write_text(json.dumps(self._job(events)))
        command = [sys.executable, "-m", "tinygrad_np.automark.worker", str(job)]
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=_environment() | {_MARK: str(self.folder)},
            start_new_session=True,
        ) as process:
            printed = _Printed(process)
            try:
                self._watch(process, events)
            finally:
                _kill(process, self.folder)
                self.output = printed.text()
        self.code = process.returncode
        self._read(_content(events))

    def _job(self, events: Path) -> dict[str, Any]:
        assignment = self.settings.assignment
        return {
            "file": str(self.submission.path.resolve()),
            "events": str(events),
            "functions": list(self.names),
            "skip": list(self.skip),
            "parent": os.getpid(),
            **asdict(self.settings),
            "assignment": str(assignment.resolve()) if assignment else None,
        }

    def _watch(self, process: subprocess.Popen[bytes], events: Path) -> None:
        """Wait until it ends, or until nothing has come of it for too long: its own limits come first."""
        size, heard, patience = 0, time.monotonic(), 60.0  # it has to start first
        while not _has_ended(process) and not self.stop.is_set():
            now = len(_content(events))
            if now != size:
                size, heard, patience = now, time.monotonic(), 2 * self.settings.seconds + 5
            elif time.monotonic() - heard > patience:
                self.late = True
                return
            time.sleep(0.02)

    def _read(self, lines: bytes) -> None:
        for line in lines.splitlines():
            try:
                event = json.loads(line)
            except ValueError:  # cut off when it was killed
                continue
            if "begin" in event:
                self.at = event
            elif "result" in event:
                result = Result(**event["result"])
                self.results[result.function], self.at = result, {}
            elif "note" in event:
                self.notes.append(event["note"])
            self.broken = event.get("broken", self.broken)
            self.ended, self.again = self.ended or "end" in event, self.again or "again" in event

    def death(self) -> tuple[str, str]:
        """The kind of result, and in words, of a process that did not come to its end."""
        if self.late:
            return "time limit", "it did not end in time, and its process was stopped"
        if any(word in self.output[-_KEPT:] for word in ("MemoryError", "bad_alloc", "annot allocate memory")):
            return "memory", f"its process ended for want of memory; it may take {self.settings.memory} MB"
        if self.code is not None and self.code < 0:
            name = signal.Signals(-self.code).name if -self.code in set(signal.Signals) else str(-self.code)
            if name == "SIGKILL":
                return "memory", "its process was killed by the system, most likely for want of memory"
            return "crashed", f"its process crashed ({name})"
        return "crashed", f"its process ended (exit code {self.code})"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the submission removed it
        return b""


def _environment() -> dict[str, str]:
    """One thread for NumPy, no windows, no files left beside a submission, and prints that never fail."""
    threads = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "VECLIB")
    own = {f"{name}_{'MAXIMUM' if name == 'VECLIB' else 'NUM'}_THREADS": "1" for name in threads}
    own |= {"MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8:replace"}
    package = str(Path(__file__).parents[2])
    own["PYTHONPATH"] = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    dropped = ("PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONHASHSEED")
    return {name: value for name, value in os.environ.items() if name not in dropped} | own


class _Printed:
    """What a process prints, of which the beginning and the end are kept; the rest is read and dropped."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self.pipe, self.start, self.end, self.dropped = process.stdout, b"", b"", 0
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self.pipe.fileno(), 65536):
                room = _KEPT - len(self.start)
                self.start += piece[:room]
                self.end += piece[room:] if room < len(piece) else b""
                self.dropped += max(0, len(self.end) - _KEPT)
                self.end = self.end[-_KEPT:]
        except (OSError, ValueError):  # closed
            return

    def text(self) -> str:
        self.thread.join(2)  # a process that has left the group can hold it open
        cut = f"\n... {self.dropped} bytes more ...\n".encode() if self.dropped else b""
        return (self.start + cut + self.end).decode("utf-8", "replace")


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has, without taking its number from it where that can be: until then no other process gets it."""
    if hasattr(os, "waitid"):
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    return process.poll() is not None


def _kill(process: subprocess.Popen[bytes], folder: Path) -> None:
    """End a process and all that it started, where /proc tells also what has left its group."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    for _ in range(100):  # what is killed may have started another
        left = list(_marked_by(folder))
        if not left:
            return
        for number in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.01)


def _marked_by(folder: Path) -> Iterator[int]:
    """The numbers of the processes that were started with this folder in their environment."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        if f"{_MARK}={folder}\0".encode() in _content(environment):
            yield int(environment.parent.name)


# --- keeping ----------------------------------------------------------------------------------------------------------

_WHAT = "tinygrad_np mark"


def write(path: Path, seed: int, names: Sequence[str], marked: Sequence[Marked]) -> None:
    """Write results as JSON; the file is replaced once all of it is written. It may move with what it tells of.

    Examples
    --------
    >>> write(Path("results.json"), 7, ["relu_forward"], [])
    >>> read(Path("results.json"))
    (7, {})
    """
    submissions = [asdict(one) | {"passed": one.passed, "of": len(one.results)} for one in marked]
    for submission, one in zip(submissions, marked, strict=True):
        submission["file"] = _from(path, one.file)
        submission["results"] = [r.as_dict() | {"verdict": verdict(r)} for r in one.results]
    content = {"what": _WHAT, "seed": seed, "functions": list(names), "submissions": submissions}
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _from(path: Path, file: str) -> str:
    """A file as seen from the folder of another."""
    try:
        return Path(os.path.relpath(file, path.resolve().parent)).as_posix()
    except ValueError:  # on another drive
        return file


def read(path: Path) -> tuple[int, dict[str, Marked]]:
    """The seed and the results of a file, by the files of submissions.

    Raises
    ------
    FileFormatError
        If it is another kind of file, so that it is not to be replaced.
    MissingFileError
        If there is none.

    Examples
    --------
    >>> read(Path("no.json"))
    Traceback (most recent call last):
    tinygrad_np.errors.MissingFileError: mark: there is no file 'no.json'
    """
    if not path.exists():
        raise MissingFileError(f"mark: there is no file {str(path)!r}")
    try:
        content = json.loads(path.read_bytes())
        if content["what"] != _WHAT:
            raise ValueError(f"it is of {content['what']!r}")
        if type(content["seed"]) is not int or content["seed"] < 0:
            raise ValueError(f"its seed is {content['seed']!r}, not an integer of at least 0")
        marked = [_marked(one, path) for one in content["submissions"]]
        return content["seed"], {one.file: one for one in marked}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileFormatError(
            f"mark: expected {str(path)!r} to be a file of results that `mark --json` wrote, which could be gone on "
            f"with; {type(error).__name__}: {error}. Choose another name, or remove it"
        ) from error


def _marked(one: Mapping[str, Any], path: Path) -> Marked:
    results = tuple(Result(**{k: v for k, v in r.items() if k != "verdict"}) for r in one["results"])
    known = {k: v for k, v in one.items() if k not in ("passed", "of")}
    file = str((path.resolve().parent / one["file"]).resolve())
    return Marked(**known | {"file": file, "results": results, "notes": tuple(one["notes"])})

"""The command ``mark``: a class's submissions, marked and reported."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tinygrad_np.automark import report, running
from tinygrad_np.automark.assignments import tasks_of
from tinygrad_np.automark.results import spoken
from tinygrad_np.automark.running import Marked, Settings, Submission, verdict
from tinygrad_np.errors import RangeError
from tinygrad_np.files import replacing
from tinygrad_np.program import table

Item = TypeVar("Item")

SHOWN = 5
"""How many of the commonest mistakes the terminal shows, and of names; the report has all."""


def add_mark(commands: Any) -> None:
    """Add the command to those of a parser.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_mark(parser.add_subparsers())
    >>> given = parser.parse_args(["mark", "class", "--seed", "7"])
    >>> given.submissions, given.seed, given.jobs >= 1
    ([PosixPath('class')], 7, True)
    """
    does = "mark the submissions of a class"
    made = commands.add_parser(
        "mark",
        help=does,
        description=f"{does[0].upper()}{does[1:]}: notebooks (.ipynb), .py files, and folders of them, each in a "
        "process of its own. Imports and definitions run, experiments do not. A submission is a program: its process "
        "has limits, but may read and write what you may.",
        epilog="example: tinygrad-np mark submissions --out report.html --json results.json --jobs 2",
        allow_abbrev=False,
    )
    made.add_argument(
        "submissions",
        nargs="+",
        type=_path,
        metavar="SUBMISSION",
        help="a notebook, .py file or folder; where a name begins with a dash, write -- before the first of them",
    )
    made.add_argument(
        "--out",
        type=_path,
        metavar="FILE",
        help="write a report of these submissions, one HTML page; only an earlier report is replaced",
    )
    made.add_argument(
        "--json",
        type=_path,
        metavar="FILE",
        help="write the results as JSON, after each submission; what such a file holds of unchanged submissions is "
        "not marked again, and what it holds of others stays in it",
    )
    made.add_argument(
        "--again", action="store_true", help="mark all of these submissions, also those whose results are in --json"
    )
    made.add_argument(
        "--seed", type=_number(int, 0), metavar="N", help="of the hidden cases (default: the file's, or drawn)"
    )
    made.add_argument(
        "--jobs",
        type=_number(int, 1),
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (default: one for each processor)",
    )
    made.add_argument(
        "--seconds",
        type=_number(float, 0.1),
        default=10.0,
        metavar="S",
        help="for each function, and for each statement outside of functions (default: 10)",
    )
    made.add_argument(
        "--memory",
        type=_number(int, 16, 10**9),
        default=1024,
        metavar="MB",
        help="for each submission, where the system can limit it (default: 1024)",
    )
    made.add_argument("--run-all", action="store_true", help="run experiments too, not only imports and definitions")
    made.add_argument(
        "--assignment", type=_path, metavar="FILE", help="a .py file that declares further functions by a reference"
    )
    made.set_defaults(run=mark, error=made.error)


def mark(given: argparse.Namespace) -> None:
    """Mark what was typed, and say what came of it.

    Examples
    --------
    >>> _ = Path("ann.py").write_text("def relu_forward(x_input):\\n    return x_input * (x_input > 0)")
    >>> parser = argparse.ArgumentParser()
    >>> add_mark(parser.add_subparsers())
    >>> mark(parser.parse_args(["mark", "ann.py", "--seed", "7"]))
    submission  completed
    ann.py      1 of 18
    <BLANKLINE>
    seed 7
    """
    with _ended_alike():
        _mark(given)


def _mark(given: argparse.Namespace) -> None:
    for flag, path in (("--out", given.out), ("--json", given.json), ("--assignment", given.assignment)):
        if path is not None:
            _check_file(flag, path, written=flag != "--assignment")
    if given.out is not None:
        _check_replaceable(given.out, given.json)
    names = list(tasks_of(given.assignment))
    submissions = running.find(given.submissions)
    stored = running.read(given.json) if given.json is not None and given.json.exists() else None
    seed = given.seed if given.seed is not None else stored[0] if stored else secrets.randbits(32)
    settings = Settings(seed, given.seconds, given.memory, given.run_all, given.assignment)
    kept = stored[1] if stored else {}
    current = [s for s in submissions if not given.again and _is_current(kept.get(s.file), s, settings)]
    kept |= {s.file: replace(kept[s.file], name=s.name) for s in current}
    done = {s.file for s in current}
    left = [s for s in submissions if s.file not in done]
    if done:
        sys.stderr.write(f"mark: {len(done)} of {len(submissions)} submissions are unchanged since {given.json}\n")
    sys.stderr.write(f"mark: seed {seed}\n")

    def save() -> None:
        """These submissions in their order, then those of other runs, which may have been added meanwhile."""
        if given.json is not None:
            now = running.read(given.json)[1] if given.json.exists() else {}
            now |= {file: kept[file] for file in done}
            order = dict.fromkeys([*(s.file for s in submissions), *now])
            running.write(given.json, seed, names, [now[file] for file in order if file in now])

    try:
        with (
            closing(running.mark_all(left, names, settings, given.jobs)) as found,
            closing(bar("submissions", found, len(left))) as shown,
        ):
            for one in shown:
                kept[one.file] = one
                done.add(one.file)
                save()
    except KeyboardInterrupt:
        how = "the same command goes on with the others" if given.json else "with --json FILE it could be gone on with"
        how = "of the others the earlier results are kept" if given.json and given.again else how
        sys.stderr.write(f"mark: {len(done)} of {len(submissions)} submissions are marked; {how}\n")
        raise
    save()
    marked = [kept[s.file] for s in submissions]
    if given.out is not None:
        _check_replaceable(given.out, given.json)  # again: marking takes its time
        with replacing(given.out) as part:
            part.write_text(report.html(marked, names, seed, options=_options(given)), encoding="utf-8")
    sys.stdout.write(_summary(marked, seed) + "\n")
    for what, path in (("report", given.out), ("results", given.json)):
        if path is not None:
            sys.stdout.write(f"the {what} {'are' if what == 'results' else 'is'} in {path}\n")


def _is_current(stored: Marked | None, submission: Submission, settings: Settings) -> bool:
    """Whether stored results would come again; a module that was missing may be here now."""
    return stored is not None and stored.key == running.key_of(submission, settings) and not stored.missing


@contextmanager
def _ended_alike() -> Iterator[None]:
    """Let SIGTERM and SIGHUP be as Ctrl-C, so that nothing is left behind, unless they are ignored, as by nohup."""
    taken = []
    if threading.current_thread() is threading.main_thread():  # no other may say what signals do
        signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        taken = [number for number in signals if signal.getsignal(number) == signal.SIG_DFL]
    try:
        for number in taken:
            signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


# --- in words ---------------------------------------------------------------------------------------------------------


def _summary(marked: Sequence[Marked], seed: int) -> str:
    parts = [table([("submission", "completed"), *((_line(one.name), _score(one)) for one in marked)])]
    if common := [m for m in report.mistakes(marked) if m.count > 1][:SHOWN]:
        rows = [(m.function, _line(spoken(m.kind)), str(m.count)) for m in common]
        parts.append(table([("function", "commonest mistakes", "how many"), *rows]))
    if missing := sorted(set().union(*(one.missing for one in marked))):
        parts.append(f"not installed here: {_some(missing)}")
    if suspects := [one.name for one in marked if any(note.endswith(report.LOOK) for note in one.notes)]:
        parts.append(f"look at these, which use functions that are not their own: {_some(suspects)}")
    return "\n\n".join([*parts, f"seed {seed}"])


def _options(given: argparse.Namespace) -> dict[str, str]:
    """What a report says of how it came about."""
    return {
        "seconds for a function": f"{given.seconds:g}",
        "memory": f"{given.memory} MB",
        "experiments": "run" if given.run_all else "not run",
        "assignment": given.assignment.name if given.assignment else "",
    }


def _score(one: Marked) -> str:
    """How many functions are completed, and how many could not be tried, which says nothing of the student."""
    counts = Counter(verdict(result) for result in one.results)
    untried = [
        kind if counts[kind] == len(one.results) else f"{kind}: {counts[kind]}"
        for kind in ("broken", "not marked")
        if counts[kind]
    ]
    return one.score + (f" ({', '.join(untried)})" if untried else "")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return _line(", ".join(names[:SHOWN])) + more


def _line(text: str) -> str:
    """A text that moves no cursor and breaks no line of a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


# --- what may be typed ------------------------------------------------------------------------------------------------


def _check_file(flag: str, path: Path, written: bool) -> None:
    """Before hours are spent on what is to be written there."""
    if path.exists() and not path.is_file():
        raise RangeError(f"mark: expected {flag} to be a file, got {str(path)!r}: a folder, a pipe or a device")
    folder = path.resolve().parent
    if written and not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise RangeError(f"mark: expected {flag} to be in a folder that can be written to, got {str(path)!r}")


def _check_replaceable(out: Path, results: Path | None) -> None:
    """A report takes the place of nothing but a report; of results, `running.read` knows."""
    if results is not None and out.resolve() == results.resolve():
        raise RangeError(f"mark: expected two files for --out and --json, got {str(out)!r} for both")
    if out.exists() and not _is_report(out):
        raise RangeError(
            f"mark: expected --out to be a new file or an earlier report, got {str(out)!r}: it is another file; choose "
            "another name, or remove it"
        )


def _is_report(path: Path) -> bool:
    """Whether it begins as one, and so as no program, notebook or JSON file does."""
    start = path.read_bytes()[:1000]
    return start.startswith(b"<!DOCTYPE html>") and report.GENERATOR.encode() in start


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expected a file or folder, got ''; a dot is the folder that you are in")
    return Path(text)


def _number(kind: type[int] | type[float], low: float, high: float = float("inf")) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value < high:
            what = "an integer" if kind is int else "a number"
            less = f" and less than {high:g}" if high < float("inf") else ""
            raise argparse.ArgumentTypeError(f"expected {what} of at least {low:g}{less}, got {text!r}")
        return value

    return parse


# --- what is shown on the way -----------------------------------------------------------------------------------------


def bar(name: str, items: Iterator[Item], total: int) -> Generator[Item, None, None]:
    """The items, behind a progress bar; without tqdm or a terminal, behind at most ten lines on the way.

    Examples
    --------
    >>> list(bar("items", iter([1, 2]), 2))
    [1, 2]
    """
    try:
        from tqdm import tqdm
    except ImportError:
        drawn = None
    else:
        drawn = tqdm(items, name, total, disable=None)
    if drawn is not None and not drawn.disable:
        with drawn:
            yield from drawn
        return
    for number, item in enumerate(items, 1):
        yield item
        if number * 10 // total > (number - 1) * 10 // total:
            sys.stderr.write(f"{name}: {number} of {total}\n")

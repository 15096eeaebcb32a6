"""The command ``mark``: a class's submissions, marked and reported."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from tinygrad_np.automark import report, running
from tinygrad_np.automark.assignments import tasks_of
from tinygrad_np.automark.running import Marked, Settings
from tinygrad_np.errors import RangeError
from tinygrad_np.files import replacing
from tinygrad_np.program import table

Item = TypeVar("Item")

SHOWN = 5
"""How many of the commonest mistakes the terminal shows; the report has all."""


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
    made.add_argument("submissions", nargs="+", type=Path, metavar="SUBMISSION", help="a notebook, .py file or folder")
    made.add_argument("--out", type=Path, metavar="FILE", help="write a report, one HTML page")
    made.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the results as JSON, after each submission; what such a file holds of unchanged submissions is "
        "not marked again",
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
        type=_number(int, 16),
        default=1024,
        metavar="MB",
        help="for each submission, where the system can limit it (default: 1024)",
    )
    made.add_argument("--run-all", action="store_true", help="run experiments too, not only imports and definitions")
    made.add_argument(
        "--assignment", type=Path, metavar="FILE", help="a .py file that declares further functions by a reference"
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
    for flag, path in (("--out", given.out), ("--json", given.json)):
        _check_writable(flag, path)
    names = list(tasks_of(given.assignment))
    submissions = running.find(given.submissions)
    stored = running.read(given.json) if given.json is not None and given.json.exists() else None
    seed = given.seed if given.seed is not None else stored[0] if stored else secrets.randbits(32)
    settings = Settings(seed, given.seconds, given.memory, given.run_all, given.assignment)
    earlier = stored[1] if stored and stored[0] == seed else {}
    keys = {submission.name: running.key_of(submission, settings) for submission in submissions}
    done = {name: earlier[name, key] for name, key in keys.items() if (name, key) in earlier}
    left = [submission for submission in submissions if submission.name not in done]
    if done:
        sys.stderr.write(f"mark: {len(done)} of {len(submissions)} submissions are unchanged since {given.json}\n")
    sys.stderr.write(f"mark: seed {seed}\n")

    def in_order() -> list[Marked]:
        return [done[submission.name] for submission in submissions if submission.name in done]

    with closing(running.mark_all(left, names, settings, given.jobs)) as found:
        for one in bar("submissions", found, len(left)):
            done[one.name] = one
            if given.json is not None:
                running.write(given.json, seed, names, in_order())
    if given.json is not None:
        running.write(given.json, seed, names, in_order())
    if given.out is not None:
        with replacing(given.out) as part:
            part.write_text(report.html(in_order(), names, seed), encoding="utf-8")
    sys.stdout.write(_summary(in_order(), seed) + "\n")
    for what, path in (("report", given.out), ("results", given.json)):
        if path is not None:
            sys.stdout.write(f"the {what} {'are' if what == 'results' else 'is'} in {path}\n")


def _summary(marked: Sequence[Marked], seed: int) -> str:
    text = table([("submission", "completed"), *((_line(one.name), one.score) for one in marked)])
    found = report.mistakes(marked)
    common = [m for m in found if m.count > 1][:SHOWN]
    if common:
        rows = [(m.function, _line(m.kind), str(m.count)) for m in common]
        text += "\n\n" + table([("function", "commonest mistakes", "how many"), *rows])
    return f"{text}\n\nseed {seed}"


def _line(text: str) -> str:
    """A text that moves no cursor and breaks no line of a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _check_writable(flag: str, path: Path | None) -> None:
    """Before hours are spent on what is to be written there."""
    if path is None:
        return
    folder = path.resolve().parent
    if not folder.is_dir() or path.is_dir() or not os.access(folder, os.W_OK):
        raise RangeError(f"mark: expected {flag} to be a file in a folder that can be written to, got {str(path)!r}")


def _number(kind: type[int] | type[float], low: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value < float("inf"):
            what = "an integer" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"expected {what} of at least {low:g}, got {text!r}")
        return value

    return parse


def bar(name: str, items: Iterator[Item], total: int) -> Iterator[Item]:
    """The items, behind a progress bar where there is one.

    Examples
    --------
    >>> list(bar("items", iter([1, 2]), 2))
    [1, 2]
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return iter(tqdm(items, name, total, disable=None))

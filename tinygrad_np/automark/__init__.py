"""The course's marker, on this machine alone: ``import tinygrad_np.automark as am``.

It marks the functions of both weeks by their names, says what is wrong with which element and why, and keeps the table
of what is completed in a file beside the notebook.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_np import blocks
from tinygrad_np.automark.marking import mark
from tinygrad_np.automark.progress import Progress, ProgressError, user
from tinygrad_np.automark.results import Result
from tinygrad_np.automark.tasks import GRADED, TASKS
from tinygrad_np.errors import ArgumentError, RangeError

__all__ = ["Result", "get_progress", "register", "test_student_function"]

PATH: str | os.PathLike[str] | None = None
"""The file that progress is kept in; None for ``automark.sqlite`` here, or what TINYGRAD_AUTOMARK_DB says."""


def test_student_function(
    username: Any,
    function: Callable[..., Any],
    arg_keys: Sequence[str],
    *,
    seed: int | None = None,  # noqa: PT028
    seconds: float = 10.0,  # noqa: PT028
) -> Result:
    """Mark a function, print what came of it, and record it for a student.

    It runs the examples of the text, generated cases, and cases drawn anew each time. Shapes must be those that are
    asked for, and values close to 1e-5; no argument may be changed.

    Parameters
    ----------
    username
        The student's; any that has not been used is begun.
    function
        To be marked; its name says which of the course's functions it is.
    arg_keys
        The names of its arguments, as the course's notebooks give them.
    seed
        To run the same cases again, as a failure prints it.
    seconds
        After which a function that does not return is stopped; see `tinygrad_np.automark.limits.limited`.

    Returns
    -------
    Result
        Which has all that is printed.

    Raises
    ------
    ArgumentError, RangeError
        For a username, function or `arg_keys` that cannot be right. Nothing is recorded then.

    Examples
    --------
    >>> import tinygrad_np.automark as am
    >>> def relu_forward(x_input):
    ...     return x_input * (x_input > 0)
    >>> result = am.test_student_function("s123", relu_forward, ["x_input"])
    relu_forward: passed (41 cases)
    """
    username = user(username)
    name = getattr(function, "__name__", None)
    if not callable(function) or not isinstance(name, str):
        raise ArgumentError(
            f"test_student_function: expected a function of yours, written with def, got {function!r}; give its name "
            "without quotes and without parentheses"
        )
    if name not in TASKS:
        raise RangeError(
            f"test_student_function: expected one of the course's functions, got {name!r}; they are {', '.join(TASKS)}"
        )
    task = TASKS[name]
    if not isinstance(arg_keys, (list, tuple)) or list(arg_keys) != list(task.arguments):
        raise RangeError(
            f"test_student_function: expected arg_keys {list(task.arguments)} for {name}, got {arg_keys!r}"
        )
    if seed is not None and (type(seed) is not int or seed < 0):
        raise RangeError(f"test_student_function: expected seed to be a whole number from 0 on, or None, got {seed!r}")
    if not isinstance(seconds, (int, float)) or not seconds > 0:
        raise RangeError(f"test_student_function: expected seconds to be a number above 0, got {seconds!r}")
    result = mark(function, task, seed, seconds)
    _say(str(result))
    if getattr(function, "__module__", None) == blocks.__name__:
        _say(f"not recorded: this {name} is tinygrad_np's own; write one of yours")
    elif name in GRADED:
        try:
            Progress(PATH).record(username, name, "completed" if result.passed else "attempted", result.seed)
        except ProgressError as error:
            _say(f"not recorded: {error}")
    return result


test_student_function.__test__ = False  # type: ignore[attr-defined]  # for pytest it is no test


def get_progress(username: Any) -> None:
    """Print the course's table for a student.

    Raises
    ------
    ArgumentError, RangeError
        For a username that cannot be one.
    ProgressError
        If the file of progress cannot be read.

    Examples
    --------
    >>> import tinygrad_np.automark as am
    >>> am.get_progress("s123")
    ---------------------------------------------
    | s123                                      |
    | -                                         |
    ---------------------------------------------
    | box_blur                 | not attempted  |
    ...
    """
    _say(Progress(PATH).table(username))


def register(username: Any, name: str, mail: str) -> None:
    """Put a name and a mail address at the head of a student's table.

    Raises
    ------
    ArgumentError, RangeError
        For texts that cannot be these.
    ProgressError
        If they cannot be written.

    Examples
    --------
    >>> import tinygrad_np.automark as am
    >>> am.register("s123", "Ada Lovelace", "ada@example.org")
    """
    Progress(PATH).register(username, name, mail)


def _say(text: str) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))  # noqa: T201 (what the course's marker does)

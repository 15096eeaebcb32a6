"""Marking one function: all its cases, strictly, and a reason that its author can work with."""

from __future__ import annotations

import copy
import linecache
import secrets
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from types import CoroutineType
from typing import Any, NamedTuple, cast

import numpy as np

from tinygrad_np.automark.limits import Stop, TimeLimit, limited
from tinygrad_np.automark.printing import Printed, held_back
from tinygrad_np.automark.results import Result
from tinygrad_np.automark.tasks import TASKS, WHOLE, Gradient, Task
from tinygrad_np.values import Array
from tinygrad_np.verify.diagnosis import EXPLANATIONS, OF_VALUES, Case, Explanation, diagnose, other_argument
from tinygrad_np.verify.report import Diagnosis, shown
from tinygrad_np.verify.smallest import smallest
from tinygrad_np.verify.subjects import Subject

CLOSE = 1e-5
"""How close values must be, relative and absolute: the course's tolerance."""

TELLING, LARGE = 6, 100
"""How many failing cases are looked into, and from how many numbers on only if there is no other."""

LONGEST = 300
"""Characters that are shown of an error's text, or of what was printed."""


class Wrong(NamedTuple):
    """One failing case: what it was called with, and the first thing that is wrong."""

    arguments: tuple[Any, ...]
    special: str  # see Task.cases
    kind: str
    text: str
    got: Any = None
    expected: Any = None
    printed: str = ""


class Failed(Exception):
    """A call that returned nothing to go on with; of one argument, the Wrong."""


def mark(
    function: Callable[..., Any], task: Task | None = None, seed: int | None = None, seconds: float = 10.0
) -> Result:
    """Run a function on all cases of its task, and say what is wrong with it.

    Parameters
    ----------
    function
        To be marked. What it prints is held back.
    task
        What it must do; without it, the task of its name.
    seed
        Of the hidden cases; drawn by the system without it.
    seconds
        After which it is stopped; see `tinygrad_np.automark.limits.limited` for what can be.

    Returns
    -------
    Result

    Examples
    --------
    >>> def relu_forward(x_input):
    ...     return abs(x_input)
    >>> result = mark(relu_forward, seed=0)
    >>> result.passed, result.seed
    (False, 0)
    """
    task = TASKS[function.__name__] if task is None else task
    seed = secrets.randbits(32) if seed is None else seed
    start = time.perf_counter()
    with held_back() as printed:
        marking = Marking(function, task, seed, printed)
        try:
            reason, kind = limited(marking.run, seconds)
        except TimeLimit as error:
            reason, kind = marking.so_far(seconds, error)
    return Result(task.name, not kind, reason, kind, marking.count, seed, time.perf_counter() - start)


class Marking:
    """A function on its way through the cases; keeps what was found, should time run out."""

    def __init__(self, function: Callable[..., Any], task: Task, seed: int, printed: Printed) -> None:
        self.function, self.task, self.seed, self.printed = function, task, seed, printed
        self.count, self.began = 0, time.perf_counter()  # calls, and when the last one was begun
        self.current: tuple[Any, ...] = ()
        self.right: list[tuple[Any, ...]] = []  # arguments
        self.wrong: list[Wrong] = []
        self.kind, self.why = "", ""  # once all cases have been looked into
        self.running = ""  # another function of the author's

    def run(self) -> tuple[str, str]:
        """The reason and kind of a mistake; two empty texts if there is none."""
        if self.task.check is not None:
            return self._checked(self.task.check)
        for special, arguments in self.task.cases(self.seed):
            self.count += 1
            found = self.tried(arguments, special)
            if found is not None:
                self.wrong.append(found)
            else:
                self.right.append(arguments)
        if not self.wrong:
            return "", ""
        return self.explained()

    def so_far(self, seconds: float, error: TimeLimit) -> tuple[str, str]:
        """What to say when time has run out."""
        if self.wrong:
            of = f"your own {self.running}" if self.running else "it"
            last = "" if self.kind else f"after {seconds:g} seconds {of} was stopped"
            return self._told(_smallest_of(self.wrong), self.why, last), self.kind or self.wrong[0].kind
        if time.perf_counter() - self.began < seconds / 2:
            return f"  {self.count} calls took more than {seconds:g} seconds: each is to take far less", "time limit"
        text = (
            f"it had not returned after {seconds:g} seconds: does a loop in it ever end?{self._line(error.__cause__)}"
        )
        return self._told(Wrong(self.current, "any", "time limit", text, printed=self.printed.text)), "time limit"

    def _checked(self, check: Callable[..., str | None]) -> tuple[str, str]:
        def observed(*arguments: Any) -> Array:
            self.count += 1
            got = self._returned(arguments)
            kind, text = _no_numbers(got, "an array of numbers")
            if kind:
                raise Failed(Wrong(arguments, "any", kind, text, got, printed=self.printed.text))
            return np.asarray(got)

        try:
            text = check(observed, np.random.default_rng(self.seed))
        except Failed as failed:
            return self._told(failed.args[0]), failed.args[0].kind
        return (f"  {text}", "value") if text else ("", "")

    # --- one case -----------------------------------------------------------------------------------------------------

    def tried(self, arguments: tuple[Any, ...], special: str = "any") -> Wrong | None:
        """The first thing that is wrong with what the function makes of these arguments."""
        given, expected = copy.deepcopy(arguments), self.task.reference(*copy.deepcopy(arguments))
        try:
            got = self._returned(given, special)
        except Failed as failed:
            return cast(Wrong, failed.args[0])._replace(arguments=arguments)
        kind, text = difference(got, expected)
        if not kind and (changed := _changed(self.task.arguments, arguments, given)):
            kind, text = "input modified", f"it changes its argument {changed}; work on a copy of it"
        return Wrong(arguments, special, kind, text, got, expected, self.printed.text) if kind else None

    def _returned(self, arguments: tuple[Any, ...], special: str = "any") -> Any:
        """What the function returns; what it raises is `Failed`, but for Ctrl-C and the end of its time."""
        self.current, self.began, self.printed.text = arguments, time.perf_counter(), ""
        try:
            with np.errstate(all="ignore"):
                got = self.function(*arguments)
        except (KeyboardInterrupt, Stop):
            raise
        except BaseException as error:
            told = Wrong(arguments, special, "exception", self._exception(error), printed=self.printed.text)
            raise Failed(told) from error
        if isinstance(got, CoroutineType):
            got.close()
        return got

    def _exception(self, error: BaseException) -> str:
        """The error with the line of the function's own file that it came from."""
        try:
            said = " ".join(str(error).split())
        except Exception:
            said = "its text cannot be shown"
        shortened = said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."
        return f"it ends with {type(error).__name__}{f': {shortened}' if said else ''}{self._line(error)}"

    def _line(self, error: BaseException | None) -> str:
        """Where in the function's own file an error came from, as a line to be added."""
        code = getattr(self.function, "__code__", None)
        frames = traceback.extract_tb(error.__traceback__) if error is not None else []
        own = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
        if not own:
            return ""
        number = own[-1].lineno or 0
        line = (own[-1].line or linecache.getline(own[-1].filename, number)).strip()
        return f"\n  in line {number} of {own[-1].name}: {line}"

    # --- why ----------------------------------------------------------------------------------------------------------

    def explained(self) -> tuple[str, str]:
        """The smallest failing case and, if one explanation fits all that fail, why."""
        kind, why = self.wrong[0].kind, ""
        if kind in ("value", "shape"):
            kind, why = self._why()
        elif kind == "exception" and all(w.special in WHOLE for w in self.wrong):
            why = "with arrays of floats alone it does not end like this: is an array of integers written into?"
        self.kind, self.why = kind, why
        return self._told(self._smaller(_smallest_of(self.wrong)), why), kind

    def _why(self) -> tuple[str, str]:
        failing = [w for w in self.wrong if w.kind in ("value", "shape")]
        if all(w.special in WHOLE for w in self.wrong):
            return (
                "integers",
                "it is wrong for arrays of integers alone: does it write fractions into an array of integers?",
            )
        if all(w.kind == "shape" and np.size(w.got) == np.size(w.expected) for w in failing):
            same = [difference(np.reshape(w.got, np.shape(w.expected)), w.expected)[0] == "" for w in failing]
            if all(same):  # the right numbers, with more axes or fewer
                return "shape", ""
        if (own := self._own_forward()) is not None:
            return "own forward", own
        if (typical := self._typical()) is not None:
            return typical, f"most likely: {typical}"
        cases = [case for w in self._telling(failing) if (case := self._case(w)) is not None]
        shown = self._case(_smallest_of(self.wrong))
        found = diagnose(cases, self._explanations()) if cases else None
        if found is not None and shown is not None and self._fits(found, shown):
            one = found.kind == "broadcast not summed" and not np.ndim(failing[0].expected)
            words = "it is a number for each of several, where one for all is asked for" if one else found.text
            return found.kind, f"most likely: {words if one else WORDS.get(found.kind, found.text)}"
        if shown is not None and self.task.kink and all(_only_at_kinks(case) for case in (*cases, shown)):
            return "kink", f"it is right but where {self.task.kink}: read again what is asked for there"
        return failing[0].kind, ""

    def _typical(self) -> str | None:
        """The typical mistake that the function makes, in all cases."""
        for words, mistaken in self.task.mistakes:
            right = ((arguments, self.task.reference(*copy.deepcopy(arguments))) for arguments in self.right)
            with np.errstate(all="ignore"), suppress(Exception):
                if all(
                    difference(mistaken(*copy.deepcopy(arguments)), got)[0] == ""
                    for arguments, got in (*((w.arguments, w.got) for w in self.wrong), *right)
                ):
                    return words
        return None

    def _fits(self, found: Diagnosis, shown: Case) -> bool:
        """Whether a diagnosis is true of the case that is shown, too, as far as that is large enough to tell."""
        kinds = {fit.kind for explain in self._explanations() for fit in explain(shown)}
        if found.kind == "not finite":
            return not np.isfinite(shown.analytic).all()
        return (
            found.kind in kinds or found.kind.startswith("term") or (found.kind == "factor" and "factor" in str(kinds))
        )

    def _explanations(self) -> Sequence[Explanation]:
        if self.task.gradient is None:
            return OF_VALUES
        is_loss = self.task.gradient.g is None
        return [explain for explain in EXPLANATIONS if explain is not other_argument or not is_loss]

    def _telling(self, failing: Sequence[Wrong]) -> list[Wrong]:
        """Those that tell most: large but not huge, and with finite numbers if there are."""
        told = sorted(failing, key=lambda w: (_size(w.arguments) <= LARGE, _size(w.arguments)), reverse=True)
        finite = [w for w in told if np.isfinite(np.asarray(w.got, float)).all()]
        return (finite or told)[:TELLING]

    def _case(self, wrong: Wrong) -> Case | None:
        """Gradients beside differences of the right forward; values beside the expected."""
        try:
            got = np.asarray(wrong.got, float)
            if self.task.gradient is None:
                return Case.of_values(self._inputs(wrong.arguments), got, np.asarray(wrong.expected, float))
            return _gradient_case(self.task, self.task.gradient, wrong.arguments, got)
        except (TypeError, ValueError):
            return None

    def _inputs(self, arguments: tuple[Any, ...]) -> list[tuple[str, Array]]:
        return [(name, a) for name, a in zip(self.task.arguments, arguments, strict=True) if isinstance(a, np.ndarray)]

    def _own_forward(self) -> str | None:
        """Whether the function is the gradient of its author's own forward, which is wrong then."""
        gradient = self.task.gradient
        if gradient is None:
            return None
        name = gradient.forward.__name__
        own = getattr(self.function, "__globals__", {}).get(name)
        if own is None or own is gradient.forward:
            return None
        theirs, is_wrong = gradient._replace(forward=own), False
        for wrong in self._telling([w for w in self.wrong if w.kind == "value"]):
            got = np.asarray(wrong.got, float)
            self.running = name
            try:
                case = _gradient_case(self.task, theirs, wrong.arguments, got)
            except (KeyboardInterrupt, Stop):
                raise
            except BaseException:  # the other function is not marked here
                self.running = ""
                return None
            self.running = ""
            if not case.same(case.analytic, case.numeric):
                return None
            right = _gradient_case(self.task, gradient, wrong.arguments, got)
            is_wrong = is_wrong or not right.same(right.analytic, right.numeric)
        if not is_wrong:
            return None
        return f"it is the gradient of your own {name}, which is not what the task asks for: mend {name} first"

    def _smaller(self, wrong: Wrong) -> Wrong:
        """A case with fewer and simpler numbers that fails in the same way."""
        best = wrong

        def fails(arrays: Sequence[Array]) -> bool:
            nonlocal best
            try:
                found = self.tried(_put_in(wrong.arguments, iter(arrays)), wrong.special)
            except Exception:  # the task itself does not take these arguments
                return False
            if found is None or found.kind != wrong.kind:
                return False
            best = found
            return True

        arrays = [a for argument in wrong.arguments for a in _arrays(argument)]
        if arrays:
            smallest(arrays, fails, tries=100)
        return best

    # --- in words -----------------------------------------------------------------------------------------------------

    def _called(self, arguments: tuple[Any, ...]) -> str:
        return "for " + ", ".join(f"{n} = {_spelt(a)}" for n, a in zip(self.task.arguments, arguments, strict=False))

    def _told(self, wrong: Wrong, *why: str) -> str:
        lines = [self._called(wrong.arguments)]
        if wrong.kind in ("value", "shape"):
            lines.append(f"expected {_spelt(wrong.expected)}")
            lines.append(f"got      {_spelt(wrong.got)}")
        lines += ["" if wrong.kind == "value" and not np.ndim(wrong.expected) else wrong.text, *why]
        if printed := wrong.printed.strip().splitlines():
            lines.append(f"it printed {printed[0][:LONGEST]!r}{' ...' if len(printed) > 1 else ''}")
        return "\n".join(f"  {line}" for line in lines if line)


# --- comparing --------------------------------------------------------------------------------------------------------


def difference(got: Any, expected: Any) -> tuple[str, str]:
    """The kind of difference and a text; two empty texts if there is none. Shapes must be the same, values close."""
    right = np.asarray(expected)
    kind, text = _no_numbers(got, "an array of numbers" if right.ndim else "a number")
    if kind:
        return kind, text
    found = np.asarray(got)
    if found.shape != right.shape:
        scalar = "a number" if right.shape == () else f"shape {right.shape}"
        return "shape", f"expected {scalar}, got shape {found.shape}"
    with np.errstate(all="ignore"):
        near = np.abs(found - right.astype(float)) <= CLOSE + CLOSE * np.abs(right)
    off = ~(near | (found == right) | (np.isnan(found.astype(float)) & np.isnan(right.astype(float))))
    if not off.any():
        return "", ""
    index = tuple(int(i[0]) for i in np.nonzero(np.atleast_1d(off)))[: right.ndim]
    where = f"at {list(index)}: " if index else ""
    count = f" ({int(off.sum())} of {off.size} entries are wrong)" if off.size > 1 else ""
    return "value", f"{where}expected {_one(right[index])}, got {_one(found[index])}{count}"


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _one(number: Any) -> str:
    return f"{number + 0.0:.6g}"  # a zero without a sign


def _no_numbers(got: Any, what: str) -> tuple[str, str]:
    """What is wrong with a result that holds no numbers: the kind and a text."""
    if got is None:
        return "nothing", "it returns nothing: is the return line missing?"
    if type(got) is np.matrix or not isinstance(got, (np.ndarray, np.generic, int, float, complex)):
        return "no array", f"it returns {_a(type(got).__name__)}, not {what}"
    if np.asarray(got).dtype.kind not in "fiub":
        return "no array", f"it returns values of dtype {np.asarray(got).dtype}, not real numbers"
    return "", ""


def _arrays(argument: Any) -> list[Array]:
    """The arrays that an argument is or holds."""
    return [a for a in (argument if isinstance(argument, (list, tuple)) else [argument]) if isinstance(a, np.ndarray)]


def _put_in(arguments: Sequence[Any], arrays: Iterator[Array]) -> tuple[Any, ...]:
    """The arguments with other arrays, one after the other, in the places and dtypes of theirs."""

    def put(argument: Any) -> Any:
        if isinstance(argument, (list, tuple)):
            return type(argument)(map(put, argument))
        return next(arrays).astype(argument.dtype) if isinstance(argument, np.ndarray) else argument

    return tuple(map(put, arguments))


def _changed(names: Sequence[str], before: tuple[Any, ...], after: tuple[Any, ...]) -> str | None:
    """The name of an argument that is not what it was."""
    for name, a, b in zip(names, before, after, strict=True):
        pairs = [(a, b)] if not isinstance(a, (list, tuple)) else list(zip(a, b, strict=False))
        if isinstance(a, (list, tuple)) and len(a) != len(b):
            return name
        if any(np.shape(x) != np.shape(y) or not np.array_equal(x, y, equal_nan=True) for x, y in pairs):
            return name
    return None


def _gradient_case(task: Task, gradient: Gradient, arguments: tuple[Any, ...], got: Array) -> Case:
    """A gradient beside differences of a forward."""
    named = dict(zip(task.arguments, arguments, strict=True))
    arrays = [np.array(named[n], float) for n in gradient.arguments]
    place = gradient.arguments.index(gradient.by)

    def value(*given: Array) -> Array:
        return np.array(gradient.forward(*map(np.array, given), *gradient.fixed.values()), float)

    g = np.ones(()) if gradient.g is None else np.asarray(named[gradient.g], float)
    subject = Subject(task.name, gradient.arguments, value, lambda *_: [])
    return Case(subject, arrays, g, place, got)


def _only_at_kinks(case: Case) -> bool:
    """Whether all entries that are wrong have no slope."""
    known = np.isfinite(case.numeric)
    return case.in_shape and not known.all() and case.same(case.analytic, case.numeric)


def _size(arguments: Sequence[Any]) -> int:
    return sum(int(np.size(b)) for a in arguments for b in (a if isinstance(a, (list, tuple)) else [a]))


def _smallest_of(wrong: Sequence[Wrong]) -> Wrong:
    same = [w for w in wrong if w.kind == wrong[0].kind]
    return min(same, key=lambda w: _size(w.arguments))


def _spelt(value: Any) -> str:
    if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
        return "[" + ", ".join(map(_spelt, value)) + "]"
    if isinstance(value, (np.ndarray, np.generic, float)) and np.asarray(value).dtype.kind in "fiub":
        array = np.asarray(value)
        text = shown(array + 0 if array.dtype.kind == "f" else array)  # zeros without a sign
        return text if not array.ndim or " of shape " in text else f"{text} (shape {array.shape})"
    return repr(value) if len(repr(value)) < 200 else f"{repr(value)[:200]} ..."


WORDS = {
    "factor N": "it is too large by a length or size: is it to be divided by how many there are?",
    "factor 1/N": "it is divided by a length or size, and is not to be",
    "factor -1": "its sign is the wrong way round",
    "no gradient": "it is zero, where something else is asked for",
    "transposed": "rows and columns are exchanged",
    "broadcast not summed": "it has entries for each object, where one sum over all objects is asked for",
    "summed twice": "too much is added up: entries that should stay apart are one sum",
    "term missing": "one of two terms is missing",
    "term doubled": "one of two terms is counted twice",
    "term of the wrong sign": "one of two terms has the wrong sign",
    "mask": "the condition is the wrong way round: it is zero where it should not be, and nowhere else",
    "mask missing": "entries that should be zero are not; the others are right",
    "other argument": "it is the gradient by another argument",
    "g ignored": "grad_output is not used: by the chain rule it is a factor",
    "from output": "it is computed from the output where the input is needed",
    "not finite": "there are NaN or infinities in it, as from a division by zero",
    "places": "the numbers are right, but in the wrong places",
}
"""What diagnoses are called for a student, without the formula."""

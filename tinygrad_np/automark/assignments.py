"""Further functions to be marked, declared by a reference implementation alone: ``mark --assignment FILE.py``.

The file is a teacher's, and is run as it is. In it, `function` declares the function that it decorates, which is the
reference; its arguments are drawn by callables of a `numpy.random.Generator`::

    from tinygrad_np.automark.assignments import function

    def pair(rng):  # arguments that share a shape: one callable for all of them
        shape = rng.integers(1, 7, 2)
        return rng.normal(size=shape), rng.normal(size=shape)

    @function(x=lambda rng: rng.normal(size=rng.integers(1, 7, 2)))  # or one for each
    def square_forward(x):
        return x**2

    @function(pair, gradient_of=square_forward, by="x", g="grad_output")
    def square_grad(x, grad_output):
        return 2 * x * grad_output

A file that says ``COURSE = False`` asks for its own functions alone, not for the course's beside them. It may import
modules that lie beside it, at its top. When it is read, each reference is tried on inputs that are drawn, and a
declared gradient is held against differences of its function.
"""

from __future__ import annotations

import copy
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tinygrad_np.automark.marking import difference
from tinygrad_np.automark.tasks import GRADED, TASKS, Gradient, Inputs, Task
from tinygrad_np.errors import ArgumentError, FileFormatError, TinygradError
from tinygrad_np.values import Array
from tinygrad_np.verify.checks import compare, direction
from tinygrad_np.verify.diagnosis import Case, diagnose
from tinygrad_np.verify.differences import Verdict
from tinygrad_np.verify.subjects import Subject

DRAWS = 12
"""For how many drawn inputs a declared gradient is compared with differences."""

Drawn = Callable[[np.random.Generator], Any]
Function = TypeVar("Function", bound=Callable[..., Any])


def function(
    inputs: Drawn | None = None,
    /,
    *,
    gradient_of: Callable[..., Any] | None = None,
    by: str | None = None,
    g: str | None = None,
    **each: Drawn,
) -> Callable[[Function], Function]:
    """Declare the decorated function, a reference implementation, as one to be marked.

    Parameters
    ----------
    inputs
        Draws all arguments, as a tuple, from a generator; those with defaults may be left out from the end.
    gradient_of
        The function that this one is the gradient of. Its arguments are among this one's, by name; those that are not
        have defaults.
    by
        The argument that it is the gradient by.
    g
        The argument that is the incoming gradient; None for the gradient of a loss.
    **each
        In the place of `inputs`: one callable of a generator for each argument. Arguments that are called ``g`` or
        ``by`` need `inputs`.

    Raises
    ------
    ArgumentError
        If the callables do not fit the function's arguments, or are none.

    Examples
    --------
    >>> @function(x=lambda rng: rng.normal(size=3))
    ... def half(x):
    ...     return x / 2
    >>> task = half.automark_task
    >>> task.name, task.arguments
    ('half', ('x',))
    """

    def declare(reference: Function) -> Function:
        name = reference.__name__
        _check_draws(name, inputs, each, {"by": by, "g": g})
        arguments = _arguments(reference, inputs, each)
        gradient = None
        if gradient_of is not None:
            gradient = _gradient(name, arguments, gradient_of, by, g)
        vars(reference)["automark_task"] = Task(
            name, arguments, reference, lambda some: _drawn(name, arguments, inputs, each, some), gradient=gradient
        )
        return reference

    vars(declare)["automark_inputs"] = inputs
    return declare


def _check_draws(name: str, inputs: Any, each: dict[str, Any], options: dict[str, Any]) -> None:
    for option, given in options.items():
        if inputs is None and callable(given):
            raise ArgumentError(
                f"function: expected {name}'s {option}= to be the name of an argument, got a callable; if an argument "
                f"is itself called {option}, let one callable draw all arguments, @function(draw), or rename it"
            )
    for argument, given in {"all": inputs, **each}.items():
        if given is not None and not callable(given):
            raise ArgumentError(
                f"function: expected what draws {argument} of {name} to be a callable of a generator, such as "
                f"lambda rng: rng.normal(size=3), got {given!r}"
            )


def _arguments(reference: Callable[..., Any], inputs: Drawn | None, each: dict[str, Drawn]) -> tuple[str, ...]:
    """The names of the arguments that are drawn: all, but for some of the last that have defaults."""
    taken = [p for p in inspect.signature(reference).parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
    names = tuple(p.name for p in taken)
    least = sum(p.default is p.empty for p in taken)
    if (inputs is None) != bool(each) or (each and (len(each) < least or set(each) != set(names[: len(each)]))):
        raise ArgumentError(
            f"function: expected one callable that draws all arguments of {reference.__name__}, or one for each of "
            f"{', '.join(names)} by name, got {', '.join(each) or 'none'}"
        )
    if inputs is None or least == len(names):
        return names[: len(each) or least]
    drawn = inputs(np.random.default_rng(0))
    return names[: max(least, len(drawn) if isinstance(drawn, tuple) else 0)]


def _drawn(
    name: str, arguments: tuple[str, ...], inputs: Drawn | None, each: dict[str, Drawn], some: Inputs
) -> tuple[Any, ...]:
    if inputs is None:
        return tuple(each[argument](some.rng) for argument in arguments)
    drawn = inputs(some.rng)
    if not isinstance(drawn, tuple) or len(drawn) != len(arguments):
        what = f"{len(drawn)} of them" if isinstance(drawn, tuple) else f"a {type(drawn).__name__}"
        raise ArgumentError(
            f"function: expected what draws for {name} to return its {len(arguments)} arguments as a tuple, got {what}"
        )
    return drawn


def _gradient(
    name: str, arguments: tuple[str, ...], forward: Callable[..., Any], by: str | None, g: str | None
) -> Gradient:
    of = tuple(n for n in inspect.signature(forward).parameters if n in arguments)
    if by not in of or (g is not None and g not in arguments):
        raise ArgumentError(
            f"function: expected {name}'s by= to be one of {', '.join(of) or 'the arguments that both take'} and its "
            f"g= to be one of {', '.join(arguments)} or None, got by={by!r} and g={g!r}"
        )
    return Gradient(forward, of, by, g)


def tasks_of(path: Path | None = None) -> dict[str, Task]:
    """The functions to be marked: the course's, and those that an assignment's file declares.

    Raises
    ------
    FileFormatError
        If the file does not run, declares nothing, or its references fail on inputs that it draws.

    Examples
    --------
    >>> len(tasks_of())
    18
    """
    course = {name: TASKS[name] for name in GRADED}
    if path is None:
        return course
    namespace: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    tried: Task | None = None
    try:
        with _beside(path.parent.resolve()):
            exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), namespace)
            declared, imported = _declared(namespace), _modules_in(path.parent.resolve())
            for tried in declared:
                with np.errstate(all="ignore"):
                    _check(tried)
                if late := _modules_in(path.parent.resolve()) - imported:
                    raise ArgumentError(f"expected {', '.join(late)} to be imported at the top of the file")
    except OSError:
        raise
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        code = getattr(tried.reference, "__code__", None) if tried else None
        if not lines and code is not None and code.co_filename == str(path):
            lines = [code.co_firstlineno]
        said = str(error) if isinstance(error, TinygradError) else f"{type(error).__name__}: {error}"
        raise FileFormatError(
            f"mark: expected {str(path)!r} to declare functions and to draw inputs that they take; {path.name}"
            f"{f', line {lines[-1]}' if lines else ''}: {said}{f', as {tried.name} was tried' if tried else ''}"
        ) from error
    if not declared:
        raise FileFormatError(
            f"mark: expected {str(path)!r} to declare a function with @function(...) of "
            "tinygrad_np.automark.assignments, got none"
        )
    own = {task.name: task for task in declared}
    return own if namespace.get("COURSE") is False else course | own


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Let modules of a folder be imported, and forget them again: a submission's of the same name are others."""
    path, modules = sys.path.copy(), _modules_in(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = path
        for name in _modules_in(folder) - modules:
            del sys.modules[name]


def _modules_in(folder: Path) -> set[str]:
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    return {name for name, file in files.items() if file and Path(file).parent == folder}


def _declared(namespace: dict[str, Any]) -> list[Task]:
    for name, value in namespace.items():
        inputs = getattr(value, "automark_inputs", None)
        if getattr(inputs, "__name__", None) == name:  # the decorator took the function for what draws
            raise ArgumentError(f"expected @function(...) with what draws the arguments of {name}, got @function alone")
    return [t for t in (getattr(v, "automark_task", None) for v in namespace.values()) if isinstance(t, Task)]


# --- whether a declaration holds --------------------------------------------------------------------------------------


def _check(task: Task) -> None:
    """Refuse a reference that fails, returns no numbers, or returns others when it is called again."""
    for _, arguments in task.cases(0):
        first, second = (task.reference(*copy.deepcopy(arguments)) for _ in range(2))
        kind, text = difference(second, first)
        if kind in ("shape", "value"):
            text = "two calls with the same arguments return different results; draw random numbers in what draws"
        if kind:
            raise ArgumentError(text)
    if task.gradient is not None:
        _check_gradient(task, task.gradient)


def _check_gradient(task: Task, gradient: Gradient) -> None:
    """Refuse what differences of its function show to be wrong for most inputs; at kinks they show nothing."""
    rng, by, of = np.random.default_rng(0), gradient.by, gradient.forward.__name__
    wrong, told = list[Case](), ""
    for _, arguments in islice(task.cases(0), DRAWS):
        named = dict(zip(task.arguments, copy.deepcopy(arguments), strict=True))
        if isinstance(named[by], (list, tuple)):  # of several arrays
            return
        x, claimed = np.asarray(named[by], float), np.asarray(task.reference(*copy.deepcopy(arguments)), float)
        others = {name: named[name] for name in gradient.arguments if name != by}

        def value(moved: Array, others: dict[str, Any] = others) -> Array:
            return np.asarray(gradient.forward(**others, **{by: moved}, **gradient.fixed), float)

        out = value(x)
        g = np.ones(out.shape) if gradient.g is None else np.asarray(named[gradient.g], float)
        if claimed.shape != x.shape:
            raise ArgumentError(f"expected the gradient by {by} to have its shape, {x.shape}, got {claimed.shape}")
        if g.shape != out.shape:
            raise ArgumentError(
                f"expected {gradient.g} to have the shape that {of} returns, {out.shape}, got {g.shape}"
            )
        subject, v = Subject(task.name, (by,), value, lambda *_: []), direction(rng, x)
        judged = compare(subject, [x], 0, g, v, claimed)
        if judged.verdict is Verdict.WRONG:
            wrong.append(Case(subject, [x], g, 0, claimed))
            told = told or f"along a direction it says {(claimed * v).sum():.6g}, differences say {judged.slope:.6g}"
    if 2 * len(wrong) > DRAWS:
        why = diagnose(wrong)
        raise ArgumentError(f"it is not the gradient of {of} by {by}: {told}{f'; {why.text}' if why else ''}")

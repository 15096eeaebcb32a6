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

A file that says ``COURSE = False`` asks for its own functions alone, not for the course's beside them.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tinygrad_np.automark.tasks import GRADED, TASKS, Gradient, Inputs, Task
from tinygrad_np.errors import ArgumentError, FileFormatError

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
        Draws all arguments, as a tuple, from a generator.
    gradient_of
        The function that this one is the gradient of. Its arguments are among this one's, by name; those that are not
        have defaults.
    by
        The argument that it is the gradient by.
    g
        The argument that is the incoming gradient; None for the gradient of a loss.
    **each
        In the place of `inputs`: one callable of a generator for each argument.

    Raises
    ------
    ArgumentError
        If the callables do not fit the function's arguments.

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
        arguments = tuple(inspect.signature(reference).parameters)
        if (inputs is None) != bool(each) or (each and set(each) != set(arguments)):
            raise ArgumentError(
                f"function: expected one callable that draws all arguments of {name}, or one for each of "
                f"{', '.join(arguments)} by name, got {', '.join(each) or 'none'}"
            )
        gradient = None
        if gradient_of is not None:
            gradient = _gradient(name, arguments, gradient_of, by, g)
        vars(reference)["automark_task"] = Task(
            name, arguments, reference, lambda some: _drawn(name, arguments, inputs, each, some), gradient=gradient
        )
        return reference

    return declare


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
    try:
        exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), namespace)
        declared = [t for t in (getattr(v, "automark_task", None) for v in namespace.values()) if isinstance(t, Task)]
        for task in declared:
            for _, arguments in task.cases(0):
                task.reference(*arguments)
    except OSError:
        raise
    except Exception as error:
        lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        where = f", line {lines[-1].lineno}" if lines else ""
        raise FileFormatError(
            f"mark: expected {str(path)!r} to declare functions and to draw inputs that they take; {path.name}{where}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not declared:
        raise FileFormatError(
            f"mark: expected {str(path)!r} to declare a function with @function(...) of "
            "tinygrad_np.automark.assignments, got none"
        )
    own = {task.name: task for task in declared}
    return own if namespace.get("COURSE") is False else course | own

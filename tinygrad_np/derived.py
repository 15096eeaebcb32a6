"""Functions written in primitives: their gradients, of any order, follow from those of what they call."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from inspect import signature
from typing import Any

from tinygrad_np import errors
from tinygrad_np.errors import ArgumentError, TinygradError
from tinygrad_np.signatures import spelt

registry: dict[str, Derived] = {}
"""Every derived function by ``module.name``."""


class Derived:
    """A function of arrays and tensors that calls primitives; what goes wrong inside is told with its name.

    Parameters
    ----------
    function
        Of any signature. It converts what may be a list with `tinygrad_np.values.operand`.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> @Derived
    ... def logistic(x):
    ...     return 1 / (1 + tg.exp(-x))
    >>> w = tg.tensor(0.0, requires_grad=True)
    >>> tg.grad(logistic(w), w)
    tensor(0.25)
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        update_wrapper(self, function)
        registry[f"{self.__module__}.{function.__qualname__}"] = self

    def __repr__(self) -> str:
        return f"<function {self}{spelt(self.function)}, of primitives>"

    def __str__(self) -> str:
        name: str = self.function.__name__
        return name

    __reduce__ = __str__  # copies and pickles are this very object, by its name in its module

    def __call__(self, /, *args: Any, **keywords: Any) -> Any:
        try:
            return self.function(*args, **keywords)
        except TinygradError as error:
            raise errors.within(str(self), error) from error
        except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
            self._bind(args, keywords)
            errors.refuse(error, str(self), args, keywords)

    def _bind(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        try:
            signature(self.function).bind(*args, **keywords)
        except TypeError as error:
            raise ArgumentError(f"{self}: expected arguments {spelt(self.function)}; {error}") from error

"""Whether operations are recorded: a mode of the thread or asyncio task, restored however a block ends."""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any

from tinygrad_np import errors

_recording: ContextVar[bool] = ContextVar("recording", default=True)

is_recording = _recording.get


class recording(ContextDecorator):
    """Set whether operations are recorded, for a block or a function, in this thread or asyncio task."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self.tokens.append(_recording.set(self.mode))

    def __exit__(self, *_: object) -> None:
        _recording.reset(self.tokens.pop())

    def __call__(self, function: Any) -> Any:
        if isgeneratorfunction(function) or iscoroutinefunction(function) or isasyncgenfunction(function):
            raise errors.resumed_function(function.__name__)
        return super().__call__(function)

    def _recreate_cm(self) -> recording:
        return recording(self.mode)  # each call of a decorated function has tokens of its own


def no_grad() -> recording:
    """Compute without recording: inside, results are constants. Use it in a ``with`` statement or as a decorator.

    The mode belongs to the thread or asyncio task that set it, and is restored when the block ends, however it ends.
    Never ``yield`` inside the block: until the generator goes on, the mode would be its caller's.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     y = w * 3
    >>> y.requires_grad
    False
    """
    return recording(False)

"""Whether operations are recorded: a mode of the thread or asyncio task, restored however a block ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import coroutine
from typing import Any

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
        for is_resumed, resumed in _RESUMED.items():
            if is_resumed(function):
                return wraps(function)(resumed(self.mode, function))
        return super().__call__(function)

    def _recreate_cm(self) -> recording:
        return recording(self.mode)  # each call of a decorated function has tokens of its own


def no_grad() -> recording:
    """Compute without recording: inside, results are constants. Use it in a ``with`` statement or as a decorator.

    The mode belongs to the thread or asyncio task that set it, and is restored when the block ends, however it ends. A
    new thread records; a task, and a forked process, begins with the mode of what started it.

    As a decorator it takes functions of every kind: a generator, coroutine or asynchronous generator is without
    recording while it runs, and its caller, or the other tasks, never are. A ``with`` block across a ``yield`` is
    another matter: until the generator goes on, the mode is its caller's too.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     y = w * 3
    >>> y.requires_grad
    False
    >>> @tg.no_grad()
    ... def batches():
    ...     yield w * 3
    >>> [(y.requires_grad, (w * 3).requires_grad) for y in batches()]
    [(False, True)]
    """
    return recording(False)


# --- functions that are resumed ---------------------------------------------------------------------------------------


def _generator(mode: bool, function: Callable[..., Any]) -> Callable[..., Any]:
    """A generator function that sets the mode while what `function` returns runs, and not while it waits.

    What is sent or thrown, be it to close it, is sent or thrown on; what it returns is returned.
    """

    def resumed(*args: Any, **keywords: Any) -> Any:
        running = function(*args, **keywords)
        step = partial(running.send, None)
        while True:
            try:
                with recording(mode):
                    item = step()
            except StopIteration as stop:
                return stop.value
            finally:
                del step  # which may hold an error, whose traceback holds this frame
            try:
                step = partial(running.send, (yield item))
            except BaseException as error:
                step = partial(running.throw, error)

    return resumed


def _awaited(mode: bool, awaitable: Any) -> Any:
    awaited: Callable[[], Any] = coroutine(_generator(mode, awaitable.__await__))
    return awaited()


def _coroutine(mode: bool, function: Callable[..., Any]) -> Callable[..., Any]:
    async def resumed(*args: Any, **keywords: Any) -> Any:
        return await _awaited(mode, function(*args, **keywords))

    return resumed


def _asynchronous_generator(mode: bool, function: Callable[..., Any]) -> Callable[..., Any]:
    async def resumed(*args: Any, **keywords: Any) -> Any:
        running = function(*args, **keywords)
        step = running.asend(None)
        while True:
            try:
                item = await _awaited(mode, step)
            except StopAsyncIteration:
                return
            try:
                step = running.asend((yield item))
            except BaseException as error:
                step = running.athrow(error)

    return resumed


_RESUMED: dict[Callable[[Any], bool], Callable[..., Callable[..., Any]]] = {
    isgeneratorfunction: _generator,
    iscoroutinefunction: _coroutine,
    isasyncgenfunction: _asynchronous_generator,
}

"""A limit on the time that a call takes, in whichever thread it runs."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from tinygrad_np.errors import RangeError, TinygradError

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds between one attempt to end a call and the next


_limited: set[int] = set()
"""The threads in which a call is limited just now."""


class TimeLimit(TinygradError, TimeoutError):
    """A call was not done in time. Its cause is what ended it, with the line where the call was.

    Examples
    --------
    >>> issubclass(TimeLimit, TimeoutError)
    True
    """


class Stop(BaseException):
    """Raised within a call whose time is over; no Exception, so that ``except Exception`` lets it through."""


def limited(call: Callable[[], T], seconds: float) -> T:
    """The result of a call, which is ended if it is not done in time.

    An endless Python loop is ended, in the main thread and in others, where ``except Exception`` is around it, and
    where a bare ``except`` is: then by the next attempt, of which there are more and more seldom ones.

    What cannot be ended is one long call into C, such as ``time.sleep`` or the inverse of a large matrix: `TimeLimit`
    is raised once it returns. Nor can a loop all of whose work is inside of a bare ``except``, for sure. Only a process
    of its own, which can be killed, limits these. Where Python is not CPython, or has no threads, nothing is limited.
    Within a limited call another limit counts for nothing: the one around it holds.

    Parameters
    ----------
    call
        Takes no arguments. It runs in the current thread.
    seconds
        That it may take.

    Raises
    ------
    TimeLimit
        If it was not done in time, even if it has returned since.

    Examples
    --------
    >>> limited(lambda: 1 + 1, seconds=10)
    2
    >>> def endless():
    ...     while True:
    ...         pass
    >>> limited(endless, seconds=0.01)
    Traceback (most recent call last):
    ...
    tinygrad_np.automark.limits.TimeLimit: limited: expected the call to be done within 0.01 seconds, ...
    """
    if not seconds > 0:
        raise RangeError(f"limited: expected a number of seconds above 0, got {seconds!r}")
    thread = threading.get_ident()
    if thread in _limited:
        return call()
    _limited.add(thread)
    try:
        return _watched(call, _Watch(seconds))
    finally:
        _limited.discard(thread)


def _watched(call: Callable[[], T], watch: _Watch) -> T:
    """The result of a call that is ended by this watch.

    From when the watch has started until close() has returned, a Stop may come between any two steps.
    """
    try:
        try:
            watch.start()
            result = call()
        finally:
            watch.close()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if watch.fired:
            raise watch.error() from error
        raise
    finally:
        try:
            watch.close()  # again: a Stop or a Ctrl-C may have come before the first
            watch.end()
        except Stop:  # which was on its way; no other is
            watch.end()
    if watch.fired:  # and the call has swallowed it, or was done just then
        raise watch.error()
    return result


class _Watch:
    """Raises Stop in the thread that made it when time is over, and again until it is closed.

    It does so only while it holds `gate`. The thread that is watched closes the gate by taking it, for good: from then
    on nothing is raised. `close` is a function in C, which Python either has not begun or has done when a Stop comes.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = min(seconds, threading.TIMEOUT_MAX)
        self.fired = False
        self._gate = threading.RLock()
        self.close = self._gate.acquire
        self._done, self._over = threading.Event(), threading.Event()
        self._watched = threading.get_ident()
        self._raise_in = _raise_in()

    def start(self) -> None:
        """Begin to watch. ``Thread.start`` would wait for the new thread, and for ever if a Stop comes just then."""
        if self._raise_in is not None:
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:  # no threads here, or no more of them
                self._raise_in = None

    def end(self) -> None:
        """Leave neither a thread nor a Stop behind, once closed."""
        if self.fired and self._raise_in is not None:
            with suppress(Stop):
                self._raise_in(self._watched, Stop)  # in the place of one that may be on its way
                for _ in range(1000):
                    time.sleep(0)
        self._done.set()
        for _ in range(20 if self._raise_in is not None else 0):
            if self._over.wait(_FIRST_PAUSE):  # not longer: under a tracer, Python 3.11 holds it up while a Stop waits
                break

    def error(self) -> TimeLimit:
        return TimeLimit(
            f"limited: expected the call to be done within {self.seconds:g} seconds, it was still running; look for a "
            "loop that never ends"
        )

    def _run(self) -> None:
        pause = self.seconds
        try:
            while not self._done.wait(pause) and self._gate.acquire(blocking=False):
                try:
                    assert self._raise_in is not None
                    pause = min(2 * pause, _LONGEST_PAUSE) if self.fired else _FIRST_PAUSE
                    self.fired = True
                    self._raise_in(self._watched, Stop)
                finally:
                    self._gate.release()
        finally:
            self._over.set()


def _raise_in() -> Callable[[int, type[BaseException]], Any] | None:
    """A function that has a thread raise an exception when it comes to its next step, if there is one.

    It could take one back, too, but in Python 3.11 this leaves the interpreter looking for it, under a tracer for ever.
    """
    try:
        import ctypes

        function = ctypes.pythonapi.PyThreadState_SetAsyncExc
    except (ImportError, AttributeError):  # not CPython
        return None
    return lambda thread, exception: function(ctypes.c_ulong(thread), ctypes.py_object(exception))

"""What a function prints, held back for as long as it is marked."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

MOST = 10_000
"""Characters that are kept of what is printed."""


class Printed:
    """What was printed; `text` may be set to begin anew."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text[: MOST - len(self.text)]
        return len(text)


class _ByThread:
    """Standard output while something is held back: of those threads whose output is, and as it was for all others."""

    def __init__(self, out: TextIO | None) -> None:
        self.out = out
        self.held: dict[int, Printed] = {}

    def write(self, text: str) -> int:
        to = self.held.get(threading.get_ident(), self.out)
        return to.write(text) if to is not None else len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self.out is not None:
            self.out.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.out, name)


_changing = threading.Lock()


@contextmanager
def held_back() -> Iterator[Printed]:
    """Keep what this thread prints.

    Examples
    --------
    >>> with held_back() as printed:
    ...     print("here")
    >>> printed.text
    'here\\n'
    """
    global _standard
    thread, printed = threading.get_ident(), Printed()
    with _changing:
        if _standard is None:
            _standard = _ByThread(sys.stdout)
            sys.stdout = _standard
        standard, before = _standard, _standard.held.get(thread)
        standard.held[thread] = printed
    try:
        yield printed
    finally:
        with _changing:
            if before is not None:
                standard.held[thread] = before
            else:
                del standard.held[thread]
            if not standard.held:
                sys.stdout = standard.out
                _standard = None


_standard: _ByThread | None = None
"""What stands for standard output just now, if anything is held back."""

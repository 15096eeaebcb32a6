"""What came of marking one function."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """Whether a function is right, and if not, why, in words for whoever wrote it.

    Parameters
    ----------
    function
        Its name.
    passed
        Whether it passed all cases.
    reason
        A few lines: the smallest failing case, what was expected and what came, and why, most likely; "" if it passed.
    kind
        The mistake in short, for the statistics of a class: "factor N", "shape", "exception", "time limit" ...; "" if
        it passed.
    cases
        How many cases were run.
    seed
        Of the hidden cases: with it they are the same again.
    seconds
        How long it took.
    """

    function: str
    passed: bool
    reason: str
    kind: str
    cases: int
    seed: int
    seconds: float = 0.0

    def __str__(self) -> str:
        if self.passed:
            return f"{self.function}: passed ({self.cases} cases)"
        return f"{self.function}: not passed\n{self.reason}\n  (to run the same cases again: seed={self.seed})"

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

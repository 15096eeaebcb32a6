"""What came of marking one function."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "value": "other numbers than expected",
    "shape": "another shape",
    "integers": "wrong for arrays of integers",
    "kink": "wrong where it is not smooth",
    "own forward": "the gradient of their own forward, which is wrong",
    "input modified": "an argument is changed",
    "nothing": "nothing is returned",
    "no array": "no array of numbers is returned",
    "exception": "it ends with an error",
    "time limit": "it does not end in time",
    "factor": "too large or too small by a factor",
    "factor 2": "twice as large",
    "factor 1/2": "half as large",
    "factor -1": "the sign is the wrong way round",
    "factor N": "not divided by how many there are",
    "factor 1/N": "divided by how many there are, or twice",
    "no gradient": "zero everywhere",
    "transposed": "transposed",
    "places": "the right numbers in the wrong places",
    "broadcast not summed": "not summed over the objects",
    "summed twice": "summed over too much",
    "term missing": "one of two terms is missing",
    "term doubled": "one of two terms is counted twice",
    "term of the wrong sign": "one of two terms has the wrong sign",
    "mask": "the condition is the wrong way round",
    "mask missing": "the condition is missing",
    "other argument": "the gradient by another argument",
    "g ignored": "the incoming gradient is not used",
    "from output": "computed from the output, not the input",
    "not finite": "NaN or infinite",
}
"""Kinds of mistake in a few words, for the statistics of a class."""


def spoken(kind: str) -> str:
    """A kind of mistake in words; a kind that is in words already as it is.

    Examples
    --------
    >>> spoken("factor N"), spoken("b is not added")
    ('not divided by how many there are', 'b is not added')
    """
    return KINDS.get(kind, kind)


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
        The mistake in short, for the statistics of a class: one of `KINDS`, a typical mistake in words, or how a
        submission could not be marked; "" if it passed.
    cases
        How many cases were run.
    seed
        Of the hidden cases: with it they are the same again.
    seconds
        How long it took.
    """

    function: str
    passed: bool
    reason: str = field(repr=False)
    kind: str
    cases: int = field(repr=False)
    seed: int
    seconds: float = field(default=0.0, repr=False)

    def __str__(self) -> str:
        if self.passed:
            return f"{self.function}: passed ({self.cases} cases)"
        return f"{self.function}: not passed\n{self.reason}\n  (to run the same cases again: seed={self.seed})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        """What a notebook shows below what has been printed."""
        printer.text("passed" if self.passed else "not passed")

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

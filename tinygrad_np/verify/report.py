"""What a check found: a report of what held, or an error that says which element is wrong, by how much and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tinygrad_np.errors import TinygradError
from tinygrad_np.values import Array


class Kink(NamedTuple):
    """An entry around which the function has no slope, or more than one: there the gradient is a convention."""

    argument: str
    place: tuple[int, ...]


class Diagnosis(NamedTuple):
    """The one explanation that fits all that failed: its kind, for programs, and in words."""

    kind: str
    text: str


class Point(NamedTuple):
    """Where a check was made: the arguments, the incoming gradient, and what came of one argument."""

    arrays: tuple[Array, ...]
    g: Array
    argument: int
    analytic: Array
    numeric: Array | None = None
    wrong: Array | None = None  # of bools


@dataclass
class Report:
    """What was checked, at what cost, and where the function has kinks.

    Parameters
    ----------
    name
        Of what was checked.
    evaluations
        How often its value was computed.
    checks
        How many checks of each kind held.
    kinks
        Entries with no slope, or more than one; these are not compared.
    skipped
        What was not checked, and why.
    constants
        Arguments of floats that a pair gives no gradient for.
    """

    name: str
    evaluations: int = 0
    checks: dict[str, int] = field(default_factory=dict)
    kinks: list[Kink] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)

    def skip(self, what: str) -> None:
        """Note, once, what was not checked, and why."""
        if what not in self.skipped:
            self.skipped.append(what)

    def held(self, check: str) -> None:
        """Count a check that held."""
        self.checks[check] = self.checks.get(check, 0) + 1

    def __str__(self) -> str:
        verdict = "nothing wrong found, not all checked" if self.skipped else "right"
        lines = [f"{self.name}: {verdict}, by {self.evaluations} evaluations"]
        lines += [f"  {check}: {count} times" for check, count in self.checks.items()]
        if self.kinks:
            lines.append(f"  kinks, not compared: {len(self.kinks)}, the first at {self.kinks[0]}")
        lines += [f"  constants: {', '.join(self.constants)}"] if self.constants else []
        lines += [f"  not checked: {what}" for what in self.skipped]
        return "\n".join(lines)


class GradientMismatch(TinygradError, AssertionError):
    """A derivative that does not hold what it must.

    Attributes
    ----------
    name, check : str
        What was checked, and for what ("gradient", "shape", "dtype", "linear in g", "input modified" ...).
    argument : int or None
        The place of the argument whose gradient is wrong, among all; `argument_name` is its name.
    index : tuple of int or None
        The entry that is furthest off, in the first failing case.
    analytic, numeric, ratio : float or None
        What the rule says of that entry, what differences say, and the one through the other.
    wrong, entries : int or None
        How many entries are wrong, of how many that were compared.
    where : array of bools or None
        Which.
    smallest : Point or None
        The smallest failing input that was found: `arrays`, `g`, `analytic`, `numeric`.
    diagnosis : Diagnosis or None
        Why, most likely: given when exactly one explanation fits all failing cases.
    """

    def __init__(
        self,
        name: str,
        check: str,
        text: str,
        names: Sequence[str] = (),
        point: Point | None = None,
        smallest: Point | None = None,
        diagnosis: Diagnosis | None = None,
        setting: str = "",
    ) -> None:
        self.name, self.check, self.text, self.names, self.setting = name, check, text, tuple(names), setting
        self.point, self.smallest, self.diagnosis = point, smallest, diagnosis
        self.argument = point.argument if point else None
        self.argument_name = names[point.argument] if point else None
        self.index: tuple[int, ...] | None = None
        self.analytic = self.numeric = self.ratio = None
        self.wrong = self.entries = self.where = None
        if point and point.numeric is not None and point.wrong is not None:
            self.where = point.wrong
            self.wrong, self.entries = int(point.wrong.sum()), int(np.isfinite(point.numeric).sum())
            off = np.where(point.wrong, np.abs(point.analytic - point.numeric), -1)
            off = np.where(np.isnan(off), np.inf, off)
            self.index = tuple(int(i) for i in np.unravel_index(int(off.argmax()), off.shape))
            self.analytic, self.numeric = float(point.analytic[self.index]), float(point.numeric[self.index])
            self.ratio = self.analytic / self.numeric if self.numeric else None
        super().__init__(self._message())

    def __reduce__(self) -> tuple[Any, ...]:
        given = self.name, self.check, self.text, self.names, self.point, self.smallest, self.diagnosis, self.setting
        return GradientMismatch, given

    def _message(self) -> str:
        of = f" of {self.argument_name}" if self.argument_name is not None else ""
        lines = [f"{self.name}: {self.text.replace('{of}', of)}"]
        if self.setting:
            lines.append(f"  called with {self.setting}")
        if self.index is not None:
            digits = 6 if self.ratio is None or abs(self.ratio - 1) > 1e-4 else 12
            ratio = f", ratio {self.ratio:.{digits}g}" if self.ratio is not None else ""
            at = f"at {list(self.index)} " if self.index else ""
            lines.append(f"  {at}the rule says {self.analytic:.9g}, differences say {self.numeric:.9g}{ratio}")
            lines.append(f"  {self.wrong} of {self.entries} entries are wrong")
        if self.where is not None and self.where.ndim and self.where.size > 1 and self.point is not None:
            lines += ["  where (# wrong, . right, ? not compared):", *drawn(self.where, self.point.numeric)]
        if self.diagnosis:
            lines.append(f"  most likely: {self.diagnosis.text}")
        if self.smallest and self.argument is not None:
            lines += ["  smallest failing input:", *self._spelt(self.smallest)]
        return "\n".join(lines)

    def _spelt(self, point: Point) -> list[str]:
        named = [*zip(self.names, point.arrays, strict=False), ("incoming gradient", point.g)]
        found = [(f"the rule's gradient of {self.argument_name}", point.analytic)]
        if point.numeric is not None:
            found.append(("by differences", point.numeric))
        digits = 6 if len({shown(array) for _, array in found}) == len(found) else 12
        return [f"    {name} = {shown(array, digits)}" for name, array in [*named, *found]]


def shown(array: Any, digits: int = 6) -> str:
    """An array as text, on one line if it is small; its shape where the text does not tell it."""
    array = np.asarray(array)
    if array.size > 64:
        return f"{array.dtype} of shape {array.shape}"
    text = np.array2string(array, separator=", ", precision=digits, suppress_small=False)
    text = " ".join(text.split())
    return text if array.size else f"[] of shape {array.shape}"


def drawn(wrong: Array, numeric: Array | None, rows: int = 12, columns: int = 60) -> list[str]:
    """A small map, one character an entry, of the first matrix that has a wrong one."""
    known = np.ones(wrong.shape, bool) if numeric is None else np.isfinite(numeric)
    marks = np.where(wrong, "#", np.where(known, ".", "?"))
    first = [int(i[0]) for i in np.nonzero(wrong)]
    ahead = tuple(first[:-2])
    matrix = np.atleast_2d(marks[ahead])
    top = max(0, first[-2] - rows // 2) if wrong.ndim > 1 and len(matrix) > rows else 0
    side = max(0, first[-1] - columns // 2) if matrix.shape[1] > columns else 0
    part = matrix[top : top + rows, side : side + columns]
    more = " ..." if matrix.shape[1] > side + columns else ""
    lines = [f"    {'... ' if side else ''}{''.join(row)}{more}" for row in part]
    lines += ["    ..."] if len(matrix) > top + rows else []
    return ([f"    in [{', '.join(map(str, ahead))}, ...]"] if ahead else []) + lines

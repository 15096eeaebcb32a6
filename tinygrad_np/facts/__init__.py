"""What is known of each function: its reference, where it is smooth, and what it does where it is not."""

from __future__ import annotations

from typing import Any

from tinygrad_np.facts import (
    choice,
    conv,
    differences,
    elementwise,
    exponentials,
    indexing,
    joining,
    linalg,
    logic,
    losses,
    placing,
    reductions,
    shape,
    sorting,
    statistics,
    trigonometry,
)
from tinygrad_np.facts.choices import Choices
from tinygrad_np.facts.common import (
    Convention,
    Facts,
    Refused,
    Trial,
    anywhere,
    distinct,
    entrywise,
    off_zero,
    positive,
    unary,
)

known: dict[Any, Facts] = {
    **elementwise.FACTS,
    **logic.FACTS,
    **choice.FACTS,
    **exponentials.FACTS,
    **trigonometry.FACTS,
    **reductions.FACTS,
    **shape.FACTS,
    **joining.FACTS,
    **placing.FACTS,
    **indexing.FACTS,
    **sorting.FACTS,
    **statistics.FACTS,
    **differences.FACTS,
    **linalg.FACTS,
    **conv.FACTS,
    **losses.FACTS,
}
"""The facts of every function of the package, and of those that users describe."""

__all__ = [
    "Choices",
    "Convention",
    "Facts",
    "Refused",
    "Trial",
    "anywhere",
    "distinct",
    "entrywise",
    "known",
    "off_zero",
    "positive",
    "unary",
]

"""What each primitive and derived function must do; `CASES` has a case for every one, or the suite fails."""

from tests.cases import (
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
from tests.cases.common import Case, Convention, Refused, Trial

CASES: dict[object, Case] = {
    **elementwise.CASES,
    **logic.CASES,
    **choice.CASES,
    **exponentials.CASES,
    **trigonometry.CASES,
    **reductions.CASES,
    **shape.CASES,
    **joining.CASES,
    **placing.CASES,
    **indexing.CASES,
    **sorting.CASES,
    **statistics.CASES,
    **differences.CASES,
    **linalg.CASES,
    **conv.CASES,
    **losses.CASES,
}

__all__ = ["CASES", "Case", "Convention", "Refused", "Trial"]

"""What each primitive and derived function must do; `CASES` has a case for every one, or the suite fails."""

from tests.cases import conv, elementwise, indexing, linalg, losses, reductions, shape
from tests.cases.common import Case, Convention, Refused, Trial

CASES: dict[object, Case] = {
    **elementwise.CASES,
    **reductions.CASES,
    **shape.CASES,
    **indexing.CASES,
    **linalg.CASES,
    **conv.CASES,
    **losses.CASES,
}

__all__ = ["CASES", "Case", "Convention", "Refused", "Trial"]

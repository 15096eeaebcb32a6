"""The page of all functions, made from registry and facts: ``python -m tests.pages`` writes docs/functions.md."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import tinygrad_np as tg
from tinygrad_np import ops
from tinygrad_np.derived import Derived
from tinygrad_np.errors import TinygradError
from tinygrad_np.facts import known
from tinygrad_np.primitives import Primitive
from tinygrad_np.signatures import spelt
from tinygrad_np.verify.subjects import call, live_places

PAGE = Path(__file__).parents[1] / "docs" / "functions.md"
FAMILIES = [m for m in vars(ops).values() if isinstance(m, ModuleType) and hasattr(m, "__all__")]
FLOATS = (np.float16, np.float32, np.float64, np.longdouble)
OTHERS = (np.int64, np.bool_)
LETTERS = {"float16": "f2", "float32": "f4", "float64": "f8", str(np.dtype(np.longdouble)): "g"} | {
    "int64": "i8",
    "int8": "i1",
    "bool": "b1",
}

HEAD = """# Functions

Every function of arrays at the top level of `tinygrad_np`, by NumPy's name and signature where NumPy has it. This page
is made from the registry by `python -m tests.pages`, and a test keeps it true.

**Order**: *any* means that gradients of gradients, to any order, are right; *zero* that gradients flow and are 0 (the
function is a staircase); *constant* that the result carries no gradient (yes or no, or places). **Kinks**: the
convention where there is no slope, or more than one. **Dtypes** of the result for arguments of half, single, double and
long double precision (f2 f4 f8 g), integers (i8) and bools (b1); *kept* where it is the argument's; `-` where NumPy
does not compute in it. The gradient has the argument's dtype in any case.

Where NumPy does not ask a tensor but converts it on its own, a tracked tensor ends in an error all the same, whose last
words may be NumPy's: `a[i] = t` and `a.fill(t)` ("setting an array element with a sequence"; its cause tells more, and
`set_at` is what to call), `np.fromiter(t, float)`, `np.sum(a, initial=t)`. As a `dtype=` NumPy takes a tensor for its
dtype. Never give one as `out=` to a random generator, which writes there without asking what it is.
"""
TABLE = "| function | what | order | kinks | dtypes |\n| --- | --- | --- | --- | --- |"


def summary(function: Any) -> str:
    """The first line of a docstring."""
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def kinks(function: Any) -> str:
    """The convention that a docstring states."""
    found = re.search(r"^Kinks: (.*?)(?=\n\n|\Z)", inspect.getdoc(function) or "", re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def tensors_of(function: Any, dtype: Any = np.float64) -> list[Any]:
    """The arguments of the base of its case, in a dtype; those that gradients flow to are leaves."""
    case = known[function]
    doubles = [np.asarray(a) for a in case.draw(np.random.default_rng(0), case.base.shapes)]
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in doubles]
    live = live_places(function, case, arrays)
    return [tg.tensor(a, requires_grad=i in live) for i, a in enumerate(arrays)]


def order(function: Any) -> str:
    """Found by differentiating twice."""
    tensors = tensors_of(function)
    out = call(function, known[function], tensors, known[function].base)
    if not out.requires_grad:
        return "constant"
    live = [t for t in tensors if t.requires_grad]
    gradients = tg.grad(out, live, seed=np.ones(out.shape), create_graph=True)
    return "any" if any(np.any(g.numpy()) for g in gradients) else "zero"


def dtypes(function: Any) -> str:
    """Found by calling it."""
    results = []
    with np.errstate(all="ignore"):
        for dtype in (*FLOATS, *OTHERS):
            try:
                out = call(function, known[function], tensors_of(function, dtype), known[function].base)
                results.append(LETTERS.get(str(out.dtype), str(out.dtype)))
            except (TinygradError, TypeError):
                results.append("-")
    floats, others = results[: len(FLOATS)], results[len(FLOATS) :]
    kept = floats == [LETTERS[str(np.dtype(d))] for d in FLOATS]
    if len(set(results)) == 1 or (kept and others == ["i8", "b1"]):
        return "kept" if kept else results[0]
    shown = "floats kept" if kept else floats[0] if len(set(floats)) == 1 else " ".join(floats)
    return f"{shown}; i8: {others[0]}, b1: {others[1]}"


def page() -> str:
    """The whole page."""
    sections, totals = [], [("family", "functions", "differentiable", "zero or constant")]
    for family in FAMILIES:
        known: dict[int, str] = {}
        rows, counts = [], {"any": 0, "zero": 0, "constant": 0}
        for name in sorted(family.__all__, key=lambda n: (n != str(getattr(family, n)), n)):
            function = getattr(family, name)
            if not isinstance(function, Primitive | Derived):
                continue
            if id(function) in known:
                rows.append((name, f"| `{name}` | the same as `{known[id(function)]}` | | | |"))
                continue
            known[id(function)] = name
            found = order(function)
            counts[found] += 1
            what = summary(function).replace("|", "\\|")
            cells = (
                f"`{name}{spelt(function)}`",
                what,
                found,
                kinks(function).replace("|", "\\|"),
                dtypes(function),
            )
            rows.append((name, f"| {' | '.join(cells)} |"))
        title = family.__name__.rsplit(".")[-1]
        table = "\n".join(row for _, row in sorted(rows))
        sections.append(f"## {title}\n\n{summary(family)}\n\n{TABLE}\n{table}\n")
        names = len(rows)
        totals.append((title, str(names), str(counts["any"]), str(counts["zero"] + counts["constant"])))
    sums = [str(sum(int(row[i]) for row in totals[1:])) for i in (1, 2, 3)]
    totals.append(("in all", *sums))
    lines = [f"| {' | '.join(row)} |" for row in totals]
    lines.insert(1, "| --- | ---: | ---: | ---: |")
    return "\n".join([HEAD, *lines, "", *sections])


if __name__ == "__main__":
    PAGE.write_text(page())

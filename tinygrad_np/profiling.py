"""Where the time goes: what each primitive costs, forward and backward, while a block runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from functools import cache
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from tinygrad_np.buffers import is_lent
from tinygrad_np.primitives import Node, Plan, Primitive, registry
from tinygrad_np.program import arrays, kept_memory, table
from tinygrad_np.values import Value

_inside = threading.local()  # a primitive that runs inside another's forward or rules is a part of that one
_lock = threading.Lock()
_profiles: list[profile] = []
_calls: dict[Primitive, Callable[..., Any]] = {}  # what was in the place of the functions that measure


class Row(NamedTuple):
    """What a primitive cost: calls and seconds, forward and backward, and bytes.

    `allocated` are new arrays that results and gradients are in, `lent` those in buffers used before; what a function
    makes and drops on its way is not counted. `kept` is what the tape keeps for its rules.
    """

    op: str
    calls: int = 0
    forward: float = 0.0
    backward_calls: int = 0
    backward: float = 0.0
    allocated: int = 0
    lent: int = 0
    kept: int = 0


class profile:
    """Measure the primitives that run while a ``with`` block does, in all threads; printed, a table.

    A graph's backward pass is measured if it was recorded in the block. What a primitive calls in its turn counts as
    its own. Nothing is slower outside of the block. Primitives defined inside of it are not seen.

    Attributes
    ----------
    rows : list of Row
        What each primitive cost, the dearest first.
    seconds : float
        How long the block took; what the rows do not add up to is Python's, the tape's and yours.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.profile() as profile:
    ...     (w * w).sum().backward()
    >>> sorted((row.op, row.calls, row.backward_calls, row.kept) for row in profile.rows)
    [('multiply', 1, 1, 16), ('sum', 1, 1, 0)]
    """

    def __init__(self) -> None:
        self._costs: dict[Primitive, Row] = {}
        self.seconds = 0.0

    def __enter__(self) -> profile:
        with _lock:
            if not _profiles:
                _watch()
            _profiles.append(self)
        self._begin = perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += perf_counter() - self._begin
        with _lock:
            _profiles.remove(self)
            if not _profiles:
                _unwatch()

    @property
    def rows(self) -> list[Row]:
        return sorted(self._costs.values(), key=lambda row: -(row.forward + row.backward))

    def to_json(self) -> str:
        """Seconds and all rows, as a JSON object."""
        return json.dumps({"seconds": self.seconds, "rows": [row._asdict() for row in self.rows]})

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("op", "calls", "forward", "backward", "share", "allocated", "lent", "kept")]
        for r in self.rows:
            share = (r.forward + r.backward) / self.seconds if self.seconds else 0.0
            times = f"{r.forward * 1e3:.3f} ms", f"{r.backward * 1e3:.3f} ms", f"{share:.0%}"
            rows.append((r.op, str(r.calls), *times, *(f"{n:,} B" for n in (r.allocated, r.lent, r.kept))))
        inside = sum(r.forward + r.backward for r in self.rows)
        return f"{table(rows)}\n{self.seconds * 1e3:.3f} ms in all, {inside * 1e3:.3f} ms of it in primitives"


def _note(primitive: Primitive, **costs: float) -> None:
    with _lock:
        for profile in _profiles:
            row = profile._costs.get(primitive) or Row(str(primitive))
            profile._costs[primitive] = row._replace(**{name: getattr(row, name) + n for name, n in costs.items()})


def _outermost(function: Callable[..., Any], given: tuple[Any, ...]) -> tuple[Any, float | None]:
    """The function's result, and its seconds unless it runs inside another that is measured."""
    if getattr(_inside, "now", False):
        return function(*given), None
    _inside.now = True
    try:
        begin = perf_counter()
        result = function(*given)
        return result, perf_counter() - begin
    finally:
        _inside.now = False


def _bytes(made: Iterable[Any], given: Iterable[Any]) -> dict[str, int]:
    """The bytes of the arrays that were made and are none of those given: new ones, and ones in lent buffers."""
    known, sizes = {id(array) for array in given}, {"allocated": 0, "lent": 0}
    for array in {id(a): a for a in made if isinstance(a, np.ndarray) and id(a) not in known}.values():
        if array.base is None:
            sizes["allocated"] += array.nbytes
        elif is_lent(array):
            sizes["lent"] += array.nbytes
    return sizes


def _forward(primitive: Primitive, call: Callable[..., Any]) -> Callable[..., Any]:
    """A primitive's call, measured; its node is given a plan that measures the way back."""

    def measured(*given: Any) -> Any:
        result, seconds = _outermost(call, given)
        node = result._node if isinstance(result, Value) else None
        if node is not None and node.plan is not None and node.plan.primitive is primitive:
            node.plan = _backward(node.plan)
        else:
            node = None
        if seconds is not None:
            saved = arrays(node.saved) if node is not None else []
            sizes = _bytes([*arrays(result), *saved], arrays(given))
            kept = sum(kept_memory(node).values()) if node is not None else 0
            _note(primitive, calls=1, forward=seconds, kept=kept, **sizes)
        return result

    return measured


@cache
def _backward(plan: Plan) -> Plan:
    """The same plan, with measured rules."""
    pull: Any = plan.pull
    primitive = plan.primitive

    def measured_pull(node: Node, saved: Any, g: Any, gradients: dict[Node, Any]) -> None:
        before = [g, *gradients.values()]
        _, seconds = _outermost(pull, (node, saved, g, gradients))
        if seconds is not None:
            made = [gradients.get(parent) for parent in node.parents]
            _note(primitive, backward_calls=1, backward=seconds, **_bytes(made, before))

    def measured_rule(rule: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any) -> Any:
            result, seconds = _outermost(rule, given)
            if seconds is not None:
                _note(primitive, backward_calls=1, backward=seconds, **_bytes(arrays(result), arrays(given)))
            return result

        return measured

    calls = tuple((position, measured_rule(rule), slots) for position, rule, slots in plan.calls)
    return plan._replace(calls=calls, pull=pull and measured_pull)


def _watch() -> None:
    """Put a function that measures in the place of each primitive's call."""
    for primitive in set(registry.values()):
        _calls[primitive] = primitive.compiled()
        primitive.call = _forward(primitive, _calls[primitive])


def _unwatch() -> None:
    while _calls:
        primitive, call = _calls.popitem()
        primitive.call = call
    _backward.cache_clear()

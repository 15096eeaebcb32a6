"""Mistakes told where they are made: values that are not finite, arrays changed too early, rules that edit in place."""

from __future__ import annotations

import linecache
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache, wraps
from inspect import signature
from typing import Any

import numpy as np

from tinygrad_np import codegen, derived, primitives
from tinygrad_np.errors import NonFiniteError, RuleError, StaleError
from tinygrad_np.primitives import Node, Plan, Primitive, fit
from tinygrad_np.program import arrays
from tinygrad_np.values import Array, Value

_inside = threading.local()  # `scope`: what runs now and is looked at as a whole
_lock = threading.Lock()
_open: list[debug] = []
_swapped: dict[Any, tuple[str, Any, Any]] = {}  # by object: an attribute, what looks and is there now, what was there
_compiled = Primitive.compiled
_PATHS = tuple(str(module.__file__).rpartition(os.sep)[0] + os.sep for module in (primitives, np))
_GATES = ("where", "keep_where", "select", "choose", "piecewise")


class debug:
    """Look at all that primitives compute, and at all that is pulled back through them, while a ``with`` block runs.

    Three things are then errors, which tell the operation, the argument, the entry, and the line of yours that recorded
    it: the first NaN or infinity, forward or backward (`NonFiniteError`); an array that was written into after it was
    recorded (`StaleError`, when the gradient is taken); a forward or a rule that writes into what it is given
    (`RuleError`). The trap of ``where(x > 0, sqrt(x), 0)``, whose gradient at 0 is NaN, is told by name.

    All threads are seen. What is recorded in the block is looked at whenever its gradient is taken, what was recorded
    before it never. Rules run in the place of kernels, and arrays are copied: a step takes two to four times as long,
    and up to twenty times with small arrays. Outside of blocks nothing is slower. Of several blocks that are open, the
    one opened last decides.

    Parameters
    ----------
    nan, infinity : bool
        Whether these are errors; say ``infinity=False`` where you compute with infinities on purpose.
    changes : bool
        Whether arrays are copied when they are recorded, and held against their copies before a rule uses them.

    Examples
    --------
    >>> import numpy as np, tinygrad_np as tg
    >>> w, a = tg.tensor([1.0, 2.0], requires_grad=True), np.ones(2)
    >>> with tg.debug():
    ...     y = w * a
    ...     a[0] = 5.0
    ...     y.sum().backward()
    Traceback (most recent call last):
    ...
    tinygrad_np.errors.StaleError: multiply: its rule needs 'y' as it was when recorded, but at index (0,) it was 1.0...
    """

    def __init__(self, *, nan: bool = True, infinity: bool = True, changes: bool = True) -> None:
        self.nan, self.infinity, self.changes = nan, infinity, changes

    def __enter__(self) -> debug:
        with _lock:
            if not _open:
                _watch()
            _open.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        with _lock:
            _open.remove(self)
            if not _open:
                _unwatch()

    def first_bad(self, array: Array) -> tuple[int, ...] | None:
        """The index of the first entry that is an error here, if there is one."""
        if array.dtype.kind != "f" or not (self.nan or self.infinity) or np.isfinite(array).all():
            return None
        bad = np.isnan(array) & self.nan | np.isinf(array) & self.infinity
        return _first(bad) if bad.any() else None


def _first(chosen: Array) -> tuple[int, ...]:
    """The index of the first True."""
    return tuple(map(int, np.unravel_index(int(np.argmax(chosen)), chosen.shape)))


# --- what is told -----------------------------------------------------------------------------------------------------


def _users_line() -> tuple[str, int]:
    """The innermost line that runs now and is neither this package's nor NumPy's."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((*_PATHS, "<call of ", "<pull of ")):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _told(what: str, line: tuple[str, int]) -> str:
    source = linecache.getline(*line).strip()
    return f"\n  {what} at {line[0]}:{line[1]}" + (f"\n    {source}" if source else "")


def _entry(array: Any, index: tuple[int, ...]) -> str:
    return f"{array[index]}{f' at index {index}' if index else ''}"


def _entries(named: dict[str, Any], array: Array, index: tuple[int, ...]) -> str:
    """What stands where `array` has the index in those, by name, that are numbers or of its shape."""
    found = []
    for name, value in named.items():
        given = np.asarray(_plain(value)) if isinstance(value, (Value, np.ndarray, np.generic, int, float)) else None
        if given is not None and given.shape in (array.shape, ()):
            found.append(f"{name} is {given[index if given.shape else ()]}")
    return f", where {' and '.join(found)}" if found else ""


def _plain(value: Any) -> Any:
    return value._array if isinstance(value, Value) else value


def _numbers(value: Any) -> list[Array]:
    """What a function gave as arrays, NumPy's numbers too."""
    if isinstance(value, (list, tuple)):
        return [array for v in value for array in _numbers(v)]
    return [np.asarray(_plain(value))] if isinstance(value, (Value, np.ndarray, np.generic)) else []


def _flat(named: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Arguments by name, and the items of those that are sequences."""
    for name, value in named:
        if isinstance(value, (list, tuple)):
            yield from _flat((f"{name}[{i}]", item) for i, item in enumerate(value))
        else:
            yield name, value


def _origin(value: Any) -> str:
    """What the argument of a call is."""
    node = value._node if isinstance(value, Value) else None
    if node is not None:
        record = _record_of(node)
        made = f"made by {record.op if record else f'{node}, which was recorded before debug()'}"
        return str(node) if node.plan is None else made
    if isinstance(value, Value):
        return f"the constant {value._storage.name!r}" if value._storage and value._storage.name else "a constant"
    return "a plain array" if isinstance(value, np.ndarray) else "a number"


def _safe(op: str, arguments: Iterable[str], guarded: Iterable[str]) -> str:
    what = ", ".join(f"where(mask, {name}, 1)" if name in guarded else name for name in arguments)
    return f"make the arguments safe first: where(mask, {op}({what}), 0)"


def _of_result(
    op: str, watcher: debug, array: Array, index: tuple[int, ...], given: Iterable[tuple[str, Any]], hint: bool
) -> str:
    """What is wrong with a result, and with which argument it began."""
    text, line = f"{op}: its result of shape {array.shape} is {_entry(array, index)}", _told("computed", _users_line())
    named = dict(_flat(given))
    for name, value in named.items():
        plain = np.asarray(_plain(value))
        place = watcher.first_bad(plain)
        if place is not None:
            return f"{text}, as its argument {name!r} ({_origin(value)}) is {_entry(plain, place)} already{line}"
    text += f"{_entries(named, array, index)}{line}"
    alike = {n: v for n, v in named.items() if isinstance(v, (Value, np.ndarray)) and _plain(v).shape == array.shape}
    if hint and any(isinstance(v, Value) and v._node is not None for v in alike.values()):
        # Whether a where() follows cannot be known yet.
        text += "\n  If a where() after it leaves this entry out, its gradient may be nan all the same; "
        text += _safe(op, named, alike)
    return text


# --- looking at a result ----------------------------------------------------------------------------------------------


class _Scope:
    """A function that is looked at as a whole, and what in it would have been an error by itself."""

    def __init__(self, name: str) -> None:
        self.name, self.first = name, ""

    def told(self) -> str:
        return f"\n  first in it: {self.first}" if self.first else ""


def _scope() -> _Scope | None:
    return getattr(_inside, "scope", None)


def _report(text: str, hidden: _Scope | None, told: str = "") -> None:
    """Raise an error; or, where it is hidden in something that is looked at as a whole, leave it there."""
    if hidden is None:
        raise NonFiniteError(text + told)
    hidden.first = hidden.first or text.replace("\n", "\n  ")


Check = Callable[[Any, _Scope], bool]
"""Looks at a function's result, and tells whether it reported anything, if that was hidden."""


def _run(function: Callable[[], Any], name: str, check: Check) -> Any:
    """The function's result, which was checked, what it calls being looked at as a part of it.

    Where a warning of NumPy is an error, the check comes before it: it says more.
    """
    outer = _scope()
    scope = outer or _Scope(name)

    def run() -> Any:
        _inside.scope = scope
        try:
            return function()
        finally:
            _inside.scope = outer

    try:
        result = run()
    except (FloatingPointError, RuntimeWarning):
        if outer is None:
            with np.errstate(all="ignore"):
                result = run()
            if check(result, scope):
                return result
        raise
    check(result, scope)
    if outer is None:
        scope.first = ""
    return result


def _locked(value: Any) -> Any:
    """A read-only view of an array, or of those in a list."""
    if type(value) is list:
        return list(map(_locked, value))
    if type(value) is np.ndarray and value.flags.writeable:
        value = value.view()
        value.flags.writeable = False
    return value


def _guarded(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """The function, given read-only arrays."""

    @wraps(function)
    def guarded(*given: Any, **keywords: Any) -> Any:
        try:
            return function(*map(_locked, given), **keywords)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise RuleError(
                f"{what} writes into an array that it is given, which is not its own ({error}); compute a new one, "
                "x = x * 2 and not x *= 2"
            ) from error

    return guarded


class _Checked(Primitive):
    """A primitive whose forward is given read-only arrays, and stands for its kernel."""

    def __init__(self, primitive: Primitive) -> None:
        usual = primitive.forward
        guarded = _guarded(usual, f"{primitive}: its forward")

        @wraps(usual)
        def forward(*given: Any, **keywords: Any) -> Any:
            result = guarded(*given, **keywords)
            if all(array.flags.writeable for array in arrays(result)):
                return result
            return usual(*given, **keywords)  # a view, which is to be one of what was given

        vars(self).update(vars(primitive), forward=forward, kernel=None, make_plan=primitive.make_plan)

    def __format__(self, spec: str) -> str:
        return str(self) + ", checked"  # in tracebacks


def _looking_call(primitive: Primitive) -> Callable[..., Any]:
    """A primitive's call that looks at its result, and gives its node rules that look at theirs."""
    op, usual = str(primitive), _compiled(primitive)
    compiled = cache(lambda: codegen.write_call(_Checked(primitive), Node, Primitive.result))

    def call(*given: Any) -> Any:
        (watcher,) = _open[-1:] or (None,)
        if watcher is None:  # a profile that began later, and is still open, calls this
            return usual(*given)
        outer = _scope()

        def check(result: Any, scope: _Scope) -> bool:
            for array in _numbers(result):
                index = watcher.first_bad(array)
                if index is not None:
                    given_names = zip(primitive.arguments, given, strict=False)
                    text = _of_result(op, watcher, array, index, given_names, outer is None)
                    _report(text, outer, scope.told())
                    return True
            return False

        result = _run(lambda: compiled()(*given), op, check)
        node = result._node if isinstance(result, Value) else None
        if node is not None and node.plan is not None and node.plan.primitive is primitive:
            _look_at(node, _Record(op, outer, watcher))
        return result

    return call


def _looking_function(function: derived.Derived) -> Callable[..., Any]:
    """A derived function that looks at its results, and not at what it computes on its way to them."""
    usual = function.function

    @wraps(usual)
    def call(*args: Any, **keywords: Any) -> Any:
        (watcher,) = _open[-1:] or (None,)
        if watcher is None or _scope() is not None:
            return usual(*args, **keywords)

        def check(results: Any, scope: _Scope) -> bool:
            for array in _numbers(results):
                index = watcher.first_bad(array)
                if index is not None:
                    given = signature(usual).bind(*args, **keywords).arguments.items()
                    _report(_of_result(str(function), watcher, array, index, given, True), None, scope.told())
            return False

        return _run(lambda: usual(*args, **keywords), str(function), check)

    return call


# --- looking at the way back ------------------------------------------------------------------------------------------


class _Record:
    """What there is to tell of a recorded call: its name, what it was a part of, the user's line."""

    def __init__(self, name: str, scope: _Scope | None, watcher: debug) -> None:
        self.name, self.scope, self.watcher = name, scope, watcher
        self.op = name
        if scope is not None:
            self.op = scope.name if name == f"_{scope.name}" else f"{name} in {scope.name}"
        self.line = _users_line()
        self.gate: _Record | None = None  # what made exact zeros of the gradient on its way to here

    def is_gate(self) -> bool:
        return self.name.lstrip("_") in _GATES


class _Plan(Plan):
    """The plan of one node."""

    record: _Record

    def _replace(self, **changes: Any) -> _Plan:
        plan = super()._replace(**changes)
        plan.record = self.record
        return plan


def _record_of(node: Any) -> _Record | None:
    return node.plan.record if node is not None and isinstance(node.plan, _Plan) else None


def _look_at(node: Any, record: _Record) -> None:
    """Give a node copies of what it saved, and rules that look."""
    plan, copies, calls = node.plan, {}, list[Any]()
    if record.watcher.changes:
        copies = {slot: _copy(node.saved[slot], place) for slot, place in enumerate(plan.keep) if place >= 0}
    for position, rule, slots in plan.calls:
        names = {slot: plan.primitive.names[plan.keep[slot]] if plan.keep[slot] >= 0 else "" for slot in slots}
        looking = _LookingRule(record, plan.primitive, position, rule, names, node.parents)
        calls.append((position, looking, (*slots, len(plan.keep))))
    node.saved = (*node.saved, copies)  # freed with the rest
    node.plan = _Plan(plan.primitive, tuple(calls), (*plan.keep, ~0), plan.pick, None)
    node.plan.record = record


def _copy(item: Any, place: int) -> Any:
    """A copy of what was saved, where anybody could write into it: not into results in memory of their own."""
    if isinstance(item, (list, tuple)):
        return [_copy(i, place) for i in item]
    array, result = _plain(item), place == 0 or (isinstance(item, Value) and item._storage is None)
    return array.copy() if isinstance(array, np.ndarray) and not (result and array.base is None) else None


def _change(item: Any, copy: Any, name: str) -> str:
    """What is no longer as it was."""
    if type(copy) is list:
        pairs = enumerate(zip(item, copy, strict=False))
        return next(filter(None, (_change(part, former, f"{name}[{i}]") for i, (part, former) in pairs)), "")
    if copy is None:
        return ""
    array, expected = _plain(item), f"{name!r} as it was when recorded, but"
    if array.shape != copy.shape:
        return f"{expected} its shape was {copy.shape} and is {array.shape} now"
    changed = np.asarray((array != copy) & ((array == array) | (copy == copy)))  # NaN is as it was if it is NaN
    if not changed.any():
        return ""
    index = _first(changed)
    return f"{expected}{f' at index {index}' if index else ''} it was {copy[index]} and is {array[index]} now"


class _LookingRule:
    """A rule of a node, which looks at what it is given and at what it returns."""

    def __init__(
        self, record: _Record, primitive: Primitive, position: int, rule: Any, names: dict[int, str], parents: Any
    ) -> None:
        self.record, self.primitive, self.position, self.parents = record, primitive, position, parents
        self.names = names  # by slot: what it asks for; "" for a shape
        self.argument = primitive.arguments[position] if position >= 0 else "g"
        self.rule = _guarded(rule, f"{record.op}: its rule for {self.argument!r}")

    def __call__(self, g: Any, *given: Any) -> Any:
        *asked, copies = given
        record, first_bad = self.record, self.record.watcher.first_bad
        for (slot, name), item in zip(self.names.items(), asked, strict=True):
            if change := _change(item, copies.get(slot), name):
                raise StaleError(
                    f"{record.op}: its rule needs {change}; write into it after the gradient is taken, or give a copy, "
                    f"tensor(a){_told('recorded', record.line)}"
                )
        for array in _numbers(g):
            index = first_bad(array)
            if index is not None:
                text = f"{record.op}: the gradient that comes to it, of shape {array.shape}, is {_entry(array, index)}"
                why = (
                    ": so in the seed, in a sum of gradients, or as an operation recorded before debug() passes it back"
                )
                _report(text + why + _told("recorded", record.line), _scope() or record.scope)

        def check(result: Any, scope: _Scope) -> bool:
            found = False
            for label, part, parent in self.parts(result):
                for array in _numbers(part):
                    index = first_bad(array)
                    if index is not None:
                        self.report(label, array, index, g, asked, parent, scope)
                        found = True
                self.pass_on(g, part, parent)
            return found

        name = f"the rule of {record.op}"
        result = _run(lambda: self.rule(g, *asked), name, check)
        if self.position < 0 or self.primitive.sequence:
            return result
        parent, wrapped = self.parents[self.position], isinstance(g, Value)
        return _run(
            lambda: fit(result, self.primitive, self.position, parent, wrapped), name, check
        )  # which may add up

    def parts(self, result: Any) -> Iterator[tuple[str, Any, Any]]:
        """What the rule returned: for what, the gradient, and the parent."""
        if self.position < 0:
            yield "its result, by the rule for 'g',", result, None
        elif not self.primitive.sequence:
            yield f"its argument {self.argument!r}", result, self.parents[self.position]
        elif isinstance(result, (list, tuple)):
            for i, (part, parent) in enumerate(zip(result, self.parents, strict=False)):
                if parent is not None:
                    yield f"its argument '{self.argument}[{i}]'", part, parent

    def report(
        self, label: str, array: Array, index: tuple[int, ...], g: Any, asked: list[Any], parent: Any, scope: _Scope
    ) -> None:
        record, after = self.record, _record_of(parent)
        named = {"g": g} | {name: item for name, item in zip(self.names.values(), asked, strict=True) if name}
        text = f"{record.op}: the gradient of {label} of shape {array.shape} is {_entry(array, index)}"
        text += _entries(named, array, index) + _told("recorded", record.line)
        g, gate = _plain(g), record.gate
        if np.isnan(array[index]) and np.shape(g) in (array.shape, ()) and g[index if np.ndim(g) else ()] == 0:
            text += "\n  0 times an infinite slope is nan"
            if gate is not None and gate.is_gate():
                text += ": the trap of where, which passes exact zeros back to what it does not take; "
                text += _safe(record.name, self.primitive.arguments, self.primitive.arguments)
            if gate is not None:
                text += _told(f"the zero is made by {gate.op}, recorded", gate.line)
        inner = parent is None or (after is not None and after.scope is record.scope)
        _report(
            text, _scope() or (record.scope if inner else None), record.scope.told() if record.scope else scope.told()
        )

    def pass_on(self, g: Any, part: Any, parent: Any) -> None:
        """Note for the next what made exact zeros of the gradient on its way; a gate rather than anything else."""
        after, before, now = _record_of(parent), _plain(g), _plain(part)
        if after is not None:
            closes = np.shape(before) == np.shape(now) and np.any((now == 0) & (before != 0))
            gates = [r for r in (after.gate, self.record.gate, self.record if closes else None) if r is not None]
            after.gate = next((r for r in gates if r.is_gate()), gates[0] if gates else None)


# --- opening and closing ----------------------------------------------------------------------------------------------


def _swap(thing: Any, attribute: str, looking: Any) -> None:
    _swapped[thing] = attribute, looking, getattr(thing, attribute)
    setattr(thing, attribute, looking)


def _watch_primitive(primitive: Primitive) -> None:
    looking = _looking_call(primitive)  # compiles what is then there
    _swap(primitive, "call", looking)


def _compiled_inside(self: Primitive) -> Callable[..., Any]:
    """`Primitive.compiled`, for what is defined while a block is open."""
    call = _compiled(self)
    with _lock:
        if _open and self not in _swapped:
            _watch_primitive(self)
            call = self.call
    return call


def _watch() -> None:
    for primitive in set(primitives.registry.values()):
        _watch_primitive(primitive)
    for function in set(derived.registry.values()):
        _swap(function, "function", _looking_function(function))
    Primitive.compiled = _compiled_inside  # type: ignore[method-assign]


def _unwatch() -> None:
    Primitive.compiled = _compiled  # type: ignore[method-assign]
    while _swapped:
        thing, (attribute, looking, usual) = _swapped.popitem()
        if getattr(thing, attribute) is looking:
            setattr(thing, attribute, usual)

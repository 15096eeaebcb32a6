"""Primitives write down what they did; `grad` reads the derivative off that tape, last line first.

Read it from top to bottom: `no_grad` (when nothing is recorded), `Node` (one line of the tape), `Plan` and `Primitive`
(a function, its rules, and what they want kept), `tape` (the lines in the order they ran), `pull_back` (the walk that
is reverse-mode differentiation), `grad` (the door to it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from functools import partial, update_wrapper
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, overload

import numpy as np

from tinygrad_np import errors, program, values
from tinygrad_np.signatures import check_rules, parameters, read_forward
from tinygrad_np.values import Array, Value

Rule = Callable[..., Any]

_recording: ContextVar[bool] = ContextVar("recording", default=True)

registry: dict[str, Primitive] = {}
"""Every primitive by ``module.name``; what is defined again (a notebook cell run twice) replaces the former."""


class recording(ContextDecorator):
    """Set whether operations are recorded, for a block or a function, in this thread or asyncio task."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self.tokens.append(_recording.set(self.mode))

    def __exit__(self, *_: object) -> None:
        _recording.reset(self.tokens.pop())

    def __call__(self, function: Any) -> Any:
        if isgeneratorfunction(function) or iscoroutinefunction(function) or isasyncgenfunction(function):
            raise errors.resumed_function(function.__name__)
        return super().__call__(function)

    def _recreate_cm(self) -> recording:
        return recording(self.mode)  # each call of a decorated function has tokens of its own


def no_grad() -> recording:
    """Compute without recording: inside, results are constants. Use it in a ``with`` statement or as a decorator.

    The mode belongs to the thread or asyncio task that set it, and is restored when the block ends, however it ends.
    Never ``yield`` inside the block: until the generator goes on, the mode would be its caller's.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     y = w * 3
    >>> y.requires_grad
    False
    """
    return recording(False)


class Node:
    """One line of the tape: which primitive ran, on what, and the values that its rules asked to keep.

    A node points at its parents and never at its own result, so that memory goes by reference counts alone.
    """

    __slots__ = ("birth", "dtype", "parents", "plan", "saved", "shape")

    def __init__(self, plan: Any, parents: tuple[Any, ...], saved: tuple[Any, ...] | None, out: Array) -> None:
        self.plan = plan  # a Plan, or None for a leaf
        self.parents = parents  # a node for each argument, None for a constant
        self.saved = saved  # in the order of Plan.keep; None once backward() has freed it
        self.shape = out.shape
        self.dtype = out.dtype
        self.birth = next(values.clock)

    def __str__(self) -> str:
        return str(self.plan.primitive) if self.plan else "leaf"


class Plan(NamedTuple):
    """For one set of live arguments: the rules to run, and what these want kept of a call (see `Primitive._places`).

    A call is a rule with the position of its argument (-1 for the rule called g) and where in `Node.saved`, which has
    the order of `keep`, the values stand that it asks for.
    """

    primitive: Primitive
    calls: tuple[tuple[int, Rule, tuple[int, ...]], ...]
    keep: tuple[int, ...]


class Primitive:
    """A function of arrays, with one rule per argument that pulls a gradient back through it.

    Given arrays it computes and returns arrays; given a `Tensor` among them it records and returns a Tensor. See
    `primitive` for how to write one.
    """

    result: ClassVar[type[Value]] = Value  # tensors.py puts Tensor here

    def __init__(
        self, forward: Any, broadcasts: bool = False, sequence: bool = False, byproducts: tuple[str, ...] = ()
    ) -> None:
        self.arguments, self.static, self._defaults = read_forward(forward, sequence, byproducts)
        self.forward = forward
        update_wrapper(self, forward)
        self.broadcasts, self.sequence, self.byproducts = broadcasts, sequence, byproducts
        self.names = ("out", *self.arguments, *self.static, *byproducts)
        self.first_byproduct = len(self.names) - len(byproducts)
        self.rules: dict[str, Rule | None] = {}
        self._usual = tuple(self._defaults[n] for n in self.static if n in self._defaults)
        self._arity = len(self.arguments) if len(self._usual) == len(self.static) else -1  # -1: always bind
        self._plans: dict[tuple[bool, ...], Plan] = {}
        registry[f"{self.__module__}.{forward.__qualname__}"] = self

    def __repr__(self) -> str:
        return f"<primitive {self}({', '.join((*self.arguments, '/', *self.static))})>"

    def __str__(self) -> str:
        return str(self.forward.__name__)

    __reduce__ = __str__  # copies and pickles are this very object, by its name in its module

    def def_vjp(self, /, **rules: Rule | None) -> None:
        """Give the rule of every array argument by its name: a function of ``g`` and of what it needs, or None.

        A rule's own parameter list says what the tape keeps: ``g`` (the incoming gradient, first), ``out``, arguments,
        ``<argument>_shape``, static parameters, by-products. None makes the argument a constant. A rule called ``g``
        runs once, before the others, and what it returns is their ``g``.

        Raises
        ------
        RuleError
            If an argument has no rule, a rule has no argument, or a rule asks for something that there is not.
        """
        check_rules(str(self), self.arguments, self._places(), rules)
        self.rules = rules
        self._plans.clear()

    def _places(self) -> dict[str, int]:
        """Where the things that a rule may ask for stand when a call is recorded; ~i for the shape of the i-th."""
        places = {name: i for i, name in enumerate(self.names)}
        return places | {f"{argument}_shape": ~places[argument] for argument in self.arguments}

    def _plan(self, live: tuple[bool, ...]) -> Plan:
        """Work out, once per set of arguments that need gradients, which rules to run and what they need kept."""
        if not self.rules:
            raise errors.no_rules(str(self), self.arguments)
        places, keep, calls = self._places(), dict[int, int](), []
        for position, argument in enumerate(("g", *self.arguments), -1):
            rule = self.rules.get(argument)
            if rule is not None and (position < 0 or live[position]):
                asked = [places[name] for name in (parameters(rule) or ())[1:]]
                calls.append((position, rule, tuple(keep.setdefault(place, len(keep)) for place in asked)))
        # A rule g= alone has no argument to pass its result to.
        plan = Plan(self, tuple(calls) if calls and calls[-1][0] >= 0 else (), tuple(keep))
        self._plans[live] = plan
        return plan

    def _bind(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Sort what a call gave by position and keyword into array arguments and static parameters."""
        count, names = len(self.arguments), self.arguments + self.static
        if not keywords and len(args) == len(names):
            return args[:count], args[count:]
        bound = self._defaults | dict(zip(names, args, strict=False)) | keywords
        if len(args) > len(names) or bound.keys() != set(names) or not keywords.keys().isdisjoint(names[: len(args)]):
            raise errors.call(str(self), names, len(args), keywords)
        return tuple(bound[n] for n in self.arguments), tuple(bound[n] for n in self.static)

    def __call__(self, /, *args: Any, **keywords: Any) -> Any:
        static = self._usual
        if keywords or len(args) != self._arity:
            args, static = self._bind(args, keywords)
        operands = list(args[0]) if self.sequence else args
        arrays: list[Any] = []
        parents: list[Node | None] = []
        tensors = 0
        for operand in operands:
            node = None
            if isinstance(operand, Value):
                tensors, node, operand = tensors + 1, operand._node, operand._array
            elif type(operand) is not np.ndarray and isinstance(operand, (np.ndarray, list, tuple)):
                operand = values.plain(str(self), operand)
            arrays.append(operand)
            parents.append(node)
        try:
            out = self.forward(arrays, *static) if self.sequence else self.forward(*arrays, *static)
        except (ValueError, TypeError, IndexError) as error:
            errors.refuse(error, str(self), arrays, dict(zip(self.static, static, strict=True)))
        byproducts: list[Any] = []
        if self.byproducts:
            out, *byproducts = values.all_results(str(self), out, self.byproducts)
        if not tensors:
            return out
        if type(out) is not np.ndarray:
            out = values.as_result(str(self), out)
        # A view of a leaf goes stale with it.
        storage = values.shared_storage(out, operands) if out.base is not None or id(out) in map(id, arrays) else None
        live = (any(parents),) if self.sequence else tuple([node is not None for node in parents])
        plan = (self._plans.get(live) or self._plan(live)) if any(live) and _recording.get() else None
        if plan is None or not plan.calls or out.dtype.kind in "biu":
            return self.result(out, None, storage)
        if out.dtype.kind != "f":
            raise errors.no_real_result(str(self), out.dtype)
        saved: tuple[Any, ...] = ()
        if plan.keep:
            given = operands if tensors == len(arrays) else list(map(values.given, operands, arrays))
            result = out if storage is None else Value(out, None, storage)
            guarded = [Value(b, None, s) if (s := values.shared_storage(b, operands)) else b for b in byproducts]
            known = (result, *((given,) if self.sequence else given), *static, *guarded)
            saved = tuple([known[i] if i >= 0 else values.shape_of(known[~i]) for i in plan.keep])
        return self.result(out, Node(plan, tuple(parents), saved, out), storage)


@overload
def primitive(forward: Callable[..., Any], /) -> Primitive: ...
@overload
def primitive(
    *, broadcasts: bool = False, sequence: bool = False, byproducts: tuple[str, ...] = ()
) -> Callable[[Callable[..., Any]], Primitive]: ...
def primitive(forward: Any = None, /, **options: Any) -> Any:
    """Make a `Primitive` of a function of arrays; then give its rules with ``def_vjp``.

    Parameters
    ----------
    forward
        A function that takes arrays before a ``/`` and static parameters (an axis, a shape) after it, and returns an
        array. It changes none of its arguments. Its rules use operators and primitives of this package, not NumPy's
        functions, so that they can be recorded and differentiated in their turn.
    broadcasts
        The arguments are broadcast as NumPy does; the engine then sums each gradient back to its argument's shape.
    sequence
        The one argument is a sequence of arrays; its rule returns a sequence of as many gradients.
    byproducts
        Names of further results that `forward` returns after its first, for rules to use and nobody else to see.

    Examples
    --------
    >>> import numpy as np, tinygrad_np as tg
    >>> @tg.primitive
    ... def cube(x, /):
    ...     return x**3
    >>> cube.def_vjp(x=lambda g, x: g * 3 * x**2)
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> tg.grad(cube(w).sum(), w)
    tensor([ 3., 12.])
    """
    return partial(Primitive, **options) if forward is None else Primitive(forward)


class Tape(tuple[Node, ...]):
    """The nodes that a result was computed by, in the order they ran; printed, a numbered program."""

    __slots__ = ()

    def __str__(self) -> str:
        return program.text(self)


def tape(result: Any) -> Tape:
    """Return the nodes that `result` was computed by, in the order they ran.

    Raises
    ------
    GraphError
        If `result` was computed from constants alone, or `backward` has freed a part of its graph.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> print(tg.tape((w * w).sum()))
        op        inputs  shape  dtype    kept
    %0  leaf w            (2,)   float64  0 B
    %1  multiply  %0 %0   (2,)   float64  16 B
    %2  sum       %1      ()     float64  0 B
    3 lines keep 16 B, shared arrays counted once
    """
    if not isinstance(result, Value):
        raise errors.no_tensor("tape", "result", result)
    if result._node is None:
        raise errors.constant_result("tape")
    seen, waiting = {result._node}, [result._node]
    while waiting:
        node = waiting.pop()
        if node.saved is None:
            raise errors.freed(str(node))
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return Tape(sorted(seen, key=attrgetter("birth")))


def _recall(node: Node, place: int, value: Any, wrapped: bool) -> Any:
    """A saved value as a rule wants it: an array, or a Tensor where the rule itself is recorded; never a stale one."""
    if isinstance(value, Value):
        storage = value._storage
        if storage is not None and storage.written > node.birth:
            raise errors.stale(str(node), node.plan.primitive.names[place], storage.name, value._array.shape)
        if not wrapped:
            return value._array
        return value if place else Primitive.result(value._array, node, storage)
    if type(value) is list:  # the arguments of a sequence primitive
        return [_recall(node, place, item, wrapped) for item in value]
    if wrapped and place >= node.plan.primitive.first_byproduct and values.is_real(value):
        raise errors.real_byproduct(str(node), node.plan.primitive.names[place])
    return Primitive.result(value, node) if wrapped and place == 0 else value


def _fit(gradient: Any, primitive: Primitive, position: int, parent: Node, wrapped: bool) -> Any:
    """What a rule returned, in its argument's shape and dtype; a Tensor if the rule was to be recorded, or an array."""
    shape = getattr(gradient, "shape", None)
    fits = shape == parent.shape or (primitive.broadcasts and shape is not None and values.sums_to(shape, parent.shape))
    if not fits or gradient.dtype.kind not in "fiub":
        raise errors.rule_result(str(primitive), primitive.arguments[position], parent, gradient)
    if wrapped != isinstance(gradient, Value):
        gradient = Primitive.result(np.asarray(gradient)) if wrapped else gradient._array
    gradient = gradient if shape == parent.shape else values.sum_to(gradient, parent.shape)
    return gradient if gradient.dtype == parent.dtype else gradient.astype(parent.dtype)


def pull_back(order: Tape, seed: Any, wanted: set[Any], wrapped: bool) -> dict[Any, Any]:
    """Walk the tape from its last line to its first; return the gradients of the wanted nodes.

    They may share memory with each other, the seed and what the tape keeps: callers copy what they hand out.
    """
    active: set[Any] = set(wanted)
    for node in order:
        if not active.isdisjoint(node.parents):
            active.add(node)
    gradients: dict[Any, Any] = {order[-1]: seed}
    for node in reversed(order):
        plan, saved = node.plan, node.saved
        if plan is None or node not in gradients or node not in active:
            continue
        if saved is None:  # freed since the walk began
            raise errors.freed(str(node))
        primitive = plan.primitive
        g = gradients[node] if node in wanted else gradients.pop(node)
        for position, rule, slots in plan.calls:
            if position >= 0 and not primitive.sequence and node.parents[position] not in active:
                continue
            asked = [_recall(node, plan.keep[i], saved[i], wrapped) for i in slots]
            result = rule(g, *asked)
            if position < 0:
                g = result
                continue
            pairs = _pairs(node, result) if primitive.sequence else ((node.parents[position], result),)
            for parent, part in pairs:
                if parent not in active:
                    continue
                fits = type(part) is np.ndarray and part.shape == parent.shape and part.dtype is parent.dtype
                if wrapped or not fits:
                    part = _fit(part, primitive, position, parent, wrapped)
                # Never added into: a rule may have returned what others hold.
                gradients[parent] = gradients[parent] + part if parent in gradients else part
    return {node: gradients[node] for node in order if node in wanted and node in gradients}


def _pairs(node: Node, gradients: Any) -> Iterable[tuple[Any, Any]]:
    """The gradients that the rule of a sequence returned, each with the node that it is for."""
    if not isinstance(gradients, (list, tuple)) or len(gradients) != len(node.parents):
        raise errors.rule_count(str(node), len(node.parents), gradients)
    return zip(node.parents, gradients, strict=True)


def grad(loss: Any, wrt: Any, seed: Any = None, create_graph: bool = False, allow_unused: bool = False) -> Any:
    """Return the gradient of `loss` by each tensor of `wrt`. The graph stays as it was, to be used again.

    Parameters
    ----------
    loss : Tensor
        A scalar; or of any shape, with `seed`.
    wrt : Tensor or sequence of Tensors
        Leaves or intermediate results, each needing gradients.
    seed : array, optional
        The gradient to start from, of the loss's shape; 1 for a scalar.
    create_graph : bool
        Record the rules as they run, so that the gradients can be differentiated again, to any order.
    allow_unused : bool
        Give None, not zeros, for a tensor that `loss` does not depend on.

    Returns
    -------
    Tensor or tuple of Tensors
        Each of the shape and dtype of its `wrt`. No two share memory.

    Raises
    ------
    ShapeError
        For a loss that is no scalar without `seed`, or a `seed` of another shape.
    GraphError
        If a tensor of `wrt` needs no gradient, or the graph was freed by ``backward()``.
    StaleError
        If an array that a rule needs was updated in place since.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> slope = tg.grad(x**3, x, create_graph=True)
    >>> slope.item(), tg.grad(slope, x).item()
    (27.0, 18.0)
    """
    targets = tuple(wrt) if isinstance(wrt, (list, tuple)) else (wrt,)
    if not isinstance(loss, Value):
        raise errors.no_tensor("grad", "loss", loss)
    for i, target in enumerate(targets):
        if not isinstance(target, Value):
            raise errors.no_tensor("grad", f"wrt[{i}]", target)
        if target._node is None:
            raise errors.constant_wrt("grad", f"wrt[{i}]")
    first: Any = values.start("grad", loss._array, seed)
    found: dict[Any, Any] = {}
    if loss._node is not None:
        with recording(create_graph):
            if create_graph:
                first = seed.astype(first.dtype) if isinstance(seed, Value) else Primitive.result(first)
            found = pull_back(tape(loss), first, {target._node for target in targets}, create_graph)
    results: list[Any] = []
    for target in targets:
        gradient = found.get(target._node)
        if isinstance(gradient, Value):
            results.append(Primitive.result(gradient._array.copy(), gradient._node))
        elif gradient is not None or not allow_unused:
            results.append(Primitive.result(np.zeros_like(target._array) if gradient is None else np.array(gradient)))
        else:
            results.append(None)
    return tuple(results) if isinstance(wrt, (list, tuple)) else results[0]

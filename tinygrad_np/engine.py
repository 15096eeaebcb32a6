"""Primitives write down what they did; `grad` reads the derivative off that tape, last line first.

Read it from top to bottom: `Node` (one line of the tape), `Plan` and `Primitive` (a function, its rules, and what they
want kept), `tape` (the lines in the order they ran), `pull_back` (the walk that is reverse-mode differentiation) and
`grad` (the door to it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, update_wrapper
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, overload

import numpy as np

from tinygrad_np import codegen, errors, program, values
from tinygrad_np.buffers import Pool, add, alone
from tinygrad_np.modes import recording
from tinygrad_np.signatures import check_rules, parameters, read_forward
from tinygrad_np.values import Array, Value

Rule = Callable[..., Any]

registry: dict[str, Primitive] = {}
"""Every primitive by ``module.name``; what is defined again (a notebook cell run twice) replaces the former."""


class Node:
    """One line of the tape: which primitive ran, on what, and the values that its rules asked to keep.

    A node points at its parents and never at its own result, so that memory goes by reference counts alone.
    """

    __slots__ = ("birth", "dtype", "parents", "plan", "pool", "saved", "shape")

    def __init__(self, plan: Any, parents: tuple[Any, ...], saved: tuple[Any, ...] | None, out: Array, pool: Pool):
        self.plan = plan  # a Plan, or None for a leaf
        self.parents = parents  # a node for each argument, None for a constant
        self.saved = saved  # in the order of Plan.keep; None once backward() has freed it
        self.shape = out.shape
        self.dtype = out.dtype
        self.pool = pool  # of a leaf that it comes from; it lends to kernels
        self.birth = next(values.clock)

    def __str__(self) -> str:
        return str(self.plan.primitive) if self.plan else "leaf"


class Kernel(NamedTuple):
    """The same function and all its gradients on raw arrays, for speed; the rules stay what defines them.

    Either part may decline, by returning None: the primitive's own forward, or its rules, then run. Arrays come from
    ``lend(shape, dtype)``, which may be None for NumPy to allocate, and only these are written into.
    """

    forward: Callable[..., tuple[Any, ...] | None]  # of lend, arrays, statics: (result, *byproducts)
    backward: Callable[..., tuple[Any, ...] | None]  # of lend, g, live and what it names, as rules do: all gradients
    byproducts: tuple[str, ...] = ()


class Plan(NamedTuple):
    """For one set of live arguments: the rules to run, and what these want kept of a call (see `Primitive._places`).

    A call is a rule with the position of its argument (-1 for the rule called g) and the slots of `Node.saved`, which
    has the order of `keep`, that it asks for.
    """

    primitive: Primitive
    calls: tuple[tuple[int, Rule, tuple[int, ...]], ...]
    keep: tuple[int, ...]
    pick: Callable[[Any], tuple[Any, ...]]  # takes what to keep from all that is known of a call
    pull: Callable[..., None] | None  # adds up all that the calls return, on arrays; None for sequences


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
        self.kernel: Kernel | None = None
        self._usual = tuple(self._defaults[n] for n in self.static if n in self._defaults)
        self._arity = len(self.arguments) if len(self._usual) == len(self.static) else -1  # -1: always bind
        self.plans: dict[int, Plan] = {}
        self.call: Callable[..., Any] = self._first_call  # as __call__, with all parameters given by position
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
        self.plans.clear()

    def def_kernel(
        self, forward: Callable[..., Any], backward: Callable[..., Any], byproducts: tuple[str, ...] = ()
    ) -> None:
        """Give a raw kernel, which stands for forward and rules where it does not decline; see `Kernel`."""
        self.kernel = Kernel(forward, backward, byproducts)
        self.plans.clear()
        self.call = self._first_call

    def _places(self) -> dict[str, int]:
        """Where the things that a rule may ask for stand when a call is recorded; ~i for the shape of the i-th."""
        places = {name: i for i, name in enumerate(self.names)}
        return places | {f"{argument}_shape": ~places[argument] for argument in self.arguments}

    def make_plan(self, live: int, fast: bool) -> Plan:
        """Work out, once per set of arguments that need gradients (a bit each), which rules to run, and what to keep.

        A `fast` plan is for what a kernel computed.
        """
        if not self.rules:
            raise errors.no_rules(str(self), self.arguments)
        places, keep = self._places(), dict[int, int]()
        if fast and self.kernel is not None:
            places |= {name: i for i, name in enumerate(self.kernel.byproducts, len(self.names))}

        def slots(rule: Rule, first: int = 1) -> tuple[int, ...]:
            asked = [places[name] for name in (parameters(rule) or ())[first:]]
            return tuple(keep.setdefault(place, len(keep)) for place in asked)

        calls, needed = [], tuple(bool(live >> i & 1) for i in range(len(self.arguments)))
        for position, argument in enumerate(("g", *self.arguments), -1):
            rule = self.rules.get(argument)
            if rule is not None and (position < 0 or needed[position]):
                calls.append((position, rule, slots(rule)))
        if calls and calls[-1][0] < 0:  # a rule g= alone has no argument to pass its result to
            calls.clear()
        kernel = (self.kernel.backward, slots(self.kernel.backward, 3)) if fast and self.kernel is not None else None
        pull = None
        if calls and not self.sequence:
            pull = codegen.write_pull(self, needed, calls, kernel, fit=_fit, add=add, stale=_stale)
        plan = Plan(self, tuple(calls), tuple(keep), values.picker(tuple(keep)), pull)
        self.plans[~live if fast else live] = plan
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

    def _first_call(self, *given: Any) -> Any:
        self.call = codegen.write_call(self, Node, self.result)
        return self.call(*given)

    def __call__(self, /, *args: Any, **keywords: Any) -> Any:
        if not keywords and len(args) == self._arity:
            return self.call(*args, *self._usual)
        args, static = self._bind(args, keywords)
        return self.call(*args, *static)


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
    return Tape(ancestors(result._node))


def ancestors(last: Node) -> list[Node]:
    """The nodes that `last` depends on, and itself, in the order they ran."""
    seen, nodes = {last}, [last]
    for node in nodes:  # which grows meanwhile
        if node.saved is None:
            raise errors.freed(str(node))
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                nodes.append(parent)
    nodes.sort(key=attrgetter("birth"))
    return nodes


def _arrays(node: Node, items: Iterable[Any]) -> list[Any]:
    """What a node saved as arrays; never a stale one."""
    found = []
    for item in items:
        if isinstance(item, Value):
            storage = item._storage
            if storage is not None and storage.written > node.birth:
                raise _stale(node, item)
            item = item._array
        elif type(item) is list:  # the arguments of a sequence primitive
            item = _arrays(node, item)
        found.append(item)
    return found


def _tensors(node: Node, items: Iterable[Any], places: Iterable[int]) -> list[Any]:
    """What a node saved as Tensors where it may depend on others, for rules that are themselves recorded."""
    found, primitive = [], node.plan.primitive
    for item, place in zip(items, places, strict=True):
        _arrays(node, (item,))
        storage = item._storage if isinstance(item, Value) else None
        if place == 0:
            item = Primitive.result(item if storage is None else item._array, node, storage)
        elif place >= primitive.first_byproduct and type(item) is np.ndarray and values.is_real(item):
            raise errors.real_byproduct(str(node), primitive.names[place])
        found.append(item)
    return found


def _stale(node: Node, item: Value) -> errors.StaleError:
    """The error that names what was saved and written since."""
    keep = zip(node.saved or (), node.plan.keep, strict=True)
    place = next(i for value, i in keep if value is item or (type(value) is list and any(item is v for v in value)))
    storage: Any = item._storage
    return errors.stale(str(node), node.plan.primitive.names[place], storage.name, item._array.shape)


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


def _by_rules(node: Node, saved: Any, g: Any, active: Any, wrapped: bool) -> list[tuple[Any, Any]]:
    """The gradients of a node's active parents by its rules, each with its parent."""
    plan, parents, parts = node.plan, node.parents, []
    primitive = plan.primitive
    for position, rule, slots in plan.calls:
        if position >= 0 and not primitive.sequence and active is not None and parents[position] not in active:
            continue
        asked = [saved[slot] for slot in slots]
        asked = _tensors(node, asked, [plan.keep[slot] for slot in slots]) if wrapped else _arrays(node, asked)
        result = rule(g, *asked)
        if position < 0:
            g = result
        elif primitive.sequence:
            if not isinstance(result, (list, tuple)) or len(result) != len(parents):
                raise errors.rule_count(str(node), len(parents), result)
            parts += [(p, _fit(r, primitive, 0, p, wrapped)) for p, r in zip(parents, result, strict=True) if p]
        else:
            parent: Any = parents[position]
            fits = type(result) is np.ndarray and result.shape == parent.shape and result.dtype is parent.dtype
            parts.append(
                (parent, _fit(result, primitive, position, parent, wrapped) if wrapped or not fits else result)
            )
    return parts


def pull_back(order: list[Node], seed: Any, wanted: set[Any], wrapped: bool) -> dict[Any, Any]:
    """Walk the tape from its last line to its first; return the gradients of the wanted nodes.

    They may share memory with each other, the seed and what the tape keeps: callers copy what is not theirs `alone`.
    """
    active: set[Any] | None = None  # what leads to a wanted node; None: everything does
    if not all(node in wanted for node in order if node.plan is None):
        active = set(wanted)
        for node in order:
            if not active.isdisjoint(node.parents):
                active.add(node)
    gradients, found = {order[-1]: seed}, {}
    for node in reversed(order):
        g, plan, saved = gradients.pop(node, None), node.plan, node.saved
        if node in wanted and g is not None:
            found[node] = g
        if g is None or plan is None or (active is not None and node not in active):
            continue
        if saved is None:  # freed since the walk began
            raise errors.freed(str(node))
        if plan.pull is not None and active is None and not wrapped:
            plan.pull(node, saved, g, gradients)
            continue
        for parent, part in _by_rules(node, saved, g, active, wrapped):
            if parent is not None and part is not None and (active is None or parent in active):
                gradients[parent] = add(gradients.pop(parent), part) if parent in gradients else part
    order[-1].pool.walked()
    return found


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
            found = pull_back(ancestors(loss._node), first, {target._node for target in targets}, create_graph)
    results: list[Any] = []
    for i, target in enumerate(targets):
        gradient = found.get(target._node)
        if isinstance(gradient, Value):
            results.append(Primitive.result(gradient._array.copy(), gradient._node))
        elif gradient is not None:
            if not any(target is other for other in targets[i + 1 :]):
                del found[target._node]
            results.append(Primitive.result(gradient if alone(gradient) else np.array(gradient)))
        else:
            results.append(None if allow_unused else Primitive.result(np.zeros_like(target._array)))
    return tuple(results) if isinstance(wrt, (list, tuple)) else results[0]

"""`grad` reads the derivative off the tape, last line first.

Read it from top to bottom: `tape` (the lines in the order they ran), `pull_back` (the walk that is reverse-mode
differentiation), `grad` (the door to it).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextlib import nullcontext
from operator import attrgetter
from typing import Any

import numpy as np

from tinygrad_np import errors, program, values
from tinygrad_np.buffers import add, alone
from tinygrad_np.modes import recording
from tinygrad_np.primitives import Node, Primitive, fit, stale
from tinygrad_np.values import Value

_birth = attrgetter("birth")


class Tape(tuple[Node, ...]):
    """The nodes that a result was computed by, in the order they ran; printed, a numbered program."""

    __slots__ = ()

    def __str__(self) -> str:
        return program.text(self)

    def memory(self) -> program.Memory:
        """Measure what each line keeps for its rules; see `tinygrad_np.program.Memory`."""
        return program.memory(self)


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
    return Tape(sorted(itertools.chain(*ancestors(result._node)), key=_birth))


def ancestors(last: Node) -> tuple[list[Node], list[Node]]:
    """The operations that `last` is the result of, in the order they ran, and the leaves."""
    seen = {last}
    operations, leaves = ([last], []) if last.plan else ([], [last])
    for node in operations:  # which grows meanwhile
        if node.saved is None:
            raise errors.freed(str(node))
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                (leaves if parent.plan is None else operations).append(parent)
    operations.sort(key=_birth)
    return operations, leaves


def _arrays(node: Node, items: Iterable[Any]) -> list[Any]:
    """What a node saved as arrays; never a stale one."""
    found = []
    for item in items:
        if isinstance(item, Value):
            storage = item._storage
            if storage is not None and storage.written > node.birth:
                raise stale(node, item)
            item = item._array
        elif type(item) is list:  # the arguments of a sequence primitive
            item = _arrays(node, item)
        found.append(item)
    return found


def _tensors(node: Node, items: Iterable[Any], places: Iterable[int]) -> list[Any]:
    """What a node saved as Tensors where it may depend on others, for rules that are themselves recorded."""
    found, primitive = [], node.plan.primitive
    for item, place in zip(items, places, strict=True):
        if isinstance(item, Value):
            storage = item._storage
            if storage is not None and storage.written > node.birth:
                raise stale(node, item)
            if place == 0:  # a result in the memory of a leaf
                item = Primitive.result(item._array, node, storage)
        elif place == 0:
            item = Primitive.result(item, node)
        elif type(item) is list:
            _arrays(node, item)
        elif place >= primitive.first_byproduct and type(item) is np.ndarray and values.is_real(item):
            raise errors.real_byproduct(str(node), primitive.names[place])
        found.append(item)
    return found


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
            parts += [(p, fit(r, primitive, 0, p, wrapped)) for p, r in zip(parents, result, strict=True) if p]
        else:
            parent: Any = parents[position]
            parts.append((parent, fit(result, primitive, position, parent, wrapped)))
    return parts


def pull_back(
    last: Node, order: list[Node], seed: Any, wanted: set[Any] | None = None, wrapped: bool = False
) -> dict[Any, Any]:
    """Walk the operations that led to `last` in reverse; return the gradients of the wanted nodes, or of all leaves.

    They may share memory with each other, the seed and what the tape keeps: callers copy what is not theirs `alone`.
    """
    active = None  # what leads to a wanted node; None: everything does
    if wanted is not None:
        active = set(wanted)
        for node in order:
            if not active.isdisjoint(node.parents):
                active.add(node)
    gradients, found = {last: seed}, {}
    for node in reversed(order):
        if node not in gradients:
            continue
        plan, saved = node.plan, node.saved
        if saved is None:  # freed since the walk began
            raise errors.freed(str(node))
        if active is None and plan.pull is not None and not wrapped:
            plan.pull(node, saved, gradients.pop(node), gradients)
            continue
        g = gradients.pop(node)
        if wanted is not None and node in wanted:
            found[node] = g
        if active is None or node in active:
            for parent, part in _by_rules(node, saved, g, active, wrapped):
                if active is None or parent in active:
                    gradients[parent] = add(gradients.pop(parent), part) if parent in gradients else part
    return gradients | found if found else gradients


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
    targets = wrt if isinstance(wrt, (list, tuple)) else (wrt,)
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
        (order, leaves), wanted = ancestors(loss._node), {target._node for target in targets}
        all_leaves = wanted.issuperset(leaves) and all(node.plan is None for node in wanted)
        with recording(True) if create_graph else nullcontext():
            if create_graph:
                first = seed.astype(first.dtype) if isinstance(seed, Value) else Primitive.result(first)
            found = pull_back(loss._node, order, first, None if all_leaves else wanted, create_graph)
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

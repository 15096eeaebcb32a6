"""A primitive: a function of arrays, its rules, and what a call of it writes down.

Read it from top to bottom: `Node` (one line of the tape), `Kernel` and `Plan` (how gradients are pulled back through
it), `Primitive` (a function, its rules, and what they want kept).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, update_wrapper
from typing import Any, ClassVar, NamedTuple, overload

import numpy as np

from tinygrad_np import codegen, errors, values
from tinygrad_np.buffers import Pool, add
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

    Either part may decline, by returning None: the primitive's own forward, or its rules, then run. Results go into
    what ``lend(shape, dtype)`` returns: an array, or None for NumPy to allocate. Nothing else is written into, and no
    result is a view of an argument.
    """

    forward: Callable[..., tuple[Any, ...] | None]  # of lend, arrays, statics: (result, *byproducts)
    backward: Callable[..., tuple[Any, ...] | None]  # of lend, g, live and what it names, as rules do: all gradients
    byproducts: tuple[str, ...] = ()
    overwrites: bool = False  # the backward part takes, after g, an array for its result: g if nobody else holds it


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
        self.arguments, self.static, self.positional, self._defaults = read_forward(forward, sequence, byproducts)
        self.forward = forward
        update_wrapper(self, forward)
        self.broadcasts, self.sequence, self.byproducts = broadcasts, sequence, byproducts
        self.names = ("out", *self.arguments, *self.static, *byproducts)
        self.first_byproduct = len(self.names) - len(byproducts)
        self.rules: dict[str, Rule | None] = {}
        self.kernel: Kernel | None = None
        names = self.arguments + self.static
        rest = {i: names[i:] for i in range(self.positional + 1)}  # what is left to its defaults when i are given
        self._fill = {
            i: tuple(self._defaults[n] for n in left) for i, left in rest.items() if self._defaults.keys() >= set(left)
        }
        self.plans: dict[int, Plan] = {}
        self.call: Callable[..., Any] = self._first_call  # as __call__, with all parameters given by position
        registry[f"{self.__module__}.{forward.__qualname__}"] = self

    def __repr__(self) -> str:
        return f"<primitive {self}({', '.join((*self.arguments, '/', *self._options()))})>"

    def _options(self) -> tuple[str, ...]:
        """The static parameters as a signature has them: after a star those that are given by keyword alone."""
        i = self.positional - len(self.arguments)
        return self.static if i == len(self.static) else (*self.static[:i], "*", *self.static[i:])

    def __str__(self) -> str:
        name: str = self.forward.__name__
        return name

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

    def def_kernel(self, forward: Rule, backward: Rule, **options: Any) -> None:
        """Give a raw kernel, which stands for forward and rules where it does not decline; see `Kernel`."""
        self.kernel = Kernel(forward, backward, **options)
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

        def slots(names: Iterable[str]) -> tuple[int, ...]:
            return tuple(keep.setdefault(places[name], len(keep)) for name in names)

        calls, needed = [], tuple(bool(live >> i & 1) for i in range(len(self.arguments)))
        for position, argument in enumerate(("g", *self.arguments), -1):
            rule = self.rules.get(argument)
            if rule is not None and (position < 0 or needed[position]):
                calls.append((position, rule, slots((parameters(rule) or ())[1:])))
        if calls and calls[-1][0] < 0:  # a rule g= alone has no argument to pass its result to
            calls.clear()
        kernel, pull = None, None
        if fast and self.kernel is not None:
            # An argument that the rules do not ask for is not kept for the kernel, which then does not need it.
            names = (parameters(self.kernel.backward) or ())[3 + self.kernel.overwrites :]
            spared = {name for name in self.arguments if places[name] not in keep}
            kernel = self.kernel.backward, tuple(-1 if name in spared else slots((name,))[0] for name in names)
        if calls and not self.sequence:
            pull = codegen.write_pull(self, needed, calls, kernel, fit=fit, add=add, stale=stale)
        plan = Plan(self, tuple(calls), tuple(keep), values.picker(tuple(keep)), pull)
        self.plans[~live if fast else live] = plan
        return plan

    def _bind(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> list[Any]:
        """Put what a call gave by position and keyword, and the defaults, in the order of the parameters."""
        names = self.arguments + self.static
        bound = self._defaults | dict(zip(names, args, strict=False)) | keywords
        twice = not keywords.keys().isdisjoint(names[: len(args)])
        if len(args) > self.positional or bound.keys() != set(names) or twice:
            raise errors.call(str(self), self.arguments + self._options(), len(args), keywords)
        return [bound[n] for n in names]

    def compiled(self) -> Callable[..., Any]:
        """The function that records a call, written when it is first asked for."""
        if self.call == self._first_call:
            self.call = codegen.write_call(self, Node, self.result)
        return self.call

    def _first_call(self, *given: Any) -> Any:
        return self.compiled()(*given)

    def __call__(self, /, *args: Any, **keywords: Any) -> Any:
        if not keywords and (fill := self._fill.get(len(args))) is not None:
            return self.call(*args, *fill)
        return self.call(*self._bind(args, keywords))


def stale(node: Node, item: Value) -> errors.StaleError:
    """The error that names what was saved and written since."""
    keep = zip(node.saved or (), node.plan.keep, strict=False)  # freed by another thread, perhaps
    found = (i for value, i in keep if value is item or (type(value) is list and any(item is v for v in value)))
    place = next(found, 1)
    storage: Any = item._storage
    return errors.stale(str(node), node.plan.primitive.names[place], storage.name, item._array.shape)


def fit(gradient: Any, primitive: Primitive, position: int, parent: Node, wrapped: bool) -> Any:
    """What a rule returned, in its argument's shape and dtype; a Tensor if the rule was to be recorded, or an array."""
    if isinstance(gradient, np.generic):
        gradient = np.asarray(gradient)
    array = gradient._array if isinstance(gradient, Value) else gradient
    alike = type(array) is np.ndarray and array.shape == parent.shape and array.dtype is parent.dtype
    if alike and wrapped == (array is not gradient):
        return gradient
    shape = getattr(gradient, "shape", None)
    fits = shape == parent.shape or (primitive.broadcasts and shape is not None and values.sums_to(shape, parent.shape))
    if not fits or gradient.dtype.kind not in "fiub":
        raise errors.rule_result(str(primitive), primitive.arguments[position], parent, gradient)
    if wrapped != isinstance(gradient, Value):
        gradient = Primitive.result(gradient) if wrapped else gradient._array
    gradient = gradient if shape == parent.shape else values.sum_to(gradient, parent.shape)
    return gradient if gradient.dtype == parent.dtype else gradient.astype(parent.dtype)


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
    return partial(Primitive, **options) if forward is None else Primitive(forward, **options)

"""Writes, for each primitive, the Python functions that record a call of it and that pull a gradient back through it.

Recording costs about as much as one of NumPy's own calls; loops over arguments, rules and what they ask for would cost
as much again. So the loops run here, once per primitive and set of live arguments, and put together straight text, as
`collections.namedtuple` does it; tracebacks show its lines.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable
from textwrap import indent
from typing import Any

import numpy as np

from tinygrad_np import errors, values
from tinygrad_np.buffers import LARGE, allocate, alone
from tinygrad_np.modes import is_recording
from tinygrad_np.values import Value

Function = Callable[..., Any]

# --- recording a call -------------------------------------------------------------------------------------------------

_CALL = """\
def call({parameters}):
    tensors, live, pool, results = False, 0, None, None
{unpack}\
    if tensors:
{check}\
    try:
{compute}\
    except (ValueError, TypeError, IndexError) as error:
        refuse(error, op, [{each_array}], dict({static}))
    if not tensors:
        return {raw}
    if type(out) is not ndarray:
        out = as_result(op, out)
    if out.dtype is not float64 and out.dtype.kind not in "fbiu":
        raise no_real_result(op, out.dtype)
    storage = node = None
    if results is None and (out.base is not None or {alias}):
        storage = shared_storage(out, [{each}])  # a view of a leaf goes stale with it
    if live and is_recording():
        plan = plans.get(live if results is None else ~live) or make_plan(live, results is not None)
        dtype = out.dtype
        if plan.calls and dtype.kind == "f":
{keep}\
            node = new(Node)
            node.plan = plan
            node.parents = ({nodes})
            node.saved = plan.pick((out if storage is None else Value(out, None, storage), {known}))
{shape}\
            node.dtype = dtype
            node.pool = pool
            node.birth = next(clock)
    tensor = new(Tensor)
    tensor._array = out
    tensor._node = node
    tensor._storage = storage
    return tensor
"""

_ARGUMENT = """\
if isinstance(x{i}, Value):
    array{i}, node{i}, tensors = x{i}._array, x{i}._node, True
    if node{i} is not None:
        live |= {bit}
        if pool is None:
            pool = node{i}.pool
else:
    if type(x{i}) is not ndarray and isinstance(x{i}, (ndarray, list, tuple)):
        x{i} = plain(op, x{i})
    array{i}, node{i} = x{i}, None
"""

_CHECK = """\
if x{i} is array{i} and type(x{i}) is not float and (type(x{i}) is not ndarray or x{i}.dtype.kind not in "fbiu"):
    check_real(op, x{i})
    if type(x{i}) is int and x{i}.bit_length() > 64:
        x{i} = array{i} = float(x{i})
"""

_CHECK_SEQUENCE = """\
for x in array0:
    check_real(op, x)
"""

_KEEP = """\
if node{i} is None and type(x{i}) is ndarray and x{i}.base is not None:
    x{i} = kept(x{i})
"""

_SHAPE = """\
node.shape = out.shape
if node0 is not None and node0.shape == node.shape:
    node.shape = node0.shape  # one tuple for both
"""

_SEQUENCE = """\
if not getattr(x0, "shape", True) or not hasattr(x0, "__iter__"):
    raise no_list(op, x0)
x0, array0, nodes = list(x0), [], []
for i, x in enumerate(x0):
    node = None
    if isinstance(x, Value):
        x, node, tensors = x._array, x._node, True
        if node is not None:
            live, pool = 1, node.pool
    elif type(x) is not ndarray and isinstance(x, (ndarray, list, tuple)):
        x = x0[i] = plain(op, x)
    array0.append(x)
    nodes.append(node)
"""

_KERNEL = """\
results = kernel(allocate if pool is None else pool.lend, {given})
if results is None:
{otherwise}\
    {extra}= {nothing}
else:
    out, {all}= results
"""


def write_call(primitive: Any, node: type, tensor: type) -> Function:
    """The function of all operands and static parameters, by position, of an `primitives.Primitive`."""
    count = 1 if primitive.sequence else len(primitive.arguments)
    operands, arrays = [f"x{i}" for i in range(count)], [f"array{i}" for i in range(count)]
    static = [f"static{i}" for i in range(len(primitive.static))]
    count_by_position = primitive.positional - len(primitive.arguments)
    by_keyword = [f"{name}={value}" for name, value in zip(primitive.static, static, strict=True)]
    given = ", ".join(arrays + static)
    for_forward = ", ".join(arrays + static[:count_by_position] + by_keyword[count_by_position:])
    own = "".join(f"{name}_, " for name in primitive.byproducts)
    extra = "".join(f"{name}_, " for name in primitive.kernel.byproducts) if primitive.kernel else ""
    compute = f"out = forward({for_forward})\n"
    if primitive.byproducts:
        compute = f"out, {own} = all_results(op, forward({for_forward}), {primitive.byproducts})\n"
    if primitive.kernel is not None:
        compute = _KERNEL.format(
            given=given,
            otherwise=indent(compute, "    "),
            all=own + extra,
            extra=extra or "_, ",
            nothing=(None,) * max(1, len(primitive.kernel.byproducts)),
        )
    if primitive.sequence:
        unpack, check, keep = _SEQUENCE, _CHECK_SEQUENCE, "x0 = list(map(kept, x0))\n"
        each, each_array, nodes = "*x0", "*array0", "*nodes, "
    else:
        unpack = "".join(_ARGUMENT.format(i=i, bit=1 << i) for i in range(count))
        check = "".join(_CHECK.format(i=i) for i in range(count))
        keep = "".join(_KEEP.format(i=i) for i in range(count))
        each, each_array, nodes = ", ".join(operands), ", ".join(arrays), "".join(f"node{i}, " for i in range(count))
    keep += "".join(f"if type({name}) in containers:\n    {name} = frozen({name})\n" for name in static)
    keep += "".join(f"{name}_ = guarded({name}_, [{each}])\n" for name in primitive.byproducts)
    text = _CALL.format(
        parameters=", ".join(operands + static),
        unpack=indent(unpack, " " * 4),
        check=indent(check, " " * 8),
        shape=indent("node.shape = out.shape\n" if primitive.sequence else _SHAPE, " " * 12),
        raw="out if results is None or out.ndim else out[()]" if primitive.kernel else "out",
        compute=indent(compute, " " * 8),
        keep=indent(keep, " " * 12),
        known=", ".join(operands + static) + ", " + own + extra,
        static=", ".join(by_keyword),
        alias="id(out) in map(id, array0)" if primitive.sequence else " or ".join(f"out is {a}" for a in arrays),
        each=each,
        each_array=each_array,
        nodes=nodes,
    )
    return _function(
        f"call of {primitive}",
        text,
        op=str(primitive),
        forward=primitive.forward,
        kernel=primitive.kernel and primitive.kernel.forward,
        plans=primitive.plans,
        make_plan=primitive.make_plan,
        Node=node,
        Tensor=tensor,
    )


# --- pulling a gradient back ------------------------------------------------------------------------------------------

_PULL = """\
def pull(node, saved, g, gradients):
{kernel}\
{rules}\
"""

_BY_KERNEL = """\
{recall}\
large = g.nbytes >= LARGE
{spare}\
parts = kernel(node.pool.lend if large else allocate, g, {given}{live}, {asked})
if parts is not None:
    {parts} = parts
    {parents} = node.parents
{add}\
    return
"""

_BY_RULE = """\
{recall}\
part{i} = rule{i}(g, {asked})
parent{i} = node.parents[{i}]
if type(part{i}) is not ndarray or part{i}.shape != parent{i}.shape or part{i}.dtype is not parent{i}.dtype:
    part{i} = fit(part{i}, primitive, {i}, parent{i}, False)
"""

_ADD = """\
held = gradients.get(parent{i})
if held is None:
    gradients[parent{i}] = part{i}
elif held.nbytes < LARGE:
    gradients[parent{i}] = held + part{i}
else:
    held = None  # so that it may be seen to be held by nobody
    gradients[parent{i}] = add(gradients.pop(parent{i}), part{i})
"""

_RECALL = """\
kept{slot} = saved[{slot}]
if isinstance(kept{slot}, Value):
    storage = kept{slot}._storage
    if storage is not None and storage.written > node.birth:
        raise stale(node, kept{slot})
    kept{slot} = kept{slot}._array
"""


def write_pull(
    primitive: Any,
    live: tuple[bool, ...],
    calls: Iterable[tuple[int, Function, tuple[int, ...]]],
    kernel: tuple[Function, tuple[int, ...]] | None,
    **helpers: Any,
) -> Function:
    """The function that adds what a node's rules make of `g` to its parents' gradients, on arrays.

    A call is a rule with the position of its argument (-1 for the rule called g) and the slots in ``node.saved`` that
    it asks for; so is the kernel, without a position, and with -1 for what is not needed.
    """

    def recall(slots: Iterable[int]) -> str:
        return "".join(_RECALL.format(slot=slot) for slot in slots if slot >= 0)

    def asked(slots: Iterable[int]) -> str:
        return "".join(f"kept{slot}, " if slot >= 0 else "None, " for slot in slots)

    needed = [i for i, need in enumerate(live) if need]
    by_kernel, by_rules, scope = "", "", dict(helpers)
    if kernel is not None:
        scope["kernel"], slots = kernel
        by_kernel = _BY_KERNEL.format(
            recall=recall(slots),
            live=live,
            spare="spare = g if large and alone(g) else None\n" if primitive.kernel.overwrites else "",
            given="spare, " if primitive.kernel.overwrites else "",
            asked=asked(slots),
            parts="".join(f"part{i}, " for i in range(len(live))),
            parents="".join(f"parent{i}, " for i in range(len(live))),
            add=indent("".join(_ADD.format(i=i) for i in needed), "    "),
        )
    for i, rule, slots in calls:
        name = i if i >= 0 else "_g"
        scope[f"rule{name}"] = rule
        if i < 0:
            by_rules += f"{recall(slots)}g = rule_g(g, {asked(slots)})\n"
        else:
            by_rules += _BY_RULE.format(recall=recall(slots), i=i, asked=asked(slots)) + _ADD.format(i=i)
    text = _PULL.format(kernel=indent(by_kernel, "    "), rules=indent(by_rules, "    "))
    return _function(f"pull of {primitive}", text, primitive=primitive, **scope)


def _function(name: str, text: str, **scope: Any) -> Function:
    """The function that the text defines, among these names and those that all texts use."""
    filename = f"<{name}>"
    linecache.cache[filename] = len(text), None, text.splitlines(True), filename  # for tracebacks
    exec(compile(text, filename, "exec"), scope := {**_SCOPE, **scope})
    function: Function = scope[name.split()[0]]
    return function


_SCOPE = {
    "Value": Value,
    "ndarray": np.ndarray,
    "float64": np.dtype(np.float64),
    "new": object.__new__,
    "clock": values.clock,
    "is_recording": is_recording,
    "refuse": errors.refuse,
    "plain": values.plain,
    "kept": values.kept,
    "containers": (tuple, list, dict),
    "frozen": values.frozen,
    "guarded": values.guarded,
    "as_result": values.as_result,
    "all_results": values.all_results,
    "shared_storage": values.shared_storage,
    "no_list": errors.no_list,
    "check_real": values.check_real,
    "no_real_result": errors.no_real_result,
    "allocate": allocate,
    "alone": alone,
    "LARGE": LARGE,
}

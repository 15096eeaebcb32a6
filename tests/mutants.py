"""Do the tests notice mistakes? Make them on purpose, one at a time: ``python -m tests.mutants --count 500 --seed 0``.

A mutant is the package with one small change: ``+`` for ``-``, ``<=`` for ``<``, a condition turned round, a statement
left out. Its tests are run until one fails, which kills it; one that survives is a hole in the tests, or no mistake.

The usual tools change source text and skip what is decorated and lambdas outside of functions, which here are the
forwards and the rules. This one puts the changed code into the very function objects that are in use
(``function.__code__``), wherever these are held; each mutant is checked to be in its primitive's own forward, rule or
kernel, and a first run of all tests writes down which of them call which function. The texts that codegen.py puts
functions together of are changed likewise.

A primitive's mutants are tested by its own tests alone, the engine's by the engine's. Left alone are docstrings,
annotations, defaults of parameters, strings, what an error is made of, and ``strict=``, which is a check itself.
"""

import argparse
import ast
import builtins
import gc
import inspect
import os
import pickle
import random
import re
import resource
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

os.environ |= {"HYPOTHESIS_PROFILE": "ci", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import pytest

import tinygrad_np
from tinygrad_np import codegen, derived, primitives

# What is tested by what: the engine by the tests in some files; a primitive by tests in others that have it among
# their parameters or name it in their text.
TESTS = Path(__file__).parent
PACKAGE = Path(tinygrad_np.__file__).parent
ENGINE = ["engine", "primitives", "codegen", "values", "buffers", "modes", "signatures", "derived"]
ENGINE_TESTS = ["engine", "tensors", "modes", "programs", "debugging", "arrangements", "kernels", "nothing_silent"]
ENGINE_TESTS += ["namespace", "details"]
PRIMITIVE_TESTS = ["registry", "kernels", "elementwise", "reductions", "indexing", "arrangements", "smooth_functions"]
PRIMITIVE_TESTS += ["details"]
OURS = [p for name, p in primitives.registry.items() if name.startswith("tinygrad_np.")]
ENOUGH = 95  # per cent to be killed
MISSED = "not applied"
MEMORY = 8 << 30  # bytes that a mutant may ask for

_IN_A_TEXT = "It goes into a message, which puts str() around it."
_FREED = "It names one of the operands where another thread has freed them all."
_ONE_CLOCK = "Both come from one clock, which gives no number twice."
_ANY_NEGATIVE = "NumPy takes any negative length for the one to be found out."
_IS_NESTED = "(isinstance(part, (Value, list)) for part in index)"
ARGUED: dict[tuple[str, str, str], str] = {
    ("primitives.py", "Primitive.def_vjp", "str(self) -> self"): _IN_A_TEXT,
    ("primitives.py", "stale", "str(node) -> node"): _IN_A_TEXT,
    ("engine.py", "_arrays", "storage.written > node.birth -> storage.written >= node.birth"): _ONE_CLOCK,
    ("engine.py", "_tensors", "storage.written > node.birth -> storage.written >= node.birth"): _ONE_CLOCK,
    ("codegen.py", "_RECALL", "storage.written > node.birth -> storage.written >= node.birth"): _ONE_CLOCK,
    ("codegen.py", "_SHAPE", "node.shape = node0.shape -> pass"): "Two equal tuples in place of one: 40 bytes more.",
    ("reductions.py", "_pull_std", "not_equal(out, 0) -> out"): (
        "keep_where() keeps where its condition is not 0, NaN included, be it bool or not; of bools it is faster."
    ),
    ("kernels.py", "_sum_gradients", "axis is None and (not g.ndim) -> axis is None or not g.ndim"): (
        "Without an axis, or without axes of its own, `g` has one entry, which is put everywhere in any shape."
    ),
    ("kernels.py", "_sum_gradients", "not g.ndim -> g.ndim"): "As above.",
    (
        "kernels.py",
        "_dense_relu_gradients",
        "lend(g.shape, g.dtype) if spare is None else spare -> spare if spare is None else lend(g.shape, g.dtype)",
    ): "It is where the result lies, and not what it is; new memory in place of what is there costs time alone.",
    ("kernels.py", "_total", "x.size <= SHORT -> x.size < SHORT"): "One way to add up is as good as the other.",
    ("kernels.py", "_column_sums", "len(x) <= SHORT -> len(x) < SHORT"): "One way to add up is as good as the other.",
    ("kernels.py", "_hinge_gradients", "float(g) -> g"): (
        "The quotient has the dtype of the result either way; in float32 it is rounded once more, in its last place."
    ),
    (
        "differences.py",
        "ediff1d",
        "len(parts) > 1 -> len(parts) >= 1",
    ): "One array joined with nothing is a copy of it.",
    ("joining.py", "meshgrid", "-1 -> -2"): _ANY_NEGATIVE,
    ("joining.py", "column_stack", "-1 -> -2"): _ANY_NEGATIVE,
    ("derived.py", "Derived.__call__", "str(self) -> self"): _IN_A_TEXT,
    (
        "values.py",
        "picker",
        "0 -> 1",
    ): "The first place alone is then picked the other way, to the same tuple.",
    ("codegen.py", "_ADD", "held.nbytes < LARGE -> held.nbytes <= LARGE"): (
        "At exactly so many bytes one way to add up is as good as the other."
    ),
    ("indexing.py", "_set_at", "np.broadcast_to(np.reshape(value, shape), picked) -> np.reshape(value, shape)"): (
        "What is assigned broadcasts by itself."
    ),
    ("statistics.py", "_fitted", "np.argsort(axes).tolist() -> np.argsort(axes)"): "NumPy takes the axes as an array.",
    ("reductions.py", "_reduced", "np.ravel(axis).tolist() -> np.ravel(axis)"): "It is gone through, item by item.",
    ("reductions.py", "_some", "1 -> 2"): "Where nothing was counted the sum is 0, by whatever it is divided.",
    ("reductions.py", "_centred", "True -> False"): "That all are present is then said by an array: the long way.",
    (
        "kernels.py",
        "_relu",
        "np.maximum(x, _ZERO[x.dtype], out=lend(x.shape, x.dtype)) -> np.maximum(x, _ZERO[x.dtype])",
    ): "It is where the result lies, and not what it is.",
    ("indexing.py", "_accumulate", "-1 -> -2"): _ANY_NEGATIVE,
    ("indexing.py", "constant", f"any({_IS_NESTED}) -> {_IS_NESTED}"): (
        "A list of numbers alone is copied too, which costs time alone."
    ),
    ("reductions.py", "_from_rows", "np.argsort(order).tolist() -> np.argsort(order)"): (
        "NumPy takes the axes as an array, too."
    ),
    (
        "kernels.py",
        "_matmul",
        "-2 -> -3",
    ): "It declines where it need not, and the rules do the work, or it fails at once.",
    ("sorting.py", "unique", "ar = operand('unique', ar) -> pass"): "np.unique and take() make arrays of lists, too.",
    ("indexing.py", "_put_back_along", "np.asarray(constant(indices)) -> constant(indices)"): (
        "take_along_axis has made an array of them."
    ),
    ("kernels.py", "_total", "x.size -> x.ndim"): "One way to add up is as good as the other; `_ones(x.ndim)` dies.",
    ("reductions.py", "_some", "np.float64 -> np.float32"): (
        "Counts up to 2**24 are exact in float32, and beside wider floats NumPy computes in these."
    ),
    ("differences.py", "_double", "np.dtype(np.float64) -> np.float64"): "They are equal, and NumPy takes either.",
    ("reductions.py", "_present", "True -> False"): "That all are present is then said by an array: the long way.",
    ("codegen.py", "_BY_KERNEL", "g.nbytes >= LARGE -> g.nbytes > LARGE"): (
        "At exactly so many bytes new memory serves as well as what is lent."
    ),
    ("values.py", "Storage.__init__", "-1 -> -2"): "The clock begins at 0.",
    ("values.py", "Storage.__init__", "-1 -> 1"): (
        "What keeps a leaf's entries is born after the leaf, at 1 or later, and stale only if written after that."
    ),
    ("codegen.py", "_BY_KERNEL", "node.pool.lend if large else allocate -> allocate if large else node.pool.lend"): (
        "It is where the result lies, and not what it is."
    ),
    ("codegen.py", "_CHECK", "64 -> 65"): "Beside floats NumPy takes whole numbers of one bit more, too.",
    ("primitives.py", "stale", "1 -> 2"): _FREED,
    ("primitives.py", "stale", "1 -> 0"): _FREED,
    ("signatures.py", "read_forward", "repr(forward) -> forward"): _IN_A_TEXT,
    ("statistics.py", "_numbers", "True -> False"): "Multiplied by True all is what it was.",
    ("statistics.py", "_pull_quantile", "-1 -> -2"): _ANY_NEGATIVE,
    ("kernels.py", "_ones", "False -> True"): "Nobody writes into it; the flag would tell if one did.",
    ("kernels.py", "_product", "x.ndim -> x.size"): "Of two matrices np.matmul is the product, too.",
    (
        "kernels.py",
        "_dropout_mask_gradients",
        "lend(g.shape, g.dtype) if spare is None else spare -> spare if spare is None else lend(g.shape, g.dtype)",
    ): "It is where the result lies, and not what it is.",
    ("kernels.py", "_sum_gradients", "axis is None -> axis is not None"): (
        "A result of one entry is put everywhere, in any shape."
    ),
    (
        "kernels.py",
        "_mse_gradients",
        "tuple((np.multiply(errors, float(g) / side, lend(errors.shape, errors.dtype)) if needed else None for side, "
        "needed in zip((n, -n), live, strict=True))) -> (np.multiply(errors, float(g) / side, lend(errors.shape, "
        "errors.dtype)) if needed else None for side, needed in zip((n, -n), live, strict=True))",
    ): "It is gone through once.",
    ("choice.py", "_clip", "np.clip(x, low, high) -> np.clip(low, x, high)"): (
        "It is min(max(x, low), high), and the larger of two is the larger of two."
    ),
    ("reductions.py", "_only", "True -> False"): "That all are present is then said by an array: the long way.",
    ("shape.py", "_inverse", "np.argsort(order % len(order)).tolist() -> np.argsort(order % len(order))"): (
        "NumPy takes the axes as an array, too."
    ),
    ("statistics.py", "_pull_quantile", "np.asarray(_ranks(rows)) -> _ranks(rows)"): (
        "NumPy's functions take a Tensor of places, too; it costs more on the way."
    ),
    ("shape.py", "roll", "np.asarray(shift).tolist() -> np.asarray(shift)"): (
        "Newer NumPys make whole numbers of them first; older ones do not."
    ),
    ("indexing.py", "constant", "constant(part) -> part"): (
        "What is kept of an index has copies of its Tensors, and NumPy reads those that it is given."
    ),
    ("buffers.py", "add", "held.nbytes >= LARGE -> held.nbytes > LARGE"): (
        "At exactly so many bytes one way to add up is as good as the other."
    ),
    (
        "reductions.py",
        "_centred",
        "keep_where(x - sum(x, axis, keepdims=True) / _some(_count(x.shape, axis, present)), present) -> "
        "x - sum(x, axis, keepdims=True) / _some(_count(x.shape, axis, present))",
    ): "What centres again, and what comes last, leave out those that are not present, too.",
    ("differences.py", "_unconvolve", "-1 -> -2"): _ANY_NEGATIVE,
    ("placing.py", "_collected", "-1 -> -2"): _ANY_NEGATIVE,
    ("reductions.py", "_pull_var", "in_dtype(x, g.dtype) -> x"): (
        "The gradient is given back in the argument's own precision, in which it is computed then."
    ),
    ("statistics.py", "_ranks", "np.empty_like(order) -> order"): (
        "NumPy copies an index that lies where it writes, and all of it is written."
    ),
    ("indexing.py", "_trimmed", "max -> min"): (
        "Nothing is trimmed then, and NumPy lets the axes of one stand before those that it writes to."
    ),
    ("statistics.py", "average", "np.asarray(equal(total, 0)) -> equal(total, 0)"): (
        "np.any takes a Tensor, too; it costs more on the way."
    ),
}
"""Survivors that change nothing a test could see: why, by file, function and change. They do not count as killed."""

# --- changes ----------------------------------------------------------------------------------------------------------

SIGNS = "Add Sub, Mult Div, BitAnd BitOr, LShift RShift, Lt LtE, Gt GtE, Eq NotEq, Is IsNot, In NotIn, And Or"
OPERATORS = {getattr(ast, a): getattr(ast, b) for pair in SIGNS.split(",") for a, b in permutations(pair.split())}
OPERATORS |= dict.fromkeys((ast.FloorDiv, ast.Mod, ast.Pow), ast.Mult)
PAIRS = """
    maximum minimum, max min, amax amin, fmax fmin, argmax argmin, sum mean, sum prod, cumsum cumprod, any all,
    add subtract, multiply divide, logical_and logical_or, sin cos, sinh cosh, arcsin arccos, arcsinh arccosh, tan tanh,
    exp log, exp exp2, log log2, expm1 exp, log1p log, sqrt square, floor ceil, floor trunc, less less_equal,
    greater greater_equal, less greater, equal not_equal, isnan isinf, isfinite isnan, abs sign, zeros ones,
    zeros_like ones_like, triu tril, ndim size, swapaxes moveaxis, vstack hstack, float32 float64, int32 int64
"""
NAMES: dict[str, list[str]] = defaultdict(list)
for _pair in PAIRS.split(","):
    for _name, _other in permutations(_pair.split()):
        NAMES[_name].append(_other)

SYMMETRIC = {
    *("add", "multiply", "maximum", "minimum", "equal", "not_equal", "logical_and", "logical_or", "logical_xor"),
    *("fmax", "fmin", "hypot", "logaddexp", "logaddexp2", "convolve", "may_share_memory", "swapaxes", "_alike"),
    *("max", "min"),  # Python's
}
ABOUT = {"isinstance", "type", "len", "range", "zip", "enumerate", "map", "getattr", "hasattr"}  # all else would fail
PLACE = re.compile(r"Q_(\w+?)_Q")  # what stands in a text of codegen.py for {...}


def other_names(name: str, holder: Any) -> list[str]:
    return [other for other in NAMES.get(name, ()) if hasattr(holder, other)]


def is_negative(node: Any) -> bool:
    """Whether this is a number with a minus before it."""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)


def changed(node: Any, module: ModuleType) -> Iterator[ast.AST]:
    """What is put in the place of an expression."""
    new = OPERATORS.get(type(getattr(node, "op", None)))
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, (ast.MatMult, ast.Sub, ast.Div, ast.FloorDiv, ast.Pow)):
            yield ast.BinOp(node.right, node.op, node.left)
        if new and not any(isinstance(n, ast.JoinedStr) for n in ast.walk(node)):
            yield ast.BinOp(node.left, new(), node.right)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(OPERATORS[type(node.op)](), node.values)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
        if is_negative(node):
            yield ast.UnaryOp(node.op, ast.Constant(node.operand.value + 1))
    elif isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            yield ast.Compare(node.left, [*node.ops[:i], OPERATORS[type(op)](), *node.ops[i + 1 :]], node.comparators)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield from map(ast.Constant, [node.value + 1, 0][: 1 + (node.value == 1)])
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Name):
        scope = module if hasattr(module, node.id) else builtins
        yield from (ast.Name(other, node.ctx) for other in other_names(node.id, scope))
    elif isinstance(node, ast.Attribute):
        holder = getattr(module, node.value.id, np.ndarray) if isinstance(node.value, ast.Name) else np.ndarray
        yield from (ast.Attribute(node.value, other, node.ctx) for other in other_names(node.attr, holder))
    elif isinstance(node, ast.Call):
        function, args = node.func, node.args
        name = getattr(function, "attr", getattr(function, "id", ""))
        holder = function.value if isinstance(function, ast.Attribute) else None
        is_method = holder and not (isinstance(holder, ast.Name) and hasattr(module, holder.id))
        text = args and isinstance(args[0], ast.Constant) and isinstance(args[0].value, str)  # an operation's name
        plain = not text and name not in ABOUT and not any(isinstance(a, ast.Starred) for a in args[:2])
        if plain and len(args) > 1 and name not in SYMMETRIC and ast.dump(args[0]) != ast.dump(args[1]):
            yield ast.Call(function, [args[1], args[0], *args[2:]], node.keywords)
        if is_method:
            yield holder
        elif plain and args:
            yield args[0]
        for i, keyword in enumerate(node.keywords):
            if keyword.arg not in (None, "strict"):
                yield ast.Call(function, args, node.keywords[:i] + node.keywords[i + 1 :])


def left_out(node: ast.AST, given: Counter[str]) -> bool:
    """Whether a statement is left out, too: not the only assignment of a name, without which anything fails."""
    if isinstance(node, ast.Assign):
        return all(not isinstance(t, ast.Name) or given[t.id] > 1 for t in node.targets if not isinstance(t, ast.Tuple))
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, (ast.Constant, ast.Name))
    return isinstance(node, (ast.AugAssign, ast.Raise, ast.Delete, ast.Continue, ast.Break))


class Mutant:
    """One change: in a list or attribute of a node of a syntax tree, another node."""

    def __init__(self, target: "Target", holder: Any, place: Any, old: Any, new: Any) -> None:
        self.target, self.holder, self.place, self.old = target, holder, place, old
        self.new = ast.fix_missing_locations(ast.copy_location(new, old))
        self.group = ""  # what it was drawn for: a primitive, or a function

    def put(self, node: ast.AST) -> None:
        if isinstance(self.holder, list):
            self.holder[self.place] = node
        else:
            setattr(self.holder, self.place, node)

    def __str__(self) -> str:
        old, new = (PLACE.sub(r"{\1}", ast.unparse(n)).replace("\n", " ") for n in (self.old, self.new))
        return f"{old} -> {new}"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.target.file.name, self.target.name, str(self)


class Target:
    """A function that is in use, or a text of codegen.py: where its mutants are made, and which tests they meet."""

    def __init__(self, file: Path, module: ModuleType, source: str, tree: ast.Module, node: Any, functions: list[Any]):
        self.file, self.module, self.source, self.tree, self.node = file, module, source, tree, node
        self.functions: list[FunctionType] = functions
        self.before = functions[0].__code__ if functions else None
        self.name = functions[0].__qualname__ if functions else ""
        self.owners: dict[str, Any] = {}  # the primitives that it is forward, rule or kernel of, by name
        self.items: list[int] = []
        self.kind = "texts of codegen.py"

    def mutants(self, apart: set[ast.AST]) -> list[Mutant]:
        """All there are; without those in functions inside that are targets on their own."""
        found: list[Mutant] = []
        stored = (n.id for n in ast.walk(self.node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load))
        given = Counter([*stored, *(n.arg for n in ast.walk(self.node) if isinstance(n, ast.arg))])

        def visit(holder: Any, place: Any, node: Any) -> None:
            if isinstance(node, (ast.JoinedStr, ast.arguments)) or (node in apart and node is not self.node):
                return
            if isinstance(node, ast.stmt) and left_out(node, given):
                found.append(Mutant(self, holder, place, node, ast.Pass()))
            if isinstance(node, ast.Raise):
                return
            if isinstance(node, ast.If) and not isinstance(node.test, (ast.Compare, ast.UnaryOp)):
                found.append(Mutant(self, node, "test", node.test, ast.UnaryOp(ast.Not(), node.test)))
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Name):
                found.append(Mutant(self, node, "value", node.value, ast.Constant(None)))
            if isinstance(node, ast.Lambda) and isinstance(node.body, ast.Name):
                found.append(Mutant(self, node, "body", node.body, ast.UnaryOp(ast.USub(), node.body)))
            for new in changed(node, self.module):
                if not isinstance(new, ast.Name) or not PLACE.fullmatch(new.id):
                    found.append(Mutant(self, holder, place, node, new))
            for field, value in ast.iter_fields(node) if not is_negative(node) else ():
                if field in ("annotation", "returns", "decorator_list", "ctx", "type_params", "op", "ops"):
                    continue
                if field == "keywords":
                    value = [k for k in value if k.arg != "strict"]
                for i, child in enumerate(value) if isinstance(value, list) else [(field, value)]:
                    if isinstance(child, ast.AST):
                        visit(value if isinstance(value, list) else node, i, child)

        visit(None, None, self.node)
        return found

    def codes(self, mutant: Mutant) -> list[tuple[list[FunctionType], CodeType]]:
        """The changed code for every function in use that holds the change, itself or in a function inside."""
        mutant.put(mutant.new)
        try:
            codes = list(all_codes(compile(self.tree, str(self.file), "exec", dont_inherit=True)))
        finally:
            mutant.put(mutant.old)
        return [(t.functions, code_of(t.node, codes)) for t in self.around]

    around: list["Target"]  # the targets whose node this one's is part of, itself the first

    def is_valid(self, mutant: Mutant) -> bool:
        """Whether the change can be put in, and is one."""
        try:
            code, old = self.codes(mutant)[0][1], self.functions[0].__code__
        except SyntaxError:  # a warning of the compiler's
            return False
        same = all(getattr(code, a) == getattr(old, a) for a in ("co_code", "co_consts", "co_names", "co_varnames"))
        return not same and code.co_freevars == old.co_freevars

    def apply(self, mutant: Mutant) -> None:
        """Put a mutant in, here and now."""
        for functions, code in self.codes(mutant):
            for function in functions:
                function.__code__ = code
        code = self.functions[0].__code__
        assert code is not self.before
        assert all(code in [f.__code__ for f in parts(p)] for p in self.owners.values())


class Text(Target):
    """One of the texts that codegen.py puts functions together of; ``{...}`` stands in it for what differs."""

    def __init__(self, name: str) -> None:
        lines: list[str] = []
        blocks = re.sub(r"^(\{\w+\})+", lambda m: m[0].replace("}", "}\n"), getattr(codegen, name), flags=re.M)
        for line in blocks.split("\n"):
            if re.fullmatch(r"\{\w+\}", line):  # a block, as far in as it belongs
                before = lines[-1] if lines else ""
                line = " " * (len(before) - len(before.lstrip()) + 4 * before.endswith(":")) + line
            lines.append(line)
        source = "\n".join(lines)
        tree = ast.parse(re.sub(r"\{(\w+)\}", r"Q_\1_Q", source))
        super().__init__(Path(codegen.__file__), codegen, source, tree, tree, [])
        self.name = name

    def text(self) -> str:
        unparsed = ast.unparse(self.tree) + "\n"
        return PLACE.sub(r"{\1}", re.sub(r"^ *Q_(\w+?)_Q\n", r"{\1}", unparsed, flags=re.M))

    def is_valid(self, mutant: Mutant) -> bool:
        before = getattr(codegen, self.name)
        self.apply(mutant)
        try:
            for primitive in OURS:
                codegen.write_call(primitive, primitives.Node, primitives.Primitive.result)
                for fast in (False, True) if primitive.rules else ():
                    primitive.make_plan(1, fast)
                primitive.plans.clear()
        except SyntaxError:
            return False
        finally:
            mutant.put(mutant.old)
            setattr(codegen, self.name, before)
        return True

    def apply(self, mutant: Mutant) -> None:
        mutant.put(mutant.new)
        setattr(codegen, self.name, self.text())


# --- functions in use -------------------------------------------------------------------------------------------------


def all_codes(code: CodeType) -> Iterator[CodeType]:
    """A code and those of the functions inside it, the outer ones first."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from all_codes(constant)


def code_of(node: Any, codes: list[CodeType]) -> CodeType:
    """The code among these that a function's node was compiled to."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)

    def inside(code: CodeType) -> bool:
        spans = [p for p in code.co_positions() if None not in p and p[2:] != (0, 0)]
        return all(start <= (line, column) and (last, until) <= end for line, last, column, until in spans)

    name = getattr(node, "name", "<lambda>")
    return next(c for c in codes if (c.co_name, c.co_firstlineno) == (name, first) and (name[0] != "<" or inside(c)))


def identity(code: CodeType) -> tuple[Any, ...]:
    return code.co_filename, code.co_qualname, code.co_firstlineno, tuple(code.co_positions())


def parts(primitive: Any) -> dict[FunctionType, str]:
    """The functions that make up a primitive, or the one of a derived function, and what each of them is."""
    if isinstance(primitive, derived.Derived):
        return {primitive.function: "derived functions"}
    kernel = primitive.kernel[:2] if primitive.kernel else ()
    rules = [rule for rule in primitive.rules.values() if rule is not None]
    return {primitive.forward: "forwards"} | dict.fromkeys(rules, "rules") | dict.fromkeys(kernel, "kernels")


def targets() -> list[Target]:
    """Every function in use of the engine and of ops, and the texts of codegen.py."""
    in_use = defaultdict(list)
    for thing in gc.get_objects():
        if type(thing) is FunctionType:
            in_use[identity(thing.__code__)].append(thing)
    owners, kinds = defaultdict[Any, dict[str, Any]](dict), {}
    for registry in (primitives.registry, derived.registry):
        for name, primitive in registry.items():
            for function, kind in parts(primitive).items() if name.startswith("tinygrad_np.") else ():
                key = identity(function.__code__)
                owners[key][str(primitive)], kinds[key] = primitive, kind
    found: list[Target] = []
    by_file = {getattr(module, "__file__", None): module for module in list(sys.modules.values())}
    for file in [*(PACKAGE / f"{name}.py" for name in ENGINE), *sorted((PACKAGE / "ops").glob("*.py"))]:
        module = by_file[str(file)]
        tree = ast.parse(source := file.read_text(encoding="utf-8"))
        codes = list(all_codes(compile(tree, str(file), "exec", dont_inherit=True)))
        here = []
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                key = identity(code_of(node, codes))
                if key in in_use:
                    here.append(Target(file, module, source, tree, node, in_use[key]))
                    here[-1].owners = owners.pop(key, {})
                    here[-1].kind = kinds.get(
                        key, "the engine" if file.parent == PACKAGE else "functions that they call"
                    )
        for target in here:
            target.around = [target, *(t for t in here if t is not target and target.node in ast.walk(t.node))]
        found += here
    assert not owners, f"not found in any file: {owners}"
    return found + [Text(n) for n, v in vars(codegen).items() if n[:1] == "_" and n.isupper() and isinstance(v, str)]


# --- running tests ----------------------------------------------------------------------------------------------------


def forked(tasks: list[Callable[[], Any]], jobs: int) -> Iterator[tuple[int, Any]]:
    """Call each in a process of its own, so many at a time; give its number and result, or how the process ended."""
    running: dict[int, tuple[int, Any]] = {}
    waiting = list(enumerate(tasks))[::-1]
    while waiting or running:
        while waiting and len(running) < jobs:
            (number, task), file = waiting.pop(), tempfile.TemporaryFile()  # noqa: SIM115
            if not (pid := os.fork()):
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.dup2(1, 2)
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                try:
                    pickle.dump(task(), file)
                    file.flush()
                    os._exit(0)
                finally:
                    os._exit(1)
            running[pid] = number, file
        pid, status = os.wait()
        number, file = running.pop(pid)
        with file:
            file.seek(0)
            yield number, pickle.load(file) if not status else ("timeout" if status == signal.SIGALRM else "crash")


def subjects(item: Any) -> set[str]:
    """The primitives that a test has among its parameters, or names in its text."""
    function = getattr(getattr(item.obj, "hypothesis", item.obj), "inner_test", item.obj)
    source = inspect.getsource(function)
    things = [getattr(tinygrad_np, name, None) for name in re.findall(r"\btg\.(\w+)", source)]
    things += [function.__globals__.get(name) for name in re.findall(r"\b_?[a-z]\w+", source)]
    things += item.callspec.params.values() if hasattr(item, "callspec") else ()
    return {str(thing) for thing in things if isinstance(thing, (primitives.Primitive, derived.Derived))}


class Run:
    """The pytest plugin: collects the tests once, and runs them again and again in copies of the process."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.failed, self.killed_enough = options, None, True
        self.random = random.Random(options.seed)

    def pytest_collection(self) -> None:
        from hypothesis import Phase, settings  # which pytest has to import first

        draw_alone = [Phase.explicit, Phase.generate]  # what fails need not be made small
        settings.register_profile("mutants", settings.get_profile("ci"), phases=draw_alone)
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed = report.nodeid

    def run(self, item: Any, seconds: float) -> bool:
        """Whether a test passes; if it takes too long, the system ends the process."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(round(seconds))
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        signal.alarm(0)
        return self.failed is None

    def watched(self, numbers: list[int]) -> list[tuple[int, bool, float, set[int]]]:
        """Run tests and write down for each whether it passed, the seconds, and the targets whose code it ran."""
        place = {id(f.__code__): i for i, target in enumerate(self.targets) for f in target.functions}
        notes = []
        for number in numbers:
            seen: set[int] = set()

            def watch(frame: Any, _: str, __: Any, seen: set[int] = seen) -> None:  # of each call, and no lines
                if id(frame.f_code) in place:
                    seen.add(place[id(frame.f_code)])

            threading.settrace(watch)
            sys.settrace(watch)
            began = time.perf_counter()
            passed = self.run(self.items[number], 600)
            sys.settrace(None)
            notes.append((number, passed, time.perf_counter() - began, seen))
            self.failed = None
        return notes

    def tested(self, mutant: Mutant) -> str | None:
        """The test that kills a mutant."""
        try:
            mutant.target.apply(mutant)
        except Exception as error:
            return f"{MISSED}: {error!r}"
        for primitive in primitives.registry.values():  # what codegen wrote is written anew
            primitive.plans.clear()
            primitive.call = primitive._first_call
        for number in mutant.target.items:
            if not self.run(self.items[number], 10 + 10 * self.seconds[number]):
                return self.failed
        return None

    def pytest_runtestloop(self, session: Any) -> bool:
        self.items = session.items
        session.config._tmp_path_factory.getbasetemp()
        self.targets = targets()
        self.assign_tests()
        drawn = self.draw()
        if self.options.list:
            for mutant in drawn:
                say(" ".join(mutant.key))
            return True
        verdicts: dict[Mutant, str | None] = {}
        for number, verdict in forked([lambda m=m: self.tested(m) for m in drawn], self.options.jobs):
            if str(verdict).startswith(MISSED):
                pytest.exit(f"{drawn[number]}: {verdict}", 2)
            verdicts[drawn[number]] = verdict
            if verdict is None:
                say(f"survived: {' '.join(drawn[number].key)}")
        self.killed_enough = report(verdicts)
        return True

    def assign_tests(self) -> None:
        """Run all tests as they are; give each target those that ran its code and are its primitive's, or engine's."""
        numbers, jobs = range(len(self.items)), self.options.jobs
        chunks = [list(numbers[i :: 8 * jobs]) for i in range(8 * jobs)]
        found = [part for _, part in forked([lambda c=c: self.watched(c) for c in chunks], jobs)]
        assert not {"timeout", "crash"} & {p for p in found if isinstance(p, str)}, "without any change"
        notes = [note for part in found for note in part]
        if failed := [self.items[number].nodeid for number, passed, _, _ in notes if not passed]:
            pytest.exit(f"these tests fail without any change: {failed}", 2)
        self.seconds = {number: seconds for number, _, seconds, _ in notes}
        for number, _, _, seen in sorted(notes, key=lambda note: note[2]):
            item, stem = self.items[number], self.items[number].path.stem.removeprefix("test_")
            about = subjects(item)
            for i, target in enumerate(self.targets):
                if not target.functions:
                    own = stem in ENGINE_TESTS
                elif target.file.parent == PACKAGE:
                    own = stem in ENGINE_TESTS and i in seen
                else:
                    mine = about if not target.owners else about & set(target.owners)
                    own = stem in PRIMITIVE_TESTS and i in seen and bool(mine)
                if own:
                    target.items.append(number)

    def draw(self) -> list[Mutant]:
        """Mutants in turn from every primitive, every function and text of the engine, and every helper in ops."""
        apart = {t.node for t in self.targets}
        pools: dict[Target, list[Mutant]] = {}
        for target in self.targets:
            pools[target] = target.mutants(apart)
            self.random.shuffle(pools[target])
        by_kind: list[dict[str, list[Target]]] = [defaultdict(list) for _ in range(3)]
        for target in self.targets:
            label = f"{target.file.relative_to(PACKAGE)} {target.name}"
            if not pools[target]:
                continue
            if not target.items:
                say(f"run by no test of its own: {label}")
            elif target.file.parent == PACKAGE:
                by_kind[1][label].append(target)
            elif not target.owners:
                by_kind[2][label].append(target)
            for owner in target.owners:
                by_kind[0][owner].append(target)
        queue = []
        for kind in by_kind:
            labels = sorted(kind)
            self.random.shuffle(labels)
            queue += [(label, kind[label]) for label in labels]
        only, drawn = self.options.only, []
        queue = [(label, ts) for label, ts in queue if not only or any(word in label.split() for word in only)]
        while queue and len(drawn) < self.options.count:
            label, choice = queue.pop(0)
            choice = [t for t in choice if pools[t]]
            if not choice:
                continue
            target = self.random.choice(choice)
            while pools[target]:
                mutant = pools[target].pop()
                if target.is_valid(mutant):
                    drawn.append(mutant)
                    mutant.group = label
                    break
            queue.append((label, choice))
        return drawn


# --- the report -------------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def share(verdicts: list[str | None]) -> str:
    killed = sum(v is not None for v in verdicts)
    return f"{killed} of {len(verdicts)} killed, {100 * killed / max(1, len(verdicts)):.1f} %"


def report(verdicts: dict[Mutant, str | None]) -> bool:
    """Print what became of the mutants; whether enough were killed."""
    groups: dict[str, list[str | None]] = defaultdict(list)
    for mutant, verdict in verdicts.items():
        groups[mutant.group].append(verdict)
    say(f"\n{'drawn':>5} {'killed':>6} {'survived':>8}  of what; by which tests")
    for group in sorted(groups, key=lambda g: (" " in g, g)):
        killers = [v.partition("::")[2].partition("[")[0] or v for v in groups[group] if v]
        by = ", ".join(f"{name} {n}" if n > 1 else name for name, n in Counter(killers).most_common())
        say(f"{len(groups[group]):5} {len(killers):6} {len(groups[group]) - len(killers):8}  {group}: {by}")
    of_kind = Counter(mutant.target.kind for mutant in verdicts)
    say("\nmutants made in " + ", ".join(f"{kind} {n}" for kind, n in of_kind.most_common()))
    say("\nsurvivors")
    for mutant, verdict in verdicts.items():
        if verdict is None:
            file, source, line = mutant.target.file, mutant.target.source, mutant.old.lineno
            say(f"{file.relative_to(PACKAGE)}:{line} {mutant.target.name}: {source.splitlines()[line - 1].strip()}")
            say(f"    {mutant}\n    {ARGUED.get(mutant.key, 'NOT ARGUED')}")
    say("")
    of_engine = [v for m, v in verdicts.items() if m.target.file.parent == PACKAGE]
    of_ops = [v for m, v in verdicts.items() if m.target.file.parent != PACKAGE]
    say(f"engine: {share(of_engine)}\nops: {share(of_ops)}\nin all: {share(of_engine + of_ops)}")
    killed = sum(v is not None for v in verdicts.values())
    return 100 * killed >= ENOUGH * len(verdicts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=500, help="how many mutants to draw")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="primitives, functions or files (ops/shape.py)")
    parser.add_argument("--list", action="store_true", help="print the mutants and try none")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    run = Run(parser.parse_args())
    files = [str(TESTS / f"test_{name}.py") for name in dict.fromkeys(PRIMITIVE_TESTS + ENGINE_TESTS)]
    with tempfile.TemporaryDirectory() as folder:
        code = pytest.main(["-qq", "-s", "-p", "no:xdist", "--basetemp", folder, *files], plugins=[run])
    return int(code) or int(not run.killed_enough)


if __name__ == "__main__":
    sys.exit(main())

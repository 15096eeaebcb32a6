"""What `debug` finds is told with its place and its line, what is right passes, and nothing is left behind."""

import doctest
import inspect
import linecache
import re
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np import debugging, derived, nn, optim
from tinygrad_np.errors import NonFiniteError, RuleError, ShapeError, StaleError
from tinygrad_np.primitives import Primitive, registry

HERE = rf"{re.escape(__file__)}:\d+"


def leaf(value, name=None, dtype=float):
    return tg.tensor(value, dtype, requires_grad=True, name=name)


@pytest.fixture
def define():
    """Makes derived functions for one test."""
    before = dict(derived.registry)
    yield derived.Derived
    derived.registry.clear()
    derived.registry.update(before)


# --- arrays that changed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gradient",
    [
        lambda loss, w, v: loss.backward(),
        lambda loss, w, v: tg.grad(loss, w),
        lambda loss, w, v: tg.grad(loss, [w, v]),
        lambda loss, w, v: tg.grad(loss, w, create_graph=True),
    ],
    ids=["backward", "grad", "by a result", "create_graph"],
)
def test_a_plain_array_that_changed_after_it_was_recorded(gradient):
    w, a = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    with tg.debug():
        v = w * 2
        y = v * a
        a[1] = 5
        with pytest.raises(StaleError) as caught:
            gradient(y.sum(), w, v)
    assert re.fullmatch(
        r"multiply: its rule needs 'y' as it was when recorded, but at index \(1,\) it was 4\.0 and is 5\.0 now; write "
        rf"into it after the gradient is taken, or give a copy, tensor\(a\)\n  recorded at {HERE}\n    y = v \* a",
        str(caught.value),
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.__setitem__((1, 0), np.nan), r"at index \(1, 0\) it was 1\.0 and is nan now"),
        (lambda a: a.setflags(write=False), None),
        (lambda a: a.__setitem__(..., a.copy()), None),
        (lambda a: setattr(a, "shape", (4,)), r"its shape was \(2, 2\) and is \(4,\) now"),
    ],
    ids=["to NaN", "flags", "the same again", "shape"],
)
@pytest.mark.filterwarnings("ignore:Setting the shape")
def test_what_is_a_change(change, words):
    w, a = leaf(np.ones((2, 2))), np.ones((2, 2))
    with tg.debug():
        loss = (w * a).sum()
        change(a)
        if words is None:
            loss.backward()
        else:
            with pytest.raises(StaleError, match=words):
                loss.backward()


def test_nan_that_is_still_nan_has_not_changed():
    w, a = leaf([1.0, 2.0]), np.array([np.nan, 1.0])
    with tg.debug(nan=False):
        (w * a).sum().backward()


def test_all_kinds_of_things_that_are_kept_are_held_against_their_copies():
    w = leaf([1.0, 2.0])

    @tg.primitive(sequence=True)
    def product(arrays, /, factors=None):
        return arrays[0] * arrays[1] * factors[0]

    product.def_vjp(arrays=lambda g, arrays, factors: [g * arrays[1] * factors[0], g * arrays[0] * factors[0]])
    number, memory = np.array(2.0), np.ones(2)
    shared = tg.from_numpy(memory)
    update = leaf([1.0, 2.0], name="b")
    writable = update.writable()
    for array, function, words in (
        (number, lambda: w * number, "'y' as it was when recorded, but it was 2.0 and is 3.0 now"),
        (memory, lambda: w * shared, r"'y' as .* at index \(0,\) it was 1.0 and is 2.0 now"),
        (writable, lambda: w * update, r"'y' as .* at index \(0,\) it was 1.0 and is 2.0 now"),
        (memory, lambda: product([w, memory], (1.0,)), r"'arrays\[1\]' as .* at index \(0,\) it was 2.0 and is 3.0"),
        (memory, lambda: product([w, 1.0], (memory,)), r"'factors\[0\]' as .* at index \(0,\) it was 3.0 and is 4.0"),
        (memory, lambda: tg.reshape(memory, (2,)) * w, r"'x' as .* at index \(0,\) it was 4.0 and is 5.0"),
    ):
        with tg.debug():
            loss = function().sum()
            array += 1
            with pytest.raises(StaleError, match=words):
                loss.backward()


def test_a_result_that_lies_in_a_plain_array_is_held_against_its_copy():
    w, memory = leaf([1.0, 2.0]), np.ones(2)

    @tg.primitive
    def borrowed(x, /):
        return memory[:]

    borrowed.def_vjp(x=lambda g, out: g * out)
    with tg.debug():
        loss = borrowed(w).sum()
        memory[0] = 7
        with pytest.raises(StaleError, match=r"borrowed: its rule needs 'out' .* it was 1.0 and is 7.0 now"):
            loss.backward()


def test_updates_of_parameters_are_the_engines_error():
    w = leaf([1.0, 2.0], name="w")
    with tg.debug():
        loss = (w * w).sum()
        w.data = np.zeros(2)
        with pytest.raises(StaleError, match="parameter 'w'"):
            loss.backward()


def test_without_changes_nothing_is_copied():
    w, a = leaf([1.0, 2.0]), np.ones(2)
    with tg.debug(changes=False):
        loss = (w * a).sum()
        a[0] = 5
        loss.backward()
    assert w.grad.tolist() == [5.0, 1.0]


def test_copies_are_freed_with_the_graph_and_not_counted_by_its_memory():
    w, a = leaf(np.ones(100)), np.ones(100)
    with tg.debug():
        loss = (w * a).sum()
    node = tg.tape(loss)[1]
    assert tg.tape(loss).memory().total == 800
    loss.backward()
    assert node.saved is None


# --- values that are not finite, forward ------------------------------------------------------------------------------


def test_the_operation_that_made_it_first():
    x = leaf([1.0, -1.0])
    with tg.debug(), pytest.raises(NonFiniteError) as caught:
        tg.log(x)
    assert re.fullmatch(
        r"log: its result of shape \(2,\) is nan at index \(1,\), where x is -1\.0"
        rf"\n  computed at {HERE}\n    tg\.log\(x\)"
        r"\n  If a where\(\) after it leaves this entry out, its gradient may be nan all the same; make the arguments "
        r"safe first: where\(mask, log\(where\(mask, x, 1\)\), 0\)",
        str(caught.value),
    )
    assert isinstance(caught.value, ArithmeticError)


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        (lambda: leaf([np.nan], "w") * 2, r"'x' \(leaf w\) is nan at index \(0,\) already"),
        (lambda: leaf(1.0) * leaf(np.inf), r"multiply: its result of shape \(\) is inf, as its argument 'y' \(leaf\) "),
        (lambda: leaf(1.0) * tg.tensor([np.inf], name="c"), r"'y' \(the constant 'c'\) is inf at index \(0,\) already"),
        (lambda: leaf(1.0) * tg.tensor([np.inf]).detach(), r"'y' \(a constant\) is inf at"),
        (lambda: leaf(1.0) * np.array([[0, -np.inf]]), r"'y' \(a plain array\) is -inf at index \(0, 1\) already"),
        (lambda: leaf(1.0) * [1, np.nan], r"'y\[1\]' \(a number\) is nan already"),
        (lambda: leaf(1.0) * np.nan, r"'y' \(a number\) is nan already"),
        (
            lambda: tg.stack([leaf(1.0), leaf(np.nan, "w")]),
            r"stack: .* argument 'arrays\[1\]' \(leaf w\) is nan already",
        ),
        (lambda: np.log(leaf(0.0)), r"log: its result of shape \(\) is -inf, where x is 0.0\n  computed"),
        (lambda: tg.exp(leaf([1.0, 1000.0])), r"exp: .* is inf at index \(1,\), where x is 1000.0"),
        (lambda: leaf([1.0, 2.0]) / leaf(0.0), r"divide: .* is inf at index \(0,\), where x is 1.0 and y is 0.0"),
        (lambda: tg.divide(1.0, 0.0), "divide: its result of shape .* is inf, where x is 1.0 and y is 0.0"),
        (lambda: tg.log(np.zeros(2)), r"log: its result of shape \(2,\) is -inf"),
    ],
)
def test_where_it_began(compute, words):
    with tg.debug(), pytest.raises(NonFiniteError, match=words):
        compute()
    with tg.debug(nan=False, infinity=False), np.errstate(all="ignore"):
        compute()


def test_made_before_the_block():
    x = leaf(np.inf)
    y = x * 2
    with tg.debug(), pytest.raises(NonFiniteError, match="made by multiply, which was recorded before debug"):
        y + 1
    with tg.debug(nan=False, infinity=False):
        y = x * 2
        with tg.debug(), pytest.raises(NonFiniteError, match=r"'x' \(made by multiply\) is inf already"):
            y + 1


def test_what_takes_them_out_passes():
    x = leaf([1.0, np.nan, np.inf])
    with tg.debug():
        assert tg.where([True, False, False], x, 0.0).tolist() == [1.0, 0.0, 0.0]
        assert tg.keep_where(x, [True, False, False]).tolist() == [1.0, 0.0, 0.0]
        assert tg.grad(tg.keep_where(x, [True, False, False]).sum(), x).tolist() == [1.0, 0.0, 0.0]
        assert (x > 0).tolist() == [True, False, True]


def test_infinities_on_purpose():
    x = leaf([1.0, 2.0, 3.0])
    with tg.debug(infinity=False):
        loss = tg.softmax(tg.where([True, True, False], x, -np.inf)).max()
        assert np.isfinite(tg.grad(loss, x).numpy()).all()
        with pytest.raises(NonFiniteError, match=r"subtract: its result .* is nan"):
            leaf(np.inf) - np.inf
    with tg.debug(nan=False):
        assert np.isnan((leaf(np.nan) * 1).item())
        with pytest.raises(NonFiniteError, match=r"multiply: its result of shape \(2,\) is inf at index \(1,\)"):
            leaf([np.nan, np.inf]) * 1


def test_the_error_comes_before_numpys_warning_where_that_is_an_error():
    with tg.debug():
        for how in ("raise", "warn", "ignore"):
            with np.errstate(all=how), pytest.raises(NonFiniteError):
                tg.log(leaf(0.0))


def test_warnings_that_are_no_such_error_stay_numpys():
    @tg.primitive
    def warns(x, /):
        warnings.warn("so", RuntimeWarning, stacklevel=2)
        return x * 2

    def warning_rule(g):
        warnings.warn("back", RuntimeWarning, stacklevel=2)
        return g * 2

    warns.def_vjp(x=warning_rule)
    with tg.debug():
        with pytest.raises(RuntimeWarning, match="so"):
            warns(leaf(1.0))
        with pytest.warns(RuntimeWarning, match="so"):
            loss = warns(leaf(1.0))
        with pytest.raises(RuntimeWarning, match="back"):
            loss.backward()


# --- values that are not finite, backward -----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["backward", "grad", "by a result", "create_graph"])
def test_an_infinite_slope(how):
    take = {
        "backward": lambda loss, x, y: loss.backward(),
        "grad": lambda loss, x, y: tg.grad(loss, x),
        "by a result": lambda loss, x, y: tg.grad(loss, [x, y]),
        "create_graph": lambda loss, x, y: tg.grad(loss, x, create_graph=True),
    }
    x = leaf([4.0, 0.0])
    with tg.debug():
        y = tg.sqrt(x)
        loss = (y * 3).sum()
        with pytest.raises(NonFiniteError) as caught:
            take[how](loss, x, y)
    text = str(caught.value)
    assert re.match(
        r"sqrt: the gradient of its argument 'x' of shape \(2,\) is inf at index \(1,\), where g is 3\.0 and out is 0\."
        rf"0\n  recorded at {HERE}\n    y = tg\.sqrt\(x\)",
        text,
    )
    assert "trap" not in text
    assert x.grad is None


def test_gradients_of_gradients():
    x = leaf([4.0, 0.0])
    with tg.debug():
        slope = tg.grad((x**1.5).sum(), x, create_graph=True)
        assert slope.tolist() == [3.0, 0.0]
        with pytest.raises(NonFiniteError) as caught:
            tg.grad(slope.sum(), x)
    assert str(caught.value).startswith(
        "power in the rule of power: the gradient of its argument 'x' of shape (2,) is "
    )
    assert re.search(rf"recorded at {HERE}\n    slope = tg\.grad", str(caught.value))


def test_a_seed_and_sums_that_overflow():
    x, small = leaf([1.0, 2.0]), leaf(1.0, dtype=np.float16)
    comes = (
        r"multiply: the gradient that comes to it, of shape \({}\), is inf{}: so in the seed, in a sum of gradients, or"
    )
    with tg.debug():
        with pytest.raises(NonFiniteError, match=comes.format("2,", r" at index \(1,\)")):
            tg.grad(x * 2, x, seed=[1, np.inf])
        y = small * 1
        with np.errstate(over="ignore"), pytest.raises(NonFiniteError, match=comes.format("", "")):
            tg.grad(y * 1 + y * 1, small, seed=np.float16(60000))
        with pytest.raises(NonFiniteError, match=r"multiply: the gradient of its argument 'x' of shape \(\) is inf\n"):
            tg.grad(small * np.ones(100, np.float16), small, seed=np.full(100, 1000))  # summed back to a scalar


def test_what_was_recorded_before_the_block_is_not_seen_but_what_comes_of_it():
    x = leaf([4.0, 0.0])
    with tg.debug():
        y = x * 1
    loss = tg.sqrt(y).sum()
    with (
        tg.debug(),
        np.errstate(all="ignore"),
        pytest.raises(NonFiniteError, match="multiply: the gradient that comes"),
    ):
        loss.backward()


def test_rules_of_sequences_and_rules_for_g():
    @tg.primitive(sequence=True)
    def total(arrays, /):
        return sum(arrays)

    total.def_vjp(arrays=lambda g, arrays: [g * np.inf for _ in arrays])

    @tg.primitive
    def wild(x, /):
        return x * 1

    wild.def_vjp(g=lambda g: g * np.inf, x=lambda g: g)
    with tg.debug():
        with pytest.raises(
            NonFiniteError, match=r"total: the gradient of its argument 'arrays\[1\]' of shape \(\) is inf"
        ):
            total([np.array(1.0), leaf(1.0)]).backward()
        with pytest.raises(
            NonFiniteError, match=r"wild: the gradient of its result, by the rule for 'g', of .* is inf"
        ):
            wild(leaf(1.0)).backward()
        with pytest.raises(NonFiniteError, match="wild: the gradient of its result"):
            tg.grad(wild(x := leaf(1.0)), x, create_graph=True)


def test_errors_of_the_engine_stay_what_they_are():
    @tg.primitive
    def bad(x, /):
        return x * 1

    bad.def_vjp(x=lambda g: "text")
    with tg.debug():
        with pytest.raises(RuleError, match="bad: expected the rule for 'x' to return a real array"):
            bad(leaf([1.0, 2.0])).sum().backward()
        with pytest.raises(ShapeError, match=r"^add: operands could not be broadcast"):
            leaf([1.0, 2.0]) + np.ones(3)


# --- the trap of where ------------------------------------------------------------------------------------------------

TRAP = (
    "0 times an infinite slope is nan: the trap of where, which passes exact zeros back to what it does not take; make "
    "the arguments safe first: where(mask, sqrt(where(mask, x, 1)), 0)"
)


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_trap_of_where(create_graph):
    x = leaf([4.0, 0.0])
    with tg.debug():
        root = tg.sqrt(x)
        y = tg.where(x > 0, root, 0)
        with pytest.raises(NonFiniteError) as caught:
            tg.grad(y.sum(), x, create_graph=create_graph)
        mask = x > 0
        safe = tg.where(mask, tg.sqrt(tg.where(mask, x, 1)), 0)  # as it says
        assert tg.grad(safe.sum(), x, create_graph=create_graph).tolist() == [0.25, 0.0]
    assert re.match(
        r"sqrt: the gradient of its argument 'x' of shape \(2,\) is nan at index \(1,\), where g is 0\.0 and out is 0\."
        rf"0\n  recorded at {HERE}\n    root = tg\.sqrt\(x\)\n  {re.escape(TRAP)}"
        rf"\n  the zero is made by where, recorded at {HERE}\n    y = tg\.where\(x > 0, root, 0\)",
        str(caught.value),
    )


@pytest.mark.parametrize(
    ("choose", "gate"),
    [
        (lambda x: tg.where(x > 0, 3 * tg.sqrt(x) + 1, x), "where"),
        (lambda x: tg.keep_where(tg.relu(tg.sqrt(x)), x > 0), "keep_where"),
        (lambda x: tg.where(x > 0, x**0.5, 0), "where"),
        (lambda x: tg.relu(tg.where(x > 0, tg.sqrt(x), 5) - 3), "where"),  # relu makes another zero first
        (lambda x: tg.where(x[:, None] > 0, tg.stack([tg.sqrt(x)] * 2, 1), 0), "where"),
        (lambda x: tg.select([x > 0], [tg.sqrt(x)], 0.0), "where in select"),
    ],
)
def test_the_trap_is_seen_from_afar(choose, gate):
    x = leaf([4.0, 0.0])
    with tg.debug(), pytest.raises(NonFiniteError, match=rf"the trap of where, [\s\S]* is made by {gate}, recorded at"):
        choose(x).sum().backward()


def test_zeros_that_are_no_wheres():
    x = leaf([4.0, 0.0])
    with tg.debug():
        with pytest.raises(NonFiniteError, match=r"slope is nan\n  the zero is made by relu, recorded at"):
            tg.relu(tg.sqrt(x) - 1).sum().backward()
        with pytest.raises(NonFiniteError, match=r"slope is nan$"):
            tg.grad(tg.sqrt(x), x, seed=[1, 0])
        with pytest.raises(NonFiniteError) as caught:
            tg.grad(tg.where([True, True], tg.sqrt(x), 0), x, seed=[1, 0])  # a where, but it takes all
    assert "made by" not in str(caught.value)


def test_an_operation_before_a_where_is_told_of_the_trap_at_once():
    x = leaf([4.0, 0.0])
    words = r"log: [\s\S]*If a where\(\) after it .*: where\(mask, log\(where\(mask, x, 1\)\), 0\)"
    with tg.debug(), pytest.raises(NonFiniteError, match=words):
        tg.where(x > 0, tg.log(x), 0)
    words = r"divide: [\s\S]* where\(mask, divide\(where\(mask, x, 1\), where\(mask, y, 1\)\), 0\)"
    with tg.debug(), pytest.raises(NonFiniteError, match=words):
        tg.where(x > 0, np.ones(2) / x, 0)
    with tg.debug(), pytest.raises(NonFiniteError) as caught:
        tg.log(tg.tensor([4.0, 0.0]))  # a constant has no gradient
    assert "where()" not in str(caught.value)


# --- writing in place -------------------------------------------------------------------------------------------------


def edits(what):
    """A primitive whose rule, or forward, edits what it is given."""

    def edited(x, /):
        if what == "forward":
            x += 1
        return x * 2

    def rule(g, x, out):
        array = {"g": g, "x": x, "out": out}.get(what)
        if array is not None:
            array *= 2
        return g * 2

    made = tg.primitive(edited)
    made.def_vjp(x=rule)
    return made


@pytest.mark.parametrize("what", ["forward", "g", "x", "out"])
def test_a_forward_or_rule_that_edits_in_place(what):
    made, x, y = edits(what), leaf([1.0, 2.0]), leaf([1.0, 2.0])
    loss = (made(y) * np.ones(2)).sum()
    loss.backward()  # outside nobody is told
    whose = "forward" if what == "forward" else "rule for 'x'"
    with tg.debug(), pytest.raises(RuleError, match=f"^edited: its {whose} writes into an array that it is given"):
        (made(x) * np.ones(2)).sum().backward()
    assert x.tolist() == [1.0, 2.0]


def test_a_forward_that_edits_a_sequence_or_a_plain_array():
    @tg.primitive(sequence=True)
    def first(arrays, /):
        arrays[0][:] = 0
        return arrays[0]

    first.def_vjp(arrays=lambda g: [g])
    a = np.ones(2)
    with tg.debug():
        for call in (lambda: first([a]), lambda: first([leaf([1.0])])):
            with pytest.raises(RuleError, match="first: its forward writes"):
                call()
    assert a.tolist() == [1.0, 1.0]


def test_views_are_the_same_views():
    a, w = np.arange(4.0), leaf(np.zeros(4), "w")
    with tg.debug():
        view = tg.reshape(a, (2, 2))
        assert view.flags.writeable
        assert np.shares_memory(view, a)
        with tg.no_grad():
            tg.reshape(w, (2, 2)).data = np.ones((2, 2))
    assert w.tolist() == [1.0] * 4


# --- functions of functions -------------------------------------------------------------------------------------------


def test_what_a_derived_function_hides_is_no_error(define):
    @define
    def largest(x):
        return tg.where(tg.equal(x, x), x, -np.inf).max()

    @define
    def masked_root(x):
        return tg.sqrt(tg.where(x > 0, x, 0)).sum()  # of infinite slope inside, where it is 0

    x = leaf([1.0, np.nan, 3.0])
    with tg.debug():
        assert tg.grad(largest(x), x).tolist() == [0.0, 0.0, 1.0]
        assert tg.grad(masked_root(y := leaf([4.0, 0.0])), y).tolist() == [0.25, 0.0]
        with pytest.raises(NonFiniteError) as caught:
            largest(leaf([np.nan]))
    assert re.match(
        rf"largest: its result of shape \(\) is -inf, as its argument 'x' \(leaf\) is nan at index \(0,\) already\n  "
        rf"computed at {HERE}\n    largest\(leaf\(\[np.nan\]\)\)\n  first in it: where: its result of shape \(1,\) is ",
        str(caught.value),
    )


def test_what_a_derived_function_passes_back(define):
    @define
    def root(x, *others, axis=None):
        return tg.where(x > 0, 1 * tg.sqrt(1 * x), 0)

    x = leaf([4.0, 0.0])
    with tg.debug(), pytest.raises(NonFiniteError) as caught:
        root(x).sum().backward()
    text = str(caught.value)
    assert text.startswith("multiply in root: the gradient of its argument 'y' of shape (2,) is nan at index (1,)")
    assert "\n  first in it: sqrt in root: the gradient of its argument 'x' of shape (2,) is nan" in text
    assert "the trap of where" in text
    assert "the zero is made by where in root" in text


def test_what_it_hid_on_the_way_forward_is_not_what_is_wrong_on_the_way_back(define):
    @define
    def masked_log(x):
        return tg.where(x > 0, tg.log(x), 0)

    with tg.debug():
        with np.errstate(divide="ignore"):
            loss = masked_log(leaf([4.0, 0.0])).sum()
        with pytest.raises(
            NonFiniteError, match=r"^log in masked_log: the gradient [\s\S]* the trap of where"
        ) as caught:
            loss.backward()
    assert "first in it" not in str(caught.value)


def test_derived_functions_in_others_with_options_and_several_results(define):
    @define
    def product(x, *others, power=1):
        for other in others:
            x = x * other**power
        return x, [x + 1]

    @define
    def outer(x):
        return 1 / product(x, 1.0)[0]

    x = leaf([4.0, 0.0])
    with tg.debug():
        assert product(x, 2.0)[1][0].tolist() == [9.0, 1.0]
        words = (
            r"product: its result of shape \(2,\) is nan at .*, as its argument 'others\[1\]' \(a number\) is nan alr"
        )
        with pytest.raises(NonFiniteError, match=words):
            product(x, 1.0, np.nan, power=2)
        words = r"outer: its result .* where x is 0\.0[\s\S]*, outer\(where.*\n  first in it: divide: its result"
        with pytest.raises(NonFiniteError, match=words):
            outer(x)
        with pytest.raises(ShapeError, match=r"^product: multiply: "):
            product(x, np.ones(3))


# --- opening and closing ----------------------------------------------------------------------------------------------


def state():
    calls = {primitive: primitive.compiled() for primitive in registry.values()}
    return calls, {f: f.function for f in derived.registry.values()}, Primitive.compiled


def test_nothing_is_changed_after_the_block():
    before = state()
    with tg.debug():
        during = state()
        tg.exp(leaf(1.0))
    with pytest.raises(KeyError), tg.debug():
        raise KeyError
    assert state() == before
    assert all(during[0][primitive] is not call for primitive, call in before[0].items())
    assert during[1].keys() == before[1].keys()
    loss = (leaf([1.0, 2.0]) * 2).sum()
    assert type(tg.tape(loss)[1].plan) is tg.primitives.Plan


def test_what_was_recorded_inside_is_looked_at_outside_too():
    w, a = leaf([1.0, 2.0]), np.ones(2)
    with tg.debug():
        loss = (w * a).sum()
    a[0] = 5
    with pytest.raises(StaleError, match="multiply: its rule needs 'y'"):
        loss.backward()


def test_blocks_in_blocks_and_one_entered_twice():
    x, before = leaf(0.0), state()
    with tg.debug() as outer:
        with tg.debug(infinity=False), np.errstate(all="ignore"):
            assert tg.log(x).item() == -np.inf
        with pytest.raises(NonFiniteError):
            tg.log(x)
        with outer, pytest.raises(NonFiniteError):
            tg.log(x)
        with pytest.raises(NonFiniteError):
            tg.log(x)
    assert state() == before


def test_all_threads_are_seen_while_it_is_open():
    found, ready, over = [], threading.Event(), threading.Event()

    def other():
        for event in (None, over):
            if event:
                event.wait(10)
            try:
                with np.errstate(all="ignore"):
                    found.append(tg.log(leaf(0.0)).item())
            except NonFiniteError as error:
                found.append(str(error).split(":")[0])
            ready.set()

    thread = threading.Thread(target=other)
    with tg.debug():
        thread.start()
        ready.wait(10)
    over.set()
    thread.join()
    assert found == ["log", -np.inf]


def test_many_threads_open_and_close():
    before, errors = state(), []

    def work():
        try:
            for _ in range(20):
                with tg.debug():
                    w = leaf([1.0, 2.0])
                    (w * tg.exp(w)).sum().backward()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert state() == before


def test_primitives_defined_inside_are_seen():
    with tg.debug():

        @tg.primitive
        def inverse(x, /):
            return 1 / x

        inverse.def_vjp(x=lambda g, out: -g * out * out)
        for _ in range(2):
            with pytest.raises(NonFiniteError, match="inverse: its result"):
                inverse(leaf(np.array(0.0)))
    with np.errstate(all="ignore"):
        assert inverse(leaf(np.array(0.0))).item() == np.inf


def test_with_a_profile_inside_outside_and_overlapping():
    before, x = state(), leaf([4.0, 0.0])
    with tg.debug(), tg.profile() as profile, pytest.raises(NonFiniteError, match="the trap of where"):
        tg.where(x > 0, tg.sqrt(x), 0).sum().backward()
    rows = {row.op: row for row in profile.rows}
    assert (rows["sqrt"].calls, rows["where"].backward_calls) == (1, 1)
    with tg.profile(), tg.debug(), pytest.raises(NonFiniteError):
        tg.log(x)
    assert state() == before
    block, profile = tg.debug(), tg.profile()
    block.__enter__()
    with np.errstate(all="ignore"):
        with profile:
            block.__exit__()
            tg.log(x)
        assert tg.log(x).tolist()[1] == -np.inf
    assert [(row.op, row.calls) for row in profile.rows] == [("log", 1)]
    with tg.debug(), pytest.raises(NonFiniteError):
        tg.log(x)


def test_kernels_are_not_run():
    @tg.primitive
    def twice(x, /):
        return x * 2

    twice.def_vjp(x=lambda g: g * 2)
    twice.def_kernel(lambda lend, x: (x * 3,), lambda lend, g, live: (g * 3,))
    x = leaf([1.0])
    assert tg.grad(twice(x), x).item() == twice(x).item() == 3
    with tg.debug():
        assert tg.grad(twice(x), x).item() == twice(x).item() == 2
    assert tg.grad(twice(x), x).item() == twice(x).item() == 3


def test_gradients_are_those_of_the_kernels():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(100, 1, 8, 8)), rng.integers(3, size=100)

    def trained(steps):
        rng = np.random.default_rng(1)
        model = nn.Sequential(
            nn.Conv2D(1, 4, 3, rng=rng), nn.ReLU(), nn.MaxPool2D(), nn.Flatten(), nn.Dense(64, 3, rng=rng)
        )
        sgd = optim.SGD(model.parameters(), lr=0.1)
        for _ in range(steps):
            sgd.zero_grad()
            tg.cross_entropy(model(x), labels).backward()
            sgd.step()
        return [p.numpy() for p in model.parameters()]

    usual = trained(3)
    with tg.debug():
        looked_at = trained(3)
    for a, b in zip(usual, looked_at, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_its_example_runs():
    examples = doctest.DocTestParser().get_examples(inspect.cleandoc(tg.debug.__doc__))
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    runner.run(doctest.DocTest(examples, dict(vars(debugging)), "debug", None, 0, None), out=sys.stderr.write)
    assert runner.summarize(verbose=False).failed == 0


def test_the_page_prints_what_stands_in_it(capsys, monkeypatch):
    page, scope = (Path(__file__).parents[1] / "docs" / "debugging.md").read_text(), {}
    for language, text in re.findall(r"^```(python|text)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if language == "python":
            monkeypatch.setitem(linecache.cache, "train.py", (len(text), None, text.splitlines(True), "train.py"))
            exec(compile(text, "train.py", "exec"), scope)
        else:
            assert capsys.readouterr().out == text

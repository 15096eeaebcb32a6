"""Strategies draw what they promise, print as what they are, and shrink."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from scipy import special

import tinygrad_np as tg
from tinygrad_np import facts, strategies, verify
from tinygrad_np.derived import Derived
from tinygrad_np.errors import ArgumentError, DtypeError, RangeError
from tinygrad_np.facts import Facts, Trial, known
from tinygrad_np.strategies import Program, Step
from tinygrad_np.strategies.spelling import spelt

FEW = settings(max_examples=max(3, settings.default.max_examples // 8), suppress_health_check=list(HealthCheck))
ONCE = settings(database=None, phases=[Phase.generate])  # the error has the smallest input already
FLOATS = st.sampled_from([np.float16, np.float32, np.float64, np.longdouble])
every_function = pytest.mark.parametrize("function", list(known), ids=str)


def apart(x, least):
    """Whether all entries differ by this much, but for rounding of the differences themselves."""
    gaps = np.diff(np.sort(x.astype(np.longdouble), axis=None))
    return bool((gaps >= least * (1 - 1e-12)).all())


# --- arrays -----------------------------------------------------------------------------------------------------------


@given(st.data(), FLOATS, st.floats(-3, 3), st.floats(0, 3), st.lists(st.floats(-3, 3), max_size=2), st.booleans())
def test_arrays_keep_bounds_distance_and_dtype(data, dtype, low, width, kinks, zeros):
    try:
        drawn = strategies.arrays(dtype=dtype, low=low, high=low + width, kinks=kinks, zeros=zeros)
    except RangeError:
        return
    x = data.draw(drawn)
    wide = x.astype(np.longdouble)
    assert x.dtype == dtype
    assert (wide >= low).all()
    assert (wide <= low + width).all()
    for kink in [*kinks, *([] if zeros else [0.0])]:
        assert (abs(wide - np.longdouble(kink)) >= 0.05).all()


@given(st.data(), FLOATS, st.sampled_from([(), (0.0,), (-1.0, 0.5)]), st.sampled_from([0.01, 0.05]))
def test_arrays_without_ties_have_none(data, dtype, kinks, distance):
    x = data.draw(strategies.arrays(dtype=dtype, kinks=kinks, distance=distance, ties=False))
    assert apart(x, distance)
    assert (abs(x) <= 2).all()
    assert all((abs(x.astype(np.longdouble) - kink) >= distance).all() for kink in kinks)


@given(strategies.arrays((18,), low=0.0, high=1.0, kinks=[0.5], ties=False))
def test_arrays_without_ties_may_fill_all_the_room_that_there_is(x):
    assert apart(x, 0.05)


@given(strategies.arrays(strategies.shapes((1, 2), (1, 3)), FLOATS, layouts=False))
def test_shapes_and_dtypes_may_be_drawn(x):
    assert 1 <= x.ndim <= 2
    assert set(x.shape) <= {1, 2, 3}
    assert x.dtype.kind == "f"
    assert x.flags.c_contiguous


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("low", [-2.0, 0.0])
def test_zeros_of_both_signs_occur(sign, low):
    x = find(strategies.arrays((2,), low=low), lambda x: any(e == 0 and np.copysign(1, e) == sign for e in x))
    assert 0 in x


def test_ties_and_layouts_occur():
    find(strategies.arrays((2,)), lambda x: x[0] == x[1] != 0)
    find(strategies.arrays((2, 3)), lambda x: x.flags.f_contiguous)
    find(strategies.arrays((2, 3)), lambda x: not x.flags.forc)


def test_entries_shrink_to_simple_numbers():
    assert find(strategies.arrays((3,), zeros=False), lambda x: (x > 0.9).all()).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"low": 1.0, "high": 0.0}, RangeError, "the lower one first, got low=1.0 and high=0.0"),
        ({"high": np.inf}, RangeError, "expected finite bounds"),
        ({"distance": 0}, RangeError, "positive distance, got 0"),
        ({"low": 0.0, "high": 0.1, "kinks": [0.05], "distance": 1.0}, RangeError, "there are none"),
        ({"dtype": int}, DtypeError, "a dtype of floats, got int64"),
    ],
)
def test_arrays_that_there_are_not_are_refused(options, error, words):
    with pytest.raises(error, match=f"^arrays: .*{words}"):
        strategies.arrays(**options)


def test_more_entries_than_can_differ_are_refused():
    with pytest.raises(RangeError, match=r"^arrays: expected at most 21 entries.* got 22; ask for"):
        find(strategies.arrays((22,), low=0.0, high=1.01, ties=False), lambda x: True)


# --- shapes -----------------------------------------------------------------------------------------------------------


@given(st.data(), st.integers(1, 4))
def test_broadcastable_shapes_broadcast(data, count):
    shapes = data.draw(strategies.broadcastable_shapes(count))
    assert len(shapes) == count
    np.broadcast_shapes(*shapes)


def test_shapes_are_0d_empty_and_large():
    for wanted in (lambda s: s == (), lambda s: 0 in s, lambda s: s == (4, 4, 4)):
        find(strategies.shapes(), wanted)


# --- arguments --------------------------------------------------------------------------------------------------------


def called(arguments):
    with np.errstate(all="ignore"):
        return arguments.function(*arguments.positional, **arguments.options)


def same(a, b):
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    a, b = np.asarray(a), np.asarray(b)
    alike = a.dtype == b.dtype and a.shape == b.shape
    return alike and np.array_equal(a, b, equal_nan=a.dtype.kind == "f") and (a.dtype.kind != "f" or signs(a, b))


def signs(a, b):
    return bool((np.signbit(a) == np.signbit(b))[~np.isnan(a)].all())


@every_function
@FEW
@given(data=st.data())
def test_every_function_takes_its_arguments_and_their_text_is_the_same_call(function, data):
    arguments = data.draw(strategies.arguments_for(function))
    result = called(arguments)
    if function is not tg.piecewise:  # its functions have no text
        with np.errstate(all="ignore"):
            assert same(eval(repr(arguments), {"np": np, "tg": tg}), result)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@every_function
@FEW
@given(data=st.data())
def test_every_function_takes_zeros_ties_and_float32(function, data):
    arguments = data.draw(strategies.arguments_for(function, zeros=True, ties=True, layouts=True, dtype=np.float32))
    called(arguments)
    assert all(a.dtype == np.float32 for a in arguments.arrays if a.dtype.kind == "f")


def test_single_entries_are_replaced():
    def entries(arguments):
        return arguments.arrays[0].ravel().tolist()

    drawn = strategies.arguments_for(tg.exp, zeros=True)
    assert find(drawn, lambda a: str(entries(a)) == "[-0.0]").arrays[0].size == 1
    find(drawn, lambda a: 0.0 in entries(a) and any(entries(a)))
    tied = strategies.arguments_for(tg.exp, ties=True)
    assert len(entries(find(tied, lambda a: len(set(entries(a))) < len(entries(a))))) == 2
    plain = strategies.arguments_for(tg.exp)
    with pytest.raises(Exception, match="No examples found"):
        find(plain, lambda a: 0.0 in entries(a), settings=settings(max_examples=20))


def test_layouts_are_told_behind_the_call():
    arguments = find(strategies.arguments_for(tg.exp, layouts=True), lambda a: "strided" in repr(a))
    assert repr(arguments).endswith("  # arrays strided")


def test_lists_of_arrays_and_private_functions():
    stacked = find(strategies.arguments_for(tg.stack), lambda a: len(a.arrays) == 2)
    assert isinstance(stacked.positional[0], list)
    assert repr(stacked).startswith("tg.stack([np.")
    private = next(f for f in known if str(f) == "_set_at")
    assert repr(find(strategies.arguments_for(private), lambda a: True)).startswith("tg.ops.indexing._set_at(np.")


def test_facts_may_be_given_and_need_no_trial():
    def halved(x):
        return x / 2

    told = Facts(base=Trial(((2,),)), more=[Trial(((3,),))])
    shapes = {find(strategies.arguments_for(halved, told), lambda a, n=n: a.arrays[0].size == n) for n in (2, 3)}
    assert {repr(a).split("(")[0] for a in shapes} == {"halved"}


def test_a_function_of_which_nothing_is_known_is_refused():
    @tg.primitive
    def unheard(x, /):
        return x

    words = r"^arguments_for: .* got unheard; say where it is smooth, verify\.describe\(unheard, "
    with pytest.raises(ArgumentError, match=words):
        strategies.arguments_for(unheard)


@given(strategies.choices())
def test_choices_are_those_of_facts(some):
    for function in (tg.getitem, tg.sum):
        assert isinstance(known[function].trial(some), Trial)


# --- what fails is small, and tells what it is ------------------------------------------------------------------------


def test_failing_arguments_shrink():
    smallest = find(strategies.arguments_for(tg.sum), lambda a: called(a).ndim == 2)
    assert smallest.arrays[0].size == 0
    assert sorted(smallest.arrays[0].shape) == [0, 0, 0] or smallest.arrays[0].ndim == 2


def test_a_failing_program_shrinks():
    smallest = find(strategies.programs(1, 20), lambda p: any(step.op == "matmul" for step in p.steps))
    assert len(smallest.steps) <= 2


@given(strategies.programs(most=12))
def test_a_programs_text_is_that_program(program):
    again = eval(repr(program), {"np": np, "Program": Program, "Step": Step})
    assert repr(again) == repr(program)
    assert same(again(*again.leaves()), program(*program.leaves()))


@given(st.data(), st.integers(0, 4), st.integers(0, 4))
def test_programs_have_as_many_steps_as_asked_for(data, least, more):
    assert least <= len(data.draw(strategies.programs(least, least + more)).steps) <= least + more


def test_a_number_of_steps_that_there_is_not_is_refused():
    with pytest.raises(RangeError, match="least=3 and most=2"):
        strategies.programs(3, 2)


@pytest.mark.parametrize(
    "value",
    [
        np.array([np.nan, -np.inf, np.inf, -0.0]),
        np.array([[1.5]], np.float16),
        np.array(0.1, np.longdouble),
        np.array([1.0, 2.0], ">f4"),
        np.empty((0, 3), np.int8),
        {"dtype": np.float32, "where": np.array([True]), "q": np.float64(np.nan), "axis": None},
        [(slice(None, -1), ..., None), (), (np.int64(3),)],
    ],
    ids=repr,
)
def test_values_are_spelt_as_what_they_are(value):
    again = eval(spelt(value), {"np": np})
    assert type(again) is type(value)
    if isinstance(value, np.ndarray):
        assert again.dtype == value.dtype
        np.testing.assert_array_equal(again, value)
    else:
        assert repr(again) == repr(value)


def test_dtypes_are_spelt():
    assert eval(spelt(np.dtype("f4")), {"np": np}) == np.float32


def test_what_hypothesis_prints_can_be_pasted():
    source = """
import tinygrad_np as tg
from hypothesis import given, settings
from tinygrad_np import strategies
@settings(database=None)
@given(strategies.arguments_for(tg.exp), strategies.programs(1, 2))
def test(arguments, program):
    raise AssertionError
test()
"""
    told = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False).stderr
    assert "arguments=tg.exp(np.array(0.54" in told
    assert "program=Program(((),), (Step('sin', (0,)),), 0)" in told


def test_without_hypothesis_it_is_said_what_to_install():
    source = "import sys; sys.modules['hypothesis'] = None; import tinygrad_np.strategies"
    told = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "MissingExtraError: strategies: " in told.stderr
    assert "pip install 'tinygrad-np[test]'" in told.stderr


# --- the two documented examples --------------------------------------------------------------------------------------


def a_cube(factor):
    """A primitive, right if the factor is 3."""

    @tg.primitive
    def cube(x, /):
        return x**3

    cube.def_vjp(x=lambda g, x: g * factor * x**2)
    return cube


def check_described(cube):
    verify.describe(cube, facts.unary(lambda x: x * x * x))
    try:

        @ONCE
        @given(strategies.arguments_for(cube))
        def check(arguments):
            report = verify.check_grads(cube, *arguments.positional)
            assert not report.kinks

        check()
    finally:
        del known[cube]


def test_a_primitive_of_ones_own():
    check_described(a_cube(3))
    with pytest.raises(verify.GradientMismatch, match=r"it is 0\.666667 times what it should be"):
        check_described(a_cube(2))


def logsumexp_vjp(g, x):
    """Of ``scipy.special.logsumexp(x, axis=-1)``: the incoming gradient, shared out by a softmax."""
    return g[..., None] * special.softmax(x, axis=-1)


def last(x):
    return special.logsumexp(x, axis=-1)


ROWS = strategies.arrays(strategies.shapes(dims=(1, 3), sides=(1, 4)), low=-30.0, high=30.0)


@given(ROWS)
def test_a_function_of_another_library(x):
    verify.check_vjp(last, logsumexp_vjp, x)


def test_a_wrong_function_of_another_library_is_found():
    @ONCE
    @given(ROWS)
    def wrong(x):
        verify.check_vjp(last, lambda g, x: g[..., None] * special.softmax(x), x)

    with pytest.raises(verify.GradientMismatch):
        wrong()


def test_derived_functions_can_be_described_too():
    @Derived
    def twice(x):
        return x + x

    verify.describe(twice, facts.unary(lambda x: 2 * x))
    try:
        assert repr(find(strategies.arguments_for(twice), lambda a: a.arrays[0].size == 0)).startswith("twice(np.empty")
    finally:
        del known[twice]

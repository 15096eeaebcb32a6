"""What every function of the package must do, taken from the registry, so that none can be missed."""

import inspect
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_np as tg
from tinygrad_np import derived, verify
from tinygrad_np.derived import Derived
from tinygrad_np.errors import TinygradError
from tinygrad_np.facts import Refused, Trial, known
from tinygrad_np.primitives import Primitive, registry
from tinygrad_np.strategies import arguments_for
from tinygrad_np.verify import subjects
from tinygrad_np.verify.checks import Meter
from tinygrad_np.verify.sweep import Sweep

OURS = {f for r in (registry, derived.registry) for name, f in r.items() if name.startswith("tinygrad_np.")}
FACTS = {f: facts for f, facts in known.items() if f in OURS}
FUNCTIONS = list(FACTS)
PRIMITIVES = [p for p in FUNCTIONS if isinstance(p, Primitive)]
every_function = pytest.mark.parametrize("function", FUNCTIONS, ids=str)


def draw(function, trial, rng):
    return [np.asarray(a) for a in FACTS[function].draw(rng, trial.shapes)]


def call(function, arrays, trial):
    return subjects.call(function, FACTS[function], arrays, trial)


def reference(function, arrays, trial):
    return subjects.expected(FACTS[function], arrays, trial)


def live_places(function, arrays):
    return subjects.live_places(function, FACTS[function], arrays)


def at(function, arrays, trial, seed, order=1):
    """Everything that verify checks at one point; a mistake is a `Failure`."""
    report = verify.Report(str(function))
    sweep = Sweep(function, FACTS[function], Meter(10**9, report))
    sweep.at(trial, arrays, np.random.default_rng(seed), order)
    return report


def trial_of(given):
    return Trial(tuple(a.shape for a in given.arrays), given.static, given.options)


def swapped(array):
    """The same entries in the other byte order."""
    return array.astype(array.dtype.newbyteorder()) if array.dtype.kind == "f" else array


# --- what is known ----------------------------------------------------------------------------------------------------


def test_something_is_known_of_every_function():
    assert set(FUNCTIONS) == OURS


def test_every_function_is_public():
    public = [getattr(tg, name) for name in tg.__all__]
    assert {p for p in FUNCTIONS if not str(p).startswith("_")} == {
        p for p in public if isinstance(p, (Primitive, Derived))
    }


def test_conventions_at_kinks_are_told():
    for function, case in FACTS.items():
        if "kink" in (case.zeros, case.ties) and not str(function).startswith("_"):
            assert "Kinks: " in function.__doc__, str(function)


def test_every_argument_has_a_rule_or_is_declared_constant():
    assert all(set(p.rules) - {"g"} == set(p.arguments) for p in PRIMITIVES)


# --- what verify checks -----------------------------------------------------------------------------------------------


@every_function
@pytest.mark.parametrize("seed", [0, 1])
def test_verify_finds_nothing_wrong(function, seed):
    """Base and more, 0-d, empty and broadcast arguments, zeros, ties and conventions; see `Sweep`."""
    report = verify.primitive(function, seed=seed)
    assert not report.kinks
    assert not report.skipped


@every_function
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_drawn_arguments_in_any_layout(function, data, seed):
    given = data.draw(arguments_for(function, layouts=True))
    at(function, list(given.arrays), trial_of(given), seed)


@every_function
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_drawn_zeros_and_ties(function, data, seed):
    """At a kink only the values are NumPy's; gradients are finite but at a pole."""
    given, rng = data.draw(arguments_for(function, zeros=True, ties=True)), np.random.default_rng(seed)
    arrays, trial = list(given.arrays), trial_of(given)
    sweep = Sweep(function, FACTS[function], Meter(10**9, verify.Report(str(function))))
    live = sweep.value(trial, arrays)
    gradients = own_memory(function, arrays, trial, live, rng)
    if FACTS[function].zeros != "pole":
        assert all(np.isfinite(g.numpy()).all() for g in gradients)


def own_memory(function, arrays, trial, live, rng):
    """Gradients of arrays that nobody may write to; each has memory of its own."""
    tensors = [tg.from_numpy(a, requires_grad=i in live) for i, a in enumerate(arrays)]
    with np.errstate(all="ignore"):
        out = call(function, tensors, trial)
        if not out.requires_grad:
            return []
        seed = np.asarray(rng.normal(size=out.shape)).astype(out.dtype)
        for a in (*arrays, seed):
            a.flags.writeable = False
        wrt = [tensors[i] for i in live]
        gradients, recorded = tg.grad(out, wrt, seed=seed), tg.grad(out, wrt, seed=seed, create_graph=True)
    memories = [seed, *(t.numpy() for t in tensors), *(g.numpy() for g in (*gradients, *recorded))]
    for i, memory in enumerate(memories):
        assert not any(np.shares_memory(memory, other) for other in memories[:i])
    for tensor, gradient in zip(wrt, gradients, strict=True):
        assert type(gradient.data) is np.ndarray
        assert (gradient.shape, gradient.dtype) == (tensor.shape, tensor.dtype)
    return gradients


@every_function
def test_gradients_have_memory_of_their_own(function):
    facts, rng = FACTS[function], np.random.default_rng(0)
    for trial in (facts.base, *facts.more, facts.scalar, facts.empty, facts.broadcast):
        if isinstance(trial, Trial):
            arrays = draw(function, trial, rng)
            own_memory(function, arrays, trial, live_places(function, arrays), rng)


def conventions():
    for function, facts in FACTS.items():
        for i, convention in enumerate(facts.conventions):
            yield pytest.param(function, convention, id=f"{function}-{i}")


@pytest.mark.parametrize(("function", "convention"), list(conventions()))
def test_conventions_at_kinks_and_ends_hold_without_a_warning(function, convention):
    live = [i for i, exact in enumerate(convention.gradients) if exact is not None]
    tensors = [tg.tensor(a, float if i in live else None, i in live) for i, a in enumerate(convention.arguments)]
    trial = Trial((), convention.static, convention.options)
    gradients = tg.grad((call(function, tensors, trial) * convention.seed).sum(), [tensors[i] for i in live])
    for i, gradient in zip(live, gradients, strict=True):
        np.testing.assert_allclose(gradient.numpy(), convention.gradients[i], rtol=1e-15, atol=0)


@every_function
@pytest.mark.parametrize("variant", ["scalar", "empty", "broadcast"])
def test_what_is_refused_ends_with_our_error(function, variant):
    trial, rng = getattr(FACTS[function], variant), np.random.default_rng(2)
    if isinstance(trial, Refused):
        arrays = [np.array(rng.normal(size=shape)) for shape in trial.shapes]
        for arguments in (arrays, [tg.tensor(a, requires_grad=True) for a in arrays]):
            with pytest.raises(TinygradError, match=f"^{function}: ") as caught:
                call(function, arguments, trial)
            assert isinstance(caught.value, trial.error)
    else:
        assert isinstance(trial, Trial)


@every_function
def test_a_broadcast_view_is_an_input_like_any_other(function):
    """Entries that share memory (stride 0), as `numpy.broadcast_to` makes them."""
    trial = FACTS[function].base
    arrays = draw(function, trial, np.random.default_rng(3))
    alike = [np.broadcast_to(a[(slice(1),) * a.ndim], a.shape) for a in arrays]
    sweep = Sweep(function, FACTS[function], Meter(10**9, verify.Report(str(function))))
    sweep.value(trial, alike)
    own_memory(function, [a.copy() for a in alike], trial, live_places(function, alike), np.random.default_rng(3))


# --- other dtypes and shapes ------------------------------------------------------------------------------------------


@every_function
@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, "mixed"], ids=str)
def test_other_floats_are_numpys_and_gradients_have_their_arguments_dtype(function, dtype):
    """Half and long double wherever NumPy computes in them; single and double side by side."""
    case = FACTS[function]
    doubles = draw(function, case.base, np.random.default_rng(5))
    kinds = [np.dtype((np.float32, np.float64)[i % 2] if dtype == "mixed" else dtype) for i in range(len(doubles))]
    arrays = [a.astype(k) if a.dtype.kind == "f" else a for a, k in zip(doubles, kinds, strict=True)]
    live = live_places(function, arrays)
    tensors = [tg.tensor(a, requires_grad=i in live) for i, a in enumerate(arrays)]
    with np.errstate(all="ignore"):
        try:
            expected = reference(function, arrays, case.base)
        except TypeError:  # NumPy does not compute in it
            return
        out = call(function, tensors, case.base)
        assert out.dtype == expected.dtype
        if not out.requires_grad:
            return
        seed = np.linspace(-1, 2, out.size).reshape(out.shape)
        exact_tensors = [
            tg.tensor(a.astype(np.float64), requires_grad=True) if a.dtype.kind == "f" else a for a in arrays
        ]
        exact_out = call(function, exact_tensors, case.base)
        gradients = tg.grad(out, [tensors[i] for i in live], seed=seed)
        doubled = tg.grad(exact_out, [exact_tensors[i] for i in live], seed=seed)
    coarse = max(float(np.finfo(a.dtype).eps) for a in arrays if a.dtype.kind == "f")
    for i, gradient, exact in zip(live, gradients, doubled, strict=True):
        assert gradient.dtype == arrays[i].dtype
        size = 1 + np.abs(exact.numpy()).max(initial=0)
        np.testing.assert_allclose(gradient.numpy().astype(float), exact.numpy(), atol=200 * coarse * size)


@every_function
def test_byte_swapped_constants_are_numbers_like_any_other(function):
    case = FACTS[function]
    arrays = draw(function, case.base, np.random.default_rng(4))
    native = np.asarray(call(function, arrays, case.base))
    np.testing.assert_allclose(call(function, [swapped(a) for a in arrays], case.base), native, rtol=1e-13)
    for i in live_places(function, arrays):
        results = []
        for change in (lambda a: a, swapped):
            given = [tg.tensor(a, requires_grad=True) if i == j else change(a) for j, a in enumerate(arrays)]
            out = call(function, given, case.base)
            if not out.requires_grad:
                return
            results.append(tg.grad(out, given[i], seed=np.ones(out.shape)).numpy())
        np.testing.assert_allclose(*results, rtol=1e-13, atol=1e-13)


def of_any_shape():
    """Functions of arrays of any shape, all alike, and of nothing else."""
    for function, case in FACTS.items():
        plain = isinstance(case.scalar, Trial) and not (case.scalar.static or case.base.static or case.base.options)
        if plain and case.base.shapes == ((2, 3),) * len(case.base.shapes):
            yield pytest.param(function, id=str(function))


@pytest.mark.parametrize("function", list(of_any_shape()))
def test_eight_axes(function):
    """More axes than anybody has letters for."""
    shapes = ((1, 2, 1, 2, 1, 1, 2, 1),) * len(FACTS[function].base.shapes)
    at(function, draw(function, Trial(shapes), np.random.default_rng(8)), Trial(shapes), 8)


@every_function
def test_integers_and_bools_take_part_as_constants(function):
    """Integer arrays give NumPy's value, and a constant."""
    case, rng = FACTS[function], np.random.default_rng(6)
    arrays = draw(function, case.base, rng)
    whole = [np.where(a > 0, 2, 1) if a.dtype.kind == "f" else a for a in arrays]
    with np.errstate(all="ignore"):  # 1 and 2 may be outside of the domain
        raw = np.asarray(call(function, whole, case.base))
        np.testing.assert_allclose(raw, reference(function, whole, case.base), rtol=case.exact)
        assert not call(function, [tg.tensor(a) for a in whole], case.base).requires_grad


def refusals():
    for function, case in FACTS.items():
        for i, refusal in enumerate(case.refusals):
            yield pytest.param(function, *refusal, id=f"{function}-{i}")


@pytest.mark.parametrize(("function", "arguments", "error", "words"), list(refusals()))
def test_refusals_say_what_was_expected(function, arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        function(*arguments)
    assert isinstance(caught.value, TinygradError)


def without_kernel(monkeypatch, function):
    """From here to the end of the test, the primitive's own forward and rules run."""
    monkeypatch.setattr(function, "kernel", None)
    monkeypatch.setattr(function, "plans", {})
    monkeypatch.setattr(function, "call", function._first_call)


def test_every_rule_is_really_called(monkeypatch):
    """Coverage counts a lambda inside a call as run when the module is imported; this counts calls."""
    called = set()

    def watch(frame, event, _):
        if event == "call":
            called.add(frame.f_code)

    for function in PRIMITIVES:
        without_kernel(monkeypatch, function)
        for trial in (FACTS[function].base, *FACTS[function].more):
            arrays = draw(function, trial, np.random.default_rng(7))
            live = live_places(function, arrays)
            tensors = [tg.tensor(a, requires_grad=i in live) for i, a in enumerate(arrays)]
            out = call(function, tensors, trial)
            if out.requires_grad:
                sys.setprofile(watch)
                try:
                    tg.grad(out, [tensors[i] for i in live], seed=np.ones(out.shape))
                finally:
                    sys.setprofile(None)
    never = {(str(p), a) for p in PRIMITIVES for a, rule in p.rules.items() if rule and rule.__code__ not in called}
    assert not never


def test_a_pool_with_nan_gives_the_gradient_to_the_first_nan():
    x = tg.tensor([[1.0, np.nan], [np.nan, 3.0]], requires_grad=True)
    np.testing.assert_array_equal(tg.grad(tg.max_pool2d(x).sum(), x).numpy(), [[0, 1], [0, 0]])


# --- what is wrong is refused, everywhere -----------------------------------------------------------------------------


def with_axis():
    for function, case in FACTS.items():
        names = list(inspect.signature(function).parameters)
        if "axis" in names and isinstance(case.base, Trial):
            count = 1 if subjects.takes_a_list(function, case) else len(case.base.shapes)
            yield pytest.param(function, names.index("axis") - count, id=str(function))


@pytest.mark.parametrize("axis", [99, -99, (0, 0), (0, 99), 0.5, "rows", [[0], [1, 2]]], ids=str)
@pytest.mark.parametrize(("function", "place"), list(with_axis()))
def test_a_wrong_axis_is_refused_by_name(function, place, axis):
    base = FACTS[function].base
    arrays = draw(function, base, np.random.default_rng(9))
    static, options = list(base.static), dict(base.options) | {"axis": axis}
    if 0 <= place < len(static):
        static[place], options = axis, dict(base.options)
    trial = Trial(base.shapes, tuple(static), options)
    live = live_places(function, arrays)
    if function is tg.roll and axis == (0, 0):  # it rolls twice
        return
    for operands in (arrays, [tg.tensor(a, requires_grad=i in live) for i, a in enumerate(arrays)]):
        with pytest.raises(TinygradError, match=f"^{function}: "):
            call(function, operands, trial)


STRANGE = {
    "objects": lambda a: np.array([object()] * a.size, object).reshape(a.shape),
    "strings": lambda a: np.full(a.shape, "a"),
    "complex": lambda a: a + 1j,
    "dates": lambda a: np.full(a.shape, "2000-01-01", "datetime64[D]"),
}


EACH_FOR_ITSELF = {tg.atleast_1d, tg.atleast_2d, tg.atleast_3d, tg.broadcast_arrays, tg.meshgrid}


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize(
    "function", [p for p, c in FACTS.items() if len(c.base.shapes) > 1 and p not in EACH_FOR_ITSELF], ids=str
)
def test_arrays_of_other_things_beside_tensors_are_refused(function, kind):
    """Never a Tensor of objects, of strings, of complex numbers, or of numbers made of them in silence."""
    case = FACTS[function]
    arrays = draw(function, case.base, np.random.default_rng(9))
    for place in live_places(function, arrays)[1:]:
        given = [STRANGE[kind](a) if i == place else tg.tensor(a) for i, a in enumerate(arrays)]
        with np.errstate(all="ignore"), pytest.raises(TinygradError, match=f"^{function}: "):
            call(function, given, case.base)


@every_function
def test_ragged_lists_are_refused_by_name(function):
    case = FACTS[function]
    arrays = draw(function, case.base, np.random.default_rng(9))
    given = [[[1.0], [1.0, 2.0]], *arrays[1:]]
    with pytest.raises(TinygradError, match=f"^{function}: "):
        call(function, given, case.base)

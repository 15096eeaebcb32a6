"""What every primitive of the package must do, taken from the registry, so that none can be missed."""

import inspect
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_np as tg
from tests.cases import CASES, Refused, Trial
from tests.checker import check_gradients
from tinygrad_np import derived
from tinygrad_np.derived import Derived
from tinygrad_np.errors import TinygradError
from tinygrad_np.primitives import Primitive, registry

FUNCTIONS = {f for r in (registry, derived.registry) for name, f in r.items() if name.startswith("tinygrad_np.")}
PRIMITIVES = [p for p in CASES if isinstance(p, Primitive)]
every_primitive = pytest.mark.parametrize("primitive", list(CASES), ids=str)
FAR = 1e-4  # how exact float32 gradients must be, relative to the largest


def draw(primitive, trial, rng):
    return [np.asarray(a) for a in CASES[primitive].draw(rng, trial.shapes)]


def sequence(primitive):
    return primitive.sequence if isinstance(primitive, Primitive) else CASES[primitive].sequence


def joined(result, ravel, concatenate):
    """A list of results as all their entries in one axis."""
    return concatenate([ravel(r) for r in result]) if isinstance(result, (list, tuple)) else result


def call(primitive, arrays, trial):
    given = [list(arrays)] if sequence(primitive) else arrays
    result = primitive(*given, *trial.static, **trial.options)
    return joined(result, lambda r: tg.reshape(r, (-1,)), tg.concatenate)


def reference(primitive, arrays, trial):
    return np.asarray(
        joined(CASES[primitive].reference(*arrays, *trial.static, **trial.options), np.ravel, np.concatenate)
    )


def live_positions(primitive, arrays):
    """Which arrays a gradient flows to: floats whose argument has a rule."""
    floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    if isinstance(primitive, Primitive):
        names = primitive.arguments * (len(arrays) if primitive.sequence else 1)
        return [i for i in floats if primitive.rules[names[i]] is not None]
    return [i for i in floats if i not in CASES[primitive].constants]


def as_function(primitive, arrays, trial):
    """The primitive as a function of its live arguments alone."""
    positions = live_positions(primitive, arrays)

    def function(*live):
        full = list(arrays)
        for position, tensor in zip(positions, live, strict=True):
            full[position] = tensor
        return call(primitive, full, trial)

    return function, [arrays[i] for i in positions]


def check_values(primitive, arrays, trial):
    """Value, dtype and shape are NumPy's, on raw arrays and recorded; nothing that came in is changed."""
    with np.errstate(all="ignore"):
        expected = reference(primitive, arrays, trial)
        frozen = [a.copy() for a in arrays]
        for a in arrays:
            a.flags.writeable = False
        raw = np.asarray(call(primitive, arrays, trial))
        live = live_positions(primitive, arrays)
        tensors = [tg.from_numpy(a, requires_grad=i in live) for i, a in enumerate(arrays)]
        recorded = call(primitive, tensors, trial)
        mixed = call(
            primitive, [t if i in live else a for i, (t, a) in enumerate(zip(tensors, arrays, strict=True))], trial
        )
    assert raw.dtype == recorded.dtype == expected.dtype
    assert raw.shape == recorded.shape == expected.shape
    exact = CASES[primitive].exact
    np.testing.assert_allclose(raw, expected, rtol=exact, atol=exact)
    np.testing.assert_array_equal(recorded.numpy(), raw)
    assert recorded.requires_grad == bool(live and expected.dtype.kind == "f")
    if live:
        np.testing.assert_array_equal(mixed.numpy(), raw)
        assert mixed.requires_grad == recorded.requires_grad
    for array, copy in zip(arrays, frozen, strict=True):
        np.testing.assert_array_equal(array, copy)
    return tensors, recorded


def check_pull_back(tensors, out, seed):
    """Each gradient has its argument's shape and dtype, memory of its own, and comes from an unchanged seed."""
    live = [t for t in tensors if t.requires_grad]
    frozen = seed.copy()
    seed.flags.writeable = False
    with np.errstate(all="ignore"):
        gradients = tg.grad(out, live, seed=seed)
        again = tg.grad(out, live, seed=seed)
        recorded = tg.grad(out, live, seed=seed, create_graph=True)
    np.testing.assert_array_equal(seed, frozen)
    memories = [seed, *(t.numpy() for t in tensors), *(g.numpy() for g in (*gradients, *again, *recorded))]
    for i, memory in enumerate(memories):
        assert not any(np.shares_memory(memory, other) for other in memories[:i])
    for tensor, gradient, same, graph in zip(live, gradients, again, recorded, strict=True):
        assert gradient.shape == tensor.shape
        assert gradient.dtype == tensor.dtype
        assert gradient.numpy().tobytes() == same.numpy().tobytes()
        a, b = gradient.numpy(), graph.numpy()
        tolerance = 16 * np.finfo(a.dtype).eps  # kernels add up in another order
        np.testing.assert_allclose(a, b, tolerance, tolerance * np.abs(b[np.isfinite(b)]).max(initial=1))
    return gradients


def run(primitive, trial, rng, change=lambda arrays: arrays):
    """Values and one backward pass at the trial's shapes; returns arrays, tensors and gradients."""
    arrays = change(draw(primitive, trial, rng))
    tensors, out = check_values(primitive, arrays, trial)
    gradients = check_pull_back(tensors, out, rng.normal(size=out.shape).astype(out.dtype)) if out.requires_grad else ()
    return arrays, tensors, gradients


def check_smooth(primitive, trial, rng, arrays=None, order=2):
    arrays = draw(primitive, trial, rng) if arrays is None else arrays
    function, live = as_function(primitive, arrays, trial)
    if live and np.asarray(call(primitive, arrays, trial)).dtype.kind == "f":
        check_gradients(function, live, rng, order)


def strided(array):
    """The same entries, every second of a larger memory, backwards."""
    view = np.full([2 * n for n in array.shape], 1, array.dtype)[(..., *(slice(None, None, -2) for _ in array.shape))]
    view[...] = array
    return view


def swapped(array):
    """The same entries in the other byte order."""
    return array.astype(array.dtype.newbyteorder()) if array.dtype.kind == "f" else array


LAYOUTS = {
    "C": lambda a: a,
    "Fortran": lambda a: np.array(a, order="F"),
    "strided": strided,
    "transposed": lambda a: np.array(a.T, order="C").T,
}


def test_every_primitive_has_a_case():
    assert set(CASES) == FUNCTIONS


def test_every_primitive_is_public():
    public = [getattr(tg, name) for name in tg.__all__]
    assert {p for p in CASES if not str(p).startswith("_")} == {
        p for p in public if isinstance(p, (Primitive, Derived))
    }


def test_conventions_at_kinks_are_told():
    for primitive, case in CASES.items():
        if "kink" in (case.zeros, case.ties) and not str(primitive).startswith("_"):
            assert "Kinks: " in primitive.__doc__, str(primitive)


def test_every_argument_has_a_rule_or_is_declared_constant():
    assert all(set(p.rules) - {"g"} == set(p.arguments) for p in PRIMITIVES)


def bases():
    for primitive, case in CASES.items():
        for i, trial in enumerate((case.base, *case.more)):
            yield pytest.param(primitive, trial, id=f"{primitive}-{i}")


@pytest.mark.parametrize(("primitive", "trial"), list(bases()))
def test_gradients_at_the_base_agree_with_differences_to_second_order(primitive, trial):
    rng = np.random.default_rng(0)
    run(primitive, trial, rng)
    check_smooth(primitive, trial, rng)


@every_primitive
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), layout=st.sampled_from(sorted(LAYOUTS)))
def test_drawn_shapes_and_layouts(primitive, data, seed, layout):
    trial = data.draw(CASES[primitive].trials)
    rng = np.random.default_rng(seed)
    run(primitive, trial, rng, lambda arrays: [LAYOUTS[layout](a) for a in arrays])
    check_smooth(primitive, trial, rng, order=1)


@every_primitive
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_drawn_zeros_and_ties(primitive, data, seed):
    """Single entries are replaced by zeros of both signs and by each other; at a kink only the values are NumPy's."""
    case, rng = CASES[primitive], np.random.default_rng(seed)
    trial = data.draw(case.trials)

    def change(arrays):
        for a in arrays:
            if a.dtype.kind == "f" and a.size:
                special = rng.choice([0.0, -0.0, a.reshape(-1)[0]], a.shape)
                a[...] = np.where(rng.random(a.shape) < 0.5, special, a)
        return arrays

    _, _, gradients = run(primitive, trial, rng, change)
    if case.zeros != "pole":
        assert all(np.isfinite(g.numpy()).all() for g in gradients)


@every_primitive
def test_zeros(primitive):
    check_special(primitive, 0.0, CASES[primitive].zeros)


@every_primitive
def test_ties(primitive):
    check_special(primitive, 0.7, CASES[primitive].ties)


def check_special(primitive, entry, kind):
    """All entries alike: differences where that is a smooth point, the stated convention where it is a kink."""
    case, rng = CASES[primitive], np.random.default_rng(1)

    def fill(arrays):
        return [np.full_like(a, entry) for a in arrays]

    run(primitive, case.base, rng, fill)
    if kind == "smooth":
        check_smooth(primitive, case.base, rng, fill(draw(primitive, case.base, rng)))
    elif kind == "kink":
        assert case.conventions
    else:
        assert kind == "pole"


def conventions():
    for primitive, case in CASES.items():
        for i, convention in enumerate(case.conventions):
            yield pytest.param(primitive, convention, id=f"{primitive}-{i}")


@pytest.mark.parametrize(("primitive", "convention"), list(conventions()))
def test_conventions_at_kinks_and_ends(primitive, convention):
    """Exactly as stated, and without a warning."""
    expected = convention.gradients
    tensors = [
        tg.tensor(a) if e is None else tg.tensor(a, float, requires_grad=True)
        for a, e in zip(convention.arguments, expected, strict=True)
    ]
    live = [t for t in tensors if t.requires_grad]
    gradients = tg.grad((call(primitive, tensors, convention) * convention.seed).sum(), live)
    for gradient, exact in zip(gradients, [e for e in expected if e is not None], strict=True):
        np.testing.assert_allclose(gradient.numpy(), exact, rtol=1e-15, atol=0)


@every_primitive
@pytest.mark.parametrize("variant", ["scalar", "empty", "broadcast"])
def test_variants_are_accepted_or_refused_with_our_error(primitive, variant):
    trial, rng = getattr(CASES[primitive], variant), np.random.default_rng(2)
    if isinstance(trial, Trial):
        _, _, gradients = run(primitive, trial, rng)
        check_smooth(primitive, trial, rng, order=1)
        if variant == "scalar":
            assert all(type(g.data) is np.ndarray and g.shape == () for g in gradients)
    else:
        assert isinstance(trial, Refused)
        arrays = [np.array(rng.normal(size=shape)) for shape in trial.shapes]
        for arguments in (arrays, [tg.tensor(a, requires_grad=True) for a in arrays]):
            with pytest.raises(TinygradError, match=f"^{primitive}: ") as caught:
                call(primitive, arguments, trial)
            assert isinstance(caught.value, trial.error)


@every_primitive
def test_a_broadcast_view_is_an_input_like_any_other(primitive):
    """Entries that share memory (stride 0), as `numpy.broadcast_to` makes them."""

    def repeat_first(arrays):
        return [np.broadcast_to(a[(slice(1),) * a.ndim], a.shape) for a in arrays]

    run(primitive, CASES[primitive].base, np.random.default_rng(3), repeat_first)


@every_primitive
def test_strided_inputs(primitive):
    case = CASES[primitive]
    plain = run(primitive, case.base, np.random.default_rng(4))
    views = run(primitive, case.base, np.random.default_rng(4), lambda arrays: [strided(a) for a in arrays])
    for gradient, expected in zip(views[2], plain[2], strict=True):
        np.testing.assert_allclose(gradient.numpy(), expected.numpy(), rtol=1e-13, atol=1e-13)


@every_primitive
def test_float32_in_float32_gradients_out(primitive):
    case = CASES[primitive]

    def halve(arrays):
        return [a.astype(np.float32) if a.dtype.kind == "f" else a for a in arrays]

    rng = np.random.default_rng(5)
    arrays = halve(draw(primitive, case.base, rng))
    live = live_positions(primitive, arrays)
    results = []
    for dtype in (np.float32, np.float64):
        inputs = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
        tensors = [tg.tensor(a, requires_grad=i in live) for i, a in enumerate(inputs)]
        out = call(primitive, tensors, case.base)
        if not out.requires_grad:
            return
        assert out.dtype == reference(primitive, inputs, case.base).dtype
        seed = np.linspace(-1, 2, out.size).reshape(out.shape)
        results.append([g.numpy() for g in tg.grad(out, [tensors[i] for i in live], seed=seed)])
    for single, double in zip(*results, strict=True):
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, double, rtol=FAR, atol=FAR * np.abs(double).max(initial=0))


@every_primitive
@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, "mixed"], ids=str)
def test_other_floats_are_numpys_and_gradients_have_their_arguments_dtype(primitive, dtype):
    """Half and long double wherever NumPy computes in them; single and double side by side."""
    case = CASES[primitive]
    doubles = draw(primitive, case.base, np.random.default_rng(5))
    kinds = [np.dtype((np.float32, np.float64)[i % 2] if dtype == "mixed" else dtype) for i in range(len(doubles))]
    arrays = [a.astype(k) if a.dtype.kind == "f" else a for a, k in zip(doubles, kinds, strict=True)]
    live = live_positions(primitive, arrays)
    tensors = [tg.tensor(a, requires_grad=i in live) for i, a in enumerate(arrays)]
    with np.errstate(all="ignore"):
        try:
            expected = reference(primitive, arrays, case.base)
        except TypeError:  # NumPy does not compute in it
            return
        out = call(primitive, tensors, case.base)
        assert out.dtype == expected.dtype
        if not out.requires_grad:
            return
        seed = np.linspace(-1, 2, out.size).reshape(out.shape)
        exact_tensors = [
            tg.tensor(a.astype(np.float64), requires_grad=True) if a.dtype.kind == "f" else a for a in arrays
        ]
        exact_out = call(primitive, exact_tensors, case.base)
        gradients = tg.grad(out, [tensors[i] for i in live], seed=seed)
        doubled = tg.grad(exact_out, [exact_tensors[i] for i in live], seed=seed)
    coarse = max(float(np.finfo(a.dtype).eps) for a in arrays if a.dtype.kind == "f")
    for i, gradient, exact in zip(live, gradients, doubled, strict=True):
        assert gradient.dtype == arrays[i].dtype
        size = 1 + np.abs(exact.numpy()).max(initial=0)
        np.testing.assert_allclose(gradient.numpy().astype(float), exact.numpy(), atol=200 * coarse * size)


@every_primitive
def test_byte_swapped_constants_are_numbers_like_any_other(primitive):
    case = CASES[primitive]
    arrays = draw(primitive, case.base, np.random.default_rng(4))
    native = np.asarray(call(primitive, arrays, case.base))
    np.testing.assert_allclose(call(primitive, [swapped(a) for a in arrays], case.base), native, rtol=1e-13)
    for i in live_positions(primitive, arrays):
        results = []
        for change in (lambda a: a, swapped):
            given = [tg.tensor(a, requires_grad=True) if i == j else change(a) for j, a in enumerate(arrays)]
            out = call(primitive, given, case.base)
            if not out.requires_grad:
                return
            results.append(tg.grad(out, given[i], seed=np.ones(out.shape)).numpy())
        np.testing.assert_allclose(*results, rtol=1e-13, atol=1e-13)


def of_any_shape():
    """Functions of arrays of any shape, all alike, and of nothing else."""
    for primitive, case in CASES.items():
        plain = isinstance(case.scalar, Trial) and not (case.scalar.static or case.base.static or case.base.options)
        if plain and case.base.shapes == ((2, 3),) * len(case.base.shapes):
            yield pytest.param(primitive, id=str(primitive))


@pytest.mark.parametrize("primitive", list(of_any_shape()))
def test_eight_axes(primitive):
    """More axes than anybody has letters for."""
    shapes = ((1, 2, 1, 2, 1, 1, 2, 1),) * len(CASES[primitive].base.shapes)
    with np.errstate(all="ignore"):
        run(primitive, Trial(shapes), np.random.default_rng(8))


@every_primitive
def test_integers_and_bools_take_part_as_constants(primitive):
    """Integer arrays give NumPy's value, and a constant."""
    case, rng = CASES[primitive], np.random.default_rng(6)
    arrays = draw(primitive, case.base, rng)
    whole = [np.where(a > 0, 2, 1) if a.dtype.kind == "f" else a for a in arrays]
    with np.errstate(all="ignore"):  # 1 and 2 may be outside of the domain
        raw = np.asarray(call(primitive, whole, case.base))
        np.testing.assert_allclose(raw, reference(primitive, whole, case.base), rtol=case.exact)
        assert not call(primitive, [tg.tensor(a) for a in whole], case.base).requires_grad


def refusals():
    for primitive, case in CASES.items():
        for i, refusal in enumerate(case.refusals):
            yield pytest.param(primitive, *refusal, id=f"{primitive}-{i}")


@pytest.mark.parametrize(("primitive", "arguments", "error", "words"), list(refusals()))
def test_refusals_say_what_was_expected(primitive, arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        primitive(*arguments)
    assert isinstance(caught.value, TinygradError)


def without_kernel(monkeypatch, primitive):
    """From here to the end of the test, the primitive's own forward and rules run."""
    monkeypatch.setattr(primitive, "kernel", None)
    monkeypatch.setattr(primitive, "plans", {})
    monkeypatch.setattr(primitive, "call", primitive._first_call)


def test_every_rule_is_really_called(monkeypatch):
    """Coverage counts a lambda inside a call as run when the module is imported; this counts calls."""
    called = set()

    def watch(frame, event, _):
        if event == "call":
            called.add(frame.f_code)

    for primitive in PRIMITIVES:
        without_kernel(monkeypatch, primitive)
        for trial in (CASES[primitive].base, *CASES[primitive].more):
            arrays = draw(primitive, trial, np.random.default_rng(7))
            live = live_positions(primitive, arrays)
            tensors = [tg.tensor(a, requires_grad=i in live) for i, a in enumerate(arrays)]
            out = call(primitive, tensors, trial)
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
    for primitive, case in CASES.items():
        names = list(inspect.signature(primitive).parameters)
        if "axis" in names and isinstance(case.base, Trial):
            count = 1 if sequence(primitive) else len(case.base.shapes)
            yield pytest.param(primitive, names.index("axis") - count, id=str(primitive))


@pytest.mark.parametrize("axis", [99, -99, (0, 0), (0, 99), 0.5, "rows", [[0], [1, 2]]], ids=str)
@pytest.mark.parametrize(("primitive", "place"), list(with_axis()))
def test_a_wrong_axis_is_refused_by_name(primitive, place, axis):
    base = CASES[primitive].base
    arrays = draw(primitive, base, np.random.default_rng(9))
    static, options = list(base.static), dict(base.options) | {"axis": axis}
    if 0 <= place < len(static):
        static[place], options = axis, dict(base.options)
    trial = Trial(base.shapes, tuple(static), options)
    live = live_positions(primitive, arrays)
    if primitive is tg.roll and axis == (0, 0):  # it rolls twice
        return
    for operands in (arrays, [tg.tensor(a, requires_grad=i in live) for i, a in enumerate(arrays)]):
        with pytest.raises(TinygradError, match=f"^{primitive}: "):
            call(primitive, operands, trial)


STRANGE = {
    "objects": lambda a: np.array([object()] * a.size, object).reshape(a.shape),
    "strings": lambda a: np.full(a.shape, "a"),
    "complex": lambda a: a + 1j,
    "dates": lambda a: np.full(a.shape, "2000-01-01", "datetime64[D]"),
}


EACH_FOR_ITSELF = {tg.atleast_1d, tg.atleast_2d, tg.atleast_3d, tg.broadcast_arrays, tg.meshgrid}


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize(
    "primitive", [p for p, c in CASES.items() if len(c.base.shapes) > 1 and p not in EACH_FOR_ITSELF], ids=str
)
def test_arrays_of_other_things_beside_tensors_are_refused(primitive, kind):
    """Never a Tensor of objects, of strings, of complex numbers, or of numbers made of them in silence."""
    case = CASES[primitive]
    arrays = draw(primitive, case.base, np.random.default_rng(9))
    for place in live_positions(primitive, arrays)[1:]:
        given = [STRANGE[kind](a) if i == place else tg.tensor(a) for i, a in enumerate(arrays)]
        with np.errstate(all="ignore"), pytest.raises(TinygradError, match=f"^{primitive}: "):
            call(primitive, given, case.base)


@every_primitive
def test_ragged_lists_are_refused_by_name(primitive):
    case = CASES[primitive]
    arrays = draw(primitive, case.base, np.random.default_rng(9))
    given = [[[1.0], [1.0, 2.0]], *arrays[1:]]
    with pytest.raises(TinygradError, match=f"^{primitive}: "):
        call(primitive, given, case.base)

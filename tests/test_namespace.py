"""NumPy's namespace, function by function: a tracked tensor is recorded or refused; its values never slip away."""

import inspect
import math
import pickle

import numpy as np
import pytest

import tinygrad_np as tg
from tinygrad_np import protocols
from tinygrad_np.errors import GraphError, MutationError

WRITES_FILES = {"save", "savez", "savez_compressed", "savetxt"}
SETTINGS = {"seterr", "seterrcall", "setbufsize", "set_printoptions", "test", "info", "show_config", "show_runtime"}
ARBITRARY = {"empty", "empty_like", "ndarray", "as_strided"}  # what is in memory
NO_ARRAYS = {"printoptions"}
READS_ANY_OUT = {"random", "standard_normal", "standard_exponential", "standard_gamma"}
"""Generators' methods that take whatever is given as out= for an array, and read and write its memory."""
MODULES = {
    "np": np,
    "np.linalg": np.linalg,
    "np.fft": np.fft,
    "np.emath": np.emath,
    "np.lib.stride_tricks": np.lib.stride_tricks,
    "np.polynomial.polynomial": np.polynomial.polynomial,
    "rng": np.random.Generator,
}
FUNCTIONS = {
    f"{module}.{name}": getattr(owner, name)
    for module, owner in MODULES.items()
    for name in sorted(dir(owner))
    if not name.startswith("_")
    and callable(getattr(owner, name))
    and name not in WRITES_FILES | SETTINGS | ARBITRARY | NO_ARRAYS
}


def calls(low, high):
    """Arguments of many kinds with a tracked tensor in each, whose entries go from low to high."""

    def t(*shape):
        return tg.tensor(np.linspace(low, high, math.prod(shape)).reshape(shape), requires_grad=True)

    def a(*shape):
        return np.linspace(1.0, 2.0, math.prod(shape)).reshape(shape)

    for shape in ((2, 2), (3,), ()):
        yield (t(*shape),), {}
        yield (t(*shape), t(*shape)), {}
        yield ([t(*shape), t(*shape)],), {}
        yield (t(*shape), 1), {}
        yield (1, t(*shape)), {}
        yield (a(*shape), t(*shape)), {}
        yield (a(*shape) > 1.5, t(*shape), t(*shape)), {}
        yield (t(*shape), t(*shape), t(*shape)), {}
        yield (a(*shape), a(*shape), t(*shape)), {}
        yield (t(*shape), [0]), {}
        yield ([0], t(*shape)), {}
        yield (a(*shape), [0], t(*shape)), {}
        yield ((2, 2), t(*shape)), {}
        yield (a(*shape),), {"out": t(*shape)}
        yield (t(*shape),), {"out": a(*shape)}
        yield (t(*shape), t(*shape)), {"out": a(*shape)}
    yield (a(2, 2), np.zeros((2, 1), int), t(2, 1), 0), {}
    for function in (np.sum, np.sin):
        yield (function, 0, t(2, 2)), {}
        yield (function, t(2, 2)), {}


def plain_numbers(result):
    """The floats in a result that no gradient flows through."""
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, (list, tuple)):
        return [number for part in result for number in plain_numbers(part)]
    if isinstance(result, tg.Tensor):
        result = np.array([]) if result.requires_grad else result.numpy()
    if isinstance(result, (float, complex, np.ndarray, np.generic)) and np.asarray(result).dtype.kind in "fcO":
        return [np.asarray(result).tolist()]
    return []


def outcome(name, args, keywords):
    """What comes of a call: plain numbers, or the error."""
    function = FUNCTIONS[name]
    if name.startswith("rng."):
        if name.removeprefix("rng.") in READS_ANY_OUT:
            args, keywords = args[:2], {}
        args = (np.random.default_rng(0), *args)
    arrays = [x for x in (*args, *keywords.values()) if type(x) is np.ndarray]
    before = [x.copy() for x in arrays]
    with np.errstate(all="ignore"):
        try:
            numbers = plain_numbers(function(*args, **keywords))
        except Exception as error:
            return error
    changed = [x.tolist() for x, old in zip(arrays, before, strict=True) if not np.array_equal(x, old)]
    return numbers + changed


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_tracked_tensors_values_never_slip_into_plain_numbers(name):
    """A plain result may depend on a tensor's shape and dtype, and not on its values."""
    for (args, keywords), (others, _) in zip(calls(0.1, 0.9), calls(0.15, 0.7), strict=True):
        first, second = outcome(name, args, keywords), outcome(name, others, keywords)
        if isinstance(first, list) and isinstance(second, list):
            assert str(first) == str(second), (args, keywords)


def uncovered():
    """NumPy's functions that ask a Tensor and that this package does not have."""
    for name, function in FUNCTIONS.items():
        asks = isinstance(function, np.ufunc) or hasattr(function, "__wrapped__")
        known = protocols.ours(function) is not None or function in protocols._FACTS
        if asks and not known and name.startswith(("np.", "np.linalg.", "np.fft.")):
            yield pytest.param(name, id=name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", list(uncovered()))
def test_an_uncovered_function_is_named_in_our_words(name):
    errors = [e for args, keywords in calls(0.1, 0.9) if isinstance(e := outcome(name, args, keywords), Exception)]
    ours = [str(e) for e in errors if isinstance(e, GraphError | MutationError)]
    assert any(FUNCTIONS[name].__name__ in text for text in ours), errors[:5]


def test_values_that_slip_away_are_found(monkeypatch):
    """The test above can fail: here a function of NumPy's returns plain numbers made of a tensor's."""
    monkeypatch.setitem(FUNCTIONS, "np.leak", lambda x: x.numpy().sum())
    with pytest.raises(AssertionError):
        test_a_tracked_tensors_values_never_slip_into_plain_numbers("np.leak")


# --- the nearest covered spelling -------------------------------------------------------------------------------------

T = tg.tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True)


@pytest.mark.filterwarnings("ignore:you are shuffling")
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda t: np.linalg.norm(t), GraphError, r"np\.linalg\.norm, which is not recorded, would silently drop"),
        (lambda t: np.add.reduce(t), GraphError, r"np\.add\.reduce, .* nearest covered function is tinygrad_np\.sum"),
        (lambda t: np.multiply.accumulate(t), GraphError, r"covered function is tinygrad_np\.cumprod"),
        (lambda t: np.multiply.outer(t, t), GraphError, r"covered function is tinygrad_np\.multiply"),
        (lambda t: np.linalg.outer(t[0], t[1]), GraphError, "outer, .*; write it with tinygrad_np's functions"),
        (lambda t: np.dot(t, t), GraphError, r"covered function is tinygrad_np\.matmul"),
        (lambda t: np.histogram(t), GraphError, "write it with tinygrad_np's functions, or make it a primitive"),
        (lambda t: np.add(t, 1, where=[True, False]), GraphError, r"np\.add\(\.\.\., where=\)"),
        (lambda t: np.add(t, 1, dtype=np.float32), GraphError, r"np\.add\(\.\.\., dtype=\)"),
        (lambda t: np.add(np.ones(2), 1, out=t), MutationError, r"np\.add: expected arrays as out=, got a Tensor"),
        (lambda t: np.sum(np.ones(2), out=t), MutationError, r"np\.sum: expected arrays as out="),
        (lambda t: np.sum(t, out=np.ones(())), tg.TinygradError, r"sum: expected arguments .*, got np\.sum's out="),
        (lambda t: np.add.at(t, 0, 1.0), MutationError, r"np\.add\.at: expected an array to change.*add_at or set_at"),
        (lambda t: np.add.at(np.ones(2), 0, t), GraphError, r"np\.add\.at, which is not recorded"),
        (lambda t: np.copyto(np.ones((2, 2)), t), GraphError, r"np\.copyto, .* tinygrad_np\.where"),
        (lambda t: np.put_along_axis(np.ones((2, 2)), np.zeros((2, 1), int), t, 0), GraphError, "np.put_along_axis"),
        (lambda t: np.lib.stride_tricks.as_strided(t), GraphError, "an array made of it by NumPy"),
        (lambda t: np.asarray(t), GraphError, r"an array made of it by NumPy .* numpy\(\) or detach\(\)"),
        (lambda t: np.array([t, t]), GraphError, r"tg\.stack for a list of tensors"),
        (lambda t: np.array([t[0, 0], 1.0]), GraphError, "would silently drop"),
        (lambda t: np.ones((2, 2))[t], Exception, "would silently drop|only integers"),
        (lambda t: np.random.default_rng(0).normal(t), GraphError, "would silently drop"),
        (lambda t: np.random.default_rng(0).shuffle(t), MutationError, "never changes in place"),
        (lambda t: np.vectorize(math.sin)(t), GraphError, "would silently drop"),
        (lambda t: np.frompyfunc(math.sin, 1, 1)(t), GraphError, "would silently drop"),
        (lambda t: np.apply_along_axis(np.sum, 0, t), GraphError, "apply_along_axis"),
        (lambda t: math.sin(t[0, 0]), GraphError, r"float\(t\) would silently drop .* use item\(\)"),
        (lambda t: float(t[0, 0]), GraphError, r"float\(t\) would"),
        (lambda t: int(t[0, 0]), GraphError, r"int\(t\) would"),
        (lambda t: complex(t[0, 0]), GraphError, r"complex\(t\) would"),
        (lambda t: [1, 2][t[0, 0]], GraphError, "an index would"),
        (lambda t: f"{t:.2f}", ValueError, r"format: expected one entry for '.2f', got a tensor of shape \(2, 2\)"),
        (lambda t: pow(t, 2, 3), TypeError, "unsupported operand"),
        (lambda t: np.split(t, 0), ValueError, "split: "),
        (lambda t: np.clip(t, 0, 1, out=np.ones((2, 2))), tg.TinygradError, "clip: expected arguments"),
        (lambda t: np.insert(np.array([1, 2]), 0, t[0, 0]), TypeError, "insert: "),
        (lambda t: tg.full_like(np.array([1, 2]), t[0, 0]), TypeError, "full_like: expected an array of floats"),
        (lambda t: np.full_like(np.array([1, 2]), t[0, 0]), GraphError, "np.copyto"),
        (lambda t: pickle.dumps(t * 2), GraphError, r"a copy would silently drop .* detach\(\)"),
    ],
)
def test_ways_out_of_the_graph_are_closed_with_advice(call, error, words):
    with pytest.raises(error, match=words):
        call(T)


def test_in_place_arithmetic_of_an_array_with_a_tracked_tensor_is_refused():
    a = np.ones((2, 2))
    with pytest.raises(GraphError, match=r"np\.add\(\.\.\., out=\), which is not recorded"):
        a += T
    np.testing.assert_array_equal(a, 1)


def test_where_numpy_does_not_ask_the_error_has_ours_as_its_cause():
    a = np.zeros(3)
    with pytest.raises(ValueError, match="setting an array element") as caught:
        a[0] = T[0, 0]
    assert isinstance(caught.value.__cause__, GraphError)
    with pytest.raises(ValueError, match="setting an array element"):
        a.fill(T[0, 0])
    with pytest.raises(GraphError, match=r"tg\.set_at in the place of"):
        a[:2] = T[0]
    with pytest.raises((ValueError, GraphError)):
        np.fromiter(T[0], float)
    with pytest.raises((TypeError, ValueError, GraphError)):
        np.sum(a, initial=T[0, 0])
    assert a.tolist() == [0.0, 0.0, 0.0]


def test_constants_go_where_numpy_goes():
    t = tg.tensor([3.0, 1.0, 2.0])
    assert np.linalg.norm(t) == np.linalg.norm([3.0, 1.0, 2.0])
    assert np.asarray(t).tolist() == [3.0, 1.0, 2.0]
    assert float(t[0]) == 3.0
    assert math.sqrt(t[1]) == 1.0
    assert np.array([t, t]).shape == (2, 3)
    assert isinstance(np.add.reduce(t), tg.Tensor)
    a = np.ones(3)
    a += t
    assert a.tolist() == [4.0, 2.0, 3.0]


# --- ndarray's attributes ---------------------------------------------------------------------------------------------

NOT_OURS = {
    *("base", "byteswap", "conj", "conjugate", "ctypes", "device", "dot", "dump", "dumps", "fill", "flags", "flat"),
    *("getfield", "imag", "itemset", "newbyteorder", "partition", "ptp", "put", "real", "resize", "setfield"),
    *("setflags", "sort", "strides", "to_device", "tobytes", "tofile", "tostring", "view"),
}
"""What ndarray has and a Tensor has not: memory and its layout, changes in place, complex numbers, and `dot`."""


def test_a_tensor_has_the_attributes_of_an_array_or_says_what_to_do():
    array = np.array([[3.0, 1.0], [2.0, 5.0]])
    for name in dir(np.ndarray):
        if not name.startswith("_"):
            assert hasattr(T, name) == (name not in NOT_OURS), name
            if name in NOT_OURS and hasattr(array, name):
                with pytest.raises(AttributeError, match=f"Tensor has no '?{name}"):
                    getattr(T, name)
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'flie'"):
        _ = T.flie


METHODS = [
    ("all", (), {}), ("any", (), {"axis": 0}), ("argmax", (0,), {}), ("argmin", (), {"axis": 1}),
    ("argpartition", (1,), {}), ("argsort", (), {"axis": 0}), ("astype", ("float32",), {}),
    ("choose", ([np.ones((2, 2)), np.zeros((2, 2))],), {"mode": "clip"}),
    ("clip", (1.5, 3.0), {}), ("clip", (), {"max": 2}),
    ("compress", ([True, False], 1), {}), ("copy", (), {}), ("cumprod", (1,), {}), ("cumsum", (), {}),
    ("diagonal", (1,), {}), ("flatten", ("F",), {}), ("item", (1, 0), {}), ("max", (), {"axis": 0, "keepdims": True}),
    ("mean", (1,), {}), ("min", (0,), {"initial": 1.5}), ("nonzero", (), {}), ("prod", (), {}), ("ravel", (), {}),
    ("repeat", (2, 0), {}), ("reshape", (4, 1), {}), ("reshape", ((-1,),), {"order": "F"}), ("round", (1,), {}),
    ("squeeze", (), {}), ("std", (0,), {"ddof": 1}), ("sum", (), {"where": [[True, False], [True, True]]}),
    ("swapaxes", (0, 1), {}), ("take", ([1, 0], 1), {}), ("tolist", (), {}), ("trace", (), {}),
    ("transpose", (1, 0), {}),
    ("var", (), {"axis": (0, 1)}), ("__floordiv__", (2,), {}), ("__mod__", (2,), {}), ("__divmod__", (2,), {}),
    ("__rfloordiv__", (2.5,), {}), ("__rmod__", (2.5,), {}), ("__rdivmod__", (7.5,), {}), ("__contains__", (5.0,), {}),
    ("mean", (0, None, None, True), {}), ("max", (0, None, True), {}), ("std", (0, None, None, 1), {}),
    ("cumsum", (0, float), {}), ("take", ([0], 0, None, "wrap"), {}), ("argsort", (0, "stable"), {}),
    ("searchsorted", (2.0, "right"), {}), ("copy", ("F",), {}), ("clip", (0, 1, None), {}), ("take", ([],), {}),
    ("sum", (0, "float32"), {}), ("round", (1, None), {}), ("trace", (0, 0, 1, None), {}),
    ("__round__", (1,), {}), ("__len__", (), {}), ("__abs__", (), {}), ("__pos__", (), {}),
    ("__matmul__", (np.ones(2),), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "keywords"), METHODS)
def test_methods_are_ndarrays(name, args, keywords):
    array = np.array([[3.0, 1.0], [2.0, 5.0]])
    if name == "searchsorted":
        array = np.array([1.0, 2.0, 3.0])
    if name == "choose":
        array = np.array([[0, 1], [1, 5]])
    tensor = tg.tensor(array, requires_grad=array.dtype.kind == "f")
    expected = np.round(array, *args) if name == "__round__" else getattr(array, name)(*args, **keywords)
    got = getattr(tensor, name)(*args, **keywords)
    for mine, theirs in zip(*((r if isinstance(r, tuple) else (r,)) for r in (got, expected)), strict=True):
        plain = mine.numpy() if isinstance(mine, tg.Tensor) else np.asarray(mine)
        assert plain.dtype == np.asarray(theirs).dtype
        np.testing.assert_array_equal(plain, theirs)
        if isinstance(mine, tg.Tensor) and array.dtype.kind == "f":
            assert mine.requires_grad == (plain.dtype.kind == "f")


def test_comparisons_combine_as_in_numpy():
    t = tg.tensor([0.5, 1.5, 2.5], requires_grad=True)
    inside = (t > 1) & (t < 2) | ~(t < 2.2)
    assert isinstance(inside, tg.Tensor)
    assert inside.tolist() == [False, True, True]
    assert ((t > 1) ^ (t > 2)).tolist() == [False, True, False]
    assert (np.array([True, False, True]) & (t > 1)).tolist() == [False, False, True]
    n = tg.tensor([1, 2])
    assert [(n << 1).tolist(), (8 >> n).tolist(), (1 << n).tolist(), (n >> 1).tolist()] == [
        [2, 4],
        [4, 2],
        [2, 4],
        [0, 1],
    ]
    with pytest.raises(tg.TinygradError, match="bitwise_and"):
        _ = t & 1
    assert sum(t).item() == 4.5
    first, *rest = t
    assert first.requires_grad
    assert len(rest) == 2
    assert [x.item() for x in reversed(t)] == [2.5, 1.5, 0.5]


def test_numpys_order_of_arguments_is_kept():
    """What stands at a place in NumPy's signature and not in ours is passed on by its name, or refused."""
    t = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert np.sum(t, 0, None, None, True).shape == (1, 2)
    assert np.sum(a=t, axis=1).tolist() == [3.0, 7.0]
    assert np.mean(t, keepdims=True).shape == (1, 1)
    assert np.std(t, 0, None, None, 1).tolist() == np.std(t.numpy(), 0, None, None, 1).tolist()
    assert np.clip(t, 2, 3).tolist() == [[2.0, 2.0], [3.0, 3.0]]
    assert np.clip(t, a_min=2, a_max=None).tolist() == [[2.0, 2.0], [3.0, 4.0]]
    assert np.concatenate((t, t), 1).shape == (2, 4)
    assert np.average(t, 0, np.array([1.0, 3.0])).tolist() == [2.5, 3.5]
    assert np.clip(t, 2, 3, None).tolist() == [[2.0, 2.0], [3.0, 3.0]]
    assert np.where(t > 2, t, 0).tolist() == [[0.0, 0.0], [3.0, 4.0]]
    assert np.compress([True, False], t, 0).tolist() == [[1.0, 2.0]]
    assert np.roll(t, 1, 0).tolist() == [[3.0, 4.0], [1.0, 2.0]]
    assert all(isinstance(p, tg.Tensor) and p.requires_grad for p in np.split(t, 2))
    assert inspect.signature(tg.sum).parameters["keepdims"].kind is inspect.Parameter.KEYWORD_ONLY


SHARED = [
    pytest.param(function, recorded, id=name)
    for name, function in FUNCTIONS.items()
    if (recorded := protocols.ours(function)) is not None and protocols._signature(function) is not None
]


@pytest.mark.parametrize(("function", "recorded"), SHARED)
def test_options_that_numpy_has_too_have_its_defaults(function, recorded):
    """What is left at NumPy's default is left out when a call is passed on, so that ours must be the same."""
    theirs, own = inspect.signature(function).parameters, inspect.signature(recorded).parameters
    not_given = (None, np._NoValue, inspect.Parameter.empty, ...)
    for name in theirs.keys() & own.keys():
        ours, numpys = own[name].default, theirs[name].default
        never_left = numpys in (np._NoValue, inspect.Parameter.empty)
        assert never_left or ours == numpys or (ours in not_given and numpys in not_given), (name, ours, numpys)

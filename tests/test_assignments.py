"""Assignments: what a teacher declares is tried when it is read, and what does not hold is refused with its line."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_np.automark.assignments import function, tasks_of
from tinygrad_np.errors import ArgumentError, FileFormatError

HEAD = """import numpy as np
from tinygrad_np.automark.assignments import function
COURSE = False
def draw(rng):
    return rng.normal(size=rng.integers(1, 7, 2))
def pair(rng):
    shape = rng.integers(1, 7, 2)
    return rng.normal(size=shape), rng.normal(size=shape)
@function(x=draw)
def square(x):
    return x**2
"""
LINE = HEAD.count("\n") + 1


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def tasks(source, head=HEAD):
    path = Path("week.py")
    path.write_text(head + source)
    return tasks_of(path)


def refused(source):
    with pytest.raises(FileFormatError, match=r"'week\.py'") as error:
        tasks(source)
    return str(error.value)


# --- references -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["import sys\nsys.exit(0)", "exit()", "raise SystemExit"])
def test_a_file_that_ends_the_program_is_refused(source):
    assert f"week.py, line {LINE + source.count(chr(10))}: SystemExit" in refused(source)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("None", "it returns nothing"),
        ("[x]", "it returns a list"),
        ("(x, x)", "it returns a tuple"),
        ("'x'", "it returns a str"),
        ("x + 1j", "complex128"),
        ("np.random.normal()", "two calls with the same arguments return different results"),
        ("np.zeros(np.random.randint(1, 10**6))", "two calls with the same arguments return different results"),
    ],
)
def test_a_reference_that_returns_what_cannot_be_compared_is_refused(returned, words):
    told = refused(f"@function(x=draw)\ndef f(x):\n    return {returned}")
    assert f"week.py, line {LINE}: " in told
    assert words in told
    assert told.endswith(", as f was tried")


@pytest.mark.parametrize("fails", ["1 / 0", "exit()", "no_such_name"])
def test_a_reference_that_fails_on_what_is_drawn_is_refused(fails):
    told = refused(f"@function(x=draw)\ndef f(x):\n    return x if len(x) < 6 else {fails}")
    assert f"week.py, line {LINE + 2}: " in told
    assert told.endswith(", as f was tried")


def test_numbers_and_what_changes_its_arguments_are_taken():
    assert list(tasks("@function(x=draw)\ndef f(x):\n    x *= 2\n    return float(x.sum())")) == ["square", "f"]


# --- gradients --------------------------------------------------------------------------------------------------------


def test_a_gradient_that_is_none_of_its_function_is_refused():
    told = refused("@function(pair, gradient_of=square, by='x', g='go')\ndef f(x, go):\n    return 5 * x * go")
    assert f"week.py, line {LINE}: it is not the gradient of square by x: along a direction it says " in told
    assert told.endswith("; it is 2.5 times what it should be, as f was tried")
    loss = "def loss(a, b):\n    return np.mean((a - b)**2)\n@function(pair, gradient_of=loss, by='b')\n"
    assert "not the gradient of loss by b" in refused(f"{loss}def f(a, b):\n    return 2 * (b - a)")
    assert "f" in tasks(f"{loss}def f(a, b):\n    return 2 * (b - a) / a.size")


@pytest.mark.parametrize("returned", ["x * go", "np.sum(2 * x * go)", "2 * x.T * go.T + 0 * x[:1].T"])
def test_gradients_of_the_wrong_size_or_shape_are_refused(returned):
    assert "f was tried" in refused(
        f"@function(pair, gradient_of=square, by='x', g='go')\ndef f(x, go): return {returned}"
    )


def test_an_incoming_gradient_of_another_shape_is_refused():
    draws = "@function(x=draw, go=lambda rng: rng.normal(size=9), gradient_of=square, by='x', g='go')"
    assert "expected go to have the shape that square returns, " in refused(f"{draws}\ndef f(x, go): return 2 * x")


@pytest.mark.parametrize(
    "source",
    [
        "@function(a=draw)\ndef relu(a): return a * (a > 0)\n"  # zeros are kinks
        "def integers(rng): return rng.integers(-1, 2, (2, 3)), rng.normal(size=(2, 3))\n"
        "@function(integers, gradient_of=relu, by='a', g='go')\ndef f(a, go): return go * (a > 0)",
        "def norm(x, eps=1e-5): return x / np.sqrt(x.var(axis=1, keepdims=True) + eps)\n"
        "def three(rng):\n    x, go = pair(rng)\n    return x, go, 1.0\n"
        "@function(three, gradient_of=norm, by='x', g='go')\n"
        "def f(x, go, eps):\n    s = np.sqrt(x.var(axis=1, keepdims=True) + eps)\n"
        "    c = x - x.mean(axis=1, keepdims=True)\n"
        "    return go / s - c * (go * x).mean(axis=1, keepdims=True) / s**3",
        "def scaled(x, by): return x * by\n"
        "@function(lambda rng: (*pair(rng), 3.0), gradient_of=scaled, by='by', g='g')\n"
        "def f(x, g, by): return np.sum(x * g)",
        "def norms(weights): return sum(np.sum(w**2) for w in weights)\n"
        "@function(lambda rng: ([draw(rng), draw(rng)],), gradient_of=norms, by='weights')\n"
        "def f(weights): return sum(map(np.sum, weights))",
    ],
    ids=["kinks", "a default", "by and g", "a list of arrays"],
)
def test_right_gradients_and_those_that_cannot_be_compared_are_taken(source):
    assert "f" in tasks(source)


# --- what draws -------------------------------------------------------------------------------------------------------


def test_arguments_with_defaults_need_not_be_drawn():
    def norm(x, gamma, eps=1e-5, power=2):
        return gamma * x / (np.sum(np.abs(x) ** power) + eps)

    both = {"x": np.ones, "gamma": np.ones}
    for declare, count in (
        (function(lambda rng: (1, 2)), 2),
        (function(lambda rng: (1, 2, 3)), 3),
        (function(lambda rng: (1, 2, 3, 4)), 4),
        (function(**both), 2),
        (function(**both, eps=abs), 3),
    ):
        assert declare(norm).automark_task.arguments == ("x", "gamma", "eps", "power")[:count]
    for wrong in (function(x=abs), function(**both, power=abs), function(**both, other=abs)):
        with pytest.raises(ArgumentError, match="one for each of x, gamma, eps, power by name, got x"):
            wrong(norm)
    source = "@function({})\ndef f(x, y, eps=1): return x + y + eps"
    assert "its 2 arguments as a tuple, got 1 of them" in refused(source.format("lambda rng: (1,)"))
    assert "its 3 arguments as a tuple, got 4 of them" in refused(source.format("lambda rng: (1, 2, 3, 4)"))
    assert "f" in tasks(source.format("pair"))


@pytest.mark.parametrize("option", ["g", "by"])
def test_arguments_called_as_options_are_told_why_they_are_not_drawn_by_name(option):
    told = refused(f"@function(x=draw, {option}=draw)\ndef f(x, {option}): return x")
    assert f"line {LINE}: function: expected f's {option}= to be the name of an argument" in told
    assert f"if an argument is itself called {option}, let one callable draw all arguments" in told
    assert "f" in tasks(f"@function(pair)\ndef f(x, {option}): return x")


def test_what_draws_must_be_callable():
    assert f"line {LINE}: function: expected what draws all of f to be a callable" in refused(
        "@function(5)\ndef f(x): return x"
    )
    assert (
        "what draws x of f to be a callable of a generator, such as lambda rng: rng.normal(size=3), got 5"
        in refused("@function(x=5)\ndef f(x): return x")
    )


def test_a_decorator_without_parentheses_is_named():
    told = refused("@function\ndef f(x): return x")
    assert "expected @function(...) with what draws the arguments of f, got @function alone" in told
    assert "f" in tasks("both = function(pair)\n@both\ndef f(x, y): return x")


# --- files beside the assignment --------------------------------------------------------------------------------------


def test_a_module_beside_the_assignment_is_imported_and_forgotten():
    Path("class").mkdir()
    Path("class/beside.py").write_text("K = 2")
    path = Path("class/week.py")
    path.write_text(f"{HEAD}from beside import K\n@function(x=draw)\ndef f(x): return K * x")
    before = sys.path.copy()
    assert tasks_of(path)["f"].reference(3) == 6
    assert sys.path == before
    assert "beside" not in sys.modules
    path.write_text(f"{HEAD}@function(x=draw)\ndef f(x):\n    from beside import K\n    return K * x")
    with pytest.raises(FileFormatError, match="expected beside to be imported at the top of the file"):
        tasks_of(path)
    path.write_text("import beside, no_such_module")
    with pytest.raises(FileFormatError, match="no_such_module"):
        tasks_of(path)
    assert sys.path == before
    assert "beside" not in sys.modules

"""A student's marker: what is right passes, what is wrong fails with a reason that is true, and nothing is lost."""

import io
import re
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_np.automark as am
from tinygrad_np import blocks, cli
from tinygrad_np.automark.folder import set_up
from tinygrad_np.automark.marking import difference, mark
from tinygrad_np.automark.printing import MOST, held_back
from tinygrad_np.automark.tasks import GRADED, TASKS, WHOLE, Inputs
from tinygrad_np.errors import ArgumentError, RangeError
from tinygrad_np.verify.checks import compare
from tinygrad_np.verify.differences import Verdict
from tinygrad_np.verify.subjects import Subject


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYGRAD_AUTOMARK_DB", raising=False)


# --- the tasks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_right_functions_pass(name, seed):
    result = mark(TASKS[name].reference, seed=seed)
    assert result.passed, result
    assert result.cases >= 36 or TASKS[name].check


def test_the_tasks_are_the_courses():
    assert len(GRADED) == 18
    assert set(TASKS) - set(GRADED) == {"dropout_generate_mask", "maxpool_grad_input"}
    for name, task in TASKS.items():
        assert task.reference is getattr(blocks, name)
        code = task.reference.__code__
        assert task.arguments == code.co_varnames[: code.co_argcount]


def test_generated_cases_are_of_every_kind():
    task = TASKS["dense_forward"]
    cases = list(task.cases(0))
    shapes = [args[0].shape for _, args in cases]
    assert {kind for kind, _ in cases} == {"example", "any", "zeros", "ties", *WHOLE}
    assert (1, 1) in shapes
    assert any(rows == 1 < columns for rows, columns in shapes)
    assert any(columns == 1 < rows for rows, columns in shapes)
    assert max(map(max, shapes)) > 6
    assert any(args[0].dtype.kind == "i" for _, args in cases)
    assert repr(list(task.cases(5))) == repr(list(task.cases(5))) != repr(list(task.cases(6)))


@pytest.mark.parametrize("name", [n for n, task in TASKS.items() if task.gradient])
def test_the_gradients_of_the_course_are_those_of_its_forwards(name):
    task = TASKS[name]
    rng = np.random.default_rng(0)
    arguments = task.draw(Inputs(rng, sides=(2, 4)))
    named = dict(zip(task.arguments, arguments, strict=True))
    gradient = task.gradient

    def value(*given):
        return np.asarray(gradient.forward(*given, **gradient.fixed), float)

    arrays = [np.asarray(named[n], float) for n in gradient.arguments]
    place = gradient.arguments.index(gradient.by)
    g = np.ones(()) if gradient.g is None else named[gradient.g]
    subject = Subject(name, gradient.arguments, value, lambda *_: [])
    v = rng.normal(size=arrays[place].shape)
    found = task.reference(*arguments)
    assert compare(subject, arrays, place, g, v, found).verdict is Verdict.RIGHT


# --- what is wrong, and why -------------------------------------------------------------------------------------------


def dense_rows(x, g, w, b):
    return g


def relu_in_place(x):
    x[x < 0] = 0
    return x


def whole_numbers(image, size):
    out = np.zeros_like(image)
    out[...] = blocks.box_blur(image, size)
    return out


async def coroutine(x):
    return x


def in_the_inputs_dtype(x, g):
    out = np.zeros_like(x)
    out[x > 0] = g[x > 0]
    return out


def to_all_that_tie(x, g):
    h, w = g.shape
    largest = x.reshape(h, 2, w, 2).max(axis=(1, 3)).repeat(2, 0).repeat(2, 1)
    return (x == largest) * g.repeat(2, 0).repeat(2, 1)


def rows_alike(shape, rate):
    return np.broadcast_to(np.random.default_rng().random(shape[-1:]) >= rate, shape)


WRONG = {
    "hinge without 1/N": (
        "hinge_grad_input",
        lambda p, t: np.where(p * t < 1, -t, 0),
        "factor N",
        "how many there are",
    ),
    "a mean over objects": ("dense_grad_b", lambda x, g, w, b: g.mean(axis=0), "factor 1/N", "it is divided by"),
    "no sum over objects": ("dense_grad_b", dense_rows, "broadcast not summed", "one sum over all objects"),
    "a mask from the wrong side": ("relu_grad_input", lambda x, g: g * (x < 0), "mask", "the wrong way round"),
    "no mask": ("relu_grad_input", lambda x, g: g, "mask missing", "should be zero are not"),
    "a slope at zero": ("relu_grad_input", lambda x, g: g * (x >= 0), "kink", "exactly 0"),
    "twice": ("mse_forward", lambda p, t: ((p - t) ** 2).sum() / len(p), "factor 2", "2 times what it should be"),
    "half": ("mse_grad_input", lambda p, t: (p - t) / (2 * len(p)), "factor 1/2", "1/2 times what"),
    "a sign": ("mse_grad_input", lambda p, t: (t - p) / len(p), "factor -1", "wrong way round"),
    "transposed": ("dense_grad_W", lambda x, g, w, b: g.T @ x, "transposed", "exchanged"),
    "no chain rule": ("relu_grad_input", lambda x, g: (x > 0) * 1.0, "g ignored", "grad_output is not used"),
    "another argument's": ("dense_grad_input", lambda x, g, w, b: x.T @ g, "other argument", "another argument"),
    "a row for a column": ("flatten_forward", lambda x: x.reshape(len(x), -1).T, "transposed", "exchanged"),
    "F order": ("flatten_forward", lambda x: x.reshape(len(x), -1, order="F"), "places", "in the wrong places"),
    "a vector for a matrix": (
        "relu_forward",
        lambda x: np.maximum(x, 0).ravel(),
        "shape",
        "expected shape (1, 1), got shape (1,)",
    ),
    "an array for a number": (
        "mse_forward",
        lambda p, t: np.array([blocks.mse_forward(p, t)]),
        "shape",
        "expected a number",
    ),
    "a list": ("relu_forward", lambda x: np.maximum(x, 0).tolist(), "no array", "it returns a list"),
    "text": ("relu_forward", lambda x: np.maximum(x, 0).astype(str), "no array", "real numbers"),
    "nothing": ("relu_forward", lambda x: None, "nothing", "is the return line missing?"),
    "in place": ("relu_forward", relu_in_place, "input modified", "changes its argument x_input"),
    "integers": ("box_blur", whole_numbers, "integers", "fractions into an array of integers"),
    "a little off": ("dropout_forward", lambda x, m, r, t: x * m / (1.01 - r) if t else x, "value", "expected"),
    "a number in place of a matrix": ("relu_forward", lambda x: 3.0, "shape", "got shape ()"),
    "a tuple for a number": ("mse_forward", lambda p, t: (1.0,), "no array", "it returns a tuple, not a number"),
    "objects": ("relu_forward", lambda x: 10**30, "no array", "values of dtype object"),
    "a coroutine": ("relu_forward", coroutine, "no array", "it returns a coroutine"),
    "zero": ("dense_forward", lambda x, w, b: np.zeros((len(x), len(b))), "no gradient", "it is zero, where"),
    "a matrix of integers": ("relu_grad_input", in_the_inputs_dtype, "integers", "fractions into an array of integers"),
    "ties": ("maxpool_grad_input", to_all_that_tie, "kink", "several entries of a window are the largest"),
    "nan": ("relu_forward", lambda x: x * np.nan, "not finite", "NaN"),
    "too few": ("dropout_generate_mask", lambda s, r: np.zeros(s), "value", "are 0, expected about"),
    "rows of a mask": ("dropout_generate_mask", rows_alike, "value", "all rows are the same"),
    "no mask at all": ("dropout_generate_mask", lambda s, r: None, "nothing", "for shape = (3, 4), drop_rate = 0."),
    "a mask that ends": ("dropout_generate_mask", lambda s, r: sys.exit(3), "exception", "it ends with SystemExit: 3"),
    "one mask": ("dropout_generate_mask", lambda s, r: np.random.default_rng(0).random(s) >= r, "value", "the same"),
    "the shape of a mask": (
        "dropout_generate_mask",
        lambda s, r: np.zeros(3),
        "value",
        "expected a mask of this shape",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
@pytest.mark.parametrize("seed", [0, 1])
def test_mistakes_are_told_for_what_they_are(mistake, seed):
    name, function, kind, words = WRONG[mistake]
    with np.errstate(all="ignore"):
        result = mark(function, TASKS[name], seed)
    assert not result.passed
    assert result.kind == kind, result
    assert words in result.reason
    assert f"seed={seed}" in str(result)


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.mistakes])
def test_typical_mistakes_are_told_in_words(name):
    for words, mistaken in TASKS[name].mistakes:
        for seed in (0, 1):
            with np.errstate(all="ignore"):
                result = mark(mistaken, TASKS[name], seed)
            assert (result.passed, result.kind) == (False, words)
            assert words in result.reason


def test_no_typical_mistake_is_told_where_it_is_not_all():
    def nearly(pred, true):
        return blocks.mse_forward(pred, true) * len(pred) / pred.size + (pred.size > 20)

    result = mark(nearly, TASKS["mse_forward"], 0)
    assert "number of all entries" not in result.reason


TWO_MISTAKES = {
    "rounded down and not squared": ("l2_regularizer", lambda d, w: d // 2 * sum(map(np.sum, w)), "no gradient"),
    "squeezed, with a slope at 0": ("relu_grad_input", lambda x, g: np.squeeze(g * (x >= 0)), "kink"),
    "squeezed, without a mask": ("relu_grad_input", lambda x, g: np.squeeze(g * 1.0), "mask missing"),
}


@pytest.mark.parametrize("mistakes", TWO_MISTAKES)
def test_a_reason_is_true_of_the_case_that_is_shown(mistakes):
    name, function, kind = TWO_MISTAKES[mistakes]
    for seed in range(4):
        assert mark(function, TASKS[name], seed).kind != kind


def test_a_loss_of_several_is_one_number():
    reason = mark(lambda p, t: ((p - t) ** 2).sum(axis=0) / (2 * len(p)), TASKS["mse_forward"], 0).reason
    assert "over all objects" not in reason


def test_a_forward_that_works_in_place_spoils_nothing():
    scope = {}
    exec("def relu_forward(x):\n    x[x < 0] = 0\n    return x\ndef relu_grad_input(x, g):\n    return g\n", scope)
    for seed in range(5):
        assert mark(scope["relu_grad_input"], seed=seed).kind == "mask missing"


def test_integers_first_are_the_data_alone():
    def dense_forward(x, w, b):
        out = x.dot(w)
        out += b
        return out

    assert mark(dense_forward, seed=0).passed
    result = mark(lambda p, t: np.divide(p - t, len(p), out=p - t), TASKS["mse_grad_input"], 0)
    assert "with arrays of floats alone it does not end like this" in result.reason


def test_shapes_never_broadcast():
    assert mark(lambda p, t: blocks.mse_grad_input(p, t)[..., None], TASKS["mse_grad_input"], 0).kind == "shape"
    assert difference(np.ones((3, 1)), np.ones(3))[0] == "shape"
    for number in (2, 2.0, np.float64(2), np.array(2.0), np.array(2)):
        assert difference(number, 2.0) == ("", "")


def test_the_courses_tolerance():
    assert difference(np.array([1 + 1.5e-5, 0.9e-5]), np.array([1.0, 0.0])) == ("", "")
    kind, text = difference(np.array([1 + 3e-5, 0.0]), np.array([1.0, 0.0]))
    assert (kind, text) == ("value", "at [0]: expected 1, got 1.00003 (1 of 2 entries are wrong)")


def test_the_smallest_failing_case_is_shown():
    result = mark(lambda x: np.maximum(x, 0) + (x > 5), TASKS["relu_forward"], 0)
    assert re.search(r"x_input = \[\[.*\]\] \(shape \(1, 1\)\)", result.reason)


def test_an_exception_is_shown_with_the_students_line():
    def relu_forward(x_input):
        nothing = None
        return nothing + x_input  # here

    result = mark(relu_forward, seed=0)
    assert result.kind == "exception"
    assert "it ends with TypeError: unsupported operand" in result.reason
    assert "of relu_forward: return nothing + x_input  # here" in result.reason


class Unspeakable(BaseException):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize("error", [SystemExit, RecursionError, ValueError, GeneratorExit, Unspeakable])
def test_whatever_is_raised_is_the_functions_own(error):
    def fails(x_input):
        raise error("mine")

    result = mark(fails, TASKS["relu_forward"], 0)
    assert result.kind == "exception"
    assert f"it ends with {error.__name__}" in result.reason


def test_long_texts_of_errors_are_shortened():
    def fails(x_input):
        raise ValueError("many\nlines " * 1000)

    reason = mark(fails, TASKS["relu_forward"], 0).reason
    assert "ValueError: many lines many lines" in reason
    assert len(reason) < 1000


def test_ctrl_c_is_passed_on():
    def interrupted(x_input):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mark(interrupted, TASKS["relu_forward"], 0)


def test_zeros_are_shown_without_a_sign():
    reason = mark(lambda x, g: g * (x < 0), TASKS["relu_grad_input"], 0).reason
    assert "-0" not in re.sub(r"-0\.\d*[1-9]", "", reason)


def test_the_smallest_of_a_list_of_weights_is_shown():
    result = mark(lambda decay, weights: -blocks.l2_regularizer(decay, weights), TASKS["l2_regularizer"], 0)
    assert "expected 1.\n  got      -1.\n" in result.reason


# --- what is printed --------------------------------------------------------------------------------------------------


def test_what_a_function_prints_is_held_back(capsys):
    def chatty(x_input):
        sys.stdout.write(f"first\nsecond {len(x_input)}")

    result = mark(chatty, TASKS["relu_forward"], 0)
    assert capsys.readouterr().out == ""
    assert "it printed 'first' ..." in result.reason
    sys.stdout.write("as before\n")
    assert capsys.readouterr().out == "as before\n"


def test_standard_output_is_as_it_was_whatever_a_function_does_to_it(capsys):
    before = sys.stdout

    def closes(x_input):
        sys.stdout = None
        return np.maximum(x_input, 0)

    assert mark(closes, TASKS["relu_forward"], 0).passed
    assert sys.stdout is before


def test_only_the_own_thread_is_held_back(capsys):
    out = sys.stdout
    with held_back() as mine:
        thread = threading.Thread(target=print, args=("theirs",))
        thread.start()
        thread.join()
        with held_back() as inner:
            sys.stdout.writelines(["inn", "er\n"])
            sys.stdout.flush()
        sys.stdout.write("mine" * MOST)
    assert sys.stdout is out
    assert (inner.text, len(mine.text), mine.text[:4]) == ("inner\n", MOST, "mine")
    assert capsys.readouterr().out == "theirs\n"


def test_threads_at_once_leave_standard_output_as_it_was(capsys):
    before, started, done = sys.stdout, threading.Event(), threading.Event()

    def longer():
        with held_back():
            started.set()
            done.wait(60)

    thread = threading.Thread(target=longer)
    with held_back():
        thread.start()
        started.wait(60)
    done.set()
    thread.join()
    assert sys.stdout is before


def test_names_that_the_terminal_cannot_write_are_spelt(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    am.get_progress("\u00fcn\u00ef")
    sys.stdout.flush()
    assert b"\\xfcn\\xef" in raw.getvalue()


# --- a gradient and its author's forward ------------------------------------------------------------------------------


def test_a_gradient_of_ones_own_wrong_forward_is_told_so():
    scope = {"np": np}
    source = (
        "def mse_forward(p, t):\n    return ((p - t) ** 2 * np.arange(1, 1 + p.size).reshape(p.shape)).sum()\n"
        "def mse_grad_input(p, t):\n    return 2 * (p - t) * np.arange(1, 1 + p.size).reshape(p.shape)\n"
    )
    exec(source, scope)
    result = mark(scope["mse_grad_input"], seed=0)
    assert result.kind == "own forward"
    assert "mend mse_forward first" in result.reason


@pytest.mark.parametrize("forward", ["raise SystemExit", "return ((p - t) ** 2).sum() / len(p) / 2", "return 'none'"])
def test_another_forward_of_ones_own_says_nothing(forward):
    scope = {"np": np}
    exec(f"def mse_forward(p, t):\n    {forward}\ndef mse_grad_input(p, t):\n    return 2 * (p - t) / len(p)\n", scope)
    assert mark(scope["mse_grad_input"], seed=0).kind == "factor 2"


def test_a_gradient_that_is_that_of_the_right_forward_too_says_nothing_of_ones_own():
    scope = {"np": np}
    source = (
        "def relu_forward(x):\n    return np.maximum(x, 0) + 1\ndef relu_grad_input(x, g):\n    return g * (x >= 0)\n"
    )
    exec(source, scope)
    assert mark(scope["relu_grad_input"], seed=0).kind == "kink"


def test_a_forward_of_ones_own_may_name_its_arguments_as_it_likes():
    scope = {}
    source = "def dropout_forward(x, mask, rate, phase):\n    return x * mask * 3 if phase else x\n"
    exec(source + "def dropout_grad_input(x, g, mask):\n    return g * mask * 3\n", scope)
    assert mark(scope["dropout_grad_input"], seed=0).kind == "own forward"


# --- as a student calls it --------------------------------------------------------------------------------------------


def relu_forward(x_input):
    return np.maximum(x_input, 0)


def table(username, capsys):
    am.get_progress(username)
    return capsys.readouterr().out


def test_progress_is_recorded_and_never_taken_back(capsys):
    assert "| relu_forward             | not attempted  |" in table("s1", capsys)
    wrong = lambda x_input: x_input  # noqa: E731
    wrong.__name__ = "relu_forward"
    assert not am.test_student_function("s1", wrong, ["x_input"]).passed
    assert "| relu_forward             | attempted      |" in table("s1", capsys)
    assert am.test_student_function("s1", relu_forward, ["x_input"]).passed
    assert "relu_forward: passed (41 cases)\n" in capsys.readouterr().out
    am.test_student_function("s1", wrong, ["x_input"])
    assert "| relu_forward             | completed      |" in table("s1", capsys)
    assert "completed" not in table("s2", capsys)


def test_a_result_is_short_where_it_stands_alone():
    shown = []
    result = mark(relu_forward, seed=3)
    result._repr_pretty_(SimpleNamespace(text=shown.append), False)
    assert shown == ["passed"]
    assert repr(result) == "Result(function='relu_forward', passed=True, kind='', seed=3)"


def test_helpers_are_marked_and_have_no_row(capsys):
    keys = ["x_input", "grad_output"]
    assert am.test_student_function("s1", blocks.maxpool_grad_input, keys).passed
    capsys.readouterr()
    assert "maxpool_grad" not in table("s1", capsys)


def test_a_name_and_a_mail_address_fill_the_head(capsys):
    am.register(123, "Ada Lovelace", "ada@example.org")
    assert table("123", capsys).splitlines()[1:3] == [f"| {'Ada Lovelace':41} |", f"| {'ada@example.org':41} |"]


def test_what_cannot_be_marked_is_refused_and_not_recorded(tmp_path):
    def other(x):
        return x

    with pytest.raises(RangeError, match="expected one of the course's functions, got 'other'; they are box_blur, "):
        am.test_student_function("s1", other, ["x"])
    with pytest.raises(ArgumentError, match="expected a function of yours, written with def, got 'relu_forward'"):
        am.test_student_function("s1", "relu_forward", ["x_input"])
    for keys in (["x"], "x_input", [], None, 5, {"x_input"}):
        with pytest.raises(RangeError, match=r"expected arg_keys \['x_input'\] for relu_forward, got"):
            am.test_student_function("s1", relu_forward, keys)
    for wrong in ({"seed": -1}, {"seed": "x"}, {"seconds": 0}, {"seconds": None}):
        with pytest.raises(RangeError, match=f"^test_student_function: expected {next(iter(wrong))} to be"):
            am.test_student_function("s1", relu_forward, ["x_input"], **wrong)
    with pytest.raises((RangeError, ArgumentError), match="username"):
        am.test_student_function("", relu_forward, ["x_input"])
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written_the_result_is_printed_all_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TINYGRAD_AUTOMARK_DB", str(tmp_path / "no" / "such" / "folder.sqlite"))
    assert am.test_student_function("s1", relu_forward, ["x_input"]).passed
    out = capsys.readouterr().out
    assert out.startswith("relu_forward: passed")
    assert "\nnot recorded: " in out


def test_a_seed_repeats_a_run(capsys):
    def wrong(x_input):
        return np.maximum(x_input, 0) + (np.abs(x_input) > 9.9)

    wrong.__name__ = "relu_forward"
    first = am.test_student_function("s1", wrong, ["x_input"])
    again = am.test_student_function("s1", wrong, ["x_input"], seed=first.seed)
    assert (first.reason, first.seed) == (again.reason, again.seed)
    assert mark(relu_forward).seed != mark(relu_forward).seed
    capsys.readouterr()


def endless(x_input):
    while True:
        pass


@pytest.mark.parametrize("where", ["main thread", "worker thread"])
def test_an_endless_loop_ends_at_the_limit(where):
    results = []

    def run():
        results.append(mark(endless, TASKS["relu_forward"], 0, seconds=0.3))

    if where == "worker thread":
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(60)
    else:
        run()
    assert results[0].kind == "time limit"
    assert "had not returned after 0.3 seconds" in results[0].reason
    assert re.search(r"in line \d+ of endless: (while True:|pass)", results[0].reason)


def test_calls_that_take_long_together_are_told_so():
    def slow(x_input):
        time.sleep(0.05)
        return np.maximum(x_input, 0)

    reason = mark(slow, TASKS["relu_forward"], 0, seconds=0.5).reason
    assert re.fullmatch(r"  \d+ calls took more than 0\.5 seconds: each is to take far less", reason)


def test_a_wrong_case_is_shown_though_another_never_ends():
    def half(x_input):
        while len(x_input) > 3:
            pass
        return x_input

    result = mark(half, TASKS["relu_forward"], 0, seconds=0.5)
    assert result.kind == "value"
    assert "got      " in result.reason
    assert result.reason.endswith("\n  after 0.5 seconds it was stopped")


def test_what_is_printed_before_time_runs_out_is_told():
    def chatty(x_input):
        sys.stdout.write("\nhere")
        while True:
            pass

    assert mark(chatty, TASKS["relu_forward"], 0, seconds=0.3).reason.endswith("\n  it printed 'here'")


def test_a_forward_that_never_ends_is_not_its_gradients_fault():
    scope = {}
    exec("def relu_forward(x):\n    while True: pass\ndef relu_grad_input(x, g):\n    return g * (x < 0)\n", scope)
    result = mark(scope["relu_grad_input"], seed=0, seconds=1)
    assert result.kind == "value"
    assert result.reason.endswith("\n  after 1 seconds your own relu_forward was stopped")


def test_a_reason_is_kept_though_time_runs_out_while_a_smaller_case_is_sought(monkeypatch):
    def forever(*_, **__):
        while True:
            pass

    monkeypatch.setattr("tinygrad_np.automark.marking.smallest", forever)
    result = mark(lambda x, g: g * (x < 0), TASKS["relu_grad_input"], 0, seconds=3)
    assert result.kind == "mask"
    assert "the condition is the wrong way round" in result.reason
    assert "stopped" not in result.reason


def test_pytest_takes_it_for_no_test(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "from tinygrad_np.automark import test_student_function\n\ndef test_one():\n    assert test_student_function\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "1 passed" in out.stdout


# --- a student's folder -----------------------------------------------------------------------------------------------


def test_the_courses_imports_work_in_a_folder_that_is_set_up(tmp_path):
    assert cli.main(["course", "week1"]) == 0
    script = (
        "from Blocks import *\nimport automark as am\nam.get_progress('s1')\n"
        "am.test_student_function('s1', relu_forward, ['x_input'])\nprint(SequentialNN().forward(3))\n"
        "def relu_forward(x_input):\n    return x_input * (x_input > 0)\n"
        "am.test_student_function('s1', relu_forward, ['x_input'])\nam.PATH = 'other.sqlite'\n"
        "am.register('s1', 'Ada', 'ada@example.org')\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path / "week1"
    ).stdout
    marked = "relu_forward: passed (41 cases)\n"
    assert f"{marked}not recorded: this relu_forward is tinygrad_np's own; write one of yours\n3\n{marked}" in out
    assert {path.name for path in (tmp_path / "week1").glob("*.sqlite")} == {"automark.sqlite", "other.sqlite"}


def test_no_file_is_ever_replaced(tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "Blocks.py").write_text("mine")
    assert cli.main(["course", "mine"]) == 2
    assert "Blocks.py already there" in capsys.readouterr().err
    assert (mine / "Blocks.py").read_text() == "mine"
    assert not (mine / "automark.py").exists()
    with pytest.raises(RangeError, match="expected a folder, got the file"):
        set_up(mine / "Blocks.py")

"""The teacher's side: what a submission defines, and a class marked whatever its submissions do."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests import handed_in
from tinygrad_np.automark import command, running
from tinygrad_np.automark.assignments import function, tasks_of
from tinygrad_np.automark.cells import Cell, cells, without_magics
from tinygrad_np.automark.loading import Loaded, load
from tinygrad_np.automark.marking import mark
from tinygrad_np.automark.running import Settings, find, mark_all, verdict
from tinygrad_np.automark.statements import statements
from tinygrad_np.automark.tasks import GRADED
from tinygrad_np.errors import ArgumentError, FileFormatError, RangeError

ROOT = Path(__file__).parents[1]
RELU = handed_in.RIGHT["relu_forward"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, content):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def run(*sources, everything=False, wanted=()):
    """A submission of some cells, loaded."""
    found = [Cell(f"code cell {number}", 1, source) for number, source in enumerate(sources, 1)]
    loaded = Loaded({"__name__": "__main__"}, found)
    load(loaded, statements(found, everything, wanted))
    return loaded


def one(path, names=("relu_forward",), **settings):
    """What comes of marking one submission."""
    (marked,) = mark_all(find([path]), names, Settings(seed=1, **{"seconds": 3.0} | settings))
    return marked


def told(marked):
    """The verdicts, by function."""
    return {result.function: verdict(result) for result in marked.results}


# --- reading ----------------------------------------------------------------------------------------------------------


def test_code_cells_of_both_formats_are_read_and_numbered():
    source = ["x = 1\n", "y = 2"]
    code = {"cell_type": "code", "metadata": {}, "outputs": []}
    found = [{"cell_type": "markdown", "source": "# x"}, code | {"source": source}, code | {"source": "z = 3"}]
    four = write("four.ipynb", json.dumps({"nbformat": 4, "cells": found}))
    assert [(cell.name, cell.source) for cell in cells(four)] == [
        ("four.ipynb, code cell 1", "x = 1\ny = 2"),
        ("four.ipynb, code cell 2", "z = 3"),
    ]
    three = write("three.ipynb", json.dumps({"worksheets": [{"cells": [code | {"input": source}]}]}))
    assert [cell.source for cell in cells(three)] == ["x = 1\ny = 2"]


def test_a_file_is_one_cell_unless_it_was_a_notebook():
    path = write("a.py", 'x = """\n# %% no cell\n"""\n# %%\ny = 2\n# In[3]:\nz = 3\n')
    assert [(cell.first, cell.source.count("\n")) for cell in cells(path)] == [(1, 3), (4, 2), (6, 2)]
    (statement,) = [s for s in statements(cells(path)) if s.node.targets[0].id == "z"]
    assert statement.where == "a.py, line 7"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.ipynb", b"", "a notebook, as Jupyter writes, got an empty file"),
        ("a.py", b" \n", "a Python file, got an empty file"),
        ("a.ipynb", b'{"cells": [', "got one that is cut off or damaged"),
        ("a.ipynb", b"[]", "got one whose cells are missing or damaged"),
        ("a.ipynb", b"5", "got one whose cells are missing or damaged"),
        ("a.ipynb", b'{"cells": [5]}', "got one whose cells are missing or damaged"),
        ("a.ipynb", b'{"cells": [{"cell_type": "code"}]}', "got one whose cells are missing or damaged"),
        ("a.ipynb", b'{"cells": [{"cell_type": "code", "source": [1]}]}', "got one whose cells are missing or damaged"),
        ("a.ipynb", b"[" * 100_000, "got something else under the name of one"),
        ("a.ipynb", b"<html>", "got something else under the name of one"),
        ("a.ipynb", b"\xff\xfe\xfd", "got something else under the name of one"),
        ("a.ipynb", b"PK\3\4\0\0", "got a zip archive"),
        ("a.py", b"PK\3\4\0\0", "got a zip archive"),
        ("a.py", b"x = 1\0", "got one that is no text"),
        ("a.py", b"x = '\xff'", "got one that is no text"),
        ("a.py", b"# coding: no-such-coding\n", "got one that is no text"),
    ],
)
def test_what_is_no_submission_is_refused_in_a_teachers_words(name, content, words):
    Path(name).write_bytes(content)
    with pytest.raises(FileFormatError, match=f"^{name}: expected a .*: ask for it again$") as error:
        cells(Path(name))
    assert words in str(error.value)
    assert "Error" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!pip install x\npip install numpy\nconda install y", "pass\npass\npass"),
        ("pip = 3\npip (4)", "pip = 3\npip (4)"),
        ("?help\nnp.sum?\nnp.sum??", "pass\npass\npass"),
        ("def f():\n    %time g()\n    return 1", "def f():\n    pass\n    return 1"),
        ("files = !ls\na, b = %magic", "files = None\na, b = None"),
        ("%%time\nx = 1", "pass\nx = 1"),
        ("%%bash\nls -l", ""),
        ("\n%%html\n<p>", ""),
        ("x = (7\n  % 3)\ny = 9 \\\n  % 4", "x = (7\n  % 3)\ny = 9 \\\n  % 4"),
        ('x = """\n%s?\n!ls\n"""', 'x = """\n%s?\n!ls\n"""'),
        ("x = 1  # really?\n# really?", "x = 1  # really?\n# really?"),
    ],
)
def test_magics_are_left_out_and_lines_keep_their_numbers(source, expected):
    assert without_magics(source) == expected


# --- what runs --------------------------------------------------------------------------------------------------------

RUNS = """
import numpy as np
from math import pi
def f(x):
    return helper(x) + EPS + TABLE[0] + W.sum() + Point(1).x
Base = object
SIDE: int = 2 * 3
class C(Base):
    size = SIDE
def helper(x):
    return x * STEP
EPS = 1e-8
DEPTH = float("2")
STEP = -pi / DEPTH
STEP += 1
TABLE, REST = [n**2 for n in range(3)], None
W = np.array([1, 2]).astype(float)[:, None].T
TABLE[1] = 7
g = lambda x: x + 1
from collections import namedtuple
Point = namedtuple("Point", "x")
if pi > 3:
    import os
    def h(): return os
else:
    OTHER = 1
try:
    import no_such_module
except ImportError:
    no_such_module = None
"""

STAYS = """
print(1)
f(2)
x = 1
data = f(3)
model = C()
for i in range(3): EPS = i
while True: pass
with open("x") as file: pass
np.random.seed(0)
assert False
del np
W2 = open("file").read()
"""


def test_definitions_and_what_they_need_run_and_experiments_do_not():
    found = statements([Cell("a", 1, RUNS), Cell("b", 1, STAYS)])
    assert [s.node.lineno for s in found if s.cell.name == "a" and not s.runs] == []
    assert [s.node.lineno for s in found if s.cell.name == "b" and s.runs] == []
    assert all(s.runs for s in statements([Cell("b", 1, STAYS)], everything=True))


def test_all_that_runs_gives_a_namespace_that_works():
    loaded = run(RUNS)
    assert loaded.notes == []
    assert loaded.namespace["f"](1.0) == pytest.approx(1 - np.pi / 2 + 1e-8 + 0 + 3 + 1)


def test_a_need_that_an_experiment_makes_is_noted():
    loaded = run("import numpy as np", "data = load()\nx = load()", "def f():\n    return data")
    (note,) = loaded.notes
    assert note.startswith("code cell 2, line 1: skipped, but makes or changes what a definition needs: data")


def test_what_makes_a_function_to_be_marked_runs():
    loaded = run("import numpy as np\ndef one(x): return x\nrelu_forward = np.vectorize(one)", wanted=["relu_forward"])
    made, why, kind = loaded.function("relu_forward")
    assert (made(3), why, kind) == (3, "", "")


# --- running ----------------------------------------------------------------------------------------------------------


def test_a_statement_that_fails_is_noted_and_the_next_one_runs():
    loaded = run(
        "import no_such_module\nfrom math import no_such_name\ndef f():\n    return 1", "@nothing\ndef g(): pass"
    )
    assert loaded.namespace["f"]() == 1
    assert [note.split(": ")[:2] for note in loaded.notes] == [
        ["code cell 1, line 1", "ModuleNotFoundError"],
        ["code cell 1, line 2", "ImportError"],
        ["code cell 2, line 2", "NameError"],
    ]
    assert "NameError" in loaded.function("g")[1]


def test_a_cell_that_is_no_python_takes_no_other_with_it():
    loaded = run("def f():\n    return 1", "def g():\n    return 2\nx = = 3", "x = '\0'")
    assert loaded.namespace["f"]() == 1
    assert loaded.notes[0].startswith("code cell 2, line 3: SyntaxError")
    assert len(loaded.notes) == 2
    missing, why, kind = loaded.function("g")
    assert missing is None
    assert why.startswith("g could not be defined: code cell 2, line 3: SyntaxError")
    assert kind == "exception"


def test_with_everything_a_failed_experiment_ends_its_cell_but_for_definitions():
    loaded = run("a = 1\nraise SystemExit\nb = 2\ndef f(): return a", "c = 3", everything=True)
    assert {"a", "f", "c"} <= set(loaded.namespace)
    assert "b" not in loaded.namespace
    assert loaded.notes == ["code cell 1, line 2: SystemExit; the rest of its cell is skipped, but for definitions"]


def test_the_last_definition_counts():
    loaded = run("def f(): return 1", "def f(): return 2", "print(f())")
    assert loaded.function("f")[0]() == 2


def test_future_statements_hold_for_what_follows():
    loaded = run("from __future__ import annotations\n", "def f(x: no_such_name): return x")
    assert loaded.notes == []
    assert run("def f(x: no_such_name): return x").notes != []


def test_only_a_submissions_own_functions_are_its_functions():
    loaded = run(
        "from tinygrad_np.blocks import *\nfrom math import sin\nfrom functools import lru_cache, partial",
        "@lru_cache\ndef a(): return 1\nb = lambda: 2\nc = partial(a)\nd = partial(sin)\nnumber = 5\n"
        "class Call:\n    def __call__(self): return 3\n",
        "import tinygrad_np.blocks as Blocks\ndef mse_forward(p, t): return Blocks.mse_forward(p, t)",
        "def relu_forward(x):\n    def inner(): return ReLU().forward(x)\n    return inner()",
        wanted=["c", "d", "number"],
    )
    assert [loaded.function(name)[0] is not None for name in ("a", "b", "c", "d", "relu_grad_input")] == [
        *(True, True, True, False, False)
    ]
    loaded.namespace["called"] = loaded.namespace["Call"]()
    assert loaded.function("called")[0]() == 3
    assert loaded.function("relu_grad_input")[1].endswith("it comes from Blocks")
    assert loaded.function("number")[1] == "number is no function: it is a int"
    assert loaded.function("nothing")[1] == "the submission does not define it"
    assert loaded.borrowed(loaded.namespace["mse_forward"]) == ["Blocks"]
    assert loaded.borrowed(loaded.namespace["relu_forward"]) == ["ReLU"]
    assert loaded.borrowed(loaded.namespace["a"]) == []


# --- a class ----------------------------------------------------------------------------------------------------------

SMALL = (0, 1, 5, 3, 7, 14, 18, 22, 30, 35, 39, 43, 47)
"""Submissions of each sort: right, wrong, broken, endless, hungry, crashing, ending the process while loaded ..."""


def test_every_verdict_of_a_class_is_right(tmp_path):
    numbers = range(200) if os.environ.get("HYPOTHESIS_PROFILE") == "long" else SMALL
    expected = handed_in.make(tmp_path, numbers)
    marked = list(mark_all(find([tmp_path]), GRADED, Settings(seed=1, seconds=3), jobs=2))
    assert sorted(m.name for m in marked) == sorted(expected)
    assert handed_in.differences(marked, expected) == []


def test_the_right_functions_are_right():
    scope = {"np": np}
    for name in GRADED:
        exec(handed_in.RIGHT[name], scope)
    for name in GRADED:
        assert mark(scope[name], seed=1).passed, name


def test_what_hangs_beyond_python_is_stopped_and_the_rest_is_marked():
    path = write("a.py", f"def mse_forward(a, b):\n    import time\n    time.sleep(10**6)\nimport numpy as np\n{RELU}")
    marked = one(path, ["mse_forward", "relu_forward"], seconds=0.2)
    assert told(marked) == {"mse_forward": "time limit", "relu_forward": "completed"}


def test_what_a_hungry_function_took_is_not_missed_by_the_others():
    hoards = "rows = []\ndef mse_forward(a, b):\n    while True:\n        rows.append(np.zeros(10**6))\n"
    marked = one(write("a.py", f"import numpy as np\n{hoards}{RELU}"), ["mse_forward", "relu_forward"], memory=64)
    assert told(marked) == {"mse_forward": "memory", "relu_forward": "completed"}
    assert marked.results[0].reason.endswith("it may take 64 MB")


def test_what_a_function_raises_is_its_own_fault_and_is_told_in_part():
    raises = (
        "def mse_forward(a, b):\n    raise ValueError('x' * 10**7)\ndef relu_forward(x):\n    raise KeyboardInterrupt\n"
    )
    marked = one(write("a.py", raises), ["mse_forward", "relu_forward"])
    assert told(marked) == {"mse_forward": "exception", "relu_forward": "exception"}
    assert len(marked.results[0].reason) <= 5000


def test_a_submission_that_removes_what_it_finds_is_alone_with_it():
    removes = "def relu_forward(x):\n    import shutil\n    shutil.rmtree('..')\n    return x"
    assert told(one(write("a.py", removes), ["relu_forward", "mse_forward"]))["relu_forward"] != "completed"


def test_a_submission_that_never_loads_is_broken():
    lines = "".join(f"class C{n}:\n    import os\n    os._exit({n})\n" for n in range(8))
    marked = one(write("a.py", f"{RELU}{lines}"))
    assert told(marked) == {"relu_forward": "broken"}
    assert "it could not be loaded (a.py, line 18): its process ended (exit code 5)" in marked.results[0].reason


def gone(pid):
    """Whether a process has ended; it may be waiting for whoever started it to ask."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc to look for processes")
def test_what_a_submission_starts_is_ended_with_it(tmp_path):
    starts = (
        f"    import subprocess, pathlib\n    p = subprocess.Popen(['sleep', '1000'])\n    file = {str(tmp_path)!r}\n"
    )
    starts += "    pathlib.Path(file, 'pid').write_text(str(p.pid))\n    return x_input\n"
    marked = one(write("a.py", handed_in.body("relu_forward", starts)))
    assert told(marked) == {"relu_forward": "wrong"}
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc to look for processes")
def test_who_stops_asking_leaves_no_process_behind(tmp_path):
    write("quick.py", "")
    hangs = f"import os, pathlib, time\npathlib.Path({str(tmp_path)!r}, 'pid').write_text(str(os.getpid()))\n"
    write("slow.py", hangs + "time.sleep(10**6)\n")
    found = mark_all(find([Path("quick.py"), Path("slow.py")]), GRADED, Settings(1, 1000.0, run_all=True), 2)
    assert next(found).name == "quick.py"
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.02)
    found.close()
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc to look for processes")
def test_who_is_killed_leaves_no_process_behind(tmp_path):
    hangs = f"import os, pathlib, time\npathlib.Path({str(tmp_path)!r}, 'pid').write_text(str(os.getpid()))\n"
    write("slow.py", hangs + "time.sleep(10**6)\n")
    marks = "from pathlib import Path\nfrom tinygrad_np.automark.running import *\n"
    marks += "list(mark_all(find([Path('slow.py')]), ['relu_forward'], Settings(1, 1000.0, run_all=True)))"
    with subprocess.Popen([sys.executable, "-c", marks], env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_submission_runs_alone_with_one_thread_and_nobody_to_answer(tmp_path):
    source = (
        "import os, sys\nimport numpy as np\n"
        "def threads(): return os.environ['OPENBLAS_NUM_THREADS'], os.environ['OMP_NUM_THREADS']\n"
        f"def relu_forward(x_input):\n    assert threads() == ('1', '1')\n    assert os.getcwd() != {str(tmp_path)!r}\n"
        "    open('left behind', 'w').write('x')\n    sys.stderr.write(f'{sys.stdin.read() == str()} \\ud800 é')\n"
        "    return np.maximum(x_input, 0)\n"
    )
    write("ann/a.py", source + "def mse_forward(a, b):\n    return input('how much?')\n")
    marked = one(Path("ann"), ["relu_forward", "mse_forward"])
    assert told(marked) == {"relu_forward": "completed", "mse_forward": "exception"}
    assert "input() is answered by nobody" in marked.results[1].reason
    assert "True" in marked.output
    assert "é" in marked.output
    assert [path.name for path in Path("ann").iterdir()] == ["a.py"]


def test_prints_are_kept_in_part():
    marked = one(write("a.py", "print('begin', 'x' * 10**7, 'end')"), run_all=True)
    assert marked.output.startswith("begin x")
    assert marked.output.endswith("x end\n")
    assert len(marked.output) < 10_000
    assert " bytes more ..." in marked.output


def test_nothing_is_recorded_and_blocks_are_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_AUTOMARK_DB", str(tmp_path / "progress.sqlite"))
    source = (
        "import automark\nimport automark as am\nimport tinygrad_np.automark as ours\nfrom automark import *\n"
        "from Blocks import Dense, relu_grad_input\n"
        "for marker in (am, ours):\n"
        "    assert marker.test_student_function('ann', relu_grad_input, ['x_input', 'grad_output']) is None\n"
        "    marker.get_progress('ann')\n    marker.anything_else(1)\n"
        "print('through', Dense(2, 3).W.shape)"
    )
    marked = one(write("a.py", source), ["relu_grad_input"], run_all=True)
    assert marked.notes == ()
    assert marked.output == "through (2, 3)\n"
    assert "it comes from Blocks" in marked.results[0].reason
    assert not (tmp_path / "progress.sqlite").exists()


def test_a_submissions_own_blocks_are_used_but_are_not_its_code():
    write("ann/Blocks.py", "NAME = 'own'\ndef helper(x): return x * (x > 0)\ndef mse_forward(a, b): return 0\n")
    write("ann/numpy.py", "raise SystemExit('hides NumPy')")
    write(
        "ann/week2.py", "from Blocks import *\nimport numpy as np\ndef relu_forward(x_input): return helper(x_input)\n"
    )
    marked = one(Path("ann/week2.py"), ["relu_forward", "mse_forward"])
    assert told(marked) == {"relu_forward": "completed", "mse_forward": "not defined"}
    assert marked.notes == (
        "it imports Blocks, a file beside it",
        "relu_forward uses Blocks, a file beside the submission: look at it",
    )
    assert not (Path("ann") / "__pycache__").exists()


def test_who_calls_our_answers_is_named():
    source = "import Blocks\ndef relu_forward(x_input): return Blocks.relu_forward(x_input)"
    marked = one(write("a.py", source))
    assert marked.notes == ("relu_forward uses Blocks of tinygrad_np: look at it",)


def test_experiments_run_only_when_asked_and_end_at_the_limit():
    source = f"import numpy as np\n{RELU}\nprint('ran')\nwhile True: pass\n"
    path = write("a.ipynb", handed_in.notebook(source, "print('after')", "import os\nos._exit(1)"))
    marked = one(path)
    assert (told(marked), marked.output, marked.notes) == ({"relu_forward": "completed"}, "", ())
    marked = one(path, run_all=True, seconds=1.0)
    assert told(marked) == {"relu_forward": "completed"}
    assert any(note.startswith("a.ipynb, code cell 1, line 6: TimeLimit") for note in marked.notes)
    assert any("code cell 3, line 2: its process ended (exit code 1)" in note for note in marked.notes)


# --- which submissions ------------------------------------------------------------------------------------------------


def test_folders_are_searched_and_companions_left_out():
    for name in (
        "c/ann/a.ipynb",
        "c/ann/Blocks.py",
        "c/ann/automark.py",
        "c/bob.py",
        "c/.hidden/x.py",
        "c/eve/Blocks.py",
    ):
        write(name, "")
    write("c/ann/.ipynb_checkpoints/a-checkpoint.ipynb", "")
    write("c/ann/data.csv", "")
    assert [s.name for s in find([Path("c")])] == ["ann/a.ipynb", "bob.py", "eve/Blocks.py"]
    write("d/bob.py", "")
    twice = find([Path("c/bob.py"), Path("c/bob.py"), Path("d")])
    assert [s.name for s in twice] == ["c/bob.py", "d/bob.py"]


@pytest.mark.parametrize("path", ["nothing.py", "empty", "notes.txt"])
def test_a_path_that_is_no_submission_is_refused(path):
    Path("empty").mkdir()
    write("notes.txt", "")
    with pytest.raises(RangeError, match=f"'{path}'"):
        find([Path(path)])


# --- the command ------------------------------------------------------------------------------------------------------


def typed(*words):
    parser = argparse.ArgumentParser()
    command.add_mark(parser.add_subparsers())
    given = parser.parse_args(["mark", *words])
    given.run(given)


@pytest.fixture
def marked_now(monkeypatch):
    """The names of what was marked, in place of what a file told."""
    names, really = [], running.mark_all

    def counting(submissions, *rest):
        names.extend(s.name for s in submissions)
        return really(submissions, *rest)

    monkeypatch.setattr(running, "mark_all", counting)
    return names


def test_results_are_gone_on_with(capsys, marked_now):
    ann, bob = write("class/ann.py", RELU), write("class/bob.py", RELU.replace("maximum", "minimum"))
    typed("class", "--json", "r.json", "--out", "r.html", "--jobs", "2")
    said = capsys.readouterr()
    seed = json.loads(Path("r.json").read_text())["seed"]
    assert f"seed {seed}" in said.out
    assert f"mark: seed {seed}" in said.err
    assert marked_now == ["ann.py", "bob.py"]
    before = Path("r.json").read_bytes()
    typed("class", "--json", "r.json")
    assert (marked_now.copy(), Path("r.json").read_bytes()) == (["ann.py", "bob.py"], before)
    bob.write_text(f"import numpy as np\n{RELU}")
    ann.write_text(f"import numpy as np\n{RELU}\n")
    marked_now.clear()
    typed("class/bob.py", "class", "--json", "r.json", "--seed", str(seed))
    assert marked_now == ["bob.py", "ann.py"]
    content = json.loads(Path("r.json").read_text())
    assert [(s["name"], s["passed"], s["of"]) for s in content["submissions"]] == [("bob.py", 1, 18), ("ann.py", 1, 18)]
    assert {r["function"]: r["verdict"] for r in content["submissions"][0]["results"]}["relu_forward"] == "completed"
    marked_now.clear()
    typed("class/ann.py", "--json", "r.json", "--seed", "5")
    assert marked_now == ["ann.py"]
    marked_now.clear()
    typed("class/ann.py", "--json", "r.json", "--seconds", "3")
    assert marked_now == ["ann.py"]


def test_an_interrupted_run_keeps_what_it_had(monkeypatch, capsys, marked_now):
    write("class/ann.py", RELU)
    write("class/bob.py", RELU)
    really = running.write

    def interrupted(path, *rest):
        really(path, *rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        typed("class", "--json", "r.json", "--jobs", "1")
    monkeypatch.setattr(running, "write", really)
    assert len(json.loads(Path("r.json").read_text())["submissions"]) == 1
    marked_now.clear()
    typed("class", "--json", "r.json", "--out", "r.html")
    assert marked_now == ["bob.py"]
    assert "ann.py" in Path("r.html").read_text().replace("<wbr>", "")


def test_the_same_seed_gives_the_same_cases(capsys):
    write("ann.py", "import numpy as np\n" + RELU.replace("maximum", "minimum"))
    reasons = []
    for _ in range(2):
        typed("ann.py", "--json", "r.json", "--seed", "5")
        (submission,) = json.loads(Path("r.json").read_text())["submissions"]
        reasons.append([r["reason"] for r in submission["results"]])
        Path("r.json").unlink()
    assert reasons[0] == reasons[1]


def test_the_commonest_mistakes_are_told(capsys):
    wrong = "import numpy as np\n" + handed_in.RIGHT["mse_forward"].replace("(2 * len(target_pred))", "2")
    write("ann.py", wrong)
    write("bob.py", wrong)
    typed("ann.py", "bob.py", "--seed", "5")
    out = capsys.readouterr().out
    assert "ann.py      0 of 18" in out
    assert "mse_forward  not divided by how many there are" in out


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"what": "x"}', '{"what": "tinygrad_np mark", "submissions": 1}'])
def test_another_file_is_never_replaced_by_results(content):
    write("ann.py", "")
    path = write("r.json", content)
    with pytest.raises(FileFormatError, match=r"'r\.json'"):
        typed("ann.py", "--json", "r.json")
    assert path.read_text() == content


@pytest.mark.parametrize(
    "words",
    [
        ["--out", "no/such/folder.html"],
        ["--json", "."],
    ],
)
def test_files_that_cannot_be_written_are_refused_before_marking(words):
    write("ann.py", "")
    with pytest.raises(RangeError, match=words[0]):
        typed("ann.py", *words)


@pytest.mark.parametrize(
    "words", [["--seed", "-1"], ["--jobs", "0"], ["--seconds", "nan"], ["--memory", "x"], ["--see", "1"]]
)
def test_misspelt_options_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stop:
        typed("ann.py", *words)
    assert stop.value.code == 2


# --- a teacher's own functions ----------------------------------------------------------------------------------------

ASSIGNMENT = """
from tinygrad_np.automark.assignments import function

def pair(rng):
    shape = rng.integers(1, 7, 2)
    return rng.normal(size=shape), rng.normal(size=shape)

@function(x=lambda rng: rng.normal(size=rng.integers(1, 7, 2)))
def square_forward(x):
    return x**2

@function(pair, gradient_of=square_forward, by="x", g="grad_output")
def square_grad(x, grad_output):
    return 2 * x * grad_output
"""


def test_functions_are_declared_by_a_reference_alone(capsys):
    write("assignment.py", ASSIGNMENT)
    write(
        "ann.py",
        "def square_forward(x):\n    return x * x\ndef square_grad(x, grad_output):\n    return x * grad_output",
    )
    typed("ann.py", "--assignment", "assignment.py", "--json", "r.json", "--seed", "1")
    (submission,) = json.loads(Path("r.json").read_text())["submissions"]
    found = {r["function"]: r for r in submission["results"]}
    assert len(found) == 20
    assert found["square_forward"]["passed"]
    assert (found["square_grad"]["kind"], found["square_grad"]["verdict"]) == ("factor 1/2", "wrong")
    assert list(tasks_of(write("own.py", ASSIGNMENT + "COURSE = False"))) == ["square_forward", "square_grad"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = ", "SyntaxError: invalid syntax (assignment.py, line 1)"),
        ("import no_such_module", "line 1: ModuleNotFoundError"),
        ("x = 1", "got none"),
        (f"{ASSIGNMENT}\n@function(lambda rng: 1)\ndef f(x): return x", "as a tuple, got a int"),
        (f"{ASSIGNMENT}\n@function(lambda rng: (1, 2))\ndef f(x): return x", "1 arguments as a tuple, got 2 of them"),
        (f"{ASSIGNMENT}\n@function(x=lambda rng: 0)\ndef f(x): return 1 / x", "line 17: ZeroDivisionError"),
    ],
)
def test_an_assignment_that_does_not_hold_is_refused_with_its_line(source, words):
    with pytest.raises(FileFormatError, match=r"'assignment\.py'") as error:
        tasks_of(write("assignment.py", source))
    assert words in str(error.value)


def test_declarations_that_do_not_fit_are_refused():
    def f(x, g):
        return x

    for wrong in (function(), function(x=abs), function(abs, x=abs, g=abs)):
        with pytest.raises(ArgumentError, match="one callable that draws all arguments of f, or one for each of x, g"):
            wrong(f)
    for by, g in ((None, "g"), ("y", "g"), ("x", "h")):
        with pytest.raises(ArgumentError, match="expected f's by="):
            function(abs, gradient_of=f, by=by, g=g)(f)


def test_a_worker_that_does_not_start_says_so(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false" if Path("/bin/false").exists() else sys.executable)
    if sys.executable != "/bin/false":
        pytest.skip("no command that fails")
    assert "its process ended (exit code 1)" in one(write("a.py", RELU)).results[0].reason

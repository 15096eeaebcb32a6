"""How a submission is loaded: what its lines are, what runs of it, and why a function of it is not there."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import handed_in
from tinygrad_np.automark.cells import Cell, cells
from tinygrad_np.automark.loading import Loaded, load
from tinygrad_np.automark.running import Settings, find, mark_all, verdict
from tinygrad_np.automark.statements import statements
from tinygrad_np.automark.worker import Shared

RELU = handed_in.RIGHT["relu_forward"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, content):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8", newline="")
    return path


def run(*sources, everything=False, wanted=("relu_forward",), skip=()):
    """A submission of some cells, loaded."""
    found = [Cell(f"cell {number}", 1, source) for number, source in enumerate(sources, 1)]
    loaded = Loaded({"__name__": "__main__"}, found)
    load(loaded, statements(found, everything, wanted), skip=skip)
    return loaded


def why(*sources, **options):
    """Why there is no relu_forward, and the kind of result that this is."""
    function, reason, kind = run(*sources, **options).function("relu_forward")
    assert function is None
    return reason, kind


def marked(path, *names, run_all=False):
    (one,) = mark_all(find([path]), names or ["relu_forward"], Settings(1, 5.0, run_all=run_all))
    return one


def told(one):
    return {result.function: verdict(result) for result in one.results}


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_pythons_ends_of_lines_end_a_line(mark):
    source = f"# a{mark}  b\nTEXT = 'c{mark}  d'\ndef relu_forward(x): return TEXT\n"
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": source}]})
    for path in (write("a.py", source), write("a.ipynb", notebook)):
        (cell,) = cells(path)
        loaded = run(cell.source)
        assert loaded.notes == []
        assert loaded.function("relu_forward")[0](1) == f"c{mark}  d"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_each_of_pythons_ends_of_lines_ends_one(end):
    loaded = run(end.join(["%matplotlib inline", "def f():", "    return 1", "x = = 1"]))
    assert loaded.notes == ["cell 1, line 4: SyntaxError: invalid syntax; nothing around it counts"]


def test_an_indented_cell_is_dedented_as_in_a_notebook():
    source = "\n    # ReLU\n    def relu_forward(x):\n        return x\n\n    %time relu_forward(1)\n    x = 1\n"
    (cell,) = cells(write("a.ipynb", handed_in.notebook(source)))
    assert cell.source == "\n# ReLU\ndef relu_forward(x):\n    return x\n\n%time relu_forward(1)\nx = 1\n"
    assert run(cell.source).notes == []
    (cell,) = cells(write("a.py", "    x = 1"))
    assert cell.source == "    x = 1"


# --- why a function is not there --------------------------------------------------------------------------------------


def test_a_definition_in_a_cell_that_is_no_python_is_a_mistake():
    good, bad = "def relu_forward(x): return x", "def relu_forward(x):\n    return (x 0)\ndef f(): pass"
    reason, kind = why("import no_such_module", good.replace("relu", "other"), bad)
    assert reason.startswith("relu_forward could not be defined: cell 3, line 2: SyntaxError: ")
    assert reason.endswith("; nothing around it counts")
    assert kind == "exception"
    assert why("from tinygrad_np.blocks import *", bad) == (reason.replace("cell 3", "cell 2"), "exception")
    assert run(good, bad).function("relu_forward")[0] is not None
    assert run(bad, good).function("relu_forward")[0] is not None


def test_a_definition_that_fails_is_a_mistake_and_has_its_own_error():
    reason, kind = why("import no_such_module\nimport nor_this", "@nothing\ndef relu_forward(x): return x")
    assert reason == "relu_forward could not be defined: cell 2, line 2: NameError: name 'nothing' is not defined"
    assert kind == "exception"
    reason, kind = why("relu_forward = sorted(1)")
    assert reason.endswith("cell 1, line 1: TypeError: 'int' object is not iterable")
    assert kind == "exception"


def test_what_a_failed_import_was_for_is_said():
    reason, _ = why("from no_such.module import jit", "@jit\ndef relu_forward(x): return x")
    assert reason.endswith(
        "(jit could not be imported: no_such is neither installed here nor a file beside the submission)"
    )
    reason, kind = why("from math import relu_forward")
    assert reason.startswith("relu_forward could not be imported: cell 1, line 1: ImportError: cannot import name")
    assert kind == "not defined"


def test_what_overwrites_a_definition_is_named():
    own, ours = "def relu_forward(x): return x", "from tinygrad_np.blocks import *"
    text = "relu_forward is overwritten by `from tinygrad_np.blocks import *` (cell 2, line 1)"
    assert why(own, ours) == (text, "not defined")
    assert why(own, "relu_forward = 5")[0] == "relu_forward is overwritten by `relu_forward = 5` (cell 2, line 1)"
    assert run(own, ours, own).function("relu_forward")[0] is not None
    assert why(ours) == ("it is not defined in the submission itself: it comes from Blocks", "not defined")


@pytest.mark.parametrize(
    "source",
    [
        "relu_forward = outer()",
        "for _ in [1]:\n    def relu_forward(x): return x",
        "import x\nif x.y(): relu_forward = abs",
    ],
)
def test_what_is_made_by_a_statement_that_is_skipped_is_said(source):
    reason, kind = why("from tinygrad_np.blocks import *", source)
    line = source.count("\n") + 1 if source.startswith("import") else 1
    text = f"relu_forward is made or changed by a statement that was skipped (cell 2, line {line}): --run-all runs it"
    assert (reason, kind) == (text, "not defined")


def test_what_is_written_into_a_file_is_not_run_and_that_is_said():
    writes = "\n%%writefile Blocks.py\ndef relu_forward(x):\n    return x"
    reason, kind = why(writes, "from tinygrad_np.blocks import *")
    assert (reason, kind) == (
        "relu_forward could not be defined: cell 1, line 1: a cell of %%writefile Blocks.py does not run",
        "not defined",
    )
    assert run("%%bash\nls").notes == []


def test_a_statement_that_ended_the_process_is_named():
    reason, _ = why("relu_forward = abs", skip=[0])
    assert reason == "relu_forward could not be defined: cell 1, line 1 did not run, as it ended the process"


@pytest.mark.parametrize("test", ["__name__ == '__main__'", '("__main__" == __name__)'])
def test_definitions_in_the_main_block_count_and_its_experiments_do_not(test):
    main = "    def relu_forward(x): return x + STEP\n    STEP = 1\n    print(relu_forward(1))\n    experiment()\n"
    loaded = run(f"if {test}:\n{main}")
    assert loaded.notes == []
    assert loaded.function("relu_forward")[0](1) == 2


# --- what a function needs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "TABLE.update(a=-1)",
        "for i in range(3):\n    TABLE[i] = i",
        "for i in range(3):\n    TABLE['x'].append(i)",
        "with open('x') as file:\n    TABLE = file.read()",
        "if unknown(): TABLE = {}",
        "def other(): pass\nother()\nTABLE = other()",
    ],
)
def test_a_skipped_statement_that_changes_what_a_definition_needs_is_noted_and_repeated(source):
    loaded = run("TABLE = {}", source, "def relu_forward(x): return TABLE")
    line = 3 if source.startswith("def") else 1
    (note,) = loaded.notes
    assert note == f"cell 2, line {line}: skipped, but makes or changes what a definition needs: TABLE (see --run-all)"
    (said,) = loaded.lacking(loaded.namespace["relu_forward"], "got 1")
    assert said.startswith("TABLE, which it uses, is made or changed by a statement that was skipped (cell 2, line ")


def test_statements_that_change_nothing_are_not_noted():
    loaded = run(
        "import numpy as np\nW = np.ones(3)\ndef relu_forward(x): return np.sum(W)",
        "np.random.seed(0)\nprint(W.sum())\nfor x in range(3):\n    print(W, [W for W in 'ab'])\nf(W)\ndel W",
    )
    assert loaded.notes == []


def test_after_a_failed_experiment_its_cell_says_that_the_rest_is_skipped():
    loaded = run(
        "EPS = 1\n1 / 0\nprint()\nSTEP = 2\ndef relu_forward(x): return STEP\nx = print()", "1 / 0", everything=True
    )
    assert loaded.notes == [
        "cell 1, line 2: ZeroDivisionError: division by zero; the rest of its cell is skipped, but for definitions",
        "cell 2, line 1: ZeroDivisionError: division by zero",
    ]
    assert loaded.function("relu_forward")[0](1) == 2
    assert "x" not in loaded.namespace


def test_a_name_that_is_missing_is_told_where_it_matters():
    source = "from no_such import lost\ndef helper(x): return lost(x)\ndef relu_forward(x): return helper(x)"
    loaded = run(source)
    function, text = (
        loaded.function("relu_forward")[0],
        "lost, which it uses, could not be imported: no_such is neither",
    )
    (line,) = loaded.lacking(function, "NameError: name 'lost' is not defined")
    assert line.startswith(text)
    assert loaded.lacking(function, "expected 1, got 2") == []
    (line,) = loaded.lacking(function, "ModuleNotFoundError: No module named 'no.other'")
    assert line == "no.other is neither installed here nor a file beside the submission"
    loaded = run(source, "lost = abs")
    assert loaded.lacking(loaded.function("relu_forward")[0], "expected 1, got 2") == []


def test_a_module_that_is_not_installed_is_told_in_the_reason_and_noted():
    source = (
        "from no_such import lost\ndef relu_forward(x): return lost(x)\ndef mse_forward(p, t): import no_such.too\n"
    )
    one = marked(write("a.py", source), "relu_forward", "mse_forward")
    assert told(one) == {"relu_forward": "exception", "mse_forward": "exception"}
    first, second = (result.reason.splitlines()[-1] for result in one.results)
    assert first.startswith("  lost, which it uses, could not be imported: no_such is neither installed here")
    assert second == "  no_such is neither installed here nor a file beside the submission"
    assert one.notes == (
        "a.py, line 1: ModuleNotFoundError: No module named 'no_such'",
        "mse_forward: ModuleNotFoundError: No module named 'no_such'",
    )


# --- whose work it is -------------------------------------------------------------------------------------------------

HEAD = "import tinygrad_np.blocks as Blocks\nfrom tinygrad_np.blocks import ReLU, hinge_forward as taken\n"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def helper(x): return Blocks.relu_forward(x)\ndef relu_forward(x): return helper(x)", ["Blocks"]),
        ("def relu_forward(x, f=taken): return f(x)", ["hinge_forward"]),
        ("def relu_forward(x, *, f=taken): return f(x)", ["hinge_forward"]),
        ("def relu_forward(x):\n    import tinygrad_np.blocks\n    return x", ["tinygrad_np.blocks"]),
        ("class N:\n    def f(self, x): return taken(x)\ndef relu_forward(x): return N().f(x)", ["taken"]),
        ("class N(ReLU): pass\ndef relu_forward(x): return N()(x)", ["ReLU"]),
        ("class N:\n    f = taken\ndef relu_forward(x): return N().f(x)", ["N.f"]),
        ("class N:\n    @property\n    def f(self): return taken\ndef relu_forward(x): return N().f(x)", ["taken"]),
        ("class N:\n    def __call__(self, x): return taken(x)\nn = N()\ndef relu_forward(x): return n(x)", ["taken"]),
        (
            "def made(f):\n    def relu_forward(x): return f(x)\n    return relu_forward\nrelu_forward = made(taken)",
            ["hinge_forward"],
        ),
        ("def other(): return Blocks\ndef relu_forward(x): return relu_forward(x.Blocks)", []),
    ],
)
def test_what_is_taken_from_us_is_found_through_helpers(source, names):
    loaded = run(HEAD + source, everything=True)
    assert loaded.notes == []
    assert loaded.borrowed(loaded.function("relu_forward")[0]) == names


def test_things_that_raise_when_they_are_looked_at_do_no_harm():
    odd = "class Odd(dict):\n    __getattr__ = dict.__getitem__\n    def __call__(self): pass\nODD = Odd()\n"
    one = marked(write("a.py", f"import numpy as np\n{odd}" + RELU.replace("):", "):\n    ODD")), run_all=True)
    assert (told(one), one.notes) == ({"relu_forward": "completed"}, ())


def test_files_beside_a_submission_are_named():
    write("ann/bom.py", RELU.replace("def", "import numpy as np\ndef"))
    write("ann/pack/__init__.py", "from bom import relu_forward as deep\n")
    write("ann/unused.py", "")
    source = "import bom\nimport pack\nimport json\nfrom bom import relu_forward as theirs\n"
    source += "def relu_forward(x_input): return theirs(x_input)\ndef mse_forward(p, t): return 0\n"
    one = marked(write("ann/a.py", source), "relu_forward", "mse_forward")
    assert told(one) == {"relu_forward": "completed", "mse_forward": "wrong"}
    assert one.notes == (
        "it imports bom, a file beside it",
        "it imports pack, a file beside it",
        "relu_forward uses bom, a file beside the submission: look at it",
    )


# --- what it shares with the marker -----------------------------------------------------------------------------------


def test_what_a_submission_does_to_numpy_is_undone_and_noted():
    source = (
        "import numpy as np\nimport Blocks\nnp.sum = np.asarray = lambda *a, **k: 0\nnp.linalg.norm = lambda x: 0\n"
    )
    source += "Blocks.relu_forward = lambda x: x\n"
    source += f"np.seterr(all='raise')\n{RELU}{handed_in.RIGHT['mse_forward']}"
    one = marked(write("a.py", source), "relu_forward", "mse_forward", run_all=True)
    assert told(one) == {"relu_forward": "completed", "mse_forward": "completed"}
    changed = ("numpy.asarray", "numpy.sum", "numpy.linalg.norm", "tinygrad_np.blocks.relu_forward")
    assert one.notes == tuple(f"it changes {name}" for name in changed)


def test_numpys_settings_are_put_back_in_silence():
    settings = np.geterr(), np.get_printoptions()
    shared = Shared()
    np.seterr(all="raise")
    np.set_printoptions(precision=1, threshold=1, sign="+")
    assert shared.restore() == []
    assert (np.geterr(), np.get_printoptions()) == settings


def test_a_function_that_changes_numpy_is_alone_with_it():
    patches = handed_in.body("mse_forward", "    np.asarray = np.abs = lambda *a, **k: 0\n    return 0.0\n")
    one = marked(write("a.py", f"import numpy as np\n{patches}{RELU}"), "mse_forward", "relu_forward")
    assert told(one) == {"mse_forward": "exception", "relu_forward": "completed"}
    assert one.results[0].reason == "  while it is marked, numpy.abs, numpy.asarray is changed: its values say nothing"


# --- what is told -----------------------------------------------------------------------------------------------------


def test_reasons_are_indented_alike():
    source = "x = = 1\ndef relu_forward(x): return x"
    one = marked(write("a.py", source), "relu_forward", "mse_forward")
    assert told(one) == {"relu_forward": "exception", "mse_forward": "not defined"}
    for result in one.results:
        assert all(line.startswith("  ") and line[2] != " " for line in result.reason.splitlines())


def test_an_empty_file_is_told_alike_whatever_its_name():
    write("a.py", "")
    write("b.ipynb", "")
    for name in ("a.py", "b.ipynb"):
        one = marked(Path(name))
        assert told(one) == {"relu_forward": "broken"}
        assert "got an empty file" in one.results[0].reason


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are any bytes")
def test_halves_of_characters_are_replaced():
    path = Path(os.fsdecode(b"Zo\xeb.py"))
    path.write_text("import no_such\ndef relu_forward(x): raise ValueError('\\udceb')")
    one = marked(path)
    assert "Zo?.py" in one.notes[0]
    for text in (*one.notes, one.results[0].reason):
        assert text.encode()
    assert "ValueError: ?" in one.results[0].reason

"""A class marked in several runs: nothing of the teacher's is overwritten, no result is lost, none is out of date."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tinygrad_np import cli
from tinygrad_np.automark import command, report, running
from tinygrad_np.automark.results import Result
from tinygrad_np.automark.running import Marked, Settings, Submission, find, key_of, mark_all
from tinygrad_np.errors import FileFormatError, RangeError

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def asked(monkeypatch):
    """The names of what was marked. Submissions say what comes of them: "# kind: broken", "# note: line 1: ..."."""
    names = []

    def at_once(submissions, _names, settings, _jobs):
        for submission in submissions:
            names.append(submission.name)
            said = [line[2:].split(": ", 1) for line in submission.path.read_text().splitlines() if ": " in line]
            kinds = [text for what, text in said if what == "kind"] or [""]
            results = (Result(f"f{i}", not k, "", k, 1, settings.seed) for i, k in enumerate(kinds))
            notes = tuple(text for what, text in said if what == "note")
            yield Marked(submission.name, submission.file, key_of(submission, settings), tuple(results), notes)

    monkeypatch.setattr(running, "mark_all", at_once)
    return names


def write(name, content=""):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def typed(*words):
    parser = argparse.ArgumentParser()
    command.add_mark(parser.add_subparsers())
    given = parser.parse_args(["mark", *words])
    given.run(given)


def stored(path="r.json"):
    return [(s["name"], s["file"]) for s in json.loads(Path(path).read_text())["submissions"]]


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["ann.py", "Blocks.py", "assignment.py", "r.json", "notes.txt", "empty.html", "new.x"])
def test_a_report_replaces_nothing_but_a_report(out, asked):
    write("ann.py", f"# {report.GENERATOR}\n")
    write("Blocks.py", "import numpy as np\n")
    functions = "from tinygrad_np.automark.assignments import function\n"
    write("assignment.py", functions + "@function(x=lambda rng: rng.normal(size=3))\ndef half(x):\n    return x / 2\n")
    write("notes.txt", "notes")
    write("empty.html")
    typed("ann.py", "--json", "r.json")
    asked.clear()
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    results = "new.x" if out == "new.x" else "r.json"
    with pytest.raises(RangeError, match=rf"--out.*'{out}'"):
        typed("ann.py", "--json", results, "--assignment", "assignment.py", "--out", out, "--again")
    assert asked == []
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


def test_a_report_is_replaced_by_the_next(asked):
    write("ann.py")
    typed("ann.py", "--out", "r.html")
    typed("ann.py", "--out", "r.html")
    assert Path("r.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_are_refused_and_in_folders_left_out(asked):
    write("class/ann.py", "import pipe\n")
    os.mkfifo("class/pipe.py")
    assert [submission.name for submission in find([Path("class")])] == ["ann.py"]
    with pytest.raises(RangeError, match=r"got 'class/pipe\.py': a pipe or a device"):
        typed("class/pipe.py")
    for flag in ("--out", "--json", "--assignment"):
        with pytest.raises(RangeError, match=f"{flag} to be a file, got 'class/pipe.py': .* a pipe"):
            typed("class", flag, "class/pipe.py")
    typed("class", "--json", "r.json")  # reads nothing from the pipe beside it
    assert asked == ["ann.py"]


# --- what is stored ---------------------------------------------------------------------------------------------------


def test_results_of_other_submissions_stay(asked, capsys):
    for name in ("a/ann.py", "a/bob.py", "b/ann.py"):
        write(name)
    typed("a", "--json", "r.json", "--seed", "1")
    typed("b", "--json", "r.json", "--out", "r.html", "--seed", "2")
    assert stored() == [("ann.py", "b/ann.py"), ("ann.py", "a/ann.py"), ("bob.py", "a/bob.py")]
    assert capsys.readouterr().out.count("bob.py") == 1  # not after the second run, which is of one submission
    assert "bob" not in Path("r.html").read_text()
    asked.clear()
    typed("a", "b", "--json", "r.json", "--seed", "1")  # of b there are results of other cases only
    assert asked == ["b/ann.py"]
    assert stored() == [("a/ann.py", "a/ann.py"), ("a/bob.py", "a/bob.py"), ("b/ann.py", "b/ann.py")]


def test_an_interrupted_run_loses_no_earlier_result(asked, monkeypatch, capsys):
    write("class/ann.py")
    write("class/bob.py")
    typed("class", "--json", "r.json", "--seed", "1")
    really = running.write

    def interrupted(*told):
        really(*told)
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "write", interrupted)
    for words, told in (
        (["--json", "r.json", "--seed", "2"], "1 of 2 submissions are marked; the same command goes on"),
        (["--json", "r.json", "--again"], "1 of 2 submissions are marked; of the others the earlier results are kept"),
    ):
        with pytest.raises(KeyboardInterrupt):
            typed("class", *words)
        assert told in capsys.readouterr().err
        assert [name for name, _ in stored()] == ["ann.py", "bob.py"]


def test_two_runs_at_once_lose_no_result(asked, monkeypatch):
    write("ann.py")
    write("bob.py")
    once = running.mark_all

    def beside_another(*told):
        monkeypatch.setattr(running, "mark_all", once)
        typed("bob.py", "--json", "r.json", "--seed", "1")
        return once(*told)

    monkeypatch.setattr(running, "mark_all", beside_another)
    typed("ann.py", "--json", "r.json", "--seed", "1")
    assert [name for name, _ in stored()] == ["ann.py", "bob.py"]


@pytest.mark.parametrize("flag", ["--out", "--json"])
def test_a_file_that_comes_while_marking_goes_on_is_not_replaced(asked, monkeypatch, flag):
    write("ann.py")
    once = running.mark_all

    def meanwhile(*told):
        write("mine", "mine")
        return once(*told)

    monkeypatch.setattr(running, "mark_all", meanwhile)
    with pytest.raises((RangeError, FileFormatError), match="mine"):
        typed("ann.py", flag, "mine")
    assert Path("mine").read_text() == "mine"


def test_a_module_beside_the_assignment_counts(asked):
    write("ann.py")
    write("task/helps.py", "K = 2")
    head = "from helps import K\nfrom tinygrad_np.automark.assignments import function\n"
    write("task/week.py", f"{head}@function(x=lambda rng: rng.normal(size=3))\ndef f(x): return K * x\n")
    words = ["ann.py", "--json", "r.json", "--assignment", "task/week.py"]
    typed(*words)
    typed(*words)
    write("task/helps.py", "K = 3")
    typed(*words)
    assert asked == ["ann.py", "ann.py"]


def test_results_move_with_their_submissions(asked, monkeypatch):
    write("here/class/ann.py")
    typed("here/class", "--json", "here/r.json")
    Path("here").rename("there")
    monkeypatch.chdir("there/class")
    typed("ann.py", "--json", "../r.json")
    assert asked == ["ann.py"]
    assert stored("../r.json") == [("ann.py", "class/ann.py")]


def test_names_that_no_encoding_has_can_be_stored(asked):
    name = "Zo\udceb.py"
    try:
        write(name)
    except (OSError, UnicodeError):
        pytest.skip("no such names here")
    for _ in range(2):
        typed(name, "--json", "r.json", "--out", "r.html")
    assert len(asked) == 1
    assert stored() == [("Zo\\udceb.py", "Zo\\udceb.py")]


def test_again_marks_what_is_stored(asked):
    write("ann.py")
    typed("ann.py", "--json", "r.json")
    typed("ann.py", "--json", "r.json")
    assert asked == ["ann.py"]
    typed("ann.py", "--json", "r.json", "--again")
    assert asked == ["ann.py", "ann.py"]


def test_what_failed_for_a_missing_module_is_marked_again(asked, capsys):
    missing = "# note: ann.py, line 1: ModuleNotFoundError: No module named 'no_such'\n"
    write("ann.py", missing + missing.replace("no_such", "nor_this"))
    write("bob.py", missing)
    write("cyd.py")
    for _ in range(2):
        typed("ann.py", "bob.py", "cyd.py", "--json", "r.json")
    assert asked == ["ann.py", "bob.py", "cyd.py", "ann.py", "bob.py"]
    assert capsys.readouterr().out.count("\nnot installed here: no_such, nor_this\n") == 2


def test_results_depend_on_the_modules_beside_a_submission():
    write("ann.ipynb", '{"cells": [{"cell_type": "code", "source": "from first import *"}]}')
    with suppress(OSError):  # where there are links, they change nothing
        write("links/x").with_name("ann.ipynb").symlink_to("../ann.ipynb")
    write("first.py", "import second")
    for name in ("second.py", "other.py"):
        write(name)
    link = Path("links/ann.ipynb")
    ann = Submission("ann.ipynb", link if link.exists() else Path("ann.ipynb"))
    keys = [key_of(ann, Settings(1))]
    for name, changes in (("other.py", 0), ("second.py", 1), ("first.py", 1), ("ann.ipynb", 1)):
        Path(name).write_text(Path(name).read_text() + "  ")
        keys.append(key_of(ann, Settings(1)))
        assert (keys[-2] != keys[-1]) == changes, name


def test_results_depend_on_the_versions(monkeypatch):
    marker = running._marker.__wrapped__
    before = marker()
    monkeypatch.setattr(np, "__version__", "0.0")
    assert marker() != before
    monkeypatch.undo()
    assert marker() == before
    monkeypatch.setattr(sys, "version", "0.0")
    assert marker() != before


@pytest.mark.parametrize("seed", ["-5", "1.5", '"1"', "null"])
def test_a_seed_that_can_be_none_is_refused(seed):
    write("ann.py")
    write("r.json", f'{{"what": "tinygrad_np mark", "seed": {seed}, "submissions": []}}')
    with pytest.raises(FileFormatError, match=r"its seed is .*, not an integer of at least 0"):
        typed("ann.py", "--json", "r.json")


# --- which submissions ------------------------------------------------------------------------------------------------


def test_names_are_unique():
    for name in ("X/a/same.py", "a/same.py", "b/same.py"):
        write(name)
    found = find([Path("X"), Path("a/same.py"), Path("b/same.py")])
    assert [submission.name for submission in found] == ["X/a/same.py", "a/same.py", "b/same.py"]


def test_a_file_and_a_link_to_it_are_one_submission():
    write("class/ok.py")
    try:
        Path("class/link.py").symlink_to("ok.py")
    except OSError:
        pytest.skip("no links here")
    assert [submission.name for submission in find([Path("class")])] == ["ok.py"]
    assert [submission.name for submission in find([Path("class/link.py")])] == ["link.py"]


def test_folders_with_programs_of_others_are_not_entered():
    write("class/ann/a.py")
    for folder in ("venv", ".venv", "site-packages", "__pycache__", "node_modules", ".git", ".ipynb_checkpoints"):
        write(f"class/{folder}/deep/x.py")
    assert [submission.name for submission in find([Path("class")])] == ["ann/a.py"]


def test_a_name_may_begin_with_a_dash_but_not_be_empty(asked, capsys):
    write("-ann.py")
    assert cli.main(["mark", "--seed", "1", "--", "-ann.py"]) == 0
    assert asked == ["-ann.py"]
    for words in (["mark", ""], ["mark", "-ann.py"], ["mark", "--json", "", "--", "-ann.py"]):
        with pytest.raises(SystemExit):
            cli.main(words)
    assert "expected a file or folder, got ''" in capsys.readouterr().err


def test_no_system_has_so_much_memory(capsys):
    with pytest.raises(SystemExit):
        typed("ann.py", "--memory", "9223372036854775807")
    assert "expected an integer of at least 16 and less than 1e+09" in capsys.readouterr().err


# --- what is said -----------------------------------------------------------------------------------------------------


def test_what_says_nothing_of_a_student_is_told_apart_from_a_zero(asked, capsys):
    write("ann.py", "# kind: value\n")
    write("bob.py", "# kind: broken\n# kind: broken\n")
    write("cyd.py", "# kind: not marked\n# kind: broken\n# kind: value\n")
    typed("ann.py", "bob.py", "cyd.py")
    assert capsys.readouterr().out.splitlines()[1:4] == [
        "ann.py      0 of 1",
        "bob.py      0 of 2 (broken)",
        "cyd.py      0 of 3 (broken: 1, not marked: 1)",
    ]


def test_who_uses_what_is_not_their_own_is_named(asked, capsys):
    for number in range(7):
        write(f"class/{number}.py", "# note: f0 uses Blocks of tinygrad_np: look at it\n")
    write("class/x.py", "# note: x.py, line 1: it imports first, a module beside it\n")
    typed("class")
    told = "look at these, which use functions that are not their own: 0.py, 1.py, 2.py, 3.py, 4.py and 2 more\n"
    assert f"\n{told}" in capsys.readouterr().out


@pytest.mark.parametrize("without", [True, False])
def test_where_no_bar_is_drawn_at_most_ten_lines_tell_how_far_it_is(without, monkeypatch, capsys):
    if without:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(command.bar("things", iter(range(25)), 25)) == list(range(25))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert (lines[0], lines[-1]) == ("things: 3 of 25", "things: 25 of 25")


# --- how it ends ------------------------------------------------------------------------------------------------------


def awaited(path):
    """What a file holds, once it holds something."""
    for _ in range(3000):
        with suppress(OSError):
            if text := path.read_text():
                return text
        time.sleep(0.02)
    raise AssertionError(f"nothing comes into {path}")


def gone(number):
    """Whether a process has ended; it may be waiting for whoever started it to ask."""
    for _ in range(500):
        try:
            if Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs signals as of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_who_ends_it_finds_nothing_left_behind(name, tmp_path):
    hangs = f"import pathlib, time\npathlib.Path({str(tmp_path)!r}, 'begun').write_text('x')\ntime.sleep(10**6)\n"
    write("slow.py", hangs)
    Path("temporary").mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")}
    words = [sys.executable, "-m", "tinygrad_np", "mark", "slow.py", "--run-all", "--seconds", "1000"]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        awaited(tmp_path / "begun")
        assert list(Path("temporary").iterdir()) != []
        process.send_signal(getattr(signal, name))
        _, said = process.communicate()
    assert process.returncode == 130
    assert "mark: 0 of 1 submissions are marked; with --json FILE it could be gone on with\n" in said
    assert list(Path("temporary").iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs signals as of POSIX")
def test_signals_are_as_they_were_afterwards(asked, monkeypatch):
    write("ann.py")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    during, write_as_ever = [], running.write

    def looking(*told):
        during.append([signal.getsignal(number) for number in before])
        write_as_ever(*told)

    monkeypatch.setattr(running, "write", looking)
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        typed("ann.py", "--json", "r.json")
        assert during[0] == [signal.default_int_handler, signal.SIG_IGN]
        assert [signal.getsignal(number) for number in before] == [signal.SIG_DFL, signal.SIG_IGN]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc to look for processes")
def test_what_leaves_the_group_is_ended_too(tmp_path):
    starts = (
        "import pathlib, subprocess\n"
        "def relu_forward(x):\n"
        f"    number = pathlib.Path({str(tmp_path)!r}, 'number')\n"
        "    if not number.exists():\n"
        "        number.write_text(str(subprocess.Popen(['sleep', '1000'], start_new_session=True).pid))\n"
    )
    write("ann.py", starts)
    list(mark_all(find([Path("ann.py")]), ["relu_forward"], Settings(1)))
    number = int(awaited(tmp_path / "number"))
    try:
        assert gone(number)
    finally:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)

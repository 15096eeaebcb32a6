"""The benchmarks compare contenders that compute the same thing, and refuse to compare any others."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_np as tg
from benchmarks import THREADS, networks, peers, sweeps
from benchmarks.__main__ import main
from benchmarks.chains import chain, chain_of
from benchmarks.networks import ExpertNetwork, StudentNetwork, full_batch, small_batch
from benchmarks.ours import OurGradients, OurPrimitives
from benchmarks.problems import LAYERS, PRIMITIVES, STUDENT, UNIT, Problem, Setting, Workload
from benchmarks.report import chart, markdown, sweeps_markdown
from benchmarks.timing import TOLERANCES, Disagreement, agreeing, measure
from benchmarks.workloads import STUDENT_AT_FIRST, WORKLOADS

QUICK = ["--rounds", "1", "--seconds", "0.0001", "--without", ",".join(peers.PEERS)]
LAYERED = {"W1", "W2", "W3", "W4", "W5", "W8", "W9a"}


def setting(dtype="float64"):
    return Setting(dtype, [OurPrimitives()], small=True)


def names_of(key):
    """Who takes part in a workload, in the order of the table."""
    return [UNIT, *([STUDENT] if key != "W7" else []), PRIMITIVES, *([LAYERS] if key in LAYERED else [])]


class WrongLoss(StudentNetwork):
    def step(self):
        return super().step() * (1 + 1e-5)


class NoLoss(StudentNetwork):
    def step(self):
        return super().step() * np.nan


class WrongUpdate(StudentNetwork):
    def __init__(self, problem):
        super().__init__(problem)
        self.weight_decay *= 1.1


class WrongEntry(StudentNetwork):
    def results(self):
        w1, *others = (weight.copy() for weight in super().results())
        w1[1, 3] *= 1 + 1e-5
        return [w1, *others]


class WrongShape(StudentNetwork):
    def results(self):
        *others, b2 = super().results()
        return [*others, b2[None]]


class WrongDtype(StudentNetwork):
    def results(self):
        return [weight.astype("float32") for weight in super().results()]


class FewerResults(StudentNetwork):
    def results(self):
        return super().results()[:-1]


WRONG = {
    WrongLoss: "the loss of wrong at step 1 is",
    NoLoss: "the loss of wrong at step 1 is nan",
    WrongUpdate: "the loss of wrong at step 3 is",
    WrongEntry: r"results\[0\] of wrong differ",
    WrongShape: "the results of wrong are",
    WrongDtype: "the results of wrong are",
    FewerResults: "the results of wrong are",
}


def circles_problem():
    rng = np.random.default_rng(0)
    data = networks.two_circles(rng)
    return Problem(networks.he_weights(rng, 2, 16, 1), [data])


def with_wrong(contender):
    problem = circles_problem()
    return Workload("W1 circles", {UNIT: lambda: ExpertNetwork(problem), "wrong": lambda: contender(problem)})


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("key", WORKLOADS)
def test_contenders_of_a_workload_agree(key, dtype):
    workload = WORKLOADS[key](setting(dtype))
    assert workload.key == key
    contenders = agreeing(workload)
    assert list(contenders) == names_of(key)
    assert {array.dtype for contender in contenders.values() for array in contender.results()} == {np.dtype(dtype)}


@pytest.mark.parametrize("key", WORKLOADS)
def test_a_contender_starts_from_the_same_parameters_again(key):
    workload = WORKLOADS[key](setting())
    for start in workload.contenders.values():
        first, again = start(), start()
        losses = [first.step(), first.step()]
        assert [again.step(), again.step()] == losses


@pytest.mark.parametrize("start", [full_batch, small_batch])
def test_a_training_trains(start):
    contender = start(setting()).contenders[UNIT]()
    losses = [contender.step() for _ in range(195)]
    assert np.mean(losses[-39:]) < 0.9 * np.mean(losses[:39])


@pytest.mark.parametrize("make", [WORKLOADS["W6"], WORKLOADS["W7"], WORKLOADS["W10"]])
@pytest.mark.parametrize("shift", [0, 1])
def test_gradients_alone_are_compared_too(make, shift):
    workload = make(setting())
    wrong = workload.contenders[PRIMITIVES]()
    results = wrong.results
    wrong.results = lambda: [*results()[:-1], results()[-1] * (1 + 1e-4 * shift)]
    altered = Workload(workload.name, {UNIT: workload.contenders[UNIT], "wrong": lambda: wrong}, workload.steps)
    if shift:
        with pytest.raises(Disagreement, match="of wrong differ"):
            agreeing(altered)
    else:
        agreeing(altered)


@pytest.mark.parametrize("contender", WRONG, ids=lambda contender: contender.__name__)
def test_a_wrong_contender_is_rejected(contender):
    with pytest.raises(Disagreement, match=f"^W1 circles: {WRONG[contender]}"):
        agreeing(with_wrong(contender))


def test_disagreement_ends_the_program_before_anything_is_timed(capsys):
    assert main(QUICK, {"W1": lambda _: with_wrong(WrongEntry)}) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("benchmarks: W1 circles: results[0] of wrong differ from those of expert NumPy after 4 steps")


def test_a_contender_that_cannot_is_left_out():
    problem = circles_problem()
    workload = Workload("W1 circles", {UNIT: lambda: ExpertNetwork(problem), "cannot": lambda: None})
    assert list(agreeing(workload)) == [UNIT]


def cells(text):
    head, rule, *rows = [re.split(r" \| ?", line.strip("|").strip()) for line in text.splitlines() if line[:1] == "|"]
    assert set(rule[1:]) == {"---:"}
    return head, rows


@pytest.fixture
def no_peers(monkeypatch):
    monkeypatch.setattr(peers, "PEERS", {"a peer": ("nowhere_to_be_found", "Peer")})


@pytest.mark.usefixtures("no_peers")
def test_the_table_has_every_workload_and_contender_and_json_says_the_same(capsys, tmp_path):
    path, picture = tmp_path / "report.json", tmp_path / "report.png"
    assert main([*QUICK[:4], "--json", str(path), "--chart", str(picture)], small=True) == 0
    printed = capsys.readouterr().out
    report = json.loads(path.read_text())
    assert markdown(report) == printed
    head, rows = cells(printed)
    assert head == ["step", "expert NumPy, µs", STUDENT, PRIMITIVES, LAYERS]
    assert [row[0].split()[0] for row in rows] == list(WORKLOADS)
    for key, row, workload in zip(WORKLOADS, rows, report["workloads"], strict=True):
        assert list(workload["contenders"]) == names_of(key)
        assert [bool(cell.strip()) for cell in row[1:4]] == [True, key != "W7", True]
        assert (f"; at first: {STUDENT_AT_FIRST.get(key)}" in row[2]) == (key != "W7")
    assert f"NumPy {np.__version__}" in printed
    assert "float64, BLAS threads: 1, allocator: warm, rounds: 1." in printed
    assert "Not installed, so skipped: a peer." in printed
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")


def test_workloads_dtype_and_peers_can_be_chosen(capsys):
    assert main([*QUICK, "--workloads", "W10,W6", "--dtype", "float32", "--allocator", "fresh"], small=True) == 0
    printed = capsys.readouterr().out
    _, rows = cells(printed)
    assert [row[0].split()[0] for row in rows] == ["W10", "W6"]
    assert "float32, BLAS threads: 1, allocator: fresh" in printed
    assert f"Left out by --without: {', '.join(peers.PEERS)}." in printed


def test_a_peer_that_is_missing_is_named_and_one_left_out_is_not_imported(monkeypatch):
    monkeypatch.setattr(
        peers, "PEERS", {"gone": ("no_such_module", "Gone"), "ours": ("benchmarks.ours", "OurPrimitives")}
    )
    libraries, missing = peers.installed()
    assert ([library.name for library in libraries], missing) == ([PRIMITIVES], ["gone"])
    assert peers.installed(["gone", "ours"]) == ([], [])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a peer's own
@pytest.mark.parametrize("name", peers.PEERS)
def test_an_installed_peer_agrees(name):
    libraries, missing = peers.installed([other for other in peers.PEERS if other != name])
    if missing:
        pytest.skip(f"{name} is not installed")
    for key in ["W1"] if name == "PyTorch compile" else WORKLOADS:
        contenders = agreeing(WORKLOADS[key](Setting("float64", libraries, small=True)))
        assert name in contenders or key == "W10"


def test_the_chart_leaves_gaps_where_a_contender_has_no_time(tmp_path):
    time = {"microseconds": 1.0, "ratio": 2.0, "lowest": 1.5, "highest": 3.0}
    workloads = [{"name": "one", "contenders": {UNIT: time}}, {"name": "two", "contenders": {UNIT: time, "x": time}}]
    chart({"workloads": workloads, "unit": UNIT, "dtype": "float64"}, tmp_path / "chart")
    assert (tmp_path / "chart").read_bytes().startswith(b"\x89PNG\r\n")


def test_the_unit_is_one_and_a_median_lies_within_its_spread():
    measurements = measure(agreeing(chain(setting())), rounds=5, seconds=1e-4)
    assert measurements[UNIT][1:] == (1, 1, 1)
    assert all(m.microseconds > 0 and m.lowest <= m.ratio <= m.highest for m in measurements.values())


# --- sweeps -----------------------------------------------------------------------------------------------------------


def test_depth_counts_the_operations_on_the_tape():
    problem, loss = chain_of(5)
    contender = OurGradients(problem, loss)
    program = str(tg.tape(contender.forward()))
    assert program.count("multiply") + program.count("add") == 10


def test_memory_sees_what_a_tape_holds_and_a_step_needs(monkeypatch):
    monkeypatch.setattr(sweeps, "WORKLOADS", {"W2": full_batch, "W6": chain})
    rows = sweeps.memory(setting())
    assert [(row["workload"].split()[0], row["contender"]) for row in rows] == [
        ("W2", PRIMITIVES),
        ("W2", LAYERS),
        ("W6", PRIMITIVES),
    ]
    assert all(row["tape"] > 0 and row["peak"] > 0 for row in rows)


def test_sweeps_are_printed_and_survive_json(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "DEPTHS", (10, 100))
    monkeypatch.setattr(sweeps, "WIDTHS", (1, 6))
    path = tmp_path / "sweeps.json"
    assert main([*QUICK, "--sweeps", "--json", str(path)], small=True) == 0
    printed = capsys.readouterr().out
    report = json.loads(path.read_text())
    assert sweeps_markdown(report) == printed
    found = report["sweeps"]
    assert [row["operations"] for row in found["depth"]] == [10, 100]
    assert all(row["forward"] > 0 for row in found["depth"])
    assert [row["batch"] for row in found["width"]] == [1, 6]
    assert all(set(row["ratios"]) == {PRIMITIVES, LAYERS} for row in found["width"])
    assert {row["workload"].split()[0] for row in found["memory"]} == set(WORKLOADS)
    assert found["import_milliseconds"] > 0


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rounds", "0"],
        ["--rounds", "some"],
        ["--seconds", "0"],
        ["--seconds", "nan"],
        ["--json", "nowhere/x.json"],
        ["--chart", "nowhere/x.png"],
        ["--chart", "x.png", "--sweeps"],
        ["--workloads", "W1,W11"],
        ["--without", "NumPy"],
        ["--dtype", "float16"],
    ],
    ids=" ".join,
)
def test_a_misspelt_option_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_blas_is_told_to_use_one_thread_before_numpy_is_imported():
    program = "import os, sys, benchmarks; print('numpy' in sys.modules, *(os.environ[v] for v in benchmarks.THREADS))"
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "1", "1", "1", "1"]

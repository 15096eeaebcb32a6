"""The benchmarks compare contenders that compute the same thing, and refuse to compare any others."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_np as tg
from benchmarks import THREADS
from benchmarks.__main__ import main, markdown
from benchmarks.timing import Disagreement, check_agreement, measure
from benchmarks.workloads import (
    OURS,
    STUDENT,
    UNIT,
    WORKLOADS,
    Chain,
    ExpertNetwork,
    StudentNetwork,
    Workload,
    chain_workload,
    circles,
)

QUICK = ["--rounds", "1", "--seconds", "0.0001"]


class WrongLoss(StudentNetwork):
    def step(self):
        return super().step() * (1 + 1e-5)


class NoLoss(StudentNetwork):
    def step(self):
        return super().step() * np.nan


class WrongUpdate(StudentNetwork):
    def __init__(self, network):
        super().__init__(network)
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


class FewerResults(StudentNetwork):
    def results(self):
        return super().results()[:-1]


WRONG = {
    WrongLoss: "the loss of wrong at step 1 is",
    NoLoss: "the loss of wrong at step 1 is nan",
    WrongUpdate: "the loss of wrong at step 3 is",
    WrongEntry: r"results\[0\] of wrong differ",
    WrongShape: "the results of wrong have shapes",
    FewerResults: "the results of wrong have shapes",
}


def with_wrong(contender):
    network = circles()
    return Workload("circles", {UNIT: lambda: ExpertNetwork(network), "wrong": lambda: contender(network)})


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_contenders_of_a_workload_agree(workload):
    assert list(workload.contenders) == [UNIT, STUDENT, OURS]
    check_agreement(workload)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
@pytest.mark.parametrize("name", [UNIT, STUDENT, OURS])
def test_a_contender_starts_from_the_same_parameters_again(workload, name):
    first = workload.contenders[name]()
    losses = [first.step(), first.step()]
    again = workload.contenders[name]()
    assert [again.step(), again.step()] == losses


@pytest.mark.parametrize("workload", WORKLOADS[-2:], ids=lambda workload: workload.name)
def test_a_training_trains(workload):
    contender = workload.contenders[UNIT]()
    losses = [contender.step() for _ in range(390)]
    assert np.mean(losses[-39:]) < 0.9 * np.mean(losses[:39])


def test_the_recorded_operations_of_a_chain_are_those_on_the_tape(monkeypatch):
    tapes, grad = [], tg.grad

    def watched(loss, wrt):
        tapes.append(tg.tape(loss))
        return grad(loss, wrt)

    monkeypatch.setattr(tg, "grad", watched)
    workload = chain_workload("chain", Chain(gradients=True, length=3))
    workload.contenders[OURS]().step()
    assert workload.operations == sum(node.primitive is not None for node in tapes[0]) == 7


@pytest.mark.parametrize("contender", WRONG, ids=lambda contender: contender.__name__)
def test_a_wrong_contender_is_rejected(contender):
    with pytest.raises(Disagreement, match=f"^circles: {WRONG[contender]}"):
        check_agreement(with_wrong(contender))


def test_disagreement_ends_the_program_before_anything_is_timed(capsys):
    assert main(QUICK, [with_wrong(WrongEntry)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("benchmarks: circles: results[0] of wrong differ from those of expert NumPy after 4 steps")


def test_the_table_has_every_workload_and_contender_and_json_says_the_same(capsys, tmp_path):
    path = tmp_path / "report.json"
    assert main([*QUICK, "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    report = json.loads(path.read_text())
    assert markdown(report) == printed
    assert [w["name"] for w in report["workloads"]] == [w.name for w in WORKLOADS]
    assert all(list(w["contenders"]) == [UNIT, STUDENT, OURS] for w in report["workloads"])
    head, rule, *rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("|")]
    assert head == ["step", "expert NumPy, µs", "student NumPy", "tinygrad_np", "µs per recorded operation"]
    assert rule == ["---", "---:", "---:", "---:", "---:"]
    assert [row[0] for row in rows] == [w.name for w in WORKLOADS]
    assert f"NumPy {np.__version__}" in printed
    assert "rounds: 1." in printed


def test_the_unit_is_one_and_a_median_lies_within_its_spread():
    measurements = measure(chain_workload("chain", Chain(gradients=True, length=10)), rounds=5, seconds=1e-4)
    assert measurements[UNIT][1:] == (1, 1, 1)
    assert all(m.microseconds > 0 and m.lowest <= m.ratio <= m.highest for m in measurements.values())


@pytest.mark.parametrize(
    "arguments",
    [["--rounds", "0"], ["--rounds", "some"], ["--seconds", "0"], ["--seconds", "nan"], ["--json", "nowhere/x.json"]],
    ids=" ".join,
)
def test_a_misspelt_option_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments, [])
    assert stopped.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_blas_is_told_to_use_one_thread_before_numpy_is_imported():
    program = "import os, sys, benchmarks; print('numpy' in sys.modules, *(os.environ[v] for v in benchmarks.THREADS))"
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "1", "1", "1", "1"]

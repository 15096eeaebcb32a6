"""The commands, as typed."""

import subprocess
import sys

import numpy as np
import pytest

from tinygrad_np import cli, datasets, experiments
from tinygrad_np.errors import MissingExtraError, RangeError

COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # of the digits 0 to 9


def test_digits_trains_to_096_and_draws_its_curves(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["digits"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert float(first.split()[2]) >= 0.96
    assert second == "the curves are in digits.png"
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["digits.png"]


def test_the_same_seed_gives_the_same_bits():
    options = experiments.DigitsOptions(epochs=2, hidden=8, seed=3)
    (one, history), (two, again) = experiments.digits(options), experiments.digits(options)
    assert history == again
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()
    other = experiments.digits(experiments.DigitsOptions(epochs=2, hidden=8, seed=4))[1]
    assert other != history


def test_the_command_as_a_process():
    command = [sys.executable, "-W", "error", "-m", "tinygrad_np", "digits", "--epochs", "1", "--picture", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")  # without a terminal no progress bar floods the log
    assert done.stdout.startswith("test accuracy 0.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["digits", "--epochs", "0"], "argument --epochs: expected a whole number of at least 1, got '0'"),
        (["digits", "--seed", "-1"], "argument --seed: expected"),
        (["digits", "--lr", "fast"], "argument --lr: expected a number of at least 0, got 'fast'"),
        (["digits", "--lr", "inf"], "got 'inf'"),
        (["digits", "--speed", "3"], "unrecognized arguments: --speed"),
    ],
)
def test_misspelt_commands_say_what_is_allowed(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["digits", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "example: tinygrad-np digits --hidden 64" in text
    assert "(70% to train, 30% to test)" in " ".join(text.split())


def test_a_picture_in_a_folder_that_is_not_there_is_refused_before_training(tmp_path, capsys):
    assert cli.main(["digits", "--picture", str(tmp_path / "no" / "curves.png")]) == 1
    assert "digits: expected --picture in a folder that exists" in capsys.readouterr().err


def test_a_picture_of_an_unknown_kind_leaves_no_file(tmp_path, capsys):
    assert cli.main(["digits", "--epochs", "1", "--picture", str(tmp_path / "curves.xyz")]) == 1
    assert "digits: expected --picture" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_with_one_line(monkeypatch, capsys, tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments, "digits", interrupt)
    assert cli.main(["digits", "--picture", str(tmp_path / "curves.png")]) == 130
    assert capsys.readouterr().err == "tinygrad-np: interrupted; nothing was written\n"
    assert list(tmp_path.iterdir()) == []


def test_a_failing_disk_is_reported(monkeypatch, capsys):
    def fail(*_):
        raise OSError(28, "No space left on device", "curves.png")

    monkeypatch.setattr(experiments, "digits", fail)
    assert cli.main(["digits"]) == 1
    assert capsys.readouterr().err == "tinygrad-np: No space left on device: curves.png\n"


@pytest.mark.parametrize(
    ("package", "words"),
    [("sklearn.datasets", "scikit-learn"), ("tqdm", "tqdm"), ("matplotlib.backend_bases", "matplotlib")],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(package, words, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    assert cli.main(["digits", "--epochs", "1", "--picture", str(tmp_path / "curves.png")]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert "pip install 'tinygrad-np[course]'" in error
    assert list(tmp_path.iterdir()) == []


def test_the_split_is_whole_and_without_overlap():
    data = datasets.digits(np.random.default_rng(0), 0.5)
    assert data.x_train.shape == (898, 64)
    assert data.x_test.shape == (899, 64)
    everything = np.concatenate([data.x_train, data.x_test])
    assert (everything.min(), everything.max()) == (0.0, 1.0)
    assert np.bincount(np.concatenate([data.y_train, data.y_test])).tolist() == COUNTS
    with pytest.raises(RangeError, match="train_part between 0 and 1, got 1"):
        datasets.digits(np.random.default_rng(0), 1)


def test_missing_extras_are_import_errors():
    assert issubclass(MissingExtraError, ImportError)

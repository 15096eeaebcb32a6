"""The commands, as typed."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.idx import write
from tinygrad_np import cli, datasets, files
from tinygrad_np.errors import MissingExtraError
from tinygrad_np.experiments import CirclesOptions, Classifier, pictures

README = Path(__file__).parents[1] / "README.md"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def names():
    """What is in the folder."""
    return sorted(path.name for path in Path().iterdir())


def run(capsys, *arguments, code=0):
    """What a command says: its output and its errors."""
    assert cli.main(arguments) == code
    return capsys.readouterr()


def misspelt(capsys, *arguments):
    """What is said of a command that is not understood."""
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err


def size(path):
    with Image.open(path) as image:
        return image.size


# --- what they do -----------------------------------------------------------------------------------------------------


def test_digits_trains_to_096_and_leaves_a_picture_and_a_model(capsys):
    first, second, third = run(capsys, "digits").out.splitlines()
    assert float(first.split()[2].strip(",")) >= 0.96
    assert (second, third) == ("the picture is in digits.png", "the model is in digits.npz")
    assert names() == ["digits.npz", "digits.png"]
    assert Path("digits.png").read_bytes().startswith(PNG)
    lines = run(capsys, "digits", "--predict", "digits.npz").out.splitlines()
    assert lines[0].split(",")[0] == first.split(",")[0]
    assert [line.split()[0] for line in lines[2:]] == list("0123456789")
    right, of = np.array([[int(word) for word in line.split()[1:3]] for line in lines[2:]]).sum(axis=0)
    assert f"{right / of:.4f}" == first.split()[2].strip(",")


def test_predicting_pictures(capsys):
    run(capsys, "digits", "--epochs", "15", "--picture", "none")
    test = datasets.digits(np.random.default_rng(0))
    classifier = Classifier.load("digits.npz")
    chosen = [int(np.flatnonzero(test.y_test == n)[0]) for n in (3, 7)]
    for i, n in zip(chosen, (3, 7), strict=True):
        Image.fromarray(np.uint8(255 - 255 * test.x_test[i].reshape(8, 8))).save(f"{n}.png")
    said = [answer.label for answer in classifier.answers(test.x_test[chosen])]
    lines = run(capsys, "digits", "--predict", "digits.npz", "3.png", "7.png").out.splitlines()
    assert [line.split(" (score")[0] for line in lines] == [f"3.png: {said[0]}", f"7.png: {said[1]}"]
    figures = json.loads(run(capsys, "digits", "--predict", "digits.npz", "7.png", "--json").out)
    (answer,) = figures["predictions"]
    assert (answer["image"], answer["label"]) == ("7.png", said[1])
    assert sorted(answer["scores"]) == list("0123456789")
    own = json.loads(run(capsys, "digits", "--predict", "digits.npz", "--json").out)
    assert sum(digit["of"] for digit in own["digits"]) == 540
    assert own["test_accuracy"] == classifier.history[-1].test_accuracy


def test_options_reach_the_training(capsys):
    words = "digits --layers 12 6 --epochs 2 --batch-size 50 --lr 0.02 --momentum 0.8 --nesterov --weight-decay 1e-4"
    words += " --decay loss --dropout 0.1 --dtype float32 --seed 5 --labels 2 4 6 --json --picture none --model none"
    figures = json.loads(run(capsys, *words.split()).out)
    assert figures["options"] == {
        "layers": [12, 6],
        "cnn": False,
        "epochs": 2,
        "batch_size": 50,
        "lr": 0.02,
        "momentum": 0.8,
        "dampening": 0.0,
        "nesterov": True,
        "weight_decay": 1e-4,
        "decay": "loss",
        "dropout": 0.1,
        "dtype": "float32",
        "seed": 5,
        "labels": [2, 4, 6],
    }
    assert len(figures["history"]) == 2
    assert figures["history"][-1]["test_accuracy"] == figures["test_accuracy"]
    assert names() == []


def test_circles_compares_designs_and_shows_them(capsys):
    lines = run(capsys, "circles", "--steps", "4").out.splitlines()
    assert lines[0].split("  ")[0] == "design"
    assert [line.split("  ")[0] for line in lines[1:7]] == [
        "2 > 1",
        "2 > 16 > 1, linear",
        "2 > 2 > 1, ReLU",
        "2 > 4 > 1, ReLU",
        "2 > 16 > 1, ReLU",
        "2 > 16 > 16 > 1, ReLU",
    ]
    assert lines[7:] == ["the picture is in circles.png"]
    assert names() == ["circles.png"]
    width, height = size("circles.png")
    assert width > height


def test_circles_shows_how_a_design_learns(capsys):
    words = "circles --steps 30 --designs single --picture none --animate film.gif"
    lines = run(capsys, *words.split()).out.splitlines()
    assert lines[2:] == ["the film is in film.gif"]
    with Image.open("film.gif") as film:
        assert film.n_frames > 20
        film.seek(film.n_frames - 1)
        assert film.info["duration"] >= 2000


def test_circles_as_figures(capsys):
    words = "circles --steps 4 --seed 3 --noise 0.2 --lr 0.2 --weight-decay 0.001 --designs single 3-3-linear --json"
    figures = json.loads(run(capsys, *words.split(), "--picture", "none").out)
    assert figures["options"]["designs"] == ["single", "3-3-linear"]
    assert [design["parameters"] for design in figures["designs"]] == [3, 25]
    assert np.shape(figures["losses"]) == (4, 2)
    assert "picture" not in figures
    assert figures == json.loads(run(capsys, *words.split(), "--picture", "none").out)


def test_mnist_trains_its_cnn_on_320_images(capsys):
    write(Path("mnist"), zipped=True)
    words = "mnist --data mnist --cnn --limit 320 --epochs 2"
    out = run(capsys, *words.split()).out.splitlines()
    assert out[1:] == ["the picture is in mnist.png", "the model is in mnist.npz"]
    assert Path("mnist.png").read_bytes().startswith(PNG)
    lines = run(capsys, "mnist", "--predict", "mnist.npz", "--data", "mnist").out.splitlines()
    assert lines[0].split(",")[0] == out[0].split(",")[0]
    Image.fromarray(np.uint8(255 * datasets.mnist("mnist").x_test[0].reshape(28, 28))).save("first.png")
    assert run(capsys, "mnist", "--predict", "mnist.npz", "first.png").out.startswith("first.png: ")
    assert "expected --data, the folder of" in run(capsys, "mnist", "--predict", "mnist.npz", code=2).err


@pytest.mark.parametrize("words", [["--layers"], ["--labels", "0", "1"], ["--cnn", "--epochs", "1"]])
def test_pictures_of_all_networks(capsys, words):
    run(capsys, "digits", "--epochs", "12", *words)
    assert min(size("digits.png")) > 500


def test_the_same_seed_draws_the_same_bits(capsys):
    for name in ("one", "two"):
        run(capsys, "digits", "--epochs", "1", "--picture", f"{name}.png", "--model", f"{name}.npz")
        run(capsys, "circles", "--steps", "2", "--picture", f"c{name}.png", "--animate", f"{name}.gif")
    for one, two in [("one.png", "two.png"), ("one.npz", "two.npz"), ("cone.png", "ctwo.png"), ("one.gif", "two.gif")]:
        assert Path(one).read_bytes() == Path(two).read_bytes()


# --- habits -----------------------------------------------------------------------------------------------------------


def process(*arguments, **environment):
    command = [sys.executable, "-W", "error", "-m", "tinygrad_np", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)


def test_without_a_terminal_or_a_display_there_are_few_lines_and_a_picture():
    done = process("digits", "--epochs", "30", "--layers", "8", MPLBACKEND="TkAgg", DISPLAY="")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("digits: step 1200 of 1200, loss ")
    assert done.stdout.startswith("test accuracy 0.")
    assert names() == ["digits.npz", "digits.png"]


needs_a_terminal = pytest.mark.skipif(os.name != "posix", reason="Python opens no terminal here")


def in_a_terminal(*arguments, interrupt=None):
    """What a command writes to a terminal, and its exit code; interrupted when it has written these bytes."""
    import pty
    import termios

    pid, terminal = pty.fork()
    if pid == 0:
        termios.tcsetwinsize(0, (24, 120))  # a new terminal has no columns
        signal.alarm(60)  # seconds, and then it ends in any case
        os.execv(sys.executable, [sys.executable, "-m", "tinygrad_np", *arguments])
    seen = b""
    try:
        while chunk := os.read(terminal, 10_000):
            seen += chunk
            if interrupt is not None and interrupt in seen:
                os.kill(pid, signal.SIGINT)
                interrupt = None
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@needs_a_terminal
def test_in_a_terminal_there_is_a_bar():
    seen, code = in_a_terminal("circles", "--steps", "400", "--picture", "none")
    assert code == 0
    assert "circles: 100%" in seen
    assert "400/400" in seen


@needs_a_terminal
def test_an_interrupt_ends_with_one_line_and_leaves_no_file():
    seen, code = in_a_terminal("digits", "--epochs", "100000", interrupt=b"test accuracy")
    assert code == 130
    assert seen.rstrip().splitlines()[-1] == "tinygrad-np: interrupted; no file is half-written"
    assert "Traceback" not in seen
    assert names() == []


def test_an_interrupt_while_a_file_is_written_leaves_the_old_one(monkeypatch, capsys):
    run(capsys, "digits", "--epochs", "1")
    before = {name: Path(name).read_bytes() for name in names()}

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    for module, name in [(files.npy, "write_array"), (pictures, "_curves")]:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, interrupt)
            words = ["digits", "--epochs", "1", *(["--model", "none"] if module is pictures else [])]
            assert "interrupted" in run(capsys, *words, code=130).err
    assert {name: Path(name).read_bytes() for name in names()} == before


def test_who_reads_may_go_away():
    command = f"{sys.executable} -m tinygrad_np circles --steps 1 --picture none --json | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "{"
    assert "Error" not in done.stderr


# --- what is not understood -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly' (choose from"),
        (["digits", "--epochs", "0"], "argument --epochs: expected a whole number of at least 1, got '0'"),
        (["digits", "--seed", "-1"], "argument --seed: expected"),
        (["digits", "--lr", "fast"], "argument --lr: expected a number of at least 0, got 'fast'"),
        (["digits", "--lr", "inf"], "got 'inf'"),
        (["digits", "--dropout", "1"], "expected a number of at least 0 and below 1, got '1'"),
        (["digits", "--layers", "8", "x"], "argument --layers: expected a whole number of at least 1, got 'x'"),
        (["digits", "--decay", "torch"], "argument --decay: expected course or loss, got 'torch'"),
        (["digits", "--dtype", "int8"], "expected float32 or float64, got 'int8'"),
        (["digits", "--labels", "1", "10"], "of at least 0 and below 10, got '10'"),
        (["digits", "--speed", "3"], "[--epochs N]"),
        (["digits", "--speed", "3"], "unrecognized arguments: --speed 3"),
        (["digits", "--epoch", "3"], "unrecognized arguments: --epoch 3"),  # no abbreviations: they would change
        (["circles", "--noise", "-1"], "argument --noise: expected a number of at least 0, got '-1'"),
        (
            ["circles", "--designs", "8-"],
            "argument --designs: expected the units of the hidden layers, as in 16 or 8-8",
        ),
        (["digits", "--cnn", "--layers", "8"], "argument --layers: not allowed with --cnn"),
        (["digits", "--predict", "m.npz", "--epochs", "3"], "a saved model has its own options; leave out --epochs"),
        (["mnist", "--predict", "m.npz", "--batch-size", "3"], "leave out --batch-size"),
        (["digits", "--predict", "m.npz", "--picture", "a.png"], "leave out --picture"),
    ],
)
def test_misspelt_commands_say_what_is_allowed(arguments, words, capsys):
    assert words in misspelt(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["digits", "--picture", "no/a.png"],
            2,
            "expected --picture to be a file in a folder that exists, got 'no/a.png'",
        ),
        (["digits", "--picture", "a.xyz"], 2, "expected --picture to end in one of "),
        (["digits", "--model", "a.pt"], 2, "expected --model to end in one of .npz, got 'a.pt'"),
        (["circles", "--animate", "a.png"], 2, "expected --animate to end in one of .gif, got 'a.png'"),
        (["circles", "--designs"], 2, "expected one design or more"),
        (["digits", "--labels", "3"], 2, "expected labels to be two or more digits, got (3,)"),
        (["digits", "--nesterov"], 2, "expected a momentum above 0 and no dampening with nesterov=True"),
        (["mnist"], 2, "mnist: expected --data, the folder of train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-"),
        (
            ["mnist", "--data", "."],
            1,
            "needed are the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k",
        ),
        (["digits", "--predict", "none.npz"], 1, "No such file or directory: none.npz"),
    ],
)
def test_refusals_come_before_training_and_leave_no_file(arguments, code, words, capsys):
    seen = run(capsys, *arguments, code=code)
    assert words in seen.err
    assert len(seen.err.splitlines()) == 1
    assert names() == []


def test_help_shows_an_example_and_the_defaults(capsys):
    for command in ("circles", "digits", "mnist"):
        with pytest.raises(SystemExit) as stop:
            cli.main([command, "--help"])
        assert stop.value.code == 0
        text = " ".join(capsys.readouterr().out.split())
        assert f"example: tinygrad-np {command} --" in text
        assert "%" not in text.replace("70% to train, 30% to test", "")
    assert f"(default: {' '.join('0123456789')})" in text


def test_the_examples_of_help_and_readme_are_understood(capsys):
    examples = re.findall("^tinygrad-np (.*)$", README.read_text(), re.MULTILINE)
    assert len(examples) == 4
    for command in ("circles", "digits", "mnist"):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        examples.append(" ".join(capsys.readouterr().out.split()).split("example: tinygrad-np ")[1])
    for example in examples:
        given = cli._parser().parse_args(example.split())
        if not getattr(given, "predict", None):
            cli._options(given, getattr(given, "kind", CirclesOptions))


def test_a_folder_that_cannot_be_written_to_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who can write anywhere
    assert "expected --picture in a folder that can be written to" in run(capsys, "digits", code=2).err


def test_a_failing_disk_is_reported(monkeypatch, capsys):
    def fail(*_, **__):
        raise OSError(28, "No space left on device", "digits.npz")

    monkeypatch.setattr(files.npy, "write_array", fail)
    seen = run(capsys, "digits", "--epochs", "1", code=1)
    assert seen.err.endswith("tinygrad-np: No space left on device: digits.npz\n")
    assert names() == []


@pytest.mark.parametrize(
    ("package", "words"),
    [("sklearn.datasets", "scikit-learn"), ("tqdm", "tqdm"), ("matplotlib.backend_bases", "matplotlib")],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(package, words, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    error = run(capsys, "digits", "--epochs", "1", code=1).err
    assert words in error
    assert "pip install 'tinygrad-np[course]'" in error
    assert names() == []


def test_missing_extras_are_import_errors(monkeypatch):
    assert issubclass(MissingExtraError, ImportError)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match="pictures are read by Pillow, which is not installed"):
        datasets.picture("3.png", 8)

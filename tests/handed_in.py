"""A class of submissions whose verdicts are known: right, wrong in known ways, broken, endless, hungry for memory.

``python -m tests.handed_in 200`` makes them in a temporary folder, marks them by two processes, and checks them all.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from tinygrad_np.automark import running
from tinygrad_np.automark.tasks import GRADED

HEAD = "import numpy as np\nimport automark as am\nEPS = 1e-12\nusername = 'ann'\n"

RIGHT = {
    "dense_forward": "def dense_forward(x_input, W, b):\n    return np.dot(x_input, W) + b\n",
    "dense_grad_input": "def dense_grad_input(x_input, grad_output, W, b):\n    return grad_output @ W.T\n",
    "dense_grad_W": "def dense_grad_W(x_input, grad_output, W, b):\n    return x_input.T @ grad_output\n",
    "dense_grad_b": "def dense_grad_b(x_input, grad_output, W, b):\n    return grad_output.sum(axis=0)\n",
    "relu_forward": "def relu_forward(x_input):\n    return np.maximum(x_input, 0)\n",
    "relu_grad_input": "def relu_grad_input(x_input, grad_output):\n    return grad_output * (x_input > 0)\n",
    "hinge_forward": "def hinge_forward(target_pred, target_true):\n"
    "    return np.maximum(0, 1 - target_pred * target_true).sum() / len(target_pred)\n",
    "hinge_grad_input": "def hinge_grad_input(target_pred, target_true):\n"
    "    return np.where(target_pred * target_true < 1, -target_true, 0) / len(target_pred)\n",
    "l2_regularizer": "def l2_regularizer(weight_decay, weights):\n"
    "    several = weights if isinstance(weights, list) else [weights]\n"
    "    return weight_decay / 2 * sum(np.sum(w * w) for w in several)\n",
    "dropout_forward": "def dropout_forward(x_input, mask, drop_rate, training_phase):\n"
    "    return x_input * mask if training_phase else x_input * (1 - drop_rate)\n",
    "dropout_grad_input": "def dropout_grad_input(x_input, grad_output, mask):\n    return grad_output * mask\n",
    "mse_forward": "def mse_forward(target_pred, target_true):\n"
    "    return ((target_pred - target_true) ** 2).sum() / (2 * len(target_pred))\n",
    "mse_grad_input": "def mse_grad_input(target_pred, target_true):\n"
    "    return (target_pred - target_true) / len(target_pred)\n",
    "conv_matrix": "def conv_matrix(matrix, kernel):\n"
    "    p, q = kernel.shape[0] // 2, kernel.shape[1] // 2\n"
    "    padded = np.pad(matrix, ((p, p), (q, q)))\n"
    "    out = np.zeros(matrix.shape)\n"
    "    for a in range(kernel.shape[0]):\n"
    "        for b in range(kernel.shape[1]):\n"
    "            out += kernel[a, b] * padded[a:a + matrix.shape[0], b:b + matrix.shape[1]]\n"
    "    return out\n",
    "box_blur": "def box_blur(image, box_size):\n"
    "    return conv_matrix(image, np.ones((box_size, box_size)) / box_size**2)\n",
    "maxpool_forward": "def maxpool_forward(x_input):\n"
    "    h, w = x_input.shape\n"
    "    return x_input.reshape(h // 2, 2, w // 2, 2).max(axis=(1, 3))\n",
    "flatten_forward": "def flatten_forward(x_input):\n    return x_input.reshape(len(x_input), -1)\n",
    "flatten_grad_input": "def flatten_grad_input(x_input, grad_output):\n"
    "    return grad_output.reshape(x_input.shape)\n",
}

WRONG = [
    ("dense_forward", "np.dot(x_input, W) + b", "np.dot(x_input, W)"),
    ("dense_forward", "np.dot(x_input, W) + b", "np.dot(x_input, W) - b"),
    ("dense_grad_input", "W.T", "W.T / len(W)"),
    ("dense_grad_W", "x_input.T @ grad_output", "(x_input.T @ grad_output).T"),
    ("dense_grad_W", "x_input.T @ grad_output", "x_input.T @ grad_output / len(x_input)"),
    ("dense_grad_b", ".sum(axis=0)", ""),
    ("dense_grad_b", "sum(axis=0)", "sum(axis=0, keepdims=True)"),
    ("dense_grad_b", "sum(axis=0)", "mean(axis=0)"),
    ("relu_forward", "np.maximum(x_input, 0)", "np.abs(x_input)"),
    ("relu_forward", "return np.maximum(x_input, 0)", "x_input[x_input < 0] = 0\n    return x_input"),
    ("relu_forward", "return np.maximum(x_input, 0)", "np.maximum(x_input, 0)"),
    ("relu_grad_input", "x_input > 0", "x_input >= 0"),
    ("relu_grad_input", "x_input > 0", "grad_output > 0"),
    ("relu_grad_input", "grad_output * ", "1.0 * "),
    ("hinge_forward", " / len(target_pred)", ""),
    ("hinge_forward", "/ len(target_pred)", "/ target_pred.size"),
    ("hinge_grad_input", " / len(target_pred)", ""),
    ("hinge_grad_input", "-target_true", "target_true"),
    ("hinge_grad_input", "< 1", "<= 1"),
    ("l2_regularizer", "weight_decay / 2", "weight_decay"),
    ("l2_regularizer", "np.sum(w * w)", "np.sqrt(np.sum(w * w))"),
    ("dropout_forward", "(1 - drop_rate)", "drop_rate"),
    ("dropout_forward", "x_input * mask if", "x_input * mask / (1 - drop_rate + EPS) if"),
    ("dropout_grad_input", "* mask", "* (1 - mask)"),
    ("mse_forward", "2 * len", "len"),
    ("mse_forward", "(2 * len(target_pred))", "2"),
    ("mse_grad_input", "(target_pred - target_true)", "(target_true - target_pred)"),
    ("mse_grad_input", " / len(target_pred)", ""),
    ("conv_matrix", "kernel[a, b]", "kernel[::-1, ::-1][a, b]"),
    ("conv_matrix", "kernel[a, b]", "kernel[a, -1 - b]"),
    ("box_blur", " / box_size**2", ""),
    ("box_blur", "box_size**2", "box_size"),
    ("maxpool_forward", ".max(", ".mean("),
    ("flatten_forward", "x_input.reshape", "x_input.T.reshape"),
    ("flatten_grad_input", "x_input.shape", "x_input.shape, order='F'"),
]
"""A function and how its text is changed so that it is wrong."""

FAILS = {
    "exception": ["    return undefined_name\n", "    raise ValueError('<b>no</b>')\n", "    return 1 / 0\n"],
    "time limit": [
        "    while True:\n        pass\n",
        "    while True:\n        try:\n            x = 1\n        except:\n            pass\n",
    ],
    "memory": [
        "    return np.ones((10**6, 10**6))\n",
        "    rows = []\n    while True:\n        rows.append(np.zeros(10**7))\n",
    ],
    "crashed": [
        "    import os\n    os._exit(0)\n",
        "    import os\n    os.kill(os.getpid(), 11)\n",
        "    import ctypes\n    ctypes.string_at(0)\n",
    ],
}
"""Bodies by the verdict that they get."""


def notebook(*cells):
    """The text of a notebook with these code cells, as Jupyter writes it."""
    made = [{"cell_type": "markdown", "metadata": {}, "source": ["# Assignment"]}]
    for source in cells:
        lines = source.splitlines(keepends=True)
        made.append({"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": lines})
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def text(sources, as_notebook):
    """A submission's text: its functions with calls of the marker and experiments between them."""
    cells = [HEAD]
    for name, source in sources.items():
        call = f"am.test_student_function(username, {name}, ['x'])\nprint('tried', {name})\n"
        cells += [source, f"%time {name}\n{call}" if as_notebook else call]
    cells.append("model = train_for_hours()\n")
    return notebook("%matplotlib inline\n!pip install x", *cells) if as_notebook else "\n".join(cells)


def verdicts(changed=(), of="completed"):
    """The verdict of each function: completed, but for those that are changed."""
    return dict.fromkeys(GRADED, of) | dict(changed)


def body(name, lines):
    """A function of this name with another body."""
    return RIGHT[name].split("\n")[0] + "\n" + lines


def odd(number):
    """Submissions that go wrong as a whole: the end of the name, the content, and the verdicts."""
    right = text(RIGHT, True)
    every = list(RIGHT.values())
    prints = "    print('x' * 10**6)\n    return np.maximum(x_input, 0)"
    two_lost = {"mse_forward": "exception", "mse_grad_input": "exception"}
    kinds = [
        (".ipynb", notebook("from Blocks import *"), verdicts(of="not defined")),
        (".ipynb", right[: len(right) // 2], verdicts(of="broken")),
        (".ipynb", "", verdicts(of="broken")),
        (".ipynb", '{"cells": 5}', verdicts(of="broken")),
        (".py", b"\xff\xfe\x00def f(:", verdicts(of="broken")),
        (".py", "def f(:\n" + text(RIGHT, False), verdicts(of="exception")),
        (".ipynb", notebook(HEAD, *every, "while True:\n    pass", "import os\nos._exit(1)"), verdicts()),
        (".ipynb", notebook(HEAD, *every, RIGHT["mse_forward"].replace("2 *", "3 *")),
         verdicts({"mse_forward": "wrong"})),
        (".ipynb", notebook(HEAD, *(s for n, s in RIGHT.items() if n[:3] != "mse"),
                            RIGHT["mse_forward"] + RIGHT["mse_grad_input"] + "x = = 1"), verdicts(two_lost)),
        (".py", HEAD + "import no_such_module\nraise SystemExit\n" + "".join(every) + "input('name?')", verdicts()),
        (".ipynb", notebook(HEAD + "class Stop:\n    import os\n    os._exit(0)\n", *every), verdicts()),
        (".ipynb", notebook(HEAD, *every, body("relu_forward", prints)), verdicts()),
    ]  # fmt: skip
    return kinds[number % len(kinds)]


def make(folder, numbers):
    """Write the submissions of these numbers into a folder; return the verdicts that each is to get."""
    expected, fails = {}, [(kind, lines) for kind, bodies in FAILS.items() for lines in bodies]
    names = list(RIGHT)
    for number in numbers:
        sort, turn = number % 4, number // 4
        content, found, ending = None, verdicts(), (".ipynb", ".py")[turn % 2]
        sources = dict(RIGHT)
        if sort == 1:
            for place in (turn, turn + len(WRONG) // 2):
                name, old, new = WRONG[place % len(WRONG)]
                assert old in RIGHT[name], (name, old)
                sources[name], found[name] = RIGHT[name].replace(old, new), "wrong"
        elif sort == 2:
            kind, lines = fails[turn % len(fails)]
            name = names[(turn * 5) % len(names)]
            name = "dense_forward" if name == "conv_matrix" else name  # which box_blur calls
            sources[name], found[name] = body(name, lines), kind
        elif sort == 3:
            ending, content, found = odd(turn)
        elif turn % 3 == 1:
            missing = names[turn % len(names)]
            del sources[missing]
            found[missing] = "not defined"
            if missing == "conv_matrix":
                found["box_blur"] = "exception"
        content = text(sources, ending == ".ipynb") if content is None else content
        path = folder / f"{('right', 'wrong', 'fails', 'odd')[sort]}-{number:03}{ending}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        expected[path.name] = found
    return expected


def differences(marked, expected):
    """Where a verdict is another than it should be."""
    return [
        f"{one.name}: {result.function}: expected {expected[one.name][result.function]}, got {result}"
        for one in marked
        for result in one.results
        if running.verdict(result) != expected[one.name][result.function]
    ]


def main(count):
    with tempfile.TemporaryDirectory() as folder:
        expected, start = make(Path(folder), range(count)), time.perf_counter()
        found = running.find([Path(folder)])
        marked = list(running.mark_all(found, GRADED, running.Settings(seed=1, seconds=3), jobs=2))
        seconds = time.perf_counter() - start
    wrong = differences(marked, expected)
    sys.stdout.write(
        "\n".join([*wrong, f"{len(marked)} of {count} submissions in {seconds:.0f} s: {len(wrong)} wrong"])
    )
    sys.stdout.write("\n")
    return int(bool(wrong) or len(marked) != count)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))

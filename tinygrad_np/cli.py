"""The commands: ``python -m tinygrad_np COMMAND`` or ``tinygrad-np COMMAND``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tinygrad_np import experiments
from tinygrad_np.errors import TinygradError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0 done, 1 failed, 2 misspelt, 130 interrupted.

    Examples
    --------
    >>> main(["digits", "--epochs", "1", "--picture", "none"])
    test accuracy 0...
    0
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except TinygradError as error:
        sys.stderr.write(f"tinygrad-np: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"tinygrad-np: {error.strerror}: {error.filename}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("tinygrad-np: interrupted; nothing was written\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tinygrad-np", description="Experiments of tinygrad_np.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    digits = commands.add_parser(
        "digits",
        help="train a network on 1,797 handwritten digits",
        description="Train a network on scikit-learn's 1,797 handwritten digits (70% to train, 30% to test).",
        epilog="example: tinygrad-np digits --hidden 64 --epochs 30 --seed 1",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    default = experiments.DigitsOptions()
    add = digits.add_argument
    add("--hidden", type=_whole(1), default=default.hidden, metavar="N", help="units of the hidden layer")
    add("--epochs", type=_whole(1), default=default.epochs, metavar="N", help="passes over the training digits")
    add("--batch-size", type=_whole(1), default=default.batch_size, metavar="N", help="digits per step")
    add("--lr", type=_real, default=default.lr, metavar="X", help="learning rate")
    add("--weight-decay", type=_real, default=default.weight_decay, metavar="X", help="the course's decay, per step")
    add("--seed", type=_whole(0), default=default.seed, metavar="N", help="of split, weights and batches")
    add("--picture", type=Path, default=Path("digits.png"), metavar="FILE", help="where to draw the curves, or none")
    digits.set_defaults(run=_digits)
    return parser


def _whole(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
        return int(text)

    return number


def _real(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return value


def _digits(options: argparse.Namespace) -> None:
    picture: Path = options.picture
    if str(picture) != "none":
        experiments.check_picture(picture)
    fields = ("hidden", "epochs", "batch_size", "lr", "weight_decay", "seed")
    _, history = experiments.digits(experiments.DigitsOptions(**{name: getattr(options, name) for name in fields}))
    last = history[-1]
    sys.stdout.write(f"test accuracy {last.test_accuracy:.4f}")
    sys.stdout.write(f" (on the training digits {last.train_accuracy:.4f}, loss {last.loss:.4g})\n")
    if str(picture) != "none":
        experiments.draw_curves(history, picture)
        sys.stdout.write(f"the curves are in {picture}\n")

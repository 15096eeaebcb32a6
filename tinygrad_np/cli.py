"""The commands: ``python -m tinygrad_np COMMAND`` or ``tinygrad-np COMMAND``."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tinygrad_np import datasets, errors
from tinygrad_np.automark.command import add_mark, bar
from tinygrad_np.errors import RangeError, TinygradError
from tinygrad_np.experiments import Circles, CirclesOptions, Classifier, DigitsOptions, MnistOptions, data, pictures
from tinygrad_np.experiments.options import Numbers, Options, Words
from tinygrad_np.program import table

Item = TypeVar("Item")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0 done, 1 failed, 2 misspelt, 130 interrupted.

    Examples
    --------
    >>> main(["digits", "--epochs", "1", "--picture", "none", "--model", "none"])
    test accuracy 0...
    0
    """
    given, unknown = _parser().parse_known_args(arguments)
    if unknown:
        given.error(f"unrecognized arguments: {' '.join(unknown)}")  # shows what this command takes
    try:
        code: int = given.run(given) or 0
        sys.stdout.flush()
    except BrokenPipeError:  # who read the output, as head does, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (TinygradError, OSError) as error:
        what = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.strerror else str(error)
        sys.stderr.write(f"tinygrad-np: {what}\n")
        return 2 if isinstance(error, RangeError) else 1
    except KeyboardInterrupt:
        sys.stderr.write("tinygrad-np: interrupted; no file is half-written\n")
        return 130
    return code


# --- what may be typed ------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinygrad-np",
        description="Experiments of tinygrad_np.",
        epilog="example: tinygrad-np circles; each command has a --help of its own",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Any], None], kind: type[Options], does: str, more: str, example: str) -> Any:
        made = commands.add_parser(
            name,
            help=does,
            description=f"{does[0].upper()}{does[1:]}. {more}",
            epilog=f"example: tinygrad-np {example}",
            allow_abbrev=False,
        )
        made.set_defaults(run=run, error=made.error)
        _add_options(made, kind)
        made.add_argument("--json", action="store_true", help="print the figures as JSON, for scripts")
        _add_file(made, "--picture", f"{name}.png", "where to draw")
        return made

    circles = command(
        "circles",
        _circles,
        CirclesOptions,
        "compare designs of networks that tell two circles apart",
        "All learn from the same points by the hinge loss; the table has each one's loss and accuracy, the picture its "
        "regions.",
        "circles --steps 300 --designs single 2 8 8-8 8-8-linear --animate circles.gif",
    )
    circles.add_argument("--animate", type=Path, metavar="FILE", help="also write a .gif of the regions as they form")
    digits = command(
        "digits",
        _train_or_predict,
        DigitsOptions,
        "train a network on 1,797 handwritten digits",
        "Scikit-learn's 8x8 digits: 70% to train, 30% to test.",
        "digits --layers 64 32 --epochs 30 --momentum 0.9 --lr 0.01 --seed 1",
    )
    mnist = command(
        "mnist",
        _train_or_predict,
        MnistOptions,
        "train a network on the digits of MNIST's files",
        f"You need the four files {', '.join(datasets.MNIST)}, plain or gzipped (.gz).",
        "mnist --data ~/mnist --cnn --labels 0 1 --epochs 2",
    )
    mnist.add_argument("--data", type=Path, metavar="DIR", help="the folder with the four files")
    for made, kind in ((digits, DigitsOptions), (mnist, MnistOptions)):
        _add_file(made, "--model", f"{kind.command}.npz", "where to save the model")
        made.add_argument(
            "--predict",
            nargs="+",
            type=Path,
            metavar=("MODEL", "IMAGE"),
            help="train nothing: what a saved model says of pictures, or of its own test digits",
        )
        made.set_defaults(kind=kind)
    _add_verify(commands)
    _add_course(commands)
    add_mark(commands)
    return parser


def _add_verify(commands: Any) -> None:
    does = "check the gradients of all functions against differences"
    made = commands.add_parser(
        "verify",
        help=does,
        description=f"{does[0].upper()}{does[1:]}, and for all else that must hold. Exit code 1 if something is wrong.",
        epilog="example: tinygrad-np verify softmax matmul --seeds 20",
        allow_abbrev=False,
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="functions, by name (default: all)")
    made.add_argument(
        "--catalogue",
        action="store_true",
        help="check the checker: a table of classic mistakes, how often each is caught and explained, and whether what "
        "is right is left alone",
    )
    counts = Numbers(int, 1)
    made.add_argument("--seeds", type=_typed(counts), help="inputs drawn anew (default: 1; 50 for --catalogue)")
    made.add_argument(
        "--jobs", type=_typed(counts), default=os.cpu_count() or 1, help="processes (default: one for each processor)"
    )
    made.add_argument("--json", action="store_true", help="print the figures as JSON, for scripts")
    made.set_defaults(run=_verify, error=made.error)


def _add_options(parser: argparse.ArgumentParser, kind: type[Options]) -> None:
    """One argument for each field; those that are not typed are not in the result."""
    for field in fields(kind):
        allowed, default, what = field.metadata["allowed"], field.default, field.metadata["what"]
        flag, keywords = f"--{field.name.replace('_', '-')}", dict[str, Any](default=argparse.SUPPRESS)
        if allowed is None:
            keywords |= {"action": argparse.BooleanOptionalAction}
            shown = "no"
        else:
            several = isinstance(default, tuple)
            keywords |= {"type": _typed(allowed), "metavar": field.metadata["metavar"]}
            keywords |= {"nargs": "*"} if several else {}
            shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
        parser.add_argument(flag, help=f"{what} (default: {shown})".replace("%", "%%"), **keywords)


def _add_file(parser: argparse.ArgumentParser, flag: str, default: str, what: str) -> None:
    parser.add_argument(
        flag, type=Path, default=argparse.SUPPRESS, metavar="FILE", help=f"{what}, or none (default: {default})"
    )
    parser.set_defaults(**{f"default_{flag.strip('-')}": Path(default)})


def _typed(allowed: Numbers | Words) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            value = allowed.kind(text)
        except ValueError:
            value = None
        if value not in allowed:
            raise argparse.ArgumentTypeError(f"expected {allowed}, got {text!r}")
        return value

    return parse


def _options(given: argparse.Namespace, kind: Any) -> Any:
    typed = {field.name: getattr(given, field.name) for field in fields(kind) if hasattr(given, field.name)}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in typed.items()})


def _file(given: argparse.Namespace, name: str, endings: Sequence[str] = ()) -> Path | None:
    """Where a file is to be written, checked before a training is spent on it; None if it is not."""
    path: Path | None = getattr(given, name, getattr(given, f"default_{name}", None))
    if path is None or str(path) == "none":
        return None
    if endings and path.suffix.removeprefix(".").lower() not in endings:
        raise RangeError(f"expected --{name} to end in one of .{', .'.join(endings)}, got {str(path)!r}")
    folder = path.resolve().parent
    if not folder.is_dir() or path.is_dir():
        raise RangeError(f"expected --{name} to be a file in a folder that exists, got {str(path)!r}")
    if not os.access(folder, os.W_OK):
        raise RangeError(f"expected --{name} in a folder that can be written to, got {str(path)!r}")
    return path


def _add_course(commands: Any) -> None:
    does = "set up a folder in which the course's notebooks run as they are"
    made = commands.add_parser(
        "course",
        help=does,
        description=f"{does[0].upper()}{does[1:]}: with an automark.py and a Blocks.py that point here. A file that is "
        "there is never replaced.",
        epilog="example: tinygrad-np course week1",
        allow_abbrev=False,
    )
    made.add_argument("folder", metavar="DIR", type=Path, help="the folder; made if it is not there")
    made.set_defaults(run=_course, error=made.error)


# --- what is shown on the way -----------------------------------------------------------------------------------------


def _progress(name: str, items: Iterator[Item], total: int, news: Callable[[], str]) -> Iterator[Item]:
    """The items, behind a progress bar; without a terminal, behind at most ten lines on the way."""
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise errors.missing_extra(name, "its progress bar needs tqdm") from error
    with tqdm(items, name, total, unit="step", disable=None) as bar:
        for number, item in enumerate(bar, 1):
            yield item
            if bar.disable and number * 10 // total > (number - 1) * 10 // total:
                sys.stderr.write(f"{name}: step {number} of {total}, {news()}\n")
            elif not bar.disable:
                bar.set_postfix_str(news(), refresh=False)


def _say(given: argparse.Namespace, figures: dict[str, Any], text: str, written: dict[str, Path | None]) -> None:
    files = {what: str(path) for what, path in written.items() if path is not None}
    lines = "".join(f"\nthe {what} is in {path}" for what, path in files.items())
    sys.stdout.write((json.dumps(figures | files) if given.json else text + lines) + "\n")


# --- circles ----------------------------------------------------------------------------------------------------------


def _circles(given: argparse.Namespace) -> None:
    options = _options(given, CirclesOptions)
    picture, gif = _file(given, "picture", pictures.kinds()), _file(given, "animate", ["gif"])
    circles = Circles(options)
    film = pictures.Film(circles) if gif else None
    frame = -(-options.steps // 40)
    for number in _progress("circles", circles.train(), options.steps, lambda: f"loss {min(circles.losses[-1]):.3f}"):
        if film and (number % frame == 0 or number == options.steps):
            film.take(number)
    results = circles.results()
    rows = [(r.design, f"{r.parameters:>10}", f"{r.loss:10.4f}", f"{r.accuracy:8.1%}") for r in results]
    text = table([("design", "parameters", "final loss", "accuracy"), *rows])
    if picture:
        pictures.draw_circles(circles, picture)
    if film and gif:
        film.write(gif)
    figures = {"options": asdict(options), "designs": [r._asdict() for r in results], "losses": circles.losses}
    _say(given, figures, text, {"picture": picture, "film": gif})


# --- digits and mnist -------------------------------------------------------------------------------------------------


def _train_or_predict(given: argparse.Namespace) -> None:
    if given.predict:
        _predict(given, *given.predict)
    else:
        _train(given)


def _train(given: argparse.Namespace) -> None:
    if getattr(given, "cnn", False) and "layers" in given:
        given.error("argument --layers: not allowed with --cnn, which has layers of its own")
    options = _options(given, given.kind)
    picture, model = _file(given, "picture", pictures.kinds()), _file(given, "model", ["npz"])
    rng = np.random.default_rng(options.seed)
    digits = data(options, rng, getattr(given, "data", None))
    classifier = Classifier(options, rng)

    def news() -> str:
        last = classifier.history[-1:]
        return "".join(f"loss {e.train_loss:.3f}, test accuracy {e.test_accuracy:.3f}" for e in last) or "first epoch"

    for _ in _progress(options.command, classifier.train(digits), classifier.steps(digits), news):
        pass
    if model:
        classifier.save(model)
    if picture:
        pictures.draw_digits(classifier, digits, picture)
    last = classifier.history[-1]
    text = f"test accuracy {last.test_accuracy:.4f}, loss {last.test_loss:.4g} "
    text += f"(on the training digits {last.train_accuracy:.4f}, {last.train_loss:.4g})"
    figures = {"options": asdict(options), **last._asdict(), "history": [e._asdict() for e in classifier.history]}
    _say(given, figures, text, {"picture": picture, "model": model})


def _predict(given: argparse.Namespace, model: Path, *images: Path) -> None:
    typed = [f.name for f in fields(given.kind) if f.name in given] + [f for f in ("picture", "model") if f in given]
    for name in typed:
        given.error(f"argument --predict: a saved model has its own options; leave out --{name.replace('_', '-')}")
    classifier = Classifier.load(model, given.kind)
    options = classifier.options
    if images:
        pixels = np.stack([datasets.picture(image, options.side, options.margin) for image in images])
        answers = list(zip(map(str, images), classifier.answers(pixels), strict=True))
        lines = []
        for image, answer in answers:
            (label, score), (next_label, next_score) = list(answer.scores.items())[:2]
            lines.append(f"{image}: {label} (score {score:.2f}; next is {next_label} with {next_score:.2f})")
        figures: dict[str, Any] = {"predictions": [{"image": image} | a._asdict() for image, a in answers]}
        _say(given, figures, "\n".join(lines), {})
        return
    digits = data(options, np.random.default_rng(options.seed), getattr(given, "data", None))
    loss, accuracy = classifier.measure(digits.x_test, digits.y_test)
    figures = {"test_accuracy": accuracy, "test_loss": loss, "digits": []}
    rows = [("digit", "right", "of", "taken for")]
    for i, counts in enumerate(classifier.confusion(digits.x_test, digits.y_test).tolist()):
        digit, right, of = options.labels[i], counts[i], sum(counts)
        taken_for = {options.labels[j]: n for j, n in enumerate(counts) if n and j != i}
        figures["digits"].append({"digit": digit, "right": right, "of": of, "taken_for": taken_for})
        rows.append((str(digit), f"{right:>5}", str(of), ", ".join(f"{label} ({n})" for label, n in taken_for.items())))
    _say(given, figures, f"test accuracy {accuracy:.4f}, loss {loss:.4g}\n{table(rows)}", {})


# --- the course -------------------------------------------------------------------------------------------------------


def _course(given: argparse.Namespace) -> None:
    from tinygrad_np.automark.folder import set_up

    for path in set_up(given.folder):
        sys.stdout.write(f"wrote {path}\n")


# --- verify -----------------------------------------------------------------------------------------------------------


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _verify(given: argparse.Namespace) -> int:
    from tinygrad_np.facts import known
    from tinygrad_np.verify import catalogue

    functions = list(known)
    names = [str(function) for function in functions]
    if unknown := sorted(set(given.names) - set(names)):
        near = [match for name in unknown for match in difflib.get_close_matches(name, names, 2)]
        hint = f"; do you mean {' or '.join(near)}?" if near else ""
        raise RangeError(f"verify: expected names of functions, as softmax, got {', '.join(map(repr, unknown))}{hint}")
    seeds = given.seeds or (50 if given.catalogue else 1)
    rows: list[Any] = []
    if given.catalogue:
        found = catalogue.run(catalogue.try_mistake, range(len(catalogue.MISTAKES)), seeds, given.jobs)
        rows = list(bar("mistakes", found, len(catalogue.MISTAKES)))
    chosen = [i for i, name in enumerate(names) if not given.names or name in given.names]
    checked = bar("functions", catalogue.run(catalogue.false_alarms, chosen, seeds, given.jobs), len(chosen))
    said = {names[i]: alarms for i, alarms in zip(chosen, checked, strict=True)}
    wrong = [text for alarms in said.values() for text in alarms[:1]]
    text = catalogue.table(rows) + "\n" if given.catalogue else ""
    text += "\n\n".join([*wrong, f"{_many(len(said), 'function')} by {_many(seeds, 'seed')}: {len(wrong)} wrong"])
    _say(given, {"mistakes": [row._asdict() for row in rows], "functions": said}, text, {})
    return 0 if not wrong and all(row.is_good for row in rows) else 1

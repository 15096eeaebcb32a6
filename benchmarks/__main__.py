"""``python -m benchmarks``: check that the contenders agree, time them, print ratios to hand-written NumPy."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks import THREADS, peers
from benchmarks.ours import OurPrimitives
from benchmarks.problems import UNIT, Setting, Workload
from benchmarks.report import chart, markdown, sweeps_markdown
from benchmarks.sweeps import measure_all
from benchmarks.timing import TOLERANCES, Disagreement, agreeing, measure, warm_allocator
from benchmarks.workloads import STUDENT_AT_FIRST, WORKLOADS


def main(
    arguments: Sequence[str] | None = None,
    workloads: Mapping[str, Callable[[Setting], Workload]] = WORKLOADS,
    small: bool = False,
) -> int:
    """Print the table; return the exit code: 0 measured, 1 contenders disagree, 2 misspelt."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="What a step costs, as a multiple of hand-written NumPy."
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often each contender is timed (default 9)")
    parser.add_argument(
        "--seconds", type=float, default=0.05, help="how long a contender runs in a round, about (default 0.05)"
    )
    parser.add_argument("--dtype", choices=list(TOLERANCES), default="float64", help="(default float64)")
    parser.add_argument("--workloads", metavar="W1,W3", help=f"which, of {','.join(workloads)} (default all)")
    parser.add_argument(
        "--without", metavar="NAMES", default="", help=f"peers to leave out, of {','.join(peers.PEERS)}"
    )
    parser.add_argument(
        "--allocator",
        choices=["warm", "fresh"],
        default="warm",
        help="warm: free a large array first, so that malloc keeps memory; fresh: do not, best with one of --workloads",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same to FILE as JSON")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw it to FILE as PNG (needs matplotlib)")
    parser.add_argument(
        "--sweeps", action="store_true", help="measure depth, width, memory and import instead of the workloads"
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1 or not 0 < options.seconds < 60:
        parser.error("expected --rounds of at least 1 and --seconds above 0 and below 60")
    for name, path in {"--json": options.json, "--chart": options.chart}.items():
        if path is not None and not path.parent.is_dir():
            parser.error(f"expected {name} in a folder that exists, got {str(path)!r}")
    keys = options.workloads.split(",") if options.workloads else list(workloads)
    if not set(keys) <= set(workloads):
        parser.error(f"expected --workloads of {','.join(workloads)}, got {options.workloads!r}")
    left_out = options.without.split(",") if options.without else []
    if not set(left_out) <= set(peers.PEERS):
        parser.error(f"expected --without of {','.join(peers.PEERS)}, got {options.without!r}")
    if options.sweeps and options.chart is not None:
        parser.error("expected --chart without --sweeps, which draw none")
    if options.chart is not None and find_spec("matplotlib") is None:
        parser.error("expected matplotlib to be installed for --chart: pip install matplotlib")

    if options.allocator == "warm":
        warm_allocator()
    report = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processor": processor(),
        "blas_threads": {name: os.environ[name] for name in THREADS},
        "dtype": options.dtype,
        "allocator": options.allocator,
        "rounds": options.rounds,
        "seconds": options.seconds,
    }
    if options.sweeps:
        report["sweeps"] = measure_all(
            Setting(options.dtype, [OurPrimitives()], small), options.rounds, options.seconds
        )
        sys.stdout.write(sweeps_markdown(report))
    else:
        libraries, skipped = peers.installed(left_out)
        setting = Setting(options.dtype, [OurPrimitives(), *libraries], small)
        try:
            ready = {key: (started := workloads[key](setting), agreeing(started)) for key in keys}
        except Disagreement as error:
            sys.stderr.write(f"benchmarks: {error}\n")
            return 1
        report |= {"unit": UNIT, "skipped": skipped, "left_out": left_out}
        report["notes"] = {library.name: library.note for library in libraries if library.note}
        report["workloads"] = [
            {
                "name": workload.name,
                "student_at_first": STUDENT_AT_FIRST.get(key),
                "contenders": {
                    name: measurement._asdict()
                    for name, measurement in measure(contenders, options.rounds, options.seconds).items()
                },
            }
            for key, (workload, contenders) in ready.items()
        ]
        sys.stdout.write(markdown(report))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    if options.chart is not None:
        chart(report, options.chart)
    return 0


def processor() -> str:
    """The processor's model, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks``: check that the contenders agree, time them, print ratios to hand-written NumPy."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import THREADS
from benchmarks.timing import Disagreement, check_agreement, measure
from benchmarks.workloads import OURS, UNIT, WORKLOADS, Workload


def main(arguments: Sequence[str] | None = None, workloads: Sequence[Workload] = WORKLOADS) -> int:
    """Print the table; return the exit code: 0 measured, 1 contenders disagree, 2 misspelt."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="What a step costs, as a multiple of hand-written NumPy."
    )
    parser.add_argument("--rounds", type=int, default=15, help="how often each contender is timed (default 15)")
    parser.add_argument(
        "--seconds", type=float, default=0.02, help="how long a contender runs in a round, about (default 0.02)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same to FILE as JSON")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or not 0 < options.seconds < 60:
        parser.error("expected --rounds of at least 1 and --seconds above 0 and below 60")
    if options.json is not None and not options.json.parent.is_dir():
        parser.error(f"expected --json in a folder that exists, got {str(options.json)!r}")

    try:
        for workload in workloads:
            check_agreement(workload)
    except Disagreement as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        return 1
    report = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processor": processor(),
        "blas_threads": {name: os.environ[name] for name in THREADS},
        "rounds": options.rounds,
        "seconds": options.seconds,
        "unit": UNIT,
        "workloads": [
            {
                "name": workload.name,
                "operations": workload.operations,
                "contenders": {
                    name: measurement._asdict()
                    for name, measurement in measure(workload, options.rounds, options.seconds).items()
                },
            }
            for workload in workloads
        ],
    }
    sys.stdout.write(markdown(report))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def processor() -> str:
    """The processor's model, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def markdown(report: dict[str, Any]) -> str:
    """A report, new or read back from JSON, as a header and a table: one row a workload, one column a contender."""
    workloads, unit = report["workloads"], report["unit"]
    names = list(dict.fromkeys(name for workload in workloads for name in workload["contenders"]))
    others = [name for name in names if name != unit]
    rows = [["step", f"{unit}, µs", *others, "µs per recorded operation"]]
    rows.append(["---", *["---:"] * (len(rows[0]) - 1)])
    for workload in workloads:
        contenders, operations = workload["contenders"], workload["operations"]
        row = [workload["name"], f"{contenders[unit]['microseconds']:.1f}"]
        for name in others:
            spread = "{ratio:.2f} ({lowest:.2f} to {highest:.2f})"
            row.append(spread.format(**contenders[name]) if name in contenders else "")
        recorded = operations and OURS in contenders
        row.append(f"{contenders[OURS]['microseconds'] / operations:.2f}" if recorded else "")
        rows.append(row)
    threads = "/".join(sorted(set(report["blas_threads"].values())))
    header = (
        f"Python {report['python']}, NumPy {report['numpy']}, {report['processor']}, BLAS threads: {threads}, "
        f"rounds: {report['rounds']}.\nTimes of one step as multiples of {unit}: median (lowest to highest) of the "
        "rounds' ratios."
    )
    return "\n".join([header, "", *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


if __name__ == "__main__":
    sys.exit(main())

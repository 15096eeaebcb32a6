"""What was measured, as Markdown and as a chart. A report is a dict that survives JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.problems import STUDENT, UNIT


def markdown(report: dict[str, Any]) -> str:
    """The run in a line, and a table: one row a workload, one column a contender."""
    workloads, unit = report["workloads"], report["unit"]
    names = list(dict.fromkeys(name for workload in workloads for name in workload["contenders"]))
    others = [name for name in names if name != unit]
    rows = []
    for workload in workloads:
        contenders = workload["contenders"]
        row = [workload["name"], f"{contenders[unit]['microseconds']:.1f}"]
        for name in others:
            spread = "{ratio:.2f} ({lowest:.2f} to {highest:.2f})"
            cell = spread.format(**contenders[name]) if name in contenders else ""
            if name == STUDENT and cell and workload["student_at_first"] is not None:
                cell += f"; at first: {workload['student_at_first']}"
            row.append(cell)
        rows.append(row)
    lines = [
        run(report),
        f"Times of one step as multiples of {unit}: median (lowest to highest) of the rounds' ratios.",
    ]
    if report["skipped"]:
        lines.append(f"Not installed, so skipped: {', '.join(report['skipped'])}.")
    if report["left_out"]:
        lines.append(f"Left out by --without: {', '.join(report['left_out'])}.")
    lines += [f"{name}: {note}" for name, note in report["notes"].items()]
    return "\n".join(lines) + "\n\n" + table(["step", f"{unit}, µs", *others], rows)


def run(report: dict[str, Any]) -> str:
    """What was measured on, and how."""
    threads = "/".join(sorted(set(report["blas_threads"].values())))
    return (
        f"Python {report['python']}, NumPy {report['numpy']}, {report['processor']}, {report['dtype']}, BLAS threads: "
        f"{threads}, allocator: {report['allocator']}, rounds: {report['rounds']}."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    rules = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rules, *rows]) + "\n"


def chart(report: dict[str, Any], path: Path) -> None:
    """Draw every contender's ratio to the unit, with its spread, on a logarithmic axis, as a PNG."""
    from matplotlib.figure import Figure  # an extra, and slow to import

    workloads, unit = report["workloads"], report["unit"]
    names = list(dict.fromkeys(name for workload in workloads for name in workload["contenders"]))
    others = [name for name in names if name != unit]
    figure = Figure(figsize=(9, 1.5 + 0.6 * len(workloads)), layout="constrained")
    axes = figure.add_subplot()
    for number, name in enumerate(others):
        shift = 0.7 * ((number + 0.5) / len(others) - 0.5)
        points = [(y + shift, w["contenders"][name]) for y, w in enumerate(workloads) if name in w["contenders"]]
        axes.errorbar(
            [m["ratio"] for _, m in points],
            [y for y, _ in points],
            xerr=[[m["ratio"] - m["lowest"] for _, m in points], [m["highest"] - m["ratio"] for _, m in points]],
            fmt="osD^v<>ph"[number % 9],
            color=f"C{number % 10}",
            markersize=5,
            linewidth=1,
            label=name,
        )
    axes.axvline(1, color="black", linewidth=1)
    for y in range(1, len(workloads)):
        axes.axhline(y - 0.5, color="lightgray", linewidth=0.5)
    axes.set_xscale("log")
    ticks = [0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks(range(len(workloads)), [workload["name"] for workload in workloads])
    axes.set_ylim(len(workloads) - 0.5, -0.5)
    axes.set_xlabel(f"time of a step as a multiple of {unit} ({report['dtype']})")
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(path, format="png", dpi=150)


def sweeps_markdown(report: dict[str, Any]) -> str:
    """The run in a line, and the sweeps, a table each."""
    sweeps = report["sweeps"]
    depth = [[f"{r['operations']:,}", f"{r['forward']:.2f}", f"{r['gradient']:.2f}"] for r in sweeps["depth"]]
    names = list(sweeps["width"][0]["ratios"])
    width = [
        [f"{r['batch']:,}", f"{r['microseconds']:.1f}", *(f"{ratio:.2f}" for ratio in r["ratios"].values())]
        for r in sweeps["width"]
    ]
    memory = [
        [r["workload"], r["contender"], f"{r['tape'] / 1024:,.1f}", f"{r['peak'] / 1024:,.1f}"]
        for r in sweeps["memory"]
    ]
    parts = [
        run(report) + "\n",
        "Depth: a chain of y * a and y + b, microseconds per operation.\n",
        table(["operations", "forward", "forward and gradient"], depth),
        f"Width: the net of W2 at other batch sizes, multiples of the time of {UNIT}.\n",
        table(["batch", f"{UNIT}, µs", *names], width),
        "Memory of a step of ours, KiB beyond what was held before it.\n",
        table(["workload", "contender", "held after forward", "peak"], memory),
        f"Import of tinygrad_np after NumPy: {sweeps['import_milliseconds']:.1f} ms.\n",
    ]
    return "\n".join(parts)

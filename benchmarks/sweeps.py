"""What a table of workloads does not show: how the cost changes with depth and width, memory, and the import."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.chains import chain_of
from benchmarks.networks import digits, network
from benchmarks.ours import OurGradients
from benchmarks.problems import LAYERS, PRIMITIVES, UNIT, Setting
from benchmarks.timing import agreeing, measure
from benchmarks.workloads import WORKLOADS

DEPTHS = (10, 100, 1000, 10_000, 100_000)
WIDTHS = (1, 4, 16, 64, 256, 1024, 4096)


def measure_all(setting: Setting, rounds: int, seconds: float) -> dict[str, Any]:
    """All of them, as a part of the report."""
    return {
        "depth": depth(setting, rounds, seconds, DEPTHS),
        "width": width(setting, rounds, seconds, WIDTHS),
        "memory": memory(setting),
        "import_milliseconds": import_milliseconds(rounds),
    }


def depth(setting: Setting, rounds: int, seconds: float, depths: Sequence[int]) -> list[dict[str, float]]:
    """Microseconds per operation of a chain, to build it, and to build it and take gradients."""
    rows = []
    for operations in depths:
        problem, loss = chain_of(operations // 2)
        contender = OurGradients(problem.astype(setting.dtype), loss)
        forward = _microseconds(contender.forward, rounds, seconds)
        gradient = _microseconds(contender.step, rounds, seconds)
        rows.append({"operations": operations, "forward": forward / operations, "gradient": gradient / operations})
    return rows


def _microseconds(function: Any, rounds: int, seconds: float) -> float:
    """The median over rounds of a call's time."""
    begin = perf_counter()
    function()
    repetitions = max(1, round(seconds / (perf_counter() - begin)))
    times = []
    for _ in range(rounds):
        gc.collect()
        begin = perf_counter()
        for _ in range(repetitions):
            function()
        times.append((perf_counter() - begin) / repetitions * 1e6)
    return median(times)


def width(setting: Setting, rounds: int, seconds: float, widths: Sequence[int]) -> list[dict[str, Any]]:
    """Our ratios to the unit in the net of W2, by batch size."""
    rows = []
    for batch in widths:
        workload = network(f"batch of {batch}", digits(1, batch), setting)
        found = measure(agreeing(workload), rounds, seconds)
        ratios = {name: found[name].ratio for name in (PRIMITIVES, LAYERS)}
        rows.append({"batch": batch, "microseconds": found[UNIT].microseconds, "ratios": ratios})
    return rows


def memory(setting: Setting) -> list[dict[str, Any]]:
    """Bytes that a loss holds by its tape, and the most that a whole step held at once, both beyond what was before."""
    rows = []
    for start in WORKLOADS.values():
        workload = start(setting)
        for name in (PRIMITIVES, LAYERS):
            contender: Any = workload.contenders.get(name, lambda: None)()
            if contender is None:
                continue
            contender.step()  # what the first step makes for all later ones is not counted
            gc.collect()
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            loss = contender.forward()
            held, _ = tracemalloc.get_traced_memory()
            del loss
            gc.collect()
            tracemalloc.reset_peak()
            begin, _ = tracemalloc.get_traced_memory()
            contender.step()
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            row = {"workload": workload.name, "contender": name, "tape": held - before, "peak": peak - begin}
            rows.append(row)
    return rows


def import_milliseconds(rounds: int) -> float:
    """The median time of ``import tinygrad_np`` in a fresh Python that has imported NumPy."""
    program = (
        "import numpy; from time import perf_counter; begin = perf_counter(); import tinygrad_np; "
        "import sys; sys.stdout.write(str(perf_counter() - begin))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(rounds)
    ]
    return median(float(run) for run in runs) * 1e3

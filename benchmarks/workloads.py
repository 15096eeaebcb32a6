"""The workloads by their keys, and how their students stood to their experts when these steps were first measured."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import chains, formulas, images, networks
from benchmarks.problems import Setting, Workload

WORKLOADS: dict[str, Callable[[Setting], Workload]] = {
    "W1": networks.circles,
    "W2": networks.full_batch,
    "W3": networks.small_batch,
    "W4": networks.wide,
    "W5": images.images,
    "W6": chains.chain,
    "W7": chains.long_chain,
    "W8": networks.dropout,
    "W9a": formulas.classifier,
    "W9b": formulas.repeats,
    "W10": formulas.curvature,
}

STUDENT_AT_FIRST = {
    "W1": 2.6,
    "W2": 1.1,
    "W3": 2.1,
    "W4": 1.1,
    "W5": 3.6,
    "W6": 1.2,
    "W8": 1.15,
    "W9a": 1.7,
    "W9b": 1.6,
    "W10": 1.9,
}
"""Student over expert in the measurement that chose the workloads. Where ours is higher, our expert is the better."""

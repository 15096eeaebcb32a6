"""Other packages that a user of NumPy could install instead, each in a file of its own; what is missing is skipped."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module

from benchmarks.problems import Library

PEERS = {
    "PyTorch eager": ("benchmarks.peers.pytorch", "Eager"),
    "PyTorch compile": ("benchmarks.peers.pytorch", "Compiled"),
    "JAX jit": ("benchmarks.peers.xla", "Jax"),
    "autograd": ("benchmarks.peers.hips", "Autograd"),
    "MyGrad": ("benchmarks.peers.my_grad", "MyGrad"),
}
"""Each by the name in the table: the module, and its class of `Library`."""


def installed(left_out: Collection[str] = ()) -> tuple[list[Library], list[str]]:
    """The peers that can be imported, save those left out, and the names of the missing ones."""
    libraries, missing = [], []
    for name, (module, library) in PEERS.items():
        if name in left_out:
            continue
        try:
            libraries.append(getattr(import_module(module), library)())
        except ModuleNotFoundError:
            missing.append(name)
    return libraries, missing

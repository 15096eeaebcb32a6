"""Hypothesis strategies for tests of gradients: shapes, arrays, arguments of a function, and whole programs.

What they draw shrinks, and prints as text that can be pasted.
"""

from importlib.util import find_spec

from tinygrad_np.errors import MissingExtraError

if find_spec("hypothesis") is None:
    raise MissingExtraError(
        "strategies: these draw with Hypothesis, which is not installed; pip install 'tinygrad-np[test]'"
    )

from tinygrad_np.strategies.arguments import Arguments, arguments_for, choices
from tinygrad_np.strategies.entries import arrays, broadcastable_shapes, shapes
from tinygrad_np.strategies.programs import Program, Step, programs

__all__ = [
    "Arguments",
    "Program",
    "Step",
    "arguments_for",
    "arrays",
    "broadcastable_shapes",
    "choices",
    "programs",
    "shapes",
]

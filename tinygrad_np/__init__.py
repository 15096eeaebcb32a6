"""Reverse-mode automatic differentiation on NumPy, small enough to read in one sitting."""

from tinygrad_np import errors, nn, ops, optim
from tinygrad_np.debugging import debug
from tinygrad_np.engine import grad, tape
from tinygrad_np.errors import TinygradError
from tinygrad_np.files import load, save
from tinygrad_np.modes import no_grad
from tinygrad_np.ops import *
from tinygrad_np.primitives import primitive
from tinygrad_np.profiling import profile
from tinygrad_np.tensors import Tensor, from_numpy, stop_gradient, tensor

__all__ = [
    "Tensor",
    "TinygradError",
    "debug",
    "errors",
    "from_numpy",
    "grad",
    "load",
    "nn",
    "no_grad",
    "optim",
    "primitive",
    "profile",
    "save",
    "stop_gradient",
    "tape",
    "tensor",
]
__all__ += ops.__all__
__all__.sort()

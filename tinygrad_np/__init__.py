"""Reverse-mode automatic differentiation on NumPy, small enough to read in one sitting."""

from tinygrad_np import errors, nn, ops, optim
from tinygrad_np.debugging import debug
from tinygrad_np.engine import grad, tape
from tinygrad_np.errors import TinygradError
from tinygrad_np.files import load, save
from tinygrad_np.modes import no_grad
from tinygrad_np.ops.choice import *
from tinygrad_np.ops.conv import *
from tinygrad_np.ops.differences import *
from tinygrad_np.ops.elementwise import *
from tinygrad_np.ops.exponentials import *
from tinygrad_np.ops.indexing import *
from tinygrad_np.ops.joining import *
from tinygrad_np.ops.linalg import *
from tinygrad_np.ops.logic import *
from tinygrad_np.ops.losses import *
from tinygrad_np.ops.placing import *
from tinygrad_np.ops.reductions import *
from tinygrad_np.ops.shape import *
from tinygrad_np.ops.sorting import *
from tinygrad_np.ops.statistics import *
from tinygrad_np.ops.trigonometry import *
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
__all__ += ops.__all__  # imported family by family above, where type checkers follow
__all__.sort()

"""The functions of arrays by family: primitives, each beside its rules, and what is written in primitives."""

from tinygrad_np.ops import conv, elementwise, indexing, linalg, losses, reductions, shape
from tinygrad_np.ops import kernels as kernels
from tinygrad_np.ops.conv import *
from tinygrad_np.ops.elementwise import *
from tinygrad_np.ops.indexing import *
from tinygrad_np.ops.linalg import *
from tinygrad_np.ops.losses import *
from tinygrad_np.ops.reductions import *
from tinygrad_np.ops.shape import *

__all__ = []
__all__ += conv.__all__
__all__ += elementwise.__all__
__all__ += indexing.__all__
__all__ += linalg.__all__
__all__ += losses.__all__
__all__ += reductions.__all__
__all__ += shape.__all__

"""The functions of arrays by family: primitives, each beside its rules, and what is written in primitives."""

from tinygrad_np.ops import (
    choice,
    conv,
    differences,
    elementwise,
    exponentials,
    indexing,
    joining,
    linalg,
    logic,
    losses,
    placing,
    reductions,
    shape,
    sorting,
    statistics,
    trigonometry,
)
from tinygrad_np.ops import kernels as kernels
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

__all__ = []
__all__ += choice.__all__
__all__ += conv.__all__
__all__ += differences.__all__
__all__ += elementwise.__all__
__all__ += exponentials.__all__
__all__ += indexing.__all__
__all__ += joining.__all__
__all__ += linalg.__all__
__all__ += logic.__all__
__all__ += losses.__all__
__all__ += placing.__all__
__all__ += reductions.__all__
__all__ += shape.__all__
__all__ += sorting.__all__
__all__ += statistics.__all__
__all__ += trigonometry.__all__

"""Reading entries by index, and adding them up where they came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_np.primitives import primitive
from tinygrad_np.values import Array

__all__ = [
    "getitem",
    "scatter_add",
]


@primitive
def getitem(x: Array, /, index: Any) -> Any:
    """``x[index]``, with everything that NumPy's indexing knows; a repeated index adds up in the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> getitem(np.array([10.0, 20.0, 30.0]), [0, 0, 2])
    array([10., 10., 30.])
    """
    return x[index]


@primitive(broadcasts=True)
def scatter_add(x: Array, /, index: Any, shape: tuple[int, ...]) -> Any:
    """An array of zeros of `shape`, with the entries of `x` added in at `index`: what `getitem` reads, put back.

    Examples
    --------
    >>> scatter_add([1.0, 2.0, 3.0], [0, 0, 2], (3,))
    array([3., 0., 3.])
    """
    x = np.asarray(x)
    out = np.zeros(shape, x.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if all(part is None or part is ... or isinstance(part, (slice, int, np.integer)) for part in parts):
        out[index] = x  # basic indexing never names an entry twice
    else:
        np.add.at(out, index, x)
    return out


getitem.def_vjp(x=lambda g, x_shape, index: scatter_add(g, index, x_shape))
scatter_add.def_vjp(x=lambda g, index: getitem(g, index))

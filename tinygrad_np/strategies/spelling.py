"""Values as Python text that evaluates to them, for what Hypothesis prints of a failing example."""

from __future__ import annotations

from typing import Any

import numpy as np


class Spelt:
    """Hypothesis prints this by its `repr`, and not field by field as other dataclasses.

    Examples
    --------
    >>> from hypothesis.vendor.pretty import pretty
    >>> class Two(Spelt):
    ...     def __repr__(self):
    ...         return "1 + 1"
    >>> pretty(Two())
    '1 + 1'
    """

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))


def spelt(value: Any) -> str:
    """Text that evaluates to the value, where `np` is NumPy; a function, which has no such text, by its name.

    Parameters
    ----------
    value
        A number, array or dtype, a slice, or a tuple, list or dict of these.

    Returns
    -------
    str

    Examples
    --------
    >>> spelt((np.array([-0.0, np.nan], np.float32), slice(None, None, 2)))
    "(np.array([-0.0, np.nan], 'float32'), slice(None, None, 2))"
    """
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(spelt, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(spelt, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{spelt(k)}: {spelt(v)}' for k, v in value.items())}}}"
    if isinstance(value, np.dtype):
        return f"np.dtype({str(value)!r})"
    if isinstance(value, np.longdouble):
        return f"np.longdouble({str(value)!r})"
    if isinstance(value, np.generic):
        return f"np.{type(value).__name__}({spelt(value.item())})"
    if isinstance(value, float) and not np.isfinite(value):
        return f"{'-' if value < 0 else ''}np.{'nan' if np.isnan(value) else 'inf'}"
    if isinstance(value, type) and issubclass(value, np.generic):
        return f"np.{value.__name__}"
    return str(getattr(value, "__name__", repr(value)))


def _array(array: np.ndarray[Any, Any]) -> str:
    if not array.size:
        return f"np.empty({array.shape}, {str(array.dtype)!r})"
    entries = array.tolist()
    dtype = "" if np.array(entries).dtype == array.dtype else f", {str(array.dtype)!r}"
    return f"np.array({spelt(entries)}{dtype})"

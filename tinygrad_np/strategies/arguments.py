"""Arguments of a function of which facts are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import SearchStrategy

import tinygrad_np as tg
from tinygrad_np.errors import ArgumentError
from tinygrad_np.facts import Choices, Facts, known
from tinygrad_np.strategies.spelling import Spelt, spelt
from tinygrad_np.values import Array
from tinygrad_np.verify.checks import LAYOUTS
from tinygrad_np.verify.subjects import takes_a_list


@dataclass(frozen=True, repr=False, eq=False)
class Arguments(Spelt):
    """What a function is called with; printed as that call.

    Parameters
    ----------
    function
        Which it is for.
    arrays
        Its array arguments.
    static
        The parameters that follow them.
    options
        Those given by keyword.
    in_a_list
        Whether the function takes its arrays in one list.
    layout
        How they lie in memory, if not in C order.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_np as tg
    >>> arguments = Arguments(tg.sum, (np.array([[1.0, 2.0]]),), (1,), {"keepdims": True})
    >>> arguments
    tg.sum(np.array([[1.0, 2.0]]), 1, keepdims=True)
    >>> arguments.function(*arguments.positional, **arguments.options)
    array([[3.]])
    """

    function: Any
    arrays: tuple[Array, ...]
    static: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    in_a_list: bool = False
    layout: str = ""

    @property
    def positional(self) -> tuple[Any, ...]:
        """All that is given by position."""
        return (*([list(self.arrays)] if self.in_a_list else self.arrays), *self.static)

    def __repr__(self) -> str:
        given = [*map(spelt, self.positional), *(f"{name}={spelt(v)}" for name, v in self.options.items())]
        return f"{_path(self.function)}({', '.join(given)})" + (f"  # arrays {self.layout}" if self.layout else "")


def _path(function: Any) -> str:
    """How a function is reached, where `tg` is this package."""
    name, module = str(getattr(function, "__name__", function)), str(getattr(function, "__module__", ""))
    if getattr(tg, name, None) is function:
        return f"tg.{name}"
    return f"tg{module.removeprefix('tinygrad_np')}.{name}" if module.startswith("tinygrad_np.") else name


@st.composite
def _choices(draw: st.DrawFn) -> Choices:
    return Choices(lambda low, high: draw(st.integers(low, high)))


def choices() -> SearchStrategy[Choices]:
    """Where facts draw from, as `tinygrad_np.facts.Choices`, each integer drawn by Hypothesis, so that all shrinks.

    Returns
    -------
    SearchStrategy

    Examples
    --------
    >>> from hypothesis import find
    >>> find(choices().map(lambda some: some.shape(sides=(2, 4))), lambda shape: len(shape) == 2)
    (2, 2)
    """
    return _choices()


def arguments_for(
    function: Any,
    facts: Facts | None = None,
    *,
    zeros: bool = False,
    ties: bool = False,
    layouts: bool = False,
    dtype: Any = None,
) -> SearchStrategy[Arguments]:
    """Arguments that a function takes, and at which it is smooth unless `zeros` or `ties` are asked for.

    Parameters
    ----------
    function : Primitive, Derived or function
        What to call.
    facts : Facts, optional
        What is known of it; without them, what the package knows, or was told by `tinygrad_np.verify.describe`.
    zeros
        Whether single entries become zeros of both signs.
    ties
        Whether single entries become equal to the first.
    layouts
        Whether arrays also come in Fortran order and strided.
    dtype : dtype, optional
        Of all arrays of floats; without it, float64 as a rule.

    Returns
    -------
    SearchStrategy
        Of `Arguments`.

    Raises
    ------
    ArgumentError
        If nothing is known of the function.

    Examples
    --------
    >>> import tinygrad_np as tg
    >>> from hypothesis import find
    >>> arguments = find(arguments_for(tg.matmul), lambda found: found.arrays[0].ndim == 2)
    >>> type(tg.matmul(*arguments.positional, **arguments.options))
    <class 'numpy.ndarray'>
    """
    facts = known.get(function) if facts is None else facts
    if facts is None:
        name = _path(function)
        raise ArgumentError(
            f"arguments_for: expected a function of which something is known, got {name}; say where it is smooth, "
            f"verify.describe({name}, facts.unary(reference)), or give facts=..."
        )
    return _arguments(function, facts, zeros, ties, layouts, dtype)


@st.composite
def _arguments(
    draw: st.DrawFn, function: Any, facts: Facts, zeros: bool, ties: bool, layouts: bool, dtype: Any
) -> Arguments:
    trial = facts.trial(draw(choices())) if facts.trial else draw(st.sampled_from([facts.base, *facts.more]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layout = draw(st.sampled_from(["", *LAYOUTS] if layouts else [""]))
    arrays = []
    for array in map(np.array, facts.draw(rng, trial.shapes)):
        if array.dtype.kind == "f":
            array = draw(_with_special(array, zeros, ties)).astype(dtype or array.dtype)
        arrays.append(LAYOUTS[layout](array) if layout else array)
    return Arguments(function, tuple(arrays), trial.static, trial.options, takes_a_list(function, facts), layout)


@st.composite
def _with_special(draw: st.DrawFn, array: Array, zeros: bool, ties: bool) -> Array:
    """The array, with single entries made zeros of both signs, or equal to the first."""
    special = [0.0, -0.0] * zeros + array.reshape(-1)[:1].tolist() * ties
    if not special or not array.size:
        return array
    kinds = draw(hnp.arrays(np.intp, array.shape, elements=st.integers(0, len(special))))
    return np.asarray(np.choose(kinds, [array, *special]))

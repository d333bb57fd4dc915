"""How every kernel of this package is compiled: now, for the types that it is annotated with, and kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from edgehar.kernel_cache import prepare_cache
from edgehar.types import FloatArray, IntArray

CACHE: Final = prepare_cache()

from numba import njit  # noqa: E402 - only after the cache has its place

R = TypeVar("R")

Vector = Annotated[FloatArray, "float32[::1]"]
Matrix = Annotated[FloatArray, "float32[:,::1]"]
Indices = Annotated[IntArray, "int64[::1]"]
Table = Annotated[IntArray, "int64[:,::1]"]
SCALARS: Mapping[Any, str] = {
    int: "int64",
    bool: "boolean",
    np.float32: "float32",
    tuple[np.float32, np.float32]: "UniTuple(float32, 2)",
    type(None): "void",
}

FUSED: Final = frozenset({"contract"})
"""a * b + c may round once. Not more: no reordering, so results are the same for every vector width; NaN stays NaN."""


def kernel(function: Callable[..., R]) -> Callable[..., R]:
    """Compile with fused multiply-adds, without the GIL and without Python's check for division by zero."""
    return _compile(function, set(FUSED))


def inlined_kernel(function: Callable[..., R]) -> Callable[..., R]:
    """`kernel` that becomes part of its caller: a call with three arrays costs as much as a small product."""
    return _compile(function, set(FUSED), inline=True)


def exact_kernel(function: Callable[..., R]) -> Callable[..., R]:
    """The same with every operation rounded on its own, in the written order: the same bits as NumPy's."""
    return _compile(function, False)


def inlined_exact_kernel(function: Callable[..., R]) -> Callable[..., R]:
    """`exact_kernel` that becomes part of its caller."""
    return _compile(function, False, inline=True)


def _compile(function: Callable[..., R], fastmath: set[str] | bool, *, inline: bool = False) -> Callable[..., R]:
    hints = get_type_hints(function, include_extras=True)
    result = _numba_type(hints.pop("return"))
    signature = f"{result}({', '.join(map(_numba_type, hints.values()))})"
    options: dict[str, Any] = {"cache": CACHE, "nogil": True, "error_model": "numpy"}
    options |= {"fastmath": fastmath, "forceinline": inline}
    compiled: Callable[..., R] = njit(signature, **options)(function)
    return compiled


def _numba_type(hint: Any) -> str:
    return SCALARS[hint] if hint in SCALARS else str(hint.__metadata__[0])


class Engine:
    """A family's kernel with its buffers: the state of one stream, or of one whole window at a time.

    Made as `factory(packed, manifest, hop)` from what `factory.pack(manifest, weights)` returned, which all engines
    of a bundle share. `kernel(x, t, *arguments, ends, logits)` is one call; `state`: the arrays among the arguments
    that are zero before sample 0; `counters`: those that count spikes.
    """

    kernel: Any = None
    arguments: tuple[Any, ...] = ()
    state: tuple[NDArray[Any], ...] = ()
    counters: tuple[NDArray[Any], ...] = ()

    def run(self, x: FloatArray, t: int, ends: IntArray, logits: FloatArray) -> None:
        """Advance by x [n, inputs]; x[0] is sample t since the last clear. Fills ends [m] and logits [m, classes]."""
        self.kernel(x, t, *self.arguments, ends, logits)

    def clear(self) -> None:
        """Back to the state before sample 0."""
        for array in self.state:
            array.fill(0)

    def spikes(self) -> dict[str, tuple[int, int]]:
        """Spikes and neuron-steps of every population since `clear_spikes`; {} where nothing spikes."""
        return {}

    def clear_spikes(self) -> None:
        """Count from zero again."""
        for array in self.counters:
            array.fill(0)

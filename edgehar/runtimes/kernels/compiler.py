"""How every kernel of this package is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from edgehar.runtimes.cache import prepare_cache
from edgehar.types import FloatArray, IntArray

CACHE: Final = prepare_cache()

from numba import njit  # noqa: E402 - only after the cache has its place

R = TypeVar("R")

EXACT: Final[frozenset[str]] = frozenset()
"""Every operation rounded on its own and in the written order: the same bits as NumPy's."""

FUSED: Final = frozenset({"contract"})
"""a * b + c may round once. Not more: no reordering, so results are the same for every vector width; NaN stays NaN."""


def kernel(signature: str, math: frozenset[str] = FUSED) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Compile now, for this signature only, without the GIL and without Python's check for division by zero."""

    def compile_now(function: Callable[..., R]) -> Callable[..., R]:
        fastmath = set(math) or False
        compiled: Callable[..., R] = njit(signature, cache=CACHE, nogil=True, error_model="numpy", fastmath=fastmath)(
            function
        )
        return compiled

    return compile_now


class Engine:
    """A family's kernel with its buffers: the state of one stream, or of one whole window at a time.

    Made as `factory(packed, manifest, hop)` from what `factory.pack(manifest, weights)` returned, which all engines
    of a bundle share.
    """

    def run(self, x: FloatArray, t: int, ends: IntArray, logits: FloatArray) -> None:
        """Advance by x [n, inputs]; x[0] is sample t since the last clear. Fills ends [m] and logits [m, classes]."""
        raise NotImplementedError

    def clear(self) -> None:
        """Back to the state before sample 0."""
        raise NotImplementedError

    def spikes(self) -> dict[str, tuple[int, int]]:
        """Spikes and neuron-steps of every population since `clear_spikes`; {} where nothing spikes."""
        return {}

    def clear_spikes(self) -> None:
        """Count from zero again."""

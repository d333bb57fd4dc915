"""The reference for quantised bundles: every finished window through the integer graph in NumPy, from its start.

Integers are exact, so recomputing a window gives the bits that a streaming kernel has; slow, and right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.bundle import Bundle
from edgehar.graph.intexecute import run_int_graph
from edgehar.graph.intops import IntLif
from edgehar.runtimes.lowered import int_graph_of
from edgehar.types import FloatArray

BATCH = 256


def int_logits(bundle: Bundle, x: FloatArray) -> FloatArray:
    """Logits [n, classes] of preprocessed windows x [n, window, inputs] of a quantised bundle, many at once."""
    graph = int_graph_of(bundle)
    return np.concatenate([run_int_graph(graph, x[i : i + BATCH]) for i in range(0, len(x), BATCH)])


class IntWindows:
    """The newest samples of a stream; `step` gives logits whenever a window ends."""

    def __init__(self, bundle: Bundle) -> None:
        self.graph = int_graph_of(bundle)
        self._populations = {op.out: _population(op.out) for op in self.graph.step if isinstance(op, IntLif)}
        self.reset()

    def reset(self) -> None:
        self._newest = np.zeros((0, self.graph.inputs), np.float32)
        self._fired = dict.fromkeys(self._populations.values(), 0)
        self._steps = 0
        self.seen = 0

    def step(self, x: FloatArray) -> FloatArray | None:
        """The next sample [inputs]; logits [classes] if it ends a window."""
        self._newest = np.concatenate([self._newest[-(self.graph.window - 1) :], x[None]])[-self.graph.window :]
        self.seen += 1
        since = self.seen - self.graph.window
        return self.window(self._newest) if since >= 0 and since % self.graph.hop == 0 else None

    def window(self, x: FloatArray) -> FloatArray:
        """Logits of one whole window x [window, inputs]."""
        # NaN has no integer; such a window's logits have no meaning, but must not stop the stream.
        logits: FloatArray = run_int_graph(self.graph, np.nan_to_num(x)[None], self._count if self._fired else None)[0]
        return logits

    def spike_rates(self) -> dict[str, float]:
        sizes = {p: self.graph.sizes[out] for out, p in self._populations.items()}
        return {p: fired / max(1, self._steps * sizes[p]) for p, fired in self._fired.items()}

    def _count(self, values: Mapping[str, NDArray[Any]]) -> None:
        self._steps += 1
        for out, population in self._populations.items():
            self._fired[population] += int(values[out].sum())


def _population(spikes: str) -> str:
    return spikes.removeprefix("S_").removesuffix("_next")

"""The default runtime: compiled kernels that advance a stream and give the reference runtime's numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from edgehar.bundle import Bundle
from edgehar.registry import resolve
from edgehar.runtimes.lowered import int_graph_of
from edgehar.runtimes.samples import check_samples, check_window
from edgehar.types import FloatArray, IntArray

if TYPE_CHECKING:
    from edgehar.runtimes.kernels.compiler import Engine

ENGINES: Mapping[str, str] = {
    "cnn": "edgehar.runtimes.kernels.convnet:ConvnetEngine",
    "dscnn": "edgehar.runtimes.kernels.convnet:ConvnetEngine",
    "fastgrnn": "edgehar.runtimes.kernels.fastgrnn:FastGRNNEngine",
    "gru": "edgehar.runtimes.kernels.gru:GRUEngine",
    "l2mu": "edgehar.runtimes.kernels.l2mu:L2MUEngine",
}


class NumbaRuntime:
    """`edgehar.runtimes.Runtime`, in integers where the bundle is quantised.

    Making one compiles the family's kernel, or loads it from the cache.
    """

    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        engine = _float_engine(bundle) if manifest.quant is None else _integer_engine(bundle)
        self._manifest = manifest
        self._stream = engine(manifest.hop)
        # A whole window is a stream of one window: its own state, one lane.
        self._whole = engine(manifest.window)
        self._seen = 0

    def window(self, x: FloatArray) -> FloatArray:
        x = check_window(x, self._manifest)
        ends, logits = np.empty(1, np.int64), np.empty((1, len(self._manifest.labels)), np.float32)
        self._whole.clear()
        self._whole.run(x, 0, ends, logits)
        scores: FloatArray = logits[0]
        return scores

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        x = check_samples(x, self._manifest)
        count = self._windows_ended(self._seen + len(x)) - self._windows_ended(self._seen)
        ends, logits = np.empty(count, np.int64), np.empty((count, len(self._manifest.labels)), np.float32)
        self._stream.run(x, self._seen, ends, logits)
        self._seen += len(x)
        return ends, logits

    def reset(self) -> None:
        self._stream.clear()
        self._stream.clear_spikes()
        self._whole.clear_spikes()
        self._seen = 0

    def spike_rates(self) -> dict[str, float]:
        stream, whole = self._stream.spikes(), self._whole.spikes()
        return {p: (stream[p][0] + whole[p][0]) / max(1, stream[p][1] + whole[p][1]) for p in stream}

    def _windows_ended(self, samples: int) -> int:
        since = samples - self._manifest.window
        return since // self._manifest.hop + 1 if since >= 0 else 0


def _float_engine(bundle: Bundle) -> Callable[[int], Engine]:
    manifest = bundle.manifest
    factory = resolve("engines", ENGINES, manifest.model["family"])
    packed = factory.pack(manifest, bundle.weights)
    return lambda hop: factory(packed, manifest, hop)


def _integer_engine(bundle: Bundle) -> Callable[[int], Engine]:
    """Kernels are imported only where they run, since importing compiles them."""
    from edgehar.runtimes.kernels.integer import integer_engine

    return integer_engine(int_graph_of(bundle))

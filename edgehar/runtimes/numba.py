"""The default runtime: compiled kernels that advance a stream and give the reference runtime's numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from edgehar.bundle import Bundle
from edgehar.registry import resolve
from edgehar.runtimes.kernel_stream import EngineStream, KernelStream, bound_stream, kernel_name
from edgehar.runtimes.prepared import keep_prepared, prepared_stream
from edgehar.runtimes.samples import check_window
from edgehar.types import FloatArray, IntArray

if TYPE_CHECKING:
    from edgehar.runtimes.kernels.compiler import Engine

ENGINES: Mapping[str, str] = {
    "cnn": "edgehar.runtimes.kernels.convnet:ConvnetEngine",
    "csicnn": "edgehar.runtimes.kernels.convnet:ConvnetEngine",
    "csieffnet": "edgehar.runtimes.kernels.convnet:ConvnetEngine",
    "dscnn": "edgehar.runtimes.kernels.convnet:ConvnetEngine",
    "fastgrnn": "edgehar.runtimes.kernels.fastgrnn:FastGRNNEngine",
    "fusion": "edgehar.runtimes.kernels.convnet:ConvnetEngine",
    "gru": "edgehar.runtimes.kernels.gru:GRUEngine",
    "l2mu": "edgehar.runtimes.kernels.l2mu:L2MUEngine",
}


class NumbaRuntime:
    """`edgehar.runtimes.Runtime`, in integers where the bundle is quantised.

    A stream whose machine code and packed weights were kept by an earlier run starts without importing Numba. The
    engines, and with them the compiler, are made where they are first needed: for whole windows, for spike rates, and
    for a bundle that this machine meets for the first time.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle, self._manifest = bundle, bundle.manifest
        self._stream: KernelStream | EngineStream = prepared_stream(bundle) or self._new_stream()
        # The stream's own method in place of ours: a Python call between them takes as long as a small layer.
        vars(self)["push"] = self._stream.push

    def window(self, x: FloatArray) -> FloatArray:
        x = check_window(x, self._manifest)
        ends, logits = np.empty(1, np.int64), np.empty((1, self._manifest.outputs), np.float32)
        self._whole.clear()
        self._whole.run(x, 0, ends, logits)
        scores: FloatArray = logits[0]
        return scores

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        return self._stream.push(x)

    def reset(self) -> None:
        self._stream.clear()
        for array in self._stream.counters:
            array.fill(0)
        if "_whole" in vars(self):
            self._whole.clear_spikes()

    def spike_rates(self) -> dict[str, float]:
        for own, counted in zip(self._engine.counters, self._stream.counters, strict=True):
            own[:] = counted
        stream, whole = self._engine.spikes(), self._whole.spikes()
        return {p: (stream[p][0] + whole[p][0]) / max(1, stream[p][1] + whole[p][1]) for p in stream}

    def _new_stream(self) -> KernelStream | EngineStream:
        stream = bound_stream(self._engine, self._manifest)
        if stream is None:
            return EngineStream(self._engine, self._manifest)
        keep_prepared(self._bundle, stream, kernel_name(self._engine))
        return stream

    @cached_property
    def _engine(self) -> Engine:
        return self._make(self._manifest.hop)

    @cached_property
    def _whole(self) -> Engine:
        # A whole window is a stream of one window: its own state, one lane.
        return self._make(self._manifest.window)

    @cached_property
    def _make(self) -> Callable[[int], Engine]:
        return _float_engine(self._bundle) if self._manifest.quant is None else _integer_engine(self._bundle)


def _float_engine(bundle: Bundle) -> Callable[[int], Engine]:
    manifest = bundle.manifest
    factory = resolve("engines", ENGINES, manifest.model["family"])
    packed = factory.pack(manifest, bundle.weights)
    return lambda hop: factory(packed, manifest, hop)


def _integer_engine(bundle: Bundle) -> Callable[[int], Engine]:
    """Kernels and graphs are imported only where they run: importing kernels compiles them."""
    from edgehar.runtimes.kernels.integer import integer_engine
    from edgehar.runtimes.lowered import int_graph_of

    return integer_engine(int_graph_of(bundle))

"""The reference runtime: plain NumPy, one sample at a time, readable beside the equations. Slow, and right."""

from __future__ import annotations

from collections.abc import Mapping

from edgehar.bundle import Bundle
from edgehar.registry import resolve
from edgehar.runtimes.cells import Cell
from edgehar.runtimes.cells.convnet import ConvStream, convnet_window
from edgehar.runtimes.intwindows import IntWindows
from edgehar.runtimes.lanes import Lanes
from edgehar.runtimes.samples import check_samples, check_window, push_one_by_one
from edgehar.types import FloatArray, IntArray

CELLS: Mapping[str, str] = {
    "fastgrnn": "edgehar.runtimes.cells.fastgrnn:FastGRNNCell",
    "gru": "edgehar.runtimes.cells.gru:GRUCell",
    "l2mu": "edgehar.runtimes.cells.l2mu:L2MUCell",
}


class ReferenceRuntime:
    """`edgehar.runtimes.Runtime` for every family of the bundle format, in integers where the bundle is quantised."""

    def __init__(self, bundle: Bundle) -> None:
        self._manifest = bundle.manifest
        self._stream: _RecurrentStream | _ConvnetStream | IntWindows
        if bundle.manifest.quant is not None:
            self._stream = IntWindows(bundle)
        elif bundle.manifest.model["family"] in CELLS:
            self._stream = _RecurrentStream(bundle)
        else:
            self._stream = _ConvnetStream(bundle)

    def window(self, x: FloatArray) -> FloatArray:
        return self._stream.window(check_window(x, self._manifest))

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        return push_one_by_one(self._stream, check_samples(x, self._manifest), self._manifest.outputs)

    def reset(self) -> None:
        self._stream.reset()

    def spike_rates(self) -> dict[str, float]:
        return self._stream.spike_rates()


class _RecurrentStream:
    """One state per lane; every lane whose window contains the sample advances by it."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._lanes = Lanes(bundle.manifest.window, bundle.manifest.hop)
        self.reset()

    def reset(self) -> None:
        manifest = self._bundle.manifest
        self._cell: Cell = resolve("cells", CELLS, manifest.model["family"])(manifest.model, self._bundle.weights)
        self._states = [self._cell.start() for _ in range(self._lanes.count)]
        self.seen = 0

    def step(self, x: FloatArray) -> FloatArray | None:
        plan = self._lanes.plan(self.seen)
        self.seen += 1
        if plan.fresh is not None:
            self._states[plan.fresh] = self._cell.start()
        for lane in plan.active:
            self._states[lane] = self._cell.step(self._states[lane], x)
        return None if plan.done is None else self._cell.logits(self._states[plan.done])

    def window(self, x: FloatArray) -> FloatArray:
        state = self._cell.start()
        for sample in x:
            state = self._cell.step(state, sample)
        return self._cell.logits(state)

    def spike_rates(self) -> dict[str, float]:
        return self._cell.spike_rates()


class _ConvnetStream:
    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        self._model, self._weights = manifest.model, bundle.weights
        self._stream = ConvStream(manifest.model, bundle.weights, manifest.window, manifest.hop)
        self.seen = 0

    def reset(self) -> None:
        self._stream.reset()
        self.seen = 0

    def step(self, x: FloatArray) -> FloatArray | None:
        self.seen += 1
        return self._stream.push(x)

    def window(self, x: FloatArray) -> FloatArray:
        return convnet_window(self._model, self._weights, x)

    def spike_rates(self) -> dict[str, float]:
        return {}

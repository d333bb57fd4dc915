"""What the runtimes of exported files share: the protocol around a model that is called with samples and states.

A whole-window file is run at every window's end. A recurrent model's step file advances one state per lane with every
sample, so that no work piles up at the end; a convnet's goes on over all windows and computes each column once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgehar.manifest import Manifest
from edgehar.runtimes.lanes import Lanes
from edgehar.runtimes.samples import check_samples, check_window, push_one_by_one
from edgehar.types import FloatArray, IntArray

States = Mapping[str, NDArray[Any]]


class Model(Protocol):
    """An opened file. `samples`: how many it takes in a call; `start`: its states at a window's start, {} for none."""

    samples: int
    start: States

    def __call__(self, x: FloatArray, states: States) -> tuple[FloatArray, States]:
        """Logits [classes] and the next states after preprocessed samples x [samples, inputs]."""
        ...


class FileRuntime:
    """`edgehar.runtimes.Runtime` on an opened file; it keeps the protocol with its own file's numbers.

    `integers`: the file computes in integers, which have no NaN; a window that holds one has no meaning either way.
    """

    def __init__(self, manifest: Manifest, model: Model, form: str, *, integers: bool) -> None:
        self._manifest, self._integers = manifest, integers
        self._stream: _Windows | _Steps | _Columns
        if form == "window":
            self._stream = _Windows(model, manifest.window, manifest.hop)
        elif "layers" in manifest.model:
            self._stream = _Columns(model, manifest.window, manifest.hop)
        else:
            self._stream = _Steps(model, Lanes(manifest.window, manifest.hop))

    def window(self, x: FloatArray) -> FloatArray:
        return self._stream.window(self._finite(check_window(x, self._manifest)))

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        return push_one_by_one(self._stream, self._finite(check_samples(x, self._manifest)), self._manifest.outputs)

    def reset(self) -> None:
        self._stream.reset()

    def spike_rates(self) -> dict[str, float]:
        """Nothing: a file does not count its spikes."""
        return {}

    def _finite(self, x: FloatArray) -> FloatArray:
        return np.nan_to_num(x) if self._integers else x


class _Windows:
    """The newest window of samples, run whole."""

    def __init__(self, model: Model, window: int, hop: int) -> None:
        self._model, self._window, self._hop = model, window, hop
        self.reset()

    def reset(self) -> None:
        self._newest: list[FloatArray] = []
        self.seen = 0

    def step(self, x: FloatArray) -> FloatArray | None:
        self._newest = [*self._newest[-(self._window - 1) :], x] if self._window > 1 else [x]
        self.seen += 1
        since = self.seen - self._window
        return self.window(np.stack(self._newest)) if since >= 0 and since % self._hop == 0 else None

    def window(self, x: FloatArray) -> FloatArray:
        return self._model(x, {})[0]


class _Steps:
    """One set of states per lane; the file itself keeps none."""

    def __init__(self, model: Model, lanes: Lanes) -> None:
        self._model, self._lanes = model, lanes
        self.reset()

    def reset(self) -> None:
        self._states = [self._model.start] * self._lanes.count
        self.seen = 0

    def step(self, x: FloatArray) -> FloatArray | None:
        plan = self._lanes.plan(self.seen)
        self.seen += 1
        if plan.fresh is not None:
            self._states[plan.fresh] = self._model.start
        scores = None
        for lane in plan.active:
            logits, self._states[lane] = self._model(x[None], self._states[lane])
            scores = logits if lane == plan.done else scores
        return scores

    def window(self, x: FloatArray) -> FloatArray:
        states = self._model.start
        for sample in x:
            logits, states = self._model(sample[None], states)
        return logits


class _Columns:
    """A convnet's step: one set of states, which every step of several samples shifts on."""

    def __init__(self, model: Model, window: int, hop: int) -> None:
        self._model, self._window, self._hop = model, window, hop
        self.reset()

    def reset(self) -> None:
        self._states = self._model.start
        self._pending: list[FloatArray] = []
        self.seen = 0

    def step(self, x: FloatArray) -> FloatArray | None:
        self._pending.append(x)
        self.seen += 1
        if len(self._pending) < self._model.samples:
            return None
        logits, self._states = self._model(np.stack(self._pending), self._states)
        self._pending = []
        since = self.seen - self._window  # a multiple of the step's samples, as window and hop are
        return logits if since >= 0 and since % self._hop == 0 else None

    def window(self, x: FloatArray) -> FloatArray:
        states = self._model.start
        for first in range(0, self._window, self._model.samples):
            logits, states = self._model(x[first : first + self._model.samples], states)
        return logits

"""A stream through one kernel: samples in, logits of finished windows out, with one call of machine code a push.

Samples are copied to where the kernel reads them, and the numbers that change, how many and which is the first, are
written into the call's block: a push of one sample costs little more than the kernel's own work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgehar.machine_code.bind import bind
from edgehar.machine_code.block import Call
from edgehar.manifest import Manifest
from edgehar.runtimes.samples import check_samples
from edgehar.types import FloatArray, IntArray

if TYPE_CHECKING:
    from edgehar.runtimes.kernels.compiler import Engine

FLOAT: Final = np.dtype(np.float32)
ROOM = 256
"""Samples a call takes; more are pushed in several."""


class KernelStream:
    """The stream of one bundle.

    `state`: the arrays among the call's arguments that are zero before the first sample; `counters`: those that count
    spikes.

    The call's arguments are x [ROOM, inputs], the number of its first sample, the engine's own, ends [m] and
    logits [m, classes].
    """

    def __init__(
        self, call: Call, state: Sequence[NDArray[Any]], counters: Sequence[NDArray[Any]], manifest: Manifest
    ) -> None:
        self.call, self.state, self.counters = call, tuple(state), tuple(counters)
        self._manifest, self._window, self._hop = manifest, manifest.window, manifest.hop
        self._x, self._ends, self._logits = call.arguments[0], call.arguments[-2], call.arguments[-1]
        self._inputs = self._x.shape[1]
        # Views are made once: making one takes longer than copying a hop.
        self._rooms: dict[tuple[int, ...], tuple[FloatArray, memoryview, int]] = {}
        self._cells = self._x.reshape(-1).view(np.uint8).data
        self._first_end, self._first_logits = self._ends[:1], self._logits[:1]
        self._words = call.words.data  # a memoryview: quicker to write than the array
        self._rows, self._t = call.place[0] + 1, call.place[1]
        self._nothing = np.empty(0, np.int64), np.empty((0, manifest.outputs), np.float32)
        self._run = call.run
        self._seen, self._due = 0, self._window

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        """As `edgehar.runtimes.Runtime.push`."""
        room = self._rooms.get(x.shape) or self._room_for(x)
        if room is None:
            parts = [self.push(x[i : i + ROOM]) for i in range(0, len(x), ROOM)]
            return np.concatenate([ends for ends, _ in parts]), np.concatenate([logits for _, logits in parts])
        samples, cells, n = room
        if x.dtype is FLOAT:
            cells[:] = x.tobytes()  # quicker than an assignment, which first looks for a way to convert
        else:
            samples[...] = x
        words = self._words
        words[self._rows], words[self._t] = n, self._seen
        if self._run():
            raise RuntimeError("a kernel failed on samples that it must take")
        self._seen += n
        due = self._due - n  # samples until the next window ends
        if due > 0:
            self._due = due
            return self._nothing
        if due > -self._hop:
            self._due = due + self._hop
            return self._first_end.copy(), self._first_logits.copy()
        count = 1 + -due // self._hop
        self._due = due + count * self._hop
        return self._ends[:count].copy(), self._logits[:count].copy()

    def _room_for(self, x: FloatArray) -> tuple[FloatArray, memoryview, int] | None:
        """Where the call reads samples of this shape, as numbers and as bytes, and how many they are.

        None: more than a call takes.
        """
        if x.ndim != 2 or x.shape[1] != self._inputs:
            check_samples(x, self._manifest)  # says what is wrong with it
        n = len(x)
        if n > ROOM:
            return None
        samples = self._x[:n]
        self._rooms[x.shape] = samples, self._cells[: samples.nbytes], n
        return self._rooms[x.shape]

    def clear(self) -> None:
        """Back to before the first sample."""
        for array in self.state:
            array.fill(0)
        self._seen, self._due = 0, self._window


def outer_arguments(manifest: Manifest) -> tuple[FloatArray, IntArray, FloatArray]:
    """Room for a call's samples, ends and logits."""
    most = ROOM // manifest.hop + 1
    inputs, classes = int(manifest.model["inputs"]), manifest.outputs
    return np.zeros((ROOM, inputs), np.float32), np.zeros(most, np.int64), np.zeros((most, classes), np.float32)


def bound_stream(engine: Engine, manifest: Manifest) -> KernelStream | None:
    """The stream of an engine whose hop is the manifest's; None where only Numba can call its kernel."""
    if engine.kernel is None:
        return None
    x, ends, logits = outer_arguments(manifest)
    call = bind(kernel_name(engine), (x, 0, *engine.arguments, ends, logits), lambda: engine.kernel)
    return None if call is None else KernelStream(call, engine.state, engine.counters, manifest)


def kernel_name(engine: Engine) -> str:
    """What the engine's kernel is called among kept code."""
    function = engine.kernel.py_func
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


class EngineStream:
    """The same through Numba's own dispatcher, where machine code cannot be kept."""

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        self._engine, self._manifest = engine, manifest
        self.counters = engine.counters
        self._seen = 0

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        """As `edgehar.runtimes.Runtime.push`."""
        x = check_samples(x, self._manifest)
        count = self._windows_ended(self._seen + len(x)) - self._windows_ended(self._seen)
        ends, logits = np.empty(count, np.int64), np.empty((count, self._manifest.outputs), np.float32)
        self._engine.run(x, self._seen, ends, logits)
        self._seen += len(x)
        return ends, logits

    def clear(self) -> None:
        """Back to before the first sample."""
        self._engine.clear()
        self._seen = 0

    def _windows_ended(self, samples: int) -> int:
        since = samples - self._manifest.window
        return since // self._manifest.hop + 1 if since >= 0 else 0

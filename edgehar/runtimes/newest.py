"""The newest samples of a stream: for runtimes that compute every window from its start."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgehar.types import FloatArray


class NewestSamples:
    """Cuts a stream of samples [n, inputs] into windows, one every `hop`, whatever the sizes of the chunks."""

    def __init__(self, window: int, hop: int, inputs: int) -> None:
        self._window, self._hop, self._inputs = window, hop, inputs
        self.clear()

    def clear(self) -> None:
        """The next sample is the first of a new first window."""
        self._kept = np.zeros((0, self._inputs), np.float32)
        self._seen = 0

    def windows(self, x: FloatArray) -> Iterator[tuple[int, FloatArray]]:
        """Every window that x finishes: samples since the last `clear`, exclusive, and its samples [window, inputs]."""
        joined = np.concatenate([self._kept, x])
        before = self._seen - len(self._kept)
        first = self._window + self._hop * max(0, -((self._window - self._seen - 1) // self._hop))
        self._seen += len(x)
        self._kept = joined[max(0, len(joined) - self._window + 1) :]
        for end in range(first, self._seen + 1, self._hop):
            yield end, joined[end - self._window - before : end - before]

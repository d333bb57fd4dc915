"""The rate that a stream really has, by the device's own clock."""

from __future__ import annotations

import numpy as np

from edgehar.types import IntArray

STEPS = 64  # what the median is taken over
FEWEST = 16  # below this many steps nothing is claimed


class RateMeter:
    """Median time per sample of the latest `STEPS` steps; running numbers tell a lost sample from a slow clock."""

    def __init__(self) -> None:
        self._t = np.empty(0, np.int64)
        self._seq = np.empty(0, np.int64)
        self._kept = 0

    def push(self, t_dev_ns: IntArray, seq: IntArray) -> None:
        """The next samples [n] as they left the device."""
        self._kept = min(len(self._t), STEPS)
        self._t = np.concatenate([self._t[-STEPS:], t_dev_ns])
        self._seq = np.concatenate([self._seq[-STEPS:], seq])

    def rate_hz(self, row: int | None = None) -> float | None:
        """Rate as of row `row` of the latest push, or its last; None while too few samples came."""
        end = len(self._t) if row is None else self._kept + row + 1
        steps = np.diff(self._t[max(0, end - STEPS - 1) : end])
        # A number that stands still or falls back is no running number: count such a step as one sample.
        counts = np.maximum(np.diff(self._seq[max(0, end - STEPS - 1) : end]), 1)
        if len(steps) < FEWEST:
            return None
        step_ns = float(np.median(steps / counts))
        return 1e9 / step_ns if step_ns > 0 else None

    def reset(self) -> None:
        """Forget the stream."""
        self._t, self._seq = self._t[:0], self._seq[:0]

"""The rate that a stream really has, by the device's own clock."""

from __future__ import annotations

from array import array

import numpy as np

from edgehar.types import IntArray

STEPS = 64  # what the median is taken over
FEWEST = 16  # below this many steps nothing is claimed
TRIM = 1024  # samples kept at most between two pushes, so that not every push moves them


class RateMeter:
    """Median time per sample of the latest `STEPS` steps; running numbers tell a lost sample from a slow clock."""

    def __init__(self) -> None:
        self._t, self._seq = array("q"), array("q")
        self._kept = 0

    def push(self, t_dev_ns: IntArray, seq: IntArray) -> None:
        """The next samples [n] as they left the device."""
        if len(self._t) > TRIM:
            del self._t[:-STEPS], self._seq[:-STEPS]
        self._kept = len(self._t)
        if len(t_dev_ns) == 1:  # the live case
            self._t.append(t_dev_ns.item())
            self._seq.append(seq.item())
        else:
            self._t.extend(t_dev_ns.tolist())
            self._seq.extend(seq.tolist())

    def rate_hz(self, row: int | None = None) -> float | None:
        """Rate as of row `row` of the latest push, or its last; None while too few samples came."""
        end = len(self._t) if row is None else self._kept + row + 1
        start = max(0, end - STEPS - 1)
        if end - start <= FEWEST:
            return None
        t, seq = np.frombuffer(self._t, np.int64)[start:end], np.frombuffer(self._seq, np.int64)[start:end]
        # A number that stands still or falls back is no running number: count such a step as one sample.
        steps = (t[1:] - t[:-1]) / np.maximum(seq[1:] - seq[:-1], 1)
        steps.sort()
        middle = len(steps) // 2
        step_ns = steps.item(middle) if len(steps) % 2 else (steps.item(middle - 1) + steps.item(middle)) / 2
        return 1e9 / step_ns if step_ns > 0 else None

    def reset(self) -> None:
        """Forget the stream."""
        self._t, self._seq = array("q"), array("q")

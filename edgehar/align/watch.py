"""A clock's fit for those who only look: no sample is dated, nothing is compiled, and a chunk costs microseconds."""

from __future__ import annotations

from collections import deque

import numpy as np

from edgehar.align.delay import UNKNOWN, LeastDelay
from edgehar.align.timeline import NEWEST, DeviceFit
from edgehar.clock import BLOCK_NS, BLOCKS, RESTART_NS, fit_clock
from edgehar.types import Chunk, Flag, IntArray


class ClockWatch:
    """`push` what a device sends; `fit` is its clock's line through the seconds so far, None in the first one."""

    def __init__(self, base: LeastDelay = UNKNOWN) -> None:
        self.base = base
        self.restarts = 0
        self._points: deque[tuple[int, int]] = deque(maxlen=BLOCKS)  # (t, least h - t) of every finished second
        self._recent: deque[tuple[IntArray, IntArray]] = deque()  # t, h - t of the newest samples
        self._held = 0
        self._block: int | None = None  # the second that runs, and its least so far
        self._least = (0, 0)
        self._last_ns: int | None = None

    def push(self, chunk: Chunk) -> None:
        """Samples in order of arrival."""
        t = chunk.t_dev_ns
        if not len(t):
            return
        last_ns = int(t[0]) if self._last_ns is None else self._last_ns
        fell = np.diff(t, prepend=last_ns) < -RESTART_NS
        anew = np.flatnonzero(fell | (((chunk.flags & Flag.CLOCK_RESET) != 0) & (self._last_ns is not None)))
        first = 0
        if len(anew):
            self.restarts += len(anew)
            self._points.clear()
            self._recent.clear()
            self._held, self._block, first = 0, None, int(anew[-1])
        self._last_ns = int(t[-1])
        t = t[first:]
        above = chunk.t_host_ns[first:] - t
        blocks = t // BLOCK_NS
        for block in np.unique(blocks).tolist():
            own = np.flatnonzero(blocks == block)
            i = own[above[own].argmin()]
            least = int(t[i]), int(above[i])
            if block == self._block:
                self._least = min(self._least, least, key=lambda point: point[1])
            else:
                if self._block is not None:
                    self._points.append(self._least)
                self._block, self._least = block, least
        self._recent.append((t, above))
        self._held += len(t)
        while self._held - len(self._recent[0][0]) >= NEWEST:
            self._held -= len(self._recent.popleft()[0])

    @property
    def fit(self) -> DeviceFit | None:
        """The newest line."""
        if not self._points:
            return None
        line = fit_clock(np.array(self._points))
        delays = np.concatenate([t + above - line.host_ns(t) for t, above in self._recent])
        p99 = max(0.0, float(np.percentile(delays, 99)))
        return DeviceFit(line.offset_ns, line.ppm, line.residual_ns, p99, self.restarts, self.base)

"""Room 2: the device's clock on the host's time line. Streaming, deterministic, independent of chunking.

A sample leaves the device at device time t and arrives at host time h = t + offset + drift (t - t_ref) + delay, with
delay >= 0: buses and radios only ever add. So the clock relation is the lower envelope of h - t. The least h - t of
every second of device time is kept; of the lines below all of those points, the fit is the one nearest to them (sum of
vertical distances; Moon, Skelly and Towsley, INFOCOM 1999).
A line takes effect when its second is over, so that every sample's time depends on earlier samples only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.types import Flag, FlagArray, IntArray

_RESET = int(Flag.CLOCK_RESET)
BLOCK_NS = 1_000_000_000
BLOCKS = 64  # how far back the fit looks
FEWEST = 4  # blocks before drift is estimated
MAX_PPM = 500.0  # crystals stay far below this; more means that host times are not arrival times
RESTART_NS = 1_000_000_000  # a clock that falls back further than this has restarted, flagged or not
WRAP_US = 1 << 32
WRAP_TOLERANCE_US = 10_000_000  # batches may arrive this late before a counter is taken for restarted


@dataclass(frozen=True, slots=True)
class ClockFit:
    """host = device + offset_ns + ppm * 1e-6 * (device - reference_ns); residual_ns = mean delay above the line."""

    reference_ns: int
    offset_ns: int
    ppm: float
    residual_ns: float

    def host_ns(self, t_dev_ns: IntArray) -> IntArray:
        """Device times [n] on the host's time line."""
        drift = np.rint((t_dev_ns - self.reference_ns) * (self.ppm * 1e-6)).astype(np.int64)
        return np.asarray(t_dev_ns + (self.offset_ns + drift))


class Clock:
    """`push` gives every sample its t_ns; `fit` is the current line, None in the first second."""

    def __init__(self) -> None:
        self.fit: ClockFit | None = None
        self.restarts = 0
        self._points: deque[tuple[int, int]] = deque(maxlen=BLOCKS)  # (t, least h - t) of every finished second
        self._last_ns: int | None = None
        self._least: tuple[int, int] | None = None  # (t, h - t) of the running second
        self._block_end_ns = 0

    def push(self, t_dev_ns: IntArray, t_host_ns: IntArray, flags: FlagArray) -> IntArray:
        """t_ns [n]: device times on the host's time line, each by the line that its predecessors support."""
        if not len(t_dev_ns):
            return t_dev_ns
        before = np.empty_like(t_dev_ns)
        before[0] = t_dev_ns[0] if self._last_ns is None else self._last_ns
        before[1:] = t_dev_ns[:-1]
        restarted = (t_dev_ns < before - RESTART_NS) | ((flags & _RESET) != 0)
        self._last_ns = int(t_dev_ns[-1])
        if not restarted.any():
            return self._run(t_dev_ns, t_host_ns)
        restarts = restarted.nonzero()[0]
        parts: list[IntArray] = []
        for t, h in zip(np.split(t_dev_ns, restarts), np.split(t_host_ns, restarts), strict=True):
            if parts:
                self._forget()
                self.restarts += 1
            parts.append(self._run(t, h) if len(t) else t)
        return np.concatenate(parts)

    def reset(self) -> None:
        """Forget the stream."""
        self._forget()
        self._last_ns = None
        self.restarts = 0

    def _forget(self) -> None:
        self.fit = self._least = None
        self._points.clear()

    def _run(self, t: IntArray, h: IntArray) -> IntArray:
        """A stretch without restart, taken second by second."""
        if self._least is None:
            self._block_end_ns = int(t[0]) + BLOCK_NS
        newest = np.maximum.accumulate(t)  # a late, out-of-order sample counts for the running second
        above = h - t
        out = np.empty_like(t)
        start = 0
        while start < len(t):
            end = int(np.searchsorted(newest, self._block_end_ns))
            if end > start:
                here = slice(start, end)
                lowest = start + int(np.argmin(above[here]))
                earlier = self._least
                if self.fit is not None:
                    out[here] = self.fit.host_ns(t[here])
                else:
                    least = np.minimum.accumulate(above[here])
                    out[here] = t[here] + (least if earlier is None else np.minimum(least, earlier[1]))
                if earlier is None or above[lowest] < earlier[1]:
                    self._least = int(t[lowest]), int(above[lowest])
            if end < len(t):
                self._finish_block(int(newest[end]))
            start = end
        return out

    def _finish_block(self, now_ns: int) -> None:
        if self._least is not None:
            self._points.append(self._least)
            self.fit = fit_clock(np.array(self._points))
        self._least = None
        self._block_end_ns += BLOCK_NS * (1 + (now_ns - self._block_end_ns) // BLOCK_NS)


def fit_clock(points: NDArray[np.int64]) -> ClockFit:
    """The line below all points [n, 2] of (device time, host - device), both in ns, that is nearest to them.

    It passes through two of the points, on either side of the mean time m: of all such chords the lowest at m, where
    chord (i, j) has the height (y_i (t_j - m) + y_j (m - t_i)) / (t_j - t_i).
    """
    t, base = (points[:, 0] - points[-1, 0]).astype(np.float64), int(points[:, 1].min())
    above = (points[:, 1] - base).astype(np.float64)
    slope = 0.0
    if len(points) >= FEWEST:
        early = t <= t.mean()
        t0, t1 = t[early][:, None] - t.mean(), t[~early] - t.mean()
        y0, y1 = above[early][:, None], above[~early]
        i, j = np.unravel_index(np.argmin((y0 * t1 - y1 * t0) / (t1 - t0)), (len(t0), len(t1)))
        slope = float((y1[j] - y0[i, 0]) / (t1[j] - t0[i, 0]))
    slope = min(max(slope, -MAX_PPM * 1e-6), MAX_PPM * 1e-6)
    rest = above - slope * t
    offset = float(rest.min())
    return ClockFit(int(points[-1, 0]), base + round(offset), slope * 1e6, float((rest - offset).mean()))


class CounterUnwrap:
    """A device's free-running 32-bit microsecond counter as 64-bit nanoseconds; finds wraps and restarts."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None  # (unwrapped us, host ns)

    def push(self, counter_us: NDArray[np.uint32], t_host_ns: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
        """(t_dev_ns [n], restarted [n]); a sample is `restarted` where the counter began anew (Flag.CLOCK_RESET).

        The counter wraps every 71.6 minutes. How many times it wrapped since the sample before is taken from the host's
        time; if no number of wraps brings the two within `WRAP_TOLERANCE_US`, the device restarted.
        """
        out, restarted = np.empty(len(counter_us), np.int64), np.zeros(len(counter_us), np.bool_)
        for i, (counter, host) in enumerate(zip(counter_us.tolist(), t_host_ns.tolist(), strict=True)):
            now = counter
            if self._last is not None:
                last, last_host = self._last
                waited_us = (host - last_host) // 1000
                step = (counter - last) % WRAP_US
                # A sample that overtook another is a small step back, not a full turn of the counter.
                step += WRAP_US * round((waited_us - step) / WRAP_US)
                if abs(step - waited_us) <= WRAP_TOLERANCE_US:
                    now = last + step
                else:
                    restarted[i] = True
            self._last = now, host
            out[i] = now * 1000
        return out, restarted

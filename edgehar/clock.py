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

from edgehar.dsp.kernel import Bound, kernel
from edgehar.dsp.rows import Rows
from edgehar.types import Flag, FlagArray, IntArray

_RESET = int(Flag.CLOCK_RESET)
BLOCK_NS = 1_000_000_000
BLOCKS = 64  # how far back the fit looks
FEWEST = 4  # blocks before drift is estimated
MAX_PPM = 500.0  # crystals stay far below this; more means that host times are not arrival times
RESTART_NS = 1_000_000_000  # a clock that falls back further than this has restarted, flagged or not
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


# Slots of the kernel's int64 state.
ROW = 0  # the next row
RESTARTS = 1
HAS_LAST = 2
LAST_NS = 3  # device time of the row before
HAS_LEAST = 4
LEAST_AT_NS = 5  # device time and host - device of the running second's least
LEAST_NS = 6
BLOCK_END_NS = 7
HAS_FIT = 8
REFERENCE_NS = 9
OFFSET_NS = 10
FORGET = 11  # 1: the clock restarted; what came before says nothing
SLOTS = 12


@kernel
def date_rows(
    count: IntArray,
    t_dev_ns: IntArray,
    t_host_ns: IntArray,
    flags: FlagArray,
    t_ns: IntArray,
    state: IntArray,
    drift: NDArray[np.float64],
) -> None:
    """Fill t_ns of the rows from state[ROW] on, up to the first that restarts the clock or that ends a second.

    There it returns, for `Clock` to forget or to fit, and is called again. count [1] rows; drift [1] = ppm * 1e-6.
    """
    for i in range(state[ROW], count[0]):
        state[ROW] = i
        t = t_dev_ns[i]
        if state[FORGET] == 1:
            state[FORGET] = 0
        elif (flags[i] & _RESET) != 0 or (state[HAS_LAST] == 1 and t < state[LAST_NS] - RESTART_NS):
            state[FORGET] = 1
            return
        above = t_host_ns[i] - t
        if state[HAS_LEAST] == 0:
            if state[HAS_FIT] == 0:
                state[BLOCK_END_NS] = t + BLOCK_NS
        elif t >= state[BLOCK_END_NS]:
            return
        if state[HAS_LEAST] == 0 or above < state[LEAST_NS]:
            state[HAS_LEAST], state[LEAST_AT_NS], state[LEAST_NS] = 1, t, above
        if state[HAS_FIT] == 1:
            beyond = np.int64(np.rint(np.float64(t - state[REFERENCE_NS]) * drift[0]))
            t_ns[i] = t + (state[OFFSET_NS] + beyond)
        else:
            t_ns[i] = t + state[LEAST_NS]
        state[HAS_LAST], state[LAST_NS] = 1, t
    state[ROW] = count[0]


class Clock:
    """`push` gives every sample its t_ns; `fit` is the current line, None in the first second.

    `rows`: whose samples `advance` dates; by default its own, which `push` fills.
    """

    def __init__(self, rows: Rows | None = None) -> None:
        self._rows = Rows(0) if rows is None else rows
        self.fit: ClockFit | None = None
        self._points: deque[tuple[int, int]] = deque(maxlen=BLOCKS)  # (t, least h - t) of every finished second
        self._slots, self._drift = np.zeros(SLOTS, np.int64), np.zeros(1)
        self._state = self._slots.data  # a memoryview is quicker to read and write than the array
        self._bind()

    @property
    def restarts(self) -> int:
        """How often the device's clock began anew."""
        return self._state[RESTARTS]

    def push(self, t_dev_ns: IntArray, t_host_ns: IntArray, flags: FlagArray) -> IntArray:
        """t_ns [n]: device times on the host's time line, each by the line that its predecessors support."""
        self._rows.take(t_dev_ns, t_host_ns, np.empty((len(t_dev_ns), 0), np.float32), flags)
        self.advance()
        return self._rows.t_ns[: len(t_dev_ns)].copy()

    def advance(self) -> None:
        """Date the samples that the rows hold."""
        if self._generation != self._rows.generation:
            self._bind()
        state, n = self._state, self._rows.n
        state[ROW] = 0
        self._run()
        while state[ROW] < n:
            if state[FORGET]:
                self._forget()
                state[RESTARTS] += 1
            else:
                self._finish_block(int(self._rows.t_dev_ns[state[ROW]]))
            self._run()

    def reset(self) -> None:
        """Forget the stream."""
        self._forget()
        self._slots.fill(0)

    def _bind(self) -> None:
        rows = self._rows
        self._generation = rows.generation
        arrays = rows.t_dev_ns, rows.t_host_ns, rows.flags, rows.t_ns
        self._bound = Bound(date_rows, rows.count, *arrays, self._slots, self._drift)
        self._run = self._bound.run

    def _forget(self) -> None:
        self.fit = None
        self._points.clear()
        self._state[HAS_LEAST] = self._state[HAS_FIT] = 0

    def _finish_block(self, now_ns: int) -> None:
        """Fit anew at the sample of time `now_ns`, the first after the running second."""
        state = self._state
        self._points.append((state[LEAST_AT_NS], state[LEAST_NS]))
        self.fit = fit_clock(np.array(self._points))
        state[HAS_FIT], state[REFERENCE_NS], state[OFFSET_NS] = 1, self.fit.reference_ns, self.fit.offset_ns
        self._drift[0] = self.fit.ppm * 1e-6
        state[HAS_LEAST] = 0
        state[BLOCK_END_NS] += BLOCK_NS * (1 + (now_ns - state[BLOCK_END_NS]) // BLOCK_NS)


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
    """A device's free-running counter as 64-bit nanoseconds; finds wraps and restarts by the host's time.

    Where there is no host's time, in files, `wire.unwrap.unwrap32` continues a counter by itself.
    bits: its width; tick_ns: what it counts in. A full turn must take longer than 2 * `WRAP_TOLERANCE_US`.
    """

    def __init__(self, bits: int = 32, tick_ns: int = 1000) -> None:
        self._turn = 1 << bits
        self._tick_ns = tick_ns
        self._tolerance = WRAP_TOLERANCE_US * 1000 // tick_ns
        self._last: tuple[int, int] | None = None  # (unwrapped ticks, host ns)

    def push(self, counter: NDArray[np.unsignedinteger], t_host_ns: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
        """(t_dev_ns [n], restarted [n]); a sample is `restarted` where the counter began anew (Flag.CLOCK_RESET).

        32 bits of microseconds wrap every 71.6 minutes. How many times it wrapped since the sample before is taken from
        the host's time; if no number of wraps brings the two within `WRAP_TOLERANCE_US`, the device restarted.
        """
        out, restarted = np.empty(len(counter), np.int64), np.zeros(len(counter), np.bool_)
        turn = self._turn
        for i, (now, host) in enumerate(zip(counter.tolist(), t_host_ns.tolist(), strict=True)):
            ticks = now
            if self._last is not None:
                last, last_host = self._last
                waited = (host - last_host) // self._tick_ns
                step = (now - last) % turn
                # A sample that overtook another is a small step back, not a full turn of the counter.
                step += turn * round((waited - step) / turn)
                if abs(step - waited) <= self._tolerance:
                    ticks = last + step
                else:
                    restarted[i] = True
            self._last = ticks, host
            out[i] = ticks * self._tick_ns
        return out, restarted

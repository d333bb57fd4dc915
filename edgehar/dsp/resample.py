"""Room 3, first step: samples at the device's own times become a uniform grid at the contract's rate.

Between two neighbouring real samples a and b, a grid point g is a + (b - a) (g - t_a) / (t_b - t_a), in float64. A
sample within `TICK_NS` of a grid point passes through bit for bit. Nothing is extrapolated: a point is ready when a
sample at or after it has arrived. A stretch of grid points without a hole longer than `max_gap_ns` is a segment; the
grid starts anew at the first sample of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.dsp.grid import Grid
from edgehar.dsp.kernel import kernel
from edgehar.types import Flag, FlagArray, FloatArray, IntArray

TICK_NS = 1_000  # device clocks count microseconds; closer than one tick is the same instant
RESTART_NS = 1_000_000_000  # a clock that falls back further than this has restarted, flagged or not
MAX_GAP_NS = 250_000_000
_RESET = int(Flag.CLOCK_RESET)
_SYNTHETIC = int(Flag.SYNTHETIC)


# Slots of the kernel's int64 state.
OPEN = 0  # 1 while a segment runs
LAST_NS = 1  # time of the last real sample
ANCHOR_NS = 2  # time of grid point 0 of this segment
NEXT = 3  # next grid point of this segment
BASE = 4  # stream index of grid point 0 of this segment
HAS_ORIGIN = 5
ORIGIN_NS = 6  # the instant of stream index ORIGIN_INDEX; it places a new segment in the stream's count
ORIGIN_INDEX = 7
FLOOR = 8  # least stream index that a new segment may take
UNORDERED = 9  # count of samples at or before the one before them
MISSING = 10  # count of samples with a channel not finite, or filled in by software
SLOTS = 11

# Why the kernel returned.
DONE = 0  # every row is used
GAP = 1  # the row lies more than max_gap_ns after the last real one
RESTART = 2  # the device clock restarted at the row
FULL = 3  # no room for the row's grid points; call again


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive grid points [m] of one segment, ready at this push.

    begins: these are the first of a new segment. index: stream index of the first point (grid periods since the
    stream's first row). x [m, c] float32. real [m]: False where the sample that belongs there never came. t_dev_ns
    [m]: device time. row [m]: the row of the pushed arrays that made the point ready.
    """

    begins: bool
    index: int
    x: FloatArray
    real: NDArray[np.bool_]
    t_dev_ns: IntArray
    row: IntArray


class Resampler:
    """Streaming resampler; `unordered` and `missing` count the samples it dropped. Bitwise independent of chunking."""

    def __init__(self, rate_hz: float, channels: int, max_gap_ns: int | None = None) -> None:
        self.grid = Grid.at(rate_hz)
        # A slow stream needs room for at least one lost sample.
        self.max_gap_ns = max_gap_ns or max(MAX_GAP_NS, self.grid.period_ns * 5 // 2)
        self._most = self.max_gap_ns // self.grid.period_ns + 2  # grid points that one sample can complete
        self._state = np.zeros(SLOTS, np.int64)
        self._last = np.zeros(channels, np.float32)

    @property
    def unordered(self) -> int:
        """Samples dropped because their time was not after that of the sample before."""
        return int(self._state[UNORDERED])

    @property
    def missing(self) -> int:
        """Samples dropped because a channel was not finite or was filled in by software."""
        return int(self._state[MISSING])

    def push(self, t_dev_ns: IntArray, x: FloatArray, flags: FlagArray) -> Iterator[Piece]:
        """Grid points made ready by these samples: t_dev_ns [n], x [n, c], flags [n]. Consume the iterator fully."""
        # Own, contiguous, writable copies: Numba compiles anew for every other kind of array.
        t, x, flags = np.array(t_dev_ns), np.array(x, np.float32, order="C"), np.array(flags)
        row, grid, state = 0, self.grid, self._state
        while row < len(t):
            room = 2 * (len(t) - row) + self._most
            out_x, out_real = np.empty((room, x.shape[1]), np.float32), np.empty(room, np.bool_)
            out_t, out_row = np.empty(room, np.int64), np.empty(room, np.int64)
            begins, first = not state[OPEN], int(state[NEXT])
            row, made, end = resample(
                t, x, flags, row, state, self._last, out_x, out_real, out_t, out_row,
                grid.period_ns, grid.whole_ns, grid.rest, grid.numerator, self.max_gap_ns,
            )  # fmt: skip
            if made:
                index = int(state[BASE]) + (0 if begins else first)
                yield Piece(begins, index, out_x[:made], out_real[:made], out_t[:made], out_row[:made])
            if end in (GAP, RESTART):
                self.end_segment(keep_time=end == GAP)

    def end_segment(self, *, keep_time: bool) -> None:
        """Let the next sample start a segment; `keep_time`: the stream index counts the time in between."""
        s = self._state
        if s[OPEN]:
            s[FLOOR] = s[BASE] + s[NEXT]
            s[ORIGIN_NS] = s[ANCHOR_NS]
            s[ORIGIN_INDEX] = s[BASE] if keep_time else s[FLOOR]
            s[OPEN] = 0
        s[HAS_ORIGIN] = int(keep_time and s[HAS_ORIGIN])

    def reset(self) -> None:
        """Forget the stream."""
        self._state[:] = 0


@kernel
def resample(
    t: IntArray,
    x: FloatArray,
    flags: FlagArray,
    start: int,
    state: IntArray,
    last: FloatArray,
    out_x: FloatArray,
    out_real: NDArray[np.bool_],
    out_t: IntArray,
    out_row: IntArray,
    period_ns: int,
    whole_ns: int,
    rest: int,
    numerator: int,
    max_gap_ns: int,
) -> tuple[int, int, int]:
    """Rows `start`... of one stream; returns (next row, points written, why it stopped, see `End`)."""
    made = 0
    for i in range(start, len(t)):
        now = t[i]
        if state[OPEN] == 1:
            if (flags[i] & _RESET) != 0 or now < state[LAST_NS] - RESTART_NS:
                return i, made, RESTART
            if now <= state[LAST_NS]:
                state[UNORDERED] += 1
                continue
        elif state[HAS_ORIGIN] == 0:
            state[HAS_ORIGIN], state[ORIGIN_NS] = 1, now
        present = (flags[i] & _SYNTHETIC) == 0
        for c in range(x.shape[1]):
            present = present and np.isfinite(x[i, c])
        if not present:
            state[MISSING] += 1
            continue
        if state[OPEN] == 0:
            index = state[ORIGIN_INDEX] + (now - state[ORIGIN_NS] + period_ns // 2) // period_ns
            state[OPEN], state[LAST_NS], state[ANCHOR_NS] = 1, now - 1, now
            state[NEXT], state[BASE] = 0, max(index, state[FLOOR])
        elif now - state[LAST_NS] > max_gap_ns:
            return i, made, GAP
        first = state[NEXT]
        after = first
        while state[ANCHOR_NS] + after * whole_ns + (after * rest + numerator // 2) // numerator <= now + TICK_NS:
            after += 1
        if made + after - first > len(out_x):
            return i, made, FULL
        lost = (now - state[LAST_NS] + period_ns // 2) // period_ns - 1
        for k in range(first, after):
            point = state[ANCHOR_NS] + k * whole_ns + (k * rest + numerator // 2) // numerator
            if point >= now - TICK_NS:
                for c in range(x.shape[1]):
                    out_x[made, c] = x[i, c]
            else:
                weight = float(point - state[LAST_NS]) / float(now - state[LAST_NS])
                for c in range(x.shape[1]):
                    a = np.float64(last[c])  # `float` would leave it a float32
                    out_x[made, c] = a + (np.float64(x[i, c]) - a) * weight
            # The sample that ends a hole is the one real sample in it: points before it stand for lost samples.
            out_real[made] = k - first >= lost
            out_t[made] = point
            out_row[made] = i
            made += 1
        state[NEXT] = after
        state[LAST_NS] = now
        for c in range(x.shape[1]):
            last[c] = x[i, c]
    return len(t), made, DONE


def resample_np(t: IntArray, x: FloatArray, rate_hz: float) -> tuple[IntArray, FloatArray, NDArray[np.bool_]]:
    """NumPy twin for one whole segment of ordered, finite samples: (t_dev_ns [m], x [m, c], real [m])."""
    grid = Grid.at(rate_hz)
    count = int((t[-1] + TICK_NS - t[0]) // grid.whole_ns) + 1
    offsets = grid.offset_ns(np.arange(count))
    points = t[0] + offsets[offsets <= t[-1] + TICK_NS - t[0]]
    b = np.searchsorted(t, points - TICK_NS)  # the sample that makes each point ready
    a = np.maximum(b - 1, 0)
    hit = t[b] - points <= TICK_NS
    step = np.where(hit, 1, t[b] - t[a])
    weight = ((points - t[a]) / step)[:, None]
    low, high = x[a].astype(np.float64), x[b].astype(np.float64)
    y = np.where(hit[:, None], high, low + (high - low) * weight).astype(np.float32)
    place = np.arange(len(points)) - np.searchsorted(b, b)  # how many points the same sample completed before this one
    lost = np.where(b > 0, (t[b] - t[a] + grid.period_ns // 2) // grid.period_ns - 1, 0)
    return points, y, place >= lost

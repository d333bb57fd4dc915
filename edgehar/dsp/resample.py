"""Room 3, first step: samples at the device's own times become a uniform grid at the contract's rate.

Between two neighbouring real samples a and b, a grid point g is a + (b - a) (g - t_a) / (t_b - t_a), in float64. A
sample within `TICK_NS` of a grid point passes through bit for bit. Nothing is extrapolated: a point is ready when a
sample at or after it has arrived. A stretch of grid points without a hole longer than `max_gap_ns` is a segment; the
grid starts anew at the first sample of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.dsp.grid import Grid
from edgehar.dsp.kernel import Bound, kernel
from edgehar.dsp.rows import Rows
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
ROW = 11  # the next row
ARRIVAL_NS = 12  # when the rows arrived
MADE = 13  # points written
STOP = 14  # why the kernel returned
SLOTS = 15

# Why the kernel returned.
DONE = 0  # every row is used
GAP = 1  # the row lies more than max_gap_ns after the last real one
RESTART = 2  # the device clock restarted at the row
FULL = 3  # no room for the row's grid points; call again

# What is known about a grid point: columns of `Piece.facts`.
AT_NS, AT_DEV_NS, ARRIVED_NS, REAL, FROM_ROW = range(5)


@dataclass(slots=True)
class Piece:
    """Consecutive grid points [m] of one segment, ready at this push.

    begins: these are the first of a new segment. index: stream index of the first point (grid periods since the
    stream's first row). x [m, c] float32. facts [m, 5] int64: its time on the host's line and on the device's clock;
    when the row that made it ready arrived; 0 where the sample that belongs there never came; that row's number.
    """

    begins: bool
    index: int
    x: FloatArray
    facts: IntArray

    @property
    def real(self) -> NDArray[np.bool_]:
        """[m]: False where the sample that belongs there never came."""
        return np.asarray(self.facts[:, REAL] != 0)

    @property
    def t_dev_ns(self) -> IntArray:
        """[m]: device time."""
        return self.facts[:, AT_DEV_NS]

    @property
    def row(self) -> IntArray:
        """[m]: the row of the pushed arrays that made the point ready."""
        return self.facts[:, FROM_ROW]


class Resampler:
    """Streaming resampler; `unordered` and `missing` count the samples it dropped. Bitwise independent of chunking.

    `rows`: whose dated samples `advance` resamples; by default its own, which `push` fills.
    """

    def __init__(self, rate_hz: float, channels: int, max_gap_ns: int | None = None, rows: Rows | None = None) -> None:
        self.grid = Grid.at(rate_hz)
        # A slow stream needs room for at least one lost sample.
        self.max_gap_ns = max_gap_ns or max(MAX_GAP_NS, self.grid.period_ns * 5 // 2)
        self._most = self.max_gap_ns // self.grid.period_ns + 2  # grid points that one sample can complete
        self._rows = Rows(channels) if rows is None else rows
        self._slots = np.zeros(SLOTS, np.int64)
        self._state = self._slots.data  # a memoryview is quicker to read and write than the array
        self._last = np.zeros(channels, np.float32)
        self._bind()

    @property
    def unordered(self) -> int:
        """Samples dropped because their time was not after that of the sample before."""
        return self._state[UNORDERED]

    @property
    def missing(self) -> int:
        """Samples dropped because a channel was not finite or was filled in by software."""
        return self._state[MISSING]

    def push(self, t_dev_ns: IntArray, x: FloatArray, flags: FlagArray) -> list[Piece]:
        """Grid points made ready by these samples: t_dev_ns [n], x [n, c], flags [n]."""
        rows = self._rows
        rows.take(t_dev_ns, t_dev_ns, x, flags)
        rows.t_ns[: rows.n] = t_dev_ns
        return self.advance(0)

    def advance(self, arrival_ns: int) -> list[Piece]:
        """Grid points made ready by the dated samples that the rows hold."""
        if self._generation != self._rows.generation:
            self._bind()
        state = self._state
        state[ROW], state[ARRIVAL_NS] = 0, arrival_ns
        pieces = []
        while True:
            begins, first = not state[OPEN], state[NEXT]
            self._run()
            made, stop = state[MADE], state[STOP]
            if made:
                index = state[BASE] + (0 if begins else first)
                x, facts = self._one if made == 1 else (self._out_x[:made], self._facts[:made])
                pieces.append(Piece(begins, index, x.copy(), facts.copy()))
            if stop == DONE:
                return pieces
            if stop != FULL:
                self.end_segment(keep_time=stop == GAP)

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
        self._slots.fill(0)

    def _bind(self) -> None:
        rows, grid = self._rows, self.grid
        self._generation = rows.generation
        room = 2 * len(rows.t_dev_ns) + self._most
        self._out_x, self._facts = np.empty((room, len(self._last)), np.float32), np.empty((room, 5), np.int64)
        self._one = self._out_x[:1], self._facts[:1]
        self._bound = Bound(
            resample, rows.count, rows.t_dev_ns, rows.t_ns, rows.x, rows.flags, self._slots, self._last, self._out_x,
            self._facts, grid.period_ns, grid.whole_ns, grid.rest, grid.numerator, self.max_gap_ns,
        )  # fmt: skip
        self._run = self._bound.run


@kernel
def resample(
    count: IntArray,
    t: IntArray,
    t_ns: IntArray,
    x: FloatArray,
    flags: FlagArray,
    state: IntArray,
    last: FloatArray,
    out_x: FloatArray,
    facts: IntArray,
    period_ns: int,
    whole_ns: int,
    rest: int,
    numerator: int,
    max_gap_ns: int,
) -> None:
    """Rows state[ROW]... of one stream, count [1] in all; leaves state[ROW], [MADE] and [STOP]."""
    made = 0
    stop = DONE
    end = count[0]
    for i in range(state[ROW], count[0]):
        now = t[i]
        if state[OPEN] == 1:
            if (flags[i] & _RESET) != 0 or now < state[LAST_NS] - RESTART_NS:
                end, stop = i, RESTART
                break
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
            end, stop = i, GAP
            break
        first = state[NEXT]
        after = first
        while state[ANCHOR_NS] + after * whole_ns + (after * rest + numerator // 2) // numerator <= now + TICK_NS:
            after += 1
        if made + after - first > len(out_x):
            end, stop = i, FULL
            break
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
            # A point lies at most a short gap before its row: drift over that is below a nanosecond.
            facts[made, AT_NS] = t_ns[i] - (now - point)
            facts[made, AT_DEV_NS] = point
            facts[made, ARRIVED_NS] = state[ARRIVAL_NS]
            # The sample that ends a hole is the one real sample in it: points before it stand for lost samples.
            facts[made, REAL] = 1 if k - first >= lost else 0
            facts[made, FROM_ROW] = i
            made += 1
        state[NEXT] = after
        state[LAST_NS] = now
        for c in range(x.shape[1]):
            last[c] = x[i, c]
    state[ROW], state[MADE], state[STOP] = end, made, stop


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

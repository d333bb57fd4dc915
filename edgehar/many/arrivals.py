"""Rows of many streams become points of their grids: clock, rate, resampler and coverage in one pass.

What `edgehar.pipeline.Pipeline` does to a chunk, row by row, with the same bits. Roofline: a row reads and writes 5
cache lines of its stream's state; with more streams than a cache holds, memory decides, so rows of the same stream
are best pushed together.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edgehar.dsp.resample import RESTART_NS, TICK_NS
from edgehar.many.clock import host_time
from edgehar.many.rate import count_step, in_contract
from edgehar.many.state import (
    ANCHOR_NS,
    LAST_NS,
    MISSING,
    NEXT,
    OPEN,
    RAW_NS,
    REAL,
    SEEN,
    STARTED,
    UNORDERED,
    Doubles,
    DoubleTable,
    Flags,
    History,
)
from edgehar.runtimes.kernels.compiler import Indices, Matrix, Table, exact_kernel
from edgehar.types import Flag

RESET: Final = int(Flag.CLOCK_RESET)
SYNTHETIC: Final = int(Flag.SYNTHETIC)

# What is known about a point.
POINT_STREAM, POINT_SEEN, POINT_EVENT, POINT_COLUMNS = range(4)
"""Its stream, its place in the segment, and the event that it is the last sample of, or -1."""
# What is known about an event: a gap, or a window that ends.
STREAM, T_NS, GAP, COVERED, IN_CONTRACT, EVENT_COLUMNS = range(6)
PERIOD_NS, WHOLE_NS, REST, NUMERATOR, MAX_GAP_NS, WINDOW, HOP, MOST = range(8)
"""The grid's numbers, and what `MOST` points a row can complete at most."""
RATE_HZ, TOLERANCE_HZ = range(2)
NEXT_ROW, MADE, HAPPENED = range(3)


@exact_kernel
def begin_segment(facts: Indices, real: Indices, now: int) -> None:
    """The row at `now` is the first of a segment."""
    facts[OPEN], facts[LAST_NS], facts[ANCHOR_NS] = 1, now - 1, now
    facts[NEXT] = facts[SEEN] = facts[REAL] = 0
    real[:] = 0


@exact_kernel
def cover(facts: Indices, real: Indices, is_real: bool, window: int) -> None:
    """The next point of the segment: its bit replaces that of the point that leaves the window."""
    place = facts[SEEN] % window
    word, bit = place // 64, place % 64
    before = (real[word] >> bit) & 1
    now = 1 if is_real else 0
    real[word] ^= (before ^ now) << bit
    facts[REAL] += now - before
    facts[SEEN] += 1


@exact_kernel
def arrive(
    start: int,
    stream: Indices,
    t_dev_ns: Indices,
    t_host_ns: Indices,
    seq: Indices,
    flags: Flags,
    x: Matrix,
    facts: Table,
    drift: Doubles,
    seconds: History,
    steps: DoubleTable,
    real: Table,
    last: Matrix,
    setup: Indices,
    rates: Doubles,
    out: Matrix,
    points: Table,
    events: Table,
    progress: Indices,
) -> None:
    """Rows `start`...: fills out [m, c], points [m, 3] and events [e, 5]; progress: next row, m, e."""
    made = happened = 0
    period, window, hop = setup[PERIOD_NS], setup[WINDOW], setup[HOP]
    channels = x.shape[1]
    n = len(stream)
    for i in range(start, len(stream)):
        if made + setup[MOST] > len(points) or happened + setup[MOST] + 1 > len(events):
            n = i
            break
        s, now = stream[i], t_dev_ns[i]
        own = facts[s]
        reset = (flags[i] & RESET) != 0
        restarted = reset or (own[STARTED] == 1 and now < own[RAW_NS] - RESTART_NS)
        t_ns = host_time(now, t_host_ns[i], restarted, own, drift, seconds, s)
        count_step(now, seq[i], own, steps, s)

        if own[OPEN] == 1 and (reset or now < own[LAST_NS] - RESTART_NS):
            own[OPEN] = 0
        if own[OPEN] == 1 and now <= own[LAST_NS]:
            own[UNORDERED] += 1
            continue
        present = (flags[i] & SYNTHETIC) == 0
        for c in range(channels):
            present = present and np.isfinite(x[i, c])
        if not present:
            own[MISSING] += 1
            continue
        if own[OPEN] == 1 and now - own[LAST_NS] > setup[MAX_GAP_NS]:
            own[OPEN] = 0
        begins = own[OPEN] == 0
        if begins and own[SEEN] > 0:
            row = events[happened]
            row[STREAM], row[T_NS], row[GAP], row[COVERED], row[IN_CONTRACT] = s, t_ns, 1, 0, 1
            happened += 1
        if begins:
            begin_segment(own, real[s], now)

        lost = (now - own[LAST_NS] + period // 2) // period - 1
        k = first = own[NEXT]
        while True:
            offset = k * setup[WHOLE_NS] + (k * setup[REST] + setup[NUMERATOR] // 2) // setup[NUMERATOR]
            point = own[ANCHOR_NS] + offset
            if point > now + TICK_NS:
                break
            if point >= now - TICK_NS:
                for c in range(channels):
                    out[made, c] = x[i, c]
            else:
                weight = float(point - own[LAST_NS]) / float(now - own[LAST_NS])
                for c in range(channels):
                    a = np.float64(last[s, c])
                    out[made, c] = a + (np.float64(x[i, c]) - a) * weight
            about = points[made]
            about[POINT_STREAM], about[POINT_SEEN], about[POINT_EVENT] = s, own[SEEN], -1
            cover(own, real[s], k - first >= lost, window)
            since = own[SEEN] - window
            if since >= 0 and since % hop == 0:
                about[POINT_EVENT] = happened
                row = events[happened]
                row[STREAM], row[T_NS], row[GAP], row[COVERED] = s, t_ns - (now - point), 0, own[REAL]
                row[IN_CONTRACT] = in_contract(own, steps, s, rates[RATE_HZ], rates[TOLERANCE_HZ])
                happened += 1
            made += 1
            k += 1
        own[NEXT] = k
        own[LAST_NS] = now
        for c in range(channels):
            last[s, c] = x[i, c]
    progress[NEXT_ROW], progress[MADE], progress[HAPPENED] = n, made, happened

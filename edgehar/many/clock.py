"""`edgehar.clock.Clock` for a row of a stream's state: the same line, the same bits."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from edgehar.clock import BLOCK_NS, BLOCKS, FEWEST, MAX_PPM
from edgehar.many.state import (
    BLOCK_END_NS,
    FITTED,
    HAS_LEAST,
    LEAST_NS,
    LEAST_T_NS,
    OFFSET_NS,
    POINTS,
    REFERENCE_NS,
    Doubles,
    History,
)
from edgehar.runtimes.kernels.compiler import Indices, exact_kernel

Number = Annotated[float, "float64"]
STEEPEST = MAX_PPM * 1e-6


@exact_kernel
def lowest_chord(t: Doubles, y: Doubles, mean: Number) -> Number:
    """Slope of the chord between an early and a late point that is lowest at the mean time; the first of equals.

    Chords by rows of late points, each of which remembers its lowest: no row waits for another, so they vectorise.
    """
    n, late = len(t), 0
    rows = np.empty((4, n))
    t1, y1, lowest, partner = rows[0], rows[1], rows[2], rows[3]
    for j in range(n):
        if t[j] > mean:
            t1[late], y1[late], lowest[late], partner[late] = t[j] - mean, y[j], np.inf, 0.0
            late += 1
    for i in range(n):
        if t[i] > mean:
            continue
        t0, y0 = t[i] - mean, y[i]
        for j in range(late):
            height = (y0 * t1[j] - y1[j] * t0) / (t1[j] - t0)
            closer = height < lowest[j]
            lowest[j] = height if closer else lowest[j]
            partner[j] = float(i) if closer else partner[j]
    best = 0
    for j in range(1, late):
        if lowest[j] < lowest[best] or (lowest[j] == lowest[best] and partner[j] < partner[best]):
            best = j
    i = int(partner[best])
    return float((y1[best] - y[i]) / (t1[best] - (t[i] - mean)))


@exact_kernel
def fit(facts: Indices, seconds: History, s: int) -> Number:
    """`edgehar.clock.fit_clock`: sets the stream's reference and offset, returns its slope."""
    count = min(facts[POINTS], BLOCKS)
    last = (facts[POINTS] - 1) % BLOCKS
    first = facts[POINTS] % BLOCKS if count == BLOCKS else 0
    reference = seconds[s, last, 0]
    base = seconds[s, 0, 1]
    for i in range(count):
        base = min(base, seconds[s, i, 1])
    t, y = np.empty(count), np.empty(count)
    total = 0.0  # of whole numbers below 2^53: exact in any order
    for i in range(count):
        at = (first + i) % BLOCKS
        t[i], y[i] = float(seconds[s, at, 0] - reference), float(seconds[s, at, 1] - base)
        total += t[i]
    slope = lowest_chord(t, y, total / count) if count >= FEWEST else 0.0
    slope = min(max(slope, -STEEPEST), STEEPEST)
    offset = y[0] - slope * t[0]
    for i in range(1, count):
        offset = min(offset, y[i] - slope * t[i])
    facts[FITTED], facts[REFERENCE_NS], facts[OFFSET_NS] = 1, reference, base + int(np.rint(offset))
    return slope * 1e6 * 1e-6


@exact_kernel
def host_time(t: int, host: int, restarted: bool, facts: Indices, drift: Doubles, seconds: History, s: int) -> int:
    """t_ns of the row at device time t that came at `host`; facts: the stream's."""
    if restarted:
        facts[FITTED] = facts[HAS_LEAST] = facts[POINTS] = 0
    if facts[HAS_LEAST] == 0:
        facts[BLOCK_END_NS] = t + BLOCK_NS
    elif t >= facts[BLOCK_END_NS]:
        newest = facts[POINTS] % BLOCKS
        seconds[s, newest, 0], seconds[s, newest, 1] = facts[LEAST_T_NS], facts[LEAST_NS]
        facts[POINTS] += 1
        facts[HAS_LEAST] = 0
        facts[BLOCK_END_NS] += BLOCK_NS * (1 + (t - facts[BLOCK_END_NS]) // BLOCK_NS)
        drift[s] = fit(facts, seconds, s)
    above = host - t
    if facts[FITTED] == 1:
        out = t + facts[OFFSET_NS] + int(np.rint((t - facts[REFERENCE_NS]) * drift[s]))
    else:
        out = t + (min(above, facts[LEAST_NS]) if facts[HAS_LEAST] == 1 else above)
    if facts[HAS_LEAST] == 0 or above < facts[LEAST_NS]:
        facts[HAS_LEAST], facts[LEAST_T_NS], facts[LEAST_NS] = 1, t, above
    return int(out)

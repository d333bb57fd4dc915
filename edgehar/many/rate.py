"""`edgehar.dsp.rate.RateMeter` for a row of a stream's state, asked only whether the rate is within the contract."""

from __future__ import annotations

import numpy as np

from edgehar.dsp.rate import FEWEST, STEPS
from edgehar.many.clock import Number
from edgehar.many.state import RATE_STEPS, RAW_NS, SEQ, STARTED, DoubleTable
from edgehar.runtimes.kernels.compiler import Indices, exact_kernel


@exact_kernel
def count_step(t: int, seq: int, facts: Indices, steps: DoubleTable, s: int) -> None:
    """The next row of the stream, at device time t, with running number seq."""
    if facts[STARTED] == 1:
        steps[s, facts[RATE_STEPS] % STEPS] = (t - facts[RAW_NS]) / max(seq - facts[SEQ], 1)
        facts[RATE_STEPS] += 1
    facts[STARTED], facts[RAW_NS], facts[SEQ] = 1, t, seq


@exact_kernel
def near(step_ns: Number, rate_hz: Number, tolerance_hz: Number) -> bool:
    """Whether a step this long is one of a stream of this rate."""
    return abs(1e9 / step_ns - rate_hz) <= tolerance_hz


@exact_kernel
def in_contract(facts: Indices, steps: DoubleTable, s: int, rate_hz: Number, tolerance_hz: Number) -> bool:
    """Whether the median of the latest steps is within the tolerance; True while there are too few to tell."""
    count = min(facts[RATE_STEPS], STEPS)
    if count < FEWEST:
        return True
    close = 0
    for i in range(count):
        step = steps[s, i]
        if step > 0 and near(step, rate_hz, tolerance_hz):
            close += 1
    # Steps that are near lie side by side when sorted: more than half of them hold the median between them.
    if close > count // 2:
        return True
    ordered = np.sort(steps[s, :count])
    middle = ordered[count // 2]
    if count % 2 == 0:
        middle = (ordered[count // 2 - 1] + middle) / 2
    return middle <= 0 or near(middle, rate_hz, tolerance_hz)

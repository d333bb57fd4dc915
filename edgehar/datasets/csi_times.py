"""When CSI frames were received: a 32-bit clock continued, restarts, lost numbers, frames a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.types import Flag, FlagArray, IntArray
from edgehar.wire.frames import UNKNOWN_SEQ
from edgehar.wire.gaps import frames_on, least_step
from edgehar.wire.unwrap import unwrap32

SECOND_NS = 1_000_000_000
FEW = 5  # frames in a second, below which they cannot be counted by seconds


@dataclass(frozen=True, slots=True)
class Times:
    """t_ns [n] since the first frame, never falling; seq [n] from 0; flags [n]: GAP_BEFORE and CLOCK_RESET."""

    t_ns: IntArray
    seq: IntArray
    flags: FlagArray


def times_of(t_us: NDArray[np.uint32], number: IntArray, rate_hz: float) -> Times:
    """t_us [n]: the receiver's clock, 32 bits; number [n]: the row's own running number, or UNKNOWN_SEQ.

    A clock that falls back has restarted: time goes on a period later, flagged. The least step of the numbers is one
    frame; where one jumps further, frames were lost before it.
    """
    flags = np.zeros(len(t_us), np.uint16)
    steps_ns = np.diff(unwrap32(t_us, near=int(t_us[0]))) * 1000
    fell = np.flatnonzero(steps_ns < 0) + 1
    flags[fell] |= np.uint16(Flag.CLOCK_RESET)
    steps_ns[fell - 1] = round(SECOND_NS / rate_hz)
    t_ns = np.concatenate([[0], np.cumsum(steps_ns)])
    frames = frames_on(number, UNKNOWN_SEQ, least_step(number))[1:]
    flags[1:][frames > 1] |= np.uint16(Flag.GAP_BEFORE)
    return Times(t_ns, np.concatenate([[0], np.cumsum(frames)]), flags)


def measured_rate_hz(t_ns: IntArray) -> float:
    """Frames a second: the median over the seconds that hold any, so that neither bursts nor pauses count.

    Frames that are rarer than FEW a second: by the median step. 1 where there is nothing to measure.
    """
    _, counts = np.unique((t_ns - t_ns[:1]) // SECOND_NS, return_counts=True)
    whole = counts[:-1]  # the last second is cut off
    rate = float(np.median(whole)) if len(whole) else 0.0
    if rate >= FEW:
        return rate
    steps = np.diff(t_ns)
    return float(f"{SECOND_NS / float(np.median(steps[steps > 0])):.3g}") if (steps > 0).any() else 1.0

"""Frames that their own running numbers say are missing."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from edgehar.types import IntArray
from edgehar.wire.frames import UNKNOWN_SEQ, Loss

FORWARD = 1 << 16  # a number that jumps further has begun anew


def least_step(number: IntArray) -> int:
    """How far a running number [n] goes on from frame to frame: the least that was seen; 1 where nothing tells."""
    steps = np.diff(number[number != UNKNOWN_SEQ])
    steps = steps[(steps > 0) & (steps < FORWARD)]
    return int(steps.min()) if len(steps) else 1


def frames_on(number: IntArray, last: int, step: int = 1) -> IntArray:
    """How many frames on each number [n] is from the one before, the first from `last`.

    1 where either is unknown or it began anew. step: what `least_step` found.
    """
    before = np.concatenate([[last], number[:-1]])
    on = (number - before) // step
    known = (number != UNKNOWN_SEQ) & (before != UNKNOWN_SEQ) & (on > 0) & (on < FORWARD)
    return np.where(known, on, 1)


class Gaps:
    """Counts missing numbers, sender by sender and on the receiver.

    csi_recv_router counts twice a frame, so the receiver's step is the least that was seen.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], int] = {}
        self._steps: Counter[tuple[str, int, int]] = Counter()  # (number, of whom, step)

    def push(self, meta: NDArray[np.void]) -> None:
        """Frames in order of arrival; meta [n] has dtype FRAME."""
        for name in ("tx_seq", "rx_seq"):
            told = meta[meta[name] != UNKNOWN_SEQ]
            senders = told["mac_hash"] if name == "tx_seq" else np.zeros(len(told), np.uint32)
            for sender in np.unique(senders).tolist():
                numbers = told[name][senders == sender]
                last = self._last.get((name, sender), int(numbers[0]) if len(numbers) else 0)
                self._last[name, sender] = int(numbers[-1])
                steps, times = np.unique(np.diff(numbers, prepend=last), return_counts=True)
                for step, count in zip(steps.tolist(), times.tolist(), strict=True):
                    if 0 < step < FORWARD:
                        self._steps[name, sender, step] += count

    def losses(self, bad_rows: int) -> Counter[Loss]:
        """Missing frames: `bad_rows` of them at most were broken on the link; of the others text cannot tell where."""
        least: dict[tuple[str, int], int] = {}
        for name, sender, step in self._steps:
            least[name, sender] = min(step, least.get((name, sender), step)) if name == "rx_seq" else 1
        missing = sum(count * (step // least[name, sender] - 1) for (name, sender, step), count in self._steps.items())
        link = min(missing, bad_rows)
        return +Counter({Loss.LINK: link, Loss.UNKNOWN: missing - link})

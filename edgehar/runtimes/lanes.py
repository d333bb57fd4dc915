"""Which windows a sample belongs to: K = ceil(window / hop) staggered lanes, each carrying one window at a time."""

from __future__ import annotations

from typing import NamedTuple


class Plan(NamedTuple):
    """What to do with sample t: clear lane `fresh`, advance the lanes `active`, then read lane `done`."""

    fresh: int | None
    active: list[int]
    done: int | None


class Lanes:
    """Window j covers the samples [j hop, j hop + window) and lives in lane j mod K.

    K is the smallest number for which a lane's next window starts no earlier than its last one ends. Any window and
    hop are allowed: with hop > window the samples between two windows reach no lane.
    """

    def __init__(self, window: int, hop: int) -> None:
        self._window, self._hop = window, hop
        self.count = -(-window // hop)

    def plan(self, t: int) -> Plan:
        newest = t // self._hop
        oldest = max(0, (t - self._window) // self._hop + 1)
        starts, ends = t % self._hop == 0, t + 1 - self._window
        return Plan(
            fresh=newest % self.count if starts else None,
            active=[j % self.count for j in range(oldest, newest + 1)],
            done=(ends // self._hop) % self.count if ends >= 0 and ends % self._hop == 0 else None,
        )

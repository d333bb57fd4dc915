"""The queue of a virtual tag: samples that wait for the link, the oldest dropped first, and what became of the rest."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.wire.messages import ImuSamples


@dataclass(frozen=True, slots=True)
class TagSample:
    """One sample x [c] int16 as the tag keeps it. `lost_before`: numbers that the sensor lost right in front of it."""

    seq: int
    t_us: int
    period_us: int
    accel_range_g: int
    gyro_range_dps: int
    x: NDArray[np.int16]
    lost_before: int = 0

    def continues(self, before: TagSample, first: TagSample) -> bool:
        """Whether it may stand behind `before` in a message that begins with `first`."""
        return (
            not self.lost_before
            and self.t_us == before.t_us + first.period_us
            and (self.period_us, self.accel_range_g, self.gyro_range_dps)
            == (first.period_us, first.accel_range_g, first.gyro_range_dps)
        )


class TagQueue:
    """Counts are totals over what has left the queue, so that `next_seq` and they agree at any moment.

    next_seq: every number before it was taken, dropped here, or lost by the sensor.
    """

    def __init__(self, most: int) -> None:
        self.next_seq = self.dropped = self.lost_by_sensor = 0
        self._most = most
        self._samples: deque[TagSample] = deque()

    def __len__(self) -> int:
        return len(self._samples)

    def push(self, sample: TagSample) -> int:
        """Keep `sample`; how many had to make room."""
        self._samples.append(sample)
        before = self.dropped
        while len(self._samples) > self._most:
            self._leave(self._samples.popleft())
            self.dropped += 1
        return self.dropped - before

    def take(self, most: int, boot: int) -> ImuSamples:
        """The oldest samples that go into one message, `most` at most; the queue must not be empty."""
        first = last = self._samples.popleft()
        self._leave(first)
        rows = [first.x]
        while self._samples and len(rows) < most and self._samples[0].continues(last, first):
            last = self._samples.popleft()
            self._leave(last)
            rows.append(last.x)
        return ImuSamples(
            boot, first.seq, first.t_us, first.period_us, first.accel_range_g, first.gyro_range_dps, np.stack(rows)
        )

    def _leave(self, sample: TagSample) -> None:
        self.lost_by_sensor += sample.lost_before
        self.next_seq = sample.seq + 1

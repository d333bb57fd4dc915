"""One device's samples on the time line that all devices share: its clock fitted, its link's least delay taken off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgehar.align.delay import UNKNOWN, LeastDelay
from edgehar.clock import Clock
from edgehar.types import Chunk, IntArray

NEWEST = 4096  # delays kept


@dataclass(frozen=True, slots=True)
class DeviceFit:
    """How a device's clock runs against the host's, as of now.

    host = device + offset_ns, which grows by `ppm`. residual_ns: how far the least delays of the seconds lie above the
    line, on average; about what the line is uncertain by. delay_p99_ns: 99 % of the newest samples came at most this
    long after the least delay. `base`: that least delay, which no fit can see.
    """

    offset_ns: int
    ppm: float
    residual_ns: float
    delay_p99_ns: float
    restarts: int
    base: LeastDelay

    def describe(self) -> str:
        """A few words for a terminal's line."""
        return f"clock {self.ppm:+.1f} ppm, delay p99 {self.delay_p99_ns / 1e6:.1f} ms"


class DeviceTime:
    """`push` dates the samples of one device; `fit` is what its clock and its link look like, None in the first second.

    `base` may be replaced once it is known better: later samples are dated with it.
    """

    def __init__(self, base: LeastDelay = UNKNOWN) -> None:
        self.base = base
        self._clock = Clock()
        self._delays = np.empty(NEWEST, np.int64)  # of the newest samples, oldest overwritten
        self._seen = 0

    def push(self, chunk: Chunk) -> IntArray:
        """t_ns [n]: when the samples were taken, on the host's clock, if `base` is right."""
        t_ns = self._clock.push(chunk.t_dev_ns, chunk.t_host_ns, chunk.flags)
        newest = (chunk.t_host_ns - t_ns)[-NEWEST:]
        first = self._seen + len(t_ns) - len(newest)
        self._delays[(first + np.arange(len(newest))) % NEWEST] = newest
        self._seen += len(t_ns)
        return np.asarray(t_ns - self.base.taken_ns)

    def device_ns(self, t_ns: int) -> int:
        """The device's time at `t_ns` of the shared line; the same number before the first fit."""
        fit = self._clock.fit
        if fit is None:
            return t_ns
        t = t_ns + self.base.taken_ns - fit.offset_ns
        return t - round((t - fit.reference_ns) * fit.ppm * 1e-6)

    @property
    def fit(self) -> DeviceFit | None:
        """The newest line."""
        line = self._clock.fit
        if line is None:
            return None
        delays = self._delays[: min(self._seen, NEWEST)]
        p99 = float(np.percentile(delays, 99))
        return DeviceFit(line.offset_ns, line.ppm, line.residual_ns, p99, self._clock.restarts, self.base)

    def moved(self, by_ns: int, known_from: str, within_ns: int) -> LeastDelay:
        """The base that dates every sample `by_ns` earlier than now, right to `within_ns`."""
        taken = self.base.taken_ns + by_ns
        return replace(self.base, low_ns=taken - within_ns, high_ns=taken + within_ns, known_from=known_from)

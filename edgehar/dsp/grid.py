"""A uniform grid of integer nanoseconds that never drifts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from edgehar.types import IntArray

NS_PER_S = 1_000_000_000
LARGEST = 1 << 28  # numerator


@dataclass(frozen=True, slots=True)
class Grid:
    """Point k lies at round(k * 1e9 / rate) ns after the anchor, halves up: k * whole_ns + (k * rest + r / 2) // r.

    The rate is held as a fraction r / d, right to 12 digits and exact where the rate is one (1000 / 19), with r small
    enough for all of this to be exact in 64-bit integers: 3.4e10 samples, 22 years at 50 Hz.
    """

    rate_hz: float
    period_ns: int  # rounded; for comparing spacings, not for placing points
    whole_ns: int
    rest: int
    numerator: int

    @classmethod
    def at(cls, rate_hz: float) -> Grid:
        """The grid of a rate of 0.001 Hz or more."""
        rate = Fraction(rate_hz).limit_denominator(int(min(1_000_000, max(1, LARGEST / rate_hz))))
        whole_ns, rest = divmod(NS_PER_S * rate.denominator, rate.numerator)
        return cls(rate_hz, round(NS_PER_S / rate), whole_ns, rest, rate.numerator)

    def offset_ns(self, k: IntArray | int) -> IntArray:
        """Time of point k [any shape] after the anchor, in ns.

        >>> Grid.at(104.0).offset_ns(np.arange(3)).tolist()
        [0, 9615385, 19230769]
        """
        index = np.asarray(k, np.int64)
        return np.asarray(index * self.whole_ns + (index * self.rest + self.numerator // 2) // self.numerator)

"""A uniform grid of integer nanoseconds that never drifts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from edgehar.types import IntArray

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Grid:
    """Point k lies at round(k * 1e9 / rate) ns after the anchor, halves up: k * whole_ns + (k * rest + r / 2) // r.

    The rate is held as the nearest fraction `numerator / denominator` with a denominator of at most 1000, so that all
    arithmetic is exact in 64-bit integers for centuries of samples.
    """

    rate_hz: float
    period_ns: int  # rounded; for comparing spacings, not for placing points
    whole_ns: int
    rest: int
    numerator: int

    @classmethod
    def at(cls, rate_hz: float) -> Grid:
        """The grid of a rate in Hz; 0.001 Hz and above."""
        rate = max(Fraction(rate_hz).limit_denominator(1000), Fraction(1, 1000))
        whole_ns, rest = divmod(NS_PER_S * rate.denominator, rate.numerator)
        return cls(rate_hz, round(NS_PER_S / rate), whole_ns, rest, rate.numerator)

    def offset_ns(self, k: IntArray | int) -> IntArray:
        """Time of point k [any shape] after the anchor, in ns.

        >>> Grid.at(104.0).offset_ns(np.arange(3)).tolist()
        [0, 9615385, 19230769]
        """
        index = np.asarray(k, np.int64)
        return np.asarray(index * self.whole_ns + (index * self.rest + self.numerator // 2) // self.numerator)

"""The line through a stream's seconds has the bits of `edgehar.clock.fit_clock`, whatever the seconds look like."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.clock import BLOCKS, fit_clock
from edgehar.many.clock import fit
from edgehar.many.state import OFFSET_NS, POINTS, REFERENCE_NS, SLOTS


@pytest.mark.parametrize("noise_ns", [0, 1, 1_000, 5_000_000])
@pytest.mark.parametrize("drift", [0.0, 30e-6, -2e-3])
def test_the_line_is_the_single_stream_s(noise_ns: int, drift: float) -> None:
    rng = np.random.default_rng(noise_ns)
    for count in [*range(1, 9), 31, BLOCKS - 1, BLOCKS, BLOCKS + 5, 3 * BLOCKS]:
        t = np.cumsum(rng.integers(900_000_000, 1_100_000_000, count))
        delay = 10**15 + rng.integers(0, noise_ns + 1, count) + (t * drift).astype(np.int64)
        facts, seconds = np.zeros(SLOTS, np.int64), np.zeros((1, BLOCKS, 2), np.int64)
        for k in range(count):
            seconds[0, k % BLOCKS] = t[k], delay[k]
        facts[POINTS] = count
        slope = fit(facts, seconds, 0)
        line = fit_clock(np.stack([t, delay], axis=1)[-BLOCKS:])
        assert (facts[REFERENCE_NS], facts[OFFSET_NS]) == (line.reference_ns, line.offset_ns)
        assert slope == line.ppm * 1e-6

"""What room 2 remembers of a stream: a row of numbers, and the histories that clock and rate are taken from."""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgehar.clock import BLOCKS
from edgehar.dsp.rate import STEPS
from edgehar.types import FloatArray, IntArray

Doubles = Annotated[NDArray[np.float64], "float64[::1]"]
DoubleTable = Annotated[NDArray[np.float64], "float64[:,::1]"]
History = Annotated[IntArray, "int64[:,:,::1]"]
Flags = Annotated[NDArray[np.uint16], "uint16[::1]"]

STARTED, RAW_NS, SEQ, RATE_STEPS = range(4)
"""1 once a row came; device time and running number of the last row; steps that the rate has seen."""
BLOCK_END_NS, HAS_LEAST, LEAST_T_NS, LEAST_NS, POINTS, FITTED, REFERENCE_NS, OFFSET_NS = range(4, 12)
"""The clock: end of the running second, its least delay, finished seconds, and the line fitted through them."""
OPEN, LAST_NS, ANCHOR_NS, NEXT, UNORDERED, MISSING = range(12, 18)
"""The resampler: whether a segment runs, its last real sample, its grid, and what was dropped."""
SEEN, REAL = range(18, 20)
"""Points of the segment so far, and real ones among the last window of them."""
SLOTS: Final = 20


class Streams(NamedTuple):
    """State of S streams: facts [S, SLOTS]; drift [S]; seconds [S, 64, 2] of the clock, (device time, least delay).

    steps [S, 64]: ns a sample; real [S, words]: bits of the points of the last window; last [S, c]: newest sample.
    """

    facts: IntArray
    drift: NDArray[np.float64]
    seconds: IntArray
    steps: NDArray[np.float64]
    real: IntArray
    last: FloatArray

    @classmethod
    def empty(cls, streams: int, channels: int, window: int) -> Streams:
        """Streams of which nothing has come yet."""
        return cls(
            np.zeros((streams, SLOTS), np.int64),
            np.zeros(streams),
            np.zeros((streams, BLOCKS, 2), np.int64),
            np.zeros((streams, STEPS)),
            np.zeros((streams, -(-window // 64)), np.int64),
            np.zeros((streams, channels), np.float32),
        )

    def forget(self, streams: Any) -> None:
        """The next row of these streams is the first of a new stream."""
        self.facts[streams] = 0

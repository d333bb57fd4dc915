"""What many streams decided in one push, as arrays; activities where somebody wants objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehar.types import Activity, FloatArray, IntArray, Status

STATUSES: Final = (Status.OK, Status.UNSURE, Status.NO_DATA, Status.OUT_OF_CONTRACT)
"""`Decisions.status` counts in these."""
OK, UNSURE, NO_DATA, OUT_OF_CONTRACT = range(4)
NO_LABEL: Final = -1


@dataclass(frozen=True, slots=True)
class Decisions:
    """m decisions in the order in which their samples came; a stream's own are in order of time.

    stream [m]: which stream. t_ns [m]: the window's last sample on the host's time line, for a gap the first sample
    behind it. label [m]: place in `labels`, -1 where nothing could be judged. p [m]: calibrated probability.
    status [m]: place in STATUSES. coverage [m]: real samples / expected samples. logits [m, k]: NaN for a gap.
    """

    stream: IntArray
    t_ns: IntArray
    label: IntArray
    p: NDArray[np.float64]
    status: NDArray[np.uint8]
    coverage: NDArray[np.float64]
    logits: FloatArray
    labels: tuple[str, ...]
    model_id: str
    simulated: bool
    latency_ns: int

    def __len__(self) -> int:
        return len(self.stream)

    def activities(self) -> Iterator[tuple[int, Activity]]:
        """(stream, Activity) of every decision, as a single `Pipeline` gives it; `latency_ns` is that of the push."""
        columns = (self.stream, self.t_ns, self.label, self.p, self.status, self.coverage)
        for stream, t_ns, label, p, status, coverage in zip(*(c.tolist() for c in columns), strict=True):
            yield (
                stream,
                Activity(
                    t_ns=t_ns,
                    label="" if label == NO_LABEL else self.labels[label],
                    p=p,
                    status=STATUSES[status],
                    coverage=coverage,
                    latency_ns=self.latency_ns,
                    model_id=self.model_id,
                    simulated=self.simulated,
                ),
            )

"""Counts of a live run: samples, losses, decisions, latencies. What the last line of `run` and `record` says."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np

from edgehar.clock import RESTART_NS
from edgehar.types import Activity, Chunk, Flag, Status

NS_PER_S = 1e9
NS_PER_MS = 1e6
NEWEST = 100_000  # latencies kept: a service that runs for months must not grow


class StreamTally:
    """Samples and losses of one stream. A loss is a jump of the running number."""

    def __init__(self) -> None:
        self.samples = 0
        self.lost = 0
        self.simulated = False
        self.elapsed_ns = 0
        self._stretches = 1  # between restarts of the device's clock
        self._last: tuple[int, int] | None = None  # t_dev_ns and seq of the newest sample

    def add(self, chunk: Chunk) -> None:
        """Count one chunk."""
        if len(chunk) == 0:
            return
        t_ns, seq = chunk.t_dev_ns, chunk.seq
        last_ns, last_seq = self._last or (int(t_ns[0]), int(seq[0]) - 1)
        steps_ns, steps = np.diff(t_ns, prepend=last_ns), np.diff(seq, prepend=last_seq)
        restarted = ((chunk.flags & Flag.CLOCK_RESET) != 0) | (steps_ns < -RESTART_NS)
        restarted[0] &= self._last is not None  # a stream's first sample restarts nothing
        self.lost += int(np.where(restarted, 0, np.maximum(steps - 1, 0)).sum())
        self._stretches += int(restarted.sum())
        self.elapsed_ns += int(np.where(restarted, 0, steps_ns).sum())
        self._last = int(t_ns[-1]), int(seq[-1])
        self.samples += len(chunk)
        self.simulated |= chunk.spec.simulated

    @property
    def duration_s(self) -> float:
        """Device time from the first sample to the last, without the unknown time that a restart took."""
        return self.elapsed_ns / NS_PER_S

    @property
    def rate_hz(self) -> float:
        """Samples that arrived, a second of device time; 0 before there are two."""
        return (self.samples - self._stretches) / self.duration_s if self.duration_s > 0 else 0.0

    @property
    def lost_percent(self) -> float:
        """Share of the samples sent that never arrived."""
        return 100 * self.lost / (self.samples + self.lost) if self.samples else 0.0


class DecisionTally:
    """Decisions by status and their latencies (the newest 100,000)."""

    def __init__(self) -> None:
        self.statuses: Counter[Status] = Counter()
        self._latencies_ns: deque[int] = deque(maxlen=NEWEST)
        self._coverage = 0.0

    def add(self, activity: Activity) -> None:
        """Count one decision."""
        self.statuses[activity.status] += 1
        self._latencies_ns.append(activity.latency_ns)
        self._coverage += activity.coverage

    @property
    def decisions(self) -> int:
        """How many."""
        return self.statuses.total()

    @property
    def coverage(self) -> float:
        """Mean share of real samples, 0 to 1."""
        return self._coverage / self.decisions if self.decisions else 0.0

    def latency_ms(self, percent: float) -> float | None:
        """Percentile of last sample to decision; None before the first decision."""
        if not self._latencies_ns:
            return None
        return float(np.percentile(np.array(self._latencies_ns), percent)) / NS_PER_MS


def summary(stream: StreamTally, decisions: DecisionTally, *, interrupted: bool) -> dict[str, Any]:
    """Everything as one JSON object."""
    return {
        "decisions": decisions.decisions,
        "statuses": {status.value: decisions.statuses[status] for status in Status},
        "latency_p50_ms": decisions.latency_ms(50),
        "latency_p99_ms": decisions.latency_ms(99),
        "coverage": decisions.coverage,
        **stream_summary(stream),
        "interrupted": interrupted,
    }


def stream_summary(stream: StreamTally) -> dict[str, Any]:
    """The stream's side alone."""
    return {
        "samples": stream.samples,
        "lost": stream.lost,
        "duration_s": stream.duration_s,
        "rate_hz": stream.rate_hz,
        "simulated": stream.simulated,
    }


def describe(stream: StreamTally) -> str:
    """One stream in half a line."""
    return (
        f"{stream.duration_s:.1f} s, {stream.samples} samples at {stream.rate_hz:.2f} Hz, "
        f"{stream.lost} lost ({stream.lost_percent:.2f} %){', SIMULATED' if stream.simulated else ''}"
    )

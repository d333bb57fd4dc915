"""`edgehar bench streams`: how many streams one core serves, from raw samples to decisions, all states resident."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from edgehar.bench.timing import machine, pinned
from edgehar.bundle import Bundle
from edgehar.many.decisions import Decisions
from edgehar.many.pipeline import ManyPipeline
from edgehar.types import FloatArray, IntArray, StreamSpec

BURST: Final = 16
"""Samples of a stream that come together, as radios deliver them."""
PORTION: Final = 1024
"""Streams whose samples one push holds."""
JITTER_NS: Final = 2_000_000
"""Samples come up to this much later than they were taken."""


@dataclass(frozen=True, slots=True)
class StreamsServed:
    """What it took: `capacity` is the number of streams that would have kept the core busy all the time.

    cpu_s and wall_s of the pushes alone; worst_ms: the longest push, of `portion` streams with `burst` samples each.
    """

    streams: int
    stream_s: float
    cpu_s: float
    wall_s: float
    worst_ms: float
    samples: int
    decisions: int
    decided: int
    burst: int
    portion: int
    state_mib: float
    machine: Mapping[str, object]

    @property
    def capacity(self) -> float:
        return self.streams * self.stream_s / self.cpu_s

    def json(self) -> dict[str, object]:
        return {**asdict(self), "capacity": round(self.capacity)}


class _Feed:
    """Noise at the contract's rate for every stream: its own start and late arrivals, no sample lost."""

    def __init__(self, spec: StreamSpec, streams: int, burst: int) -> None:
        rng = np.random.default_rng(0)
        self._period_ns, self._burst = round(1e9 / spec.rate_hz), burst
        self._starts = rng.integers(0, 1_000_000_000, streams)
        # More samples than a portion needs, so that no two bursts of a stream are the same.
        self._x = rng.standard_normal((4 * PORTION * burst, len(spec.channels))).astype(np.float32)
        self._late = rng.integers(0, JITTER_NS, PORTION * burst)
        self._rng = rng

    def rows(self, first: int, last: int, turn: int) -> tuple[IntArray, IntArray, IntArray, IntArray, FloatArray]:
        """Burst number `turn` of the streams first to last."""
        n, burst = last - first, self._burst
        seq = turn * burst + np.tile(np.arange(burst), n)
        stream = np.repeat(np.arange(first, last), burst)
        t_dev_ns = self._starts[stream] + seq * self._period_ns
        at = int(self._rng.integers(0, len(self._x) - n * burst + 1))
        return stream, t_dev_ns, t_dev_ns + self._late[: n * burst], seq, self._x[at : at + n * burst]


def measure_streams(
    bundle: Bundle,
    streams: int,
    duration_s: float,
    *,
    burst: int = BURST,
    report: Callable[[int, int], None] | None = None,
) -> StreamsServed:
    """Push `duration_s` seconds of stream time of that many streams, one thread on one core, as fast as it goes.

    The streams are simulated noise; they are made outside the time that is measured. A core sustains them where cpu_s
    is at most stream_s. `report` is told how much is done, of how much. Errors are those of `ManyPipeline`.
    """
    contract = bundle.manifest.contract
    spec = StreamSpec(
        contract.kind, contract.channels, contract.rate_hz, contract.units, contract.axes, contract.placement,
        simulated=True,
    )  # fmt: skip
    many = ManyPipeline(bundle, spec, streams)
    feed = _Feed(spec, streams, burst)
    turns = max(1, round(duration_s * contract.rate_hz / burst))
    cpu_ns = wall_ns = worst_ns = decisions = decided = samples = 0
    with pinned():
        for turn in range(turns):
            for first in range(0, streams, PORTION):
                rows = feed.rows(first, min(first + PORTION, streams), turn)
                wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
                made: Decisions = many.push(*rows)
                cpu_ns += time.thread_time_ns() - cpu
                taken = time.perf_counter_ns() - wall
                wall_ns, worst_ns = wall_ns + taken, max(worst_ns, taken)
                samples += len(rows[0])
                decisions += len(made)
                decided += int((made.label >= 0).sum())
            if report is not None:
                report(turn + 1, turns)
    return StreamsServed(
        streams, turns * burst / contract.rate_hz, cpu_ns / 1e9, wall_ns / 1e9, worst_ns / 1e6, samples, decisions,
        decided, burst, min(PORTION, streams), many.state_bytes / 2**20, machine(),
    )  # fmt: skip

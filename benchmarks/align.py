"""How far apart two sensors' samples come to lie on their common time line: rows align.*.

    python benchmarks/align.py DATA [--runs 16]

DATA is the npz file of DSADS (docs/formats.md, `npz`): arm and leg of one person, really recorded at once. Each sensor
is sampled by a clock of its own, one 50 ppm fast and one 50 ppm slow, and sends packets through a link of its own: a
least delay that never falls below, plus an exponential delay of 30 ms at its 99th percentile; packets keep their order.
A channel besides the real ones carries the true time of each sample, so that the difference of the two sensors' time
channels in a row that `AlignedSource` puts out is their alignment error: clock fit, least delay and grid together.

p99_ms: the least delays, drawn up to 60 ms, are told. 25 samples a second as recorded, one in a packet; the whole
session of five minutes.
tap: they are unknown, and three taps, half-sines of 12 ms and 3 to 6 g, are added to both sensors a few seconds into
the session, in which the person sits or stands. Sampled at 100 Hz (and at 50 Hz), averaged over a sampling period as
sensors do, five samples in a packet; a minute.
unknown: as p99_ms, but all that is told is 0 to 50 ms, within which they are drawn; the bound is what edgehar reports.

A row's value is the mean over the runs of each run's 99th percentile, std its standard deviation, `worst` the largest;
`first_10s_ms` is the mean 99th percentile of the first ten seconds, when the clocks' lines are young.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from resumable import resumable
from rows import RESULTS, Row, merge_rows

from edgehar.align.delay import LeastDelay
from edgehar.align.joint import joint_contract
from edgehar.align.tap import Tap
from edgehar.datasets.npz import open_npz
from edgehar.datasets.session import ImportOptions, Session
from edgehar.sources.aligned import AlignedSource
from edgehar.types import Chunk, StreamSpec

Array = NDArray[np.float64]
COMMAND = "python benchmarks/align.py DATA"
MS, S = 1_000_000, 1_000_000_000
UNITS = {"wrist": "right_arm", "leg": "right_leg"}
PPM = {"wrist": 50.0, "leg": -50.0}
JITTER_P99_MS = 30.0
JITTER_MEAN_MS = JITTER_P99_MS / np.log(100)
STILL = {"sitting", "standing"}
G_MPS2 = 9.80665
FINE_HZ = 4000
TAP_S = 0.012


@dataclass(frozen=True)
class Case:
    """rate_hz 0: as recorded. taps: added. told_ms: what a least delay is said to lie in; None: its true value."""

    row: str
    rate_hz: float
    packet: int
    seconds: float
    most_delay_ms: float
    taps: bool
    told_ms: tuple[float, float] | None


CASES = (
    Case("align.p99_ms", 0.0, 1, 300.0, 60.0, taps=False, told_ms=None),
    Case("align.tap.p99_ms", 100.0, 5, 60.0, 60.0, taps=True, told_ms=(0.0, 60.0)),
    Case("align.tap_50hz.p99_ms", 50.0, 5, 60.0, 60.0, taps=True, told_ms=(0.0, 60.0)),
    Case("align.unknown.p99_ms", 0.0, 1, 300.0, 50.0, taps=False, told_ms=(0.0, 50.0)),
)


class Sent:
    """A sensor's packets, as a source."""

    def __init__(self, chunks: list[Chunk]) -> None:
        self.spec = chunks[0].spec
        self._chunks = chunks

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """In order."""
        for chunk in self._chunks:
            yield chunk

    def label_at(self, t_dev_ns: int) -> str:
        """Labels play no part."""
        del t_dev_ns
        return ""


@dataclass(frozen=True)
class Outcome:
    """errors_ms [m]: of every row with both sensors; `young`: of the first ten seconds."""

    errors_ms: Array
    young: Array
    bound_ms: float | None
    taps: dict[str, Tap]


def acceleration(
    session: Session, unit: str, case: Case, at_s: Array, taps_s: Array, rng: np.random.Generator
) -> Array:
    """[n, 3] in g at the true times `at_s` [n] since the session's start: as recorded, plus taps."""
    columns = [i for i, name in enumerate(session.spec.channels) if name.startswith(f"{unit}.acc_")]
    recorded_s = (session.t_ns - session.t_ns[0]) / S
    x = np.stack([np.interp(at_s, recorded_s, session.x[:, c] / G_MPS2) for c in columns], axis=1)
    if case.taps:
        size_g, period_s = rng.uniform(3, 6, len(taps_s)), 1 / case.rate_hz
        within = (np.arange(round(FINE_HZ * period_s)) + 0.5) / FINE_HZ - period_s / 2
        inside_s = at_s[:, None, None] + within[None, :, None] - taps_s  # [n, fine, taps]
        shocks = np.where((inside_s >= 0) & (inside_s <= TAP_S), np.sin(np.pi * inside_s / TAP_S), 0.0)
        # Along gravity, so that a tap adds to the length of the acceleration.
        down = np.median(x, axis=0)
        x += (shocks.mean(axis=1) @ size_g)[:, None] * (down / np.linalg.norm(down))
    return x


def packets(
    session: Session, name: str, case: Case, least_ms: float, taps_s: Array, rng: np.random.Generator
) -> Iterator[Chunk]:
    """What arrives of one sensor; the value of channel `true_ms` is the true time since the session's start."""
    rate_hz = case.rate_hz or session.spec.rate_hz
    drift = 1 + PPM[name] * 1e-6
    n = int(min(case.seconds, (session.t_ns[-1] - session.t_ns[0]) / S - 1) * rate_hz)
    phase_s = rng.uniform(0, 1 / rate_hz)
    true_s = (phase_s + np.arange(n) / rate_hz) / drift  # the device counts its own seconds
    x = np.column_stack([true_s * 1000, acceleration(session, UNITS[name], case, true_s, taps_s, rng)])
    dev_ns = np.rint(true_s * drift * S).astype(np.int64) + int(rng.integers(0, 1000)) * S
    sent_s = true_s[case.packet - 1 :: case.packet]
    late_s = (least_ms + rng.exponential(JITTER_MEAN_MS, len(sent_s))) / 1000
    arrived_ns = np.maximum.accumulate(np.rint((sent_s + late_s) * S).astype(np.int64)) + 5000 * S
    channels = ("true_ms", "acc_x", "acc_y", "acc_z")
    spec = StreamSpec("imu", channels, rate_hz, ("1", "g", "g", "g"), simulated=True)
    for i, host_ns in enumerate(arrived_ns.tolist()):
        s = slice(i * case.packet, (i + 1) * case.packet)
        seq = np.arange(s.start, s.stop)
        host = np.full(case.packet, host_ns)
        yield Chunk(spec, dev_ns[s], host, seq, x[s].astype(np.float32), np.zeros(case.packet, np.uint16))


def run(session: Session, case: Case, seed: int) -> Outcome:
    """One pair of sensors on one line."""
    rng = np.random.default_rng([seed, len(case.row)])
    taps_s = rng.uniform(5, 7) + np.cumsum(rng.uniform(0.3, 0.6, 3))
    least_ms = {name: float(rng.uniform(0, case.most_delay_ms)) for name in UNITS}
    sent = {name: Sent(list(packets(session, name, case, least_ms[name], taps_s, rng))) for name in UNITS}

    def told(name: str) -> LeastDelay:
        low, high = case.told_ms or (least_ms[name],) * 2
        return LeastDelay(round(low * MS), round(high * MS), "given")

    contract = joint_contract({name: source.spec for name, source in sent.items()})
    aligned = AlignedSource(sent, contract, bases={name: told(name) for name in UNITS}, speed=0, tap=case.taps)
    x = asyncio.run(_rows(aligned))
    error = x[:, contract.channels.index("wrist.true_ms")] - x[:, contract.channels.index("leg.true_ms")]
    bound_ns = aligned.aligner.bound_ns
    error = np.abs(error[np.isfinite(error)]).astype(np.float64)
    return Outcome(
        error, error[: round(10 * contract.rate_hz)], None if bound_ns is None else bound_ns / MS, aligned.taps
    )


async def _rows(source: AlignedSource) -> NDArray[np.float32]:
    async with source:
        return np.concatenate([chunk.x async for chunk in source])


def measure(data: Path, runs: int) -> None:
    """All cases, on the first sessions that suit them."""
    sessions = list(open_npz(data, ImportOptions()).sessions)
    still = [session for session in sessions if session.labels[0].label in STILL]
    for case in CASES:
        suited = still if case.taps else sessions[:: max(1, len(sessions) // runs)]
        outcomes = [run(suited[seed % len(suited)], case, seed) for seed in range(runs)]
        p99 = np.array([np.percentile(outcome.errors_ms, 99) for outcome in outcomes])
        bounds = [outcome.bound_ms for outcome in outcomes if outcome.bound_ms is not None]
        extras: dict[str, Any] = {
            "worst": float(p99.max()),
            "p50_ms": float(np.mean([np.median(outcome.errors_ms) for outcome in outcomes])),
            "first_10s_ms": float(np.mean([np.percentile(outcome.young, 99) for outcome in outcomes])),
            "jitter_p99_ms": JITTER_P99_MS,
            "drift_ppm": list(PPM.values()),
            "simulated": True,
        }
        if case.told_ms is not None:
            extras["bound_ms"] = float(np.mean(bounds))
            # A clock fit adds its own error, about a millisecond, to what is not known of the least delays.
            extras["within_bound"] = int(sum(a <= b + 1 for a, b in zip(p99, bounds, strict=True)))
        if case.taps:
            extras["taps"] = float(np.mean([outcome.taps["leg"].taps for outcome in outcomes]))
        row = Row(case.row, float(p99.mean()), "ms", float(p99.std(ddof=1)), len(p99), COMMAND, extras=extras)
        merge_rows(RESULTS / "align.jsonl", [row])
        print(f"{row.id}: {row.value:.2f} +- {row.std:.2f} ms, worst {extras['worst']:.2f}", extras.get("bound_ms", ""))


def main() -> int:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description="How far apart two sensors come to lie on their common time line.")
    parser.add_argument("data", type=Path, help="DSADS as npz")
    parser.add_argument("--runs", type=int, default=16, help="per row; each has a session and a seed of its own")
    arguments = parser.parse_args()
    return resumable("align", lambda: measure(arguments.data, arguments.runs))


if __name__ == "__main__":
    sys.exit(main())

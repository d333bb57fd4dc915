"""`edgehar bench latency`: what a decision costs here and in other runtimes, on the same model and the same windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle

import numpy as np

from edgehar.bench.peers import Contestant, Desk, field_of
from edgehar.bench.single_samples import SingleSamples
from edgehar.bench.timing import Call, Timing, machine, pinned, time_in_turn
from edgehar.bundle import Bundle
from edgehar.errors import InputError, Reason
from edgehar.runtimes import make_runtime
from edgehar.types import FloatArray

TOLERANCE = 1e-4
"""Largest difference to the reference runtime, of max(1, |logit|); quantised and spiking models: labels instead."""
AGREEMENT = 0.995
CHECKED_WINDOWS = 64

SINGLES = 6000
"""Pushes of one sample, over all rounds."""
HOP, WINDOW = "edgehar, a hop of samples", "edgehar, a whole window"


@dataclass(frozen=True, slots=True)
class Latency:
    """Timings by name; the settings of the peers, and how far each is from the reference runtime.

    `absent`: settings that could not be timed here, and why.
    """

    timings: Mapping[str, Timing]
    settings: Mapping[str, str]
    errors: Mapping[str, float]
    absent: Mapping[str, str]
    machine: Mapping[str, object]
    window: int
    hop: int

    @property
    def peers(self) -> set[str]:
        """Names of those that were timed."""
        return {name.partition(", ")[0] for name in self.settings}

    def best(self, peer: str) -> str:
        """The peer's fastest setting."""
        return min((n for n in self.settings if n.startswith(f"{peer}, ")), key=lambda n: self.timings[n].cpu_us)

    def json(self) -> dict[str, object]:
        timings = {name: asdict(timing) for name, timing in self.timings.items()}
        rest = {"settings": dict(self.settings), "errors": dict(self.errors), "absent": dict(self.absent)}
        return {"window": self.window, "hop": self.hop, "timings": timings, **rest, "machine": dict(self.machine)}


def measure_latency(
    bundle: Bundle,
    against: Sequence[str],
    desk: Desk,
    *,
    peer_bundle: Bundle | None = None,
    also: Sequence[Contestant] = (),
    rounds: int = 25,
    report: Callable[[int, int], None] | None = None,
) -> Latency:
    """Time the default runtime and the peers in turn, on one core and one thread, after their outputs were checked.

    also: further contestants. peer_bundle: what the peers run instead, such as the quantised twin; it is checked by
    labels. `report` is told how many rounds are done, of how many. Raises InputError where a peer
    does not compute what the reference computes.
    """
    manifest = bundle.manifest
    fields = [field_of(name, peer_bundle or bundle, desk) for name in against]
    peers = [*(c for field in fields for c in field.contestants), *also]
    windows: FloatArray = np.asarray(bundle.golden["x"][:CHECKED_WINDOWS], np.float32)
    numba = make_runtime("numba", bundle)
    ours = Contestant("edgehar", "numba", "", numba.window)
    exact = manifest.quant is None and manifest.model["family"] != "l2mu"
    expected = np.stack([make_runtime("reference", bundle).window(x) for x in windows])
    errors = {}
    for c in [ours, *peers]:
        labels_only = not exact or (c is not ours and peer_bundle is not None)
        errors[_name(c)] = _check(c, windows, expected, labels_only=labels_only)
    calls = {_name(c): _cycled(c, windows) for c in peers}
    calls |= {f"{_name(c)}, a hop of samples": _hops(c.push, windows, manifest.hop) for c in peers if c.push}
    calls[HOP] = _hops(numba.push, windows, manifest.hop)
    calls[WINDOW] = _cycled(ours, windows)
    singles = SingleSamples(make_runtime("numba", bundle), windows, manifest.window, manifest.hop)

    def between_rounds(done: int, of: int) -> None:
        singles.burst(SINGLES // rounds)
        if report is not None:
            report(done, of)

    with pinned():
        timings = time_in_turn(calls, rounds=rounds, report=between_rounds) | singles.timings()
    settings = {_name(c): f"{c.version}: {c.setting}" for c in peers}
    absent = {name: why for field in fields for name, why in field.absent.items()}
    return Latency(timings, settings, errors, absent, machine(), manifest.window, manifest.hop)


def _name(c: Contestant) -> str:
    return f"{c.name}, {c.setting}"


def _check(c: Contestant, windows: FloatArray, expected: FloatArray, *, labels_only: bool) -> float:
    """Largest relative difference to the reference; InputError where it is more than the tolerance."""
    found = np.stack([np.array(c.window(x)) for x in windows])
    error = float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max())
    agree = float((found.argmax(axis=1) == expected.argmax(axis=1)).mean())
    if agree < AGREEMENT if labels_only else not error <= TOLERANCE:
        raise InputError(
            f"{_name(c)} differs from the reference runtime: by {error:.1e}, labels agree in {100 * agree:.1f} %",
            reason=Reason.VALUE,
            hint="a timing of different outputs says nothing; edgehar verify BUNDLE names what differs",
        )
    return error


def _cycled(c: Contestant, windows: FloatArray) -> Call:
    """The next window at every call, so that no run sees the same numbers twice in a row."""
    turn = cycle(windows)
    return lambda: c.window(next(turn))


def _hops(push: Callable[[FloatArray], object], windows: FloatArray, hop: int) -> Call:
    """The next hop of samples at every call, each of which gives one decision."""
    stream = windows.reshape(-1, windows.shape[2])
    push(stream[: len(stream) // hop * hop])
    turn = cycle([stream[i : i + hop] for i in range(0, len(stream) - hop + 1, hop)])
    return lambda: push(next(turn))

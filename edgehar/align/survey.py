"""How well the streams of a recording share a time line: every clock's fit, the least delays, the taps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from edgehar.align.delay import UNKNOWN, LeastDelay
from edgehar.align.joint import joint_contract
from edgehar.align.motion import Motion, motion
from edgehar.align.tap import STRETCH_NS, Tap, find_tap
from edgehar.align.timeline import DeviceFit, DeviceTime
from edgehar.align.track import sensor_contracts
from edgehar.contract import Contract
from edgehar.errors import InputError, Reason
from edgehar.pipeline import accept
from edgehar.types import Chunk, FloatArray, IntArray, StreamSpec

LOOK_NS = 1_000_000_000
MARGIN_NS = 1_000_000_000  # before a stretch, for what is usual there
PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class DeviceSurvey:
    """One stream. delays_ms: 50th, 90th and 99th percentile of how long after the least delay its samples came."""

    samples: int
    seconds: float
    fit: DeviceFit | None
    base: LeastDelay
    delays_ms: tuple[float, ...]
    contract: Contract
    t_ns: IntArray
    x: FloatArray

    def motion(self, t0_ns: int, t1_ns: int) -> Motion | None:
        """What moved in that time."""
        a, b = np.searchsorted(self.t_ns, [t0_ns, t1_ns])
        one = self.contract
        return motion(self.t_ns[a:b], self.x[a:b], one.channels, one.units, self.samples / max(self.seconds, 1e-9))


@dataclass(frozen=True, slots=True)
class PairSurvey:
    """Two streams. taps: where both saw the same; why: what the last stretch that was looked at says, where none did.

    bound_ns: how far the two may be apart for least delays that are not known; None: any distance.
    """

    first: str
    second: str
    bound_ns: int | None
    taps: tuple[Tap, ...]
    why: str

    @property
    def lag_ns(self) -> int | None:
        """Median of the taps' lags: how much later the second's times are than the first's; None without a tap."""
        return round(float(np.median([tap.lag_ns for tap in self.taps]))) if self.taps else None


@dataclass(frozen=True, slots=True)
class Survey:
    """All streams by name, and each of the others against the first."""

    devices: Mapping[str, DeviceSurvey]
    pairs: tuple[PairSurvey, ...]


def survey(
    specs: Mapping[str, StreamSpec],
    chunks: Callable[[str], Iterable[Chunk]],
    *,
    bases: Mapping[str, LeastDelay] | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Survey:
    """Look at the streams `specs`; `chunks(name)` gives the samples of one. report(done, total): what was looked at.

    Raises InputError for a stream without a sample.
    """
    bases = dict(bases or {})
    asked = sensor_contracts(joint_contract(specs), dict(specs))
    devices = {name: _device(name, specs[name], asked[name], chunks(name), bases.get(name, UNKNOWN)) for name in specs}
    first, *others = devices
    pairs = tuple(_pair(first, other, devices[first], devices[other], report) for other in others)
    return Survey(devices, pairs)


def _device(name: str, spec: StreamSpec, contract: Contract, chunks: Iterable[Chunk], base: LeastDelay) -> DeviceSurvey:
    view = accept(spec, contract)
    time = DeviceTime(base)
    times, late, values = [], [], []
    newest_ns = -(1 << 62)
    for chunk in chunks:
        if not len(chunk):
            continue
        t_ns = time.push(chunk)
        late.append(chunk.t_host_ns - base.taken_ns - t_ns)
        x = chunk.x if view is None else view.apply(chunk.x)
        before = np.maximum.accumulate(np.concatenate([[newest_ns], t_ns]))
        keep = (t_ns > before[:-1]) & np.isfinite(x).all(axis=1)
        newest_ns = int(before[-1])
        times.append(t_ns[keep])
        values.append(x[keep])
    t_ns = np.concatenate(times) if times else np.empty(0, np.int64)
    if len(t_ns) < 2:
        raise InputError(
            f"stream '{name}' holds {len(t_ns)} samples", reason=Reason.VALUE, hint="choose others: --stream NAME"
        )
    delays_ms = tuple((np.percentile(np.concatenate(late), PERCENTILES) / 1e6).tolist())
    seconds = float(t_ns[-1] - t_ns[0]) / 1e9
    return DeviceSurvey(len(t_ns), seconds, time.fit, base, delays_ms, contract, t_ns, np.concatenate(values))


def _pair(
    first: str, second: str, a: DeviceSurvey, b: DeviceSurvey, report: Callable[[int, int], None] | None
) -> PairSurvey:
    bounds = [a.base.bound_ns, b.base.bound_ns]
    known = [bound for bound in bounds if bound is not None]
    began, end = max(int(a.t_ns[0]), int(b.t_ns[0])), min(int(a.t_ns[-1]), int(b.t_ns[-1]))
    taps: list[Tap] = []
    why = "the streams have no time in common"
    looks = range(began + LOOK_NS, end + 1, LOOK_NS)
    for i, until_ns in enumerate(looks):
        since_ns = until_ns - max(STRETCH_NS.values()) - MARGIN_NS
        one, other = a.motion(since_ns, until_ns), b.motion(since_ns, until_ns)
        if one is None or other is None:
            why = f"'{first if one is None else second}' tells nothing of motion"
            break
        found = find_tap(one, other)
        if isinstance(found, str):
            why = found
        else:
            _keep_best(taps, found, STRETCH_NS[one.shocks and other.shocks])
        if report is not None:
            report(i + 1, len(looks))
    bound_ns = sum(known) if len(known) == len(bounds) else None
    return PairSurvey(first, second, bound_ns, tuple(taps), "" if taps else why)


def _keep_best(taps: list[Tap], found: Tap, apart_ns: int) -> None:
    """The same taps are seen in several stretches: keep where they were seen best."""
    if taps and found.at_ns - taps[-1].at_ns < apart_ns:
        if (found.taps, found.r) > (taps[-1].taps, taps[-1].r):
            taps[-1] = found
        return
    taps.append(found)

"""`virtual:imu`: a simulated sensor on a simulated person, with faults on request. Always marked simulated.

`virtual:csi` is in virtual_csi.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from edgehar.errors import Reason, UsageError
from edgehar.sources.cyclic import CyclicModel, load_model
from edgehar.sources.faults import Faults, FaultyLink
from edgehar.sources.pace import Pace
from edgehar.sources.script import Script
from edgehar.sources.uri import SourceUri
from edgehar.types import Chunk, Flag, FloatArray, StreamSpec

if TYPE_CHECKING:
    from edgehar.sources.virtual_csi import VirtualCsi

NS_PER_S = 1e9
PACKET = 5  # samples sent together, as a BLE sensor does
KEYS = ("seed", "loss", "jitter_ms", "drift_ppm", "rate_hz", "duration_s", "dwell_s", "person", "model", "speed")


@dataclass(frozen=True, slots=True)
class Settings:
    """rate_hz 0: the model's own. duration_s 0: endless. dwell_s: mean stay in one activity. person "": by seed."""

    seed: int = 0
    rate_hz: float = 0.0
    duration_s: float = 0.0
    dwell_s: float = 20.0
    person: str = ""
    speed: float = 1.0
    faults: Faults = field(default_factory=Faults)


def from_uri(uri: SourceUri, expected: StreamSpec | None) -> VirtualImu | VirtualCsi:
    """`virtual:imu[?seed=1&loss=0.1&jitter_ms=5&drift_ppm=40&rate_hz=50&duration_s=60&dwell_s=20&person=NAME...]`."""
    del expected  # a sensor is what it is; the contract is checked where the two meet
    if uri.locator == "csi":
        from edgehar.sources import virtual_csi  # what a wrist sensor needs nothing of

        return virtual_csi.from_uri(uri)
    if uri.locator != "imu":
        raise UsageError(
            f"source '{uri.text}': no virtual sensor is called '{uri.locator}'",
            reason=Reason.UNKNOWN_NAME,
            hint="write virtual:imu or virtual:csi",
        )
    uri.only(*KEYS)
    return VirtualImu(
        load_model(uri.word("model", "")),
        Settings(
            seed=uri.integer("seed", 0),
            rate_hz=uri.number("rate_hz", 0.0, low=1.0, high=10_000.0),
            duration_s=uri.number("duration_s", 0.0, low=0.0),
            dwell_s=uri.number("dwell_s", 20.0, low=0.0),
            person=uri.word("person", ""),
            speed=uri.number("speed", 1.0, low=0.0),
            faults=Faults(
                loss=uri.number("loss", 0.0, low=0.0, high=1.0),
                jitter_ms=uri.number("jitter_ms", 0.0, low=0.0),
                drift_ppm=uri.number("drift_ppm", 0.0, low=-10_000.0, high=10_000.0),
            ),
        ),
    )


class VirtualImu:
    """Packets of a simulated sensor. Equal settings give an equal stream, both clocks included, at any speed."""

    def __init__(self, model: CyclicModel, settings: Settings) -> None:
        self._settings = settings
        self._model = model
        self._rate_hz = settings.rate_hz or model.rate_hz
        # Independent streams of randomness: a fault setting does not change what the person does.
        person_rng, self._motion_rng, self._link_rng = map(
            np.random.default_rng, np.random.SeedSequence(settings.seed).spawn(3)
        )
        person = settings.person or model.people[int(person_rng.integers(len(model.people)))]
        if person not in model.people:
            raise UsageError(
                f"virtual:imu has no person '{person}'",
                reason=Reason.UNKNOWN_NAME,
                hint=f"choose one of: {', '.join(model.people)}",
            )
        self._spec = StreamSpec(
            kind="imu",
            channels=model.channels,
            rate_hz=self._rate_hz,
            units=model.units,
            placement=model.placement,
            session_id=f"virtual-{person}-seed{settings.seed}",
            simulated=True,
        )
        self._person = person
        self._script = Script(model, person, settings.dwell_s, self._motion_rng)
        self._link = FaultyLink(settings.faults, self._link_rng)

    @property
    def spec(self) -> StreamSpec:
        """Known from the start; `simulated` is always set."""
        return self._spec

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Packets of 5 samples at the pace of `speed`, without those that the link lost."""
        pace = Pace(self._settings.speed)
        resampled = Interpolated(self._script, self._model.rate_hz, self._rate_hz)
        total = round(self._settings.duration_s * self._rate_hz)
        gap = Flag.NONE
        first = 0
        while total == 0 or first < total:
            count = min(PACKET, total - first) if total else PACKET
            x = resampled.push(count)
            seq = np.arange(first, first + count, dtype=np.int64)
            first += count
            sent_ns = seq[-1] * NS_PER_S / self._rate_hz
            if self._link.lost():
                gap = Flag.GAP_BEFORE
                continue
            host_ns = self._link.host_ns(sent_ns)
            flags = np.zeros(count, np.uint16)
            flags[0], gap = gap, Flag.NONE
            await pace.until(host_ns)
            yield Chunk(
                spec=self._spec,
                t_dev_ns=np.array([self._link.device_ns(n * NS_PER_S / self._rate_hz) for n in seq], np.int64),
                t_host_ns=np.full(count, host_ns, np.int64),
                seq=seq,
                x=x,
                flags=flags,
            )

    def label_at(self, t_dev_ns: int) -> str:
        """What the simulated person was doing."""
        true_s = t_dev_ns / NS_PER_S / (1 + self._settings.faults.drift_ppm * 1e-6)
        return self._script.label_at(round(true_s * self._model.rate_hz))


class Interpolated:
    """A script's samples at another rate, by linear interpolation; the same samples when the rates are equal."""

    def __init__(self, script: Script, model_hz: float, rate_hz: float) -> None:
        self._script = script
        self._step = model_hz / rate_hz
        self._done = 0
        self._from = 0  # model sample number of _kept[0]
        self._kept = script.push(2)

    def push(self, n: int) -> FloatArray:
        """The next n samples, x [n, c] float32."""
        places = (self._done + np.arange(n)) * self._step
        self._done += n
        missing = int(places[-1]) + 2 - (self._from + len(self._kept))
        if missing > 0:
            self._kept = np.concatenate([self._kept, self._script.push(missing)])
        left = np.floor(places).astype(np.int64)
        share = (places - left)[:, None]
        x = (1 - share) * self._kept[left - self._from] + share * self._kept[left + 1 - self._from]
        drop = int(left[-1]) - self._from
        self._kept, self._from = self._kept[drop:], self._from + drop
        rows: FloatArray = x.astype(np.float32)
        return rows

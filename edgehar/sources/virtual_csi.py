"""`virtual:csi`: Wi-Fi frames from a simulated room with a person in it, as Chunks. Always marked simulated.

`edgehar virtual csi` puts the same radio behind a serial port and the wire protocol.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from edgehar.errors import Reason, UsageError
from edgehar.sources.faults import Faults, FaultyLink
from edgehar.sources.pace import Pace
from edgehar.sources.uri import SourceUri
from edgehar.sources.virtual_csi_radio import LAYOUT, Heard, RadioSettings, VirtualRadio
from edgehar.types import Chunk, Flag, IntArray, StreamSpec
from edgehar.wire.canonical import csi_spec, to_chunk
from edgehar.wire.choice import AUTO, choose_field
from edgehar.wire.frames import CsiFrames

NS_PER_S = 1e9
TOGETHER_S = 0.02  # frames that a host reads at once
KEYS = (
    "seed",
    "rate_hz",
    "layout",
    "field",
    "activity",
    "dwell_s",
    "gain",
    "loss",
    "jitter_ms",
    "drift_ppm",
    "duration_s",
    "speed",
)


@dataclass(frozen=True, slots=True)
class CsiSettings:
    """duration_s 0: endless. training_field: auto, lltf or htltf."""

    radio: RadioSettings = field(default_factory=RadioSettings)
    training_field: str = AUTO
    duration_s: float = 0.0
    speed: float = 1.0
    faults: Faults = field(default_factory=Faults)


def from_uri(uri: SourceUri) -> VirtualCsi:
    """`virtual:csi[?seed=1&rate_hz=100&layout=NAME&field=auto&activity=walking&dwell_s=12&gain=lock&loss=0.1...]`."""
    uri.only(*KEYS)
    return VirtualCsi(
        CsiSettings(
            radio=RadioSettings(
                seed=uri.integer("seed", 0),
                rate_hz=uri.number("rate_hz", 100.0, low=1.0, high=2000.0),
                layout=uri.word("layout", LAYOUT),
                dwell_s=uri.number("dwell_s", 12.0, low=0.0),
                activity=uri.word("activity", ""),
                gain_lock=_is_locked(uri),
            ),
            training_field=uri.word("field", AUTO),
            duration_s=uri.number("duration_s", 0.0, low=0.0),
            speed=uri.number("speed", 1.0, low=0.0),
            faults=Faults(
                loss=uri.number("loss", 0.0, low=0.0, high=1.0),
                jitter_ms=uri.number("jitter_ms", 0.0, low=0.0),
                drift_ppm=uri.number("drift_ppm", 0.0, low=-10_000.0, high=10_000.0),
            ),
        )
    )


def _is_locked(uri: SourceUri) -> bool:
    gain = uri.word("gain", "free")
    if gain not in ("free", "lock"):
        raise UsageError(
            f"source '{uri.text}': gain='{gain}'", reason=Reason.VALUE, hint="write gain=free or gain=lock"
        )
    return gain == "lock"


class VirtualCsi:
    """Frames of a simulated receiver. Equal settings give an equal stream, both clocks included, at any speed."""

    def __init__(self, settings: CsiSettings) -> None:
        self._settings = settings
        self._radio = VirtualRadio(settings.radio)
        layout, self._field = choose_field({self._radio.layout.name: 1}, settings.training_field)
        self._link = FaultyLink(settings.faults, np.random.default_rng((settings.radio.seed, 0x11FF)))
        self._spec = csi_spec(
            layout,
            self._field,
            settings.radio.rate_hz,
            session_id=f"virtual-seed{settings.radio.seed}",
            simulated=True,
        )

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
        """Some 20 ms of frames at a time, at the pace of `speed`, without those that were lost on the air."""
        pace = Pace(self._settings.speed)
        for chunk in self._chunks():
            await pace.until(int(chunk.t_host_ns[-1]))
            yield chunk

    def label_at(self, t_dev_ns: int) -> str:
        """What the simulated person was doing."""
        return self._radio.label_at(t_dev_ns / NS_PER_S / (1 + self._settings.faults.drift_ppm * 1e-6))

    def _chunks(self) -> Iterator[Chunk]:
        rate_hz = self._settings.radio.rate_hz
        together = max(1, round(TOGETHER_S * rate_hz))
        total = round(self._settings.duration_s * rate_hz)
        done, gap = 0, False
        while total == 0 or done < total:
            heard = self._radio.push(min(together, total - done) if total else together)
            done += len(heard.t_ns)
            arrived = np.array([not self._link.lost() for _ in heard.t_ns])
            if arrived.any():
                yield self._chunk(heard, np.flatnonzero(arrived), gap=gap)
            gap = not arrived[-1] if arrived.any() else True

    def _chunk(self, heard: Heard, rows: IntArray, *, gap: bool) -> Chunk:
        """The frames that arrived; `gap`: the one before the first of these did not."""
        frames = CsiFrames(heard.frames.layout, heard.frames.iq[rows], heard.frames.meta[rows])
        t_ns = heard.t_ns[rows]
        seq = frames.meta["tx_seq"].astype(np.int64)
        flags = np.where(np.diff(rows, prepend=-1) > 1, np.uint16(Flag.GAP_BEFORE), np.uint16(0))
        flags[0] |= np.uint16(Flag.GAP_BEFORE if gap else 0)
        return to_chunk(
            frames,
            self._spec,
            self._field,
            np.array([self._link.device_ns(t) for t in t_ns.tolist()], np.int64),
            np.array([self._link.host_ns(t) for t in t_ns.tolist()], np.int64),
            seq,
            flags,
        )

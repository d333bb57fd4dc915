"""`ble:NAME`, `ble:ADDRESS`, `ble:auto`: a motion sensor over Bluetooth LE.

ble:auto    ble:wrist?rate_hz=100&accel=8&gyro=1000    ble:AA:BB:CC:DD:EE:FF?device=polar&placement=chest
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from edgehar.align.delay import LeastDelay, ble_delay
from edgehar.errors import EdgeHarError, MissingError, Reason, UsageError
from edgehar.sources.ble import bluez
from edgehar.sources.ble.choose import AUTO, Wanted
from edgehar.sources.ble.kinds import kind_called, kinds
from edgehar.sources.ble.link import PATIENCE_S, Link, Persistence
from edgehar.sources.ble.radio import Radio
from edgehar.sources.ble.scan import shared_scan
from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.uri import SourceUri
from edgehar.types import Chunk, StreamSpec

KEYS = ("device", "rate_hz", "accel", "gyro", "placement", "session", "adapter", "patience_s", "reopen_s")


def from_uri(uri: SourceUri, expected: StreamSpec | None) -> BleSource:
    """Keys: device=KIND (where the advertisement does not tell), rate_hz (default: the bundle's), accel (g),
    gyro (dps), placement, session, adapter=hci1, patience_s (to find and start it), reopen_s (to find it again when it
    was lost; 0: for ever).
    """
    uri.only(*KEYS)
    if not uri.locator:
        raise UsageError(
            f"source '{uri.text}' names no device",
            reason=Reason.FORMAT,
            hint="write ble:auto, ble:NAME or ble:AA:BB:CC:DD:EE:FF; edgehar doctor ble lists what is in range",
        )
    known = kinds()
    named = uri.word("device", "")
    wanted = Wanted(uri.locator, known, kind_called(named, known) if named else None)
    choice = Choice(
        rate_hz=uri.number("rate_hz", 0.0 if expected is None else expected.rate_hz, low=0.0, high=100_000.0),
        accel_range_g=uri.integer("accel", 0),
        gyro_range_dps=uri.integer("gyro", 0),
        session_id=uri.word("session", ""),
        placement=uri.word("placement", ""),
    )
    persistence = Persistence(
        patience_s=uri.number("patience_s", PATIENCE_S, low=0.1),
        reopen_s=uri.number("reopen_s", 0.0, low=0.0) or None,
    )
    return BleSource(wanted, choice, persistence, Radio(uri.word("adapter", "")))


class BleSource:
    """A sensor's samples as Chunks. `counts` says what was received, lost, refused, how often it was connected again.

    Lost and found again, the stream goes on behind a marked gap; only where it stays lost for `reopen_s` the stream
    ends, with MissingError. A consumer that is too slow for the sensor sees marked gaps and `overflow`.
    """

    def __init__(
        self,
        wanted: Wanted | None = None,
        choice: Choice | None = None,
        persistence: Persistence | None = None,
        radio: Radio | None = None,
    ) -> None:
        self._wanted = wanted or Wanted(AUTO, kinds())
        self._choice = choice or Choice()
        self._persistence = persistence or Persistence()
        self._radio = radio or Radio()
        self._settled: list[Chunk] = []  # what came while the spec was found out
        self.link: Link | None = None

    @property
    def spec(self) -> StreamSpec:
        """Known once the source is open."""
        spec = None if self.link is None or self.link.device is None else self.link.device.spec
        if spec is None:
            raise UsageError(
                f"ble:{self._wanted.text} has not been read yet",
                reason=Reason.VALUE,
                hint="open the source before asking",
            )
        return spec

    @property
    def least_delay(self) -> LeastDelay:
        """A notification waits for the connection's next event; BlueZ does not say how far apart these are."""
        return ble_delay()

    @property
    def counts(self) -> Counter[str]:
        """The device's own, and those of the link."""
        if self.link is None:
            return Counter()
        own = self.link.device.counts if self.link.device is not None else Counter[str]()
        return +(own + self.link.counts)

    async def __aenter__(self) -> Self:
        """Find the device, connect, set it going, and wait until it is clear what the stream is."""
        scan = shared_scan(await bluez.settled(self._radio))
        self.link = Link(scan, self._wanted, self._choice, self._persistence)
        try:
            await self.link.open()
            await self._settle(self.link)
        except (EdgeHarError, asyncio.CancelledError):
            await self.link.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; harmless when repeated."""
        if self.link is not None:
            await self.link.close()

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks as their notifications arrive."""
        settled, self._settled = self._settled, []
        for chunk in settled:
            yield chunk
        while self.link is not None:
            for chunk in await self.link.chunks():
                yield chunk

    def label_at(self, t_dev_ns: int) -> str:  # noqa: ARG002  (nobody knows)
        """Nothing: a sensor does not know what people do."""
        return ""

    async def _settle(self, link: Link) -> None:
        """Read until the device has told what the stream is."""
        try:
            async with asyncio.timeout(self._persistence.patience_s):
                while link.device is None or link.device.spec is None:
                    self._settled += await link.chunks()
        except TimeoutError:
            told = ", ".join(f"{cause} {n}" for cause, n in self.counts.items()) or "not one value"
            raise MissingError(
                f"{link.name} is connected, but no sample came within {self._persistence.patience_s:g} s ({told})",
                reason=Reason.NOT_FOUND,
                hint=f"switch it off and on; then: edgehar doctor {link.address}",
            ) from None

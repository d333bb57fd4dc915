"""Look around, and listen to one sensor for a while; for code without an event loop, such as `edgehar doctor ble`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from edgehar.errors import MissingError, Reason
from edgehar.sources.ble import bluez
from edgehar.sources.ble.choose import AUTO, Candidate, Wanted
from edgehar.sources.ble.host import Host, this_host
from edgehar.sources.ble.kinds import kinds
from edgehar.sources.ble.radio import Radio
from edgehar.sources.ble.scan import shared_scan
from edgehar.sources.ble_devices.base import BleDevice
from edgehar.sources.imu_ble import BleSource
from edgehar.types import Chunk, StreamSpec

BATTERY, FIRMWARE, MODEL = (f"0000{short}-0000-1000-8000-00805f9b34fb" for short in ("2a19", "2a26", "2a24"))
LOOK_S = 5.0
BACKLOG_S = 2.0  # what a sensor had queued when it was connected tells nothing of the link
NS_PER_S = 1e9
Report = Callable[[int, int], None]


@dataclass(slots=True)
class Visit:
    """What one sensor did while it was listened to. battery_percent, firmware, model: "" or None where not told."""

    candidate: Candidate
    device: BleDevice
    spec: StreamSpec
    mtu: int | None
    least_mtu: int
    lasted_s: float
    opened_s: float
    counts: Counter[str]
    battery_percent: int | None = None
    firmware: str = ""
    model: str = ""
    chunks: list[Chunk] = field(default_factory=list)


class Survey:
    """`with Survey(radio) as survey:` and then what it finds out, one after the other, all on one scan."""

    def __init__(self, radio: Radio) -> None:
        self._radio = radio
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()

    def host(self) -> Host:
        """What this machine has."""
        return self._runner.run(this_host())

    def around(self, seconds: float = LOOK_S) -> list[Candidate]:
        """What is heard in so long, nearest first. Raises MissingError without bleak, RadioError for deafness."""
        return self._runner.run(self._around(seconds))

    def visit(self, source: BleSource, seconds: float, report: Report | None = None) -> Visit:
        """Connect and listen for so long. Raises as opening the source does, and where it is lost for good."""
        return self._runner.run(_visit(source, seconds, report))

    async def _around(self, seconds: float) -> list[Candidate]:
        scan = shared_scan(await bluez.settled(self._radio))
        return Wanted(AUTO, kinds()).candidates(await scan.around(seconds, Counter()))


async def _visit(source: BleSource, seconds: float, report: Report | None) -> Visit:
    asked_s = time.monotonic()
    async with source:
        return await _listen(source, asked_s, seconds, report)


async def _listen(source: BleSource, asked_s: float, seconds: float, report: Report | None) -> Visit:
    link = source.link
    if link is None or link.device is None or link.candidate is None or link.candidate.kind is None:
        raise MissingError("the sensor was lost", reason=Reason.NOT_FOUND, hint="bring it nearer")
    began_s = time.monotonic()
    chunks: list[Chunk] = []
    reading = asyncio.create_task(_collect(source, chunks))
    try:
        battery = await link.read(BATTERY)
        firmware, model = [
            (await link.read(uuid) or b"").decode(errors="replace").strip("\0 ") for uuid in (FIRMWARE, MODEL)
        ]
        seconds += BACKLOG_S
        while (spent_s := time.monotonic() - began_s) < seconds and not reading.done():
            if report is not None:
                report(round(1000 * spent_s), round(1000 * seconds))
            await asyncio.wait({reading}, timeout=min(0.2, seconds - spent_s))
        if reading.done():
            await reading
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(reading, return_exceptions=True)
    return Visit(
        candidate=link.candidate,
        device=link.device,
        spec=source.spec,
        mtu=link.mtu,
        least_mtu=link.candidate.kind.least_mtu,
        lasted_s=time.monotonic() - began_s,
        opened_s=began_s - asked_s,
        counts=source.counts,
        battery_percent=battery[0] if battery else None,
        firmware=firmware,
        model=model,
        chunks=[chunk for chunk in chunks if chunk.t_host_ns[0] >= (began_s + BACKLOG_S) * NS_PER_S],
    )


async def _collect(source: BleSource, chunks: list[Chunk]) -> None:
    async for chunk in source:
        if len(chunk):
            chunks += [chunk]

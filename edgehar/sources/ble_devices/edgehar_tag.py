"""edgehar's own tag (firmware/imu_ble): the GATT profile of docs/ble-imu.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from edgehar.errors import InputError, Reason
from edgehar.sources.ble_devices.base import Advertised, Choice, Read, Step, Subscribe, Write
from edgehar.sources.imu_stream import ImuStream
from edgehar.sources.tag_settings import tag_commands
from edgehar.types import Chunk, StreamSpec
from edgehar.wire.envelope import VERSION
from edgehar.wire.frames import Cause
from edgehar.wire.gatt import CONFIG_UUID, CONTROL_UUID, DATA_UUID, SERVICE_UUID, STATUS_UUID, samples_per_notification
from edgehar.wire.imu_codec import ImuDecoder
from edgehar.wire.messages import ImuHello

LEAST_MTU = next(mtu for mtu in range(23, 512) if samples_per_notification(mtu, 6))  # one whole sample fits


def known(advertised: Advertised) -> bool:
    """Its advertisement carries the service's UUID."""
    return SERVICE_UUID in advertised.services


def make(choice: Choice) -> EdgeHarTag:
    """One tag."""
    return EdgeHarTag(choice)


class EdgeHarTag:
    """A `BleDevice`. It is read who the tag is and set as wanted; then its samples are asked for."""

    title = "edgehar tag"

    def __init__(self, choice: Choice) -> None:
        self.stream = ImuStream(choice)
        self._decoder = ImuDecoder()

    @property
    def counts(self) -> Counter[str]:
        """Samples, and what did not become one by cause; losses by where."""
        return self.stream.totals

    @property
    def spec(self) -> StreamSpec | None:
        """What the tag's hello says, once samples came."""
        return self.stream.spec

    def steps(self) -> Iterator[Step]:
        """Samples come last: by then the tag is set, and its counters have been read."""
        yield Read(CONFIG_UUID)
        yield Subscribe(CONTROL_UUID)
        yield Subscribe(CONFIG_UUID)
        hello = self.stream.hello
        commands = [] if hello is None else tag_commands(hello, self.stream.choice)
        for line in commands:
            yield Write(CONTROL_UUID, line, answer=CONTROL_UUID)
        if commands:
            yield Read(CONFIG_UUID)
        yield Read(STATUS_UUID)
        yield Subscribe(STATUS_UUID)
        yield Subscribe(DATA_UUID)

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """One packet. Raises InputError where the tag's firmware speaks another version, or its hello is none."""
        message = self._decoder.push_packet(value)
        if uuid == CONFIG_UUID and not isinstance(message, ImuHello):
            raise _no_hello(value, message if isinstance(message, Cause) else Cause.KIND)
        return self.stream.push(message, host_ns)

    def interrupt(self) -> None:
        """The samples' own numbers say whether any were lost."""
        self.stream.interrupt()


def _no_hello(value: bytes, cause: Cause) -> InputError:
    where = f"characteristic {CONFIG_UUID} holds {len(value)} bytes"
    if cause is Cause.VERSION:
        older = "flash the firmware that comes with this edgehar: edgehar firmware build --help"
        return InputError(
            f"the tag speaks version {value[0]} of the wire protocol, this edgehar version {VERSION} ({where})",
            reason=Reason.VERSION,
            hint=older if value[0] < VERSION else "update edgehar: pip install --upgrade edgehar",
        )
    expected = f"version {VERSION}, kind imu_hello and its fields"
    return InputError(
        f"{where} that are no hello ({cause.replace('_', ' ')}): expected {expected}",
        reason=Reason.FORMAT,
        hint="is it a tag with edgehar's firmware? its packets are described in docs/ble-imu.md",
    )

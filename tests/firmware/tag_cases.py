"""A tag's life for the script of firmware/host_tests/cases.c, and what its host makes of the answers."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgehar.wire.frames import Cause, Loss
from edgehar.wire.gatt import gatt
from edgehar.wire.imu_codec import ImuDecoder, ImuFrameDecoder
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.messages import ImuHeartbeat, ImuHello, ImuSamples, LogLine, Reply
from edgehar.wire.numbered import NumberedLosses
from edgehar.wire.packet import PACKET_HEAD_BYTES
from edgehar.wire.parse import ImuMessage
from tests.firmware.core_cases import sized

PERIOD_US = 10_000
SECOND_US = 1_000_000
ROOM_CABLE = 1100


def room_ble(mtu: int) -> int:
    """The payload that fits one notification."""
    return gatt().link.value_bytes(mtu) - PACKET_HEAD_BYTES


class TagLife:
    """A tag's life, step by step; `script` is the operation. Samples are 100 a second unless told otherwise."""

    def __init__(self, identity: ImuHello, *, cable: bool = False, queue_samples: int = 512) -> None:
        self._steps = [b"\x07" + imu_payload(identity)[1] + struct.pack("<BH", cable, queue_samples)]

    def samples(
        self,
        x: NDArray[np.int16],
        t_us: int,
        *,
        period_ns: int = 1000 * PERIOD_US,
        lost: int = 0,
        accel_g: int = 8,
        gyro_dps: int = 1000,
    ) -> None:
        """The sensor gave x [n, 6]; the first was taken at t_us."""
        head = struct.pack("<QIIBH", t_us, period_ns, lost, accel_g, gyro_dps)
        self._steps.append(b"S" + head + sized(x.astype("<i2").tobytes()))

    def poll(self, now_us: int, room: int = 65535, *, meanwhile: int = 0) -> None:
        """The link has room for so many messages (bytes of a cable); `meanwhile` samples come during the first."""
        self._steps.append(b"P" + struct.pack("<QHB", now_us, room, meanwhile))

    def link(self, room: int) -> None:
        """A host came, or its MTU changed, or it went: 0."""
        self._steps.append(b"K" + struct.pack("<H", room))

    def receive(self, raw: bytes) -> None:
        """Bytes over the cable."""
        self._steps.append(b"R" + sized(raw))

    def write(self, raw: bytes) -> None:
        """A write to the control characteristic."""
        self._steps.append(b"W" + sized(raw))

    def write_meanwhile(self, raw: bytes) -> None:
        """The same, while the next message is on its way to the link."""
        self._steps.append(b"M" + sized(raw))

    def log(self, text: str, level: int = 3) -> None:
        """The firmware logs a line."""
        self._steps.append(b"L" + bytes([level]) + sized(text.encode()))

    def set(self, rate_hz: int, accel_g: int, gyro_dps: int) -> None:
        """The sensor was set otherwise on the tag's own account."""
        self._steps.append(b"V" + struct.pack("<HBH", rate_hz, accel_g, gyro_dps))

    def battery(self, percent: int) -> None:
        """The battery was measured."""
        self._steps.append(b"B" + bytes([percent]))

    def unheard(self, *kinds: int) -> None:
        """Nobody has asked for these kinds, everybody for all others."""
        self._steps.append(b"U" + struct.pack("<H", sum(1 << kind for kind in kinds)))

    def read_hello(self, now_us: int) -> None:
        """A host reads the payload of hello."""
        self._steps.append(b"H" + struct.pack("<Q", now_us))

    def read_heartbeat(self, now_us: int) -> None:
        """A host reads the payload of the heartbeat."""
        self._steps.append(b"T" + struct.pack("<Q", now_us))

    @property
    def script(self) -> bytes:
        return b"".join(self._steps) + b"E"


@dataclass
class Heard:
    """What a host got of a life, in order; `seq` and `x` are of all samples."""

    messages: list[ImuMessage] = field(default_factory=list)
    losses: NumberedLosses = field(default_factory=NumberedLosses)

    def of(self, cls: type) -> list:
        return [message for message in self.messages if isinstance(message, cls)]

    @property
    def seq(self) -> list[int]:
        return [samples.seq + i for samples in self.of(ImuSamples) for i in range(len(samples.x))]

    @property
    def t_us(self) -> list[int]:
        return [s.t_us + i * s.period_us for s in self.of(ImuSamples) for i in range(len(s.x))]

    @property
    def x(self) -> NDArray[np.int16]:
        return np.concatenate([samples.x for samples in self.of(ImuSamples)])


def hear(messages: Iterable[ImuMessage | Cause]) -> Heard:
    """Messages in the order of the link; nothing among them is unsound, no number steps back."""
    heard = Heard()
    for message in messages:
        assert isinstance(message, ImuHello | ImuHeartbeat | ImuSamples | Reply | LogLine), message
        heard.messages.append(message)
        if isinstance(message, ImuSamples):
            assert heard.losses.arrived(message.seq, len(message.x))
        elif isinstance(message, ImuHeartbeat):
            dropped = {Loss.QUEUE: message.dropped_queue, Loss.SENSOR: message.dropped_sensor}
            assert heard.losses.mark_at(message.next_seq, dropped)
    return heard


def hear_packets(records: Iterable[bytes]) -> Heard:
    """Packets, each a record."""
    return hear(map(ImuDecoder().push_packet, records))


def hear_cable(records: Iterable[bytes]) -> Heard:
    """Bytes of a cable in records of any size."""
    decoder = ImuFrameDecoder()
    heard = hear([message for record in records for message in decoder.push(record)] + decoder.finish())
    assert set(decoder.counts) <= {"frames"}
    return heard

"""What a tag (an inertial sensor with edgehar's firmware) says: packets over Bluetooth LE, frames over a cable."""

from __future__ import annotations

from collections import Counter, deque

from edgehar.wire.frame_cutter import FrameCutter
from edgehar.wire.frames import Cause
from edgehar.wire.messages import ImuHeartbeat, ImuHello, ImuSamples, LogLine, Reply
from edgehar.wire.packet import unwrap_packet
from edgehar.wire.parse import ImuMessage, parse_head, parse_message


class ImuDecoder:
    """Packets, one at a time. `counts`: `packets` that were sound, and one entry a `Cause` that occurred."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def push_packet(self, packet: bytes | bytearray | memoryview) -> ImuMessage | Cause:
        """The message in it, or why there is none. No wrong value gets through, and nothing is raised."""
        found = unwrap_packet(packet)
        message = found if isinstance(found, Cause) else parse_imu(*found)
        self.counts[message if isinstance(message, Cause) else "packets"] += 1
        return message


class ImuFrameDecoder:
    """Bytes of a cable, in pieces of any size. `counts`: `frames` that were sound, and one entry a `Cause`."""

    def __init__(self) -> None:
        self._messages: list[ImuMessage] = []
        self._damaged = 0
        self._cutter = FrameCutter(self._take, self._damage)

    @property
    def counts(self) -> Counter[str]:
        return self._cutter.counts

    @property
    def log(self) -> deque[str]:
        """The newest lines of text that stood between frames: boot messages, panics."""
        return self._cutter.text.lines

    @property
    def damaged(self) -> int:
        """Pieces that were neither frame nor text: each may have been a frame."""
        return self._damaged

    def push(self, data: bytes | bytearray | memoryview) -> list[ImuMessage]:
        """The messages that `data` completes, in order."""
        self._cutter.push(data)
        return self._drain()

    def finish(self) -> list[ImuMessage]:
        """The stream is over; its last frame may lack the delimiter."""
        self._cutter.finish()
        return self._drain()

    def _drain(self) -> list[ImuMessage]:
        messages, self._messages = self._messages, []
        return messages

    def _take(self, number: int, payload: bytes) -> Cause | None:
        message = parse_imu(number, payload)
        if isinstance(message, Cause):
            return message
        self._messages.append(message)
        self._cutter.counts["frames"] += 1
        return None

    def _damage(self) -> None:
        self._damaged += 1


def parse_imu(number: int, payload: bytes) -> ImuMessage | Cause:
    """The message of the kind numbered `number`; Cause.KIND where it is none that a tag sends."""
    found = parse_head(number, payload)
    if isinstance(found, Cause):
        return found
    kind, head = found
    if kind.name == "csi":
        return Cause.KIND
    message = parse_message(kind, head, payload[kind.head_bytes :])
    if isinstance(message, Cause | ImuHello | ImuHeartbeat | ImuSamples | Reply | LogLine):
        return message
    return Cause.KIND

"""From the bytes of a tag on a cable to Chunks, sans-IO: asks who it is, sets it as wanted, lets its stream begin."""

from __future__ import annotations

from collections import Counter

from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.imu_stream import MOST_WAITING, ImuStream
from edgehar.sources.tag_settings import tag_commands
from edgehar.types import Chunk, StreamSpec
from edgehar.wire.command import encode_command
from edgehar.wire.imu_codec import ImuFrameDecoder
from edgehar.wire.messages import ImuHello, ImuSamples
from edgehar.wire.parse import ImuMessage

FRAMES = "frames"


class ImuFrames:
    """A `ByteStream`. What was measured before the tag was set as wanted is let go: it is of another rate."""

    def __init__(self, choice: Choice | None = None) -> None:
        self.stream = ImuStream(choice)
        self.decoder = ImuFrameDecoder()
        self.hello: ImuHello | None = None
        self.frames = 0
        self._is_set = False
        self._told: int | None = None  # the boot for which commands were sent
        self._outgoing = b""
        self._held: list[tuple[ImuMessage, int]] = []  # until it is set, or known to need nothing
        self._damaged = 0

    @property
    def spec(self) -> StreamSpec | None:
        """What the stream is; None until the tag is set and sends samples."""
        return self.stream.spec

    @property
    def totals(self) -> Counter[str]:
        """Messages decoded, and what did not become one by cause; samples, and losses by where."""
        return self.decoder.counts + self.stream.totals

    def push(self, data: bytes, host_ns: int) -> list[Chunk]:
        """Bytes that arrived at `host_ns` on the host's monotonic clock."""
        return self._take(self.decoder.push(data), host_ns)

    def interrupt(self) -> None:
        """The link broke here."""
        self.stream.interrupt()

    def settle(self) -> list[Chunk]:
        """It did not say who it is, or that it was set: take what came as it is."""
        return self._begin() + self.stream.settle()

    def finish(self, host_ns: int) -> list[Chunk]:
        """The stream is over; one too short to say what it is, is what came."""
        return self._take(self.decoder.finish(), host_ns) + self._begin() + self.stream.finish()

    def outgoing(self) -> bytes:
        """Commands for the tag, once."""
        told, self._outgoing = self._outgoing, b""
        return told

    def _take(self, messages: list[ImuMessage], host_ns: int) -> list[Chunk]:
        chunks: list[Chunk] = []
        for message in messages:
            self.frames += isinstance(message, ImuSamples)
            if isinstance(message, ImuHello):
                self._hear(message)
            if self._is_set:
                chunks += self._begin() + self.stream.push(message, host_ns)
            else:
                self._held.append((message, host_ns))
                del self._held[:-MOST_WAITING]
        for _ in range(self.decoder.damaged - self._damaged):
            self.stream.damage()
        self._damaged = self.decoder.damaged
        return chunks

    def _hear(self, hello: ImuHello) -> None:
        """The first hello of each start says what is to be set; the next one, that it was."""
        self.hello = hello
        if self._told == hello.boot:
            if not self._is_set:
                self._held.clear()  # measured before the commands were obeyed
            self._is_set = True
            return
        self._told = hello.boot
        commands = tag_commands(hello, self.stream.choice)
        if commands:
            self._outgoing += b"".join(commands) + encode_command("hello")
        else:
            self._is_set = True

    def _begin(self) -> list[Chunk]:
        self._is_set = True
        held, self._held = self._held, []
        return [chunk for message, host_ns in held for chunk in self.stream.push(message, host_ns)]

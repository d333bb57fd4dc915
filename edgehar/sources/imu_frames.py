"""From the bytes of a tag on a cable to Chunks, sans-IO: asks who it is, sets it as wanted, lets its stream begin."""

from __future__ import annotations

from collections import Counter

from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.imu_stream import MOST_WAITING, ImuStream
from edgehar.sources.tag_settings import tag_commands
from edgehar.types import Chunk, StreamSpec
from edgehar.wire.cobs import encoded_bytes
from edgehar.wire.command import encode_command
from edgehar.wire.envelope import OVERHEAD_BYTES
from edgehar.wire.imu_codec import ImuFrameDecoder
from edgehar.wire.messages import ImuHello, ImuSamples, Reply
from edgehar.wire.parse import ImuMessage
from edgehar.wire.schema import schema

HEAD_BYTES = schema().kinds["imu"].head_bytes
DELIMITERS = b"\0\0"
LAST_COMMAND = 0xE4A  # numbers the last of ours, so that its reply is known
PATIENT_HELLOS = 3  # without a reply: it was damaged on the way


class ImuFrames:
    """A `ByteStream`. What was measured before the tag was set as wanted is let go: it is of another rate."""

    def __init__(self, choice: Choice | None = None) -> None:
        self.stream = ImuStream(choice)
        self.decoder = ImuFrameDecoder()
        self.hello: ImuHello | None = None
        self.frames = 0
        self.message_bytes = 0  # of the shortest message of samples, as it went over the line
        self._is_set = False
        self._told: int | None = None  # the boot for which commands were sent
        self._hellos = 0  # of this boot
        self._answered = False  # whether the tag has been through all of them
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
            if isinstance(message, ImuSamples):
                self.frames += 1
                size = encoded_bytes(HEAD_BYTES + message.x.nbytes + OVERHEAD_BYTES) + len(DELIMITERS)
                self.message_bytes = min(size, self.message_bytes or size)
            if isinstance(message, ImuHello):
                self._hear(message)
            elif isinstance(message, Reply) and message.id == LAST_COMMAND:
                self._answered = True
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
        """The first hello of each start says what is to be set; one after the answer to the commands, that it was."""
        self.hello = hello
        commands = tag_commands(hello, self.stream.choice)
        if self._told != hello.boot:
            self._told, self._hellos, self._answered = hello.boot, 0, False
            if commands:
                self._outgoing += b"".join(commands) + encode_command("hello", id=LAST_COMMAND)
        elif not self._is_set and (self._answered or self._hellos >= PATIENT_HELLOS):
            commands = []  # it does what it can
        self._hellos += 1
        if not self._is_set and not commands:
            if self._hellos > 1:
                self._held.clear()  # measured before the commands were obeyed
            self._is_set = True

    def _begin(self) -> list[Chunk]:
        self._is_set = True
        held, self._held = self._held, []
        return [chunk for message, host_ns in held for chunk in self.stream.push(message, host_ns)]

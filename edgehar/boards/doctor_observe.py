"""Listen to a board, or to any other source, for a while, and keep what the checks look at."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from edgehar.errors import Reason, UsageError
from edgehar.sources import SourceUri, open_source
from edgehar.sources.blocking import BlockingSource
from edgehar.sources.byte_link import AUTO, ByteLink, SerialLink, SocketLink
from edgehar.sources.csi_stream import CsiChoice, CsiStream
from edgehar.sources.usb_ports import BoardPort, board_ports, check_port, only_board_port
from edgehar.types import Chunk, StreamSpec
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.command import encode_command
from edgehar.wire.messages import Hello

DEFAULT_BAUD = 921_600
LINK_SCHEMES = ("csi", "tcp")
LINK_KEYS = ("baud", "protocol", "field", "layout", "salt")
NS_PER_S = 1e9
Report = Callable[[int, int], None]


@dataclass(slots=True)
class Heard:
    """Everything that came from a link. `beats`: (device time in us, arrival in ns) of each hello and heartbeat."""

    name: str
    baud: int
    board: BoardPort | None = None
    lasted_s: float = 0.0
    received: int = 0
    stream: CsiStream = field(default_factory=CsiStream)
    beats: list[tuple[int, int]] = field(default_factory=list)
    hello: Hello | None = None

    @property
    def binary(self) -> FrameDecoder | None:
        """The decoder of edgehar's own frames, unless the board prints rows."""
        return next(iter(self.stream.binary), None)

    @property
    def is_text(self) -> bool:
        """Whether the board prints rows."""
        return self.stream.decoder is not None and not self.stream.binary


@dataclass(slots=True)
class Observation:
    """What came, as Chunks; `heard` where it came over a link that can be looked at."""

    chunks: list[Chunk]
    spec: StreamSpec | None
    heard: Heard | None = None

    @property
    def simulated(self) -> bool:
        """Whether the source says that no sensor is behind it."""
        if self.heard is not None and self.heard.stream.simulated:
            return True
        return self.spec is not None and self.spec.simulated


class Listening:
    """Sans-IO: `push` what arrives, `observation` is what the checks need."""

    def __init__(self, name: str, baud: int, choice: CsiChoice | None = None, board: BoardPort | None = None) -> None:
        self._heard = Heard(name, baud, board, stream=CsiStream(choice))
        self._chunks: list[Chunk] = []
        self._began_ns: int | None = None

    def push(self, data: bytes, host_ns: int) -> None:
        """Bytes, perhaps none, that arrived by `host_ns` on the host's monotonic clock."""
        heard = self._heard
        self._began_ns = host_ns if self._began_ns is None else self._began_ns
        heard.lasted_s = (host_ns - self._began_ns) / NS_PER_S
        heard.received += len(data)
        before = [(decoder.hello, decoder.heartbeat) for decoder in heard.stream.binary]
        self._chunks += heard.stream.push(data, host_ns)
        for decoder, (hello, heartbeat) in zip(heard.stream.binary, before, strict=False):
            heard.hello = decoder.hello
            if decoder.heartbeat is not heartbeat and decoder.heartbeat is not None:
                heard.beats.append((decoder.heartbeat.t_us, host_ns))
            elif decoder.hello is not hello and decoder.hello is not None:
                heard.beats.append((decoder.hello.t_us, host_ns))

    def observation(self) -> Observation:
        """What came so far; a stream too short to be sure of is settled by what there is."""
        if self._heard.stream.spec is None:
            self._chunks += self._heard.stream.settle()
        return Observation(self._chunks, self._heard.stream.spec, self._heard)


def open_link(uri: SourceUri) -> tuple[ByteLink, int, BoardPort | None]:
    """The link that `csi:` or `tcp:` names, opened; its baud rate (0: none) and the USB identity behind it.

    Raises what keeps it from opening, with the fix in the error's hint.
    """
    uri.only(*LINK_KEYS)
    if uri.scheme == "tcp":
        link: ByteLink = SocketLink(uri.locator)
        link.open()
        return link, 0, None
    baud = uri.integer("baud", DEFAULT_BAUD, low=300)
    if not uri.locator:
        raise UsageError(f"source '{uri.text}' names no port", reason=Reason.FORMAT, hint="edgehar doctor csi:auto")
    device = only_board_port().device if uri.locator == AUTO else uri.locator
    check_port(device)
    board = next((port for port in board_ports() if port.device == device), None)
    link = SerialLink(device, baud)
    link.open()
    return link, baud, board


def listen(link: ByteLink, listening: Listening, duration_s: float, report: Report | None = None) -> Observation:
    """Read the link for so long; the board is asked for its hello. OSError where it goes away.

    Decoded afterwards: the first frames compile kernels, and meanwhile the driver's buffer would run over.
    """
    came: list[tuple[bytes, int]] = []
    began_ns = time.monotonic_ns()
    link.write(encode_command("hello"))
    while (spent_s := (time.monotonic_ns() - began_ns) / NS_PER_S) < duration_s:
        data = link.read()
        came.append((data, time.monotonic_ns()))
        if report is not None:
            report(round(1000 * spent_s), round(1000 * duration_s))
    for data, host_ns in came:
        listening.push(data, host_ns)
    return listening.observation()


def watch(uri: SourceUri, duration_s: float) -> Observation:
    """Any other source, for so long of its own time."""
    chunks: list[Chunk] = []
    with BlockingSource(open_source(uri)) as source:
        while (chunk := source.next_chunk()) is not None:
            if len(chunk):
                chunks.append(chunk)
            if chunks and (chunks[-1].t_dev_ns[-1] - chunks[0].t_dev_ns[0]) / NS_PER_S >= duration_s:
                break
        return Observation(chunks, source.spec)

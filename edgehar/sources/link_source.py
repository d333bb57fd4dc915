"""A source behind a cable or a TCP connection: opening it, patience, what keeps every byte, unplugging.

What the bytes mean is a `ByteStream`'s business; what is said when nothing comes is its source's.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Generic, Protocol, Self, TypeVar

from edgehar.errors import EdgeHarError, InputError, MissingError, Reason, UsageError
from edgehar.sources.byte_link import ByteLink
from edgehar.sources.link_reader import LinkReader, Piece
from edgehar.types import Chunk, StreamSpec

PATIENCE_S = 5.0
LINK_KEYS = ("baud", "raw", "patience_s", "reopen_s")
UNPLUGGED = "unplugged"


class ByteStream(Protocol):
    """Sans-IO: bytes in, Chunks out."""

    @property
    def spec(self) -> StreamSpec | None:
        """What the stream is; None until enough came to know."""

    @property
    def frames(self) -> int:
        """Frames or rows that were decoded, whatever became of them."""

    @property
    def totals(self) -> Counter[str]:
        """What was received, refused and lost, by cause."""

    def push(self, data: bytes, host_ns: int) -> list[Chunk]:
        """Bytes that arrived at `host_ns` on the host's monotonic clock."""

    def interrupt(self) -> None:
        """The link broke here."""

    def settle(self) -> list[Chunk]:
        """Decide now what the stream is, by the little that came."""

    def finish(self, host_ns: int) -> list[Chunk]:
        """The stream is over."""

    def outgoing(self) -> bytes:
        """What the device is to be told now; asked for after every push."""


StreamT = TypeVar("StreamT", bound=ByteStream)


class LinkSource(Generic[StreamT]):
    """What comes over a link as Chunks. `counts` says what was received, lost, refused, and why.

    Unplugged and plugged in again, the stream goes on. `raw` keeps every byte as it came. greeting: what the device is
    told whenever the link has been opened. scheme: what the doctor calls such a source.
    """

    def __init__(
        self,
        link: ByteLink,
        stream: StreamT,
        *,
        scheme: str,
        raw: Path | None = None,
        patience_s: float = PATIENCE_S,
        reopen_s: float | None = None,
        greeting: bytes = b"",
    ) -> None:
        self.stream = stream
        self._scheme = scheme
        self._reader = LinkReader(link, reopen_s=reopen_s, greeting=greeting)
        self._raw_path = raw
        self._raw: BinaryIO | None = None
        self._patience_s = patience_s
        self._received = 0
        self._settled: list[Chunk] = []  # what came while the spec was found out

    @property
    def spec(self) -> StreamSpec:
        """Known once the source is open."""
        if self.stream.spec is None:
            raise UsageError(
                f"{self._reader.link.name} has not been read yet",
                reason=Reason.VALUE,
                hint="open the source before asking",
            )
        return self.stream.spec

    @property
    def counts(self) -> Counter[str]:
        """Frames decoded, and what did not become one by cause; losses by where; times unplugged."""
        found = Counter(self.stream.totals)
        found[UNPLUGGED] = self._reader.breaks
        return +found

    async def __aenter__(self) -> Self:
        """Open the link and wait until it is clear what the stream is. Raises MissingError where nothing comes."""
        if self._raw_path is not None:
            self._raw = _create(self._raw_path)
        try:
            await self._reader.start()
            await self._settle()
        except OSError as error:
            await self._close()
            raise MissingError(
                f"{self._reader.link.name} cannot be opened: {error}",
                reason=Reason.PERMISSION,
                hint=f"edgehar doctor {self._scheme}:{self._reader.link.name}",
            ) from None
        except (EdgeHarError, asyncio.CancelledError):
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the link; harmless when repeated."""
        await self._close()

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks as their frames arrive."""
        settled, self._settled = self._settled, []
        for chunk in settled:
            yield chunk
        while pieces := await self._reader.pieces():
            for chunk in await self._push(pieces):
                yield chunk
        for chunk in self.stream.finish(time.monotonic_ns()):
            yield chunk

    def label_at(self, t_dev_ns: int) -> str:  # noqa: ARG002  (nobody knows)
        """Nothing: a board does not know what people do."""
        return ""

    def nothing(self, name: str, waited: str, received: int) -> MissingError:
        """Why nothing came of `received` bytes, as far as they tell. name: the port's; waited: "within 5 s"."""
        raise NotImplementedError

    async def _settle(self) -> None:
        """Read until the stream has a spec."""
        deadline_s = time.monotonic() + self._patience_s
        while self.stream.spec is None:
            left_s = deadline_s - time.monotonic()
            try:
                pieces = await self._reader.pieces(max(left_s, 0.0))
            except TimeoutError:
                pieces = []
            self._settled += await self._push(pieces)
            if left_s <= 0 and self.stream.spec is None and self.stream.frames:
                self._settled += self.stream.settle()  # frames, but fewer than settle a stream by themselves
            if left_s <= 0 and self.stream.spec is None:
                raise self.nothing(self._reader.link.name, f"within {self._patience_s:g} s", self._received)

    async def _push(self, pieces: list[Piece]) -> list[Chunk]:
        """Runs of pieces that no break parts are decoded at once, at the time of the last."""
        chunks: list[Chunk] = []
        held: list[bytes] = []
        host_ns = 0
        for piece in pieces:
            if piece.broken and held:
                chunks += self._decode(b"".join(held), host_ns)
                held = []
            if piece.broken:
                self.stream.interrupt()
            if piece.data:
                held.append(piece.data)
                host_ns = piece.host_ns
        if held:
            chunks += self._decode(b"".join(held), host_ns)
        if told := self.stream.outgoing():
            await asyncio.to_thread(self._reader.write, told)
        return chunks

    def _decode(self, data: bytes, host_ns: int) -> list[Chunk]:
        self._received += len(data)
        if self._raw is not None:
            self._raw.write(data)
            self._raw.flush()
        return self.stream.push(data, host_ns)

    async def _close(self) -> None:
        await self._reader.stop()
        if self._raw is not None:
            self._raw.close()


def nothing_came(message: str, hint: str) -> MissingError:
    """The error for a device that is there and sends nothing of use."""
    return MissingError(message, reason=Reason.NOT_FOUND, hint=hint)


def _create(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except FileExistsError:
        raise UsageError(f"{path} exists", reason=Reason.EXISTS, hint="choose another raw=FILE") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}", reason=Reason.PERMISSION, hint="choose another raw=FILE"
        ) from None

"""`csi:PORT` and `tcp:HOST:PORT`: channel state from a board, as binary frames or printed rows.

csi:/dev/ttyACM0?baud=921600    csi:auto?field=lltf    tcp:192.168.4.1:3333?raw=all.bin
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from edgehar.errors import EdgeHarError, InputError, MissingError, Reason, UsageError
from edgehar.sources.byte_link import ByteLink, SerialLink, SocketLink
from edgehar.sources.csi_stream import CsiChoice, CsiStream
from edgehar.sources.link_reader import LinkReader, Piece
from edgehar.sources.uri import SourceUri
from edgehar.types import Chunk, StreamSpec

DEFAULT_BAUD = 921_600
PATIENCE_S = 5.0
KEYS = ("baud", "protocol", "field", "layout", "form", "rate_hz", "sender", "salt", "raw", "patience_s", "reopen_s")
UNPLUGGED = "unplugged"


def from_uri(uri: SourceUri, expected: StreamSpec | None) -> CsiSource:
    """Keys: baud, protocol=auto|binary|text, field=auto|lltf|htltf|..., layout, form=iq|amp, rate_hz, sender (hash),
    salt, raw=FILE (keeps every byte), patience_s (for the first frames), reopen_s (0: for ever).
    """
    del expected  # a board is what it is; the contract is checked where the two meet
    uri.only(*KEYS)
    if not uri.locator:
        raise UsageError(
            f"source '{uri.text}' names no port", reason=Reason.FORMAT, hint="write csi:/dev/ttyACM0 or csi:auto"
        )
    typed = uri.word("sender", "")
    try:
        sender = int(typed, 16) if typed else -1
    except ValueError:
        raise UsageError(
            f"source '{uri.text}': sender='{typed}' is no hash",
            reason=Reason.VALUE,
            hint="give eight hexadecimal digits, as edgehar doctor prints them",
        ) from None
    choice = CsiChoice(
        protocol=uri.word("protocol", "auto"),
        field=uri.word("field", "auto"),
        layout=uri.word("layout", ""),
        rate_hz=uri.number("rate_hz", 0.0, low=0.0, high=100_000.0),
        sender=sender,
        salt=uri.word("salt", ""),
        form=uri.word("form", "iq"),
    )
    tcp = uri.scheme == "tcp"
    baud = uri.integer("baud", DEFAULT_BAUD, low=300)
    link: ByteLink = SocketLink(uri.locator) if tcp else SerialLink(uri.locator, baud)
    return CsiSource(
        link,
        choice,
        raw=Path(uri.word("raw", "")) if uri.word("raw", "") else None,
        patience_s=uri.number("patience_s", PATIENCE_S, low=0.1),
        reopen_s=uri.number("reopen_s", 0.0, low=0.0) or None,
    )


class CsiSource:
    """A board's frames of one layout as Chunks. `counts` says what was received, lost, refused, and why.

    Unplugged and plugged in again, the stream goes on behind a marked gap. `raw` keeps every byte as it came.
    """

    def __init__(
        self,
        link: ByteLink,
        choice: CsiChoice | None = None,
        *,
        raw: Path | None = None,
        patience_s: float = PATIENCE_S,
        reopen_s: float | None = None,
    ) -> None:
        self.stream = CsiStream(choice)
        self._reader = LinkReader(link, reopen_s=reopen_s)
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
        found: Counter[str] = Counter(self.stream.counts)
        if self.stream.decoder is not None:
            found.update(self.stream.decoder.counts)
            found.update({str(loss): count for loss, count in self.stream.decoder.losses.items()})
        found[UNPLUGGED] = self._reader.breaks
        return +found

    async def __aenter__(self) -> Self:
        """Open the link and wait until it is clear what the stream is. Raises MissingError where no frame comes."""
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
                hint=f"edgehar doctor csi:{self._reader.link.name}",
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
        """Chunks as their frames arrive; the frames that came together are one chunk where their layout is one."""
        settled, self._settled = self._settled, []
        for chunk in settled:
            yield chunk
        while pieces := await self._reader.pieces():
            for chunk in self._push(pieces):
                yield chunk
        for chunk in self.stream.finish(time.monotonic_ns()):
            yield chunk

    def label_at(self, t_dev_ns: int) -> str:  # noqa: ARG002  (nobody knows)
        """Nothing: a board does not know what people do."""
        return ""

    async def _settle(self) -> None:
        """Read until the stream has a spec."""
        deadline_s = time.monotonic() + self._patience_s
        while self.stream.spec is None:
            left_s = deadline_s - time.monotonic()
            try:
                pieces = await self._reader.pieces(max(left_s, 0.0))
            except TimeoutError:
                pieces = []
            self._settled += self._push(pieces)
            if left_s <= 0 and self.stream.spec is None and not self.stream.frames:
                raise self._nothing()
            if left_s <= 0:  # frames, but fewer than settle a stream by themselves
                self._settled += self.stream.settle()

    def _push(self, pieces: list[Piece]) -> list[Chunk]:
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

    def _nothing(self) -> MissingError:
        """Why no frame came, as far as the bytes tell."""
        name = self._reader.link.name
        waited = f"within {self._patience_s:g} s"
        hello = next((d.hello for d in self.stream.binary if d.hello is not None), None)
        if hello is not None and not hello.csi:
            return _missing(f"{name}: the firmware of '{hello.name}' has CSI switched off", "edgehar firmware build")
        if hello is not None:
            hint = "make traffic on its channel: edgehar flash --role sender on a second board, or ping through it"
            return _missing(f"{name}: '{hello.name}' is alive on channel {hello.channel} but receives no frame", hint)
        if not self._received:
            hint = f"press RST on the board; then: edgehar doctor csi:{name}"
            return _missing(f"{name}: not one byte came {waited}", hint)
        lines = [line for decoder in self.stream.binary for line in decoder.log]
        said = f"; the last line was '{lines[-1]}'" if lines else ", and they read as noise: is the baud rate right?"
        return _missing(f"{name}: {self._received} bytes came {waited}, no CSI among them{said}",
                        f"edgehar doctor csi:{name}, or name the speed: csi:{name}?baud=115200")  # fmt: skip


def _missing(message: str, hint: str) -> MissingError:
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

"""Bytes to whole messages, in bounded memory: finds the frames whatever lies between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from edgehar.wire.envelope import MAX_CODED_BYTES, unwrap
from edgehar.wire.frames import Cause
from edgehar.wire.logtext import LogLines, is_text


class FrameCutter:
    """`push` bytes in pieces of any size: `take` gets kind and payload of each sound frame, and says why it is none.

    `counts` tells how often each `Cause` occurred, `text` holds what read as text between frames, and `damaged` is
    called for each piece that was neither. None of it depends on how the bytes were cut.
    """

    def __init__(self, take: Callable[[int, bytes], Cause | None], damaged: Callable[[], None]) -> None:
        self.counts: Counter[str] = Counter()
        self.text = LogLines()
        self._take = take
        self._damaged = damaged
        self._rest = b""
        self._whole = False  # whether the piece at hand began with a delimiter: the first may be a frame's second half
        self._overlong: Cause | None = None  # what the piece at hand is, once it is longer than any frame

    @property
    def held_bytes(self) -> int:
        """Bytes that wait for the end of their frame."""
        return len(self._rest)

    def push(self, data: bytes | bytearray | memoryview) -> None:
        """What came over the line."""
        *pieces, self._rest = (self._rest + bytes(data)).split(b"\0")
        for piece in pieces:
            self._piece(piece)
            self.text.end()
            self._whole, self._overlong = True, None
        if self._overlong is not None or len(self._rest) > MAX_CODED_BYTES:
            self._without_end(self._rest)
            self._rest = b""

    def finish(self) -> None:
        """The stream is over; its last frame may lack the delimiter."""
        self._whole = False
        self._piece(self._rest)
        self.text.end()
        self._rest = b""

    def _piece(self, piece: bytes) -> None:
        """What stood between two zeros."""
        if self._overlong is not None or len(piece) > MAX_CODED_BYTES:
            self._without_end(piece)
        elif piece:
            found = unwrap(piece)
            cause = found if isinstance(found, Cause) else self._take(*found)
            if cause is None:
                return
            if is_text(piece):
                self._log(piece)
                return
            cut = isinstance(found, Cause) and not self._whole
            self.counts[Cause.TRUNCATED if cut else cause] += 1
            self._damaged()

    def _without_end(self, piece: bytes) -> None:
        """All that has come of a piece that is longer than any frame; what it is, its beginning decides."""
        if self._overlong is None:
            self._overlong = Cause.LOG if is_text(piece[: MAX_CODED_BYTES + 1]) else Cause.OVERLONG
            if self._overlong is Cause.OVERLONG:
                self.counts[Cause.OVERLONG] += 1
                self._damaged()
        if self._overlong is Cause.LOG:
            self._log(piece)

    def _log(self, text: bytes) -> None:
        if text:
            self.counts[Cause.LOG] += len(text)
            self.text.push(text)

"""Bytes in pieces of any size to whole lines, in bounded memory."""

from __future__ import annotations

LINE_FEED = b"\n"


class LineCutter:
    """Holds back what is not ended by a line feed yet, `max_bytes` of it at most.

    A line that grows longer is dropped up to its line feed; the first bytes of it come out as an over-long line, so
    that whoever scans lines counts it once, the same as one that came in one piece.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = b""
        self._dropping = False

    def push(self, data: bytes) -> bytes:
        """The whole lines that `data` completes."""
        cut = data.rfind(LINE_FEED) + 1
        if not cut:
            return self._hold(data)
        begin = 0
        if self._dropping:
            begin = data.find(LINE_FEED) + 1
            self._dropping = False
        lines = self._rest + data[begin:cut]
        self._rest = b""
        return lines + self._hold(data[cut:])

    def finish(self) -> bytes:
        """The last line, as if a line feed had ended it; nothing where there is none."""
        rest, self._rest, self._dropping = self._rest, b"", False
        return rest + LINE_FEED if rest else b""

    def _hold(self, data: bytes) -> bytes:
        if self._dropping:
            return b""
        self._rest += data
        if len(self._rest) <= self._max_bytes:
            return b""
        over, self._rest, self._dropping = self._rest[: self._max_bytes + 1], b"", True
        return over + LINE_FEED

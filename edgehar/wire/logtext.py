"""Text that stands between frames: boot messages, panics, the chip's own log. Kept apart, in bounds, made harmless."""

from __future__ import annotations

from collections import deque

_TEXT = bytes([9, 10, 13, 27, *range(32, 127)])
_MIN_TEXT_SHARE = 0.9  # a damaged frame's bytes are spread over all 256 values: some 40 % of them are in _TEXT
_SHOWN = bytes(byte if 32 <= byte < 127 or byte == 9 else ord("?") for byte in range(256))


def is_text(piece: bytes) -> bool:
    """Whether `piece` reads as text rather than as a damaged frame."""
    return len(piece.translate(None, _TEXT)) <= (1 - _MIN_TEXT_SHARE) * len(piece)


class LogLines:
    """The newest `max_lines` lines, each cut at `max_bytes`; independent of how the bytes were cut."""

    def __init__(self, max_lines: int = 1000, max_bytes: int = 256) -> None:
        self.lines: deque[str] = deque(maxlen=max_lines)
        self._max_bytes = max_bytes
        self._line = bytearray()

    def push(self, text: bytes) -> None:
        """Bytes as they came; a line ends at CR, LF or `end`."""
        *whole, rest = text.replace(b"\r", b"\n").split(b"\n")
        for piece in whole:
            self._extend(piece)
            self.end()
        self._extend(rest)

    def end(self) -> None:
        """Nothing more belongs to the line that is open."""
        if self._line:
            # Control characters could drive the terminal that shows them.
            self.lines.append(bytes(self._line).translate(_SHOWN).decode("ascii"))
            self._line.clear()

    def _extend(self, piece: bytes) -> None:
        self._line += piece[: max(0, self._max_bytes - len(self._line))]

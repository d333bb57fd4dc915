"""Lines of text that a device sends over the Nordic UART Service, cut anywhere into notifications."""

from __future__ import annotations

UART = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
UART_RX = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"  # towards the device
UART_TX = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
LONGEST = 512  # a line beyond this is none


class LineCutter:
    """`push` the bytes of a notification; whole lines come out, without their ends. `overlong` counts what was none."""

    def __init__(self) -> None:
        self._rest = b""
        self.overlong = 0

    def push(self, value: bytes) -> list[bytes]:
        """Empty lines are left out."""
        *lines, self._rest = (self._rest + value).replace(b"\r", b"\n").split(b"\n")
        if len(self._rest) > LONGEST:
            self._rest = b""
            self.overlong += 1
        return [line for line in lines if line]

    def interrupt(self) -> None:
        """What was begun stays unfinished."""
        self._rest = b""

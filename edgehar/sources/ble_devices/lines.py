"""Lines of text that a device sends over the Nordic UART Service, cut anywhere into notifications."""

from __future__ import annotations

from collections.abc import Callable

from edgehar.wire.frames import Cause

UART = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
UART_RX = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"  # towards the device
UART_TX = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
LONGEST = 512  # a line beyond this is none


class LineCutter:
    """`push` the bytes of a notification; whole lines come out, without their ends.

    `refuse` is told the cause when what should be a line does not end.
    """

    def __init__(self, refuse: Callable[[str], object]) -> None:
        self._rest = b""
        self._refuse = refuse

    def push(self, value: bytes) -> list[bytes]:
        """Empty lines are left out."""
        *lines, self._rest = (self._rest + value).replace(b"\r", b"\n").split(b"\n")
        if len(self._rest) > LONGEST:
            self._rest = b""
            self._refuse(Cause.OVERLONG)
        return [line for line in lines if line]

    def interrupt(self) -> None:
        """What was begun stays unfinished."""
        self._rest = b""

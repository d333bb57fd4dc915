"""Opening a serial port without restarting the board behind it, and restarting it on purpose.

On common boards two transistors make the reset lines of DTR and RTS: RTS alone holds the chip in reset, DTR alone pulls
the pin that selects the boot loader, both together do nothing. A board with USB of its own reads the same two lines.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from edgehar.errors import MissingError, Reason

if TYPE_CHECKING:
    import serial

NETWORK = "rfc2217://"
RESET_HOLD_S = 0.2
"""A board with USB of its own needs so long to notice."""


def open_serial(device: str, baud: int, *, timeout_s: float = 0.1) -> serial.Serial:
    """`device` (a path, or a URL of pyserial's), opened for us alone, both reset lines released.

    Over RFC 2217 the lines stay as they are. Raises MissingError without pyserial, and what pyserial raises:
    SerialException, or OSError when the board is unplugged.
    """
    try:
        import serial
    except ImportError:
        raise MissingError(
            "serial ports need the package pyserial",
            reason=Reason.NOT_INSTALLED,
            hint="pip install 'edgehar[serial]'",
        ) from None
    port = serial.serial_for_url(device, do_not_open=True, baudrate=baud, timeout=timeout_s)
    port.exclusive = True
    if device.startswith(NETWORK):
        _open_without_lines(port)
        return port
    # Linux asserts both lines when a port is opened. Released before opening, DTR would fall first and RTS alone would
    # reset the board for a moment; so both stay, and RTS is the first to go.
    port.open()
    with contextlib.suppress(OSError):  # a pseudo-terminal has no such lines
        port.rts = False
        port.dtr = False
    return port


def _open_without_lines(port: serial.Serial) -> None:
    """Open, and tell the server nothing of DTR and RTS.

    pyserial tells it of both, and Espressif's server takes the one for the wish to enter the boot loader.
    """
    port._update_dtr_state = port._update_rts_state = lambda: None  # noqa: SLF001 - there is no other way
    try:
        port.open()
    finally:
        del port._update_dtr_state, port._update_rts_state  # noqa: SLF001


def restart_board(device: str) -> None:
    """Hold the chip in reset for a moment, and let it start its application.

    Does nothing where the lines are not wired to the chip: then somebody must press RST. Raises as `open_serial` does.
    """
    with open_serial(device, 115_200) as port, contextlib.suppress(OSError):  # native USB goes away while in reset
        port.dtr = False
        port.rts = True
        time.sleep(RESET_HOLD_S)
        port.rts = False

"""Opening a serial port without restarting the board behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgehar.errors import MissingError, Reason

if TYPE_CHECKING:
    import serial


def open_serial(device: str, baud: int, *, timeout_s: float = 0.1) -> serial.Serial:
    """`device` (a path, or a URL of pyserial's), opened for us alone, both reset lines released.

    On common boards DTR and RTS pull BOOT and RST by two transistors, which do nothing while both lines agree. Raises
    MissingError without pyserial, and what pyserial raises: SerialException, or OSError when the board is unplugged.
    """
    try:
        import serial
    except ImportError:
        raise MissingError(
            "serial ports need the package pyserial",
            reason=Reason.NOT_INSTALLED,
            hint="pip install 'edgehar[serial]'",
        ) from None
    port = serial.serial_for_url(device, do_not_open=True, baudrate=baud, timeout=timeout_s, write_timeout=timeout_s)
    port.exclusive = True
    port.dtr = False
    port.rts = False
    port.open()
    return port

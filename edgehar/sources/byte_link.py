"""What carries a board's bytes: a serial port or a TCP connection, opened again when it went away."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Protocol

from edgehar.errors import MissingError, Reason, UsageError
from edgehar.sources.serial_port import open_serial
from edgehar.sources.usb_ports import BoardPort, board_ports, check_port, only_board_port

if TYPE_CHECKING:
    import serial

TIMEOUT_S = 0.1
BLOCK_BYTES = 65_536
AUTO = "auto"


class ByteLink(Protocol):
    """`read` returns what has come, b"" when nothing did for TIMEOUT_S, and raises OSError when the other end is gone.

    After that, `open` may be called again.
    """

    name: str

    @property
    def native(self) -> bool:
        """Whether no line of a speed of its own lies between: USB that the board speaks itself, TCP."""

    def open(self) -> None: ...

    def read(self) -> bytes: ...

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class SerialLink:
    """A serial port by path, URL or `auto`. Plugged in again, a board is found by its USB identity, not its path."""

    def __init__(self, device: str, baud: int) -> None:
        self.name = device
        self._device, self._baud = device, baud
        self._identity: BoardPort | None = None
        self._port: serial.Serial | None = None

    @property
    def native(self) -> bool:
        """As the board's USB identity tells, once it is open."""
        return self._identity is not None and self._identity.native

    def open(self) -> None:
        """Raises MissingError, UsageError or EdgeHarError that say what keeps it from opening, OSError otherwise."""
        device = self._where()
        check_port(device)
        self._port = open_serial(device, self._baud, timeout_s=TIMEOUT_S)
        self.name = device

    def read(self) -> bytes:
        port = self._open_port()
        return bytes(port.read(port.in_waiting or 1))

    def write(self, data: bytes) -> None:
        self._open_port().write(data)

    def close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(OSError):
                port.close()

    def _open_port(self) -> serial.Serial:
        if self._port is None:
            raise OSError(f"{self.name} is closed")
        return self._port

    def _where(self) -> str:
        """Where the board is now. One without a USB serial number comes back under its path or not at all."""
        if self._identity is not None and self._identity.serial_number:
            known = self._identity
            same = (port for port in board_ports() if port.serial_number == known.serial_number)
            return next((port.device for port in same), known.device)
        if self._device == AUTO:
            self._identity = self._identity or only_board_port()
            return self._identity.device
        if self._identity is None:
            self._identity = next((port for port in board_ports() if port.device == self._device), None)
        return self._device


class SocketLink:
    """A TCP connection to HOST:PORT, by a plain socket: pyserial's socket:// reads byte by byte."""

    def __init__(self, address: str) -> None:
        host, colon, port = address.rpartition(":")
        if not (colon and host and port.isdigit() and 0 < int(port) < 65_536):
            raise UsageError(
                f"'{address}' is not HOST:PORT", reason=Reason.FORMAT, hint="write it as tcp:192.168.4.1:3333"
            )
        self.name = address
        self._address = host.strip("[]"), int(port)
        self._socket: socket.socket | None = None

    @property
    def native(self) -> bool:
        """Always."""
        return True

    def open(self) -> None:
        """Raises MissingError where nobody answers."""
        try:
            self._socket = socket.create_connection(self._address, timeout=2.0)
        except OSError as error:
            raise MissingError(
                f"{self.name}: {error.strerror or error}",
                reason=Reason.NOT_FOUND,
                hint="check the address, and that the board or program listens there",
            ) from None
        self._socket.settimeout(TIMEOUT_S)

    def read(self) -> bytes:
        if self._socket is None:
            raise OSError(f"{self.name} is closed")
        try:
            data = self._socket.recv(BLOCK_BYTES)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionResetError(f"{self.name} has closed the connection")
        return data

    def write(self, data: bytes) -> None:
        if self._socket is None:
            raise OSError(f"{self.name} is closed")
        self._socket.sendall(data)

    def close(self) -> None:
        opened, self._socket = self._socket, None
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.close()

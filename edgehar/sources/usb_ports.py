"""Which serial ports hold a board, and what keeps one from being opened: nobody there, no permission, somebody else.

One table of USB identities for capture, flashing and the udev rule in deploy/udev.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgehar.errors import EdgeHarError, MissingError, Reason, UsageError

UDEV_RULE = "/etc/udev/rules.d/60-edgehar.rules"


@dataclass(frozen=True, slots=True)
class UsbIdentity:
    """A chip that speaks serial over USB. `native`: the board's own USB, where a baud rate means nothing."""

    vid: int
    pid: int
    title: str
    native: bool = False


# Vendor and product ids as the makers publish them (Espressif: github.com/espressif/usb-pids).
IDENTITIES = (
    UsbIdentity(0x303A, 0x1001, "Espressif USB Serial/JTAG", native=True),
    UsbIdentity(0x303A, 0x0002, "ESP32-S2 USB-OTG boot loader", native=True),
    UsbIdentity(0x303A, 0x0009, "ESP32-S3 USB-OTG boot loader", native=True),
    UsbIdentity(0x303A, 0x1002, "Espressif USB bridge"),
    UsbIdentity(0x10C4, 0xEA60, "Silicon Labs CP210x"),
    UsbIdentity(0x10C4, 0xEA70, "Silicon Labs CP2105"),
    UsbIdentity(0x1A86, 0x7523, "WCH CH340"),
    UsbIdentity(0x1A86, 0x55D3, "WCH CH343"),
    UsbIdentity(0x1A86, 0x55D4, "WCH CH9102"),
    UsbIdentity(0x0403, 0x6001, "FTDI FT232R"),
    UsbIdentity(0x0403, 0x6010, "FTDI FT2232"),
    UsbIdentity(0x0403, 0x6015, "FTDI FT231X"),
    UsbIdentity(0x067B, 0x2303, "Prolific PL2303"),
)
KNOWN = {(identity.vid, identity.pid): identity for identity in IDENTITIES}


@dataclass(frozen=True, slots=True)
class BoardPort:
    """A serial port whose USB identity is in the table. `serial_number` is "" where the bridge has none."""

    device: str
    vid: int
    pid: int
    serial_number: str
    title: str
    native: bool

    def json(self) -> dict[str, Any]:
        """Every field; vid and pid as four hexadecimal digits."""
        return {**asdict(self), "vid": f"{self.vid:04x}", "pid": f"{self.pid:04x}"}


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a port open."""

    pid: int
    name: str


def board_ports() -> list[BoardPort]:
    """Boards that are plugged in, native USB first. Raises MissingError without pyserial."""
    try:
        from serial.tools import list_ports
    except ImportError:
        raise MissingError(
            "serial ports need the package pyserial",
            reason=Reason.NOT_INSTALLED,
            hint="pip install 'edgehar[serial]'",
        ) from None
    found = []
    for port in list_ports.comports():
        identity = KNOWN.get((port.vid, port.pid))
        if identity is not None:
            number = port.serial_number or ""
            found.append(BoardPort(port.device, identity.vid, identity.pid, number, identity.title, identity.native))
    return sorted(found, key=lambda port: (not port.native, port.device))


def only_board_port(ports: Iterable[BoardPort] | None = None) -> BoardPort:
    """The one board that is plugged in. Raises MissingError for none, UsageError for several."""
    found = board_ports() if ports is None else list(ports)
    if not found:
        raise MissingError(
            "no board found: no serial port has a USB identity that edgehar knows",
            reason=Reason.NOT_FOUND,
            hint="plug it in with a cable that carries data (many only charge), or name its port in place of auto",
        )
    if len(found) > 1:
        names = ", ".join(f"{port.device} ({port.title})" for port in found)
        raise UsageError(
            f"{len(found)} boards are plugged in: {names}",
            reason=Reason.VALUE,
            hint=f"name one: --port {found[0].device}",
        )
    return found[0]


def check_port(device: str) -> None:
    """Raise what keeps `device` from being opened: MissingError (not there, no permission), EdgeHarError (busy).

    Of pyserial's other ports, such as rfc2217://HOST:PORT, only opening tells.
    """
    if "://" in device:
        return
    path = Path(device)
    try:
        mode = path.stat().st_mode
    except OSError:
        raise MissingError(
            f"{device}: no such port", reason=Reason.NOT_FOUND, hint="list the boards: edgehar flash --list"
        ) from None
    if not stat.S_ISCHR(mode):
        raise UsageError(
            f"{device} is not a serial port", reason=Reason.VALUE, hint="list the boards: edgehar flash --list"
        )
    if not os.access(device, os.R_OK | os.W_OK):
        raise MissingError(
            f"{device}: no permission to open it (owner {_owner(path)}, mode {stat.S_IMODE(mode):04o})",
            reason=Reason.PERMISSION,
            hint=f"edgehar flash --udev-rule | sudo tee {UDEV_RULE} && sudo udevadm control --reload, "
            "then plug the board in again",
        )
    busy = holders(device)
    if busy:
        names = ", ".join(f"{holder.name} (process {holder.pid})" for holder in busy)
        raise EdgeHarError(
            f"{device} is in use by {names}",
            reason=Reason.PERMISSION,
            hint=f"close that program, or: kill {' '.join(str(holder.pid) for holder in busy)}",
        )


def holders(device: str, proc: Path = Path("/proc")) -> list[Holder]:
    """Other processes that have `device` open, as far as this user may see; [] where there is no /proc."""
    try:
        wanted = Path(device).stat().st_rdev
    except OSError:
        return []
    found = []
    for directory in proc.glob("[0-9]*"):
        pid = int(directory.name)
        if pid != os.getpid() and _has_open(directory, wanted):
            found.append(Holder(pid, _name(directory)))
    return sorted(found, key=lambda holder: holder.pid)


def _has_open(process: Path, device_number: int) -> bool:
    try:
        links = list((process / "fd").iterdir())
    except OSError:  # another user's process, or one that has just ended
        return False
    for link in links:
        try:
            status = link.stat()
        except OSError:
            continue
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == device_number:
            return True
    return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip() or "?"
    except OSError:
        return "?"


def _owner(path: Path) -> str:
    try:
        return f"{path.owner()}:{path.group()}"
    except (KeyError, OSError):
        return "unknown"

"""What this machine has for Bluetooth LE: package, service, adapters, switches. Each answer may be a trouble."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgehar.sources.ble import bluez
from edgehar.sources.ble.bluez import AdapterState
from edgehar.sources.ble.trouble import RadioError

RFKILL = Path("/sys/class/rfkill")
PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Host:
    """`adapters` is None where nobody tells (not Linux), `trouble` what kept BlueZ from telling. version: of BlueZ.

    blocked: switches of the kernel that are off, "soft" (a command turns them on) or "hard" (a key or the firmware).
    """

    version: tuple[int, int] | None
    adapters: list[AdapterState] | None
    trouble: RadioError | None
    blocked: tuple[str, ...]


async def this_host(*, linux: bool = sys.platform == "linux") -> Host:
    """Ask the kernel and BlueZ."""
    if not linux:
        return Host(None, None, None, ())
    try:
        adapters, trouble = await bluez.adapters(), None
    except RadioError as error:
        adapters, trouble = None, error
    return Host(bluez_version(), adapters, trouble, tuple(_blocked(RFKILL)))


def bluez_version() -> tuple[int, int] | None:
    """Of the installed BlueZ; None where its tools are missing."""
    tool = shutil.which("bluetoothctl")
    if tool is None:
        return None
    try:
        said = subprocess.run([tool, "--version"], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(\d+)\.(\d+)", said.stdout)
    return (int(found[1]), int(found[2])) if found else None


def _blocked(directory: Path) -> Iterator[str]:
    for switch in sorted(directory.glob("rfkill*")):
        try:
            if (switch / "type").read_text().strip() == "bluetooth":
                yield from (how for how in ("soft", "hard") if (switch / how).read_text().strip() == "1")
        except OSError:  # a stick that has just been pulled out
            continue

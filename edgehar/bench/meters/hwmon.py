"""Chips of Linux hwmon by their driver's name. hwmon numbers change from boot to boot, names do not."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from edgehar.bench.meters.sysfs import numbered, read_text

DIRECTORY = Path("/sys/class/hwmon")
PERMISSION = "run as root, or let everybody read it for this boot: sudo chmod a+r /sys/class/hwmon/hwmon*/*_input"


def chips(directory: Path, names: Collection[str]) -> list[tuple[str, Path]]:
    """(driver's name, directory) of every chip with one of these names."""
    found = []
    for chip in numbered(directory, "hwmon*"):
        name = read_text(chip / "name", permission=PERMISSION) if (chip / "name").exists() else ""
        if name in names:
            found.append((name, chip))
    return found

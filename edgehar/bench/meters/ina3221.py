"""`jetson[:DIRECTORY]`: the INA3221 monitors of NVIDIA Jetson modules, through Linux hwmon.

Files, from the kernel's Documentation/hwmon/ina3221.rst: `in[123]_label`, `in[123]_enable`, `in[123]_input` (bus
voltage, mV), `curr[123]_input` (mA). A module has one to three chips, the labels are those of its device tree.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from edgehar.bench.meters.address import MeterAddress
from edgehar.bench.meters.base import Block, MeterFacts, Quantity, one_reading
from edgehar.bench.meters.hwmon import DIRECTORY, PERMISSION, chips
from edgehar.bench.meters.sysfs import read_number, read_text
from edgehar.errors import MissingError, Reason

WHOLE = ("VDD_IN", "VIN", "POM_5V_IN", "5V_IN")
"""Labels of the rail that feeds the whole module; modules without one (AGX) are the sum of their rails."""
STEP_MA, AT_MV = 8.0, 5_000.0
"""The chip's step is 40 uV over the shunt (TI SBOS576): 8 mA in the 5 mOhm that Jetson modules use, at 5 V."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One of the three inputs of a chip."""

    rail: str
    voltage: Path
    current: Path

    def power_mw(self) -> float:
        """Bus voltage times current."""
        millivolts = read_number(self.voltage, permission=PERMISSION)
        return millivolts * read_number(self.current, permission=PERMISSION) / 1e3


def from_address(address: MeterAddress) -> Ina3221Meter:
    """`jetson[:DIRECTORY]`."""
    address.only()
    return Ina3221Meter(Path(address.locator) if address.locator else DIRECTORY)


class Ina3221Meter:
    """Power of every labelled rail that is switched on."""

    def __init__(self, directory: Path = DIRECTORY, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._directory = directory
        self._now_ns = now_ns
        self._channels: list[Channel] = []

    @property
    def facts(self) -> MeterFacts:
        rails = tuple(channel.rail for channel in self._channels)
        summed = tuple(rail for rail in rails if rail in WHOLE) or rails
        return MeterFacts(
            name="jetson",
            title="INA3221 of the Jetson module",
            rails=rails,
            summed=summed,
            quantity=Quantity.POWER,
            resolution=STEP_MA * AT_MV / 1e3 * len(summed),
            interval_s=0.1,
            measures=f"the module: {', '.join(summed)}",
            omits="the carrier board: USB, network, storage, fan, and the converters before the module",
        )

    def __enter__(self) -> Self:
        found = chips(self._directory, ("ina3221",))
        self._channels = [channel for _, chip in found for channel in _channels(chip)]
        if not self._channels:
            raise MissingError(
                f"jetson: {self._directory} has no ina3221 with a labelled rail",
                reason=Reason.NOT_FOUND,
                hint="needs a Jetson with JetPack 5 or newer: grep . /sys/class/hwmon/hwmon*/name",
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open."""

    def read(self) -> Block:
        """Power of every rail now; the chip averages over its own conversion time."""
        return one_reading(self._now_ns(), [channel.power_mw() for channel in self._channels])


def _channels(chip: Path) -> list[Channel]:
    """Inputs 1 to 3 but for those switched off, without a label, or labelled NC (not connected)."""
    found = []
    for n in "123":
        label, enable = chip / f"in{n}_label", chip / f"in{n}_enable"
        if not label.exists() or (enable.exists() and read_number(enable, permission=PERMISSION) == 0):
            continue
        rail = read_text(label, permission=PERMISSION)
        if rail and rail.upper() != "NC":
            found.append(Channel(rail, chip / f"in{n}_input", chip / f"curr{n}_input"))
    return found

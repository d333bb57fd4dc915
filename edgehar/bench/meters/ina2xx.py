"""`ina2xx[:DIRECTORY][?rails=NAME,...]`: TI shunt monitors (INA219, INA226, ...) on I2C, through Linux hwmon.

Files, from the kernel's Documentation/hwmon/ina2xx.rst: `in1_input` (bus voltage, mV), `curr1_input` (mA),
`power1_input` (uW). Its shunt must be told, as `shunt_resistor` (uOhm) or in the device tree, or all is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from edgehar.bench.meters.address import MeterAddress
from edgehar.bench.meters.base import Block, MeterFacts, Quantity, one_reading
from edgehar.bench.meters.hwmon import DIRECTORY, PERMISSION, chips
from edgehar.bench.meters.sysfs import read_number
from edgehar.errors import MissingError, Reason, UsageError

DRIVERS = ("ina219", "ina220", "ina226", "ina230", "ina231", "ina234", "ina260", "sy24655")


def from_address(address: MeterAddress) -> Ina2xxMeter:
    """`ina2xx[:DIRECTORY][?rails=hwmon3,hwmon4]`."""
    address.only("rails")
    return Ina2xxMeter(Path(address.locator) if address.locator else DIRECTORY, rails=address.words("rails"))


class Ina2xxMeter:
    """Power by one monitor, or by those in `rails`: only the builder knows which of several feed which."""

    def __init__(
        self,
        directory: Path = DIRECTORY,
        *,
        rails: tuple[str, ...] = (),
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._directory = directory
        self._wanted = rails
        self._now_ns = now_ns
        self._chips: dict[str, Path] = {}

    @property
    def facts(self) -> MeterFacts:
        rails = tuple(self._chips)
        return MeterFacts(
            name="ina2xx",
            title="INA2xx shunt monitor",
            rails=rails,
            summed=rails,
            quantity=Quantity.POWER,
            resolution=0.0,  # depends on the shunt, which was chosen by whoever built it
            interval_s=0.05,
            measures="whatever flows through the shunt",
            omits="what is fed beside the shunt; wrong by the error of the stated shunt_resistor",
        )

    def __enter__(self) -> Self:
        found = {f"{chip.name}/{name}": chip for name, chip in chips(self._directory, DRIVERS)}
        if not found:
            raise MissingError(
                f"ina2xx: {self._directory} has none of {', '.join(DRIVERS)}",
                reason=Reason.NOT_FOUND,
                hint="needs a monitor on I2C: echo ina219 0x40 | sudo tee /sys/bus/i2c/devices/i2c-1/new_device",
            )
        chosen = {rail: chip for rail, chip in found.items() if not self._wanted or _named(rail, self._wanted)}
        if len(found) > 1 and len(chosen) != len(self._wanted):
            raise UsageError(
                f"ina2xx: there are {', '.join(found)}; rails '{','.join(self._wanted)}' choose {len(chosen)} of them",
                reason=Reason.VALUE,
                hint=f"say which feed the device, for example ina2xx:?rails={next(iter(found))}",
            )
        self._chips = chosen
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open."""

    def read(self) -> Block:
        """Power by every chosen monitor now."""
        return one_reading(self._now_ns(), [_power_mw(chip) for chip in self._chips.values()])


def _named(rail: str, wanted: tuple[str, ...]) -> bool:
    """A rail is called hwmon3/ina219, or in short hwmon3."""
    return rail in wanted or rail.partition("/")[0] in wanted


def _power_mw(chip: Path) -> float:
    if (chip / "power1_input").exists():
        return read_number(chip / "power1_input", permission=PERMISSION) / 1e3
    millivolts = read_number(chip / "in1_input", permission=PERMISSION)
    return millivolts * read_number(chip / "curr1_input", permission=PERMISSION) / 1e3

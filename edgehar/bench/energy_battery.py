"""How long a battery would last at a measured rate. A projection: its assumptions are its arguments, all of them."""

from __future__ import annotations

from dataclasses import dataclass

from edgehar.bench.energy_split import EnergySplit
from edgehar.errors import Reason, UsageError


@dataclass(frozen=True, slots=True)
class Battery:
    """`usable`: the share of the rated capacity that reaches the device, converter and ageing included."""

    capacity_mah: float
    voltage_v: float
    usable: float = 1.0

    def __post_init__(self) -> None:
        if not (self.capacity_mah > 0 and self.voltage_v > 0 and 0 < self.usable <= 1):
            raise UsageError(
                f"a battery of {self.capacity_mah:g} mAh, {self.voltage_v:g} V, {self.usable:g} of it usable",
                reason=Reason.VALUE,
                hint="give capacity and voltage above 0, and a usable share above 0 and at most 1",
            )

    @property
    def energy_mwh(self) -> float:
        """Energy that reaches the device."""
        return self.capacity_mah * self.voltage_v * self.usable


@dataclass(frozen=True, slots=True)
class Use:
    """A device that recognises activities for the share `duty` of its time and draws `asleep_mw` otherwise.

    `asleep_mw` None: it idles where it could sleep.
    """

    duty: float = 1.0
    asleep_mw: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.duty <= 1 or (self.asleep_mw is not None and self.asleep_mw < 0):
            raise UsageError(
                f"a duty of {self.duty:g}, asleep at {self.asleep_mw} mW",
                reason=Reason.VALUE,
                hint="give a share above 0 and at most 1, and a power of 0 or more",
            )


def mean_power_mw(split: EnergySplit, use: Use) -> float:
    """Duty (idle + active energy / period) + (1 - duty) asleep."""
    awake = split.idle_mw.value + split.active_mj / split.period_s
    asleep = split.idle_mw.value if use.asleep_mw is None else use.asleep_mw
    return use.duty * awake + (1 - use.duty) * asleep


def battery_life_h(battery: Battery, split: EnergySplit, use: Use) -> float:
    """Hours until `battery` is empty. Self-discharge, cold and whatever the meter omits shorten it."""
    return battery.energy_mwh / mean_power_mw(split, use)

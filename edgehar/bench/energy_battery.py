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


def mean_power_mw(split: EnergySplit, *, duty: float = 1.0, asleep_mw: float | None = None) -> float:
    """Mean power of a device that recognises activities for the share `duty` of its time and sleeps otherwise.

    duty (idle + active energy / period) + (1 - duty) asleep; `asleep_mw` None: it idles where it could sleep.
    """
    if not 0 <= duty <= 1 or (asleep_mw is not None and asleep_mw < 0):
        raise UsageError(
            f"a duty of {duty:g}, asleep at {asleep_mw} mW",
            reason=Reason.VALUE,
            hint="give a share from 0 to 1, and a power of 0 or more",
        )
    awake = split.idle_mw.value + split.active_mj / split.period_s
    asleep = split.idle_mw.value if asleep_mw is None else asleep_mw
    return duty * awake + (1 - duty) * asleep


def battery_life_h(battery: Battery, split: EnergySplit, *, duty: float = 1.0, asleep_mw: float | None = None) -> float:
    """Hours until `battery` is empty. Self-discharge, cold and whatever the meter omits shorten it."""
    power_mw = mean_power_mw(split, duty=duty, asleep_mw=asleep_mw)
    if power_mw <= 0:
        raise UsageError(
            "a device that draws nothing lasts for ever", reason=Reason.VALUE, hint="give a duty above 0, or asleep_mw"
        )
    return battery.energy_mwh / power_mw

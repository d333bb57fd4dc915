"""Constructed sysfs trees, with the kernel's documented file names and units, on a clock that a test moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class FakeClock:
    """Time that passes when it is told to; `on_tick` hears of it."""

    t_ns: int = 1_000_000_000
    on_tick: list = field(default_factory=list)

    def now_ns(self) -> int:
        return self.t_ns

    def sleep(self, seconds: float) -> None:
        self.t_ns += round(seconds * 1e9)
        for heard in self.on_tick:
            heard(seconds)


def write(path: Path, value: object) -> None:
    """Whole or not at all, as sysfs: a meter may be reading."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}")
    new.write_text(f"{value}\n")
    new.replace(path)


class PowercapTree:
    """`/sys/class/powercap` of one processor. Energy grows with the clock at `watts` of each zone, and wraps."""

    def __init__(self, root: Path, clock: FakeClock, zones: Mapping[str, tuple[str, float]], range_uj: int) -> None:
        self.root, self.range_uj = root, range_uj
        self.watts = {zone: watt for zone, (_, watt) in zones.items()}
        self.uj = dict.fromkeys(zones, 0.0)
        write(root / "intel-rapl" / "enabled", 1)
        for zone, (name, _) in zones.items():
            write(root / zone / "name", name)
            write(root / zone / "max_energy_range_uj", range_uj)
        self.tick(0.0)
        clock.on_tick.append(self.tick)

    def tick(self, seconds: float) -> None:
        for zone, watt in self.watts.items():
            self.uj[zone] += watt * 1e6 * seconds
            write(self.root / zone / "energy_uj", int(self.uj[zone]) % self.range_uj)


def jetson_chip(root: Path, n: int, rails: Mapping[int, tuple[str, int, int]]) -> Path:
    """An ina3221; rails: channel -> (label, mV, mA)."""
    chip = root / f"hwmon{n}"
    write(chip / "name", "ina3221")
    for channel, (label, millivolts, milliamperes) in rails.items():
        write(chip / f"in{channel}_label", label)
        write(chip / f"in{channel}_enable", 1)
        write(chip / f"in{channel}_input", millivolts)
        write(chip / f"curr{channel}_input", milliamperes)
        write(chip / f"in{channel + 3}_input", 40 * channel)  # shunt voltage, which is no rail
    return chip

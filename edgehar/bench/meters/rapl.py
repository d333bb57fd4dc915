"""`rapl[:DIRECTORY]`: the energy counters of Intel and AMD processors, through Linux powercap.

`/sys/class/powercap/intel-rapl:N` is a package or the platform (psys), `intel-rapl:N:M` a part of it (core, uncore,
dram); AMD processors appear under the same names. Files, from the kernel's Documentation/ABI/testing/
sysfs-class-powercap: `name`, `energy_uj` (counts up, wraps to 0), `max_energy_range_uj` (the range of the counter).
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
from edgehar.bench.meters.sysfs import numbered, read_number, read_text
from edgehar.errors import MissingError, Reason

DIRECTORY = Path("/sys/class/powercap")
# The counters tell what others compute (CVE-2020-8694), so kernels since 5.10 let only root read them.
PERMISSION = "run as root, or for this boot: sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
COUNT_UJ = 61.0
"""A step of the counter on most processors, 1 / 2^14 J (Intel SDM vol. 3, Energy Status Units); powercap tells none."""


@dataclass(slots=True)
class Counter:
    """A counter that wraps. `total_uj` has gone by since the meter was opened."""

    rail: str
    file: Path
    range_uj: int
    last_uj: int
    total_uj: int = 0

    def read(self) -> float:
        """Energy in mJ. Right as long as the counter wraps at most once between two calls."""
        now_uj = read_number(self.file, permission=PERMISSION)
        step = now_uj - self.last_uj
        self.total_uj += step if step >= 0 else step + self.range_uj
        self.last_uj = now_uj
        return self.total_uj / 1e3


def from_address(address: MeterAddress) -> RaplMeter:
    """`rapl[:DIRECTORY]`."""
    address.only()
    return RaplMeter(Path(address.locator) if address.locator else DIRECTORY)


class RaplMeter:
    """Packages and memory summed; cores and graphics are parts of their package, psys holds all of them."""

    def __init__(self, directory: Path = DIRECTORY, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._directory = directory
        self._now_ns = now_ns
        self._counters: list[Counter] = []

    @property
    def facts(self) -> MeterFacts:
        rails = tuple(counter.rail for counter in self._counters)
        # "dram" is a child of its package in the tree, but not in its counter.
        apart = [rail for rail in rails if rail.endswith("/dram") or not ("/" in rail or rail == "psys")]
        summed = tuple(apart) or rails
        return MeterFacts(
            name="rapl",
            title="RAPL counters of the processor",
            rails=rails,
            summed=summed,
            quantity=Quantity.ENERGY,
            resolution=COUNT_UJ / 1e3 * len(summed),
            # The counter of a 200 W package wraps after minutes; its own clock is a millisecond.
            interval_s=1.0,
            measures="processor packages, and memory where the processor counts it",
            omits="board, storage, network, fans and the power supply's losses; on many parts it is a model, no shunt",
        )

    def __enter__(self) -> Self:
        zones = numbered(self._directory, "intel-rapl:*")
        if not zones:
            raise MissingError(
                f"rapl: {self._directory} has no intel-rapl zone",
                reason=Reason.NOT_FOUND,
                hint="needs Linux on an Intel or AMD processor, not a virtual machine: sudo modprobe intel_rapl_msr",
            )
        self._counters = [self._open(zone) for zone in zones]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open."""

    def read(self) -> Block:
        """Energy of every zone since the meter was opened."""
        return one_reading(self._now_ns(), [counter.read() for counter in self._counters])

    def _open(self, zone: Path) -> Counter:
        name = read_text(zone / "name", permission=PERMISSION)
        parent, _, part = zone.name.rpartition(":")
        within = self._directory / parent / "name"
        rail = f"{read_text(within, permission=PERMISSION)}/{name}" if parent.count(":") and part else name
        energy = zone / "energy_uj"
        range_uj = read_number(zone / "max_energy_range_uj", permission=PERMISSION)
        return Counter(rail, energy, range_uj, read_number(energy, permission=PERMISSION))

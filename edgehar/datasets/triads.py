"""Which channels are the x, y, z axes of one sensor, and which sensors sit on one body-worn unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """One body-worn unit: the channel numbers of its x, y, z triads, which turn together."""

    name: str
    triads: tuple[tuple[int, int, int], ...]


def units_of(channels: Sequence[str]) -> tuple[Unit, ...]:
    """Group channels named `[unit.]sensor_x`, `_y`, `_z` by unit; channels outside a full triad are left alone.

    >>> [unit.name for unit in units_of(["arm.acc_x", "arm.acc_y", "arm.acc_z", "leg.acc_x"])]
    ['arm']
    """
    index = {name: i for i, name in enumerate(channels)}
    found: dict[str, list[tuple[int, int, int]]] = {}
    for name in channels:
        stem = name.removesuffix("_x")
        if stem == name or f"{stem}_y" not in index or f"{stem}_z" not in index:
            continue
        unit = stem.rpartition(".")[0]
        found.setdefault(unit, []).append((index[name], index[f"{stem}_y"], index[f"{stem}_z"]))
    return tuple(Unit(name, tuple(triads)) for name, triads in found.items())

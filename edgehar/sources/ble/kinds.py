"""Which kinds of Bluetooth LE sensors there are, and of which kind a device is that was heard."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

from edgehar.errors import Reason, UsageError
from edgehar.sources.ble.radio import LEAST_MTU
from edgehar.sources.ble_devices import BLE_DEVICES
from edgehar.sources.ble_devices.base import Advertised, BleDevice, Choice


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of sensors. least_mtu: below it, a notification does not hold a sample."""

    name: str
    known: Callable[[Advertised], bool]
    make: Callable[[Choice], BleDevice]
    least_mtu: int = LEAST_MTU


def kinds(table: Mapping[str, str] = BLE_DEVICES) -> dict[str, Kind]:
    """All of them, in the table's order, then those that other packages add as entry points edgehar.ble_devices."""
    from importlib.metadata import entry_points

    modules = {**{e.name: e.value for e in entry_points(group="edgehar.ble_devices")}, **table}
    ordered = [*table, *(name for name in modules if name not in table)]
    return {name: _kind(name, importlib.import_module(modules[name])) for name in ordered}


def kind_called(name: str, known: Mapping[str, Kind]) -> Kind:
    """The kind that somebody named. Raises UsageError that suggests the nearest."""
    found = known.get(name)
    if found is None:
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"no kind of Bluetooth LE sensor is called '{name}'",
            reason=Reason.UNKNOWN_NAME,
            hint=f"did you mean '{near[0]}'?" if near else f"choose from: {', '.join(known)}",
        )
    return found


def kind_of(advertised: Advertised, known: Mapping[str, Kind]) -> Kind | None:
    """The first kind that knows the advertisement for its own."""
    return next((kind for kind in known.values() if kind.known(advertised)), None)


def _kind(name: str, module: ModuleType) -> Kind:
    return Kind(name, module.known, module.make, getattr(module, "LEAST_MTU", LEAST_MTU))

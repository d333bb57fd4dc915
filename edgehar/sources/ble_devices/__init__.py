"""Kinds of Bluetooth LE motion sensors, by name: one file, one line here and one test on byte-exact fixtures each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Each value is a module that holds `known(advertised) -> bool` and `make(choice) -> BleDevice`.
BLE_DEVICES: Mapping[str, str] = MappingProxyType(
    {
        "edgehar-tag": "edgehar.sources.ble_devices.edgehar_tag",
    }
)

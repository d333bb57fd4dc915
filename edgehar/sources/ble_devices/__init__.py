"""Kinds of Bluetooth LE motion sensors, by name: one file, one line here and one test on byte-exact fixtures each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Each value is a module that holds `known(advertised) -> bool` and `make(choice) -> BleDevice`.
BLE_DEVICES: Mapping[str, str] = MappingProxyType(
    {
        "edgehar-tag": "edgehar.sources.ble_devices.edgehar_tag",
        "arduino": "edgehar.sources.ble_devices.arduino",
        "arduino-science": "edgehar.sources.ble_devices.arduino_science",
        "bangle": "edgehar.sources.ble_devices.bangle",
        "movesense": "edgehar.sources.ble_devices.movesense",
        "pinetime": "edgehar.sources.ble_devices.pinetime",
        "polar": "edgehar.sources.ble_devices.polar",
        "sensortag": "edgehar.sources.ble_devices.sensortag",
        "sensortile": "edgehar.sources.ble_devices.sensortile",
        "thingy52": "edgehar.sources.ble_devices.thingy52",
        "thingy53": "edgehar.sources.ble_devices.thingy53",
    }
)

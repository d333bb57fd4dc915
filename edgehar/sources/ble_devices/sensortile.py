"""ST SensorTile.box and other boards that speak BlueST version 1: acceleration and angular rate, with a 16-bit time.

Advertised as manufacturer's field: 01, device id, 32-bit feature mask, address. Characteristics are called
XXXXXXXX-0001-11e1-ac36-0002a5d5c51b with the bits of the features that they hold: 23 acceleration (int16 mg), 22
angular rate (int16, 0.1 deg/s), 21 magnetic field; a uint16 timestamp, then the features, highest bit first.
https://github.com/STMicroelectronics/BlueSTSDK_Python#bluest-protocol, "Advertising data", "Characteristics/Features";
ST's user manual UM2496. The timestamp's unit is in neither; ST's function packs count in 8 ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np

from edgehar.sources.ble_devices.base import Advertised, Choice, Step, Subscribe
from edgehar.sources.ble_devices.samples import ACCEL, GYRO, RADPS, SampledDevice, SampleStream, saturated
from edgehar.sources.ble_devices.timing import PacketClock
from edgehar.types import Chunk
from edgehar.wire.frames import Cause

PROTOCOL_VERSION = 1
BOARDS: Mapping[int, str] = MappingProxyType(
    {0x01: "WeSU", 0x02: "SensorTile", 0x03: "BlueCoin", 0x05: "BlueTile", 0x06: "SensorTile.box", 0x07: "IoT node"}
)
MASK_BYTES, ADDRESS_BYTES = 4, 6
ACCELERATION, ANGULAR_RATE = 1 << 23, 1 << 22
INERTIAL = "00e00000-0001-11e1-ac36-0002a5d5c51b"  # acceleration, angular rate and magnetic field in one
VALUE_BYTES = 2 + 3 * 6
TICK_NS = 8_000_000
MOST_HZ = 1e9 / TICK_NS  # more often, two samples have one time
SCALE = np.array([1e-3] * 3 + [RADPS / 10] * 3)


def known(advertised: Advertised) -> bool:
    """By version, board and features in the field where the maker's number belongs."""
    for key, rest in advertised.manufacturer.items():
        version, board = key & 0xFF, key >> 8
        if version == PROTOCOL_VERSION and board in BOARDS and len(rest) in (MASK_BYTES, MASK_BYTES + ADDRESS_BYTES):
            return bool(int.from_bytes(rest[:MASK_BYTES], "big") & ACCELERATION)
    return False


def make(choice: Choice) -> SensorTile:
    """One device."""
    return SensorTile(choice)


class SensorTile(SampledDevice):
    """A `BleDevice`. Rate and ranges are the firmware's own; the rate is measured, unless it is told."""

    title = "ST SensorTile.box (BlueST)"

    def __init__(self, choice: Choice) -> None:
        clock = partial(PacketClock, bits=16, tick_ns=TICK_NS)
        super().__init__(SampleStream(choice, ACCEL + GYRO, clock, choice.rate_hz))

    def steps(self) -> Iterator[Step]:
        """It sends as soon as somebody listens."""
        yield Subscribe(INERTIAL)

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """A sample for each value."""
        if uuid != INERTIAL:
            return []
        if len(value) != VALUE_BYTES:
            return self._samples.refuse(Cause.LENGTH)
        raw = np.frombuffer(value, "<i2", 6, offset=2)[None]
        ticks = int.from_bytes(value[:2], "little")
        return self._samples.push(raw * SCALE, host_ns, ticks=ticks, clipped=saturated(raw))

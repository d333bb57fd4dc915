"""TI SensorTag CC2650 (CC2650STK): acceleration and angular rate at up to 10 Hz; neither number nor time.

Movement service F000AA80-0451-4000-B000-000000000000: AA81 measurement (18 bytes, int16 LE: angular rate, acceleration,
magnetic field), AA82 configuration (uint16: bits 0-2 gyroscope z y x, 3-5 accelerometer z y x, 6 magnetometer, 7 wake
on motion, 8-9 range 2 4 8 16 g), AA83 period (uint8, units of 10 ms, 100 ms at least). Angular rate: +-250 deg/s.
http://processors.wiki.ti.com/index.php/CC2650_SensorTag_User's_Guide, "Movement Sensor"
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgehar.sources.ble_devices.base import Advertised, Choice, Step, Subscribe, Write
from edgehar.sources.ble_devices.samples import ACCEL, GYRO, RADPS, SampledDevice, SampleStream, nearest, saturated
from edgehar.sources.ble_devices.timing import ArrivalClock
from edgehar.types import Chunk
from edgehar.wire.frames import Cause

ADVERTISED = "0000aa80-0000-1000-8000-00805f9b34fb"
NAMES = ("CC2650 SensorTag", "SensorTag 2.0")
MEASUREMENT = "f000aa81-0451-4000-b000-000000000000"
CONFIG = "f000aa82-0451-4000-b000-000000000000"
PERIOD = "f000aa83-0451-4000-b000-000000000000"
MEASUREMENT_BYTES = 18
ALL_AXES = 0b0011_1111  # gyroscope and accelerometer, not the magnetometer
RANGE_BITS = {2: 0, 4: 1, 8: 2, 16: 3}
DEFAULT_RANGE_G = 8
TICKS_HZ, SHORTEST, LONGEST = 100, 10, 255  # the period counts in 10 ms
FULL_SCALE, GYRO_DPS = 32768, 250


def known(advertised: Advertised) -> bool:
    """By the 16-bit number of its movement service, or by its name."""
    return ADVERTISED in advertised.services or advertised.name in NAMES


def make(choice: Choice) -> SensorTag:
    """One device."""
    return SensorTag(choice)


class SensorTag(SampledDevice):
    """A `BleDevice`."""

    title = "TI SensorTag CC2650"

    def __init__(self, choice: Choice) -> None:
        self.period = min(max(round(TICKS_HZ / (choice.rate_hz or TICKS_HZ)), SHORTEST), LONGEST)
        self.range_g = int(nearest(choice.accel_range_g, tuple(RANGE_BITS), DEFAULT_RANGE_G))
        super().__init__(SampleStream(choice, ACCEL + GYRO, ArrivalClock, TICKS_HZ / self.period))
        self._scale = np.array([self.range_g / FULL_SCALE] * 3 + [RADPS * GYRO_DPS / FULL_SCALE] * 3)

    def steps(self) -> Iterator[Step]:
        """Values before the configuration is written would be of another range: subscribed to last."""
        yield Write(PERIOD, bytes([self.period]))
        yield Write(CONFIG, (ALL_AXES | RANGE_BITS[self.range_g] << 8).to_bytes(2, "little"))
        yield Subscribe(MEASUREMENT)

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """A sample for each measurement."""
        if uuid != MEASUREMENT:
            return []
        if len(value) != MEASUREMENT_BYTES:
            return self._samples.refuse(Cause.LENGTH)
        raw = np.frombuffer(value, "<i2", 6)[[3, 4, 5, 0, 1, 2]][None]  # the angular rate comes first
        return self._samples.push(raw * self._scale, host_ns, clipped=saturated(raw))

"""Arduino Nano 33 BLE, BLE Sense and their Rev2 with edgehar's sketch (firmware/arduino_imu): numbered, with a time.

Service 7d0a0101-5c1e-4b6f-9a3d-2f6e8b1c4d70; 7d0a0102 notifies packets of one sample or more, little-endian:

    0   u16  number of the first sample, modulo 65536
    2   u32  time of the first sample, microseconds, modulo 2^32
    6   u8   range of the acceleration, g
    7   u8   range of the angular rate, 10 deg/s
    8   i16  acceleration x, y, z, angular rate x, y, z of each sample: range * value / 32768
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

import numpy as np

from edgehar.sources.ble_devices.base import Advertised, Choice, Step, Subscribe
from edgehar.sources.ble_devices.samples import ACCEL, GYRO, RADPS, SampledDevice, SampleStream, saturated
from edgehar.sources.ble_devices.timing import PacketClock
from edgehar.types import Chunk
from edgehar.wire.frames import Cause

SERVICE = "7d0a0101-5c1e-4b6f-9a3d-2f6e8b1c4d70"
DATA = "7d0a0102-5c1e-4b6f-9a3d-2f6e8b1c4d70"
HEAD = struct.Struct("<HIBB")
SAMPLE_BYTES, FULL_SCALE, STEP_DPS = 12, 32768, 10


def known(advertised: Advertised) -> bool:
    """By the service that it advertises."""
    return SERVICE in advertised.services


def make(choice: Choice) -> Arduino:
    """One device."""
    return Arduino(choice)


class Arduino(SampledDevice):
    """A `BleDevice`. Rate and ranges are those of the board's library; the rate is measured, unless it is told."""

    title = "Arduino Nano 33 BLE (edgehar sketch)"

    def __init__(self, choice: Choice) -> None:
        clock = partial(PacketClock, bits=32, tick_ns=1000, number_bits=16)
        super().__init__(SampleStream(choice, ACCEL + GYRO, clock, choice.rate_hz))

    def steps(self) -> Iterator[Step]:
        """It sends as soon as somebody listens."""
        yield Subscribe(DATA)

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """The samples of a packet."""
        if uuid != DATA:
            return []
        if len(value) <= HEAD.size or (len(value) - HEAD.size) % SAMPLE_BYTES:
            return self._samples.refuse(Cause.LENGTH)
        number, t_us, range_g, range_10dps = HEAD.unpack_from(value)
        if not range_g or not range_10dps:
            return self._samples.refuse(Cause.VALUE)
        raw = np.frombuffer(value, "<i2", offset=HEAD.size).reshape(-1, 6)
        scale = np.array([range_g] * 3 + [range_10dps * STEP_DPS * RADPS] * 3) / FULL_SCALE
        return self._samples.push(raw * scale, host_ns, ticks=t_us, number=number, clipped=saturated(raw))

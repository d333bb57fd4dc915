"""Nordic Thingy:52: acceleration and angular rate at up to 200 Hz; neither number nor time.

Thingy motion service, base UUID EF68xxxx-9B35-4933-9B10-52FFA9740042: 0401 configuration (9 bytes; kept in its flash),
0406 raw data (18 bytes, int16 LE: acceleration 6Q10 g, angular rate 11Q5 deg/s, compass 12Q4 uT).
https://nordicsemiconductor.github.io/Nordic-Thingy52-FW/documentation/firmware_architecture.html, "Motion service"
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgehar.sources.ble_devices.base import Advertised, Choice, Read, Step, Subscribe, Write
from edgehar.sources.ble_devices.samples import ACCEL, GYRO, RADPS, SampledDevice, SampleStream, saturated
from edgehar.sources.ble_devices.timing import ArrivalClock
from edgehar.types import Chunk
from edgehar.wire.frames import Cause

ADVERTISED = "ef680100-9b35-4933-9b10-52ffa9740042"  # its configuration service
CONFIG = "ef680401-9b35-4933-9b10-52ffa9740042"
RAW = "ef680406-9b35-4933-9b10-52ffa9740042"
CONFIG_BYTES, RAW_BYTES = 9, 18
RATE_AT = slice(6, 8)  # of the configuration: uint16, Hz
OTHERWISE = bytes.fromhex("f401 f401 f401 0000 00")  # all intervals 500 ms, no waking by motion
LOWEST_HZ, HIGHEST_HZ, DEFAULT_HZ = 5, 200, 50
SCALE = np.array([1 / 1024] * 3 + [RADPS / 32] * 3)


def known(advertised: Advertised) -> bool:
    """By the service that it advertises."""
    return ADVERTISED in advertised.services


def make(choice: Choice) -> Thingy52:
    """One device."""
    return Thingy52(choice)


class Thingy52(SampledDevice):
    """A `BleDevice`. Its ranges cannot be chosen."""

    title = "Nordic Thingy:52"

    def __init__(self, choice: Choice) -> None:
        self.rate_hz = min(max(round(choice.rate_hz or DEFAULT_HZ), LOWEST_HZ), HIGHEST_HZ)
        super().__init__(SampleStream(choice, ACCEL + GYRO, ArrivalClock, self.rate_hz))
        self._config = OTHERWISE

    def steps(self) -> Iterator[Step]:
        """The configuration is written only where it differs: it goes to flash."""
        yield Read(CONFIG)
        wanted = bytearray(self._config)
        wanted[RATE_AT] = self.rate_hz.to_bytes(2, "little")
        if wanted != self._config:
            yield Write(CONFIG, bytes(wanted))
        yield Subscribe(RAW)

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """A sample for each value of the raw data."""
        if uuid == CONFIG and len(value) == CONFIG_BYTES:
            self._config = value
            return []
        if uuid != RAW:
            return []
        if len(value) != RAW_BYTES:
            return self._samples.refuse(Cause.LENGTH)
        raw = np.frombuffer(value, "<i2", 6)[None]
        return self._samples.push(raw * SCALE, host_ns, clipped=saturated(raw))

"""Arduino Nano 33 BLE Sense with the Science Journal (Science Kit) firmware; neither number nor time.

Service 555a0002-0000-467a-9538-01f0652c74e8: 0001 version (uint32, 1), 0011 acceleration (3 float32 LE, g), 0012
angular rate (3 float32 LE, deg/s). https://github.com/arduino-libraries/Arduino_ScienceJournal, extras/BLE_spec BLE
Sense Firmware.txt. The sketch sends one after the other in each turn of its loop; which rate that gives is measured.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgehar.errors import InputError, Reason
from edgehar.sources.ble_devices.base import Advertised, Choice, Read, Step, Subscribe
from edgehar.sources.ble_devices.samples import ACCEL, GYRO, RADPS, SampledDevice, SampleStream, floats
from edgehar.sources.ble_devices.timing import ArrivalClock
from edgehar.types import Chunk
from edgehar.wire.frames import Cause

SERVICE = "555a0002-0000-467a-9538-01f0652c74e8"
VERSION = "555a0002-0001-467a-9538-01f0652c74e8"
ACCELERATION = "555a0002-0011-467a-9538-01f0652c74e8"
ANGULAR_RATE = "555a0002-0012-467a-9538-01f0652c74e8"
TRIPLE_BYTES, VERSION_BYTES = 12, 4
NOT_MEASURED = np.full(3, np.nan)


def known(advertised: Advertised) -> bool:
    """By the service that it advertises."""
    return SERVICE in advertised.services


def make(choice: Choice) -> ArduinoScience:
    """One device."""
    return ArduinoScience(choice)


class ArduinoScience(SampledDevice):
    """A `BleDevice`. A sample is an acceleration and the angular rate that follows it, NaN where none does."""

    title = "Arduino Nano 33 BLE Sense (Science Journal)"

    def __init__(self, choice: Choice) -> None:
        super().__init__(SampleStream(choice, ACCEL + GYRO, ArrivalClock, choice.rate_hz))
        self._waiting: tuple[np.ndarray, int] | None = None  # acceleration in g, and when it came

    def steps(self) -> Iterator[Step]:
        """First whether the layout is the one that is described."""
        yield Read(VERSION, optional=True)
        yield Subscribe(ANGULAR_RATE)
        yield Subscribe(ACCELERATION)

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """A sample for each acceleration. Raises InputError for another version of the firmware's layout."""
        if uuid == VERSION:
            _check_version(value)
            return []
        if uuid not in (ACCELERATION, ANGULAR_RATE):
            return []
        if len(value) != TRIPLE_BYTES:
            return self._samples.refuse(Cause.LENGTH)
        triple = floats(value)
        waiting, self._waiting = self._waiting, None
        if uuid == ACCELERATION:
            self._waiting = triple, host_ns
            return [] if waiting is None else self._push(waiting[0], NOT_MEASURED, waiting[1])
        return [] if waiting is None else self._push(waiting[0], triple * RADPS, host_ns)

    def interrupt(self) -> None:
        """The connection was lost here."""
        super().interrupt()
        self._waiting = None

    def _push(self, acceleration_g: np.ndarray, rate_radps: np.ndarray, host_ns: int) -> list[Chunk]:
        return self._samples.push([np.concatenate([acceleration_g, rate_radps])], host_ns)


def _check_version(value: bytes) -> None:
    version = int.from_bytes(value, "little")
    if len(value) == VERSION_BYTES and version != 1:
        raise InputError(
            f"the Arduino's Science Journal firmware has version {version} (characteristic {VERSION}), known is 1",
            reason=Reason.VERSION,
            hint="flash version 1, or edgehar's sketch: firmware/arduino_imu",
        )

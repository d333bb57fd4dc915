"""PineTime with InfiniTime: acceleration; neither number nor time.

Motion service 00030000-78fc-48fe-8e23-433b3a1942d0: 00030002 raw motion values (int16 LE x, y, z, 1024 is 1 g).
https://github.com/InfiniTimeOrg/InfiniTime/blob/main/doc/MotionService.md. The unit holds since version 1.15; before,
values were the chip's own. (Written from that page alone; InfiniTime's code is under the GPL.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from edgehar.errors import InputError, Reason
from edgehar.sources.ble_devices.base import Advertised, Choice, Read, Step, Subscribe
from edgehar.sources.ble_devices.samples import ACCEL, SampledDevice, SampleStream
from edgehar.sources.ble_devices.timing import ArrivalClock
from edgehar.types import Chunk
from edgehar.wire.frames import Cause

NAME = "InfiniTime"
FIRMWARE = "00002a26-0000-1000-8000-00805f9b34fb"  # firmware revision string of the device information service
MOTION = "00030002-78fc-48fe-8e23-433b3a1942d0"
MOTION_BYTES = 6
OLDEST = (1, 15)
PER_G = 1024


def known(advertised: Advertised) -> bool:
    """By its name."""
    return advertised.name == NAME


def make(choice: Choice) -> PineTime:
    """One device."""
    return PineTime(choice)


class PineTime(SampledDevice):
    """A `BleDevice`. Its rate is measured, unless it is told; it has one range."""

    title = "PineTime (InfiniTime)"

    def __init__(self, choice: Choice) -> None:
        super().__init__(SampleStream(choice, ACCEL, ArrivalClock, choice.rate_hz))

    def steps(self) -> Iterator[Step]:
        """First whether its values have a unit."""
        yield Read(FIRMWARE, optional=True)
        yield Subscribe(MOTION)

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """A sample for each motion value. Raises InputError where the firmware is too old to say what they mean."""
        if uuid == FIRMWARE:
            _check_version(value)
            return []
        if uuid != MOTION:
            return []
        if len(value) != MOTION_BYTES:
            return self._samples.refuse(Cause.LENGTH)
        return self._samples.push(np.frombuffer(value, "<i2")[None] / PER_G, host_ns)


def _check_version(value: bytes) -> None:
    told = re.match(rb"(\d{1,6})\.(\d{1,6})", value)
    if told is not None and (int(told[1]), int(told[2])) < OLDEST:
        raise InputError(
            f"the watch has InfiniTime {value.decode('ascii', 'replace')}, whose motion values have no unit",
            reason=Reason.VERSION,
            hint="update it to InfiniTime 1.15 or newer: https://github.com/InfiniTimeOrg/InfiniTime/releases",
        )

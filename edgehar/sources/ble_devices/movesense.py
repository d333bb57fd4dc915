"""Movesense with its default firmware 2.3 or newer: acceleration and angular rate, with each packet's first time.

GATT SensorData Protocol, service 34802252-7185-4d5d-b431-630e7050e8f0: 34800001 commands (code, reference, content),
34800002 answers (1, reference, uint16 status), and data (2, reference, content; 3: what did not fit in before).
https://www.movesense.com/docs/esw/gatt_sensordata_protocol/. Content of /Meas/IMU6/RATE: uint32 ms of the first sample,
then all accelerations (float32 LE x, y, z in m/s2), then all angular rates (deg/s); of /Meas/Acc/RATE: without these
(https://www.movesense.com/docs/esw/api_reference/, measured on a Movesense Flash by its users:
https://github.com/sokolmarek/movesense-commander/blob/main/docs/gsp-protocol.md, section 7).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from edgehar.errors import InputError, Reason
from edgehar.sources.ble_devices.base import Advertised, Choice, Step, Subscribe, Write
from edgehar.sources.ble_devices.samples import ACCEL, G_MPS2, GYRO, RADPS, SampledDevice, SampleStream, floats, nearest
from edgehar.sources.ble_devices.timing import PacketClock
from edgehar.types import Chunk
from edgehar.wire.frames import Cause

NAME = "Movesense "
COMMAND = "34800001-7185-4d5d-b431-630e7050e8f0"
NOTIFY = "34800002-7185-4d5d-b431-630e7050e8f0"
SUBSCRIBE = 1
ANSWER, DATA, CONTINUED = 1, 2, 3
OK, NOT_FOUND = 200, 404
RATES_HZ = (13, 26, 52, 104, 208)
DEFAULT_HZ = 52
INERTIAL, ACCELERATION = 99, 100  # our references
BLOCKS = {INERTIAL: 2, ACCELERATION: 1}  # of triples in a content
LEAST_MTU = 105  # four samples at 52 Hz with their head
HEAD_BYTES, TIME_BYTES, TRIPLE_BYTES = 2, 4, 12


def known(advertised: Advertised) -> bool:
    """By its name: Movesense 174630000192. A 128-bit service does not fit in beside it."""
    return advertised.name.startswith(NAME)


def make(choice: Choice) -> Movesense:
    """One device."""
    return Movesense(choice)


class Movesense(SampledDevice):
    """A `BleDevice`. Its ranges cannot be chosen over this protocol."""

    title = "Movesense"

    def __init__(self, choice: Choice) -> None:
        self.rate_hz = int(nearest(choice.rate_hz, RATES_HZ, DEFAULT_HZ))
        self._blocks = 0  # 2: acceleration and angular rate; 1: acceleration
        self._status: int | None = None
        self._first: tuple[bytes, int] | None = None  # content that may go on in the next value, and its arrival
        self._splits: bool | None = None  # whether contents go on; known after the second value
        super().__init__(SampleStream(choice, ACCEL + GYRO, partial(PacketClock, bits=32, tick_ns=1_000_000)))

    def steps(self) -> Iterator[Step]:
        """Both sensors; acceleration alone where the device has no more. Raises InputError where it refuses that."""
        self._first = self._splits = None
        yield Subscribe(NOTIFY)
        for reference, path in ((INERTIAL, f"/Meas/IMU6/{self.rate_hz}"), (ACCELERATION, f"/Meas/Acc/{self.rate_hz}")):
            self._status = None
            yield Write(COMMAND, bytes([SUBSCRIBE, reference]) + path.encode() + b"\0", answer=NOTIFY)
            status = self._told()
            if status in (None, OK):  # no answer is none, either: notifications may be lost
                return
            if status != NOT_FOUND or reference == ACCELERATION:
                raise InputError(
                    f"the Movesense refuses {path}: status {status} (characteristic {NOTIFY})",
                    reason=Reason.VALUE,
                    hint="take the battery out and in again; update it to firmware 2.3 or newer",
                )

    def _told(self) -> int | None:
        return self._status

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """The samples of a content, once it is known to be whole."""
        if uuid != NOTIFY:
            return []
        if len(value) < HEAD_BYTES or value[0] not in (ANSWER, DATA, CONTINUED):
            return self._samples.refuse(Cause.LENGTH if len(value) < HEAD_BYTES else Cause.KIND)
        code, reference, content = value[0], value[1], value[HEAD_BYTES:]
        if code == ANSWER:
            self._status = int.from_bytes(content[:2], "little") if len(content) >= 2 else None
            return []
        if reference not in BLOCKS or BLOCKS[reference] != (self._blocks or BLOCKS[reference]):
            return self._samples.refuse(Cause.KIND)
        if not self._blocks:
            self._blocks = BLOCKS[reference]
            self._samples.settle(self.rate_hz, ACCEL + GYRO if self._blocks == 2 else ACCEL)
        return self._join(code, content, host_ns)

    def interrupt(self) -> None:
        """What was begun stays unfinished."""
        super().interrupt()
        self._first = None

    def _join(self, code: int, content: bytes, host_ns: int) -> list[Chunk]:
        """A content is whole if another begins; that contents never go on, or always do, the second value tells."""
        first, self._first = self._first, None
        if code == CONTINUED:
            if first is None:
                self._splits = True  # it goes on after all, and its beginning was taken for the whole
                return self._samples.refuse(Cause.LENGTH)
            self._splits = True
            return self._samples_of(first[0] + content, first[1])
        done: list[Chunk] = []
        if first is not None:
            if self._splits:
                done = self._samples.refuse(Cause.LENGTH)  # the rest of it was lost
            else:
                self._splits = False
                done = self._samples_of(*first)
        if self._splits is False:
            return done + self._samples_of(content, host_ns)
        self._first = content, host_ns
        return done

    def _samples_of(self, content: bytes, host_ns: int) -> list[Chunk]:
        stride = TRIPLE_BYTES * self._blocks
        count, rest = divmod(len(content) - TIME_BYTES, stride)
        if rest or count < 1:
            return self._samples.refuse(Cause.LENGTH)
        triples = floats(content, TIME_BYTES).reshape(self._blocks, count, 3)
        x = np.concatenate([triples[0] / G_MPS2, *(triples[1:] * RADPS)], axis=1)
        return self._samples.push(x, host_ns, ticks=int.from_bytes(content[:TIME_BYTES], "little"))

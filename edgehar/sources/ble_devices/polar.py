"""Polar H10, Verity Sense, OH1 and later: acceleration, with the time of each packet's last sample.

PMD service FB005C80-02E7-F387-1CAD-8ACD2D8DF0C8: FB005C81 control point (what it can, settings, start and stop),
FB005C82 measurements. https://github.com/polarofficial/polar-ble-sdk, technical_documentation/online_measurement.pdf;
rates and ranges: documentation/products. The bytes: polar_frames.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from edgehar.errors import InputError, Reason
from edgehar.sources.ble_devices.base import Advertised, Choice, Read, Step, Subscribe, Write
from edgehar.sources.ble_devices.polar_frames import (
    ACCELERATION,
    ERRORS,
    FEATURES,
    GET_SETTINGS,
    RANGE,
    RATE,
    START,
    STOP,
    TYPE_MASK,
    Answer,
    read_answer,
    read_frame,
    start_command,
)
from edgehar.sources.ble_devices.samples import ACCEL, SampledDevice, SampleStream, nearest
from edgehar.sources.ble_devices.timing import PacketClock
from edgehar.types import Chunk
from edgehar.wire.frames import Cause

LEAST_MTU = 232  # "Exchange ATT MTU with minimum 232"
NAME = "Polar "
CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
DEFAULT_HZ, DEFAULT_RANGE_G = 50, 8


def known(advertised: Advertised) -> bool:
    """By its name: Polar H10 1234ABCD."""
    return advertised.name.startswith(NAME)


def make(choice: Choice) -> Polar:
    """One device."""
    return Polar(choice)


class Polar(SampledDevice):
    """A `BleDevice`. It is asked which settings it has, and set to the nearest ones."""

    title = "Polar"

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._answer: Answer | None = None
        self._factor = 1.0
        super().__init__(SampleStream(choice, ACCEL, partial(PacketClock, bits=64, tick_ns=1, of_last=True)))

    def steps(self) -> Iterator[Step]:
        """What it can do, with which settings; then the nearest of those. Raises InputError where it refuses."""
        yield Read(CONTROL)
        yield Subscribe(CONTROL)
        yield Subscribe(DATA)
        self._answer = None
        yield Write(CONTROL, bytes([GET_SETTINGS, ACCELERATION]), answer=CONTROL)
        chosen = self._choose(self._checked(GET_SETTINGS))
        yield Write(CONTROL, bytes([STOP, ACCELERATION]), answer=CONTROL)  # a stream that was left running
        self._answer = None
        yield Write(CONTROL, start_command(ACCELERATION, chosen), answer=CONTROL)
        answer = self._checked(START)
        self._factor = answer.factor if answer is not None else 1.0

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """The samples of a frame. Raises InputError where the device says that it has no acceleration to give."""
        if uuid == CONTROL:
            _check_features(value)
            self._answer = read_answer(value) or self._answer
            return []
        if uuid != DATA:
            return []
        if not value or value[0] & TYPE_MASK != ACCELERATION:
            return self._samples.refuse(Cause.KIND)
        frame = read_frame(value, self._factor)
        if frame is None:
            return self._samples.refuse(Cause.LENGTH)
        return self._samples.push(frame.x, host_ns, ticks=frame.t_ns)

    def _choose(self, answer: Answer | None) -> dict[int, int]:
        """One value of each setting that the device offers; the stream gets the rate."""
        offered = answer.settings if answer is not None else {}
        chosen = {kind: max(values) for kind, values in offered.items()}
        if RANGE in offered:
            wanted_g = self._choice.accel_range_g or DEFAULT_RANGE_G
            chosen[RANGE] = int(nearest(wanted_g, offered[RANGE], wanted_g))
        if RATE in offered:
            wanted_hz = self._choice.rate_hz or DEFAULT_HZ
            chosen[RATE] = int(nearest(wanted_hz, [rate_hz for rate_hz in offered[RATE] if rate_hz] or [1], wanted_hz))
            self._samples.settle(chosen[RATE])
        return chosen

    def _checked(self, command: int) -> Answer | None:
        """The answer to the last command; None where none came: frames will tell."""
        answer = self._answer
        if answer is not None and answer.command == command and answer.error:
            raise InputError(
                f"the Polar device refuses to measure acceleration: error {answer.error}, "
                f"{ERRORS.get(answer.error, 'reserved')} (characteristic {CONTROL})",
                reason=Reason.VALUE,
                hint="take it off the charger, put it on, end other programs that are connected to it",
            )
        return answer if answer is not None and answer.command == command else None


def _check_features(value: bytes) -> None:
    """The control point, when it is read, tells what the device can measure, one bit each."""
    if len(value) >= 2 and value[0] == FEATURES and not value[1] >> ACCELERATION & 1:
        raise InputError(
            f"the Polar device offers no acceleration (features {value[1]:#04x} in characteristic {CONTROL})",
            reason=Reason.VALUE,
            hint="H10, OH1 and Verity Sense do; update its firmware with Polar Flow",
        )

"""`check_ble_device`: what every kind of Bluetooth LE sensor must do. Call it in the tests of a new one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from edgehar.errors import InputError
from edgehar.sources.ble_devices.base import BleDevice, Read, Step, Subscribe, Write
from edgehar.testing.fault import demand
from edgehar.testing.source import check_chunks
from edgehar.types import Chunk, StreamSpec

METHODS = ("spec", "steps", "take", "interrupt")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ELSEWHERE = "00002a00-0000-1000-8000-00805f9b34fb"  # a device's name: nobody asks for it here
LATER_NS = 5_000_000_000

Value = tuple[str, bytes, int]  # characteristic, bytes, and when they arrived on the host's monotonic clock


def silent(step: Step) -> bytes | None:
    """A device that reads as nothing and answers nothing."""
    del step
    return None


def set_going(
    device: BleDevice, answers: Callable[[Step], bytes | None] = silent, host_ns: int = 0
) -> tuple[list[Step], list[Chunk]]:
    """Take the device's steps as a connection does; the steps, and the Chunks that came of the answers.

    answers: what the device gives when a Read or a Write with an `answer` is done; None: nothing.
    """
    done: list[Step] = []
    chunks: list[Chunk] = []
    for step in device.steps():
        done.append(step)
        value = answers(step)
        where = step.answer if isinstance(step, Write) else step.uuid
        if value is not None and where and not isinstance(step, Subscribe):
            chunks += device.take(where, value, host_ns)
    return done, chunks


def check_ble_device(
    make: Callable[[], BleDevice],
    values: Sequence[Value],
    answers: Callable[[Step], bytes | None] = silent,
    *,
    at_least: int = 1,
) -> list[Chunk]:
    """Set going what `make` returns, give it `values`, check its Chunks; return them.

    `values` are notifications in order of arrival that hold `at_least` samples. Raises ProtocolFaultError at the first
    broken clause.
    """
    device = make()
    lacking = [name for name in METHODS if not hasattr(type(device), name)]
    _demand(not lacking, f"{type(device).__name__} has all methods, but {', '.join(lacking)}")
    _demand(bool(device.title), "title names the kind of device")
    _demand(isinstance(device.counts, Counter), "counts is a Counter")
    steps, chunks = set_going(device, answers, values[0][2] if values else 0)
    _check_steps(steps)
    chunks += [chunk for value in values for chunk in device.take(*value)]
    _check_stream(device, chunks, at_least)
    _check_reconnect(device, values, answers, chunks)
    _check_damage(make, values, answers)
    return chunks


def _check_steps(steps: Sequence[Step]) -> None:
    subscribed: set[str] = set()
    for step in steps:
        _demand(isinstance(step, Read | Write | Subscribe), f"a step reads, writes or subscribes: {step}")
        _demand(UUID.fullmatch(step.uuid) is not None, f"UUIDs are of 128 bits and in lower case: {step.uuid}")
        if isinstance(step, Write) and step.answer:
            _demand(step.answer in subscribed, f"{step.answer} is subscribed to before an answer is awaited there")
        if isinstance(step, Subscribe):
            subscribed.add(step.uuid)
    _demand(bool(subscribed), "steps subscribe to something")


def _check_stream(device: BleDevice, chunks: Sequence[Chunk], at_least: int) -> None:
    samples = sum(map(len, chunks))
    _demand(samples >= at_least, f"at least {at_least} samples come of the values, {samples} came")
    spec = device.spec
    _demand(isinstance(spec, StreamSpec), "spec is a StreamSpec once samples came")
    if spec is not None:
        check_chunks(chunks, spec)
    _demand(device.counts["samples"] == samples, "counts tells how many samples there were")


def _check_reconnect(
    device: BleDevice, values: Sequence[Value], answers: Callable[[Step], bytes | None], before: Sequence[Chunk]
) -> None:
    """Lost and found again, the device goes on as one stream."""
    spec = device.spec
    device.interrupt()
    later_ns = (values[-1][2] if values else 0) + LATER_NS
    steps, chunks = set_going(device, answers, later_ns)
    _check_steps(steps)
    chunks += [chunk for uuid, value, host_ns in values for chunk in device.take(uuid, value, later_ns + host_ns)]
    _demand(device.spec == spec, "spec stays what it is after a reconnect")
    if spec is not None:
        check_chunks([*before, *chunks], spec)


def _check_damage(
    make: Callable[[], BleDevice], values: Sequence[Value], answers: Callable[[Step], bytes | None]
) -> None:
    """A value that is not what the layout says is counted; one of a characteristic nobody asked for is nothing."""
    for uuid, value, host_ns in values[:3]:
        for cut in {0, 1, len(value) // 2, len(value) - 1}:
            device = make()
            set_going(device, answers, host_ns)
            try:
                device.take(uuid, value[:cut], host_ns)
            except InputError:
                continue  # nothing further can be made of the device
    device = make()
    _demand(device.take(ELSEWHERE, b"\x01\x02", 0) == [], "a characteristic that nobody asked for holds no samples")


def _demand(holds: bool, clause: str) -> None:
    demand(holds, clause, "edgehar/sources/ble_devices/base.py")

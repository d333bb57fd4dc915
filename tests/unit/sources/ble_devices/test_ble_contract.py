"""`check_ble_device` passes edgehar's own tag, and names the clause that a broken device does not keep."""

from dataclasses import replace

import numpy as np
import pytest

from edgehar.sources.ble_devices import edgehar_tag
from edgehar.sources.ble_devices.base import Choice, Read, Subscribe, Write
from edgehar.sources.ble_devices.thingy52 import CONFIG, RAW, Thingy52
from edgehar.testing import ProtocolFaultError, check_ble_device
from edgehar.types import Flag
from edgehar.wire.gatt import CONFIG_UUID, DATA_UUID
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.messages import ImuHello, ImuSamples
from edgehar.wire.packet import wrap_packet

SAMPLE = bytes(18)
VALUES = [(RAW, SAMPLE, i * 20_000_000) for i in range(20)]


def packet(message):
    return wrap_packet(*imu_payload(message))


def test_edgehars_own_tag():
    hello = packet(ImuHello(1, 0, "esp32s3", "1.0", "wrist", "lsm6dso", 100, 8, 1000))
    samples = [ImuSamples(1, i, i * 10_000, 10_000, 8, 1000, np.full((4, 6), 7, np.int16)) for i in range(0, 80, 4)]
    values = [(DATA_UUID, packet(one), 10_000 * one.t_us) for one in samples]
    check_ble_device(
        lambda: edgehar_tag.make(Choice()),
        values,
        lambda step: hello if step == Read(CONFIG_UUID) else None,
        at_least=80,
    )


class Nameless(Thingy52):
    title = ""


class Shouting(Thingy52):
    def steps(self):
        yield Subscribe(RAW.upper())


class Deaf(Thingy52):
    def steps(self):
        yield Read(CONFIG)


class Impatient(Thingy52):
    def steps(self):
        yield Write(CONFIG, b"", answer=RAW)
        yield Subscribe(RAW)


class Miscounting(Thingy52):
    def take(self, uuid, value, host_ns):
        found = super().take(uuid, value, host_ns)
        self.counts["samples"] = 1
        return found


class Jumping(Thingy52):
    def take(self, uuid, value, host_ns):
        return [
            replace(chunk, seq=chunk.seq * 2, flags=chunk.flags & ~np.uint16(Flag.GAP_BEFORE))
            for chunk in super().take(uuid, value, host_ns)
        ]


class Standing(Thingy52):
    def take(self, uuid, value, host_ns):
        return [replace(chunk, t_dev_ns=chunk.t_dev_ns * 0) for chunk in super().take(uuid, value, host_ns)]


class Inventive(Thingy52):
    def take(self, uuid, value, host_ns):
        del uuid, value
        return super().take(RAW, SAMPLE, host_ns)


@pytest.mark.parametrize(
    ("kind", "clause"),
    [
        (Nameless, "title names"),
        (Shouting, "in lower case"),
        (Deaf, "subscribe to something"),
        (Impatient, "before an answer"),
        (Miscounting, "counts tells"),
        (Jumping, "flagged GAP_BEFORE"),
        (Standing, "t_dev_ns rises"),
        (Inventive, "nobody asked for"),
    ],
)
def test_a_broken_clause_is_named(kind, clause):
    with pytest.raises(ProtocolFaultError, match=clause):
        check_ble_device(lambda: kind(Choice()), VALUES, at_least=20)


def test_too_few_samples_are_too_few():
    with pytest.raises(ProtocolFaultError, match="at least 21 samples"):
        check_ble_device(lambda: Thingy52(Choice()), VALUES, at_least=21)

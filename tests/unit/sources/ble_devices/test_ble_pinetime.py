"""PineTime with InfiniTime, on bytes made from the documented layout."""

import numpy as np
import pytest

from edgehar.errors import InputError, Reason
from edgehar.sources.ble_devices.base import Advertised, Choice, Read
from edgehar.sources.ble_devices.pinetime import FIRMWARE, MOTION, known, make
from edgehar.testing import check_ble_device
from edgehar.types import Flag

SAMPLE = np.array([512, -1024, 1], "<i2").tobytes()
STEP_NS = 100_000_000


def test_1024_is_1_g():
    (chunk,) = make(Choice(rate_hz=10)).take(MOTION, SAMPLE, 0)
    assert chunk.x.tolist() == [[0.5, -1.0, 1 / 1024]]
    assert chunk.spec.channels == ("acc_x", "acc_y", "acc_z")


def test_it_keeps_the_protocol_and_its_rate_is_measured():
    values = [(MOTION, SAMPLE, i * STEP_NS) for i in range(60)]
    chunks = check_ble_device(
        lambda: make(Choice()), values, lambda step: b"1.15.0" if isinstance(step, Read) else None, at_least=60
    )
    assert chunks[0].spec.rate_hz == 10


@pytest.mark.parametrize("version", [b"1.14.1", b"0.9.0"])
def test_older_firmware_has_no_unit(version):
    with pytest.raises(InputError, match=version.decode()) as raised:
        make(Choice()).take(FIRMWARE, version, 0)
    assert raised.value.reason is Reason.VERSION


@pytest.mark.parametrize("version", [b"1.15.0", b"1.16.0-rc1", b"2.0", b"", b"develop"])
def test_newer_or_unnamed_firmware_is_taken(version):
    assert make(Choice()).take(FIRMWARE, version, 0) == []


def test_a_wrong_length_is_counted_and_a_gap():
    device = make(Choice(rate_hz=10))
    assert device.take(MOTION, SAMPLE[:-1], 0) == []
    (chunk,) = device.take(MOTION, SAMPLE, STEP_NS)
    assert device.counts["bad_length"] == 1
    assert chunk.flags[0] == Flag.GAP_BEFORE


def test_it_is_known_by_its_name():
    assert known(Advertised("AA", name="InfiniTime"))
    assert not known(Advertised("AA", name="Pinetime-JF"))

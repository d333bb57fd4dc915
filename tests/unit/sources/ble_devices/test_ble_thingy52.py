"""Thingy:52, on bytes by Nordic's layout; the accelerations are as a Thingy that lay on a table sent them.

https://devzone.nordicsemi.com/f/nordic-q-a/47415/decoding-thingy-motion-raw-data-characteristic-from-thingy-52
"""

import numpy as np
import pytest

from edgehar.sources.ble_devices.base import Advertised, Choice, Read, Subscribe, Write
from edgehar.sources.ble_devices.thingy52 import ADVERTISED, CONFIG, RAW, known, make
from edgehar.testing import check_ble_device
from edgehar.testing.ble_device import set_going
from edgehar.types import Flag

ON_A_TABLE = bytes.fromhex("FAFF F4FF F603")  # sent
TURNING = bytes.fromhex("2000 E0FF 803E")  # by the layout: 1, -1 and 500 deg/s in 11Q5
SAMPLE = ON_A_TABLE + TURNING + bytes(6)
STEP_NS = 20_000_000


def test_units():
    (chunk,) = make(Choice()).take(RAW, SAMPLE, 0)
    np.testing.assert_allclose(chunk.x[0, :3], np.array([-6, -12, 1014]) / 1024)
    np.testing.assert_allclose(np.rad2deg(chunk.x[0, 3:]), [1, -1, 500], rtol=1e-5)
    assert chunk.spec.channels == ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    assert chunk.spec.units == ("g", "g", "g", "radps", "radps", "radps")


def test_it_keeps_the_protocol():
    chunks = check_ble_device(lambda: make(Choice()), [(RAW, SAMPLE, i * STEP_NS) for i in range(100)], at_least=100)
    assert chunks[0].spec.rate_hz == 50


def test_only_the_rate_is_changed_and_only_where_it_differs():
    held = bytes.fromhex("0A00 1400 1E00 3200 01")
    steps, _ = set_going(make(Choice(rate_hz=100)), lambda step: held if step == Read(CONFIG) else None)
    assert steps == [Read(CONFIG), Write(CONFIG, bytes.fromhex("0A00 1400 1E00 6400 01")), Subscribe(RAW)]
    steps, _ = set_going(make(Choice(rate_hz=50)), lambda step: held if step == Read(CONFIG) else None)
    assert steps == [Read(CONFIG), Subscribe(RAW)]


@pytest.mark.parametrize(("wanted", "rate_hz"), [(0, 50), (1, 5), (62.4, 62), (1000, 200)])
def test_the_nearest_rate(wanted, rate_hz):
    assert make(Choice(rate_hz=wanted)).spec.rate_hz == rate_hz


@pytest.mark.parametrize("value", [b"", SAMPLE[:-1], SAMPLE + b"\0"])
def test_a_wrong_length_is_counted_and_a_gap(value):
    device = make(Choice())
    device.take(RAW, SAMPLE, 0)
    assert device.take(RAW, value, STEP_NS) == []
    (chunk,) = device.take(RAW, SAMPLE, 2 * STEP_NS)
    assert device.counts["bad_length"] == 1
    assert chunk.flags[0] == Flag.GAP_BEFORE


def test_the_end_of_the_range_is_marked():
    (chunk,) = make(Choice()).take(RAW, bytes.fromhex("FF7F") + SAMPLE[2:], 0)
    assert chunk.flags[0] == Flag.CLIPPED


def test_what_it_loses_nobody_knows():
    device = make(Choice())
    for i in range(20):
        device.take(RAW, SAMPLE, i * STEP_NS)
    device.take(RAW, SAMPLE, 5_000_000_000)
    assert device.counts["unnumbered"] == 21
    assert device.counts["silences"] == 1
    assert "lost_unknown" not in device.counts


def test_it_is_known_by_its_service():
    assert known(Advertised("AA", services=frozenset({ADVERTISED})))
    assert not known(Advertised("AA", name="Thingy"))

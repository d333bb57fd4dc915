"""ST boards that speak BlueST, on bytes made from the documented layout."""

import numpy as np
import pytest

from edgehar.sources.ble_devices.base import Advertised, Choice
from edgehar.sources.ble_devices.sensortile import INERTIAL, known, make
from edgehar.testing import check_ble_device
from edgehar.types import Flag

TICK_NS = 8_000_000
STEP = 6  # ticks: 48 ms, about 20 Hz


def value(ticks, mg=(10, -20, 1000), tenth_dps=(10, -10, 1234)):
    return np.array([ticks % 65536], "<u2").tobytes() + np.array([*mg, *tenth_dps, 1, 2, 3], "<i2").tobytes()


def stream(n, first=0, rate_hz=20):
    return [(INERTIAL, value(first + i * STEP), (first + i * STEP) * TICK_NS) for i in range(n)]


def test_units():
    device = make(Choice(rate_hz=20))
    (chunk,) = device.take(INERTIAL, value(5), 0)
    np.testing.assert_allclose(chunk.x[0, :3], [0.01, -0.02, 1], rtol=1e-6)
    np.testing.assert_allclose(np.rad2deg(chunk.x[0, 3:]), [1, -1, 123.4], rtol=1e-5)


def test_it_keeps_the_protocol_and_its_rate_is_measured():
    chunks = check_ble_device(lambda: make(Choice()), stream(200), at_least=200)
    assert chunks[0].spec.rate_hz == pytest.approx(1e9 / (STEP * TICK_NS), rel=0.05)
    assert sum(map(len, chunks)) == 200  # those that came while it was measured, too


def test_the_time_goes_on_when_its_16_bits_are_over():
    device = make(Choice(rate_hz=20))
    chunks = [c for v in stream(100, first=65_536 - 300) for c in device.take(*v)]
    times = np.concatenate([chunk.t_dev_ns for chunk in chunks])
    assert set(np.diff(times)) == {STEP * TICK_NS}
    assert device.counts == {"samples": 100}


def test_a_loss_shows_in_the_time():
    device = make(Choice(rate_hz=1e9 / (STEP * TICK_NS)))
    values = stream(20)
    del values[10:13]
    chunks = [c for v in values for c in device.take(*v)]
    assert device.counts == {"samples": 17, "lost_unknown": 3}
    assert [int(chunk.seq[0]) for chunk in chunks] == [*range(10), *range(13, 20)]
    assert chunks[10].flags[0] == Flag.GAP_BEFORE


def test_a_value_that_comes_twice_counts_once():
    device = make(Choice(rate_hz=20))
    device.take(INERTIAL, value(7), 0)
    assert device.take(INERTIAL, value(7), 1) == []
    assert device.counts == {"samples": 1, "repeated": 1}


@pytest.mark.parametrize("wrong", [b"", value(0)[:-1], value(0) + b"\0"])
def test_a_wrong_length_is_counted_and_a_gap(wrong):
    device = make(Choice(rate_hz=20))
    assert device.take(INERTIAL, wrong, 0) == []
    (chunk,) = device.take(INERTIAL, value(1), 1)
    assert device.counts["bad_length"] == 1
    assert chunk.flags[0] == Flag.GAP_BEFORE


@pytest.mark.parametrize(
    ("company", "rest", "is_known"),
    [
        (0x0601, "00E20000 C0FFEE123456", True),  # SensorTile.box, with address
        (0x0201, "00E00000", True),
        (0x0601, "00200000", False),  # a magnetometer only
        (0x0602, "00E00000", False),  # version 2 is another protocol
        (0x7F01, "00E00000", False),  # of a board that nobody knows
        (0x004C, "02 15", False),
    ],
)
def test_it_is_known_by_version_board_and_features(company, rest, is_known):
    assert known(Advertised("AA", manufacturer={company: bytes.fromhex(rest)})) == is_known

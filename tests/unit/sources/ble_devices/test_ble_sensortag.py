"""TI SensorTag CC2650, on bytes made from the documented layout."""

import numpy as np
import pytest

from edgehar.sources.ble_devices.base import Advertised, Choice, Subscribe, Write
from edgehar.sources.ble_devices.sensortag import ADVERTISED, CONFIG, MEASUREMENT, PERIOD, known, make
from edgehar.testing import check_ble_device
from edgehar.types import Flag

# Angular rate 1, -1, 125 deg/s; acceleration 1, -0.5, 0.25 g at 8 g full scale; magnetic field.
SAMPLE = np.array([131, -131, 16384, 4096, -2048, 1024, 268, -341, 582], "<i2").tobytes()
STEP_NS = 100_000_000


def test_units_and_order():
    (chunk,) = make(Choice()).take(MEASUREMENT, SAMPLE, 0)
    np.testing.assert_allclose(chunk.x[0, :3], [1, -0.5, 0.25])
    np.testing.assert_allclose(np.rad2deg(chunk.x[0, 3:]), [0.99945, -0.99945, 125], rtol=1e-5)


def test_it_keeps_the_protocol():
    values = [(MEASUREMENT, SAMPLE, i * STEP_NS) for i in range(40)]
    chunks = check_ble_device(lambda: make(Choice()), values, at_least=40)
    assert chunks[0].spec.rate_hz == 10


def test_it_is_set_as_documented():
    steps = list(make(Choice(rate_hz=50, accel_range_g=4)).steps())
    # Bits 0-5: all axes of gyroscope and accelerometer; bits 8-9: 1 is 4 g. The shortest period is 100 ms.
    assert steps == [Write(PERIOD, b"\x0a"), Write(CONFIG, b"\x3f\x01"), Subscribe(MEASUREMENT)]


@pytest.mark.parametrize(("range_g", "bits"), [(2, 0), (4, 1), (8, 2), (16, 3), (100, 3), (0, 2)])
def test_the_range_decides_what_a_value_is(range_g, bits):
    device = make(Choice(accel_range_g=range_g))
    assert list(device.steps())[1].value[1] == bits
    (chunk,) = device.take(MEASUREMENT, SAMPLE, 0)
    assert chunk.x[0, 0] == 4096 / 32768 * 2 ** (bits + 1)


@pytest.mark.parametrize("value", [b"", SAMPLE[:-1], SAMPLE + b"\0"])
def test_a_wrong_length_is_counted_and_a_gap(value):
    device = make(Choice())
    assert device.take(MEASUREMENT, value, 0) == []
    (chunk,) = device.take(MEASUREMENT, SAMPLE, STEP_NS)
    assert device.counts["bad_length"] == 1
    assert chunk.flags[0] == Flag.GAP_BEFORE


def test_it_is_known_by_its_service_or_name():
    assert known(Advertised("AA", services=frozenset({ADVERTISED})))
    assert known(Advertised("AA", name="CC2650 SensorTag"))
    assert not known(Advertised("AA", name="SensorTag of somebody"))

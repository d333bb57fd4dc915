"""Arduino's Science Journal firmware, on bytes made from the documented layout."""

import numpy as np
import pytest

from edgehar.errors import InputError
from edgehar.sources.ble_devices.arduino_science import ACCELERATION, ANGULAR_RATE, SERVICE, VERSION, known, make
from edgehar.sources.ble_devices.base import Advertised, Choice, Read
from edgehar.testing import check_ble_device
from edgehar.types import Flag

G = np.array([0.5, -0.25, 1.0], "<f4").tobytes()
DPS = np.array([90, 0, -180], "<f4").tobytes()
STEP_NS = 20_000_000


def stream(n):
    return [
        (uuid, value, i * STEP_NS + late)
        for i in range(n)
        for uuid, value, late in ((ACCELERATION, G, 0), (ANGULAR_RATE, DPS, 1_000_000))
    ]


def test_units():
    device = make(Choice(rate_hz=50))
    assert device.take(ACCELERATION, G, 0) == []
    (chunk,) = device.take(ANGULAR_RATE, DPS, 1)
    np.testing.assert_allclose(chunk.x, [[0.5, -0.25, 1, np.pi / 2, 0, -np.pi]], rtol=1e-6)


def test_it_keeps_the_protocol_and_its_rate_is_measured():
    version_1 = (1).to_bytes(4, "little")
    chunks = check_ble_device(
        lambda: make(Choice()), stream(150), lambda step: version_1 if isinstance(step, Read) else None, at_least=150
    )
    assert chunks[0].spec.rate_hz == 50


def test_an_acceleration_alone_is_a_sample_too():
    device = make(Choice(rate_hz=50))
    device.take(ACCELERATION, G, 0)
    (chunk,) = device.take(ACCELERATION, G, STEP_NS)
    assert chunk.x[0, :3].tolist() == [0.5, -0.25, 1.0]
    assert np.isnan(chunk.x[0, 3:]).all()
    assert device.take(ANGULAR_RATE, DPS, STEP_NS) != []
    assert device.take(ANGULAR_RATE, DPS, STEP_NS) == []  # of no acceleration


def test_another_version_is_refused():
    with pytest.raises(InputError, match="version 2"):
        make(Choice()).take(VERSION, (2).to_bytes(4, "little"), 0)


def test_a_wrong_length_is_counted_and_a_gap():
    device = make(Choice(rate_hz=50))
    assert device.take(ACCELERATION, G[:-1], 0) == []
    device.take(ACCELERATION, G, STEP_NS)
    (chunk,) = device.take(ANGULAR_RATE, DPS, STEP_NS)
    assert device.counts["bad_length"] == 1
    assert chunk.flags[0] == Flag.GAP_BEFORE


def test_it_is_known_by_its_service():
    assert known(Advertised("AA", services=frozenset({SERVICE})))
    assert not known(Advertised("AA", name="BLESense - 1234"))

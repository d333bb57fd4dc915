"""The Arduino sketch's packets, on bytes made from the documented layout; the sketch itself: tests/firmware."""

import numpy as np
import pytest

from edgehar.sources.ble_devices.arduino import DATA, HEAD, SERVICE, known, make
from edgehar.sources.ble_devices.base import Advertised, Choice
from edgehar.testing import check_ble_device
from edgehar.types import Flag

RATE_HZ = 104
STEP_US = round(1e6 / RATE_HZ)


def packet(first, n=1, range_g=4):
    raw = np.tile(np.array([8192, -8192, 0, 16384, 0, -1], "<i2"), n)
    return HEAD.pack(first % 65536, first * STEP_US % 2**32, range_g, 200) + raw.tobytes()


def stream(n, first=0, each=1):
    return [(DATA, packet(i, each), i * STEP_US * 1000) for i in range(first, first + n * each, each)]


def test_one_sample_fits_into_the_shortest_notification():
    assert len(packet(0)) == 20


def test_units():
    (chunk,) = make(Choice(rate_hz=RATE_HZ)).take(DATA, packet(0), 0)
    assert chunk.x[0, :3].tolist() == [1, -1, 0]
    np.testing.assert_allclose(np.rad2deg(chunk.x[0, 3:]), [1000, 0, -2000 / 32768], rtol=1e-5)


@pytest.mark.parametrize("each", [1, 4])
def test_it_keeps_the_protocol(each):
    chunks = check_ble_device(lambda: make(Choice()), stream(300, each=each), at_least=300 * each)
    assert chunks[0].spec.rate_hz == RATE_HZ
    times = np.concatenate([chunk.t_dev_ns for chunk in chunks])
    assert np.abs(np.diff(times) - STEP_US * 1000).max() < 2000  # ns: the period is that of the packets' own times


def test_a_loss_shows_in_the_numbers_even_past_their_end():
    device = make(Choice(rate_hz=RATE_HZ))
    values = stream(40, first=65_500)
    del values[20:37]
    chunks = [c for value in values for c in device.take(*value)]
    assert device.counts == {"samples": 23, "lost_unknown": 17}
    assert chunks[20].flags[0] == Flag.GAP_BEFORE


def test_a_loss_of_more_than_all_numbers_is_counted_by_time():
    device = make(Choice(rate_hz=RATE_HZ))
    for value in [*stream(5), *stream(5, first=65_536 * 3 + 100)]:
        device.take(*value)
    assert device.counts["lost_unknown"] == 65_536 * 3 + 95


def test_an_older_packet_counts_once():
    device = make(Choice(rate_hz=RATE_HZ))
    for value in stream(5):
        device.take(*value)
    assert device.take(*stream(5)[-1]) == []
    assert device.counts["repeated"] == 1


@pytest.mark.parametrize("wrong", [b"", packet(0)[:8], packet(0)[:-1], packet(0, 2)[:-1]])
def test_a_wrong_length_is_counted_and_a_gap(wrong):
    device = make(Choice(rate_hz=RATE_HZ))
    assert device.take(DATA, wrong, 0) == []
    (chunk,) = device.take(DATA, packet(1), STEP_US)
    assert device.counts["bad_length"] == 1
    assert chunk.flags[0] == Flag.GAP_BEFORE


def test_a_packet_without_ranges_is_refused():
    device = make(Choice(rate_hz=RATE_HZ))
    assert device.take(DATA, packet(0, range_g=0), 0) == []
    assert device.counts["bad_value"] == 1


def test_it_is_known_by_its_service():
    assert known(Advertised("AA", services=frozenset({SERVICE})))
    assert not known(Advertised("AA", name="Arduino"))

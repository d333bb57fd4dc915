"""Placing samples in time: by a device's own time, or by arrivals alone."""

import numpy as np
import pytest

from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.ble_devices.samples import ACCEL, SampleStream, floats, nearest
from edgehar.sources.ble_devices.timing import ArrivalClock, PacketClock

S_NS = 1_000_000_000


def placed(clock, arrivals_ns, n=1):
    return np.concatenate([clock.place(n, int(t), 0, 0).t_dev_ns for t in arrivals_ns])


@pytest.mark.parametrize("off", [-0.02, 0.0, 0.02])
def test_arrivals_in_connection_events_come_out_evenly(off):
    rng = np.random.default_rng(1)
    true_ns = np.arange(5000) * S_NS / (50 * (1 + off))
    # Sent with the next event, every 30 ms; one in ten events is lost and repeated.
    events = np.ceil((true_ns + 1e6) / 30e6) + (rng.random(len(true_ns)) < 0.1)
    arrivals_ns = np.maximum.accumulate(events) * 30e6
    found = placed(ArrivalClock(50), arrivals_ns)
    late = (found - true_ns)[500:]
    assert np.std(arrivals_ns - true_ns) > 9e6
    assert np.std(late) < 2.2e6
    assert (np.diff(found) > 0).all()
    assert found[-1] - found[500] == pytest.approx(true_ns[-1] - true_ns[500], abs=20e6)


def test_a_burst_after_a_pause_keeps_its_order_and_does_not_run_away():
    arrivals_ns = [*(np.arange(50) * 20e6), *[1.8e9] * 40, *(1.8e9 + np.arange(1, 100) * 20e6)]
    found = placed(ArrivalClock(50), arrivals_ns)
    assert (np.diff(found) > 0).all()
    assert abs(found[-1] - arrivals_ns[-1]) < 60e6


def test_a_silence_is_a_gap_and_a_new_beginning():
    clock = ArrivalClock(50)
    placed(clock, np.arange(50) * 20e6)
    after = clock.place(1, 60 * S_NS, 0, 0)
    assert after.gap
    assert after.t_dev_ns.tolist() == [60 * S_NS]
    assert not clock.place(1, 60 * S_NS + 20_000_000, 0, 0).gap


def test_a_period_follows_the_devices_own():
    clock = PacketClock(100, bits=32, tick_ns=1000)
    for i in range(200):  # 103 Hz
        packet = clock.place(5, round(i * 5 * S_NS / 103), round(i * 5e6 / 103), 0)
    assert np.diff(packet.t_dev_ns).tolist() == pytest.approx([S_NS / 103] * 4, rel=1e-3)


@pytest.mark.parametrize("n", [1, 5, 36])
@pytest.mark.parametrize("of_last", [False, True])
def test_every_lost_packet_is_counted(n, of_last):
    rng = np.random.default_rng(n)
    clock = PacketClock(100, bits=64, tick_ns=1, of_last=of_last)
    kept = np.flatnonzero(np.r_[True, rng.random(400) > 0.2])
    missing, newest = 0, -1
    for i in kept:
        t_ns = int(i * n * 1e7 * 1.01 + rng.normal(0, 2e5 * n**0.5)) + S_NS
        packet = clock.place(n, t_ns, t_ns, 0)
        assert packet.t_dev_ns[0] > newest
        assert (np.diff(packet.t_dev_ns) > 0).all()
        missing, newest = missing + packet.missing, int(packet.t_dev_ns[-1])
    # Of large packets, to the accuracy of the period; the device's is 1 % off its nominal one here.
    assert missing == pytest.approx(n * (kept[-1] + 1 - len(kept)), rel=0.005 if n > 5 else 0)


def test_a_time_that_falls_is_a_restart():
    clock = PacketClock(100, bits=32, tick_ns=1000)
    clock.place(1, 5 * S_NS, 5_000_000, 0)
    packet = clock.place(1, 5 * S_NS + 10_000_000, 100, 0)
    assert packet.restarted
    assert packet.missing == 0


def test_a_rate_that_nobody_tells_is_measured_and_nothing_is_lost_by_it():
    stream = SampleStream(Choice(placement="wrist"), ACCEL, ArrivalClock)
    chunks = [chunk for i in range(200) for chunk in stream.push([[0, 0, i]], round(i * S_NS / 61.5))]
    assert stream.spec.rate_hz == 62.5  # the usual one that is near
    assert stream.spec.placement == "wrist"
    assert [int(chunk.x[0, 2]) for chunk in chunks] == list(range(200))


def test_a_silence_does_not_spoil_the_measured_rate():
    stream = SampleStream(Choice(), ACCEL, ArrivalClock)
    for i in range(100):
        stream.push([[0, 0, 0]], i * 100_000_000 + (30 * S_NS if i >= 15 else 0))
    assert stream.spec.rate_hz == 10


def test_the_larger_of_two_that_are_as_near():
    assert nearest(6, (4, 8), 0) == 8


def test_a_signalling_nan_is_a_nan_without_a_warning(recwarn):
    assert np.isnan(floats(bytes.fromhex("0100807f"))).all()
    assert not list(recwarn)

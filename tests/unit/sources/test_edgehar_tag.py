"""edgehar's own tag over Bluetooth LE: what it is asked, in which order, and what is said when it is another one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgehar.errors import InputError, Reason
from edgehar.sources.ble_devices.base import Advertised, Choice, Read, Subscribe, Write
from edgehar.sources.ble_devices.edgehar_tag import LEAST_MTU, known, make
from edgehar.types import Flag
from edgehar.wire.gatt import CONFIG_UUID, CONTROL_UUID, DATA_UUID, SERVICE_UUID, STATUS_UUID
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ImuSamples
from edgehar.wire.packet import wrap_packet

HELLO = ImuHello(1, 0, "esp32s3", "1.0", "wrist-tag", "lsm6dso", 50, 4, 500)
NS = 1_000_000_000


def packet(message):
    return wrap_packet(*imu_payload(message))


def samples(first, n=4, period_us=20_000):
    return ImuSamples(1, first, first * period_us, period_us, 8, 1000, np.full((n, 6), 4096, np.int16))


def walk(tag, hello=HELLO, after=None):
    """Its steps, the hello answering every read of the config; `after` the first write, that hello instead."""
    taken = []
    for step in tag.steps():
        taken.append(step)
        if isinstance(step, Write) and after is not None:
            hello = after
        if step == Read(CONFIG_UUID):
            tag.take(CONFIG_UUID, packet(hello), NS)
    return taken


def test_it_is_known_by_its_service():
    assert known(Advertised("AA:BB", services=frozenset({SERVICE_UUID})))
    assert not known(Advertised("AA:BB", name="edgehar tag"))


def test_samples_are_asked_for_last_and_nothing_is_set_that_is_set():
    taken = walk(make(Choice()))
    assert taken[0] == Read(CONFIG_UUID)
    assert not [step for step in taken if isinstance(step, Write)]
    assert taken[-3:] == [Read(STATUS_UUID), Subscribe(STATUS_UUID), Subscribe(DATA_UUID)]


def test_what_is_wanted_is_set_before_the_stream_is_described():
    tag = make(Choice(rate_hz=100, accel_range_g=9, gyro_range_dps=1000, placement="wrist"))
    stopped = replace(HELLO, flags=BoardFlag.SIMULATED)
    set_so = replace(HELLO, rate_hz=104, accel_range_g=8, gyro_range_dps=1000, flags=BoardFlag.SIMULATED)
    taken = walk(tag, stopped, after=set_so)
    lines = [step.value for step in taken if isinstance(step, Write)]
    assert lines == [b"rate 100\n", b"accel 8\n", b"gyro 1000\n", b"start\n"]
    assert all(step.answer == CONTROL_UUID for step in taken if isinstance(step, Write))
    first_write = next(i for i, step in enumerate(taken) if isinstance(step, Write))
    assert taken.index(Subscribe(CONTROL_UUID)) < first_write
    assert tag.spec is None
    assert tag.take(DATA_UUID, packet(samples(0)), NS) == []  # from before it was set
    (chunk,) = tag.take(DATA_UUID, packet(samples(4, period_us=9615)), NS)
    assert (chunk.spec.rate_hz, chunk.spec.placement, chunk.spec.simulated) == (104.0, "wrist", True)
    np.testing.assert_allclose(chunk.x[:, 0], 1.0)


def test_the_range_of_a_part_that_the_sensor_lacks_is_not_set():
    tag = make(Choice(gyro_range_dps=1000))
    assert not [s for s in walk(tag, replace(HELLO, channels=3, gyro_range_dps=0)) if isinstance(s, Write)]


def test_losses_over_a_reconnect_are_laid_to_the_queue():
    tag = make(Choice())
    walk(tag)
    tag.take(STATUS_UUID, packet(ImuHeartbeat(1, 0)), NS)
    chunks = tag.take(DATA_UUID, packet(samples(0)), NS)
    tag.interrupt()
    walk(tag)
    tag.take(STATUS_UUID, packet(ImuHeartbeat(1, 200_000, next_seq=10, dropped_queue=6)), 2 * NS)
    chunks += tag.take(DATA_UUID, packet(samples(10)), 2 * NS)
    assert chunks[1].flags[0] == Flag.GAP_BEFORE
    assert tag.counts == {"samples": 8, "lost_queue": 6}


def test_a_notification_of_the_wrong_length_is_counted():
    tag = make(Choice())
    walk(tag)
    assert tag.take(DATA_UUID, packet(samples(0))[:-1], NS) == []
    assert tag.take(DATA_UUID, b"", NS) == []
    assert tag.counts == {"bad_length": 2}


@pytest.mark.parametrize(
    ("value", "reason", "why", "next_step"),
    [
        (b"\x00" + packet(HELLO)[1:], Reason.VERSION, "speaks version 0 .* this edgehar version 1", "edgehar firmware"),
        (b"\x09" + packet(HELLO)[1:], Reason.VERSION, "speaks version 9", "update edgehar"),
        (packet(HELLO)[:-1], Reason.FORMAT, "holds 9. bytes that are no hello \\(bad length\\)", "docs/ble-imu.md"),
        (packet(ImuHeartbeat(1, 0)), Reason.FORMAT, "unknown kind", "docs/ble-imu.md"),
    ],
)
def test_another_firmware_is_named_with_what_to_do(value, reason, why, next_step):
    with pytest.raises(InputError, match=why) as raised:
        make(Choice()).take(CONFIG_UUID, value, NS)
    assert raised.value.reason is reason
    assert CONFIG_UUID in str(raised.value)
    assert next_step in raised.value.hint


def test_a_link_of_the_least_mtu_is_too_small():
    assert 23 < LEAST_MTU < 185

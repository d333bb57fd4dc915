"""Movesense, on bytes made from the documented layout; sizes as users measured them on a Movesense Flash.

https://github.com/sokolmarek/movesense-commander/blob/main/docs/gsp-protocol.md: no counts, one sensor after another.
"""

import numpy as np
import pytest

from edgehar.errors import InputError
from edgehar.sources.ble_devices.base import Advertised, Choice, Subscribe, Write
from edgehar.sources.ble_devices.movesense import COMMAND, NOTIFY, known, make
from edgehar.testing import check_ble_device
from edgehar.testing.ble_device import set_going
from edgehar.types import Flag

IMU6, ACC = 99, 100
MS_NS = 1_000_000
ACCEPTED = {IMU6: 200, ACC: 200}


def content(ms, n=4, *, gyro=True):
    """n samples; the accelerations' x counts g, the angular rates' z counts deg/s."""
    accelerations = np.array([[9.80665 * i, 0, -9.80665] for i in range(n)], "<f4").tobytes()
    rates = np.array([[0, 0, i] for i in range(n)], "<f4").tobytes() if gyro else b""
    return (ms % 2**32).to_bytes(4, "little") + accelerations + rates


def answering(status):
    def answers(step):
        if isinstance(step, Write):
            return bytes([1, step.value[1]]) + status[step.value[1]].to_bytes(2, "little")
        return None

    return answers


def started(status=None, choice=None):
    device = make(choice or Choice())
    steps, _ = set_going(device, answering(status or ACCEPTED))
    return device, steps


def whole(n, step_ms=77, first_ms=1000):
    return [
        (NOTIFY, bytes([2, IMU6]) + content(first_ms + i * step_ms), (first_ms + i * step_ms) * MS_NS) for i in range(n)
    ]


def test_it_is_asked_for_both_sensors():
    device, steps = started()
    assert steps == [Subscribe(NOTIFY), Write(COMMAND, b"\x01\x63/Meas/IMU6/52\0", answer=NOTIFY)]
    assert len(whole(1)[0][1]) == 2 + 100  # 4 + 96: four samples at 52 Hz
    assert device.spec is None


@pytest.mark.parametrize(("wanted", "path"), [(50, b"/Meas/IMU6/52"), (100, b"/Meas/IMU6/104"), (9, b"/Meas/IMU6/13")])
def test_the_nearest_rate(wanted, path):
    _, steps = started(choice=Choice(rate_hz=wanted))
    assert path + b"\0" in steps[1].value


def test_units_and_order():
    device, _ = started()
    chunks = [chunk for value in whole(2) for chunk in device.take(*value)]
    np.testing.assert_allclose(chunks[0].x[:, :3], [[i, 0, -1] for i in range(4)], rtol=1e-6)
    np.testing.assert_allclose(np.rad2deg(chunks[0].x[:, 5]), range(4), atol=1e-5)
    assert chunks[0].t_dev_ns[0] == 1000 * MS_NS  # the time of the first sample
    assert chunks[0].t_dev_ns[1] == pytest.approx(1000 * MS_NS + 1e9 / 52, abs=2)


def test_it_keeps_the_protocol():
    values = whole(50)
    chunks = check_ble_device(lambda: make(Choice()), values, answering(ACCEPTED), at_least=4 * 50)
    assert chunks[0].spec.rate_hz == 52
    assert not any(chunk.flags.any() for chunk in chunks)


def test_without_a_gyroscope_it_is_asked_for_acceleration():
    device, steps = started({IMU6: 404, ACC: 200})
    assert steps[-1].value == b"\x01\x64/Meas/Acc/52\0"
    for ms in (0, 77):
        chunks = device.take(NOTIFY, bytes([2, ACC]) + content(ms, gyro=False), ms * MS_NS)
    assert chunks[0].spec.channels == ("acc_x", "acc_y", "acc_z")
    assert device.take(NOTIFY, bytes([2, IMU6]) + content(99), 99 * MS_NS) == []  # now it would be another stream
    assert device.counts["unknown_kind"] == 1


def test_contents_that_do_not_fit_are_joined():
    device, _ = started()
    chunks = []
    for i in range(4):
        data = content(1000 + i * 77)
        # 52 bytes: a time and two whole samples, were the rest not to come
        for code, part in ((2, data[:52]), (3, data[52:])):
            chunks += device.take(NOTIFY, bytes([code, IMU6]) + part, i * 77 * MS_NS)
    assert device.counts == {"samples": 16}
    np.testing.assert_allclose(np.rad2deg(chunks[-1].x[:, 5]), range(4), atol=1e-5)


def test_half_a_content_is_a_gap():
    device, _ = started()
    halves = [(code, i, content(1000 + i * 77)) for i in range(4) for code in (2, 3)]
    del halves[3]  # the second half of the second content
    for code, i, data in halves:
        part = data[:52] if code == 2 else data[52:]
        chunks = device.take(NOTIFY, bytes([code, IMU6]) + part, i * 77 * MS_NS)
        if i == 2 and chunks:
            assert chunks[0].flags[0] == Flag.GAP_BEFORE
    assert device.counts["bad_length"] == 1
    assert device.counts["samples"] == 12
    assert device.counts["lost_unknown"] == 4  # as the time between tells


def test_the_time_goes_on_when_its_32_bits_are_over():
    device, _ = started()
    chunks = [chunk for value in whole(10, first_ms=2**32 - 300) for chunk in device.take(*value)]
    assert device.counts == {"samples": 40}
    assert (np.diff(np.concatenate([chunk.t_dev_ns for chunk in chunks])) > 0).all()


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (b"", "bad_length"),
        (b"\x02", "bad_length"),
        (b"\x09\x63" + content(0), "unknown_kind"),
        (b"\x02\x05" + content(0), "unknown_kind"),
        (b"\x02\x63" + content(0)[:-1], "bad_length"),
        (b"\x02\x63\0\0\0\0", "bad_length"),
    ],
)
def test_what_is_no_content_is_counted(value, cause):
    device, _ = started()
    for one in whole(3):
        device.take(*one)
    assert device.take(NOTIFY, value, 3000 * MS_NS) == []
    assert device.counts[cause] == 1


@pytest.mark.parametrize("status", [{IMU6: 429}, {IMU6: 404, ACC: 503}])
def test_a_refusal_says_its_status(status):
    with pytest.raises(InputError, match=f"status {[*status.values()][-1]}"):
        started(status)


def test_a_number_that_is_none_becomes_nan():
    device, _ = started()
    data = bytearray(content(0))
    data[4:8] = np.array([np.inf], "<f4").tobytes()
    device.take(NOTIFY, bytes([2, IMU6]) + bytes(data), 0)
    chunks = device.take(NOTIFY, bytes([2, IMU6]) + content(77), 77 * MS_NS)
    assert np.isnan(chunks[0].x[0]).all()
    assert device.counts["bad_value"] == 1


def test_it_is_known_by_its_name():
    assert known(Advertised("AA", name="Movesense 174630000192"))
    assert not known(Advertised("AA", name="Movesensor"))

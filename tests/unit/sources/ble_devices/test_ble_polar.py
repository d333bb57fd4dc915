"""Polar's measurement service, on the bytes that Polar prints and on a frame that a Verity Sense sent.

VENDOR: Polar Measurement Data Specification for 3rd Party (technical_documentation of polarofficial/polar-ble-sdk),
"Request Stream Settings", "Start Stream", "Delta frame sample example".
"""

import math

import numpy as np
import pytest

from edgehar.errors import InputError
from edgehar.sources.ble_devices.base import Advertised, Choice, Read, Write
from edgehar.sources.ble_devices.polar import CONTROL, DATA, LEAST_MTU, known, make
from edgehar.sources.ble_devices.polar_frames import read_answer, read_deltas, read_frame
from edgehar.testing import check_ble_device
from edgehar.testing.ble_device import set_going
from edgehar.types import Flag

FEATURES = bytes.fromhex("0F 6E 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00")  # VENDOR, Verity Sense
H10_SETTINGS = bytes.fromhex(
    "F0 01 02 00 00 00 04 19 00 32 00 64 00 C8 00 01 01 10 00 02 03 02 00 04 00 08 00"
)  # VENDOR
VERITY_SETTINGS = bytes.fromhex("F0 01 02 00 00 00 01 34 00 01 01 10 00 02 01 08 00 04 01 03")  # VENDOR
VERITY_START = bytes.fromhex("02 02 00 01 34 00 01 01 10 00 02 01 08 00 04 01 03")  # VENDOR
H10_STARTED = bytes.fromhex("F0 02 02 00 00 01")  # VENDOR
VERITY_STARTED = bytes.fromhex("F0 02 02 00 00 05 01 40 DA 7F 39")  # VENDOR
STOPPED = bytes.fromhex("F0 03 02 00 00")  # by the same layout
H10_FRAME = bytes.fromhex("02 EA 54 A2 42 8B 45 52 08 01 45 FF E4 FF B5 03 45 FF E4 FF B8 03")  # VENDOR
# VENDOR prints the first five of 29 differences (08 1D FC ...); the count is set to five here, so that it is whole.
VERITY_FRAME = bytes.fromhex(
    "02 64 6C 76 C4 3C C6 7F 07 80 D0 FF 65 01 E4 0F 08 05 FC 07 FF 0C 13 F2 11 F1 1A F9 EE F8 EF 0C 03"
)
# As a Verity Sense sent it: https://github.com/polarofficial/polar-ble-sdk/issues/443.
SENT = bytes.fromhex(
    "02 00 41 6F C4 12 45 93 0A 81 EE 02 1F FE 82 FF 08 0A 10 DA 20 D6 A3 0B D9 CB E7 D6 F6 C4 E6 F1 E1 F3 E0 15 1A FE"
    "28 1B F8 37 2C 25 20 13 19 11 0A 2F ED 4F C0 7E F4 E9 BB 6E 80 0D C8 2F B0 3E 14 D1 AF B0 7F 16 C4 CC 20 87 34 03"
    "54 12 8B FF 8D 00 C1 42 FB E6 D3 DF B5 E1 91 53 2F BE F9 ED 43 B0 3E FD DB 9B 90 3D F5 03 60 5F 7B FA D9 DF AE 00"
    "0B 24 64 70 40 12 CC CF BF 04 E4 C5 33 B0 38 08 41 80 EF C2 12 EC 17 81 46 FD FE 5B B0 01 F3 D1 D7 6F 81 FF CD 7B"
    "0F C2 01 36 60 7F 43 D3 5F 3F 3F 78 CB 06 48 4E FF 00 0E FC 82 05 51 AB 55 E3 4A 2D 1D 0C 5F BD E8 58 73 4D BD EB"
    "A0 67 51 02 0C C4 70 41 CA 26 7F A0 02 89 19 FE 3F 5F 74 E7 22 44 20 3F 15 66 B0 52 4D 05 5C A4 1F BE E9 68 00"
)
S_NS = 1_000_000_000


def answering(settings, started):
    def answers(step):
        if step == Read(CONTROL):
            return FEATURES
        return {1: settings, 2: started, 3: STOPPED}[step.value[0]] if isinstance(step, Write) else None

    return answers


def frame(t_ns, n=2, start=0):
    """An H10's frame of n samples, z counting up, by the documented layout."""
    triples = np.array([[0, 0, start + i] for i in range(n)], "<i2").tobytes()
    return b"\x02" + t_ns.to_bytes(8, "little") + b"\x01" + triples


def started(choice=None, settings=H10_SETTINGS, started_with=H10_STARTED):
    device = make(choice or Choice())
    steps, _ = set_going(device, answering(settings, started_with))
    return device, [step.value for step in steps if isinstance(step, Write)]


def test_the_h10s_samples_are_milli_g():
    found = read_frame(H10_FRAME, 1.0)
    assert found.t_ns == 599618164814402794
    # The page reads 45 FF as -184; two's complement of FF45 is -187.
    np.testing.assert_allclose(found.x, [[-0.187, -0.028, 0.949], [-0.187, -0.028, 0.952]])


def test_the_verity_senses_differences_are_multiples_of_its_factor():
    answer = read_answer(VERITY_STARTED)
    assert answer.factor == pytest.approx(0.000243999995291)  # as printed
    found = read_frame(VERITY_FRAME, answer.factor)
    assert found.t_ns == 540368444604181604
    counts = np.rint(found.x / answer.factor).astype(int)
    assert counts[:3].tolist() == [[-48, 357, 4068], [-52, 364, 4067], [-40, 383, 4053]]  # as printed


def test_a_frame_that_was_sent_is_used_to_its_last_byte_and_is_motion_about_1_g():
    found = read_frame(SENT, 1.0)
    assert len(found.x) == 58  # 10 differences of 8 bits, 47 of 10 bits, behind the first sample
    assert found.x[0].tolist() == [0.750, -0.481, -0.126]
    magnitude = np.linalg.norm(found.x, axis=1)
    assert 0.9 < np.median(magnitude) < 1.05
    assert np.abs(np.diff(found.x, axis=0)).max() < 0.45


def test_settings_are_read_as_printed():
    assert read_answer(H10_SETTINGS).settings == {0: (25, 50, 100, 200), 1: (16,), 2: (2, 4, 8)}
    assert read_answer(VERITY_SETTINGS).settings == {0: (52,), 1: (16,), 2: (8,), 4: (3,)}


def test_what_is_asked_for_is_as_printed():
    device, written = started(settings=VERITY_SETTINGS, started_with=VERITY_STARTED)
    assert written == [bytes([1, 2]), bytes([3, 2]), VERITY_START]
    assert device.spec.rate_hz == 52


@pytest.mark.parametrize(
    ("choice", "rate_hz", "range_g"),
    [(Choice(), 50, 8), (Choice(rate_hz=104, accel_range_g=16), 100, 8), (Choice(rate_hz=10, accel_range_g=2), 25, 2)],
)
def test_the_nearest_of_what_it_has_is_taken(choice, rate_hz, range_g):
    device, written = started(choice)
    assert written[-1] == bytes([2, 2, 0, 1, rate_hz, 0, 1, 1, 16, 0, 2, 1, range_g, 0])
    assert device.spec.rate_hz == rate_hz


def test_it_keeps_the_protocol():
    period_ns = S_NS // 200
    values = [(DATA, frame(S_NS + 36 * period_ns * i, 36), S_NS + 36 * period_ns * i) for i in range(1, 9)]
    chunks = check_ble_device(
        lambda: make(Choice(rate_hz=200)), values, answering(H10_SETTINGS, H10_STARTED), at_least=8 * 36
    )
    assert chunks[0].spec.channels == ("acc_x", "acc_y", "acc_z")
    assert not any(chunk.flags.any() for chunk in chunks)


def test_a_packets_time_is_that_of_its_last_sample():
    device, _ = started(Choice(rate_hz=200))
    (chunk,) = device.take(DATA, frame(7 * S_NS, 4), S_NS)
    assert chunk.t_dev_ns.tolist() == [6_985_000_000, 6_990_000_000, 6_995_000_000, 7 * S_NS]


def test_a_lost_packet_is_counted_by_the_time_it_took():
    device, _ = started(Choice(rate_hz=200))
    step_ns = 36 * S_NS // 200
    device.take(DATA, frame(S_NS, 36), S_NS)
    (chunk,) = device.take(DATA, frame(S_NS + 3 * step_ns, 36), S_NS + 3 * step_ns)
    assert device.counts["lost_unknown"] == 72
    assert chunk.seq[0] == 36 + 72
    assert chunk.flags[0] == Flag.GAP_BEFORE


def test_a_rate_that_is_a_little_off_is_no_loss():
    device, _ = started(Choice(rate_hz=200))
    step_ns = round(36 * S_NS / 204)
    for i in range(1, 50):
        device.take(DATA, frame(S_NS + i * step_ns, 36), S_NS + i * step_ns)
    assert device.counts == {"samples": 49 * 36}


def test_a_device_whose_clock_was_set_is_marked():
    device, _ = started()
    device.take(DATA, frame(599_616_000_000_000_000), S_NS)
    (chunk,) = device.take(DATA, frame(694_512_000_000_000_000), 2 * S_NS)
    assert chunk.flags[0] == Flag.CLOCK_RESET | Flag.GAP_BEFORE
    assert chunk.seq.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (H10_FRAME[:-1], "bad_length"),
        (H10_FRAME[:10], "bad_length"),
        (VERITY_FRAME[:-1], "bad_length"),
        (H10_FRAME[:9] + b"\x03" + H10_FRAME[10:], "bad_length"),  # a frame type that is reserved
        (b"\x02" + b"\xff" * 8 + H10_FRAME[9:], "bad_length"),  # the year 2584
        (b"\x05" + H10_FRAME[1:], "unknown_kind"),  # the gyroscope's
        (b"", "unknown_kind"),
    ],
)
def test_what_is_no_frame_is_counted_and_a_gap(value, cause):
    device, _ = started()
    device.take(DATA, frame(S_NS), S_NS)
    assert device.take(DATA, value, S_NS) == []
    assert device.counts[cause] == 1
    (chunk,) = device.take(DATA, frame(S_NS + 40_000_000), S_NS + 40_000_000)
    assert chunk.flags[0] == Flag.GAP_BEFORE


def test_differences_of_any_width_are_packed_from_the_lowest_bit():
    rng = np.random.default_rng(1)
    for bits in (1, 3, 7, 10, 16):
        steps = rng.integers(-(1 << bits - 1), 1 << bits - 1, (9, 3))
        packed = sum(int(step) % (1 << bits) << bits * i for i, step in enumerate(steps.ravel()))
        body = bytes(6) + bytes([bits, 9]) + packed.to_bytes(math.ceil(bits * 27 / 8), "little")
        np.testing.assert_array_equal(read_deltas(body)[1:], np.cumsum(steps, axis=0))


def test_a_refusal_says_what_the_device_says():
    device = make(Choice())
    with pytest.raises(InputError, match="error 13, device in charger"):
        set_going(device, answering(H10_SETTINGS, bytes.fromhex("F0 02 02 0D 00")))


def test_a_device_without_acceleration_is_refused():
    device = make(Choice())
    with pytest.raises(InputError, match="features 0x01"):
        device.take(CONTROL, bytes.fromhex("0F 01"), 0)


def test_it_is_known_by_its_name_and_needs_long_notifications():
    assert known(Advertised("AA", name="Polar H10 821A5D29"))
    assert not known(Advertised("AA", name="Polaroid"))
    assert LEAST_MTU == 232

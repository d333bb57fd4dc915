"""Least delays: computed from the link, typed, recorded and read back."""

import pytest

from edgehar.align.delay import (
    UNKNOWN,
    LeastDelay,
    ble_delay,
    least_delay,
    parse_delay,
    parse_duration_ns,
    recorded_delays,
    serial_delay,
)
from edgehar.errors import UsageError

MS = 1_000_000


def test_a_serial_message_takes_ten_bits_a_byte():
    delay = serial_delay(440, 921_600)
    assert delay.taken_ns == pytest.approx(4.774 * MS, rel=1e-3)
    assert delay.bound_ns == 0


def test_a_connection_interval_is_a_range():
    delay = ble_delay(30.0)
    assert (delay.low_ns, delay.high_ns) == (0, 32_120_000)
    assert delay.taken_ns == delay.bound_ns == 16_060_000
    assert ble_delay().high_ns > delay.high_ns
    assert "at most" in ble_delay().describe()


def test_nothing_known_is_no_number():
    assert UNKNOWN.taken_ns == 0
    assert UNKNOWN.bound_ns is None
    assert UNKNOWN.describe() == "unknown"


@pytest.mark.parametrize(
    ("text", "low_ns", "high_ns"),
    [("wrist=12ms", 12 * MS, 12 * MS), ("wrist=7.5..50ms", 7_500_000, 50 * MS), ("wrist=250us", 250_000, 250_000)],
)
def test_least_delays_are_typed_with_their_unit(text, low_ns, high_ns):
    assert parse_delay(text) == ("wrist", LeastDelay(low_ns, high_ns, "given"))


@pytest.mark.parametrize("text", ["12ms", "=12ms", "wrist=12", "wrist=-3ms", "wrist=9..3ms", "wrist=1..2", "wrist=ms"])
def test_what_is_no_least_delay_is_refused(text):
    with pytest.raises(UsageError, match="least delay"):
        parse_delay(text)


def test_durations_are_typed_with_their_unit():
    assert parse_duration_ns("300ms") == 300 * MS
    assert parse_duration_ns("1.5s") == 1500 * MS
    for text in ("300", "1..2ms", "soon"):
        with pytest.raises(UsageError, match="duration"):
            parse_duration_ns(text)


@pytest.mark.parametrize("delay", [UNKNOWN, ble_delay(), serial_delay(100, 115_200), LeastDelay(5, None, "a guess")])
def test_what_a_recording_keeps_reads_back(delay):
    assert LeastDelay.from_text(delay.to_text()) == delay


def test_a_recording_says_only_what_is_known():
    assert recorded_delays({"a": UNKNOWN, "b": LeastDelay(1, 2, "given")}) == {"least_delay.b": "1 2 given"}
    assert LeastDelay.from_text("") == LeastDelay.from_text("1 2") == UNKNOWN


def test_a_bluetooth_sensor_says_what_its_link_may_hold_back():
    from edgehar.sources.imu_ble import BleSource

    assert least_delay(BleSource()) == ble_delay()
    assert least_delay(object()) == UNKNOWN

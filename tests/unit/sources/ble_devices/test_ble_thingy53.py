"""Thingy:53 with the nRF Machine Learning application, on lines made from the documented protocol."""

import pytest

from edgehar.sources.ble_devices.base import Advertised, Choice, Subscribe
from edgehar.sources.ble_devices.lines import LONGEST, UART_TX, LineCutter
from edgehar.sources.ble_devices.thingy53 import known, make
from edgehar.testing import check_ble_device
from edgehar.types import Flag

SAMPLE = b"-0.98,0.00,9.81\r\n"
STEP_NS = 20_000_000


def test_metres_per_second_squared_become_g():
    (chunk,) = make(Choice()).take(UART_TX, SAMPLE, 0)
    assert chunk.x[0].tolist() == pytest.approx([-0.98 / 9.80665, 0, 9.81 / 9.80665])


def test_it_keeps_the_protocol():
    chunks = check_ble_device(lambda: make(Choice()), [(UART_TX, SAMPLE, i * STEP_NS) for i in range(60)], at_least=60)
    assert chunks[0].spec.rate_hz == 50
    assert list(make(Choice()).steps()) == [Subscribe(UART_TX)]


@pytest.mark.parametrize(
    "wrong", [b"1.00,2.00\n", b"1.00,2.00,3.00,4.00\n", b"a,b,c\n", b"nan,1.00,2.00\n", b"1,2,3\n"]
)
def test_a_line_that_is_no_sample_is_counted_and_a_gap(wrong):
    device = make(Choice())
    assert device.take(UART_TX, wrong, 0) == []
    (chunk,) = device.take(UART_TX, SAMPLE, STEP_NS)
    assert device.counts["bad_value"] == 1
    assert chunk.flags[0] == Flag.GAP_BEFORE


def test_what_was_begun_before_the_connection_broke_is_dropped():
    device = make(Choice())
    device.take(UART_TX, SAMPLE + b"-0.9", 0)
    device.interrupt()
    (chunk,) = device.take(UART_TX, SAMPLE, STEP_NS)
    assert chunk.flags[0] == Flag.GAP_BEFORE
    assert device.counts["samples"] == 2


def test_what_never_ends_is_no_line():
    causes = []
    cutter = LineCutter(causes.append)
    assert cutter.push(b"x" * (LONGEST + 1)) == []
    assert causes == ["overlong"]
    assert cutter.push(b"\na\r\n\nb\n") == [b"a", b"b"]


def test_it_is_known_by_its_name():
    assert known(Advertised("AA", name="EI Thingy53"))
    assert not known(Advertised("AA", name="EdgeImpulse"))

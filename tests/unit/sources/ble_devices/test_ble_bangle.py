"""Bangle.js 2: the program that is sent, and lines as it prints them (made from the program, not from a watch)."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from edgehar.sources.ble_devices.bangle import PIECE_BYTES, known, make
from edgehar.sources.ble_devices.base import Advertised, Choice, Subscribe
from edgehar.sources.ble_devices.lines import UART_RX, UART_TX
from edgehar.testing import check_ble_device
from edgehar.types import Flag

STEP_MS = 20


def line(i, xyz=(12, -34, 998), end=b"\r\n"):
    return b"E%d,%d,%d,%d,%d" % (i % 65536, i * STEP_MS, *xyz) + end


def stream(n, first=0):
    return [(UART_TX, line(i), i * STEP_MS * 1_000_000) for i in range(first, first + n)]


def program(choice=None):
    first, *writes = make(choice or Choice()).steps()
    assert first == Subscribe(UART_TX)
    assert {step.uuid for step in writes} == {UART_RX}
    return [step.value for step in writes]


def test_units():
    (chunk,) = make(Choice()).take(UART_TX, line(0), 0)
    np.testing.assert_allclose(chunk.x, [[0.012, -0.034, 0.998]], rtol=1e-6)


def test_it_keeps_the_protocol():
    chunks = check_ble_device(lambda: make(Choice()), stream(50), at_least=50)
    assert chunks[0].spec.rate_hz == 50


def test_the_program_is_one_line_that_nothing_else_can_break():
    pieces = program()
    sent = b"".join(pieces)
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert sent.startswith(b"\x03\x10")  # drop what somebody began to type; do not echo
    assert sent.endswith(b"\n")
    assert sent[2:-1].isascii()
    assert not re.search(rb"[\x00-\x1f]", sent[2:-1])


@pytest.mark.parametrize(
    ("wanted", "rate_hz", "poll_ms", "odr"), [(0, 50, 20, 2), (100, 50, 20, 2), (20, 25, 40, 1), (10, 12.5, 80, 0)]
)
def test_the_nearest_rate(wanted, rate_hz, poll_ms, odr):
    sent = b"".join(program(Choice(rate_hz=wanted)))
    assert make(Choice(rate_hz=wanted)).spec.rate_hz == rate_hz
    assert b"setPollInterval(%d)" % poll_ms in sent
    assert b"accelWr(0x1b,%d)" % odr in sent


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed: apt-get install nodejs")
def test_the_program_prints_what_is_read():
    watch = """
    var heard={}, said=[], now=1000;
    var Bangle={accelWr(){}, setPollInterval(){}, on(e,f){heard[e]=[...(heard[e]||[]),f]},
      removeListener(e,f){heard[e]=heard[e].filter(g=>g!==f)}};
    var Bluetooth={println(s){said.push(s)}};
    function getTime(){return now}
    global.Bangle=Bangle;global.Bluetooth=Bluetooth;global.getTime=getTime;process.env.HWVERSION=2;
    var sent=process.argv[1];
    (0,eval)(sent);(0,eval)(sent); // as after a reconnect: the first is replaced
    for(var i=0;i<3;i++){now+=0.02;heard.accel.forEach(f=>f({x:0.0124,y:-0.5,z:1}))}
    console.log(said.join("\\n"));
    """
    sent = b"".join(program())[2:-1].decode()
    said = subprocess.run(["node", "-e", watch, sent], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["E0,20,12,-500,1000", "E1,40,12,-500,1000", "E2,60,12,-500,1000"]


def test_lines_are_cut_anywhere():
    whole = b"".join(value for _, value, _ in stream(30))
    for size in (1, 7, 20, 100):
        device = make(Choice())
        chunks = [c for at in range(0, len(whole), size) for c in device.take(UART_TX, whole[at : at + size], at)]
        assert [int(chunk.seq[0]) for chunk in chunks] == list(range(30))


def test_the_watchs_own_words_are_no_gap():
    device = make(Choice())
    device.take(UART_TX, line(0), 0)
    device.take(UART_TX, b"\r\n>Uncaught Error: no such thing\r\n at line 1\r\n>", 1)
    (chunk,) = device.take(UART_TX, line(1), 20_000_000)
    assert chunk.flags[0] == 0
    assert device.counts["log_bytes"] > 20


def test_what_was_not_sent_shows_in_the_numbers():
    device = make(Choice())
    values = stream(20, first=65_530)
    del values[3:10]
    chunks = [c for value in values for c in device.take(*value)]
    assert device.counts == {"samples": 13, "lost_unknown": 7}
    assert chunks[3].flags[0] == Flag.GAP_BEFORE
    assert int(chunks[3].seq[0]) == 10


def test_a_program_that_begins_anew_is_a_restart():
    device = make(Choice())
    for value in stream(5, first=500):
        device.take(*value)
    device.interrupt()
    (chunk,) = device.take(UART_TX, line(0), 60_000_000_000)
    assert chunk.flags[0] == Flag.CLOCK_RESET | Flag.GAP_BEFORE
    assert device.counts["restarts"] == 1


@pytest.mark.parametrize("wrong", [b"E70000,1,0,0,0\n", b"E1,9999999999999,0,0,0\n"])
def test_numbers_that_the_program_cannot_print_are_refused(wrong):
    device = make(Choice())
    assert device.take(UART_TX, wrong, 0) == []
    assert device.counts["bad_value"] + device.counts["log_bytes"] > 0
    assert device.counts["samples"] == 0


def test_it_is_known_by_its_name():
    assert known(Advertised("AA", name="Bangle.js 12ab"))
    assert not known(Advertised("AA", name="Puck.js 12ab"))

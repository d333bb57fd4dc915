"""What the two reset lines do while a port is opened and a board restarted: order is all."""

from __future__ import annotations

import os
import pty
from itertools import pairwise

import pytest

from edgehar.sources.serial_port import open_serial, restart_board

serial = pytest.importorskip("serial", reason="needs pyserial: pip install pyserial")


@pytest.fixture
def lines(monkeypatch):
    """(device, states): every (DTR, RTS) that a board would see, from the (1, 1) that Linux sets on opening."""
    master, slave = pty.openpty()
    states = [(True, True)]
    monkeypatch.setattr(
        serial.Serial, "_update_dtr_state", lambda port: states.append((port._dtr_state, states[-1][1]))
    )
    monkeypatch.setattr(
        serial.Serial, "_update_rts_state", lambda port: states.append((states[-1][0], port._rts_state))
    )
    yield os.ttyname(slave), states
    os.close(master)
    os.close(slave)


def in_reset(states):
    return [rts and not dtr for dtr, rts in states]


def test_opening_never_resets_the_board_and_releases_both_lines(lines):
    device, states = lines
    open_serial(device, 115_200).close()
    assert not any(in_reset(states))
    assert states[-1] == (False, False)


def test_pyserials_own_order_would_reset_it(lines):
    device, states = lines
    port = serial.Serial()
    port.port, port.dtr, port.rts = device, False, False
    port.open()
    port.close()
    assert any(in_reset(states))


def test_restarting_resets_once_and_lets_the_application_start(lines):
    device, states = lines
    restart_board(device)
    held = in_reset(states)
    assert sum(after and not before for before, after in pairwise(held)) == 1
    assert states[-1] == (False, False)  # nothing selects the boot loader when the reset ends


def test_a_port_without_such_lines_is_opened_all_the_same():
    master, slave = pty.openpty()
    with open_serial(os.ttyname(slave), 921_600) as port:
        os.write(master, b"bytes")
        assert port.read(5) == b"bytes"
    restart_board(os.ttyname(slave))
    os.close(master)
    os.close(slave)

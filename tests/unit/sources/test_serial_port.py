"""What the two reset lines do while a port is opened and a board restarted: order is all."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

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


def came(states, n):
    """The first n of the states, once a server has been told as many."""
    deadline_s = time.monotonic() + 30
    while len(states) < n and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return states[:n]


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


@pytest.fixture
def network():
    """(URL, states): an RFC 2217 server, and every (DTR, RTS) that it was told, from (1, 1) on."""
    rfc2217 = pytest.importorskip("serial.rfc2217", reason="needs pyserial: pip install pyserial")
    states = [(True, True)]

    class Port(SimpleNamespace):
        dtr = property(lambda self: states[-1][0], lambda self, on: states.append((bool(on), states[-1][1])))
        rts = property(lambda self: states[-1][1], lambda self, on: states.append((states[-1][0], bool(on))))

    listener = socket.create_server(("127.0.0.1", 0))

    def connections():
        while True:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                port = Port(
                    baudrate=9600, bytesize=8, parity="N", stopbits=1, rtscts=False, xonxoff=False, break_condition=0
                )
                port.cts = port.dsr = port.ri = port.cd = False
                port.reset_input_buffer = port.reset_output_buffer = lambda: None
                manager = rfc2217.PortManager(port, SimpleNamespace(write=connection.sendall))
                while received := connection.recv(4096):
                    for _ in manager.filter(received):
                        pass
                connection.close()

    threading.Thread(target=connections, daemon=True).start()
    yield f"rfc2217://127.0.0.1:{listener.getsockname()[1]}?ign_set_control", states
    listener.close()


def test_opening_over_a_network_tells_the_server_of_no_line(network):
    device, states = network
    with open_serial(device, 115_200) as port:
        port.rts = False  # later on it is told
        assert came(states, 2) == [(True, True), (True, False)]


def test_restarting_over_a_network_resets_once_and_lets_the_application_start(network):
    device, states = network
    restart_board(device)
    held = in_reset(came(states, 4))
    assert sum(after and not before for before, after in pairwise(held)) == 1
    assert states[-1] == (False, False)

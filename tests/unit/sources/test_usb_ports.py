"""Boards among serial ports, and the three things that keep a port from being opened."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from types import SimpleNamespace

import pytest

from edgehar.errors import EdgeHarError, MissingError, Reason, UsageError
from edgehar.sources.usb_ports import IDENTITIES, BoardPort, board_ports, check_port, holders, only_board_port


def port(device: str, vid: int = 0x303A, pid: int = 0x1001, serial_number: str | None = "24:0A:C4:80:33:5F"):
    return SimpleNamespace(device=device, vid=vid, pid=pid, serial_number=serial_number)


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch):
    list_ports = pytest.importorskip("serial.tools.list_ports", reason="needs pyserial: pip install pyserial")

    def plug(*ports: SimpleNamespace) -> None:
        monkeypatch.setattr(list_ports, "comports", lambda: list(ports))

    return plug


@pytest.fixture
def terminal():
    master, slave = pty.openpty()
    device = os.ttyname(slave)
    os.close(slave)
    yield device
    os.close(master)


def test_only_known_identities_are_boards_and_native_usb_comes_first(plugged):
    plugged(port("/dev/ttyUSB0", 0x10C4, 0xEA60, None), port("/dev/ttyS0", None, None, None), port("/dev/ttyACM0"))
    found = board_ports()
    assert [(board.device, board.native, board.serial_number) for board in found] == [
        ("/dev/ttyACM0", True, "24:0A:C4:80:33:5F"),
        ("/dev/ttyUSB0", False, ""),
    ]
    assert found[0].json()["vid"] == "303a"


def test_no_identity_is_listed_twice():
    assert len({(identity.vid, identity.pid) for identity in IDENTITIES}) == len(IDENTITIES)


def test_none_and_several_boards_are_refused_with_what_to_type(plugged):
    plugged()
    with pytest.raises(MissingError) as nobody:
        only_board_port()
    assert "cable that carries data" in nobody.value.hint
    one, two = (BoardPort(f"/dev/ttyACM{i}", 0x303A, 0x1001, "", "Espressif", native=True) for i in (0, 1))
    with pytest.raises(UsageError, match=r"/dev/ttyACM0 .* /dev/ttyACM1") as several:
        only_board_port([one, two])
    assert several.value.hint == "name one: --port /dev/ttyACM0"
    assert only_board_port([two]) is two


def test_a_free_port_passes(terminal):
    check_port(terminal)
    assert holders(terminal) == []


def test_a_busy_port_is_refused_by_the_holders_name(terminal):
    script = (
        f"import os, sys; os.open({terminal!r}, os.O_RDWR | os.O_NOCTTY); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(EdgeHarError, match=rf"in use by python.* \(process {other.pid}\)") as busy:
            check_port(terminal)
        other.communicate("")
    assert str(other.pid) in busy.value.hint
    check_port(terminal)


def test_a_port_on_the_network_is_left_to_its_opening():
    check_port("rfc2217://attic:4000?ign_set_control")


def test_a_port_that_is_not_there_or_no_port_is_refused(tmp_path):
    with pytest.raises(MissingError) as absent:
        check_port("/dev/ttyNOPE")
    assert absent.value.reason is Reason.NOT_FOUND
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not a serial port"):
        check_port(str(tmp_path / "file"))


def test_a_port_without_permission_is_refused_with_the_udev_rule(terminal, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open everything
    with pytest.raises(MissingError) as refused:
        check_port(terminal)
    assert refused.value.reason is Reason.PERMISSION
    assert "edgehar flash --udev-rule" in refused.value.hint

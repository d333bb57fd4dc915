"""A board behind an RFC 2217 server: who changes both reset lines at once gets into its boot loader, and provisions it.

On common boards two transistors derive EN and IO0 from RTS and DTR: EN is low while RTS is asserted and DTR is not, IO0
is low while DTR is asserted and RTS is not. The chip looks at IO0 a few milliseconds after EN rises: low means boot
loader. Serial lines over a network change one by one, about 0.1 s apart, so on the way from (RTS) to (DTR) both are
asserted, EN rises with IO0 high, and the application starts. Espressif's server changes them at the board's end.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
from types import SimpleNamespace

import pytest

from edgehar.boards.flash.esptool import Esptool
from edgehar.cli.app import main
from edgehar.errors import EdgeHarError
from edgehar.wire.encode import encode_hello
from edgehar.wire.messages import Hello
from tests.esp_images import build_directory
from tests.mock_board import ERASE_FLASH, MockBoard, needs_mock
from tests.nvs_image import read_nvs

rfc2217 = pytest.importorskip("serial.rfc2217", reason="needs pyserial: pip install pyserial")
pytest.importorskip("esptool", reason="needs pip install 'edgehar[flash]'")
needs_mock()
pytestmark = pytest.mark.slow
STRAP_SETTLES_S = 0.003
HELLO_EVERY_S = 0.1
HELLO = Hello(boot=1, t_us=1, chip="esp32s3", firmware="0.1.0", name="attic", rate_hz=50, channel=11)
SECRET = "correct horse battery"


class ResetCircuit(SimpleNamespace):
    """What the server takes for a serial port: two lines that act on a chip, and bytes for its boot loader."""

    def __init__(self, loader: int) -> None:
        super().__init__(baudrate=115_200, bytesize=8, parity="N", stopbits=1, rtscts=False, xonxoff=False)
        self.cts = self.dsr = self.ri = self.cd = self.break_condition = False
        self.runs, self.hello = "application", b""
        self.starts: list[str] = []
        self.loader, self.lines = loader, {"rts": False, "dtr": False}

    def set_lines(self, **lines: bool) -> None:
        def enabled() -> bool:
            return not (self.lines["rts"] and not self.lines["dtr"])

        before = enabled()
        self.lines |= lines
        if enabled() and not before:
            threading.Timer(STRAP_SETTLES_S, self._start).start()

    def _start(self) -> None:
        strapped = self.lines["dtr"] and not self.lines["rts"]
        self.runs = "boot loader" if strapped else "application"
        self.starts.append(self.runs)

    rts = property(lambda self: self.lines["rts"], lambda self, value: self.set_lines(rts=bool(value)))
    dtr = property(lambda self: self.lines["dtr"], lambda self, value: self.set_lines(dtr=bool(value)))

    def write(self, content: bytes) -> None:
        if self.runs == "boot loader":  # the application does not understand it
            os.write(self.loader, content)

    def reset_input_buffer(self) -> None:
        pass

    def reset_output_buffer(self) -> None:
        pass


class AtOnce(ResetCircuit):
    """A server that knows what DTR is asserted for while RTS holds the chip: it swaps both lines at once."""

    dtr = property(
        lambda self: self.lines["dtr"],
        lambda self, value: self.set_lines(dtr=bool(value), **({"rts": False} if value and self.lines["rts"] else {})),
    )


def serve(circuit: ResetCircuit) -> str:
    """The URL of an RFC 2217 server in front of `circuit`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def connections() -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            manager = rfc2217.PortManager(circuit, SimpleNamespace(write=connection.sendall))
            while _pass(connection, manager, circuit):
                pass
            connection.close()

    threading.Thread(target=connections, daemon=True).start()
    return f"rfc2217://127.0.0.1:{listener.getsockname()[1]}?ign_set_control"


def _pass(connection: socket.socket, manager, circuit: ResetCircuit) -> bool:
    """What either side says, to the other; False when the client has gone."""
    loading = circuit.runs == "boot loader"
    ready, _, _ = select.select([connection, *([circuit.loader] if loading else [])], [], [], HELLO_EVERY_S)
    try:
        if not ready and not loading:
            connection.sendall(b"".join(manager.escape(circuit.hello)))
        if connection in ready:
            received = connection.recv(4096)
            if not received:
                return False
            circuit.write(b"".join(manager.filter(received)))
        if circuit.loader in ready:
            connection.sendall(b"".join(manager.escape(os.read(circuit.loader, 4096))))
    except OSError:
        return False
    return True


def test_only_a_server_that_swaps_both_lines_at_once_reaches_the_boot_loader(tmp_path):
    with MockBoard(tmp_path) as board:
        loader = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
        one_by_one = ResetCircuit(loader)
        with pytest.raises(EdgeHarError, match="does not answer") as silent:
            Esptool(serve(one_by_one), connect_attempts=1).probe()
        assert set(one_by_one.starts) == {"application"}
        assert silent.value.hint.startswith("hold BOOT")
        at_once = AtOnce(loader)
        tool = Esptool(serve(at_once), connect_attempts=2)
        found = tool.probe()
        assert found.chip.name == "esp32s3"
        assert at_once.starts[-1] == "boot loader"
        tool.start()
        assert at_once.starts[-1] == "application"
        os.close(loader)


def test_a_board_at_another_machine_is_provisioned_wholly_and_says_hello(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EDGEHAR_WIFI_PASSWORD", SECRET)
    build = build_directory(tmp_path / "build")
    with MockBoard(tmp_path) as board:
        circuit = AtOnce(os.open(board.port, os.O_RDWR | os.O_NOCTTY))
        circuit.hello = encode_hello(HELLO)
        port = serve(circuit)
        settings = ["--ssid", "lab-ap", "--channel", "11", "--rate", "50", "--id", "attic"]
        assert main(["flash", "--port", port, "--build-dir", str(build), *settings, "--erase", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert circuit.starts[-2:] == ["boot loader", "application"]  # one reset for all of it, and the last
        os.close(circuit.loader)
        beside = Esptool(board.port, connect_attempts=2)  # on a cable, as it were
        held = beside.read(beside.probe().chip, 0, 0x18000, tmp_path / "held.bin")
    assert (told["port"], told["hello"]["id"], told["verified"]) == (port, "attic", ["md5", "read_back"])
    assert ERASE_FLASH in board.commands
    for offset, name in json.loads((build / "flasher_args.json").read_text())["flash_files"].items():
        content = (build / name).read_bytes()
        assert held[int(offset, 16) :][: len(content)] == content, name
    settings_there = read_nvs(held[0x9000:0xF000])["edgehar"]
    assert (settings_there["name"], settings_there["psk"]) == ("attic", SECRET)

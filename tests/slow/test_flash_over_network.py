"""The reset circuit of a board behind an RFC 2217 server: who changes both lines at once gets into the boot loader.

On common boards two transistors derive EN and IO0 from RTS and DTR: EN is low while RTS is asserted and DTR is not, IO0
is low while DTR is asserted and RTS is not. The chip looks at IO0 a few milliseconds after EN rises: low means boot
loader. Serial lines over a network change one by one, about 0.1 s apart, so on the way from (RTS) to (DTR) both are
asserted, EN rises with IO0 high, and the application starts. Espressif's server changes them at the board's end.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from types import SimpleNamespace

import pytest

from edgehar.boards.flash.esptool import Esptool
from edgehar.errors import EdgeHarError
from tests.mock_board import MockBoard, needs_mock

rfc2217 = pytest.importorskip("serial.rfc2217", reason="needs pyserial: pip install pyserial")
pytest.importorskip("esptool", reason="needs pip install 'edgehar[flash]'")
needs_mock()
pytestmark = pytest.mark.slow
STRAP_SETTLES_S = 0.003


class ResetCircuit(SimpleNamespace):
    """What the server takes for a serial port: two lines that act on a chip, and bytes for its boot loader."""

    def __init__(self, loader: int) -> None:
        super().__init__(baudrate=115_200, bytesize=8, parity="N", stopbits=1, rtscts=False, xonxoff=False)
        self.cts = self.dsr = self.ri = self.cd = self.break_condition = False
        self.runs = "application"
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
    ready, _, _ = select.select([connection, circuit.loader], [], [])
    try:
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

"""A whole `edgehar flash` over esptool's own RFC 2217 server, a program of its own, on a port that has modem lines.

Two transistors make EN and IO0 of RTS and DTR (tests/slow/test_flash_over_network.py). What the server does to these is
read off its ioctl calls, and decides whether the boot loader or the application speaks.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgehar.boards.flash.esptool import Esptool
from edgehar.cli.app import main
from edgehar.wire.encode import encode_hello
from edgehar.wire.messages import Hello
from tests.esp_images import build_directory
from tests.mock_board import MockBoard, needs_mock
from tests.nvs_image import read_nvs

for package in ("esptool", "esp_idf_defs", "esp_idf_nvs_partition_gen", "serial"):
    pytest.importorskip(package, reason="needs pip install 'edgehar[flash,serial]'")
needs_mock()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: apt-get install gcc libc6-dev"),
]
STRAP_SETTLES_NS = 3_000_000
HELLO = Hello(boot=1, t_us=1, chip="esp32s3", firmware="0.1.0", name="attic", rate_hz=50, channel=11)
SECRET = "correct horse battery"


class Lines(threading.Thread):
    """What the lines that are written down on `told` make of the board: it starts where EN rises, as IO0 then says."""

    def __init__(self, told: int, board: MockBoard) -> None:
        super().__init__(daemon=True)
        self.starts: list[str] = []
        self.ended = threading.Event()
        self._told, self._board, self._rest = told, board, b""
        self._rts = self._dtr = False
        self._rose_ns: int | None = None
        self._run("application")

    def run(self) -> None:
        while not self.ended.is_set():
            if select.select([self._told], [], [], 0.05)[0]:
                *lines, self._rest = (self._rest + os.read(self._told, 4096)).split(b"\n")
                for line in lines:
                    self._changed(*map(int, line.split()))
            else:
                self._strap(time.monotonic_ns())

    def _changed(self, at_ns: int, rts: int, dtr: int) -> None:
        self._strap(at_ns)
        was_held = self._rts and not self._dtr
        self._rts, self._dtr = bool(rts), bool(dtr)
        if was_held and not (self._rts and not self._dtr):
            self._rose_ns = at_ns

    def _strap(self, now_ns: int) -> None:
        """The chip looks at IO0 once it has been out of reset for a moment."""
        if self._rose_ns is not None and now_ns > self._rose_ns + STRAP_SETTLES_NS:
            self._rose_ns = None
            self._run("boot loader" if self._dtr and not self._rts else "application")
            self.starts.append(self.runs)

    def _run(self, what: str) -> None:
        self.runs = what
        loads = what == "boot loader"
        self._board.to_board = lambda frame: frame if loads else None
        self._board.hello = b"" if loads else encode_hello(HELLO)


@pytest.fixture
def server(tmp_path):
    """server(port, pipe) -> URL and process: esptool's server on the port, its modem lines told on the pipe."""
    shim, children = tmp_path / "modem_lines.so", []
    subprocess.run(
        [
            "gcc",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            "-o",
            shim,
            Path(__file__).with_name("modem_lines.c"),
        ],
        check=True,
    )

    def start(port: str, pipe: int) -> tuple[str, subprocess.Popen[bytes]]:
        tcp = 20_000 + os.getpid() % 10_000
        environment = {**os.environ, "LD_PRELOAD": str(shim), "MODEM_LINES_FD": str(pipe)}
        command = [sys.executable, "-m", "esp_rfc2217_server", "-p", str(tcp), port]
        log = (tmp_path / "server.log").open("wb")
        children.append(subprocess.Popen(command, env=environment, pass_fds=[pipe], stdout=log, stderr=log))
        for _ in range(1200):
            if b"waiting" in (tmp_path / "server.log").read_bytes().lower():
                break
            assert children[-1].poll() is None, (tmp_path / "server.log").read_text()
            time.sleep(0.05)
        return f"rfc2217://127.0.0.1:{tcp}?ign_set_control", children[-1]

    yield start
    for child in children:
        child.kill()
        child.wait()


def test_a_board_behind_espressifs_server_is_provisioned_wholly_and_says_hello(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EDGEHAR_WIFI_PASSWORD", SECRET)
    build = build_directory(tmp_path / "build")
    told, pipe = os.pipe()
    with MockBoard(tmp_path) as board:
        lines = Lines(told, board)
        lines.start()
        port, process = server(board.port, pipe)
        settings = ["--ssid", "lab-ap", "--channel", "11", "--rate", "50", "--id", "attic"]
        code = main(["flash", "--port", port, "--build-dir", str(build), *settings, "--json"])
        out, err = capsys.readouterr()
        assert code == 0, (err, lines.starts)
        lines.ended.set()
        lines.join()
        process.kill()
        process.wait()
        held = beside(board, tmp_path)
    told_us = json.loads(out)
    assert (told_us["port"], told_us["hello"]["id"], told_us["verified"]) == (port, "attic", ["md5", "read_back"])
    assert lines.starts[-1] == "application"  # listening to it did not reset it
    assert "boot loader" in lines.starts
    for offset, name in json.loads((build / "flasher_args.json").read_text())["flash_files"].items():
        content = (build / name).read_bytes()
        assert held[int(offset, 16) :][: len(content)] == content, name
    settings_there = read_nvs(held[0x9000:0xF000])["edgehar"]
    assert (settings_there["name"], settings_there["psk"]) == ("attic", SECRET)


def beside(board: MockBoard, directory: Path) -> bytes:
    """What the flash holds, read without the server."""
    board.to_board, board.hello = lambda frame: frame, b""
    tool = Esptool(board.port, connect_attempts=2)
    return tool.read(tool.probe().chip, 0, 0x18000, directory / "held.bin")

"""Runs inside the virtual machine: a USB device that claims to be an ESP32-S3, flashed, pulled out and put back.

argv: the build directory. Prints one JSON object per act on a line that begins with ACT.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import threading
import time
import tty
from pathlib import Path

from edgehar.boards.flash.hello import wait_for_hello
from edgehar.cli.app import main
from edgehar.wire.encode import encode_hello
from edgehar.wire.messages import Hello
from tests.mock_board import DEFL_DATA, FLASH_DATA, MockBoard

GADGET = Path("/sys/kernel/config/usb_gadget/board")
SERIAL_NUMBER = "24:0A:C4:80:33:5F"
BOARD_SIDE = "/dev/ttyGS0"
HELLO = Hello(boot=1, t_us=1, chip="esp32s3", firmware="0.1.0", name="hall-01", rate_hz=100, channel=6)


def make_gadget() -> None:
    for directory in ("strings/0x409", "configs/c.1", "functions/acm.0"):
        (GADGET / directory).mkdir(parents=True)
    (GADGET / "idVendor").write_text("0x303a")
    (GADGET / "idProduct").write_text("0x1001")
    for name, text in (
        ("manufacturer", "Espressif"),
        ("product", "USB JTAG/serial debug unit"),
        ("serialnumber", SERIAL_NUMBER),
    ):
        (GADGET / "strings/0x409" / name).write_text(text)
    (GADGET / "configs/c.1/acm.0").symlink_to(GADGET / "functions/acm.0")


def plug(*, there: bool) -> None:
    controller = next(Path("/sys/class/udc").iterdir()).name
    (GADGET / "UDC").write_text(controller if there else "\n")
    while Path("/dev/ttyACM0").exists() != there:
        time.sleep(0.05)


def board_side() -> int:
    end = os.open(BOARD_SIDE, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(end)
    return end


def edgehar(act: str, *arguments: str) -> None:
    """Run a command in this process, which has loaded everything already: Python starts slowly in an emulator."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["flash", *arguments])
    print("ACT", json.dumps({"act": act, "code": code, "out": out.getvalue(), "err": err.getvalue()}), flush=True)


def flash_and_greet(build: str, directory: Path) -> None:
    """Flash; then the application starts: the board leaves the bus, comes back and says hello."""
    with MockBoard(directory, front=board_side()):
        edgehar("flash", "--build-dir", build, "--id", "hall-01", "--no-hello", "--json")
    heard: list[str] = []

    def listen() -> None:
        heard.append(wait_for_hello("/dev/ttyACM0", 921_600, serial_number=SERIAL_NUMBER, patience_s=120).name)

    waiting = threading.Thread(target=listen)
    waiting.start()
    plug(there=False)
    plug(there=True)
    with MockBoard(directory, chip=None, front=board_side()) as board:
        board.hello = encode_hello(HELLO)
        waiting.join()
    print("ACT", json.dumps({"act": "hello", "names": heard}), flush=True)


def pull_the_cable(build: str, directory: Path) -> None:
    """While the application is being written."""
    writing = threading.Event()

    def watch(frame: bytes) -> bytes:
        if board.commands.count(FLASH_DATA) + board.commands.count(DEFL_DATA) > 5:
            writing.set()
        return frame

    with MockBoard(directory, front=board_side()) as board:
        board.to_board = watch
        pull = threading.Thread(target=lambda: (writing.wait(), plug(there=False)))
        pull.start()
        edgehar("unplug", "--build-dir", build, "--id", "hall-01", "--no-hello", "--json")
        pull.join()


def be_patient(directory: Path) -> None:
    """esptool expects an answer within three seconds, which an emulator on a busy machine does not give."""
    file = directory / "esptool.cfg"
    file.write_text("[esptool]\ntimeout = 60\nserial_write_timeout = 60\n")
    os.environ["ESPTOOL_CFGFILE"] = str(file)


def act() -> None:
    make_gadget()
    plug(there=True)
    edgehar("list", "--list", "--json")
    with tempfile.TemporaryDirectory() as directory:
        be_patient(Path(directory))
        flash_and_greet(sys.argv[1], Path(directory))
        pull_the_cable(sys.argv[1], Path(directory))
        plug(there=True)
        edgehar("again", "--list", "--json")


if __name__ == "__main__":
    act()

"""A board on a pseudo-terminal: esp32-mock-bootloader, a program of its own, behind a proxy that spoils its days.

The proxy passes SLIP frames (Espressif's "Serial Protocol") between two pseudo-terminals and may change them. When the
port is opened and nobody speaks the boot loader's language, the application is running: it says what `hello` holds.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import operator
import os
import pty
import select
import struct
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

PROGRAM = Path(sys.executable).with_name("esp32-mock-bootloader")
FLASH_BEGIN, FLASH_DATA, FLASH_END, READ_REG = 2, 3, 4, 0x0A
DEFL_BEGIN, DEFL_DATA, DEFL_END, FLASH_MD5, READ_FLASH = 0x10, 0x11, 0x12, 0x13, 0xD2
ERASE_FLASH = 0xD0
QUIET_S = 0.5
"""esptool speaks within this of opening the port; whoever listens for longer listens to the application."""
HELLO_EVERY_S = 0.1
GIVEN_UP_S = 0.5
CHIP_REGISTER = 0x40001000  # every chip has one here, and every stub reads it
FLASH_4_MB, FLASH_8_MB = 0x164020, 0x174020  # JEDEC numbers: the third byte is the logarithm of the size
FOUR_MB = 4 << 20

Change = Callable[[bytes], bytes | None]


class UnpluggedError(Exception):
    """Raised by a change: the cable is pulled at this frame."""


def needs_mock() -> None:
    if not PROGRAM.exists():
        pytest.skip("needs pip install esp32-mock-bootloader")


class MockBoard:
    """`port` is the path for esptool; `to_board` and `to_host` see every frame and give what is passed on.

    `front`: an open terminal to serve instead of a pseudo-terminal. `chip` None: nobody answers.
    """

    def __init__(self, directory: Path, chip: str | None = "esp32s3", front: int | None = None) -> None:
        self.to_board: Change = lambda frame: frame
        self.to_host: Change = lambda frame: frame
        self.hello = b""
        self.commands: list[int] = []
        self._stop = threading.Event()
        self._status_bytes = 2
        self._read: Read | None = None
        self._master, self.port = _pseudo_terminal() if front is None else (front, "")
        self._mock, self._chip_side = (None, -1) if chip is None else self._start(directory, chip)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for end in (self._master, self._chip_side):
            with contextlib.suppress(OSError):
                os.close(end)
        if self._mock is not None:
            self._mock.kill()
            self._mock.wait()

    def _start(self, directory: Path, chip: str) -> tuple[subprocess.Popen[bytes], int]:
        file = directory / "mock-port"
        file.unlink(missing_ok=True)
        mock = subprocess.Popen(
            [PROGRAM, "run", "--pty", "--chip", chip, "--port-file", str(file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2000):
            if file.exists() and file.read_text():
                break
            time.sleep(0.01)
        chip_side = os.open(file.read_text(), os.O_RDWR | os.O_NOCTTY)
        tty.setraw(chip_side)
        return mock, chip_side

    def _serve(self) -> None:
        down, up, poll = Slip(), Slip(), select.poll()
        poll.register(self._master, select.POLLIN)
        silent_since = said = 0.0
        if self._mock is not None:
            poll.register(self._chip_side, select.POLLIN)
        while not self._stop.is_set():
            ready, now = dict(poll.poll(5)), time.monotonic()
            host = ready.get(self._master, 0)
            try:
                if host & select.POLLIN:
                    silent_since = now
                    for frame in down.push(os.read(self._master, 65536)):
                        self._from_host(frame)
                elif host & select.POLLHUP:  # nobody has the port open
                    silent_since = now
                    time.sleep(0.002)
                elif self.hello and now - silent_since > QUIET_S and now - said > HELLO_EVERY_S:
                    os.write(self._master, self.hello)
                    said = now
                if self._read is not None and (again := self._read.again()):
                    _write(self._chip_side, Slip.pack(again))
                if ready.get(self._chip_side, 0) & select.POLLIN:
                    for frame in up.push(os.read(self._chip_side, 65536)):
                        self._from_chip(frame)
            except UnpluggedError:
                os.close(self._master)
                return
            except OSError:  # unplugged by somebody else
                return

    def _from_host(self, frame: bytes) -> None:
        if len(frame) < 8:  # no command, but an acknowledgement within READ_FLASH, which was given in its place
            return
        self.commands.append(frame[1])
        if frame[1] in (FLASH_END, DEFL_END):  # the mock would forget three seconds later that it runs the stub
            head = bytes([1, frame[1], self._status_bytes, 0]) + bytes(4)
            _write(self._master, Slip.pack(head + bytes(self._status_bytes)))
            return
        changed = self.to_board(frame)
        if self._mock is None or changed is None:
            return
        if frame[1] == READ_FLASH:
            self._read = Read(changed)
        _write(self._chip_side, Slip.pack(changed))

    def _from_chip(self, frame: bytes) -> None:
        if self._read is not None:
            told, acknowledgement = self._read.take(frame)
            if acknowledgement:
                _write(self._chip_side, Slip.pack(acknowledgement))
            if told:
                _write(self._master, Slip.pack(told))
            if self._read.done:
                self._read = None
            return
        if frame != b"OHAI" and (frame[0] != 1 or int.from_bytes(frame[2:4], "little") != len(frame) - 8):
            return  # the mock's MD5 after a read: the host has one already
        if frame[:1] == b"\1" and frame[1] in (FLASH_BEGIN, DEFL_BEGIN):
            self._status_bytes = frame[2]
        changed = self.to_host(frame)
        if changed is not None:
            _write(self._master, Slip.pack(changed))


class Read:
    """One READ_FLASH of the stub: its answer, packets of data, and the MD5 of all.

    The mock gives up when a packet is not acknowledged within 50 ms, which a busy machine does not always keep. Then
    the rest is asked for again, and the MD5 made here. While it waits for an acknowledgement it takes any frame for
    one, so the host, which speaks again after the MD5, gets that when the mock has come out of its loop and not before.
    """

    def __init__(self, request: bytes) -> None:
        self.offset, self.size, self.packet, self.in_flight = struct.unpack_from("<IIII", request, 8)
        self.held, self.asked_at, self.heard, self.answered, self.done = b"", 0, time.monotonic(), False, False

    def take(self, frame: bytes) -> tuple[bytes, bytes]:
        """What the host, and what the mock gets for a frame of the mock's."""
        self.heard = time.monotonic()
        if len(self.held) == self.size:  # its own MD5, or the answer to what `again` asked
            self.done = True
            return hashlib.md5(self.held).digest(), b""
        if frame[:2] == bytes([1, READ_FLASH]) and len(frame) == 10:
            first, self.answered = not self.answered, True
            return frame if first else b"", b""
        self.held += frame
        return frame, struct.pack("<I", len(self.held) - self.asked_at)

    def again(self) -> bytes | None:
        """When the mock has fallen silent: the request for the rest, or a register's to see that it is back."""
        if time.monotonic() - self.heard < GIVEN_UP_S:
            return None
        self.heard, self.asked_at = time.monotonic(), len(self.held)
        if self.asked_at == self.size:
            return struct.pack("<BBHII", 0, READ_REG, 4, 0, CHIP_REGISTER)
        rest = struct.pack("<IIII", self.offset + self.asked_at, self.size - self.asked_at, self.packet, self.in_flight)
        return struct.pack("<BBHI", 0, READ_FLASH, len(rest), 0) + rest


def _pseudo_terminal() -> tuple[int, str]:
    """The board's end, and the path of the host's, which nobody holds open."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.close(slave)
    return master, path


def _write(end: int, content: bytes) -> None:
    while content:
        content = content[os.write(end, content) :]


class Slip:
    """Frames between 0xc0 bytes; 0xdb 0xdc stands for 0xc0 and 0xdb 0xdd for 0xdb."""

    def __init__(self) -> None:
        self._rest = b""

    def push(self, received: bytes) -> Iterator[bytes]:
        *pieces, self._rest = (self._rest + received).split(b"\xc0")
        for piece in pieces:
            if piece:
                yield piece.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")

    @staticmethod
    def pack(frame: bytes) -> bytes:
        return b"\xc0" + frame.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def flip_written_bit(packet: int, bit: int) -> Change:
    """One bit of the `packet`th block of data is another in flash, and the block's checksum hides it."""
    seen = 0

    def change(frame: bytes) -> bytes:
        nonlocal seen
        if frame[1] not in (FLASH_DATA, DEFL_DATA):
            return frame
        seen += 1
        if seen - 1 != packet:
            return frame
        content = bytearray(frame)
        content[24 + bit // 8] ^= 1 << bit % 8
        content[4] = functools.reduce(operator.xor, content[24:], 0xEF)
        return bytes(content)

    return change


def unplug_at(packet: int) -> Change:
    """The cable is pulled at the `packet`th block of data."""
    seen = 0

    def change(frame: bytes) -> bytes:
        nonlocal seen
        seen += frame[1] in (FLASH_DATA, DEFL_DATA)
        if seen > packet:
            raise UnpluggedError
        return frame

    return change


def answer_8_mb(frame: bytes) -> bytes:
    """The flash chip says that it has 8 MB, where the mock has 4."""
    if frame[1] == READ_REG and int.from_bytes(frame[4:8], "little") == FLASH_4_MB:
        return frame[:4] + FLASH_8_MB.to_bytes(4, "little") + frame[8:]
    return frame


def fold_8_mb(frame: bytes) -> bytes:
    """What goes to the upper 4 MB lands in the lower, where the mock has room for it."""
    place = {FLASH_BEGIN: 20, DEFL_BEGIN: 20, FLASH_MD5: 8, READ_FLASH: 8}.get(frame[1])
    if place is None:
        return frame
    offset = int.from_bytes(frame[place : place + 4], "little")
    return frame[:place] + (offset % FOUR_MB).to_bytes(4, "little") + frame[place + 4 :]

"""The script that firmware/host_tests/cases.c runs, and the answers it gives."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from edgehar.boards.targets import WARNINGS, find_target
from edgehar.boards.toolchain import build_program, execute
from edgehar.wire.messages import Hello
from edgehar.wire.schema import schema

FIRMWARE = Path(__file__).parents[2] / "firmware"
COMMON = FIRMWARE / "common"
HOST_TESTS = FIRMWARE / "host_tests"
CORE = sorted(COMMON.glob("*.c"))
CASES = [HOST_TESTS / "cases.c", HOST_TESTS / "case_tag.c"]
XTENSA = "xtensa-lx106"
XTENSA_PACKAGES = ("xtensa-lx106-elf-gcc", "qemu-system-xtensa")


def sized(raw: bytes) -> bytes:
    """Bytes with their length before them."""
    return struct.pack("<H", len(raw)) + raw


def encode(kind: int, payload: bytes, head_bytes: int = 0) -> bytes:
    """A frame; the first `head_bytes` of the payload go through the kind's struct."""
    return struct.pack("<BBH", 1, kind, head_bytes) + sized(payload)


def decode(coded: bytes) -> bytes:
    """What stood between two zeros; answers (fault, kind) and the payload."""
    return b"\x02" + sized(coded)


def packet(kind: int, payload: bytes) -> bytes:
    """Answers the packet."""
    return b"\x08" + bytes([kind]) + sized(payload)


def turn(row: int, vector: Sequence[int]) -> bytes:
    """Answers the vector, turned by a row of [axes]."""
    return b"\x09" + bytes([row]) + struct.pack("<3h", *vector)


def siphash(key: bytes, message: bytes) -> bytes:
    """Answers 8 bytes."""
    return b"\x03" + key + sized(message)


def layout(chip: str, secondary: int, sig_mode: int, bandwidth: int, stbc: int, n_bytes: int) -> bytes:
    """Answers the id."""
    shape = (secondary, sig_mode, bandwidth, stbc, n_bytes)
    return b"\x04" + chip.encode().ljust(12, b"\0") + struct.pack("<4BH", *shape)


def commands(text: bytes, device: str = "csi") -> bytes:
    """What `device` makes of it; answers (status, command, id, number, word) a line, then nothing."""
    return b"\x05" + bytes([schema().devices[device]]) + sized(text)


class Life:
    """A board's life, step by step; `script` is the operation."""

    def __init__(self, identity: Hello, *, key: bytes = bytes(range(16)), ring_bytes: int = 8192) -> None:
        head = schema().kinds["hello"]
        values = (
            identity.boot,
            identity.t_us,
            identity.chip.encode(),
            identity.firmware.encode(),
            identity.name.encode(),
            identity.role,
            identity.csi,
            identity.flags,
            identity.link,
            identity.baud,
            identity.rate_hz,
            identity.channel,
            identity.secondary,
            b"",
            *([0] * len(schema().counters)),
        )
        self._steps = [b"\x06" + head.struct.pack(*values) + key + struct.pack("<H", ring_bytes)]

    def csi(self, values: np.ndarray, *, mac: bytes = b"\x1a\0\0\0\0\1", **fields: int) -> None:
        """The radio heard a frame; fields of the schema's csi kind."""
        head = np.zeros((), schema().kinds["csi"].dtype)
        for name, value in {"secondary": 2, "sig_mode": 1, "bandwidth": 1, "channel": 6, **fields}.items():
            head[name] = value
        self._steps.append(b"C" + head.tobytes() + mac + sized(values.tobytes()))

    def poll(self, now_us: int, room: int = 65535) -> None:
        """The link has room for so many bytes."""
        self._steps.append(b"P" + struct.pack("<QH", now_us, room))

    def receive(self, raw: bytes) -> None:
        """The host sent bytes."""
        self._steps.append(b"R" + sized(raw))

    def log(self, text: str, level: int = 3) -> None:
        """The firmware logs a line."""
        self._steps.append(b"L" + bytes([level]) + sized(text.encode()))

    def decide(self, rx_seq: int, label: int, logits: Sequence[float]) -> None:
        """A model on the board decided."""
        head = schema().kinds["decision"].struct.pack(0, rx_seq, 5, 0xABCD, label, 0)
        self._steps.append(b"D" + head + sized(np.array(logits, "<f4").tobytes()))

    def model(self, **fields: int) -> None:
        """The board says what its model is and does; fields of the schema's model kind."""
        head = np.zeros((), schema().kinds["model"].dtype)
        for name, value in fields.items():
            head[name] = value
        self._steps.append(b"M" + head.tobytes())

    def filtered(self) -> None:
        """A frame came from a sender that is not listened to."""
        self._steps.append(b"F")

    def transmitted(self) -> None:
        """A frame went out."""
        self._steps.append(b"T")

    @property
    def script(self) -> bytes:
        return b"".join(self._steps) + b"E"


def answers(raw: bytes) -> list[bytes]:
    """The records of an answer file."""
    found, at = [], 0
    while at < len(raw):
        (n,) = struct.unpack_from("<I", raw, at)
        found.append(raw[at + 4 : at + 4 + n])
        at += 4 + n
    assert at == len(raw), "the answers broke off"
    return found


def build_cases(target: str, directory: Path) -> Callable[[bytes], bytes]:
    """The core built for `target`: a function from script to answers. Skips where the target's tools are missing."""
    if target == XTENSA:
        return _build_xtensa(directory)
    found = find_target(target)
    install = found.missing()
    if install is not None:
        pytest.skip(f"tools for {target} are missing: {install}")
    sources = [*CASES, *CORE]
    program = build_program(found, HOST_TESTS / "stdio_main.c", sources, directory, include_dirs=[COMMON, HOST_TESTS])

    def run(script: bytes) -> bytes:
        ran = execute(program, script)
        assert ran.returncode == 0, ran.stderr
        return ran.output

    return run


def _build_xtensa(directory: Path) -> Callable[[bytes], bytes]:
    """Debian's LX106 compiler and QEMU's simulation machine: no C library, files by the simulator's calls."""
    if not all(map(shutil.which, XTENSA_PACKAGES)):
        pytest.skip("tools for Xtensa are missing: apt-get install gcc-xtensa-lx106 qemu-system-misc")
    here = HOST_TESTS / "xtensa"
    flags = ["-std=c99", *WARNINGS, "-O2", "-mlongcalls", "-mtext-section-literals", "-ffreestanding", "-nostdlib"]
    sources = [here / "start.S", here / "main.c", *CASES, *CORE]
    link = ["-T", str(here / "link.ld"), "-o", "cases.elf"]
    built = subprocess.run(
        [XTENSA_PACKAGES[0], *flags, f"-I{COMMON}", f"-I{HOST_TESTS}", *map(str, sources), *link, "-lgcc"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    machine = ["-M", "sim", "-cpu", "lx106", "-semihosting", "-nographic", "-monitor", "none", "-serial", "none"]

    def run(script: bytes) -> bytes:
        (directory / "input.bin").write_bytes(script)
        ran = subprocess.run(
            [XTENSA_PACKAGES[1], *machine, "-kernel", "cases.elf"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run

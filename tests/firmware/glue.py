"""The ESP-IDF glue, built for this machine against the fake IDF, and what a script makes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import edgehar
from edgehar.boards.targets import WARNINGS
from edgehar.wire.codec import FrameDecoder
from tests.firmware.core_cases import COMMON, CORE, FIRMWARE, HOST_TESTS
from tests.wire_frames import decode

GLUE = FIRMWARE / "esp32s3_csi"
MAIN = GLUE / "main"
ESP32 = FIRMWARE / "esp32"
INFER = FIRMWARE / "infer"
FAKE = HOST_TESTS / "fake_idf"
SOURCES = [*sorted(MAIN.glob("*.c")), *sorted(ESP32.glob("*.c"))]
INCLUDES = [f"-I{path}" for path in (FAKE, FAKE / "include", COMMON, ESP32, MAIN)]
SANITIZE = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CONFIGURED = {"esp32c3": ["-DCONFIG_EDGEHAR_EVERY_SENDER=1", "-DCONFIG_EDGEHAR_LIGHT_GPIO=-1"]}
"""What a chip's build is configured to beside the defaults."""
SENDER = "1a0000000001"
VALUES = np.arange(384, dtype=np.int64).astype(np.int8)
PROVISIONED = ("nvs u8 format 1", "nvs u8 role 0", "nvs u8 channel 6", "nvs u16 rate_hz 100", "nvs str name hall")


def body(seq: int) -> str:
    """An edgehar sender's ESP-NOW frame after the MAC header, in hexadecimal; its form is that of Espressif's docs."""
    data = b"ehar" + seq.to_bytes(4, "little")
    oui = b"\x18\xfe\x34"
    element = oui + b"\x04\x01" + data
    return (b"\x7f" + oui + b"\x01\x02\x03\x04\xdd" + bytes([len(element)]) + element).hex()


def csi(
    stamp_us: int,
    *,
    seq: int | None = 0,
    mac: str = SENDER,
    values: np.ndarray = VALUES,
    secondary: int = 2,
    sig_mode: int = 1,
    cwb: int = 1,
    stbc: int = 0,
    rssi: int = -47,
    first_word_invalid: int = 1,
    gains: tuple[int, int] = (44, -3),
    channel: int = 6,
) -> str:
    """A line of the script: the radio heard a frame; `seq` None: not of an edgehar sender."""
    shape = f"{channel} {secondary} {sig_mode} {cwb} {stbc} {rssi} {first_word_invalid} {gains[0]} {gains[1]}"
    return f"csi {mac} {shape} {stamp_us} {'-' if seq is None else body(seq)} {values.tobytes().hex()}"


@dataclass
class Life:
    """What came over the link, decoded, and what the firmware asked of the chip: (time in us, words)."""

    returncode: int
    raw: bytes
    trace: list[tuple[int, str]]
    decoder: FrameDecoder = field(default_factory=FrameDecoder)
    runs: list = field(default_factory=list)

    def said(self, beginning: str) -> list[str]:
        """Lines of the trace that begin so."""
        return [words for _, words in self.trace if words.startswith(beginning)]

    def nvs(self) -> list[str]:
        """What NVS held in the end, as lines of a script."""
        return self.said("nvs ")


@cache
def build(chip: str, directory: Path, model: Path | None = None, *defines: str) -> Path:
    """The firmware for `chip` as a program of this machine; that of the ESP32-S3 with sanitizers.

    `model`: the C module of a bundle that decides on the board.
    """
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc libc6-dev")
    program = directory / "_".join([chip, *defines])
    options = [f"-DFAKE_{chip.upper()}", f'-DFAKE_VERSION="{edgehar.__version__}"', *CONFIGURED.get(chip, ())]
    options += SANITIZE if chip == "esp32s3" else []
    options += [f"-D{define}" for define in defines]
    sources = [*sorted(FAKE.glob("*.c")), *SOURCES, *CORE]
    if model is not None:  # as main/CMakeLists.txt has it
        options += ["-DEH_ONBOARD=1", "-ffp-contract=off", f"-I{model}", f"-I{INFER}"]
        sources += [model / "eh_model.c", model / "eh_stream.c", INFER / "eh_infer.c"]
    built = subprocess.run(
        ["gcc", "-std=gnu17", *WARNINGS, *options, *INCLUDES, *map(str, sources), "-o", program, "-lpthread", "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return program


def live(program: Path, *script: str) -> Life:
    """Run the script."""
    ran = subprocess.run(
        [str(program)], input="\n".join(script).encode() + b"\n", capture_output=True, check=False, timeout=120
    )
    lines = ran.stderr.decode(errors="replace").splitlines()
    parsed = [re.fullmatch(r"(\d+) (.*)", line) for line in lines]
    assert all(parsed), ran.stderr.decode(errors="replace")  # a sanitizer's words are no trace
    life = Life(ran.returncode, ran.stdout, [(int(found[1]), found[2]) for found in parsed if found])
    life.runs = decode(life.decoder, life.raw)
    return life

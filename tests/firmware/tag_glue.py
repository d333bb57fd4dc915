"""The tag's ESP-IDF glue, built for this machine against a fake IDF, NimBLE and sensor, and what a host gets of it."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

import edgehar
from edgehar.boards.targets import WARNINGS
from edgehar.wire.frames import Cause
from edgehar.wire.imu_codec import ImuDecoder, ImuFrameDecoder
from edgehar.wire.messages import ImuHeartbeat, ImuHello, ImuSamples, Reply
from edgehar.wire.parse import ImuMessage
from tests.firmware.core_cases import COMMON, CORE, FIRMWARE
from tests.firmware.glue import ESP32, FAKE, SANITIZE
from tests.firmware.sensor_bus import CONFIG_BYTES, DRIVERS, FAKE_SENSORS

GLUE = FIRMWARE / "imu_ble"
MAIN = GLUE / "main"
SOURCES = sorted(MAIN.glob("*.c"))
PORTABLE = [*CORE, *sorted(DRIVERS.glob("*.c"))]
FAKES = [FAKE / name for name in ("fake_chip.c", "fake_link.c", "fake_tasks.c")]
FAKES += [*sorted((FAKE / "tag").glob("*.c")), *sorted(FAKE_SENSORS.glob("*.c"))]
INCLUDES = [f"-I{path}" for path in (FAKE, FAKE / "tag", FAKE / "include", FAKE_SENSORS, COMMON, ESP32, DRIVERS, MAIN)]
DATA, CONFIG, STATUS, CONTROL, BATTERY, READ = 2, 3, 4, 5, 0x19, 0x80
PROVISIONED = ("nvs u8 format 1", "nvs str name wrist", "nvs u16 rate_hz 100", "nvs u8 accel_g 8")
WIRED = ("sensor lsm6dso 6a", "battery 2000")
HEARD = ("subscribe control 1", "subscribe config 1", "subscribe status 1", "subscribe data 1")

Message = TypeVar("Message", ImuHello, ImuHeartbeat, ImuSamples, Reply)


@dataclass
class TagLife:
    """What the host got: (characteristic, us, bytes) of each notification and read; `messages` in their order."""

    returncode: int
    raw: bytes
    trace: list[tuple[int, str]]
    values: list[tuple[int, int, bytes]] = field(default_factory=list)
    messages: list[ImuMessage] = field(default_factory=list)

    def said(self, beginning: str) -> list[str]:
        """Lines of the trace that begin so."""
        return [words for _, words in self.trace if words.startswith(beginning)]

    def all(self, kind: type[Message]) -> list[Message]:
        """The messages of one kind."""
        return [message for message in self.messages if isinstance(message, kind)]

    def numbers(self) -> np.ndarray:
        """The running numbers of all samples that came."""
        return np.concatenate([message.seq + np.arange(len(message.x)) for message in self.all(ImuSamples)] or [[]])

    def x(self) -> np.ndarray:
        """All samples that came [n, c]."""
        return np.concatenate([message.x for message in self.all(ImuSamples)])

    def times_us(self) -> np.ndarray:
        """When each was taken."""
        batches = self.all(ImuSamples)
        return np.concatenate([batch.t_us + np.arange(len(batch.x)) * batch.period_us for batch in batches])


@cache
def build(options: tuple[str, ...], directory: Path) -> Path:
    """The tag's firmware for the ESP32-S3 as a program of this machine; without options, with sanitizers."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc libc6-dev")
    program = directory / f"tag-{len(list(directory.iterdir()))}"
    stand_in = directory / "bmi270.inc"  # what fake_tag_main.c expects to be uploaded
    stand_in.write_text("1,2,3," + "0," * (CONFIG_BYTES - 3))
    defines = ["-DFAKE_ESP32S3", f'-DFAKE_VERSION="{edgehar.__version__}"', *options]
    defines += [] if options else SANITIZE
    if "-DWITHOUT_BMI270" not in options:
        defines.append(f'-DEH_BMI270_BYTES="{stand_in}"')
    sources = map(str, [*FAKES, *SOURCES, *sorted(ESP32.glob("*.c")), *PORTABLE])
    options_to_link = ("-o", str(program), "-lpthread", "-lm")
    built = subprocess.run(
        ["gcc", "-std=gnu17", *WARNINGS, *defines, *INCLUDES, *sources, *options_to_link],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return program


def live(program: Path, *script: str, cable: bool = False) -> TagLife:
    """Run the script."""
    ran = subprocess.run(
        [str(program)], input="\n".join(script).encode() + b"\n", capture_output=True, check=False, timeout=120
    )
    lines = ran.stderr.decode(errors="replace").splitlines()
    parsed = [re.fullmatch(r"(\d+) (.*)", line) for line in lines]
    assert all(parsed), ran.stderr.decode(errors="replace")  # a sanitizer's words are no trace
    life = TagLife(ran.returncode, ran.stdout, [(int(found[1]), found[2]) for found in parsed if found])
    if cable:
        life.messages = ImuFrameDecoder().push(ran.stdout)
        return life
    at, packets = 0, ImuDecoder()
    while at < len(ran.stdout):
        value, n, time_us = struct.unpack_from("<BHq", ran.stdout, at)
        content = ran.stdout[at + 11 : at + 11 + n]
        life.values.append((value, time_us, content))
        if value & ~READ != BATTERY:
            message = packets.push_packet(content)
            assert not isinstance(message, Cause), (message, content)
            life.messages.append(message)
        at += 11 + n
    return life

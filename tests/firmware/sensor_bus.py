"""The sensor drivers, built for this machine with chips in software on their bus, and what a script makes of them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgehar.boards.targets import WARNINGS
from tests.firmware.core_cases import FIRMWARE, HOST_TESTS

DRIVERS = FIRMWARE / "imu_ble" / "drivers"
FAKE_SENSORS = HOST_TESTS / "fake_sensors"
SOURCES = [HOST_TESTS / "sensors_main.c", *sorted(FAKE_SENSORS.glob("*.c")), *sorted(DRIVERS.glob("*.c"))]
SANITIZE = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CONFIG_BYTES = 8192


@dataclass
class Batch:
    """One look into the FIFO: x [n, 6]; `lost` by the chip's own count, `missing` as the clock has it."""

    fault: int
    n: int
    left: int
    overran: bool
    lost: int
    t_us: int
    period_ns: int
    missing: int
    now_us: int
    x: np.ndarray


class Bench:
    """A chip and its driver; each call is a life of its own."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def answers(self, *script: str) -> list[str]:
        """What the program says to the script, line by line."""
        ran = subprocess.run(
            [str(self.program)],
            input="\n".join(script) + "\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.splitlines()

    def said(self, *script: str) -> list[list[str]]:
        """The words of each answer but for samples."""
        return [words for line in self.answers(*script) if (words := line.split())[0].isalpha()]

    def drained(self, *script: str) -> list[Batch]:
        """Every `drain` of the script."""
        batches, lines = [], iter(self.answers(*script))
        for line in lines:
            word, *numbers = line.split()
            if word == "drain":
                fault, n, left, overran, lost, t_us, period_ns, missing, now_us = map(int, numbers)
                x = np.array([next(lines).split() for _ in range(n)], np.int64).reshape(n, 6)
                batches.append(Batch(fault, n, left, bool(overran), lost, t_us, period_ns, missing, now_us, x))
        return batches


@cache
def bench(compiler: str, directory: Path) -> Bench:
    """The program as `compiler` builds it, with sanitizers."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed: apt-get install {compiler}")
    program = directory / f"sensors-{compiler}"
    includes = (f"-I{FAKE_SENSORS}", f"-I{DRIVERS}")
    built = subprocess.run(
        [compiler, "-std=gnu17", *WARNINGS, *SANITIZE, *includes, *map(str, SOURCES), "-lm", "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return Bench(program)

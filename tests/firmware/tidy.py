"""The ESP-IDF glue, type-checked for the chips' processors against the fake's headers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from edgehar.boards.targets import WARNINGS
from tests.firmware.core_cases import COMMON, HOST_TESTS

FAKE = HOST_TESTS / "fake_idf"
XTENSA = {"esp32", "esp32s2", "esp32s3"}
CHECKS = "clang-diagnostic-*,clang-analyzer-*,-clang-analyzer-security.insecureAPI.*,bugprone-*"
NOT_OURS = "-bugprone-easily-swappable-parameters,-bugprone-signed-bitwise,-bugprone-signed-char-misuse"
WARN = [option for option in WARNINGS if option != "-Werror"]  # the checker has its own


def version_defines(version: tuple[int, ...]) -> list[str]:
    """What makes the fake headers those of a version of ESP-IDF: (major, minor) or (major, minor, patch)."""
    return [
        f"FAKE_IDF_{part}={number}" for part, number in zip(("MAJOR", "MINOR", "PATCH"), (*version, 0)[:3], strict=True)
    ]


def tidy_glue(
    chip: str,
    version: tuple[int, ...],
    *defines: str,
    sources: Iterable[Path],
    includes: Iterable[Path],
    paths: bool = True,
) -> str:
    """What clang-tidy says of `sources` for `chip` and a version of ESP-IDF; "" where all is well.

    `paths`: follow every path through the code, too, which takes long where there are many.
    """
    target = "xtensa" if chip in XTENSA else "riscv32"
    chosen = [f"FAKE_{chip.upper()}", *version_defines(version), *defines]
    flags = [f"--target={target}", "-std=gnu17", "-ffreestanding", "-nostdlibinc", *WARN]
    flags += [*(f"-D{name}" for name in chosen), *(f"-I{path}" for path in (FAKE / "include", COMMON, *includes))]
    flags += ["-isystem", str(FAKE / "libc")]
    checks = f"{CHECKS},{NOT_OURS}{'' if paths else ',-clang-analyzer-*'}"
    return clang_tidy(checks, sources, flags)


def clang_tidy(checks: str, sources: Iterable[Path], flags: Sequence[str]) -> str:
    """What clang-tidy says of `sources`, compiled with `flags`; "" where all is well."""
    beside = Path(sys.executable).with_name("clang-tidy")
    program = str(beside) if beside.exists() else shutil.which("clang-tidy")
    if program is None:
        pytest.skip("clang-tidy is not installed: pip install clang-tidy")
    command = [program, "--quiet", "--allow-no-checks", f"--checks=-*,{checks}", "--warnings-as-errors=*"]
    done = subprocess.run([*command, *map(str, sources), "--", *flags], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""

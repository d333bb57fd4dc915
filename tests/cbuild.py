"""Compiling emitted C with the machine's own compilers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgehar.export.c.emit import CExport
from edgehar.export.c.harness import MAIN, Replies, decode, encode
from edgehar.types import FloatArray

WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffp-contract=off"]


def need(tool: str, install: str) -> None:
    """Skip a test whose tool is not installed."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed: apt-get install {install}")


def compile_c(export: CExport, main: Path, *flags: str, compiler: str = "gcc", sources: Sequence[Path] = ()) -> Path:
    """Build `main` with the export's sources, warnings being errors; the program."""
    need(compiler, compiler)
    program = export.directory / "program"
    command = [compiler, *WARNINGS, *flags, f"-I{export.directory}", str(main)]
    command += [*map(str, sources or export.sources), "-o", str(program), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def run_core(export: CExport, x: FloatArray, *flags: str, compiler: str = "gcc", traced: int = 0) -> Replies:
    """Windows x through the verification program."""
    program = compile_c(export, MAIN, *flags, *(["-DEH_TRACE"] if traced else []), compiler=compiler)
    (export.directory / "input.bin").write_bytes(encode(x, traced))
    done = subprocess.run([program], cwd=export.directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return decode((export.directory / "output.bin").read_bytes())

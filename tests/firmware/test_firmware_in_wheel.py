"""The wheel carries firmware/: whoever installs edgehar can build it without a clone."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile

import pytest

from edgehar.boards.targets import WARNINGS
from tests.firmware.core_cases import FIRMWARE

ROOT = FIRMWARE.parent
SOURCES = {".c", ".h", ".S", ".ld", ".txt", ".cmake", ".csv", ".defaults", ".projbuild", ".md"}


def test_the_wheel_lists_every_source_and_the_core_in_it_compiles(tmp_path):
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed: pip install hatchling")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    carried = tmp_path / "site" / "edgehar" / "firmware"
    wanted = {path.relative_to(FIRMWARE) for path in FIRMWARE.rglob("*") if path.suffix in SOURCES and path.is_file()}
    assert wanted <= {path.relative_to(carried) for path in carried.rglob("*")}
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc")
    for source in (carried / "common").glob("*.c"):
        done = subprocess.run(
            ["gcc", "-std=c99", *WARNINGS, "-fsyntax-only", source], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

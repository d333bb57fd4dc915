"""Kernels are cached in the first writable place, in a directory of their own version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPORT = """
import json, tempfile
from edgehar.kernel_cache import prepare_cache
cached = prepare_cache()
from numba import config
print(json.dumps([cached, config.CACHE_DIR]))
"""


def prepare(**environment: str) -> tuple[bool, Path]:
    """Run in a fresh interpreter: Numba reads its settings once."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_STATE_HOME")}
    ran = subprocess.run(
        [sys.executable, "-c", REPORT], env={**kept, **environment}, capture_output=True, text=True, check=True
    )
    cached, directory = json.loads(ran.stdout)
    return cached, Path(directory)


def test_state_directory_is_the_default(tmp_path: Path) -> None:
    cached, directory = prepare(XDG_STATE_HOME=str(tmp_path))
    assert cached
    assert directory.parent == tmp_path / "edgehar" / "numba"
    assert directory.stat().st_mode & 0o077 == 0


def test_named_directory_wins_and_is_passed_on_unchanged(tmp_path: Path) -> None:
    _, directory = prepare(NUMBA_CACHE_DIR=str(tmp_path / "mine"), XDG_STATE_HOME=str(tmp_path / "state"))
    assert directory.parent == tmp_path / "mine"
    _, inherited = prepare(NUMBA_CACHE_DIR=str(directory))
    assert inherited == directory


def test_unwritable_place_falls_back_to_the_temporary_directory(tmp_path: Path) -> None:
    blocked = tmp_path / "a-file"
    blocked.touch()
    cached, directory = prepare(XDG_STATE_HOME=str(blocked), TMPDIR=str(tmp_path))
    assert cached
    assert directory.parent.parent == tmp_path


def test_nowhere_to_write_means_no_cache_and_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "a-file"
    blocked.touch()
    cached, directory = prepare(NUMBA_CACHE_DIR=str(blocked / "x"))
    assert not cached
    assert directory == blocked / "x"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="ownership is a POSIX notion")
def test_directory_that_others_can_write_is_not_trusted(tmp_path: Path) -> None:
    _, directory = prepare(XDG_STATE_HOME=str(tmp_path / "state"), TMPDIR=str(tmp_path))
    for open_to_all in (directory, directory.parent):
        open_to_all.chmod(0o777)
        _, other = prepare(XDG_STATE_HOME=str(tmp_path / "state"), TMPDIR=str(tmp_path))
        assert tmp_path / "state" not in other.parents
        open_to_all.chmod(0o700)


def test_what_a_power_cut_left_empty_is_compiled_again(tmp_path: Path) -> None:
    """Numba fails on an empty index, at every start until somebody deletes it."""
    use = "from edgehar.dsp.filters import *; median3(np.zeros((3, 1)), np.zeros((2, 1)))"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", use], env=environment, check=True)
        indices = list(tmp_path.rglob("*.nbi"))
        assert indices
        for index in indices:
            assert index.stat().st_size
            index.write_bytes(b"")

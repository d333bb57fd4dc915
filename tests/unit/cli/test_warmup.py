"""`edgehar warmup` compiles what a run needs, says what it did, and has nothing to do the second time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cbuild import need
from factories import random_bundle

from edgehar.bundle import open_bundle, save_bundle
from edgehar.export.c.emit import emit_c


def warmup(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a fresh interpreter: Numba reads its settings once."""
    kept = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    command = [sys.executable, "-m", "edgehar", "warmup", *map(str, arguments)]
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, check=False)


def warmed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return {one["runtime"]: one for one in json.loads(done.stdout)["warmed"]}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, because compiling all kernels anew takes seconds."""
    return tmp_path_factory.mktemp("state")


def test_kernels_and_the_c_module_are_compiled_once(tmp_path: Path, state: Path) -> None:
    need("gcc", "gcc libc6-dev")
    path = tmp_path / "walk.edgehar"
    save_bundle(random_bundle("gru", window=16, hop=8), path)
    emit_c(open_bundle(path), tmp_path / "c")
    first = warmed(warmup(path, "--json", XDG_STATE_HOME=str(state)))
    assert first["numba"]["compiled"] > 1
    assert first["c"]["compiled"] == 1
    assert Path(first["numba"]["cache"]).parent == state / "edgehar" / "numba"
    assert Path(first["c"]["cache"]) == state / "edgehar" / "c"
    second = warmed(warmup(path, "--json", XDG_STATE_HOME=str(state)))
    assert {name: one["compiled"] for name, one in second.items()} == {"numba": 0, "c": 0}
    said = warmup(path, XDG_STATE_HOME=str(state)).stdout
    assert f"{path}: numba kernels all there" in said
    assert str(state / "edgehar" / "c") in said


def test_a_module_named_after_its_bundle_goes_before_the_others(tmp_path: Path, state: Path) -> None:
    need("gcc", "gcc libc6-dev")
    emit_c(random_bundle("gru", window=16, hop=8, seed=1), tmp_path / "c")
    path = tmp_path / "walk.edgehar"
    save_bundle(random_bundle("gru", window=16, hop=8), path)
    done = warmup(path, "--json", XDG_STATE_HOME=str(state))
    assert done.returncode == 5, "a module of another model is refused, not skipped"
    emit_c(open_bundle(path), tmp_path / "walk.c")
    assert "c" in warmed(warmup(path, "--json", XDG_STATE_HOME=str(state)))

"""The README's sixty seconds: its shell block runs as written, then its Python block."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README.partition("## Sixty seconds")[2], re.DOTALL)
    assert found is not None
    return found[1]


def test_sixty_seconds(tmp_path: Path) -> None:
    if importlib.util.find_spec("seglearn") is None:
        pytest.skip("the watch recordings are missing: pip install --no-deps seglearn==1.2.5")
    # The installation is what this very environment is; everything after it runs as printed.
    commands = [line for line in block("sh").splitlines() if line.startswith("edgehar")]
    assert len(commands) >= 8
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert (tmp_path / "walk.mcap").is_file()
    done = subprocess.run(
        [sys.executable, "-c", block("python")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 10

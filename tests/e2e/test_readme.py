"""The README's commands run as written: sixty seconds with their Python, then compress, export, verify."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()


def block(section: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README.partition(f"## {section}\n")[2], re.DOTALL)
    assert found is not None
    return found[1]


def run_as_printed(section: str, directory: Path) -> int:
    """Runs every edgehar command of a section's first shell block; how many there were."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    commands = [line for line in block(section, "sh").splitlines() if line.startswith("edgehar")]
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=directory, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return len(commands)


def missing() -> str:
    """What the second section needs and is not here."""
    wanted = {"onnx": "export", "flatbuffers": "export", "onnxruntime": "ort", "ai_edge_litert": "litert"}
    extras = sorted({extra for package, extra in wanted.items() if importlib.util.find_spec(package) is None})
    if extras:
        return f"pip install 'edgehar[{','.join(extras)}]'"
    return "" if shutil.which("gcc") else "apt-get install gcc libc6-dev"


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the sixty seconds have passed."""
    if importlib.util.find_spec("seglearn") is None:
        pytest.skip("the watch recordings are missing: pip install --no-deps seglearn==1.2.5")
    directory = tmp_path_factory.mktemp("tour")
    # The installation is what this very environment is; everything after it runs as printed.
    assert run_as_printed("Sixty seconds", directory) >= 8
    return directory


def test_sixty_seconds(toured: Path) -> None:
    assert (toured / "walk.mcap").is_file()
    code = block("Sixty seconds", "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=toured, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 10


def test_compress_export_verify(toured: Path) -> None:
    if missing():
        pytest.skip(f"something is missing: {missing()}")
    assert run_as_printed("Compress, export, verify", toured) >= 5
    assert (toured / "build" / "chip" / "c" / "eh_model.c").is_file()
    assert (toured / "build" / "pi" / "small.onnx").is_file()

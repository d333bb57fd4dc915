"""What an emulated Linux board still needs is said by name; nothing here starts an emulator."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgehar.verify.aarch64 import Aarch64Target
from edgehar.verify.target import Subject
from tests.factories import random_bundle


def target(name: str) -> Aarch64Target:
    return Aarch64Target(name, Subject(random_bundle("fastgrnn", window=8, hop=8)))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root directory that looks complete."""
    packages = tmp_path / "opt" / "edgehar" / "venv" / "lib" / "python3.11" / "site-packages"
    for name in ("numpy", "safetensors", "numba", "ai_edge_litert", "onnxruntime"):
        (packages / name).mkdir(parents=True)
    monkeypatch.setenv("EDGEHAR_ARM64_ROOT", str(tmp_path))
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda tool: "/usr/bin/x" if tool.startswith("qemu-") else found(tool))
    return tmp_path


def test_a_complete_root_can_be_used(root: Path) -> None:
    for runtime in ("reference", "numba", "litert", "onnxruntime"):
        assert target(f"cortex-a53:{runtime}").missing() is None


def test_what_is_missing_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = root / "opt" / "edgehar" / "venv" / "lib" / "python3.11" / "site-packages"
    (wheels / "numba").rmdir()
    assert "pip install numba there" in (target("cortex-a72:numba").missing() or "")
    assert target("cortex-a72:reference").missing() is None
    shutil.rmtree(root / "opt")
    assert "opt/edgehar/venv" in (target("cortex-a72:reference").missing() or "")
    monkeypatch.delenv("EDGEHAR_ARM64_ROOT")
    assert "EDGEHAR_ARM64_ROOT" in (target("cortex-a72:reference").missing() or "")


def test_a_mounted_proc_is_refused_where_the_cpu_is_looked_up(root: Path) -> None:
    (root / "proc" / "self").mkdir(parents=True)
    assert f"umount {root}/proc" in (target("cortex-a72:onnxruntime").missing() or "")
    assert target("cortex-a72:reference").missing() is None

"""The service file verifies, the installer refuses what it cannot serve, the Jetson chooser tells the truth."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
INSTALL = DEPLOY / "raspberry-pi" / "install.sh"


def test_unit_verifies(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing: apt-get install systemd")
    text = (DEPLOY / "systemd" / "edgehar@.service").read_text()
    # Verification looks for the program; the installer puts it there.
    unit = tmp_path / "edgehar@wrist.service"
    unit.write_text(text.replace("/opt/edgehar/venv/bin/edgehar", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(unit) not in done.stderr, done.stderr


def test_unit_runs_unprivileged() -> None:
    text = (DEPLOY / "systemd" / "edgehar@.service").read_text()
    assert "\nUser=edgehar\n" in text
    assert "\nNoNewPrivileges=yes\n" in text
    assert "\nCapabilityBoundingSet=\n" in text


@pytest.mark.parametrize(
    ("arguments", "code", "says"), [(["--nonsense", "x"], 2, "unknown option"), (["--name"], 2, "needs a value")]
)
def test_installer_refuses(arguments: list[str], code: int, says: str) -> None:
    done = subprocess.run(["sh", str(INSTALL), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert says in done.stderr


def test_installer_asks_for_bluez_before_it_changes_anything(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the installer runs as root only")
    (tmp_path / "python3").symlink_to(Path(sys.executable).resolve())
    for tool in ("sh", "id", "uname", "dirname"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    (tmp_path / "watch.edgehar").touch()
    arguments = ["--bundle", str(tmp_path / "watch.edgehar"), "--source", "wrist=ble:auto"]
    done = subprocess.run(
        [tmp_path / "sh", str(INSTALL), *arguments],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "needs BlueZ" in done.stderr
    assert "apt-get install bluez" in done.stderr


def traced_install(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installer's steps up to where it would add a user, as its shell traces them; nothing is changed."""
    (tmp_path / "watch.edgehar").touch()
    for name, does in (("id", '[ "$1" = -u ] && echo 0'), ("useradd", "exit 77")):
        stub = tmp_path / name
        stub.write_text(f"#!/bin/sh\n{does}\n")
        stub.chmod(0o755)
    return subprocess.run(
        ["sh", "-x", str(INSTALL), "--bundle", str(tmp_path / "watch.edgehar"), *arguments],
        env={**os.environ, "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("source", "extra"),
    [("csi:auto", "[serial]"), ("leg=imu:/dev/ttyACM0", "[serial]"), ("virtual:imu", ""), ("tcp:host:1", "")],
)
def test_installer_brings_what_the_source_needs(source: str, extra: str, tmp_path: Path) -> None:
    done = traced_install(tmp_path, "--source", source)
    assert done.returncode == 77, done.stderr
    chosen = [line for line in done.stderr.splitlines() if line.startswith("+ package=")][-1]
    assert chosen.strip("'").endswith("[serial]") == bool(extra)


@pytest.mark.parametrize("name", ["../ssh", "a b", "", ".hidden"])
def test_installer_refuses_a_name_that_is_a_path(name: str, tmp_path: Path) -> None:
    done = traced_install(tmp_path, "--source", "virtual:imu", "--name", name)
    assert done.returncode == 2
    assert "names no service" in done.stderr


def load_provider() -> ModuleType:
    spec = importlib.util.spec_from_file_location("provider", DEPLOY / "jetson" / "provider.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("available", "code", "first"),
    [
        (["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"], 0, "CUDAExecutionProvider"),
        (["AzureExecutionProvider", "CPUExecutionProvider"], 4, "CPUExecutionProvider"),
    ],
)
def test_provider_choice(
    available: list[str], code: int, first: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = ModuleType("onnxruntime")
    fake.__version__ = "1.99"  # type: ignore[attr-defined]
    fake.get_available_providers = lambda: available  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    assert load_provider().main(["--json"]) == code
    assert json.loads(capsys.readouterr().out)["providers"][0] == first


def test_provider_names_the_missing_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert load_provider().main([]) == 3
    assert "pip install" in capsys.readouterr().err

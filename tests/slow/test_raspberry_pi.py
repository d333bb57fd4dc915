"""The installer and the service's own command in an emulated 64-bit Raspberry Pi user-land with real aarch64 wheels.

Not silicon: qemu-user runs every aarch64 program of a Debian 12 root (what Raspberry Pi OS is made of) on this CPU.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgehar.bundle import open_bundle
from edgehar.cli.app import main

CLONE = Path(__file__).parents[2]
DEMO = CLONE / "edgehar" / "demo" / "demo.edgehar"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
NEEDS = "apt-get install mmdebstrap qemu-user-static binfmt-support arch-test"


def host_can_run_aarch64() -> None:
    """Skip by name, with the command that mends it, where the emulated root cannot be made."""
    if platform.machine() == "aarch64":
        return
    if os.geteuid() != 0:
        pytest.skip("needs root for chroot and binfmt_misc")
    missing = [
        tool for tool in ("mmdebstrap", "qemu-aarch64-static", "update-binfmts", "unshare") if not shutil.which(tool)
    ]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: {NEEDS}")
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], check=False)
    subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=False, capture_output=True)
    if not (BINFMT / "qemu-aarch64").exists():
        pytest.skip("the kernel refuses to register qemu-aarch64 with binfmt_misc")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian 12 arm64 root directory with Python; a ready one may be named by EDGEHAR_ARM64_ROOT."""
    host_can_run_aarch64()
    named = os.environ.get("EDGEHAR_ARM64_ROOT")
    path = Path(named) if named else tmp_path_factory.mktemp("arm64") / "root"
    if not path.is_dir():
        include = "--include=python3,python3-venv,ca-certificates"
        done = subprocess.run(
            ["mmdebstrap", "--architectures=arm64", "--variant=apt", include, "bookworm", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"no arm64 root could be made: {done.stderr.strip().splitlines()[-1]}")
    for file in ("etc/hosts", "etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
        source = Path("/") / file
        if source.exists():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path / file)
    return path


def enter(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the emulated root as a Cortex-A72 would see it; mounts vanish with the namespace."""
    script = f'mount --bind /proc {root}/proc && mount --bind /dev {root}/dev && exec chroot {root} "$@"'
    environment = {**os.environ, "QEMU_CPU": "cortex-a72", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    for name in ("PIP_FIND_LINKS", "OPENBLAS_CORETYPE", "VIRTUAL_ENV", "PYTHONPATH"):
        environment.pop(name, None)
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root after `deploy/raspberry-pi/install.sh` with a wheel, the demo bundle and a recording to replay."""
    wheels = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(CLONE)],
        check=True,
    )
    target = root / "srv"
    for wheel in wheels.glob("edgehar-*.whl"):
        shutil.copy(wheel, target)
    shutil.copytree(CLONE / "deploy", target / "deploy", dirs_exist_ok=True)
    shutil.copy(DEMO, target / "demo.edgehar")
    record(target / "wrist.mcap")
    wheel_name = next(wheels.glob("edgehar-*.whl")).name
    done = enter(
        root, "sh", "/srv/deploy/raspberry-pi/install.sh", "--package", f"/srv/{wheel_name}", "--name", "wrist",
        "--bundle", "/srv/demo.edgehar", "--source", "replay:/srv/wrist.mcap?speed=0",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def record(path: Path) -> None:
    """Twelve seconds of the simulated wrist, which is enough for several decisions."""
    path.unlink(missing_ok=True)  # a root that is kept holds the last run's
    source = "virtual:imu?seed=1&duration_s=12&speed=0"
    subprocess.run(
        [sys.executable, "-m", "edgehar", "record", "--source", source, "--out", str(path), "--subject", "virtual"],
        check=True,
    )


def test_service_files_are_in_place(installed: Path) -> None:
    settings = (installed / "etc/edgehar/wrist.env").read_text()
    assert "EDGEHAR_SOURCE=replay:/srv/wrist.mcap?speed=0" in settings
    unit = (installed / "etc/systemd/system/edgehar@.service").read_text()
    assert "User=edgehar" in unit
    assert open_bundle(installed / "etc/edgehar/wrist.edgehar").manifest.labels


@pytest.mark.parametrize("runtime", ["reference", "numba"])
def test_same_decisions_as_here_without_privileges(installed: Path, runtime: str) -> None:
    (installed / f"var/lib/edgehar/{runtime}.jsonl").unlink(missing_ok=True)
    done = enter(
        installed, "setpriv", "--reuid=edgehar", "--regid=edgehar", "--init-groups", "env", "HOME=/var/lib/edgehar",
        "NUMBA_CACHE_DIR=/var/lib/edgehar/numba", "/opt/edgehar/venv/bin/edgehar", "run", "/etc/edgehar/wrist.edgehar",
        "--source", "replay:/srv/wrist.mcap?speed=0", "--runtime", runtime,
        "--sink", f"jsonl:/var/lib/edgehar/{runtime}.jsonl",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    here = subprocess.run(
        [sys.executable, "-m", "edgehar", "run", str(DEMO), "--source", f"replay:{installed}/srv/wrist.mcap?speed=0",
         "--runtime", runtime, "--sink", "jsonl:-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    board = decisions((installed / f"var/lib/edgehar/{runtime}.jsonl").read_text())
    desk = decisions(here.stdout)
    assert len(board) == len(desk) > 2
    assert [d["label"] for d in board] == [d["label"] for d in desk]
    assert all(d["simulated"] for d in board)
    np.testing.assert_allclose([d["p"] for d in board], [d["p"] for d in desk], atol=1e-5)


def decisions(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines() if "label" in json.loads(line)]


@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a72"])
def test_every_python_runtime_agrees_there(
    installed: Path, cpu: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if platform.machine() == "aarch64":
        pytest.skip("this machine is such a board itself: edgehar verify runs the same runtimes without an emulator")
    wheels = ["ai-edge-litert>=2.0", "onnxruntime>=1.20,!=1.21.0"]
    done = enter(installed, "/opt/edgehar/venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", *wheels)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.setenv("EDGEHAR_ARM64_ROOT", str(installed))
    assert main(["verify", str(DEMO), "--targets", f"{cpu}:", "--windows", "16"]) == 0, capsys.readouterr().out

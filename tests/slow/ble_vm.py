"""Bluetooth in a virtual machine: Debian's kernel, bluetoothd, a virtual adapter, and tests/slow/ble_guest.py in it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.slow.linux_vm import debian_kernel, run_in_vm

ROOT = Path(__file__).parents[2]
NEEDS = "apt-get install bluez dbus"
BLUETOOTHD = "/usr/libexec/bluetooth/bluetoothd"
MODULES = ("hci_vhci", "uhid", "cmac", "ccm", "ecb", "algif_skcipher", "algif_hash")


def ble_acts(directory: Path, bundle: Path, recording: Path, seconds: float) -> dict[str, dict]:
    """What the guest did, by act. Skips where something is missing that can be installed."""
    for package in ("bumble", "bleak"):
        pytest.importorskip(package, reason="needs pip install 'edgehar[ble,virtual]'")
    missing = [tool for tool in ("dbus-daemon", "busctl", BLUETOOTHD) if not shutil.which(tool)]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: {NEEDS}")
    vm = debian_kernel(directory)
    loads = "\n".join(f"modprobe -d {vm.tree} -S {vm.version} {name} || exit 9" for name in MODULES)
    script = f"""
    {loads}
    mkdir -p /run/dbus
    ip link set lo up
    dbus-uuidgen --ensure=/etc/machine-id
    dbus-daemon --system --fork --nopidfile || exit 8
    {BLUETOOTHD} -n >/run/bluetoothd.log 2>&1 &
    cd {ROOT}
    HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={ROOT} OPENBLAS_NUM_THREADS=1 \\
        {sys.executable} tests/slow/ble_guest.py {bundle} {recording} {seconds} \\
        || {{ cat /run/bluetoothd.log; exit 7; }}
    """
    out = run_in_vm(vm, script, directory)
    return {act.pop("act"): act for act in map(json.loads, re.findall(r"^ACT (.*?)\r?$", out, re.MULTILINE))}

"""Flashing over real USB drivers: a gadget with a board's identity in a virtual machine, and the cable pulled."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.esp_images import application, build_directory
from tests.mock_board import needs_mock
from tests.slow.linux_vm import debian_kernel, run_in_vm

for package in ("esptool", "esp_idf_defs", "esp_idf_nvs_partition_gen", "serial"):
    pytest.importorskip(package, reason="needs pip install 'edgehar[flash,serial]'")
needs_mock()
ROOT = Path(__file__).parents[2]
MODULES = ("configfs", "dummy_hcd", "libcomposite", "usb_f_acm", "cdc_acm")


def test_a_usb_board_is_found_flashed_pulled_out_and_put_back(tmp_path):
    vm = debian_kernel(tmp_path)
    build = build_directory(tmp_path / "build", app=application(size=100_000))
    loads = "\n".join(f"modprobe -d {vm.tree} -S {vm.version} {name} || exit 9" for name in MODULES)
    script = f"""
    {loads}
    mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    cd {ROOT}
    HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={ROOT} OPENBLAS_NUM_THREADS=1 \\
        {sys.executable} tests/slow/usb_board_guest.py {build}
    """
    out = run_in_vm(vm, script, tmp_path)
    acts = {act["act"]: act for act in map(json.loads, re.findall(r"^ACT (.*?)\r?$", out, re.MULTILINE))}
    (board,) = json.loads(acts["list"]["out"])["boards"]
    assert (board["device"], board["native"], board["serial_number"]) == ("/dev/ttyACM0", True, "24:0A:C4:80:33:5F")
    assert acts["flash"]["code"] == 0, acts["flash"]
    assert json.loads(acts["flash"]["out"])["verified"] == ["md5", "read_back"]
    assert acts["hello"]["names"] == ["hall-01"]
    assert acts["unplug"]["code"] == 1
    assert "went away" in acts["unplug"]["err"]
    assert "plug the board in again" in acts["unplug"]["err"]
    assert json.loads(acts["again"]["out"]) == json.loads(acts["list"]["out"])

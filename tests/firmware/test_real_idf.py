"""The glue, type-checked against ESP-IDF's own headers: EDGEHAR_IDF names one checkout or more, colons between."""

import os
from pathlib import Path

import pytest

from edgehar.boards.flash.chips import CHIPS
from tests.firmware.core_cases import COMMON, FIRMWARE
from tests.firmware.csi_model import csi_bundle, emitted
from tests.firmware.glue import INFER
from tests.firmware.real_idf import Checkout
from tests.firmware.sensor_bus import DRIVERS
from tests.firmware.tidy import clang_tidy

CHECKOUTS = [Path(path).expanduser() for path in os.environ.get("EDGEHAR_IDF", "").split(":") if path]
PROJECTS = {"esp32s3_csi": (), "imu_ble": (DRIVERS,)}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHECKOUTS, reason="needs ESP-IDF: EDGEHAR_IDF=~/esp/esp-idf, cloned with --recursive"),
]


@pytest.mark.parametrize("chip", [chip.name for chip in CHIPS])
@pytest.mark.parametrize("project", PROJECTS)
@pytest.mark.parametrize("root", CHECKOUTS, ids=str)
def test_every_file_checks_against_esp_idfs_own_headers(root, project, chip, tmp_path, monkeypatch):
    checkout = Checkout(root)
    if not checkout.has(chip):
        pytest.skip(f"ESP-IDF {'.'.join(map(str, checkout.version))} does not know the {chip}")
    checkout.configure(project, chip, tmp_path, monkeypatch)
    ours = (FIRMWARE / project / "main", FIRMWARE / "esp32", *PROJECTS[project])
    sources = [path for place in ours for path in sorted(place.glob("*.c"))]
    flags = ["-Wall", "-Wextra", *(f"-I{path}" for path in (*ours, COMMON)), *checkout.flags(chip, tmp_path)]
    assert clang_tidy("clang-diagnostic-*", sources, flags) == ""
    if project == "esp32s3_csi":
        model = emitted(csi_bundle(), tmp_path / "model").directory
        flags += ["-DEH_ONBOARD=1", f"-I{model}", f"-I{INFER}"]
        assert clang_tidy("clang-diagnostic-*", [ours[0] / "onboard.c", INFER / "eh_infer.c"], flags) == ""

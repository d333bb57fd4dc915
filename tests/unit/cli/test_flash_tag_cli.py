"""Building and flashing the firmware of a tag, without a board."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from edgehar.boards import firmware_build
from edgehar.boards.flash.nvs import FORMAT, write_nvs
from edgehar.boards.flash.tag_settings import ROTATIONS, TagSettings
from edgehar.cli.app import main
from edgehar.errors import UsageError
from edgehar.wire.schema import schema
from tests.esp_images import application, build_directory
from tests.nvs_image import read_nvs

for package in ("esp_idf_defs", "esp_idf_nvs_partition_gen"):
    pytest.importorskip(package, reason="needs pip install 'edgehar[flash]'")

FIRMWARE = Path(__file__).parents[3] / "firmware"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and no builder on the path."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def built(directory, project="imu_ble"):
    """A build of the tag's firmware."""
    return str(build_directory(directory, app=application(project=project)))


def test_settings_reach_the_board_under_the_keys_that_its_firmware_reads(tmp_path):
    settings = TagSettings("left wrist", 200, 16, 0, 23)
    read = read_nvs(write_nvs(settings, 0x6000, tmp_path).read_bytes())["edgehar"]
    assert read == {"format": FORMAT, "name": "left wrist", "rate_hz": 200, "accel_g": 16, "gyro_dps": 0, "axes": 23}
    source = (FIRMWARE / "imu_ble" / "main" / "settings.c").read_text()
    told = set(re.findall(r'(?:nvs_get_u\d+\(store->nvs|eh_store_text\(store), "(\w+)"', source))
    assert told == set(read) - {"format"}


def test_axes_are_those_of_the_wire():
    assert len(schema().axes) == ROTATIONS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "--id"),
        ({"rate_hz": 0}, "--rate 0"),
        ({"rate_hz": 2001}, "--rate 2001"),
        ({"accel_range_g": 3}, "--accel 3"),
        ({"gyro_range_dps": 100}, "--gyro 100"),
        ({"axes": 24}, "--axes 24"),
    ],
)
def test_a_setting_that_cannot_be_names_its_option(change, said):
    with pytest.raises(UsageError, match=said):
        TagSettings(**({"name": "wrist"} | change))


def test_a_tags_dry_run_shows_its_settings_and_asks_for_no_network(tmp_path, capsys):
    options = ["--firmware", "imu_ble", "--build-dir", built(tmp_path / "b"), "--id", "wrist", "--accel", "16"]
    assert main(["flash", *options, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["firmware"]["project"] == "imu_ble"
    assert told["settings"] == {
        "id": "wrist",
        "rate_hz": 100,
        "accel_range_g": 16,
        "gyro_range_dps": 1000,
        "axes": 0,
    }


def test_settings_of_the_other_firmware_are_refused(tmp_path, capsys):
    assert main(["flash", "--build-dir", built(tmp_path / "b"), "--dry-run"]) == 2
    assert "--firmware imu_ble" in capsys.readouterr().err
    csi = built(tmp_path / "c", "esp32s3_csi")
    assert main(["flash", "--firmware", "imu_ble", "--build-dir", csi, "--dry-run"]) == 2
    assert "--firmware esp32s3_csi" in capsys.readouterr().err
    assert main(["flash", "--firmware", "imu", "--dry-run"]) == 2
    assert "no firmware 'imu'" in capsys.readouterr().err


def test_without_firmware_the_tags_build_is_named(capsys):
    assert main(["flash", "--firmware", "imu_ble"]) == 3
    err = capsys.readouterr().err
    assert "edgehar firmware build imu_ble --chip esp32s3" in err
    assert "-C /build/src/imu_ble" in err


def test_a_tags_build_lies_beside_the_boards(cache, capsys):
    built(firmware_build.cache_root() / "imu_ble-esp32s3")
    assert main(["flash", "--firmware", "imu_ble", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chip"] == "esp32s3"
    assert main(["flash", "--dry-run"]) == 3  # none of a board


def test_boschs_file_is_checked_and_goes_where_the_build_takes_it_from(cache, capsys):
    source = cache / "bmi270.c"
    options = ["firmware", "build", "imu_ble", "--with", "podman", "--dry-run"]
    assert main([*options, "--bmi270", str(source)]) == 0
    line = capsys.readouterr().out
    build = firmware_build.cache_root() / "imu_ble-esp32s3"
    assert line.startswith(shlex.join(["install", "-D", str(source), str(build / "bmi270.c")]))
    assert "-DBMI270=/build/bmi270.c" in line
    assert main(["firmware", "build", "imu_ble", "--bmi270", str(source)]) == 3
    assert "BMI270_SensorAPI" in capsys.readouterr().err
    source.write_text("int x;")
    assert main(["firmware", "build", "imu_ble", "--bmi270", str(source)]) == 5
    assert "has no bmi270_config_file[]" in capsys.readouterr().err
    source.write_text("const uint8_t bmi270_config_file[] = {0};")
    assert main(["firmware", "build", "imu_ble", "--bmi270", str(source)]) == 3  # no builder here
    assert (build / "bmi270.c").read_text() == source.read_text()
    assert main(["firmware", "build", "--bmi270", str(source), "--dry-run"]) == 2
    assert "edgehar firmware build imu_ble --bmi270 FILE" in capsys.readouterr().err

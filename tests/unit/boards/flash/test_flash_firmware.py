"""Builds, merged images and lone applications as parts of the flash; what does not fit is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgehar.boards.flash.chips import chip_named
from edgehar.boards.flash.firmware import read_build, read_file
from edgehar.boards.flash.flash import parts_json, plan
from edgehar.boards.flash.settings import Settings
from edgehar.errors import EdgeHarError, InputError, MissingError, UsageError
from edgehar.wire.messages import Role
from tests.esp_images import PARTITIONS, application, build_directory, image, merged
from tests.nvs_image import read_nvs

for package in ("esp_idf_defs", "esp_idf_nvs_partition_gen"):
    pytest.importorskip(package, reason="needs pip install 'edgehar[flash]'")
SETTINGS = Settings(Role.SENDER, 6, 100, "hall-01")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return build_directory(tmp_path / "build")


def change(build: Path, **files: str) -> Path:
    told = json.loads((build / "flasher_args.json").read_text())
    told["flash_files"] |= files
    (build / "flasher_args.json").write_text(json.dumps(told))
    return build


def test_a_build_has_its_parts_in_order(build):
    firmware = read_build(build, None)
    assert [(part.name, part.offset) for part in firmware.parts] == [
        ("bootloader.bin", 0),
        ("partition-table.bin", 0x8000),
        ("esp32s3_csi.bin", 0x10000),
    ]
    assert firmware.chip.name == "esp32s3"
    assert firmware.application.version == "0.1.0"
    assert firmware.has_bootloader


@pytest.mark.parametrize("chip", ["esp32", "esp32s3", "esp32c6"])
def test_a_merged_image_is_taken_apart_into_the_same_parts(chip, tmp_path):
    build = build_directory(tmp_path / "build", chip)
    (tmp_path / "merged.bin").write_bytes(merged(build) + b"\xff" * 5000)
    whole, parts = read_file(tmp_path / "merged.bin", None), read_build(build, None)
    assert [(part.offset, part.content) for part in whole.parts] == [
        (part.offset, part.content) for part in parts.parts
    ]
    assert whole.chip is parts.chip is chip_named(chip)


def test_a_hash_that_ends_like_erased_flash_is_kept(tmp_path):
    seed = next(i for i in range(2000) if application(size=400, seed=i)[-1] == 0xFF)
    build = build_directory(tmp_path / "build", app=application(size=400, seed=seed))
    (tmp_path / "merged.bin").write_bytes(merged(build))
    assert read_file(tmp_path / "merged.bin", None).application.is_application


def test_an_application_alone_brings_the_table_that_it_is_written_for(tmp_path):
    (tmp_path / "app.bin").write_bytes(application())
    firmware = read_file(tmp_path / "app.bin", PARTITIONS)
    assert [part.offset for part in firmware.parts] == [0x8000, 0x10000]
    assert not firmware.has_bootloader
    with pytest.raises(MissingError, match="no partition table"):
        read_file(tmp_path / "app.bin", None)


def test_a_boot_loader_alone_is_not_enough(tmp_path):
    (tmp_path / "bootloader.bin").write_bytes(image())
    with pytest.raises(InputError, match="neither an application nor a merged image"):
        read_file(tmp_path / "bootloader.bin", PARTITIONS)


def test_settings_go_where_the_table_says(build):
    parts = plan(read_build(build, None), SETTINGS, chip_named("esp32s3"))
    part = next(part for part in parts if part.offset == 0x9000)
    assert len(part.content) == 0x6000
    assert read_nvs(part.content)["edgehar"]["role"] == 1
    assert "sha256" not in next(row for row in parts_json(parts) if row["name"] == "settings")


def test_settings_of_the_build_give_way_to_the_boards(build):
    (build / "nvs.bin").write_bytes(b"\xff" * 0x3000)
    parts = plan(read_build(change(build, **{"0x9000": "nvs.bin"}), None), SETTINGS, chip_named("esp32s3"))
    assert [part.name for part in parts if part.offset == 0x9000] == ["settings"]


def test_what_is_no_image_in_an_application_partition_is_refused(build):
    (build / "esp32s3_csi.bin").write_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(InputError, match=r"esp32s3_csi\.bin: first byte is 0x7f"):
        read_build(build, None)


def test_an_application_larger_than_its_partition_is_refused(tmp_path):
    csv = PARTITIONS.replace("0x180000", "64K")
    build = build_directory(tmp_path / "build", app=application(size=70_000), csv=csv)
    with pytest.raises(InputError, match=r"has 70304 bytes, its partition `factory` 65536"):
        read_build(build, None)


def test_parts_that_overlap_are_refused(build):
    (build / "bootloader/bootloader.bin").write_bytes(image(bodies=(bytes(0x2000),)))
    (build / "phy.bin").write_bytes(image())
    change(build, **{"0x1000": "phy.bin"})
    with pytest.raises(InputError, match=r"bootloader\.bin .* overlaps phy\.bin"):
        read_build(build, None)


def test_an_incomplete_build_names_the_file(build, tmp_path):
    (build / "esp32s3_csi.bin").unlink()
    with pytest.raises(MissingError, match="esp32s3_csi.bin, which is not there"[:15]):
        read_build(build, None)
    with pytest.raises(MissingError, match=r"no flasher_args\.json"):
        read_build(tmp_path, None)
    (tmp_path / "flasher_args.json").write_text("[1]")
    with pytest.raises(InputError, match="no flash_files"):
        read_build(tmp_path, None)


def test_a_chip_without_firmware_is_refused(tmp_path):
    (tmp_path / "app.bin").write_bytes(application("esp32h2"))
    with pytest.raises(UsageError, match="esp32h2"):
        read_file(tmp_path / "app.bin", PARTITIONS)


def test_a_part_beyond_the_flash_is_refused(build):
    firmware = read_build(build, None)
    firmware.check(chip_named("esp32s3"), 2 << 20)
    with pytest.raises(EdgeHarError, match="ends at 0x190000, the board's flash at 0x100000"):
        firmware.check(chip_named("esp32s3"), 1 << 20)

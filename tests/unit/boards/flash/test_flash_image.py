"""Images are read as the boot loader reads them, and refused for the chip they are not for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgehar.boards.flash.chips import CHIPS, chip_named, chip_titled
from edgehar.boards.flash.image import check_chip, is_image, read_image
from edgehar.errors import EdgeHarError, InputError, Reason, UsageError
from tests.esp_images import application, image


def test_an_application_says_what_it_is():
    content = application()
    read = read_image(content + b"\xff" * 100, "app.bin")
    assert (read.project, read.version, read.idf_version) == ("esp32s3_csi", "0.1.0", "v5.5.1")
    assert read.is_application
    assert read.chip_id == 9
    assert read.length == len(content)


def test_a_boot_loader_has_no_description():
    read = read_image(image(hashed=False), "bootloader.bin")
    assert not read.is_application
    assert is_image(image())
    assert not is_image(b"")


def test_esptool_reads_the_same(tmp_path):
    pytest.importorskip("esptool", reason="needs pip install 'edgehar[flash]'")
    (tmp_path / "app.bin").write_bytes(application())
    command = [sys.executable, "-m", "esptool", "image-info", str(tmp_path / "app.bin")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Chip ID: 9 (ESP32-S3)" in told
    assert "Checksum: " in told
    assert "(valid)" in told
    assert "Project name: esp32s3_csi" in told


@pytest.mark.parametrize("keep", [0, 10, 23, 24, 31, 32, 60, -33, -32, -31, -1])
def test_an_image_cut_short_is_refused(keep):
    with pytest.raises(InputError) as cut:
        read_image(image()[:keep], "app.bin")
    assert str(cut.value).startswith("app.bin: ")


def test_every_flipped_bit_behind_the_header_is_noticed():
    content = image()
    for position in range(24, len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 0x10
        with pytest.raises(InputError):
            read_image(bytes(flipped), "app.bin")


def test_what_is_no_image_is_named():
    with pytest.raises(InputError, match="first byte is 0x7f"):
        read_image(b"\x7fELF" + bytes(60), "app.elf")
    with pytest.raises(InputError, match="0 segments"):
        read_image(b"\xe9" + bytes(60), "app.bin")


def test_the_wrong_chip_is_refused_by_both_names():
    check_chip(read_image(application("esp32s3"), "app.bin"), chip_named("esp32s3"), "app.bin")
    with pytest.raises(EdgeHarError, match=r"app\.bin is for the ESP32-S3, the board is an ESP32-C3") as wrong:
        check_chip(read_image(application("esp32s3"), "app.bin"), chip_named("esp32c3"), "app.bin")
    assert wrong.value.reason is Reason.CONTRACT
    assert wrong.value.hint == "edgehar firmware build --chip esp32c3"
    with pytest.raises(EdgeHarError, match="for the ESP32-H2"):
        check_chip(read_image(application("esp32h2"), "app.bin"), chip_named("esp32c3"), "app.bin")


def test_chips_are_known_by_both_spellings():
    for chip in CHIPS:
        assert chip_named(chip.name) is chip_titled(chip.title) is chip
    with pytest.raises(UsageError, match="esp32h2"):
        chip_titled("ESP32-H2")


def test_esptool_agrees_on_the_ids():
    program = Path(sys.executable).with_name("esp32-mock-bootloader")  # lists esptool's own table
    if not program.exists():
        pytest.skip("needs pip install esp32-mock-bootloader")
    told = json.loads(subprocess.run([program, "chips", "--json"], capture_output=True, text=True, check=True).stdout)
    assert {chip.name: chip.image_id for chip in CHIPS} == {
        chip.name: told[chip.name]["image_chip_id"] for chip in CHIPS
    }

"""The tag's glue is type-checked for the chips' processors, and its configuration holds together with the rest."""

import re
import shutil
import subprocess

import pytest

import edgehar
from edgehar.boards.flash.chips import CHIPS
from edgehar.boards.flash.partitions import table_from_csv
from tests.firmware.glue import ESP32
from tests.firmware.sensor_bus import CONFIG_BYTES, DRIVERS
from tests.firmware.tag_glue import GLUE, MAIN, SOURCES
from tests.firmware.tidy import tidy_glue

DRIVER_SOURCES = sorted(DRIVERS.glob("*.c"))


def tidy(chip, *defines, sources=SOURCES, paths=True, version=(5, 5)):
    return tidy_glue(chip, version, *defines, sources=sources, includes=(ESP32, DRIVERS, MAIN), paths=paths)


@pytest.mark.parametrize("chip", ["esp32s3", "esp32c6"])
def test_every_file_checks_for_either_processor(chip):
    assert tidy(chip) == ""
    assert tidy(chip, sources=DRIVER_SOURCES, paths=False) == ""


@pytest.mark.parametrize("chip", sorted({chip.name for chip in CHIPS} - {"esp32s3", "esp32c6"}))
def test_what_chips_have_different_checks_for_each(chip):
    assert tidy(chip, sources=[MAIN / name for name in ("battery.c", "host_ble.c", "host_cable.c")]) == ""


def test_either_bus_and_either_way_to_the_host_check():
    sources = [MAIN / name for name in ("bus_spi.c", "bus_i2c.c", "host_cable.c", "host_ble.c", "gatt.c", "tag.c")]
    for chip in ("esp32s3", "esp32c6"):
        assert tidy(chip, "CONFIG_EDGEHAR_SENSOR_SPI=1", "CONFIG_EDGEHAR_HOST_CABLE=1", sources=sources) == ""


@pytest.mark.parametrize("version", [(5, 0, 5), (5, 1, 2), (5, 2), (6, 0)])
def test_every_version_of_esp_idf_has_a_driver_for_the_sensors_bus(version):
    sources = [MAIN / name for name in ("bus_i2c.c", "bus_i2c_legacy.c", "battery.c")]
    assert tidy("esp32s3", sources=sources, version=version) == ""


def test_a_build_without_nimble_is_refused():
    assert "NimBLE is off: start from sdkconfig.defaults" in tidy(
        "esp32s3", "FAKE_WITHOUT_NIMBLE", sources=[MAIN / "host_ble.c"]
    )
    assert "CONFIG_BT_NIMBLE_ENABLED=y" in (GLUE / "sdkconfig.defaults").read_text()


def test_a_misspelt_member_is_found(tmp_path):
    wrong = tmp_path / "host_ble.c"
    wrong.write_text((MAIN / "host_ble.c").read_text().replace("cur_notify", "cur_notfy"))
    assert "no member named 'cur_notfy'" in tidy("esp32s3", sources=[wrong])


def test_the_build_lists_every_source():
    listed = set(re.findall(r"\b(\w+\.c)\b", (MAIN / "CMakeLists.txt").read_text()))
    assert listed == {source.name for source in SOURCES}


def test_the_version_is_edgehars():
    assert f'PROJECT_VER "{edgehar.__version__}"' in (GLUE / "CMakeLists.txt").read_text()


def test_the_partition_table_is_sound_and_fits_two_megabytes():
    pytest.importorskip("esp_idf_defs", reason="pip install esp-idf-defs")
    table = table_from_csv((GLUE / "partitions.csv").read_text(), "partitions.csv")
    assert table.settings().size_bytes == 0x6000
    assert table.flash_bytes <= 2 << 20


def test_each_chip_has_its_defaults():
    for chip in CHIPS:
        assert (GLUE / f"sdkconfig.defaults.{chip.name}").is_file()
    for path in GLUE.glob("sdkconfig.defaults*"):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert all(re.fullmatch(r'CONFIG_\w+=(?:y|n|\d+|".*")', line) for line in lines), path


def test_every_option_of_the_code_is_in_its_menu():
    menus = (MAIN / "Kconfig.projbuild").read_text() + (ESP32 / "Kconfig").read_text()
    menu = set(re.findall(r"config (EDGEHAR_\w+)", menus))
    sources = [*SOURCES, *ESP32.glob("*.c")]
    used = {name for path in sources for name in re.findall(r"CONFIG_(EDGEHAR_\w+)", path.read_text())}
    assert used <= menu
    assert menu - used <= {"EDGEHAR_LINK", "EDGEHAR_LINK_UART", "EDGEHAR_HOST", "EDGEHAR_SENSOR_BUS"}


def bytes_of(source, out):
    """What bmi270_bytes.cmake does with a source of Bosch's."""
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed: apt-get install cmake")
    command = ["cmake", f"-DSOURCE={source}", f"-DOUT={out}", "-P", str(GLUE / "bmi270_bytes.cmake")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_bmi270s_file_is_taken_out_of_boschs_source(tmp_path):
    source, out = tmp_path / "bmi270.c", tmp_path / "bytes.inc"
    numbers = ", ".join(f"0x{i % 256:02x}" for i in range(CONFIG_BYTES))
    source.write_text(
        f"int a[] = {{ 1 }};\nconst uint8_t bmi270_config_file[] = {{\n    {numbers}\n}};\nint b[] = {{ 2 }};\n"
    )
    assert bytes_of(source, out).returncode == 0
    assert [int(number, 16) for number in out.read_text().split(",")] == [i % 256 for i in range(CONFIG_BYTES)]
    built = subprocess.run(
        ["gcc", "-std=gnu17", f'-DEH_BMI270_BYTES="{out}"', "-fsyntax-only", str(MAIN / "bmi270_config.c")], check=False
    )
    assert built.returncode == 0
    source.write_text("int a[] = { 1 };\n")
    done = bytes_of(source, out)
    assert done.returncode != 0
    assert "take bmi270.c of Bosch's BMI270_SensorAPI" in done.stderr

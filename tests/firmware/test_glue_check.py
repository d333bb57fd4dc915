"""The glue is type-checked for the chips' processor, and its configuration holds together with the rest."""

import os
import re
import shutil
import subprocess

import pytest

import edgehar
from edgehar.boards.firmware_model import INPUT_HEADER
from edgehar.boards.flash.chips import CHIPS
from edgehar.boards.flash.nvs import FORMAT, NAMESPACE
from edgehar.boards.flash.partitions import table_from_csv
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.messages import Link, Role
from tests.firmware.csi_model import csi_bundle, emitted
from tests.firmware.glue import ESP32, GLUE, INFER, MAIN, SOURCES
from tests.firmware.tidy import tidy_glue
from tests.quantised import quantised

VERSIONS = [(5, 0, 5), (5, 1, 2), (5, 1, 3), (5, 2), (5, 5), (6, 0)]
INCLUDES = (ESP32, MAIN)


def tidy(chip, version=(5, 5), *defines, sources=SOURCES):
    """What clang-tidy says of the board's sources for `chip` and a version of ESP-IDF; "" where all is well."""
    return tidy_glue(chip, version, *defines, sources=sources, includes=INCLUDES)


@pytest.mark.parametrize("chip", [chip.name for chip in CHIPS])
def test_every_file_checks_for_every_chip(chip):
    assert tidy(chip) == ""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("chip", ["esp32s3", "esp32c6"])
def test_every_file_checks_for_old_and_new_versions_of_esp_idf(chip, version):
    names = ("traffic.c", "width.c", "radio.c", "reports.c")  # where versions differ
    assert tidy(chip, version, sources=[*(MAIN / name for name in names), ESP32 / "link_usb.c"]) == ""


@pytest.mark.parametrize("version", [(4, 4, 7), (5, 0, 4), (5, 1, 0), (5, 1, 1)])
def test_a_version_whose_driver_lies_is_refused(version):
    assert "ESP-IDF 5.0.5, 5.1.2 or newer is needed" in tidy("esp32s3", version, sources=[ESP32 / "link_usb.c"])


@pytest.mark.parametrize("version", [(5, 0, 5), (5, 5)])
def test_a_build_without_csi_is_refused(version):
    said = tidy("esp32s3", version, "FAKE_WITHOUT_CSI", sources=[MAIN / "radio.c"])
    assert "CSI is off: start from sdkconfig.defaults" in said


def test_a_field_that_the_chip_has_not_is_found(tmp_path):
    wrong = tmp_path / "csi_frame.c"
    wrong.write_text((MAIN / "csi_frame.c").read_text().replace("rx->noise_floor", "rx->noise_flor"))
    assert "no member named 'noise_flor'" in tidy("esp32s3", sources=[wrong])


@pytest.mark.parametrize("link", ["USB", "UART"])
def test_either_link_can_be_configured_alone(link):
    sources = [ESP32 / name for name in ("link.c", "link_usb.c", "link_uart.c")]
    assert tidy("esp32s3", (5, 5), f"CONFIG_EDGEHAR_LINK_{link}=1", sources=sources) == ""


@pytest.mark.parametrize("chip", ["esp32s3", "esp32c3"])
def test_a_model_and_what_feeds_it_check_for_both_processors(chip, tmp_path):
    model = emitted(quantised(csi_bundle(), "int8"), tmp_path / "model")
    sources = [MAIN / "onboard.c", INFER / "eh_infer.c", *model.sources]
    includes = (*INCLUDES, INFER, model.directory)
    assert tidy_glue(chip, (5, 5), "EH_ONBOARD=1", sources=sources, includes=includes) == ""


def test_a_model_of_another_version_is_refused(tmp_path):
    model = emitted(csi_bundle(), tmp_path / "model")
    header = model.directory / INPUT_HEADER
    header.write_text(re.sub("#define EH_INPUT_FORMAT .*", "", header.read_text()))
    said = tidy_glue("esp32s3", (5, 5), sources=[INFER / "eh_infer.c"], includes=(*INCLUDES, INFER, model.directory))
    assert "export the model again" in said


def test_the_build_lists_every_source():
    listed = set(re.findall(r"\b(\w+\.c)\b", (MAIN / "CMakeLists.txt").read_text()))
    assert listed == {source.name for source in MAIN.glob("*.c")}  # the core's and the shared ones it globs


def test_the_version_is_edgehars():
    found = re.search(r'PROJECT_VER "(.+)"', (GLUE / "CMakeLists.txt").read_text())
    assert found is not None
    assert found[1] == edgehar.__version__


def test_settings_are_read_as_they_are_written():
    source = (MAIN / "settings.c").read_text()
    store = (ESP32 / "store.h").read_text() + (ESP32 / "store.c").read_text()
    assert f'NAMESPACE "{NAMESPACE}"' in store
    assert f"FORMAT {FORMAT}u" in store
    assert set(re.findall(r'(?:nvs_get_u\d+\(store->nvs|eh_store_text\(store), "(\w+)"', store)) == {"format"}
    calls = set(re.findall(r'(?:nvs_get_u\d+\(store->nvs|eh_store_text\(store), "(\w+)"', source))
    assert calls == {"role", "channel", "rate_hz", "name", "ssid", "psk"}
    numbers = dict(
        re.findall(r"EH_(?:ROLE|LINK)_(\w+) = (\d)", (MAIN / "settings.h").read_text() + (ESP32 / "link.h").read_text())
    )
    assert {name: int(value) for name, value in numbers.items()} == {
        "RECEIVER": Role.RECEIVER,
        "SENDER": Role.SENDER,
        "UART": Link.UART,
        "USB": Link.USB,
    }


def test_the_pages_example_runs(tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc libc6-dev")
    page = (GLUE.parents[1] / "docs" / "firmware.md").read_text()
    (block,) = re.findall(r"```sh\n(out=.*?)```", page, re.DOTALL)
    done = subprocess.run(
        ["bash", "-euc", block],
        cwd=GLUE.parents[1],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (said,) = tmp_path.glob("*/wire.bin")
    assert FrameDecoder().push(said.read_bytes()) == []
    assert "sent 65686172" in done.stderr


def test_the_partition_table_is_sound_and_fits_two_megabytes():
    pytest.importorskip("esp_idf_defs", reason="pip install esp-idf-defs")
    table = table_from_csv((GLUE / "partitions.csv").read_text(), "partitions.csv")
    assert table.settings().size_bytes == 0x6000
    assert table.first_application().offset == 0x10000
    assert table.flash_bytes <= 2 << 20


def test_each_chip_has_its_defaults_and_csi_is_on_in_all():
    defaults = (GLUE / "sdkconfig.defaults").read_text()
    assert "CONFIG_ESP_WIFI_CSI_ENABLED=y" in defaults
    assert "CONFIG_ESP32_WIFI_CSI_ENABLED=y" in defaults  # before ESP-IDF 5.1
    for chip in CHIPS:
        assert (GLUE / f"sdkconfig.defaults.{chip.name}").is_file()
    for path in GLUE.glob("sdkconfig.defaults*"):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert all(re.fullmatch(r'CONFIG_\w+=(?:y|n|\d+|".*")', line) for line in lines), path


def test_every_option_of_the_code_is_in_its_menu():
    menus = (MAIN / "Kconfig.projbuild").read_text() + (ESP32 / "Kconfig").read_text()
    menu = set(re.findall(r"config (EDGEHAR_\w+)", menus))
    used = {name for path in SOURCES for name in re.findall(r"CONFIG_(EDGEHAR_\w+)", path.read_text())}
    assert used <= menu
    assert menu - used <= {"EDGEHAR_LINK", "EDGEHAR_LINK_UART"}  # the choice, and what is left of it

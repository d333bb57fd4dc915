"""Whole provisioning of a mock board, by esptool as it is, and every way in which it can go wrong."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from edgehar.boards.flash.chips import chip_named
from edgehar.boards.flash.esptool import Board, Esptool
from edgehar.boards.flash.firmware import read_build, read_file
from edgehar.boards.flash.flash import flash
from edgehar.boards.flash.hello import check_hello, wait_for_hello
from edgehar.boards.flash.private import PREFIX
from edgehar.boards.flash.settings import Settings
from edgehar.cli.app import main
from edgehar.errors import EdgeHarError, MissingError, Reason
from edgehar.wire.encode import encode_hello
from edgehar.wire.messages import Hello, Role
from tests.esp_images import PARTITIONS, application, build_directory, merged
from tests.mock_board import (
    DEFL_DATA,
    ERASE_FLASH,
    FLASH_DATA,
    FOUR_MB,
    MockBoard,
    answer_8_mb,
    flip_written_bit,
    fold_8_mb,
    needs_mock,
    unplug_at,
)
from tests.nvs_image import read_nvs

for package in ("esptool", "esp_idf_defs", "esp_idf_nvs_partition_gen", "serial"):
    pytest.importorskip(package, reason="needs pip install 'edgehar[flash,serial]'")
needs_mock()
SECRET = "correct horse battery"
SETTINGS = Settings(Role.RECEIVER, 6, 100, "hall-01", "lab-ap", SECRET)
HELLO = Hello(boot=1, t_us=1, chip="esp32s3", firmware="0.1.0", name="hall-01", rate_hz=100, channel=6)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return build_directory(tmp_path / "build")


def run(board: MockBoard, build: Path, **changes: object) -> tuple[Esptool, Board]:
    """Flash `build` with SETTINGS."""
    tool = Esptool(board.port, connect_attempts=2, **changes)  # type: ignore[arg-type]
    found = tool.probe()
    flash(tool, found, read_build(build, None), SETTINGS)
    return tool, found


def left_behind() -> set[str]:
    """Private directories of this user, wherever they may lie."""
    places = ("/dev/shm", "/tmp", os.environ.get("XDG_RUNTIME_DIR", "/dev/shm"))
    return {path.name for place in places for path in Path(place).glob(f"{PREFIX}*")}


@pytest.mark.parametrize("stub", [True, False], ids=["stub", "rom"])
def test_a_board_is_provisioned_and_holds_what_was_meant(stub, build, tmp_path):
    told: dict[str, list[tuple[int, int]]] = {}

    def steps(title: str):
        return lambda done, total: told.setdefault(title, []).append((done, total))

    with MockBoard(tmp_path) as board:
        tool = Esptool(board.port, stub=stub, connect_attempts=2)
        found = tool.probe()
        done = flash(tool, found, read_build(build, None), SETTINGS, erase=stub, progress=steps)
        held = tool.read(found.chip, 0, 0x10000 + len(application()), tmp_path / "held.bin")
    assert (found.chip.name, found.flash_bytes) == ("esp32s3", FOUR_MB)
    assert found.mac.startswith("24:0a:c4:")
    for offset, name in json.loads((build / "flasher_args.json").read_text())["flash_files"].items():
        content = (build / name).read_bytes()
        assert held[int(offset, 16) :][: len(content)] == content, name
    assert read_nvs(held[0x9000:0xF000])["edgehar"]["psk"] == SECRET
    assert (ERASE_FLASH in board.commands) == stub  # the mask ROM has no such command
    assert told["write"][-1] == (done.written_bytes, done.written_bytes)
    assert told["write"] == sorted(told["write"])
    assert told["read back esp32s3_csi.bin"][-1] == (20304, 20304)


def test_the_command_provisions_says_hello_and_lets_no_password_out(build, tmp_path, monkeypatch, capfd):
    started, opened = [], []
    sys.addaudithook(lambda event, args: started.append(args) if event == "subprocess.Popen" else None)
    monkeypatch.setenv("EDGEHAR_WIFI_PASSWORD", SECRET)
    before = left_behind()
    with MockBoard(tmp_path) as board:
        board.hello = encode_hello(replace(HELLO, role=Role.SENDER))
        board.to_board = lambda frame: opened.append(left_behind() - before) or frame
        options = ["--build-dir", str(build), "--ssid", "lab-ap", "--role", "sender", "--id", "hall-01", "--json"]
        assert main(["flash", "--port", board.port, *options]) == 0
    out, err = capfd.readouterr()
    told = json.loads(out)
    assert told["hello"]["role"] == "sender"
    assert told["settings"] == {
        "role": "sender",
        "channel": 6,
        "rate_hz": 100,
        "id": "hall-01",
        "ssid": "lab-ap",
        "password": True,
    }
    assert [part["name"] for part in told["parts"]] == [
        "bootloader.bin",
        "partition-table.bin",
        "settings",
        "esp32s3_csi.bin",
    ]
    assert "sha256" not in told["parts"][2]
    assert SECRET not in out + err
    ours = [args for args in started if "esptool" in args[1] or "esp_idf_nvs_partition_gen" in args[1]]
    assert len(ours) == 7  # the settings, probe, write, four parts read back
    for _, argv, _, environment in ours:
        assert SECRET not in " ".join(map(str, argv))
        assert SECRET not in str(environment)
    assert any(opened)  # the secrets lay somewhere while the board was written
    assert left_behind() == before


def test_the_pages_python_runs(build, tmp_path, capsys):
    page = (Path(__file__).parents[4] / "docs" / "flash.md").read_text()
    lines = page.partition("## From Python\n\n")[2].partition("\n\nesptool is licensed")[0].splitlines()
    code = "\n".join(line.removeprefix("    ") for line in lines)
    with MockBoard(tmp_path) as board:
        board.hello = encode_hello(HELLO)
        code = code.replace("/dev/ttyACM0", board.port).replace('Path("build")', f"Path({str(build)!r})")
        exec(code, {})
    assert "name='hall-01'" in capsys.readouterr().out


def test_a_merged_image_and_an_application_alone_are_flashed(build, tmp_path):
    (tmp_path / "merged.bin").write_bytes(merged(build))
    (tmp_path / "app.bin").write_bytes(application(seed=2))
    with MockBoard(tmp_path) as board:
        tool = Esptool(board.port, connect_attempts=2)
        found = tool.probe()
        alone = read_file(tmp_path / "app.bin", PARTITIONS)
        with pytest.raises(EdgeHarError, match="no boot loader at 0x0"):
            flash(tool, found, alone, SETTINGS)
        flash(tool, found, read_file(tmp_path / "merged.bin", None), SETTINGS)
        flash(tool, found, alone, SETTINGS)
        held = tool.read(found.chip, 0x10000, len(application()), tmp_path / "held.bin")
        with pytest.raises(EdgeHarError, match="--erase"):
            flash(tool, found, alone, SETTINGS, erase=True)
    assert held == application(seed=2)


# ---- what goes wrong


def test_the_wrong_chip_is_refused_before_anything_is_written(build, tmp_path):
    with MockBoard(tmp_path, "esp32c3") as board:
        with pytest.raises(EdgeHarError, match="is for the ESP32-S3, the board is an ESP32-C3") as wrong:
            run(board, build)
        assert not {FLASH_DATA, DEFL_DATA} & set(board.commands)
    assert wrong.value.hint == "edgehar firmware build --chip esp32c3"


def test_an_application_for_another_chip_is_refused_though_the_boot_loader_fits(tmp_path):
    build = build_directory(tmp_path / "build", "esp32c3", app=application("esp32s3"))
    with (
        MockBoard(tmp_path, "esp32c3") as board,
        pytest.raises(EdgeHarError, match=r"esp32s3_csi\.bin is for the ESP32-S3"),
    ):
        run(board, build)


def test_a_board_with_8_mb_takes_what_one_with_4_refuses(tmp_path):
    csv = PARTITIONS + "late, app, ota_0, 0x600000, 0x100000\n"
    build = build_directory(tmp_path / "build", csv=csv)
    late = application(seed=3)
    (build / "late.bin").write_bytes(late)
    told = json.loads((build / "flasher_args.json").read_text())
    told["flash_files"]["0x600000"] = "late.bin"
    (build / "flasher_args.json").write_text(json.dumps(told))
    with MockBoard(tmp_path) as board:
        with pytest.raises(EdgeHarError, match=r"`late` ends at 0x700000, the board's flash at 0x400000 \(4 MiB\)"):
            run(board, build)
        board.to_host, board.to_board = answer_8_mb, fold_8_mb
        tool, found = run(board, build)
        assert found.flash_bytes == 8 << 20
        assert tool.read(found.chip, 0x600000, len(late), tmp_path / "held.bin") == late


def test_a_bit_that_is_wrong_in_flash_is_noticed_by_the_chips_md5(build, tmp_path):
    with MockBoard(tmp_path) as board:
        tool = Esptool(board.port, connect_attempts=2)
        found = tool.probe()
        board.to_board = flip_written_bit(3, 8 * 1000 + 5)  # in the application, after three small parts
        with pytest.raises(EdgeHarError, match="does not hold what was written") as bad:
            flash(tool, found, read_build(build, None), SETTINGS)
    assert bad.value.reason is Reason.DAMAGED
    assert "--baud 115200" in bad.value.hint


def test_what_reads_back_differently_is_named_by_its_first_byte(build, tmp_path):
    class Forgetful(Esptool):
        def read(self, chip, offset, size, path, progress=None):
            held = bytearray(super().read(chip, offset, size, path, progress))
            if offset == 0x8000:
                held[0x23] ^= 4
            return bytes(held)

    with MockBoard(tmp_path) as board:
        tool = Forgetful(board.port, connect_attempts=2)
        with pytest.raises(EdgeHarError, match=r"partition-table\.bin differs in flash from 0x8023 on"):
            flash(tool, tool.probe(), read_build(build, None), SETTINGS)


@pytest.mark.slow  # esptool waits seconds for the port to come back
def test_a_cable_that_is_pulled_while_writing_leaves_no_secret(build, tmp_path):
    before = left_behind()
    with MockBoard(tmp_path) as board:
        tool = Esptool(board.port, connect_attempts=2)
        found = tool.probe()
        board.to_board = unplug_at(3)
        with pytest.raises(EdgeHarError, match=r"went away.*\(writing\)") as gone:
            flash(tool, found, read_build(build, None), SETTINGS)
    assert "plug the board in again" in gone.value.hint
    assert left_behind() == before


def test_a_silent_port_is_told_to_press_the_buttons(tmp_path):
    with MockBoard(tmp_path, chip=None) as board, pytest.raises(EdgeHarError, match="does not answer") as silent:
        Esptool(board.port, connect_attempts=1).probe()
    assert silent.value.hint.startswith("hold BOOT, press and release RST")
    assert "cable that carries data" in silent.value.hint


def test_a_port_that_goes_away_before_the_first_word_is_named():
    with pytest.raises(EdgeHarError, match="/dev/ttyNOPE: the board went away"):
        Esptool("/dev/ttyNOPE", connect_attempts=1).probe()


def test_without_esptool_the_install_command_is_named(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    tool = Esptool("/dev/null")
    try:
        with pytest.raises(MissingError) as absent:
            tool.probe()
    except FileNotFoundError:
        pytest.skip("no system Python without esptool here")
    assert absent.value.hint == "pip install 'edgehar[flash]'"


def test_a_board_that_says_other_than_it_was_told_is_not_accepted():
    settings = Settings(Role.RECEIVER, 6, 100, "hall-01")
    check_hello(HELLO, settings, "esp32s3")
    with pytest.raises(EdgeHarError, match="channel 1 instead of 6"):
        check_hello(replace(HELLO, channel=1), settings, "esp32s3")
    check_hello(replace(HELLO, channel=1), SETTINGS, "esp32s3")  # it is the network's
    with pytest.raises(EdgeHarError, match="id 'other' instead of 'hall-01', rate 1 instead of 100"):
        check_hello(replace(HELLO, name="other", rate_hz=1), settings, "esp32s3")
    with pytest.raises(EdgeHarError, match="CSI switched off"):
        check_hello(replace(HELLO, csi=False), settings, "esp32s3")


@pytest.mark.parametrize(
    ("said", "meaning", "hint"),
    [
        (b"", "nothing came", "press RST"),
        (b"\r\nESP-ROM:esp32s3\r\nwaiting for download\r\n", "waits in its boot loader", "press RST"),
        (b"\r\nE (55) boot: Brownout detector was triggered\r\n", "supply", "another cable"),
        (b"\r\ninvalid header: 0xffffffff\r\n", "no application", "--erase"),
        (b"\r\nhello world\r\n", "none of them a hello frame", "edgehar doctor"),
    ],
)
def test_a_board_that_does_not_say_hello_is_told_apart(said, meaning, hint, tmp_path):
    with MockBoard(tmp_path, chip=None) as board:
        board.hello = said
        with pytest.raises(EdgeHarError, match=meaning) as silent:
            wait_for_hello(board.port, 921_600, patience_s=1.5)
    assert hint in silent.value.hint


def test_the_hello_is_awaited_while_the_port_comes_back(tmp_path):
    link = tmp_path / "ttyACM0"
    with MockBoard(tmp_path, chip=None) as board:
        board.hello = encode_hello(HELLO)
        timer = threading.Timer(0.5, lambda: link.symlink_to(board.port))
        timer.start()
        assert wait_for_hello(str(link), 921_600).name == "hall-01"
        timer.join()


def test_a_chip_of_the_images_is_what_the_build_says(build):
    assert read_build(build, None).chip is chip_named("esp32s3")

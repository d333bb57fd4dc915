"""`edgehar flash` and `edgehar firmware` without a board: lists, dry runs, what is missing and how to get it."""

from __future__ import annotations

import json
import shlex
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgehar.boards import firmware_build
from edgehar.boards.flash.udev import udev_rule
from edgehar.cli.app import main
from tests.esp_images import build_directory

for package in ("esp_idf_defs", "esp_idf_nvs_partition_gen", "serial"):
    pytest.importorskip(package, reason="needs pip install 'edgehar[flash,serial]'")


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no builder on the path, no board; firmware sources that stand for the real ones."""
    sources = tmp_path / "firmware"
    (sources / firmware_build.PROJECT).mkdir(parents=True)
    (sources / firmware_build.PROJECT / "CMakeLists.txt").write_text("project(esp32s3_csi)\n")
    monkeypatch.setattr(firmware_build, "firmware_sources", lambda: sources)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("EDGEHAR_WIFI_PASSWORD", raising=False)
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    return tmp_path


def program(directory: Path, name: str, script: str) -> None:
    """An executable on the path."""
    (directory / "bin").mkdir(exist_ok=True)
    path = directory / "bin" / name
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_list_shows_boards_or_says_that_there_are_none(monkeypatch, capsys):
    assert main(["flash", "--list"]) == 0
    assert "no board is plugged in" in capsys.readouterr().out
    port = SimpleNamespace(device="/dev/ttyACM0", vid=0x303A, pid=0x1001, serial_number="24:0A")
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [port])
    assert main(["flash", "--list"]) == 0
    assert capsys.readouterr().out == "/dev/ttyACM0  303a:1001  Espressif USB Serial/JTAG  24:0A\n"
    assert main(["flash", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["boards"] == [
        {
            "device": "/dev/ttyACM0",
            "vid": "303a",
            "pid": "1001",
            "serial_number": "24:0A",
            "title": "Espressif USB Serial/JTAG",
            "native": True,
            "held_by": [],
        }
    ]


def test_the_udev_rule_is_printed_for_a_pipe(capsys):
    assert main(["flash", "--udev-rule"]) == 0
    assert capsys.readouterr().out == udev_rule()


def test_without_firmware_the_container_command_is_printed_and_the_exit_code_is_3(nothing_here, capsys):
    assert main(["flash"]) == 3
    err = capsys.readouterr().err
    assert "no firmware for the ESP32-S3 at hand" in err
    line = next(line for line in err.splitlines() if "next: " in line).split("next: ")[1].split("   (or")[0]
    words = shlex.split(line)
    assert words[:2] == ["mkdir", "-p"]
    assert words[3:7] == ["&&", "docker", "run", "--rm"]
    assert f"{nothing_here}/firmware:/firmware:ro" in words
    assert firmware_build.CONTAINER in words
    assert "idf.py -C /build/src/esp32s3_csi -B /build -DIDF_TARGET=esp32s3" in words[-1]


def test_a_build_in_the_cache_is_found(nothing_here, capsys):
    build_directory(firmware_build.cache_root() / "esp32s3")
    assert main(["flash", "--dry-run", "--id", "hall-01", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dry_run"]
    assert told["chip"] == "esp32s3"
    assert [part["offset"] for part in told["parts"]] == [0, 0x8000, 0x9000, 0x10000]
    assert told["settings"]["id"] == "hall-01"
    assert main(["flash"]) == 3  # no board
    assert "no board found" in capsys.readouterr().err


def test_a_dry_run_asks_for_no_password_and_shows_what_would_be_written(tmp_path, capsys):
    build = build_directory(tmp_path / "build")
    assert main(["flash", "--build-dir", str(build), "--ssid", "lab", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "0x009000     24,576  settings" in out
    assert "ssid lab" in out
    assert "nothing was written" in out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--role", "both"], 2, "--role 'both'"),
        (["--channel", "15"], 2, "--channel 15"),
        (["--build-dir", "x", "--image", "y"], 2, "give one of them"),
        (["--build-dir", "absent"], 3, "nothing was built here"),
        (["--image", "absent.bin"], 3, "absent.bin"),
        (["--port", "/dev/ttyNOPE"], 3, "no such port"),
    ],
)
def test_what_cannot_be_is_refused_with_its_exit_code(options, code, said, tmp_path, capsys):
    build = (
        [] if any(word in options for word in ("--build-dir", "--image")) else [str(build_directory(tmp_path / "b"))]
    )
    assert main(["flash", *options, *(["--build-dir", *build] if build else [])]) == code
    assert said in capsys.readouterr().err


def test_a_dry_build_prints_a_command_that_a_shell_takes(nothing_here, capsys):
    program(nothing_here, "podman", "")
    assert main(["firmware", "build", "--dry-run", "--chip", "esp32c6"]) == 0
    words = shlex.split(capsys.readouterr().out)
    assert "podman" in words
    assert "--user" not in words  # podman maps the user by itself
    assert "-DIDF_TARGET=esp32c6" in words[-1]
    assert main(["firmware", "build", "--dry-run", "--with", "docker", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["command"][0] == "docker"
    assert "--user" in told["command"]


def test_without_a_builder_a_dry_build_says_how_to_get_one(capsys):
    assert main(["firmware", "build", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "none of idf.py, docker, podman is installed" in out
    assert "apt-get install podman" in out
    assert main(["firmware", "build"]) == 3


def test_a_build_is_run_checked_and_found_by_flash(nothing_here, capsys):
    root = Path(__file__).parents[3]
    script = (
        f"import sys; sys.path[:0] = [{str(root)!r}, *{[p for p in sys.path if p]!r}]\n"
        "from pathlib import Path\n"
        "from tests.esp_images import build_directory\n"
        "arguments = sys.argv[1:]\n"
        "build, project = (Path(arguments[arguments.index(name) + 1]) for name in ('-B', '-C'))\n"
        "assert (project / 'CMakeLists.txt').exists()\n"
        "build_directory(build, next(a for a in arguments if 'IDF_TARGET' in a).split('=')[1])\n"
    )
    program(nothing_here, "idf.py", script)
    assert main(["firmware", "build", "--chip", "esp32c3"]) == 0
    assert "built esp32s3_csi 0.1.0 for the ESP32-C3 with ESP-IDF v5.5.1" in capsys.readouterr().out
    assert main(["flash", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chip"] == "esp32c3"


def test_a_build_that_fails_or_leaves_nothing_is_an_error(nothing_here, capsys):
    program(nothing_here, "idf.py", "import sys; sys.exit(2)")
    assert main(["firmware", "build"]) == 1
    assert "exit code 2" in capsys.readouterr().err
    program(nothing_here, "idf.py", "")
    assert main(["firmware", "build"]) == 1


def test_other_actions_and_chips_are_refused(capsys):
    assert main(["firmware", "burn"]) == 2
    assert main(["firmware", "build", "--chip", "esp8266"]) == 2
    assert main(["firmware", "build", "--with", "make"]) == 2
    assert "one of idf.py, docker, podman" in capsys.readouterr().err

"""Settings through the NVS generator and back through a reader that shares nothing with it."""

from __future__ import annotations

import io
import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgehar.boards.flash import private
from edgehar.boards.flash.nvs import write_nvs
from edgehar.boards.flash.private import child_environment, private_directory
from edgehar.boards.flash.settings import PASSWORD_VARIABLE, Settings, read_password
from edgehar.errors import EdgeHarError, MissingError, UsageError
from edgehar.wire.messages import Role
from tests.nvs_image import NvsError, read_nvs

pytest.importorskip("esp_idf_nvs_partition_gen", reason="needs pip install 'edgehar[flash]'")
SIZE = 0x6000
WIFI = Settings(Role.RECEIVER, 6, 100, "hall-01", "lab-ap", "correct horse")


@pytest.mark.parametrize(
    "settings",
    [
        WIFI,
        Settings(Role.SENDER, 13, 1000, "x"),
        Settings(Role.RECEIVER, 1, 1, "Küche №1", "café 1,2", ""),
        Settings(Role.RECEIVER, 11, 50, "a,b", '"quoted", #1', "  spaces, \"quotes\", 'and' #,\\n ;= "),
        Settings(Role.RECEIVER, 11, 50, "7", "007", "0x12345678"),
        Settings(Role.RECEIVER, 11, 50, "n" * 31, "s" * 32, "f0" * 32),
        Settings(Role.RECEIVER, 11, 50, "true", "null", "$HOME/../~{}"),
    ],
)
def test_every_value_comes_back_as_it_was_given(settings, tmp_path):
    read = read_nvs(write_nvs(settings, SIZE, tmp_path).read_bytes())["edgehar"]
    expected = {
        "format": 1,
        "role": settings.role.value,
        "channel": settings.channel,
        "rate_hz": settings.rate_hz,
        "name": settings.name,
        "ssid": settings.ssid,
        "psk": settings.password,
    }
    assert read == {key: value for key, value in expected.items() if value != ""}


def test_the_reader_takes_no_wrong_value_from_a_flipped_bit(tmp_path):
    image, draw = write_nvs(WIFI, SIZE, tmp_path).read_bytes(), random.Random(5)
    whole, used, refused = read_nvs(image)["edgehar"], 64 + 32 * 12, 0
    for _ in range(300):
        flipped = bytearray(image)
        flipped[draw.randrange(used)] ^= 1 << draw.randrange(8)
        try:
            read = read_nvs(bytes(flipped)).get("edgehar", {})
        except (NvsError, KeyError):
            refused += 1
            continue
        assert read.items() <= whole.items()  # the bitmap has no checksum: a flip there may hide an entry
    assert refused > 200


def test_files_are_private_and_gone_afterwards():
    with private_directory() as directory:
        image = write_nvs(WIFI, SIZE, directory)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
        assert image.parent == directory
    assert not directory.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(number):
    script = (
        "from edgehar.boards.flash.private import private_directory\n"
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job ignores it
        "with private_directory() as directory:\n"
        "    (directory / 'nvs.csv').write_text('secret')\n"
        "    print(directory, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        directory = Path(child.stdout.readline().decode().strip())
        assert directory.exists()
        child.send_signal(number)
        child.communicate()
    assert child.returncode != 0
    assert not directory.exists()


def test_secrets_stay_in_memory_where_there_is_a_place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with private_directory() as directory:
        assert directory.parent == tmp_path
    assert directory.name.startswith(private.PREFIX)


def test_children_do_not_inherit_the_password(monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "correct horse")
    assert PASSWORD_VARIABLE not in child_environment()
    assert child_environment()["PATH"] == os.environ["PATH"]


def test_a_generator_that_fails_is_not_quoted(tmp_path):
    with pytest.raises(EdgeHarError, match="exit code") as failed:
        write_nvs(WIFI, 0x123, tmp_path)  # no whole pages
    assert WIFI.password not in str(failed.value) + failed.value.hint


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"channel": 15}, "--channel 15"),
        ({"rate_hz": 0}, "--rate 0"),
        ({"rate_hz": 1001}, "--rate 1001"),
        ({"name": ""}, "--id has 0 bytes"),
        ({"name": "ü" * 16}, "--id has 32 bytes"),
        ({"name": "a\nb"}, "--id 'a\\nb'"),
        ({"ssid": "s" * 33}, "--ssid has 33 bytes"),
        ({"password": "short12"}, "(7 characters)"),
        ({"password": "g" * 64}, "(64 characters)"),
        ({"password": "pässword1"}, "(9 characters)"),
        ({"ssid": ""}, "without a network"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_their_option(change, named):
    given = {"role": Role.RECEIVER, "channel": 6, "rate_hz": 100, "name": "a", "ssid": "lab", "password": "12345678"}
    with pytest.raises(UsageError) as refused:
        Settings(**(given | change))
    assert named in str(refused.value)
    assert change.get("password", "12345678") not in str(refused.value)


def test_five_gigahertz_needs_a_chip_that_has_it():
    settings = Settings(Role.RECEIVER, 36, 100, "a")
    settings.check_chip("esp32c5")
    with pytest.raises(UsageError, match="5 GHz"):
        settings.check_chip("esp32s3")


def test_the_password_is_in_no_representation():
    assert WIFI.password not in repr(WIFI) + str(WIFI.public())
    assert WIFI.public()["password"] is True


def test_the_password_comes_from_a_file_then_the_environment_then_a_terminal(tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_text(" correct horse \n")
    monkeypatch.setenv(PASSWORD_VARIABLE, "from the environment")
    assert read_password(file, "lab") == " correct horse "
    assert read_password(None, "lab") == "from the environment"
    monkeypatch.delenv(PASSWORD_VARIABLE)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(MissingError, match="no terminal"):
        read_password(None, "lab")
    with pytest.raises(MissingError, match="--password-file"):
        read_password(tmp_path / "absent", "lab")

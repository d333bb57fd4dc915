"""Settings as the board reads them at start: an image of its NVS partition.

Namespace `edgehar`; keys and types are read by firmware/ and nowhere else:

    format    u8      1; the firmware ignores settings of another format and says so
    name      string  the board's name, at most 31 bytes

of a board that measures CSI (settings.py)

    role      u8      0 receiver, 1 sender
    channel   u8      Wi-Fi channel
    rate_hz   u16     frames a second: a sender sends so many, a receiver expects so many
    ssid      string  network to join; absent: none, ESP-NOW on `channel`
    psk       string  its password; absent: an open network

and of a tag, an inertial sensor (tag_settings.py)

    rate_hz   u16     samples a second
    accel_g   u8      range of the accelerometer
    gyro_dps  u16     range of the gyroscope; 0: it stays off
    axes      u8      row of the rotation from the sensor's axes; the board changes it when a host tells it to

The board adds what it makes itself, the key of its address hashes among it, so provisioning again gives new hashes.
NVS keeps the password readable for whoever holds the board, unless flash or NVS encryption is on.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from edgehar.boards.flash.private import child_environment
from edgehar.boards.flash.settings import BoardSettings
from edgehar.errors import EdgeHarError, MissingError, Reason

NAMESPACE = "edgehar"
FORMAT = 1
GENERATOR = "esp_idf_nvs_partition_gen"


def write_nvs(settings: BoardSettings, size_bytes: int, directory: Path) -> Path:
    """Write nvs.bin of `size_bytes` into the private `directory`; the values go there by a file, never by argv.

    Raises MissingError without the generator, EdgeHarError when it refuses.
    """
    table, image = directory / "nvs.csv", directory / "nvs.bin"
    with open(table, "w", encoding="utf-8", newline="", opener=_private) as file:
        csv.writer(file).writerows([["key", "type", "encoding", "value"], *_rows(settings)])
    command = [sys.executable, "-m", GENERATOR, "generate", table.name, image.name, hex(size_bytes)]
    done = subprocess.run(
        [*command, "--outdir", str(directory)],
        cwd=directory,
        env=child_environment(),
        umask=0o077,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if f"No module named {GENERATOR}" in done.stderr:
        raise MissingError(
            "provisioning needs the package esp-idf-nvs-partition-gen",
            reason=Reason.NOT_INSTALLED,
            hint="pip install 'edgehar[flash]'",
        )
    # The generator's own words could quote a value, so they are not passed on; it ends with 0 after some failures.
    if done.returncode != 0 or not image.exists() or image.stat().st_size != size_bytes:
        raise EdgeHarError(
            f"the NVS generator made no image of {size_bytes} bytes (exit code {done.returncode})",
            reason=Reason.FORMAT,
            hint=f"{sys.executable} -m pip install --upgrade esp-idf-nvs-partition-gen",
        )
    return image


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _rows(settings: BoardSettings) -> Iterator[list[str]]:
    yield [NAMESPACE, "namespace", "", ""]
    for key, encoding, value in (("format", "u8", FORMAT), *settings.nvs_values()):
        if value != "":
            yield [key, "data", encoding, str(value)]

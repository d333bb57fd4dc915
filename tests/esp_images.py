"""ESP images made by the documented layout: what a build would leave, without a toolchain for the chip."""

from __future__ import annotations

import functools
import hashlib
import json
import operator
import random
import struct
from pathlib import Path

IMAGE_IDS = {"esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9, "esp32c6": 13, "esp32h2": 16}
PARTITIONS = """\
# Name,   Type, SubType, Offset,   Size
nvs,      data, nvs,     0x9000,   0x6000
phy_init, data, phy,     0xf000,   0x1000
factory,  app,  factory, 0x10000,  0x180000
"""


def image(
    chip: str = "esp32s3", bodies: tuple[bytes, ...] = (b"\x01\x02\x03\x04" * 8,), *, hashed: bool = True
) -> bytes:
    """A header, one segment for each of `bodies`, the checksum and the hash."""
    out = struct.pack(
        "<BBBBIB3sHBHH4sB",
        0xE9,
        len(bodies),
        2,
        0x2F,
        0x40375000,
        0xEE,
        bytes(3),
        IMAGE_IDS[chip],
        0,
        0,
        99,
        bytes(4),
        hashed,
    )
    for i, body in enumerate(bodies):
        out += struct.pack("<II", 0x3C000020 + 0x10000 * i, len(body)) + body
    checksum = functools.reduce(operator.xor, b"".join(bodies), 0xEF)
    out += bytes(15 - len(out) % 16) + bytes([checksum])
    return out + hashlib.sha256(out).digest() if hashed else out


def application(chip: str = "esp32s3", size: int = 20_000, seed: int = 1, project: str = "esp32s3_csi") -> bytes:
    """An image whose first segment begins with an application's description; the rest does not compress."""
    description = struct.pack(
        "<II8s32s32s16s16s32s80s",
        0xABCD5432,
        0,
        bytes(8),
        b"0.1.0",
        project.encode(),
        b"12:00:00",
        b"Nov 22 2026",
        b"v5.5.1",
        bytes(80),
    )
    return image(chip, (description + random.Random(seed).randbytes(size // 4 * 4), b"\x11\x22\x33\x44"))


def build_directory(directory: Path, chip: str = "esp32s3", app: bytes | None = None, csv: str = PARTITIONS) -> Path:
    """What `idf.py build` leaves behind, as far as flashing reads it."""
    from esp_idf_defs import PartitionTable

    offset = {"esp32": "0x1000", "esp32s2": "0x1000"}.get(chip, "0x0")
    files = {
        offset: "bootloader/bootloader.bin",
        "0x8000": "partition_table/partition-table.bin",
        "0x10000": "esp32s3_csi.bin",
    }
    contents = (image(chip), PartitionTable.from_csv(csv).to_binary(), app or application(chip))
    for name, content in zip(files.values(), contents, strict=True):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    told = {
        "flash_settings": {"flash_mode": "dio", "flash_size": "4MB", "flash_freq": "80m"},
        "flash_files": files,
        "extra_esptool_args": {"after": "hard_reset", "before": "default_reset", "stub": True, "chip": chip},
    }
    (directory / "flasher_args.json").write_text(json.dumps(told))
    return directory


def merged(directory: Path) -> bytes:
    """The files of a build directory in one, from offset 0, as `esptool merge-bin` makes it."""
    files = json.loads((directory / "flasher_args.json").read_text())["flash_files"]
    out = bytearray()
    for offset, name in sorted((int(offset, 16), name) for offset, name in files.items()):
        out += b"\xff" * (offset - len(out))
        out += (directory / name).read_bytes()
    return bytes(out)

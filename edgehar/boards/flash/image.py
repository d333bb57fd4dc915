"""One ESP image: boot loader or application, checked as the chip's boot loader will check it.

Layout (ESP-IDF programming guide, "App Image Format"): a header of 24 bytes, then per segment its address u32, its
length u32 and its bytes; padding, so that one checksum byte (0xEF exclusive-or every segment byte) ends a block of 16;
then, where the header says so, the SHA-256 of all before it. An application's first segment begins with its
description.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

import numpy as np

from edgehar.boards.flash.chips import Chip, title_of_image_id
from edgehar.errors import EdgeHarError, InputError, Reason

MAGIC = 0xE9
CHECKSUM_SEED = 0xEF
DESCRIPTION_MAGIC = 0xABCD5432
MAX_SEGMENTS = 16
# magic, segments, SPI mode, size and frequency, entry, WP pin, SPI drive[3], chip id, 3 revision fields, reserved, hash
_HEADER = struct.Struct("<BBBBIB3sHBHH4sB")
HEADER_BYTES = _HEADER.size
_SEGMENT = struct.Struct("<II")
_DESCRIPTION = struct.Struct("<II8s32s32s16s16s32s")


@dataclass(frozen=True, slots=True)
class EspImage:
    """What an image says of itself. `length`: bytes up to its end; a file may hold more (padding, other partitions).

    `project`, `version`, `idf_version`: "" in a boot loader, which has no description.
    """

    chip_id: int
    length: int
    sha256: str
    project: str
    version: str
    idf_version: str

    @property
    def is_application(self) -> bool:
        return bool(self.project)


def is_image(content: bytes) -> bool:
    """Whether `content` begins as an ESP image does."""
    return content[:1] == bytes([MAGIC])


def image_chip_id(header: bytes) -> int:
    """The chip that an image's first HEADER_BYTES are for; see `chips`."""
    return int(_HEADER.unpack_from(header)[7])


def read_image(content: bytes, name: str) -> EspImage:
    """Parse and check one image; `name` is for messages. Raises InputError at the first thing that is wrong."""
    if len(content) < _HEADER.size:
        raise _bad(name, f"{len(content)} bytes are shorter than an image header ({_HEADER.size})", Reason.TRUNCATED)
    magic, segments, *_, chip_id, _, _, _, _, hash_appended = _HEADER.unpack_from(content)
    if magic != MAGIC:
        raise _bad(name, f"first byte is 0x{magic:02x}, an image's is 0x{MAGIC:02x}", Reason.FORMAT)
    if not 1 <= segments <= MAX_SEGMENTS:
        raise _bad(name, f"{segments} segments, must be 1 to {MAX_SEGMENTS}", Reason.FORMAT)
    end, checksum, first = _HEADER.size, CHECKSUM_SEED, b""
    for i in range(segments):
        if end + _SEGMENT.size > len(content):
            raise _bad(name, f"ends within the header of segment {i}", Reason.TRUNCATED)
        _, size = _SEGMENT.unpack_from(content, end)
        end += _SEGMENT.size
        body = content[end : end + size]
        if len(body) != size:
            raise _bad(name, f"segment {i} has {size} bytes, {len(body)} are there", Reason.TRUNCATED)
        checksum ^= int(np.bitwise_xor.reduce(np.frombuffer(body, np.uint8), initial=0))
        first, end = first or body, end + size
    end = (end + 16) & ~15  # room for the checksum, at the end of a block of 16
    if end > len(content):
        raise _bad(name, "ends before its checksum", Reason.TRUNCATED)
    if content[end - 1] != checksum:
        raise _bad(name, f"checksum is 0x{content[end - 1]:02x}, computed 0x{checksum:02x}", Reason.DAMAGED)
    digest = hashlib.sha256(content[:end])
    if hash_appended:
        if content[end : end + digest.digest_size] != digest.digest():
            raise _bad(name, "the SHA-256 at its end does not match its content", Reason.DAMAGED)
        end += digest.digest_size
    return EspImage(chip_id, end, hashlib.sha256(content[:end]).hexdigest(), *_description(first))


def check_chip(image: EspImage, chip: Chip, name: str) -> None:
    """Raise EdgeHarError unless `image` is for `chip`.

    esptool compares only what goes to the boot loader's place; an application for another chip it writes, and the board
    then restarts for ever.
    """
    if image.chip_id != chip.image_id:
        raise EdgeHarError(
            f"{name} is for the {title_of_image_id(image.chip_id)}, the board is an {chip.title}",
            reason=Reason.CONTRACT,
            hint=f"edgehar firmware build --chip {chip.name}",
        )


def _description(segment: bytes) -> tuple[str, str, str]:
    """(project, version, ESP-IDF version) of an application; empty strings for anything else."""
    if len(segment) < _DESCRIPTION.size:
        return "", "", ""
    magic, _, _, version, project, _, _, idf_version = _DESCRIPTION.unpack_from(segment)
    if magic != DESCRIPTION_MAGIC:
        return "", "", ""
    project_text, version_text, idf_text = (
        text.split(b"\0")[0].decode("utf-8", "replace") for text in (project, version, idf_version)
    )
    return project_text or "unnamed", version_text, idf_text


def _bad(name: str, why: str, reason: Reason) -> InputError:
    return InputError(f"{name}: {why}", reason=reason, hint="build it again: edgehar firmware build")

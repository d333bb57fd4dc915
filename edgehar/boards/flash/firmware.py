"""What goes into the flash: the parts of a build, of a merged image or of an application, each checked.

Every ESP image among them must be for the board's chip; nothing may overlap, leave its partition or leave the flash.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from edgehar.boards.flash.chips import CHIPS, Chip, chip_named, chip_titled, title_of_image_id
from edgehar.boards.flash.image import EspImage, check_chip, is_image, read_image
from edgehar.boards.flash.partitions import (
    TABLE_BYTES,
    TABLE_OFFSET,
    PartitionTable,
    is_table,
    table_from_binary,
    table_from_csv,
)
from edgehar.errors import EdgeHarError, InputError, MissingError, Reason

BUILD_FILE = "flasher_args.json"
SETTINGS_PART = "settings"


@dataclass(frozen=True, slots=True)
class Part:
    """`content` for the flash from `offset` on; `image` where it is an ESP image."""

    name: str
    offset: int
    content: bytes
    image: EspImage | None = None

    @property
    def end(self) -> int:
        return self.offset + len(self.content)


@dataclass(frozen=True, slots=True)
class Firmware:
    """`parts` by offset, `table` among them. `origin`: the directory or file they come from.

    `chip`: what its images are for.
    """

    origin: Path
    parts: tuple[Part, ...]
    table: PartitionTable
    chip: Chip

    @property
    def application(self) -> EspImage:
        """The first application's description."""
        return next(image for image in self._images() if image.is_application)

    @property
    def has_bootloader(self) -> bool:
        return any(part.offset == self.chip.bootloader_offset for part in self.parts)

    def with_settings(self, content: bytes) -> Firmware:
        """These parts and the board's settings, in place of any that the firmware came with."""
        place = self.table.settings()
        kept = [part for part in self.parts if not (place.offset <= part.offset < place.end)]
        parts = sorted([*kept, Part(SETTINGS_PART, place.offset, content)], key=lambda part: part.offset)
        return replace(self, parts=tuple(parts))

    def check(self, chip: Chip, flash_bytes: int) -> None:
        """Raise EdgeHarError unless every image is for `chip` and all lies within `flash_bytes` (0: unknown)."""
        for part in self.parts:
            if part.image is not None:
                check_chip(part.image, chip, part.name)
        if flash_bytes:
            self.table.check_fits(flash_bytes)
            for part in self.parts:
                if part.end > flash_bytes:
                    raise EdgeHarError(
                        f"{part.name} ends at 0x{part.end:x}, the board's flash at 0x{flash_bytes:x}",
                        reason=Reason.CONTRACT,
                        hint="build firmware for the smaller flash, or take a board with more",
                    )

    def _images(self) -> Iterator[EspImage]:
        return (part.image for part in self.parts if part.image is not None)


def read_build(directory: Path, partitions_csv: str | None) -> Firmware:
    """What `idf.py build` left in `directory`. Without a partition table there, one is made from `partitions_csv`."""
    told = _flasher_args(directory)
    parts = []
    for offset, name in told["flash_files"].items():
        path = directory / str(name)
        if not path.is_file():
            raise MissingError(
                f"{directory / BUILD_FILE} names {name}, which is not there",
                reason=Reason.NOT_FOUND,
                hint="build again: edgehar firmware build",
            )
        parts.append(Part(Path(name).name, int(str(offset), 0), path.read_bytes()))
    chip = told.get("extra_esptool_args", {}).get("chip")
    return _checked(directory, parts, chip_named(str(chip)) if chip else None, partitions_csv)


def read_file(path: Path, partitions_csv: str | None) -> Firmware:
    """A merged image (flash from 0 on), or an application alone, for a board that has its boot loader already.

    An application goes to the first application partition of `partitions_csv`, from which the table is made.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingError(f"{path}: {error.strerror}", reason=Reason.NOT_FOUND, hint="check --image") from None
    if is_table(content[TABLE_OFFSET:]):
        return _checked(path, list(_split(path, content)), None, partitions_csv)
    image = read_image(content, path.name)
    if not image.is_application:
        raise InputError(
            f"{path}: neither an application nor a merged image (no partition table at 0x{TABLE_OFFSET:x})",
            reason=Reason.FORMAT,
            hint="edgehar flash --build-dir DIR, with the directory that idf.py built",
        )
    table = _default_table(partitions_csv)
    return _checked(path, [Part(path.name, table.first_application().offset, content)], None, partitions_csv)


def _split(path: Path, content: bytes) -> Iterator[Part]:
    """The boot loader, the table and the partitions of a merged image."""
    table = table_from_binary(content[TABLE_OFFSET : TABLE_OFFSET + TABLE_BYTES - 1024], path.name)
    for start in sorted({chip.bootloader_offset for chip in CHIPS}):
        if is_image(content[start:]):
            yield Part(f"{path.name}:bootloader", start, _trimmed(content[start:TABLE_OFFSET], path.name))
            break
    yield Part(f"{path.name}:partition-table", TABLE_OFFSET, table.binary)
    for partition in table.partitions:
        body = _trimmed(content[partition.offset : partition.end], path.name)
        if body:
            yield Part(f"{path.name}:{partition.name}", partition.offset, body)


def _trimmed(content: bytes, name: str) -> bytes:
    """Without the erased flash behind it; an image says itself where it ends, and its hash may end in 0xff."""
    return content[: read_image(content, name).length] if is_image(content) else content.rstrip(b"\xff")


def _checked(origin: Path, parts: list[Part], chip: Chip | None, partitions_csv: str | None) -> Firmware:
    """Parse every image, find the table or make it, and hold each part against its partition."""
    own = next((part for part in parts if part.offset == TABLE_OFFSET), None)
    if own is None:
        table = _default_table(partitions_csv)
        parts.append(Part("partition-table", TABLE_OFFSET, table.binary))
    else:
        table = table_from_binary(own.content, own.name)
    read = sorted((_with_image(part, table) for part in parts), key=lambda part: part.offset)
    for before, after in pairwise(read):
        if before.end > after.offset:
            raise InputError(
                f"{before.name} (0x{before.offset:x} to 0x{before.end:x}) overlaps {after.name} (0x{after.offset:x})",
                reason=Reason.OVERLAP,
                hint="give the application a larger partition in partitions.csv",
            )
    applications = [part.image for part in read if part.image is not None and part.image.is_application]
    if not applications:
        raise InputError(f"{origin}: holds no application", reason=Reason.NOT_FOUND, hint="edgehar firmware build")
    return Firmware(origin, tuple(read), table, chip or chip_titled(title_of_image_id(applications[0].chip_id)))


def _with_image(part: Part, table: PartitionTable) -> Part:
    """`part` with its image parsed: before the table and in application partitions nothing else may lie."""
    place = next((row for row in table.partitions if row.offset <= part.offset < row.end), None)
    if place is not None and part.end > place.end:
        raise InputError(
            f"{part.name} has {len(part.content)} bytes, its partition `{place.name}` {place.end - part.offset}",
            reason=Reason.VALUE,
            hint="give it a larger partition in partitions.csv and build the firmware again",
        )
    if part.offset < TABLE_OFFSET or (place is not None and place.kind == "app"):
        return replace(part, image=read_image(part.content, part.name))
    return part


def _default_table(partitions_csv: str | None) -> PartitionTable:
    if partitions_csv is None:
        raise MissingError(
            "no partition table in the firmware, and no partitions.csv to make one from",
            reason=Reason.NOT_FOUND,
            hint="edgehar flash --build-dir DIR, with the directory that idf.py built",
        )
    return table_from_csv(partitions_csv, "partitions.csv")


def _flasher_args(directory: Path) -> dict[str, Any]:
    path = directory / BUILD_FILE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise MissingError(
            f"{directory}: no {BUILD_FILE}, so nothing was built here",
            reason=Reason.NOT_FOUND,
            hint="edgehar firmware build, or name the directory that idf.py built: --build-dir DIR",
        ) from None
    except ValueError as error:
        raise InputError(f"{path}: {error}", reason=Reason.FORMAT, hint="edgehar firmware build") from None
    if not isinstance(told, dict) or not isinstance(told.get("flash_files"), dict):
        raise InputError(f"{path}: has no flash_files", reason=Reason.FORMAT, hint="edgehar firmware build")
    return told

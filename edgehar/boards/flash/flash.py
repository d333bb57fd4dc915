"""From firmware and settings to a board that says hello; each step proves itself before the next begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgehar.boards.flash.chips import Chip, title_of_image_id
from edgehar.boards.flash.esptool import Board, Esptool, Progress
from edgehar.boards.flash.firmware import Firmware, Part
from edgehar.boards.flash.image import HEADER_BYTES, image_chip_id, is_image
from edgehar.boards.flash.nvs import write_nvs
from edgehar.boards.flash.outcome import SLOWER
from edgehar.boards.flash.private import private_directory
from edgehar.boards.flash.settings import BoardSettings
from edgehar.errors import EdgeHarError, Reason

Steps = Callable[[str], Progress | None]


@dataclass(frozen=True, slots=True)
class Flashed:
    """What was written and verified."""

    board: Board
    parts: tuple[Part, ...]

    @property
    def written_bytes(self) -> int:
        return sum(len(part.content) for part in self.parts)


def parts_json(parts: tuple[Part, ...]) -> list[dict[str, Any]]:
    """Name, place and size of each part; SHA-256 of images only: a hash of the settings would help guess a password."""
    return [
        {
            "name": part.name,
            "offset": part.offset,
            "size_bytes": len(part.content),
            **({"sha256": part.image.sha256} if part.image else {}),
        }
        for part in parts
    ]


def plan(firmware: Firmware, settings: BoardSettings, chip: Chip, flash_bytes: int = 0) -> tuple[Part, ...]:
    """What would be written: everything that can be checked without a board is."""
    settings.check_chip(chip.name)
    firmware.check(chip, flash_bytes)
    with private_directory() as directory:
        content = write_nvs(settings, firmware.table.settings().size_bytes, directory).read_bytes()
    return firmware.with_settings(content).parts


def flash(
    tool: Esptool,
    board: Board,
    firmware: Firmware,
    settings: BoardSettings,
    *,
    erase: bool = False,
    progress: Steps = lambda _title: None,
) -> Flashed:
    """Write, verify by the chip's MD5, read back and compare, restart. `board` is what `tool.probe()` found.

    Nothing is written unless all images are for this chip and all parts fit its flash. Raises EdgeHarError naming the
    next step; secrets are gone from this machine whatever happens.
    """
    parts = plan(firmware, settings, board.chip, board.flash_bytes)
    with private_directory() as directory:
        if not firmware.has_bootloader:
            _check_bootloader(tool, board.chip, directory, erase=erase)
        files = [(part.offset, _stored(part, directory)) for part in parts]
        tool.write(board.chip, files, erase=erase, progress=progress("write"))
        _compare(tool, board.chip, parts, directory, progress)
        tool.start()
    return Flashed(board, parts)


def _stored(part: Part, directory: Path) -> Path:
    path = directory / f"{part.offset:06x}.bin"
    path.touch(mode=0o600)
    path.write_bytes(part.content)
    return path


def _compare(tool: Esptool, chip: Chip, parts: tuple[Part, ...], directory: Path, progress: Steps) -> None:
    """Read every part back and hold it against what was to be written, byte for byte."""
    for part in parts:
        back = directory / "back.bin"
        held = tool.read(chip, part.offset, len(part.content), back, progress(f"read back {part.name}"))
        back.unlink()
        if held == part.content:
            continue
        pairs = enumerate(zip(held, part.content, strict=False))
        at = next((i for i, (one, other) in pairs if one != other), min(len(held), len(part.content)))
        raise EdgeHarError(
            f"{tool.port}: {part.name} differs in flash from 0x{part.offset + at:x} on",
            reason=Reason.DAMAGED,
            hint=SLOWER,
        )


def _check_bootloader(tool: Esptool, chip: Chip, directory: Path, *, erase: bool) -> None:
    """An application alone starts only on a board whose boot loader is there, and stays."""
    hint = "edgehar flash --build-dir DIR, or --image with a merged image: both bring a boot loader"
    if erase:
        raise EdgeHarError(
            "--erase would remove the boot loader, and an application alone brings none",
            reason=Reason.VALUE,
            hint=hint,
        )
    header = tool.read(chip, chip.bootloader_offset, HEADER_BYTES, directory / "bootloader.bin")
    if not is_image(header):
        raise EdgeHarError(
            f"the board has no boot loader at 0x{chip.bootloader_offset:x}, and an application alone brings none",
            reason=Reason.NOT_FOUND,
            hint=hint,
        )
    if image_chip_id(header) != chip.image_id:
        raise EdgeHarError(
            f"the board's boot loader is for the {title_of_image_id(image_chip_id(header))}",
            reason=Reason.CONTRACT,
            hint=hint,
        )

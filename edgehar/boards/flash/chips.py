"""The chips that the firmware is written for: how their images say so, and where their boot loader reads its own."""

from __future__ import annotations

from dataclasses import dataclass

from edgehar.errors import Reason, UsageError


@dataclass(frozen=True, slots=True)
class Chip:
    """`name` as ESP-IDF spells its target, `title` as esptool prints it.

    `image_id`: bytes 12 and 13 of an image's header (esp_app_format.h). `bootloader_offset`: where the mask ROM looks
    for the second-stage boot loader.
    """

    name: str
    title: str
    image_id: int
    bootloader_offset: int


# Source of ids and offsets: ESP-IDF programming guide, "App Image Format" and "Bootloader", per chip.
CHIPS = (
    Chip("esp32", "ESP32", 0, 0x1000),
    Chip("esp32s2", "ESP32-S2", 2, 0x1000),
    Chip("esp32c3", "ESP32-C3", 5, 0x0),
    Chip("esp32s3", "ESP32-S3", 9, 0x0),
    Chip("esp32c6", "ESP32-C6", 13, 0x0),
    Chip("esp32c5", "ESP32-C5", 23, 0x2000),
)
DEFAULT_CHIP = "esp32s3"
# Only to name what an image or a board is that no firmware exists for.
_OTHERS = {12: "ESP32-C2", 16: "ESP32-H2", 18: "ESP32-P4", 20: "ESP32-C61", 25: "ESP32-H21", 28: "ESP32-H4"}


def chip_named(name: str) -> Chip:
    """The chip with this ESP-IDF name. Raises UsageError for another."""
    for chip in CHIPS:
        if chip.name == name:
            return chip
    raise UsageError(
        f"no firmware for the chip {name!r}",
        reason=Reason.UNKNOWN_NAME,
        hint=f"one of {', '.join(chip.name for chip in CHIPS)}",
    )


def chip_titled(title: str) -> Chip:
    """The chip that esptool calls `title` (ESP32-S3). Raises UsageError for one without firmware."""
    return chip_named(title.lower().replace("-", ""))


def title_of_image_id(image_id: int) -> str:
    """What an image's header names: the chip's title, or the bare number."""
    titles = {chip.image_id: chip.title for chip in CHIPS} | _OTHERS
    return titles.get(image_id, f"chip number {image_id}")

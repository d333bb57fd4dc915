"""What a tag, a board with an inertial sensor, is told when it is provisioned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgehar.boards.flash.settings import MAX_NAME_BYTES, check_text
from edgehar.errors import Reason, UsageError

MAX_RATE_HZ = 2000
ACCEL_RANGES_G = (2, 4, 8, 16)
GYRO_RANGES_DPS = (0, 125, 250, 500, 1000, 2000)
"""0: the gyroscope stays off, which spares its current."""
ROTATIONS = 24


@dataclass(frozen=True, slots=True)
class TagSettings:
    """One tag's settings. Its sensor takes the slowest rate it has that is not slower, and the narrowest range that is
    not narrower; hello says which. Raises UsageError naming the option whose value cannot be.
    """

    name: str
    rate_hz: int = 100
    accel_range_g: int = 8
    gyro_range_dps: int = 1000
    axes: int = 0

    def __post_init__(self) -> None:
        check_text("--id", self.name, 1, MAX_NAME_BYTES, "--id wrist")
        _check("--rate", self.rate_hz, range(1, MAX_RATE_HZ + 1), f"1 to {MAX_RATE_HZ} samples a second")
        _check("--accel", self.accel_range_g, ACCEL_RANGES_G, "2, 4, 8 or 16 g")
        _check(
            "--gyro", self.gyro_range_dps, GYRO_RANGES_DPS, "125, 250, 500, 1000 or 2000 degrees a second, or 0: off"
        )
        _check("--axes", self.axes, range(ROTATIONS), "0 to 23, a row of the table in docs/ble-imu.md")

    def check_chip(self, chip: str) -> None:
        """Every chip can be a tag: without Bluetooth LE it speaks over its cable."""

    def public(self) -> dict[str, Any]:
        """Everything, for people and JSON."""
        return {
            "id": self.name,
            "rate_hz": self.rate_hz,
            "accel_range_g": self.accel_range_g,
            "gyro_range_dps": self.gyro_range_dps,
            "axes": self.axes,
        }

    def nvs_values(self) -> list[tuple[str, str, str | int]]:
        """As firmware/imu_ble reads them."""
        return [
            ("name", "string", self.name),
            ("rate_hz", "u16", self.rate_hz),
            ("accel_g", "u8", self.accel_range_g),
            ("gyro_dps", "u16", self.gyro_range_dps),
            ("axes", "u8", self.axes),
        ]


def _check(option: str, value: int, among: range | tuple[int, ...], hint: str) -> None:
    if value not in among:
        raise UsageError(f"{option} {value}", reason=Reason.VALUE, hint=hint)

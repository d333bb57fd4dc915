"""The GATT profile of a tag, as gatt.toml describes it: UUIDs, properties, and what fits into a notification."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from edgehar.wire.packet import PACKET_HEAD_BYTES
from edgehar.wire.schema import schema


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One characteristic: `values` are the kinds of messages that its value is, `writes` what a host may write."""

    name: str
    uuid: str
    properties: tuple[str, ...]
    values: tuple[str, ...]
    doc: str
    writes: str = ""


@dataclass(frozen=True, slots=True)
class LinkAdvice:
    """Limits of the link, and what a tag asks its host for."""

    att_overhead_bytes: int
    max_value_bytes: int
    recommended_mtu: int
    interval_min_ms: int
    interval_max_ms: int
    peripheral_latency: int
    supervision_timeout_ms: int
    max_wait_ms: int

    def value_bytes(self, mtu: int) -> int:
        """The longest value that one notification carries where the ATT MTU is `mtu`."""
        return min(mtu - self.att_overhead_bytes, self.max_value_bytes)


@dataclass(frozen=True, slots=True)
class Profile:
    """All of gatt.toml; UUIDs are written out and in lower case."""

    service: str
    characteristics: Mapping[str, Characteristic]
    battery_service: str
    battery_level: str
    link: LinkAdvice

    def carrier(self, kind: int) -> Characteristic:
        """The characteristic whose value a message of this kind is; KeyError where none is."""
        for characteristic in self.characteristics.values():
            if any(schema().kinds[name].id == kind for name in characteristic.values):
                return characteristic
        raise KeyError(kind)


@cache
def gatt() -> Profile:
    """The profile that this package speaks."""
    table = tomllib.loads(resources.files("edgehar.wire").joinpath("gatt.toml").read_text(encoding="utf-8"))
    characteristics = {
        name: Characteristic(
            name, row["uuid"], tuple(row["properties"]), tuple(row["values"]), row["doc"], row.get("writes", "")
        )
        for name, row in table["characteristics"].items()
    }
    battery = table["battery"]
    return Profile(
        table["service"]["uuid"], characteristics, battery["service"], battery["level"], LinkAdvice(**table["link"])
    )


SERVICE_UUID = gatt().service
DATA_UUID = gatt().characteristics["data"].uuid
CONFIG_UUID = gatt().characteristics["config"].uuid
STATUS_UUID = gatt().characteristics["status"].uuid
CONTROL_UUID = gatt().characteristics["control"].uuid
BATTERY_SERVICE_UUID = gatt().battery_service
BATTERY_LEVEL_UUID = gatt().battery_level


def samples_per_notification(mtu: int, channels: int) -> int:
    """How many samples one notification carries at most; 0 where not even one fits.

    >>> samples_per_notification(247, 6)
    18
    """
    head = PACKET_HEAD_BYTES + schema().kinds["imu"].head_bytes
    return max(0, min((gatt().link.value_bytes(mtu) - head) // (2 * channels), 255))

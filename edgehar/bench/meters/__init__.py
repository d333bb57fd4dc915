"""Meters behind one protocol. A new one is one file, one line in METERS and one `check_meter` test."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgehar.bench.meters.address import MeterAddress
from edgehar.bench.meters.base import Block, Mark, Meter, MeterFacts, Quantity
from edgehar.errors import EdgeHarError, MissingError, Reason
from edgehar.registry import resolve

__all__ = ["AUTO", "METERS", "Block", "Mark", "Meter", "MeterFacts", "Quantity", "find_meter", "open_meter"]

# Each value is a callable (MeterAddress) -> Meter. The order is that of `auto`: a shunt before a model.
METERS: Mapping[str, str] = MappingProxyType(
    {
        "jetson": "edgehar.bench.meters.ina3221:from_address",
        "pi5": "edgehar.bench.meters.pi5_pmic:from_address",
        "ina2xx": "edgehar.bench.meters.ina2xx:from_address",
        "rapl": "edgehar.bench.meters.rapl:from_address",
        "ppk2": "edgehar.bench.meters.ppk2:from_address",
        "csv": "edgehar.bench.meters.csv_trace:from_address",
    }
)

AUTO = "auto"


def open_meter(address: str) -> Meter:
    """The meter that `NAME[:LOCATOR][?key=value]` names, not yet entered; `auto` is the first that is there.

    Raises UsageError for an address that makes no sense, MissingError for what it needs.
    """
    if address == AUTO:
        return find_meter()
    parsed = MeterAddress.parse(address)
    meter: Meter = resolve("meters", METERS, parsed.name)(parsed)
    return meter


def find_meter(addresses: tuple[str, ...] = tuple(METERS)) -> Meter:
    """The first of `addresses` that opens, closed again. MissingError tells why each of them does not."""
    reasons = []
    for address in addresses:
        try:
            meter = open_meter(address)
            with meter:
                return meter
        except EdgeHarError as error:
            reasons.append(f"  {error}\n    {error.hint}")
    raise MissingError(
        "no energy meter is here; looked for:\n" + "\n".join(reasons),
        reason=Reason.NOT_FOUND,
        hint="attach one of these and name it: --meter NAME; energy is never guessed",
    )

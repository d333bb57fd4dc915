"""Meter addresses: `NAME[:LOCATOR][?key=value&...]`, for example `rapl` or `csv:lab.csv?decisions=200`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from edgehar.errors import Reason, UsageError


@dataclass(frozen=True, slots=True)
class MeterAddress:
    """A parsed address; locator and values are percent-decoded.

    >>> address = MeterAddress.parse("csv:lab.csv?decisions=200&voltage_v=3.3")
    >>> address.name, address.locator, address.number("voltage_v", 0.0)
    ('csv', 'lab.csv', 3.3)
    """

    text: str
    name: str
    locator: str
    query: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> MeterAddress:
        """Split an address; UsageError where it has no name or a key twice."""
        head, _, tail = text.partition("?")
        name, _, locator = head.partition(":")
        query: dict[str, str] = {}
        for pair in filter(None, tail.split("&")):
            key, equals, value = pair.partition("=")
            if not key or not equals or key in query:
                raise _refuse(text, f"'{pair}' is not a new key=value", "write NAME:LOCATOR?key=value&key=value")
            query[unquote(key)] = unquote(value)
        if not name:
            raise _refuse(text, "no name", "write NAME:LOCATOR, for example rapl or csv:lab.csv?decisions=200")
        return cls(text, name, unquote(locator), query)

    def only(self, *allowed: str) -> None:
        """Refuse keys that this meter does not know."""
        unknown = [key for key in self.query if key not in allowed]
        if unknown:
            known = f"allowed: {', '.join(allowed)}" if allowed else "it takes none"
            raise _refuse(self.text, f"unknown key '{unknown[0]}'", known)

    def number(self, key: str, default: float, *, low: float = 0.0, high: float = math.inf) -> float:
        """A finite number from `low` to `high`."""
        typed = self.query.get(key)
        if typed is None:
            return default
        try:
            value = float(typed)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high):
            wanted = f"a number from {low:g} to {high:g}"
            raise _refuse(self.text, f"{key}='{typed}' is not {wanted}", f"give {wanted}")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """Names, separated by commas."""
        return tuple(filter(None, self.query.get(key, "").split(",")))


def pins_of(address: MeterAddress) -> int:
    """How many logic pins carry the mark: 1, or 2 where the address says `pins=2`. An open pin tells nothing."""
    return round(address.number("pins", 1.0, low=1.0, high=2.0))


def _refuse(text: str, why: str, hint: str) -> UsageError:
    return UsageError(f"meter '{text}': {why}", reason=Reason.VALUE, hint=hint)

"""Meter addresses: `NAME[:LOCATOR][?key=value&...]`, for example `rapl` or `csv:lab.csv?decisions=200`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgehar.errors import Reason, UsageError
from edgehar.sources.address import Address, split_query


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterAddress(Address):
    """A parsed address.

    >>> address = MeterAddress.parse("csv:lab.csv?decisions=200&voltage_v=3.3")
    >>> address.name, address.locator, address.number("voltage_v", 0.0)
    ('csv', 'lab.csv', 3.3)
    """

    of: ClassVar[str] = "meter"

    name: str

    @classmethod
    def parse(cls, text: str) -> MeterAddress:
        """Split an address; UsageError where it has no name or a key twice."""
        head, query_begins, tail = text.partition("?")  # what comes behind may hold a colon
        name, _, place = head.partition(":")
        locator, query = split_query(place + query_begins + tail, cls.of, text)
        if not name:
            raise UsageError(
                f"meter '{text}': no name",
                reason=Reason.FORMAT,
                hint="write NAME:LOCATOR, for example rapl or csv:lab.csv?decisions=200",
            )
        return cls(text=text, name=name, locator=locator, query=query)

    def words(self, key: str) -> tuple[str, ...]:
        """Names, separated by commas."""
        return tuple(filter(None, self.word(key, "").split(",")))


def pins_of(address: MeterAddress) -> int:
    """How many logic pins carry the mark: 1, or 2 where the address says `pins=2`. An open pin tells nothing."""
    return round(address.number("pins", 1.0, low=1.0, high=2.0))

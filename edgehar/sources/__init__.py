"""Room 1: anything that yields Chunks. A new sensor is one file, one line in SOURCES and one `check_source` test."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgehar.registry import resolve
from edgehar.sources.base import Source
from edgehar.sources.uri import SourceUri
from edgehar.types import StreamSpec

__all__ = ["SOURCES", "Source", "SourceUri", "open_source"]

# Each value is a callable (SourceUri, expected StreamSpec or None) -> Source.
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "replay": "edgehar.sources.replay:from_uri",
        "virtual": "edgehar.sources.virtual:from_uri",
        "stdin": "edgehar.sources.stdin:from_uri",
        "csi": "edgehar.sources.csi_serial:from_uri",
        "tcp": "edgehar.sources.csi_serial:from_uri",
        "imu": "edgehar.sources.imu_serial:from_uri",
        "ble": "edgehar.sources.imu_ble:from_uri",
    }
)

WORN = {"imu", "ble"}  # motion sensors, which have units of their own


def open_source(address: str | SourceUri, *, expected: StreamSpec | None = None) -> Source:
    """The source that `address` names, not yet entered.

    `expected` is the stream that the bundle's contract asks for; formats that carry no units of their own (CSV) are
    read as that, and motion sensors are asked for its rate and seen in its units. Raises UsageError for an address that
    makes no sense, MissingError for what is not there.
    """
    uri = address if isinstance(address, SourceUri) else SourceUri.parse(address)
    factory = resolve("sources", SOURCES, uri.scheme)
    source: Source = factory(uri, expected)
    if expected is not None and uri.scheme in WORN:
        from edgehar.sources.as_asked import AsAsked

        return AsAsked(source, expected)
    return source

"""Room 6: anything that takes an Activity. A new sink is one file, one line in SINKS and one `check_sink` test."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgehar.errors import MissingError, Reason, UsageError
from edgehar.registry import resolve
from edgehar.sinks.base import Sink

__all__ = ["SINKS", "Sink", "open_sink"]

# Each value is a callable (locator: str) -> Sink.
SINKS: Mapping[str, str] = MappingProxyType(
    {"console": "edgehar.sinks.console:from_locator", "jsonl": "edgehar.sinks.jsonl:JsonlSink"}
)

PLANNED: Mapping[str, str] = MappingProxyType(
    {"mqtt": "Home Assistant discovery, with the [mqtt] extra", "web": "a local page, with the [web] extra"}
)


def open_sink(address: str) -> Sink:
    """The sink that `console`, `jsonl:PATH` or `jsonl:-` names, not yet entered."""
    scheme, _, locator = address.partition(":")
    try:
        factory = resolve("sinks", SINKS, scheme)
    except UsageError:
        if scheme not in PLANNED:
            raise
        raise MissingError(
            f"sink '{address}': {scheme} is not built yet ({PLANNED[scheme]})",
            reason=Reason.NOT_INSTALLED,
            hint="this release writes to console and jsonl:PATH",
        ) from None
    sink: Sink = factory(locator)
    return sink

"""`console`: a live table on a terminal, plain lines into a pipe or file."""

from __future__ import annotations

import sys

from edgehar.errors import Reason, UsageError
from edgehar.sinks.base import Sink
from edgehar.sinks.lines import LinesSink


def from_locator(locator: str) -> Sink:
    """The sink that suits stdout. rich is imported only for a terminal."""
    if locator:
        raise UsageError(f"sink 'console:{locator}': console takes nothing", reason=Reason.FORMAT, hint="write console")
    if not sys.stdout.isatty():
        return LinesSink()
    from edgehar.sinks.live_table import LiveTable

    return LiveTable()

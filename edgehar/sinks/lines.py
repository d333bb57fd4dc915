"""Plain text, one line a decision: what the console sink writes where there is no screen to draw on."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self, TextIO

from edgehar.types import Activity

NS_PER_S = 1e9
NS_PER_MS = 1e6
HEADER = f"{'time_s':>10}  {'activity':<20} {'p':>6}  {'status':<15} {'coverage':>8}  {'latency_ms':>10}"


def line(activity: Activity, origin_ns: int) -> str:
    """Columns under HEADER; the time counts from `origin_ns`. A simulated decision says so at the end."""
    return (
        f"{(activity.t_ns - origin_ns) / NS_PER_S:10.2f}  {activity.label or '-':<20} {activity.p:6.3f}  "
        f"{activity.status.value:<15} {activity.coverage:8.2f}  {activity.latency_ns / NS_PER_MS:10.3f}"
        f"{'  SIMULATED' if activity.simulated else ''}"
    )


class LinesSink:
    """Writes to stdout, or to `stream`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._origin_ns: int | None = None

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    async def emit(self, activity: Activity) -> None:
        """Write and flush one line, the header before the first."""
        stream = self._stream or sys.stdout
        if self._origin_ns is None:
            self._origin_ns = activity.t_ns
            stream.write(HEADER + "\n")
        stream.write(line(activity, self._origin_ns) + "\n")
        stream.flush()

"""Plain text, one line a decision: what the console sink writes where there is no screen to draw on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from edgehar.types import Activity

NS_PER_S = 1e9
NS_PER_MS = 1e6
COLUMNS = (
    ("time_s", ">10"),
    ("activity", "<12"),
    ("p", ">6"),
    ("status", "<15"),
    ("coverage", ">8"),
    ("latency_ms", ">10"),
)
TRUTH = ("truth", "<12")


def header(*, truth: bool = False) -> str:
    """The names of the columns."""
    return "  ".join(f"{name:{width}}" for name, width in (*COLUMNS, *((TRUTH,) if truth else ())))


def line(activity: Activity, origin_ns: int, truth: str | None = None) -> str:
    """One decision under `header`; the time counts from `origin_ns`.

    At the end: which of several sensors it rests on, and whether it is simulated.
    """
    cells = [
        f"{(activity.t_ns - origin_ns) / NS_PER_S:.2f}",
        activity.label or "-",
        f"{activity.p:.3f}",
        activity.status.value,
        f"{activity.coverage:.2f}",
        f"{activity.latency_ns / NS_PER_MS:.3f}",
        *([] if truth is None else [truth or "-"]),
    ]
    columns = (*COLUMNS, TRUTH)[: len(cells)]
    text = "  ".join(f"{cell:{width}}" for cell, (_, width) in zip(cells, columns, strict=True))
    heard = f"  {'+'.join(activity.sensors)}" if activity.sensors else ""
    return text.rstrip() + heard + ("  SIMULATED" if activity.simulated else "")


class LinesSink:
    """Writes to stdout, or to `stream`; with the true activity as the last column where `truth` tells it."""

    def __init__(self, stream: TextIO | None = None, *, truth: Callable[[Activity], str] | None = None) -> None:
        self._stream = stream
        self._truth = truth
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
            stream.write(header(truth=self._truth is not None) + "\n")
        stream.write(line(activity, self._origin_ns, self._truth(activity) if self._truth else None) + "\n")
        stream.flush()

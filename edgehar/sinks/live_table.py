"""A table on the terminal that shows the latest decisions, newest last. The only room-6 file that imports rich."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgehar.types import Activity, Status

NS_PER_S = 1e9
NS_PER_MS = 1e6
ROWS = 12
BAR = 16
STYLES = {Status.OK: "green", Status.UNSURE: "yellow", Status.NO_DATA: "red", Status.OUT_OF_CONTRACT: "red"}


class LiveTable:
    """Draws the last 12 decisions, with the true activity beside each where `truth` tells it.

    `title()` and `footer()` are asked for the lines above and below the table at every decision.
    """

    def __init__(
        self,
        *,
        title: Callable[[], str] | None = None,
        truth: Callable[[Activity], str] | None = None,
        footer: Callable[[], str] | None = None,
        console: Console | None = None,
    ) -> None:
        self._title = title
        self._truth = truth
        self._footer = footer
        self._rows: deque[tuple[Activity, str]] = deque(maxlen=ROWS)
        self._origin_ns: int | None = None
        self._live = Live(console=console, auto_refresh=False, transient=False)

    async def __aenter__(self) -> Self:
        """Start drawing."""
        self._live.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last table on the screen."""
        self._live.stop()

    async def emit(self, activity: Activity) -> None:
        """Add one row and redraw."""
        if self._origin_ns is None:
            self._origin_ns = activity.t_ns
        self._rows.append((activity, self._truth(activity) if self._truth else ""))
        self._live.update(self.render(), refresh=True)

    def render(self) -> RenderableType:
        """The table as it stands."""
        simulated = any(activity.simulated for activity, _ in self._rows)
        table = Table(
            title=" ".join(filter(None, [self._title() if self._title else "", "SIMULATED" if simulated else ""]))
            or None
        )
        table.add_column("time", justify="right")
        table.add_column("activity", min_width=12)
        table.add_column("probability", min_width=BAR + 6)
        if self._truth:
            table.add_column("truth")
        several = any(activity.sensors for activity, _ in self._rows)
        if several:
            table.add_column("sensors")
        table.add_column("status")
        table.add_column("coverage", justify="right")
        table.add_column("latency", justify="right")
        for activity, truth in self._rows:
            cells: list[RenderableType] = [
                f"{(activity.t_ns - (self._origin_ns or 0)) / NS_PER_S:.1f} s",
                Text(activity.label or "-", style="bold"),
                Text("█" * round(BAR * activity.p) + " ", style="cyan").append(f"{activity.p:.2f}", style="default"),
            ]
            if self._truth:
                cells.append(
                    Text(truth or "?", style="green" if truth == activity.label else "red" if truth else "dim")
                )
            if several:
                cells.append("+".join(activity.sensors))
            cells += [
                Text(activity.status.value, style=STYLES[activity.status]),
                f"{100 * activity.coverage:.0f} %",
                f"{activity.latency_ns / NS_PER_MS:.2f} ms",
            ]
            table.add_row(*cells)
        below = self._footer() if self._footer else ""
        return Group(table, Text(below)) if below else table

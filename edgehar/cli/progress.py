"""A progress bar on stderr, for people only: nothing is drawn into a pipe or within the first second.

It is drawn when progress is reported, never by a thread of its own: that would take time, and power, from what is
measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE_S = 1.0
REDRAW_S = 0.1


class Report:
    """Called with how much is done, of how much; `say` names a stretch of which nobody knows how long it takes."""

    def __init__(self, bar: Any, title: str) -> None:
        self._bar = bar
        self._title = title
        self._task = bar.add_task(title, total=None)
        self._began_s = time.monotonic()
        self._drawn_s = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Draw, unless it is too early or was drawn a moment ago."""
        self._bar.update(self._task, description=self._title, completed=done, total=total)
        now_s = time.monotonic()
        if now_s - self._began_s >= PATIENCE_S and now_s - self._drawn_s >= REDRAW_S:
            self._draw()

    def say(self, what: str) -> None:
        """Draw at once, because no other word may come for long."""
        self._bar.update(self._task, description=what, completed=0, total=None)
        self._draw()

    def _draw(self) -> None:
        if not self._drawn_s:
            self._bar.start()
        self._bar.refresh()
        self._drawn_s = time.monotonic()


@contextmanager
def progress(title: str) -> Iterator[Report | None]:
    """Yields report(done, total), or None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True, auto_refresh=False)
    try:
        yield Report(bar, title)
    finally:
        bar.stop()

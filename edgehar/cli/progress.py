"""A progress bar on stderr, for people only: nothing is drawn into a pipe or within the first second.

It is drawn when progress is reported, never by a thread of its own: that would take time, and power, from what is
measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_S = 1.0
REDRAW_S = 0.1


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yields report(done, total), or None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True, auto_refresh=False)
    began_s = time.monotonic()
    task = bar.add_task(title, total=None)
    drawn_s = 0.0

    def report(done: int, total: int) -> None:
        nonlocal drawn_s
        bar.update(task, completed=done, total=total)
        now_s = time.monotonic()
        if now_s - began_s < PATIENCE_S or now_s - drawn_s < REDRAW_S:
            return
        if not drawn_s:
            bar.start()
        bar.refresh()
        drawn_s = now_s

    try:
        yield report
    finally:
        bar.stop()

"""`check_sink`: what every sink must do. Call it in the tests of a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edgehar.sinks.base import Sink
from edgehar.testing.fault import demand
from edgehar.types import Activity, Status

METHODS = ("__aenter__", "__aexit__", "emit")
LABELS = ("walking", "sitting", "Treppe aufwärts")


def check_sink(make: Callable[[], Sink], output: Callable[[], str]) -> None:
    """Emit decisions of every status through fresh sinks; `output()` is all that has come out so far.

    Raises ProtocolFaultError unless each label and status comes out at once and in order, and unless a simulated
    decision, and only such a one, is marked so.
    """
    asyncio.run(_check(make, output))


async def _check(make: Callable[[], Sink], output: Callable[[], str]) -> None:
    for simulated in (False, True):
        before = len(output())
        sink = make()
        lacking = [name for name in METHODS if not hasattr(type(sink), name)]
        _demand(not lacking, f"{type(sink).__name__} has all methods, but {', '.join(lacking)}")
        async with sink as entered:
            _demand(entered is sink, "__aenter__ returns the sink itself")
            for i, status in enumerate(Status):
                activity = Activity(
                    1_000_000_000 * i, LABELS[i % 3], 0.25 + i / 8, status, 0.5, 1_500_000, "model-1", simulated
                )
                seen = len(output())
                await sink.emit(activity)
                added = output()[seen:]
                _demand(activity.label in added, "a decision's label comes out at once")
                _demand(status.value in added, "a decision's status comes out at once")
        written = output()[before:]
        marked = "SIMULATED" in written or '"simulated": true' in written
        _demand(marked == simulated, "a simulated decision is marked so, a measured one is not")
        await sink.__aexit__(None, None, None)  # closing twice is harmless


def _demand(holds: bool, clause: str) -> None:
    demand(holds, clause, "edgehar/sinks/base.py")

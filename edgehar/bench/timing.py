"""How long calls take on a machine that has other things to do: processor time, all contestants in turn."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Call = Callable[[], object]

SLOT_S = 0.005
"""How long calls are repeated between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Microseconds a call: processor time of this thread (median of the slots), wall time of single calls."""

    cpu_us: float
    wall_us: float
    wall_p99_us: float
    calls: int


def time_in_turn(
    calls: Mapping[str, Call],
    *,
    rounds: int = 25,
    singles: int = 400,
    report: Callable[[int, int], None] | None = None,
) -> dict[str, Timing]:
    """Time every call by name. A round gives each one slot, so that all of them see the same load.

    Processor time leaves out what other processes do; a busy core still shows in caches and in wall times.
    """
    repeats = {name: _repeats(call) for name, call in calls.items()}
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds):
        if report is not None:
            report(turn, rounds)
        for name, call in calls.items():
            n = repeats[name]
            start = time.thread_time_ns()
            for _ in range(n):
                call()
            cpu[name].append((time.thread_time_ns() - start) / n / 1e3)
    timed = {}
    for name, call in calls.items():
        wall = np.empty(singles)
        for i in range(singles):
            start = time.perf_counter_ns()
            call()
            wall[i] = (time.perf_counter_ns() - start) / 1e3
        median, p99 = np.percentile(wall, [50, 99])
        timed[name] = Timing(float(np.median(cpu[name])), float(median), float(p99), rounds * repeats[name] + singles)
    return timed


def _repeats(call: Call) -> int:
    """Calls that fill a slot; they are the warm-up too."""
    n = 4
    while True:
        start = time.perf_counter()
        for _ in range(n):
            call()
        taken = time.perf_counter() - start
        if taken >= SLOT_S:
            return max(1, int(n * SLOT_S / taken))
        n *= 2


@contextmanager
def pinned() -> Iterator[int]:
    """Keep this thread on one core, the last that it may use; yields its number, -1 where that cannot be done."""
    if not hasattr(os, "sched_setaffinity"):
        yield -1
        return
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, allowed)


def machine() -> dict[str, object]:
    """What the timings were taken on; no host name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": named[0] if named else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": load,
    }

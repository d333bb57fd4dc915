"""How long pushes of one sample take, those that decide apart from those between two decisions."""

from __future__ import annotations

import time
from itertools import count

import numpy as np
from numpy.typing import NDArray

from edgehar.bench.timing import Timing
from edgehar.runtimes import Runtime
from edgehar.types import FloatArray

LAST, BETWEEN = "edgehar, the sample that decides", "edgehar, a sample between"


class SingleSamples:
    """Pushes of one sample, each timed alone, less what the clocks take.

    Reading them costs a fifth of a push, and calls that are timed by the slot do not pay for it either. Taken in
    bursts between the rounds of the other contestants, so that a slow second of the machine is theirs too.
    """

    def __init__(self, runtime: Runtime, windows: FloatArray, window: int, hop: int) -> None:
        self._runtime, self._hop = runtime, hop
        self._samples = windows.reshape(-1, 1, windows.shape[2])
        self._taken: list[NDArray[np.float64]] = []
        self._next = count(window)
        runtime.push(self._samples[:window, 0])

    def burst(self, n: int) -> None:
        """Push and time the next n samples."""
        taken = np.empty((4, n))
        for i in range(n):
            sample = self._samples[next(self._next) % len(self._samples)]
            start_wall, start = time.perf_counter_ns(), time.thread_time_ns()
            self._runtime.push(sample)
            taken[:2, i] = time.thread_time_ns() - start, time.perf_counter_ns() - start_wall
            start_wall, start = time.perf_counter_ns(), time.thread_time_ns()
            taken[2:, i] = time.thread_time_ns() - start, time.perf_counter_ns() - start_wall
        self._taken.append(taken)

    def timings(self) -> dict[str, Timing]:
        """Of all bursts, by `LAST` and `BETWEEN`."""
        cpu, wall, clock_cpu, clock_wall = np.concatenate(self._taken, axis=1)
        cpu, wall = cpu - np.median(clock_cpu), wall - np.median(clock_wall)
        decides = (np.arange(len(cpu)) + 1) % self._hop == 0
        return {name: _timing(cpu[chosen], wall[chosen]) for name, chosen in ((LAST, decides), (BETWEEN, ~decides))}


def _timing(cpu_ns: NDArray[np.float64], wall_ns: NDArray[np.float64]) -> Timing:
    wall, p99 = np.percentile(wall_ns, [50, 99]) / 1e3
    return Timing(float(np.median(cpu_ns)) / 1e3, float(wall), float(p99), len(cpu_ns))

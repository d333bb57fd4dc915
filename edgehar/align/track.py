"""One sensor's samples between their arrival and the grid that all sensors share."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from edgehar.align.delay import LeastDelay
from edgehar.align.timeline import DeviceTime
from edgehar.contract import Contract
from edgehar.dsp.resample import MAX_GAP_NS, TICK_NS
from edgehar.dsp.view import KIND, View
from edgehar.errors import Reason, UsageError
from edgehar.pipeline import accept
from edgehar.types import Chunk, Flag, FloatArray, IntArray, StreamSpec

LONG_AGO_NS = -(1 << 62)


class Track:
    """Samples of one sensor, dated; `at` reads them off at any times that lie behind `passed_ns`.

    contract: what is asked of this sensor alone. `counts`: samples that were not used, by cause.
    """

    def __init__(self, spec: StreamSpec, contract: Contract, base: LeastDelay) -> None:
        self.spec = spec
        self.time = DeviceTime(base)
        self.counts: Counter[str] = Counter()
        self.arrived_ns = LONG_AGO_NS  # the newest sample's arrival
        self.contract = contract
        self._view: View | None = accept(spec, contract)
        # Two samples further apart than this have lost one between them, at whichever rate is the lower.
        self._period_ns = round(1e9 / min(spec.rate_hz, contract.rate_hz))
        self._max_gap_ns = max(MAX_GAP_NS, self._period_ns * 5 // 2)
        self._t = np.empty(0, np.int64)
        self._arrived = np.empty(0, np.int64)
        self._x = np.empty((0, len(contract.channels)), np.float32)

    def push(self, chunk: Chunk) -> None:
        """Date and keep the chunk's samples. Raises ContractError where the stream has become another one."""
        if chunk.spec != self.spec:
            self._view, self.spec = accept(chunk.spec, self.contract), chunk.spec
        t_ns = self.time.push(chunk)
        self.arrived_ns = max(self.arrived_ns, int(chunk.t_host_ns[-1]))
        x = chunk.x if self._view is None else self._view.apply(chunk.x)
        measured = np.isfinite(x).all(axis=1) & ((chunk.flags & Flag.SYNTHETIC) == 0)
        # A line that was fitted anew, or a restart, may date a sample before its predecessor: it has lost its place.
        newest = np.maximum.accumulate(np.concatenate([[self.passed_ns], np.where(measured, t_ns, LONG_AGO_NS)]))
        ordered = t_ns > newest[:-1]
        keep = measured & ordered
        self.counts["missing"] += int((~measured).sum())
        self.counts["unordered"] += int((measured & ~ordered).sum())
        self._t = np.concatenate([self._t, t_ns[keep]])
        self._arrived = np.concatenate([self._arrived, chunk.t_host_ns[keep]])
        self._x = np.concatenate([self._x, x[keep]])

    @property
    def passed_ns(self) -> int:
        """Time of the newest sample: the sensor has nothing more to say about what lies before."""
        return int(self._t[-1]) if len(self._t) else LONG_AGO_NS

    @property
    def samples(self) -> tuple[IntArray, FloatArray]:
        """Times [n] and values [n, c] of all samples that are kept."""
        return self._t, self._x

    @property
    def first_ns(self) -> int | None:
        """Time of the oldest sample that is kept; None where there is none."""
        return int(self._t[0]) if len(self._t) else None

    def at(self, points: IntArray, wait_ns: int) -> tuple[FloatArray, NDArray[np.bool_], IntArray]:
        """Values [m, c] at the times `points` [m], real [m] and when each was known [m]; NaN where there is nothing.

        Between two neighbours the value is theirs, linearly, as in `edgehar.dsp.resample`; within a tick of a sample it
        is the sample's, bit for bit. There is nothing behind a hole, nor where the sample that closes it arrived later
        than `wait_ns` after the point. A point that stands for a lost sample has a value, but is not real.
        """
        none = np.full((len(points), self._x.shape[1]), np.nan, np.float32)
        nowhere = np.zeros(len(points), np.bool_)
        if not len(self._t):
            return none, nowhere, points
        after = np.searchsorted(self._t, points - TICK_NS)
        b = np.minimum(after, len(self._t) - 1)
        a = np.maximum(b - 1, 0)
        hit = np.abs(self._t[b] - points) <= TICK_NS
        hole_ns = self._t[b] - self._t[a]
        between = (a < b) & (hole_ns <= self._max_gap_ns)
        there = (after < len(self._t)) & (hit | between) & (self._arrived[b] <= points + wait_ns)
        weight = ((points - self._t[a]) / np.maximum(hole_ns, 1))[:, None]
        low, high = self._x[a].astype(np.float64), self._x[b].astype(np.float64)
        value = np.where(hit[:, None], high, low + (high - low) * weight).astype(np.float32)
        nearest_ns = np.minimum(points - self._t[a], self._t[b] - points)
        whole = hit | (2 * hole_ns <= 3 * self._period_ns) | (2 * nearest_ns <= self._period_ns)
        return np.where(there[:, None], value, none), there & whole, np.where(there, self._arrived[b], points)

    def forget(self, before_ns: int) -> None:
        """Drop what no point at or after `before_ns` needs."""
        # The last sample before it stays, to draw the line from.
        surplus = int(np.searchsorted(self._t, before_ns - TICK_NS)) - 1
        if surplus > 0:
            self._t, self._arrived, self._x = self._t[surplus:], self._arrived[surplus:], self._x[surplus:]


def sensor_contracts(contract: Contract, specs: dict[str, StreamSpec]) -> dict[str, Contract]:
    """What a contract with several sensors asks of each. Raises UsageError unless `specs` names just these sensors."""
    wanted = [sensor.name for sensor in contract.sensors]
    if sorted(wanted) != sorted(specs):
        raise UsageError(
            f"the bundle wants the sensors {', '.join(wanted)}, not {', '.join(specs) or 'none'}",
            reason=Reason.CONTRACT,
            hint=" ".join(f"--source {name}=URI" for name in wanted),
        )
    kinds = contract.kind.split("+")
    found = {}
    for sensor in contract.sensors:
        spec = specs[sensor.name]
        found[sensor.name] = Contract(
            spec.kind if spec.kind in kinds else contract.kind,
            tuple(contract.channels[column].removeprefix(f"{sensor.name}.") for column in sensor.channels),
            tuple(contract.units[column] for column in sensor.channels),
            contract.rate_hz,
            spec.axes if spec.kind == KIND else contract.axes,  # a radio's subcarriers have none
            rate_tolerance=contract.rate_tolerance,
        )
    return found

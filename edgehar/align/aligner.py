"""Several sensors on one grid of times: what a model with several sensors is fed with.

Grid point k lies k periods after zero of the host's clock, whoever began when. It is put out once every sensor has
passed it, or once one was waited for long enough: a sample counts for a point only if it arrived no later than
`wait_ns` after it. This is said in times of arrival, not of pushing, so that neither chunking nor the order in which
two sensors' chunks are pushed changes a bit, as long as no push is later than `SLACK_NS` behind another's arrival.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgehar.align.delay import UNKNOWN, LeastDelay
from edgehar.align.timeline import NEWEST, DeviceFit
from edgehar.align.track import Track, sensor_contracts
from edgehar.contract import Contract
from edgehar.dsp.grid import Grid
from edgehar.dsp.resample import TICK_NS
from edgehar.dsp.sensors import REAL_OF
from edgehar.errors import Reason, UsageError
from edgehar.types import Chunk, Flag, IntArray, StreamSpec

WAIT_NS = 300_000_000
SLACK_NS = 100_000_000
MOST = 4096  # points at a time


class Aligner:
    """`push` the sensors' chunks in order of arrival; chunks of all channels of `contract` come out.

    specs: the sensors' streams by name. bases: the least delays of their links. The rows that come out have t_host_ns
    equal to t_dev_ns, the time on the shared line; NaN where a sensor has nothing; no row where none has anything,
    which is a marked gap. aux `real_of`: bit i is set where sensor i really measured; `waited_ns`: how long after its
    time a row was complete.
    """

    def __init__(
        self,
        specs: Mapping[str, StreamSpec],
        contract: Contract,
        *,
        bases: Mapping[str, LeastDelay] | None = None,
        wait_ns: int = WAIT_NS,
    ) -> None:
        bases = dict(bases or {})
        unknown = sorted(set(bases) - set(specs))
        if unknown:
            raise UsageError(
                f"a least delay of '{unknown[0]}', which is no sensor",
                reason=Reason.UNKNOWN_NAME,
                hint=f"the sensors are: {', '.join(specs)}",
            )
        asked = sensor_contracts(contract, dict(specs))
        self.contract = contract
        self.tracks = {name: Track(specs[name], asked[name], bases.get(name, UNKNOWN)) for name in asked}
        self.spec = StreamSpec(
            contract.kind,
            contract.channels,
            contract.rate_hz,
            contract.units,
            contract.axes,
            session_id="+".join(dict.fromkeys(s.session_id for s in specs.values() if s.session_id)),
            simulated=any(spec.simulated for spec in specs.values()),
        )
        self._wait_ns = wait_ns
        self._grid = Grid.at(contract.rate_hz)
        self._next: int | None = None  # grid point
        self._emitted: int | None = None  # the newest
        self._waits: deque[int] = deque(maxlen=NEWEST)

    @property
    def fits(self) -> dict[str, DeviceFit | None]:
        """How each device's clock runs."""
        return {name: track.time.fit for name, track in self.tracks.items()}

    @property
    def bound_ns(self) -> int | None:
        """How far two of the sensors may be apart for the least delays that are not known; None: any distance."""
        bounds = sorted(
            -1 if bound is None else bound for bound in (track.time.base.bound_ns for track in self.tracks.values())
        )
        return None if bounds[0] < 0 else sum(bounds[-2:])

    def waited_ns(self, percent: float) -> float | None:
        """Percentile of how long after its time a row was complete, of the newest rows; None before the first."""
        return float(np.percentile(np.array(self._waits), percent)) if self._waits else None

    def push(self, name: str, chunk: Chunk) -> list[Chunk]:
        """Rows that these samples of sensor `name` complete."""
        if not len(chunk):
            return []
        if chunk.spec.simulated and not self.spec.simulated:
            self.spec = replace(self.spec, simulated=True)
        self.tracks[name].push(chunk)
        tracks = self.tracks.values()
        arrived_ns = max(track.arrived_ns for track in tracks)
        passed_ns = min(track.passed_ns for track in tracks) + TICK_NS
        return self._release(max(passed_ns, arrived_ns - SLACK_NS - self._wait_ns))

    def flush(self) -> list[Chunk]:
        """The streams are over: rows that waited for a sensor."""
        return self._release(max(track.passed_ns for track in self.tracks.values()) + TICK_NS)

    def _release(self, until_ns: int) -> list[Chunk]:
        """Rows of the points up to `until_ns` that are still owed."""
        began = [first for track in self.tracks.values() if (first := track.first_ns) is not None]
        if not began or until_ns < min(began) - TICK_NS:
            return []
        # Nothing can lie on a point before the oldest sample.
        first = self._point_after(min(began) - TICK_NS)
        self._next = first if self._next is None else max(self._next, first)
        end = self._point_after(until_ns + 1)
        found = []
        while self._next < end:
            last = min(end, self._next + MOST)
            chunk = self._rows(np.arange(self._next, last))
            self._next = last
            if chunk is not None:
                found.append(chunk)
        oldest = int(self._grid.offset_ns(self._next))
        for track in self.tracks.values():
            track.forget(oldest)
        return found

    def _rows(self, k: IntArray) -> Chunk | None:
        points = self._grid.offset_ns(k)
        read = [track.at(points, self._wait_ns) for track in self.tracks.values()]
        x = np.concatenate([values for values, _, _ in read], axis=1)
        real_of = sum((real.astype(np.int64) << i for i, (_, real, _) in enumerate(read)), np.zeros(len(k), np.int64))
        missing = np.stack([np.isnan(values[:, 0]) for values, _, _ in read])
        known_ns = np.stack([known for _, _, known in read])
        known_ns[missing] = np.broadcast_to(points + self._wait_ns, known_ns.shape)[missing]
        keep = ~missing.all(axis=0)
        if not keep.any():
            return None
        k, points = k[keep], points[keep]
        before = k[0] - 1 if self._emitted is None else self._emitted
        gap = np.diff(k, prepend=before) != 1
        self._emitted = int(k[-1])
        flags = np.where(gap, np.uint16(Flag.GAP_BEFORE), np.uint16(0))
        waited_ns = known_ns.max(axis=0)[keep] - points
        self._waits.extend(waited_ns.tolist())
        aux = {REAL_OF: real_of[keep], "waited_ns": waited_ns}
        return Chunk(self.spec, points, points, k, np.ascontiguousarray(x[keep]), flags, aux)

    def _point_after(self, t_ns: int) -> int:
        """The first grid point at or after `t_ns`."""
        grid = self._grid
        k = t_ns * grid.numerator // (grid.whole_ns * grid.numerator + grid.rest)
        while int(grid.offset_ns(k)) < t_ns:
            k += 1
        return k

"""Holds the streams back until a tap has put the sensors on one line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgehar.align.aligner import Aligner
from edgehar.align.motion import Motion, motion
from edgehar.align.tap import STRETCH_NS, Tap, find_tap
from edgehar.align.track import Track
from edgehar.errors import InputError, Reason
from edgehar.types import Chunk

EVERY_NS = 1_000_000_000
GIVE_UP_NS = 60_000_000_000
LOOKED_AT_NS = max(STRETCH_NS.values()) + 1_000_000_000
SETTLED_NS = 500_000_000  # samples this old have come from all sensors, whoever's chunk is pushed first


class TapSearch:
    """`push` chunks in order of arrival; all of them come back at once when every sensor was found in a tap.

    Looks once a second of arrivals, so that the same chunks give the same answer however they are cut. The least delays
    of `aligner` are then those that the tap says: right between the sensors, not against the host's clock.
    """

    def __init__(self, aligner: Aligner) -> None:
        self._aligner = aligner
        self._tracks = {
            name: Track(track.spec, track.contract, track.time.base) for name, track in aligner.tracks.items()
        }
        self._held: list[tuple[str, Chunk]] = []
        self._began_ns: int | None = None
        self._next_ns = 0
        self._why = "no samples"
        self.taps: dict[str, Tap] = {}

    def push(self, name: str, chunk: Chunk) -> list[tuple[str, Chunk]]:
        """[] while there is no tap. Raises InputError when there was none for a minute."""
        self._held.append((name, chunk))
        arrived_ns = int(chunk.t_host_ns[-1])
        if self._began_ns is None:
            self._began_ns, self._next_ns = arrived_ns, (arrived_ns // EVERY_NS + 1) * EVERY_NS
        if arrived_ns >= self._next_ns:
            self._look(self._next_ns - SETTLED_NS)
            self._next_ns = (arrived_ns // EVERY_NS + 1) * EVERY_NS
            if self.taps:
                held, self._held = self._held, []
                return held
            if arrived_ns - self._began_ns > GIVE_UP_NS:
                self.give_up()
        self._tracks[name].push(chunk)
        return []

    def give_up(self) -> None:
        """Raise InputError that says what was seen instead of a tap."""
        raise InputError(
            f"no tap that puts {' and '.join(self._tracks)} on one line: {self._why}",
            reason=Reason.NOT_FOUND,
            hint="hold the sensors still together, knock three times, wait two seconds; or give --base NAME=12ms",
        )

    def _look(self, until_ns: int) -> None:
        (first, *others) = self._tracks
        seen = {name: seen_motion(track, until_ns) for name, track in self._tracks.items()}
        reference = seen[first]
        found = {}
        for name in others:
            other = seen[name]
            if reference is None or other is None:
                self._why = f"'{name if other is None else first}' tells nothing of motion"
                return
            tap = find_tap(reference, other)
            if isinstance(tap, str):
                self._why = tap
                return
            found[name] = tap
        times = {name: track.time for name, track in self._aligner.tracks.items()}
        taken_ns = times[first].base.taken_ns
        times[first].base = replace(times[first].base, low_ns=taken_ns, high_ns=taken_ns, known_from="the tap's line")
        for name, tap in found.items():
            times[name].base = times[name].moved(tap.lag_ns, "tap", tap.within_ns)
        self.taps = found


def seen_motion(track: Track, until_ns: int) -> Motion | None:
    """Motion in the newest of the samples that a track holds, up to a time."""
    t_ns, x = track.samples
    first, end = np.searchsorted(t_ns, [until_ns - LOOKED_AT_NS, until_ns])
    t_ns, x = t_ns[first:end], x[first:end]
    return motion(t_ns, x, track.contract.channels, track.contract.units, track.spec.rate_hz)

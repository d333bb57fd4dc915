"""`replay:FILE`: a recording as if it happened again, with the recorded times, running numbers and flags."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from edgehar.align.delay import RECORDED, LeastDelay
from edgehar.errors import Reason, UsageError
from edgehar.recording import Label, Recording
from edgehar.sources.pace import Pace
from edgehar.sources.uri import SourceUri
from edgehar.types import Chunk, StreamSpec

if TYPE_CHECKING:
    from edgehar.calibration import Calibration

SLICE_WALL_NS = 20_000_000  # what arrives within this long on the wall clock is handed on together
NS_PER_S = 1e9


def from_uri(uri: SourceUri, expected: StreamSpec | None) -> ReplaySource:
    """`replay:FILE[?speed=1&stream=NAME&loop=0]`; speed 0 is as fast as possible, loop counts the repetitions."""
    del expected  # a recording knows its own stream
    uri.only("speed", "stream", "loop")
    if not uri.locator:
        raise UsageError(f"source '{uri.text}' names no file", reason=Reason.FORMAT, hint="write replay:FILE.mcap")
    return ReplaySource(
        Path(uri.locator),
        stream=uri.word("stream", ""),
        speed=uri.number("speed", 1.0, low=0.0),
        loop=uri.integer("loop", 0),
    )


class ReplaySource:
    """Yields the recorded samples unchanged, so that decisions on them are those of the live run, byte for byte.

    Repetitions after the first are moved on in time and number, as one endless stream.
    """

    def __init__(self, path: Path, *, stream: str = "", speed: float = 1.0, loop: int = 0) -> None:
        self._path = path
        self._stream = stream
        self._speed = speed
        self._loop = loop
        self._recording: Recording | None = None
        self._labels: tuple[Label, ...] | None = None
        self._first_ns = 0
        self._lap_ns = 0

    @property
    def spec(self) -> StreamSpec:
        """As recorded; known once open."""
        return self.recording.specs[self._stream]

    @property
    def recording(self) -> Recording:
        """The recording that is being replayed."""
        if self._recording is None:
            raise UsageError(
                f"{self._path} has not been opened", reason=Reason.VALUE, hint="use it in an 'async with' block"
            )
        return self._recording

    @property
    def least_delay(self) -> LeastDelay:
        """What was known of the link when it was recorded."""
        return LeastDelay.from_text(self.recording.extra.get(f"{RECORDED}{self._stream}", ""))

    @property
    def calibration(self) -> Calibration | None:
        """What was recorded beside the stream; the samples are as the sensor said them."""
        from edgehar.calibration import recorded_calibration

        return recorded_calibration(self.recording.extra, self._stream, str(self._path))

    async def __aenter__(self) -> Self:
        """Read the file's head and choose the stream: the one asked for, else "main", else the only one."""
        recording = Recording.open(self._path)
        names = list(recording.specs)
        chosen = self._stream or ("main" if "main" in names else names[0] if len(names) == 1 else "")
        if chosen not in names:
            raise UsageError(
                f"{self._path} has no stream '{chosen}'" if chosen else f"{self._path} holds {len(names)} streams",
                reason=Reason.UNKNOWN_NAME,
                hint=f"choose one, by ?stream= in an address or --stream: {', '.join(names)}"
                if names
                else "the recording is empty",
            )
        self._stream, self._recording = chosen, recording
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open between chunks."""

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks at their recorded times of arrival, divided by `speed`."""
        pace = Pace(self._speed)
        for chunk in self._laps():
            for part in self._slices(chunk):
                await pace.until(int(part.t_host_ns[-1]))
                yield part

    def label_at(self, t_dev_ns: int) -> str:
        """The recording's label at a device time; "" where it has none."""
        if self._labels is None:
            self._labels = tuple(sorted(self.recording.labels_of(self._stream), key=lambda label: label.t0_ns))
        if self._lap_ns and t_dev_ns >= self._first_ns + self._lap_ns:
            t_dev_ns = self._first_ns + (t_dev_ns - self._first_ns) % self._lap_ns
        place = bisect_right(self._labels, t_dev_ns, key=lambda label: label.t0_ns) - 1
        return self._labels[place].label if place >= 0 and t_dev_ns < self._labels[place].t1_ns else ""

    def _laps(self) -> Iterator[Chunk]:
        shift_ns = shift_seq = newest_ns = 0
        for _ in range(self._loop + 1):
            first: Chunk | None = None
            last: Chunk | None = None
            for chunk in self.recording.chunks(self._stream):
                if len(chunk) == 0:
                    continue
                first, last = first or chunk, chunk
                moved = _moved(chunk, shift_ns, shift_seq, newest_ns) if shift_ns else chunk
                newest_ns = int(moved.t_host_ns[-1])
                yield moved
            if first is None or last is None:
                return
            period_ns = round(NS_PER_S / last.spec.rate_hz)
            self._first_ns = int(first.t_dev_ns[0])
            self._lap_ns = int(last.t_dev_ns[-1]) - self._first_ns + period_ns
            shift_ns += self._lap_ns
            shift_seq += int(last.seq[-1] - first.seq[0]) + 1

    def _slices(self, chunk: Chunk) -> Iterator[Chunk]:
        """Stored chunks span up to a second; a live stream comes in smaller pieces."""
        if self._speed == 0:
            yield chunk
            return
        turn = ((chunk.t_host_ns - chunk.t_host_ns[0]) // max(1, int(SLICE_WALL_NS * self._speed))).astype(np.int64)
        edges = [0, *(np.flatnonzero(np.diff(turn)) + 1), len(chunk)]
        for start, stop in itertools.pairwise(edges):
            part = slice(int(start), int(stop))
            yield Chunk(
                chunk.spec,
                chunk.t_dev_ns[part],
                chunk.t_host_ns[part],
                chunk.seq[part],
                chunk.x[part],
                chunk.flags[part],
                {name: values[part] for name, values in chunk.aux.items()},
            )


def _moved(chunk: Chunk, by_ns: int, by_seq: int, newest_ns: int) -> Chunk:
    """Later in time and number; what the recording's end was late by, its next beginning has to wait for."""
    t_host_ns = np.maximum(chunk.t_host_ns + by_ns, newest_ns)
    return replace(chunk, t_dev_ns=chunk.t_dev_ns + by_ns, t_host_ns=t_host_ns, seq=chunk.seq + by_seq)

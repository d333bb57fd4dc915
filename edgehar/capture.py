"""Record what several sensors send into one file, on one host clock: the Python side of `edgehar record`."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgehar.align.delay import least_delay, recorded_delays
from edgehar.align.watch import ClockWatch
from edgehar.calibration import Calibration, calibration_extra, correction
from edgehar.label_keys import TypedLabels
from edgehar.live import Stop, chunks_until
from edgehar.recording import RecordingWriter
from edgehar.sources.base import Source
from edgehar.tally import StreamTally
from edgehar.tee import Tee
from edgehar.types import Chunk


@dataclass(slots=True)
class Captured:
    """What is known of one stream so far. `counts`: what its source received, refused and lost, by cause.

    `clock`: how its device's clock runs against the host's.
    """

    source: Source
    tally: StreamTally = field(default_factory=StreamTally)
    newest: Chunk | None = None
    clock: ClockWatch = field(default_factory=ClockWatch)

    @property
    def counts(self) -> Counter[str]:
        """Empty for a source that does not count."""
        return Counter(getattr(self.source, "counts", ()))


class Capture:
    """Sources by stream name, and what has come of each. `run` records until all end or `stop` is requested.

    `label` stands for the whole recording; `typed` is asked for the label of each moment instead. `about`: subject,
    session, placement, environment. `calibrations` by stream are checked against it and kept beside the samples, which
    stay as they came. What was recorded stays whole whatever happens.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        out: Path,
        about: Mapping[str, str] | None = None,
        *,
        label: str = "",
        typed: TypedLabels | None = None,
        duration_s: float | None = None,
        calibrations: Mapping[str, Calibration] | None = None,
    ) -> None:
        self.streams = {name: Captured(source) for name, source in sources.items()}
        self.out = out
        self._about = dict(about or {})
        self._label = label
        self._typed = typed
        self._duration_s = duration_s
        self._calibrations = dict(calibrations or {})

    async def run(self, stop: Stop) -> None:
        """Open the sources, record, close. An error of one source ends the recording of all, in good order."""
        async with contextlib.AsyncExitStack() as stack:
            for captured in self.streams.values():
                await stack.enter_async_context(captured.source)
            specs = {name: captured.source.spec for name, captured in self.streams.items()}
            first = next(iter(specs.values()))
            bases = {name: least_delay(captured.source) for name, captured in self.streams.items()}
            for name, base in bases.items():
                self.streams[name].clock.base = base
            for name, calibration in self._calibrations.items():
                correction(calibration, specs[name])
            writer = stack.enter_context(
                RecordingWriter(
                    self.out,
                    specs,
                    subject=self._about.get("subject", ""),
                    session=self._about.get("session") or first.session_id,
                    placement=self._about.get("placement") or first.placement,
                    environment=self._about.get("environment", ""),
                    extra={**calibration_extra(self._calibrations, list(specs)), **recorded_delays(bases)},
                )
            )
            copies = [asyncio.create_task(self._copy(name, writer, stop)) for name in self.streams]
            try:
                await asyncio.gather(*copies)
            finally:
                # One failed: let the others write their last labels before the file is closed.
                for task in copies:
                    task.cancel()
                await asyncio.gather(*copies, return_exceptions=True)
                self._tell_counts(writer)

    async def _copy(self, name: str, writer: RecordingWriter, stop: Stop) -> None:
        captured = self.streams[name]
        typed = self._typed
        now = None if typed is None else lambda: typed.current
        tee = Tee(writer, captured.source, stream=name, label=self._label, typed=now)
        try:
            async with contextlib.aclosing(chunks_until(captured.source, stop, self._duration_s)) as chunks:
                async for chunk in chunks:
                    tee.write(chunk)
                    captured.tally.add(chunk)
                    captured.newest = chunk
                    captured.clock.push(chunk)
        finally:
            tee.finish()

    def _tell_counts(self, writer: RecordingWriter) -> None:
        """Losses by cause go into the file, where there were any."""
        for name, captured in self.streams.items():
            if captured.counts and writer.is_open:
                writer.counts(name, captured.counts)

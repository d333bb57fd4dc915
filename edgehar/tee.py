"""Writes what a source yields into a recording, before anything else sees it, with the labels that are known."""

from __future__ import annotations

from collections.abc import Callable

from edgehar.recording import Label, RecordingWriter
from edgehar.sources.base import Source
from edgehar.types import Chunk


class Tee:
    """One stream of a recording. `label` stands for the whole stream; without it the source's own labels are kept.

    `typed`, where it is given, tells the label of this moment instead: somebody watches and types.
    """

    def __init__(
        self,
        writer: RecordingWriter,
        source: Source,
        *,
        stream: str = "main",
        label: str = "",
        typed: Callable[[], str] | None = None,
    ) -> None:
        self._writer = writer
        self._source = source
        self._stream = stream
        self._whose = stream if len(writer.specs) > 1 else ""  # each device has a clock of its own
        self._label = label
        self._typed = typed
        self._running = ""
        self._since_ns = 0
        self._end_ns = 0

    def write(self, chunk: Chunk) -> None:
        """Record `chunk`, and a label interval whenever one ends."""
        self._writer.write(chunk, self._stream)
        period_ns = round(1e9 / chunk.spec.rate_hz)
        same = self._label or (self._typed() if self._typed is not None else None)
        for t_ns in chunk.t_dev_ns.tolist():
            label = self._source.label_at(t_ns) if same is None else same
            if label != self._running or t_ns < self._end_ns - period_ns:  # another label, or the clock restarted
                self.finish()
                self._running, self._since_ns = label, t_ns
            self._end_ns = t_ns + period_ns
        if self._running:
            lasting = Label(self._since_ns, self._end_ns, self._running, self._whose)
            self._writer.lasting_label(lasting, self._stream)

    def finish(self) -> None:
        """Write the label that is still running, unless the recording has ended by itself (a full disk)."""
        if self._running and self._writer.is_open:
            self._writer.lasting_label(None, self._stream)
            self._writer.label(self._since_ns, self._end_ns, self._running, self._whose)
        self._running = ""

"""Reads a recording, whole or cut off, by walking through it from its start: the footer is never needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import numpy as np
from mcap.records import Footer, Metadata, Statistics

from edgehar.errors import InputError, Reason, UsageError
from edgehar.recording import encoding
from edgehar.recording.encoding import Label, Samples
from edgehar.recording.head import Head, HeadReader
from edgehar.recording.walk import Payload, TornChunk, walk
from edgehar.types import Chunk, StreamSpec


class Recording:
    """One recording. Opening reads only its head; samples and labels are read when asked for."""

    def __init__(self, path: Path, head: Head) -> None:
        self.path = path
        self.specs = head.specs
        self.subject = head.about.get("subject", "")
        self.session = head.about.get("session", "")
        self.placement = head.about.get("placement", "")
        self.environment = head.about.get("environment", "")
        self.extra = dict(head.extra)
        self.topics = head.topics
        self._labels: tuple[Label, ...] | None = None
        self._counts: dict[str, dict[str, int]] = {}
        self._truncated = False

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Read who, where and which streams. Raises MissingError or InputError that names the file."""
        path = Path(path)
        reader = HeadReader()
        at_samples = False
        for record in walk(path):
            if isinstance(record, Payload | TornChunk):
                if not at_samples and (head := reader.head()) is not None:
                    return cls(path, head)
                at_samples = True  # the head at the front is damaged: go on to the copy at the end
            else:
                reader.add(record)
        if (head := reader.head()) is not None:
            return cls(path, head)
        if encoding.METADATA in reader.metadata or at_samples:
            raise InputError(
                f"{path} is damaged: what describes the recording does not match its checksum",
                reason=Reason.DAMAGED,
                hint="its samples cannot be interpreted without it; take a backup copy",
            )
        raise InputError(
            f"{path} is an MCAP file, but not a recording of edgehar",
            reason=Reason.FORMAT,
            hint="turn other sources into recordings with: edgehar import",
        )

    @property
    def labels(self) -> tuple[Label, ...]:
        """All annotated intervals, in the order in which they began to be written."""
        if self._labels is None:
            self._walk_through()
        return self._labels or ()

    def labels_of(self, stream: str) -> tuple[Label, ...]:
        """Those of one stream, and those that hold for all."""
        return tuple(label for label in self.labels if label.stream in ("", stream))

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """By stream: what its source received, refused and lost, by cause; nothing where it did not count."""
        if self._labels is None:
            self._walk_through()
        return self._counts

    @property
    def truncated(self) -> bool:
        """Whether the file ends before its footer: everything before the cut is there."""
        if self._labels is None:
            self._walk_through()
        return self._truncated

    def chunks(self, stream: str = "main") -> Iterator[Chunk]:
        """The chunks as they were written, at most a second each, without holding the file in memory."""
        spec = self._spec(stream)
        for message in self._messages(stream):
            samples = self._decode(message, spec)
            yield chunk_of(spec, [samples])

    def read(self, stream: str = "main") -> Chunk:
        """All samples of `stream` as one chunk."""
        spec = self._spec(stream)
        return chunk_of(spec, [self._decode(message, spec) for message in self._messages(stream)])

    def _walk_through(self) -> None:
        for _ in self._messages(None):
            pass

    def _spec(self, stream: str) -> StreamSpec:
        if stream not in self.specs:
            raise UsageError(
                f"{self.path} has no stream '{stream}'",
                reason=Reason.UNKNOWN_NAME,
                hint=f"it holds: {', '.join(self.specs) or 'nothing (it was cut off before its first second)'}",
            )
        return self.specs[stream]

    def _decode(self, message: bytes, spec: StreamSpec) -> Samples:
        samples = encoding.decode_samples(message)
        if len(samples.x) != len(spec.channels):
            raise InputError(
                f"{self.path} holds a message of {len(samples.x)} channels; its stream has {len(spec.channels)}",
                reason=Reason.DAMAGED,
                hint=f"repair it: edgehar repair {self.path} REPAIRED.mcap",
            )
        return samples

    def _messages(self, stream: str | None) -> Iterator[bytes]:
        """Payloads of `stream`; collects labels and notices a missing footer on the way."""
        labels: dict[tuple[int, str, str], Label] = {}
        wanted = None if stream is None else encoding.STREAM_TOPIC_PREFIX + stream
        whole = False
        torn: TornChunk | None = None
        messages = 0
        for record in walk(self.path):
            if isinstance(record, Payload):
                if torn is not None:
                    raise self._damaged(f"its chunk up to byte {torn.end_byte} is unreadable ({torn.why})")
                messages += 1
                topic = self.topics.get(record.channel_id, "")
                if topic == encoding.LABELS_TOPIC:
                    keep_longest(labels, encoding.decode_label(record.data))
                elif topic == wanted:
                    yield record.data
            elif isinstance(record, Metadata) and record.name.startswith(encoding.METADATA_COUNTS):
                stream_name = record.name.removeprefix(encoding.METADATA_COUNTS)
                self._counts[stream_name] = {cause: int(count) for cause, count in record.metadata.items()}
            elif isinstance(record, TornChunk):
                torn = record  # at the very end of the file this is a power cut, further up it is damage
            elif isinstance(record, Statistics) and record.message_count != messages:
                raise self._damaged(f"it holds {messages} readable messages of {record.message_count}")
            elif isinstance(record, Footer):
                whole = True
        self._labels = tuple(labels.values())
        self._truncated = not whole or torn is not None

    def _damaged(self, what: str) -> InputError:
        return InputError(
            f"{self.path} is damaged: {what}",
            reason=Reason.DAMAGED,
            hint=f"save the rest: edgehar repair {self.path} REPAIRED.mcap",
        )


def keep_longest(labels: dict[tuple[int, str, str], Label], label: Label) -> None:
    """Add `label`, or let it replace the shorter one that was written while it still lasted."""
    key = label.t0_ns, label.label, label.stream
    if key not in labels or labels[key].t1_ns < label.t1_ns:
        labels[key] = label


def chunk_of(spec: StreamSpec, parts: list[Samples]) -> Chunk:
    """The messages' samples one after another as one chunk."""
    n = sum(len(part.seq) for part in parts)
    t_dev_ns, t_host_ns, seq = (np.empty(n, np.int64) for _ in range(3))
    x = np.empty((n, len(spec.channels)), np.float32)
    flags = np.empty(n, np.uint16)
    at = 0
    for part in parts:
        to = slice(at, at + len(part.seq))
        t_dev_ns[to], t_host_ns[to], seq[to] = part.t_dev_ns, part.t_host_ns, part.seq
        x[to] = part.x.T
        flags[to] = part.flags
        at += len(part.seq)
    names = parts[0].aux if parts else ()
    aux = {name: np.concatenate([part.aux[name] for part in parts]) for name in names}
    return Chunk(spec, t_dev_ns, t_host_ns, seq, x, flags, aux)

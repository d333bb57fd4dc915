"""Copies whatever can be read of a cut-off or damaged recording into a whole new one."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from edgehar.errors import InputError, Reason
from edgehar.recording import encoding
from edgehar.recording.encoding import Label
from edgehar.recording.reader import Recording, chunk_of, keep_longest
from edgehar.recording.walk import Payload, TornChunk, walk
from edgehar.types import Flag


@dataclass(frozen=True, slots=True)
class Repaired:
    """What `repair` saved; `lost_chunks` counts unreadable stretches, of at most a second each."""

    samples: int
    labels: int
    lost_chunks: int


def repair(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> Repaired:
    """Write every readable sample and label of `path` to `out`; the sample after a lost stretch gets GAP_BEFORE."""
    source = Recording.open(path)
    if not source.specs:
        raise InputError(
            f"{path} was cut off before its first second: there is nothing to repair",
            reason=Reason.TRUNCATED,
            hint="record it again: edgehar record",
        )
    from edgehar.recording.writer import RecordingWriter  # brings mcap's writer along: 30 ms of a run's start

    samples = lost = 0
    labels: dict[tuple[int, str, str], Label] = {}
    gap_before: set[str] = set()
    with RecordingWriter(
        out,
        source.specs,
        subject=source.subject,
        session=source.session,
        placement=source.placement,
        environment=source.environment,
        extra=source.extra,
    ) as writer:
        for record in walk(Path(path)):
            if isinstance(record, TornChunk):
                lost += 1
                gap_before = set(source.specs)
            elif not isinstance(record, Payload) or record.channel_id not in source.topics:
                continue
            elif source.topics[record.channel_id] == encoding.LABELS_TOPIC:
                keep_longest(labels, encoding.decode_label(record.data))
            else:
                stream = source.topics[record.channel_id].removeprefix(encoding.STREAM_TOPIC_PREFIX)
                chunk = chunk_of(source.specs[stream], [encoding.decode_samples(record.data)])
                if stream in gap_before and len(chunk):
                    flags = chunk.flags.copy()
                    flags[0] |= Flag.GAP_BEFORE
                    chunk = replace(chunk, flags=flags)
                    gap_before.discard(stream)
                writer.write(chunk, stream)
                samples += len(chunk)
        for label in labels.values():
            writer.label(label.t0_ns, label.t1_ns, label.label, label.stream)
        for stream, counts in source.counts.items() if not lost else ():
            writer.counts(stream, counts)
    return Repaired(samples, len(labels), lost)

"""What describes a recording: who, where, which streams, guarded by a checksum and written at both ends of the file."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from mcap.records import Channel, McapRecord, Metadata, Schema

from edgehar.errors import EdgeHarError
from edgehar.recording import encoding
from edgehar.types import StreamSpec

CHECKSUM = "crc32"
ABOUT = frozenset({"subject", "session", "placement", "environment"})


@dataclass(frozen=True, slots=True)
class Head:
    """`about` holds subject, session, placement, environment; `topics` says which channel carries what."""

    about: Mapping[str, str]
    extra: Mapping[str, str]
    specs: dict[str, StreamSpec]
    topics: Mapping[int, str]


@dataclass(slots=True)
class HeadReader:
    """Collects the records of a head; later copies replace earlier ones."""

    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    schemas: dict[int, bytes] = field(default_factory=dict)
    channels: dict[int, tuple[str, int]] = field(default_factory=dict)

    def add(self, record: McapRecord) -> None:
        """Take note of `record` if it belongs to a head."""
        if isinstance(record, Metadata):
            self.metadata[record.name] = record.metadata
        elif isinstance(record, Schema):
            self.schemas[record.id] = record.data
        elif isinstance(record, Channel):
            self.channels[record.id] = (record.topic, record.schema_id)

    def head(self) -> Head | None:
        """The head, or None while it is incomplete or its checksum does not hold."""
        about = dict(self.metadata.get(encoding.METADATA, {}))
        extra = self.metadata.get(encoding.METADATA_EXTRA, {})
        try:
            described = {number: (topic, self.schemas[schema]) for number, (topic, schema) in self.channels.items()}
            expected = about.pop(CHECKSUM, None)
            # Files older than the checksum have none; damage that swallows it swallows its neighbours too.
            if set(about) != ABOUT or (expected is not None and expected != checksum(about, extra, described)):
                return None
            prefix = encoding.STREAM_TOPIC_PREFIX
            specs = {
                topic.removeprefix(prefix): encoding.decode_spec(text)
                for topic, text in described.values()
                if topic.startswith(prefix)
            }
        except (KeyError, ValueError, TypeError, EdgeHarError):
            return None
        return Head(about, extra, specs, {number: topic for number, (topic, _) in described.items()})


def checksum(about: Mapping[str, str], extra: Mapping[str, str], channels: Mapping[int, tuple[str, bytes]]) -> str:
    """CRC-32 over everything in the head; `channels` maps each channel's number to its topic and schema."""
    listed = [[number, topic, text.decode("latin1")] for number, (topic, text) in sorted(channels.items())]
    return f"{zlib.crc32(json.dumps([dict(about), dict(extra), listed], sort_keys=True).encode()):08x}"

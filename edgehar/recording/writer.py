"""Writes a recording so that a kill at any moment loses at most the last second of samples."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from mcap.data_stream import RecordBuilder
from mcap.records import Channel, Schema
from mcap.writer import CompressionType, IndexType, Writer

from edgehar.errors import EdgeHarError, InputError, MissingError, Reason, UsageError
from edgehar.recording import encoding
from edgehar.recording.encoding import Label
from edgehar.recording.head import CHECKSUM, checksum
from edgehar.types import Chunk, StreamSpec

CHUNK_NS = 1_000_000_000  # samples that one MCAP chunk may span, hence the most that a kill can lose
_BIG = 64 * 1024 * 1024  # never let the mcap package close a chunk by size


class RecordingWriter:
    """One recording file. `specs` is the description of stream "main", or a mapping of stream names to descriptions.

    Every second of samples is compressed and handed to the operating system, which survives `kill -9`; every
    `sync_every_s` it is forced onto the disk, which survives a power cut (None: never, for imports that can be run
    again). An existing file is never overwritten.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        specs: Mapping[str, StreamSpec] | StreamSpec,
        *,
        subject: str = "",
        session: str = "",
        placement: str = "",
        environment: str = "",
        extra: Mapping[str, str] | None = None,
        sync_every_s: float | None = 10.0,
    ) -> None:
        self.path = Path(path)
        self.specs = {"main": specs} if isinstance(specs, StreamSpec) else dict(specs)
        self._aux: dict[str, tuple[str, ...]] = {}
        self._pending_from_ns: dict[str, int] = {}
        self._unfinished: dict[str, Label] = {}  # per stream, the label that still lasts
        self._flushed_at_s = time.monotonic()
        self._file = _AppendFile(self.path, sync_every_s)
        self._open = True
        # CRCs are per chunk; a message index would cost as much space as a one-second chunk and nothing here seeks.
        self._mcap = Writer(
            cast("IO[bytes]", self._file),
            chunk_size=_BIG,
            compression=CompressionType.LZ4,
            index_types=IndexType.CHUNK | IndexType.METADATA,
        )
        extra = {str(key): str(value) for key, value in (extra or {}).items()}
        self._described: dict[int, tuple[str, bytes]] = {}
        about = {"subject": subject, "session": session, "placement": placement, "environment": environment}
        try:
            self._mcap.start(profile="edgehar")
            self._channels = {
                name: self._register(
                    encoding.STREAM_TOPIC_PREFIX + name,
                    encoding.SAMPLES_ENCODING,
                    encoding.SPEC_SCHEMA,
                    "json",
                    encoding.encode_spec(spec),
                )
                for name, spec in self.specs.items()
            }
            self._labels = self._register(
                encoding.LABELS_TOPIC, "json", "edgehar.Label", "jsonschema", b'{"type":"object"}'
            )
            about[CHECKSUM] = checksum(about, extra, self._described)
            self._write_head = partial(self._write_metadata, about, extra)
            self._write_head()
            self._file.flush()
        except OSError as error:
            raise self._give_up(error) from error

    def _write_metadata(self, about: dict[str, str], extra: dict[str, str]) -> None:
        self._mcap.add_metadata(encoding.METADATA, about)
        self._mcap.add_metadata(encoding.METADATA_EXTRA, extra)

    def _register(self, topic: str, encoding_name: str, schema_name: str, schema_encoding: str, text: bytes) -> int:
        schema = self._mcap.register_schema(schema_name, schema_encoding, text)
        channel = self._mcap.register_channel(topic, encoding_name, schema)
        self._described[channel] = (topic, text)
        # The package puts both into the first chunk; a second copy ahead of it survives the loss of that chunk.
        records = RecordBuilder()
        Schema(data=text, encoding=schema_encoding, id=schema, name=schema_name).write(records)
        Channel(id=channel, topic=topic, message_encoding=encoding_name, metadata={}, schema_id=schema).write(records)
        self._file.write(records.end())  # type: ignore[no-untyped-call]
        return channel

    def write(self, chunk: Chunk, stream: str = "main") -> None:
        """Append `chunk`; one that is longer than a second is cut into pieces of at most a second."""
        self._check(chunk, stream)
        piece = max(1, int(chunk.spec.rate_hz * CHUNK_NS / 1e9))
        for first in range(0, len(chunk), piece):
            last = min(first + piece, len(chunk))
            start_ns, end_ns = int(chunk.t_dev_ns[first]), int(chunk.t_dev_ns[last - 1])
            if not 0 <= end_ns - self._pending_from_ns.get(stream, start_ns) < CHUNK_NS:
                self.flush()
            self._pending_from_ns.setdefault(stream, start_ns)
            self._add(self._channels[stream], start_ns, encoding.encode_samples(chunk, first, last))

    @property
    def is_open(self) -> bool:
        """False once closed, also by a full disk."""
        return self._open

    def label(self, t0_ns: int, t1_ns: int, label: str, stream: str = "") -> None:
        """Annotate [t0_ns, t1_ns) in device time, of one stream or of all."""
        self._check_open()
        if t1_ns <= t0_ns or not label:
            raise InputError(
                f"label '{label}' spans {t0_ns} to {t1_ns} ns",
                reason=Reason.VALUE,
                hint="a label has a name and ends after it starts",
            )
        self._add(self._labels, t0_ns, encoding.encode_label(Label(int(t0_ns), int(t1_ns), label, stream)))

    def lasting_label(self, label: Label | None, stream: str = "main") -> None:
        """The label that lasts on `stream`, as far as it has come, or None. It is not lost with a kill.

        Every flush writes it as it stands, and readers keep the longest; `label` writes it in full when it has ended.
        """
        if label is None:
            self._unfinished.pop(stream, None)
        else:
            self._unfinished[stream] = label

    def counts(self, stream: str, counts: Mapping[str, int]) -> None:
        """What the stream's source received, refused and lost, by cause, up to now; the latest stands."""
        self._check_open()
        told = {str(cause): str(count) for cause, count in sorted(counts.items())}
        self._mcap.add_metadata(f"{encoding.METADATA_COUNTS}{stream}", told)

    def flush(self) -> None:
        """Hand everything that was written so far to the operating system."""
        self._check_open()
        for label in self._unfinished.values():
            self._message(self._labels, label.t0_ns, encoding.encode_label(label))
        try:
            self._mcap.flush()  # type: ignore[no-untyped-call]
        except OSError as error:
            raise self._give_up(error) from error
        self._pending_from_ns.clear()
        self._flushed_at_s = time.monotonic()

    def close(self) -> None:
        """Write the footer and put the file onto the disk. Closing twice is harmless."""
        if not self._open:
            return
        try:
            self._mcap.flush()  # type: ignore[no-untyped-call]
            self._write_head()  # a second copy, should the first be damaged
            self._mcap.finish()  # type: ignore[no-untyped-call]
            self._file.close()
        except OSError as error:
            raise self._give_up(error) from error
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _add(self, channel: int, time_ns: int, payload: bytes) -> None:
        self._message(channel, time_ns, payload)
        if time.monotonic() - self._flushed_at_s >= CHUNK_NS / 1e9:
            self.flush()

    def _message(self, channel: int, time_ns: int, payload: bytes) -> None:
        stamp = max(0, time_ns)  # MCAP stamps are unsigned; the exact ones are in the message
        self._mcap.add_message(channel_id=channel, log_time=stamp, publish_time=stamp, data=payload)

    def _check(self, chunk: Chunk, stream: str) -> None:
        self._check_open()
        if stream not in self.specs:
            raise UsageError(
                f"{self.path} has no stream '{stream}'",
                reason=Reason.UNKNOWN_NAME,
                hint=f"it was opened with: {', '.join(self.specs)}",
            )
        if chunk.spec != self.specs[stream]:
            raise InputError(
                f"stream '{stream}' of {self.path} was opened as {self.specs[stream]}\n  but a chunk says {chunk.spec}",
                reason=Reason.CONTRACT,
                hint="start a new recording when the stream changes",
            )
        names = tuple(f"{name}:{values.dtype}" for name, values in chunk.aux.items())
        if self._aux.setdefault(stream, names) != names:
            raise InputError(
                f"stream '{stream}' of {self.path} began with aux {self._aux[stream]}, the chunk has {names}",
                reason=Reason.CONTRACT,
                hint="a stream carries the same aux arrays throughout",
            )

    def _check_open(self) -> None:
        if not self._open:
            raise UsageError(f"{self.path} is closed", reason=Reason.VALUE, hint="open a new RecordingWriter")

    def _give_up(self, error: OSError) -> EdgeHarError:
        self._open = False
        self._file.abandon()
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return MissingError(
                f"no space left for {self.path}; its first {self._file.size_bytes} bytes are whole and readable",
                reason=Reason.DISK_FULL,
                hint=f"free some space, then: edgehar repair {self.path} REPAIRED.mcap",
            )
        return InputError(
            f"{self.path} cannot be written: {error.strerror}",
            reason=Reason.PERMISSION,
            hint="choose another place for the recording",
        )


class _AppendFile:
    """What the mcap package writes to: all or nothing of each flush reaches the file."""

    def __init__(self, path: Path, sync_every_s: float | None) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError as error:
            raise UsageError(
                f"{path} exists", reason=Reason.EXISTS, hint="choose another name, or remove it first"
            ) from error
        except OSError as error:
            raise InputError(
                f"{path} cannot be written: {error.strerror}",
                reason=Reason.PERMISSION,
                hint="choose a directory that you may write to",
            ) from error
        self.size_bytes = 0
        self._buffer = bytearray()
        self._sync_every_s = sync_every_s
        self._synced_at_s = time.monotonic()
        self._is_open = True

    def write(self, data: bytes) -> int:
        self._buffer += data
        return len(data)

    def tell(self) -> int:
        return self.size_bytes + len(self._buffer)

    def flush(self) -> None:
        left = memoryview(bytes(self._buffer))
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            os.ftruncate(self._descriptor, self.size_bytes)  # leave no half chunk behind
            raise
        self.size_bytes += len(self._buffer)
        self._buffer.clear()
        if self._sync_every_s is not None and time.monotonic() - self._synced_at_s >= self._sync_every_s:
            os.fsync(self._descriptor)
            self._synced_at_s = time.monotonic()

    def close(self) -> None:
        self.flush()
        if self._sync_every_s is not None:
            os.fsync(self._descriptor)
        self.abandon()

    def abandon(self) -> None:
        if self._is_open:
            os.close(self._descriptor)
            self._is_open = False

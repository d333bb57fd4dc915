"""The records of an MCAP file one by one, from its start, so that the footer is never needed.

The mcap package's own reader takes four Python calls per field; a training set is 10^5 one-second chunks, so the two
frequent records, chunk and message, are taken apart here (MCAP specification, "Records"), the rest by the package.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import lz4.frame  # type: ignore[import-untyped]  # comes with mcap
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Footer, McapRecord, Metadata, Schema, Statistics

from edgehar.errors import InputError, MissingError, Reason

MAGIC = b"\x89MCAP0\r\n"
_MAX_RECORD_BYTES = 1 << 28  # a longer record is a damaged length, not a second of samples
_RECORD = struct.Struct("<BQ")  # opcode, length
_CHUNK = struct.Struct("<QQQII")  # start, end, uncompressed size, CRC-32, length of the compression's name
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
_RARE: Mapping[int, type[Schema | Channel | Metadata | Statistics | Footer]] = MappingProxyType(
    {
        Opcode.SCHEMA: Schema,
        Opcode.CHANNEL: Channel,
        Opcode.METADATA: Metadata,
        Opcode.STATISTICS: Statistics,
        Opcode.FOOTER: Footer,
    }
)
_TORN = (McapError, struct.error, ValueError, RuntimeError, EOFError)  # what cut-off or damaged bytes raise


class Payload(NamedTuple):
    """An MCAP message without its stamps."""

    channel_id: int
    data: bytes


class TornChunk(NamedTuple):
    """Stands in for an MCAP chunk whose checksum or compression does not hold."""

    end_byte: int
    why: str


Record = McapRecord | Payload | TornChunk


def walk(path: Path) -> Iterator[Record]:
    """Schemas, channels, metadata, payloads and at last the footer; ends early where the file was cut off."""
    try:
        file = path.open("rb", buffering=1 << 20)
    except FileNotFoundError as error:
        raise MissingError(
            f"there is no recording {path}",
            reason=Reason.NOT_FOUND,
            hint="check the path, or record one: edgehar record",
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", reason=Reason.PERMISSION, hint="give the path of a .mcap file"
        ) from error
    with file:
        magic = file.read(len(MAGIC))
        if magic != MAGIC:
            raise InputError(
                f"{path} is not a recording: it begins with {magic!r}, not with MCAP's mark",
                reason=Reason.FORMAT if magic else Reason.TRUNCATED,
                hint="give a .mcap file that edgehar record or edgehar import has written",
            )
        while len(head := file.read(_RECORD.size)) == _RECORD.size:
            opcode, length = _RECORD.unpack(head)
            if length > _MAX_RECORD_BYTES or len(body := file.read(length)) < length:
                return
            try:
                records = _open_chunk(body, path) if opcode == Opcode.CHUNK else _rare(opcode, body)
            except _TORN as error:
                if opcode == Opcode.CHUNK:
                    yield TornChunk(file.tell(), f"{type(error).__name__}: {error}")
                continue
            yield from records
            if opcode == Opcode.FOOTER:
                return


def _rare(opcode: int, body: bytes) -> list[Record]:
    kind = _RARE.get(opcode)
    return [] if kind is None else [kind.read(ReadDataStream(io.BytesIO(body)))]


def _open_chunk(body: bytes, path: Path) -> list[Record]:
    _, _, size, crc, name_length = _CHUNK.unpack_from(body)
    at = _CHUNK.size + name_length
    compression = body[_CHUNK.size : at].decode()
    if compression == "zstd":
        raise InputError(
            f"{path} is compressed with '{compression}'",
            reason=Reason.FORMAT,
            hint="edgehar reads the lz4 recordings that it writes",
        )
    if compression not in ("lz4", ""):
        raise ValueError(f"compression '{compression}' does not exist")
    stored = body[at + 8 :]
    content: bytes = lz4.frame.decompress(stored) if compression else stored
    if len(content) != size or (crc and zlib.crc32(content) != crc):
        raise ValueError("its checksum does not hold")
    records: list[Record] = []
    at = 0
    while at < size:
        opcode, length = _RECORD.unpack_from(content, at)
        at += _RECORD.size
        if opcode == Opcode.MESSAGE:
            records.append(Payload(_MESSAGE.unpack_from(content, at)[0], content[at + _MESSAGE.size : at + length]))
        else:
            records += _rare(opcode, content[at : at + length])
        at += length
    return records

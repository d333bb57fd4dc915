"""What an exported TFLite file says about itself, read with nothing but `struct`.

A file is one flatbuffer: a table holds, at its start, the distance back to its vtable, which lists the offset of each
field (flatbuffers.dev/internals). Model: field 4 buffers, field 6 metadata; Metadata: name, buffer; Buffer: data.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from edgehar.errors import InputError, Reason
from edgehar.runtimes.exported import METADATA

SIGNATURE_CHANNELS, SIGNATURE_SAMPLES = "serving_default", "samples"
_BUFFERS, _METADATA = 4, 6


def read_description(content: bytes, source: str) -> dict[str, Any]:
    """The JSON object that edgehar put into the file; InputError where there is none."""
    if content[4:8] != b"TFL3":
        raise _foreign(source, "is not a TFLite file")
    try:
        told = _find(content, METADATA.encode())
        described = None if told is None else json.loads(told)
    except (struct.error, ValueError, IndexError):
        raise _foreign(source, "is damaged") from None
    if not isinstance(described, dict):
        raise _foreign(source, "was not exported by edgehar")
    return described


def _find(content: bytes, wanted: bytes) -> bytes | None:
    model = _u32(content, 0)
    for entry in _tables(content, model, _METADATA):
        name = _field(content, entry, 0)
        if name and _bytes(content, name + _u32(content, name)) == wanted:
            number = _field(content, entry, 1)
            buffer = _tables(content, model, _BUFFERS)[_u32(content, number) if number else 0]
            data = _field(content, buffer, 0)
            return _bytes(content, data + _u32(content, data)) if data else b""
    return None


def _u32(content: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", content, at)[0])


def _field(content: bytes, table: int, slot: int) -> int:
    """Position of a table's field; 0 where it is absent."""
    vtable = table - int(struct.unpack_from("<i", content, table)[0])
    size = int(struct.unpack_from("<H", content, vtable)[0])
    offset = int(struct.unpack_from("<H", content, vtable + 4 + 2 * slot)[0]) if 4 + 2 * slot < size else 0
    return table + offset if offset else 0


def _tables(content: bytes, table: int, slot: int) -> list[int]:
    """Positions of the tables in a vector."""
    field = _field(content, table, slot)
    if not field:
        return []
    vector = field + _u32(content, field)
    starts = range(vector + 4, vector + 4 + 4 * _u32(content, vector), 4)
    if starts.stop > len(content):
        raise IndexError(slot)
    return [at + _u32(content, at) for at in starts]


def _bytes(content: bytes, vector: int) -> bytes:
    return content[vector + 4 : vector + 4 + _u32(content, vector)]


def _foreign(source: str, what: str) -> InputError:
    return InputError(
        f"{source}: {what}",
        reason=Reason.FORMAT,
        hint="write it again: edgehar export BUNDLE --target tflite --out DIR",
    )

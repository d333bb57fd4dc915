"""What is around every message: version, kind, length and CRC-32 in one COBS block chain between two zeros.

The zero before a frame ends whatever else was on the line (a boot message, half a frame), so that it spoils nothing.
CRC-32 is IEEE 802.3's (reflected 0x04C11DB7, start and final inversion), over everything before it. This part of the
format is the same in all versions.
"""

from __future__ import annotations

import struct
import zlib

from edgehar.wire.cobs import cobs_decode, cobs_encode, encoded_bytes
from edgehar.wire.frames import Cause
from edgehar.wire.schema import schema

HEAD = struct.Struct("<BBH")
CRC_BYTES = 4
OVERHEAD_BYTES = HEAD.size + CRC_BYTES
MAX_CODED_BYTES = encoded_bytes(schema().max_payload_bytes + OVERHEAD_BYTES)
VERSION = schema().version


def wrap(kind: int, payload: bytes) -> bytes:
    """The frame as it goes over the wire, both delimiters included."""
    if len(payload) > schema().max_payload_bytes:
        raise ValueError(f"payload of {len(payload)} bytes; the most is {schema().max_payload_bytes}")
    body = HEAD.pack(VERSION, kind, len(payload)) + payload
    return b"\0" + cobs_encode(body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")) + b"\0"


def unwrap(coded: bytes) -> tuple[int, bytes] | Cause:
    """Kind and payload of what stood between two zeros, or why it is no frame."""
    raw = cobs_decode(coded)
    if raw is None:
        return Cause.COBS
    if len(raw) < OVERHEAD_BYTES:
        return Cause.LENGTH
    version, kind, length = HEAD.unpack_from(raw)
    if length != len(raw) - OVERHEAD_BYTES:
        return Cause.LENGTH
    if zlib.crc32(raw[:-CRC_BYTES]) != int.from_bytes(raw[-CRC_BYTES:], "little"):
        return Cause.CRC
    if version != VERSION:
        return Cause.VERSION
    return kind, raw[HEAD.size : -CRC_BYTES]

"""How a message travels where the link keeps borders and checks bits by itself, as Bluetooth LE does.

Version and kind, then the payload: nothing is stuffed, and neither length nor CRC is sent twice.
"""

from __future__ import annotations

from edgehar.wire.envelope import VERSION
from edgehar.wire.frames import Cause
from edgehar.wire.schema import schema

PACKET_HEAD_BYTES = 2


def wrap_packet(kind: int, payload: bytes) -> bytes:
    """The packet for a payload.

    >>> wrap_packet(5, b"hi").hex()
    '01056869'
    """
    if len(payload) > schema().max_payload_bytes:
        raise ValueError(f"payload of {len(payload)} bytes; the most is {schema().max_payload_bytes}")
    return bytes((VERSION, kind)) + payload


def unwrap_packet(packet: bytes | bytearray | memoryview) -> tuple[int, bytes] | Cause:
    """Kind and payload, or why it is no packet."""
    raw = bytes(packet)
    if not PACKET_HEAD_BYTES <= len(raw) <= PACKET_HEAD_BYTES + schema().max_payload_bytes:
        return Cause.LENGTH
    if raw[0] != VERSION:
        return Cause.VERSION
    return raw[1], raw[PACKET_HEAD_BYTES:]

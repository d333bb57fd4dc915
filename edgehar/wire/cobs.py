"""Consistent Overhead Byte Stuffing: bytes without a zero, so that a zero can only mean the end of a frame.

Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999. Each block is
a code byte c and c - 1 bytes that are not zero; unless c is 255 or the frame ends, a zero follows in the original.
"""

from __future__ import annotations

FULL = 254
"""Bytes in the longest block; every so many bytes of data may cost one more on the wire."""


def encoded_bytes(n: int) -> int:
    """The most bytes that `n` take on the wire, delimiters not counted."""
    return n + n // FULL + 1


def cobs_encode(raw: bytes) -> bytes:
    """`raw` without zeros; the delimiter is the caller's.

    >>> cobs_encode(bytes([1, 0, 0, 2])).hex()
    '0201010202'
    """
    blocks = []
    for piece in raw.split(b"\0"):
        n, at = len(piece), 0
        while n - at >= FULL:
            blocks.append(b"\xff" + piece[at : at + FULL])
            at += FULL
        blocks.append(bytes((n - at + 1,)) + piece[at:])
    # A full block says nothing of a zero: at the end of the frame none must be read into it.
    if len(blocks) > 1 and blocks[-1] == b"\x01" and len(blocks[-2]) == FULL + 1:
        blocks.pop()
    return b"".join(blocks)


def cobs_decode(coded: bytes) -> bytes | None:
    """The original; None where `coded` is empty, holds a zero or ends within a block."""
    end = len(coded)
    if end == 0 or 0 in coded:
        return None
    # In place: a block's zero stands where the next block's code is; only the code behind a full block has to go.
    raw, joints, at = bytearray(coded), [], coded[0]
    full = at > FULL
    while at < end:
        code = raw[at]
        if full:
            joints.append(at)
        raw[at] = 0
        full = code > FULL
        at += code
    if at != end:
        return None
    for joint in reversed(joints):
        del raw[joint]
    return bytes(raw[1:])

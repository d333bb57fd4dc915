"""SipHash-2-4, the keyed hash that stands for a sender's address: Aumasson and Bernstein, INDOCRYPT 2012."""

from __future__ import annotations

KEY_BYTES = 16
MAC_BYTES = 6
_MASK = 2**64 - 1
_INIT = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def siphash24(key: bytes, message: bytes) -> int:
    """The 64-bit hash of `message` under the 128-bit `key`.

    >>> f"{siphash24(bytes(range(16)), bytes(range(15))):x}"
    'a129ca6149be45e5'
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"key of {len(key)} bytes, not {KEY_BYTES}")
    halves = (int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little"))
    v = [constant ^ half for constant, half in zip(_INIT, halves * 2, strict=True)]
    whole = len(message) // 8 * 8
    last = message[whole:].ljust(7, b"\0") + bytes((len(message) & 0xFF,))
    for at in range(0, whole + 8, 8):
        word = int.from_bytes(last if at == whole else message[at : at + 8], "little")
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def mac_hash(key: bytes, mac: bytes) -> int:
    """32 bits that stand for the address `mac` and cannot be turned back without `key`."""
    if len(mac) != MAC_BYTES:
        raise ValueError(f"address of {len(mac)} bytes, not {MAC_BYTES}")
    return siphash24(key, mac) & 0xFFFFFFFF


def _rounds(v: list[int], n: int) -> None:
    a, b, c, d = v
    for _ in range(n):
        a = (a + b) & _MASK
        b = _turned(b, 13) ^ a
        a = _turned(a, 32)
        c = (c + d) & _MASK
        d = _turned(d, 16) ^ c
        a = (a + d) & _MASK
        d = _turned(d, 21) ^ a
        c = (c + b) & _MASK
        b = _turned(b, 17) ^ c
        c = _turned(c, 32)
    v[:] = a, b, c, d


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _MASK

"""Senders' addresses become keyed hashes here and go no further."""

from __future__ import annotations

import hashlib
import secrets

import numpy as np
from numpy.typing import NDArray

from edgehar.types import IntArray
from edgehar.wire.siphash import KEY_BYTES, MAC_BYTES, mac_hash


def hash_key(salt: str = "") -> bytes:
    """The key that `salt` stands for: the same senders get the same hashes again. Without one it is random."""
    if not salt:
        return secrets.token_bytes(KEY_BYTES)
    return hashlib.blake2b(salt.encode(), digest_size=KEY_BYTES, person=b"edgehar sender").digest()


class SenderHashes:
    """Addresses to 32-bit hashes under one key; each address is hashed once."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[int, int] = {}

    def __call__(self, macs: IntArray) -> NDArray[np.uint32]:
        """Hashes [n] of addresses [n], each a number whose highest byte is printed first."""
        distinct, at = np.unique(macs, return_inverse=True)
        for mac in distinct.tolist():
            if mac not in self._known:
                self._known[mac] = mac_hash(self._key, mac.to_bytes(MAC_BYTES, "big"))
        return np.array([self._known[mac] for mac in distinct.tolist()], np.uint32)[at]

"""Other runtimes on the same model: each makes the decision of one whole window, in the settings that suit it best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from edgehar.bench.peers.base import Contestant, Desk, Field, dtype_of
from edgehar.bench.peers.c import c
from edgehar.bench.peers.litert import litert
from edgehar.bench.peers.ort import ort
from edgehar.bench.peers.torch import torch
from edgehar.bundle import Bundle
from edgehar.errors import Reason, UsageError

__all__ = ["PEERS", "Contestant", "Desk", "Field", "dtype_of", "field_of"]

PEERS: Mapping[str, Callable[[Bundle, Desk], Field]] = MappingProxyType(
    {"litert": litert, "ort": ort, "torch": torch, "c": c}
)


def field_of(name: str, bundle: Bundle, desk: Desk) -> Field:
    """All settings of the peer called `name`; the fastest is the one to be compared with."""
    if name not in PEERS:
        raise UsageError(f"peer '{name}'", reason=Reason.VALUE, hint=f"choose from: {', '.join(PEERS)}")
    return PEERS[name](bundle, desk)

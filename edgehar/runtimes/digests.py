"""Fingerprints of everything numeric in a bundle, taken when it is made: they name the tensor that has changed since.

Golden logits show that a bundle computes something else than it did; these say why. They travel in golden.npz as
`digests`, rows of (name, first 16 hexadecimal digits of the SHA-256). Names: `weights.W` for a tensor of the bundle;
for a quantised one also `int.W` for the integers derived from it and `scale.h` for what a tensor's integers mean.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.bundle import Bundle
from edgehar.runtimes.lowered import int_graph_of

KEY = "digests"


def with_digests(bundle: Bundle) -> Bundle:
    """The bundle with fingerprints of what it holds now; call it where a bundle is made, not where one is changed."""
    rows = np.array(sorted(digests(bundle).items()), np.str_)
    return replace(bundle, golden={**bundle.golden, KEY: rows})


def digests(bundle: Bundle) -> dict[str, str]:
    """Name -> fingerprint of all that the bundle's outputs depend on."""
    found = {f"weights.{name}": digest(value) for name, value in bundle.weights.items()}
    if bundle.manifest.quant is not None:
        graph = int_graph_of(bundle)
        found |= {f"int.{name}": digest(c.value) for name, c in graph.constants().items()}
        found |= {f"scale.{name}": digest(np.array([q.scale, q.zero_point])) for name, q in graph.quants.items()}
    return found


def digest(value: NDArray[Any]) -> str:
    """Of the little-endian bytes, with dtype and shape."""
    ordered = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    head = f"{ordered.dtype.str}{list(ordered.shape)}".encode()
    return hashlib.sha256(head + ordered.tobytes()).hexdigest()[:16]


def changed(bundle: Bundle) -> tuple[str, ...] | None:
    """Names whose fingerprint is not the recorded one, gone and new ones included; None where none are recorded."""
    if KEY not in bundle.golden:
        return None
    recorded = {str(name): str(value) for name, value in bundle.golden[KEY]}
    now = digests(bundle)
    return tuple(name for name in sorted(recorded.keys() | now) if recorded.get(name) != now.get(name))

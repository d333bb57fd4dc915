"""How a matrix is stored in C: dense, or without its zeros in one of three ways. Twin of `eh_dense.h`, `eh_sparse.h`.

Values are int8, or float32 in the same arrangements; only int8 words are reordered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import Reason, UsageError

LAYOUTS = ("dense", "entries", "bitmap", "blocks")
CHOICES = ("auto", *LAYOUTS)
WORD_ORDER = (0, 2, 1, 3)
BLOCK = 4
MOST_IN_ROW = 255

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A matrix [rows, columns] as arrays by suffix; "" is the weights. `wide`: columns take two bytes."""

    layout: str
    rows: int
    columns: int
    arrays: Mapping[str, Array]
    wide: bool = False

    @property
    def bytes(self) -> int:
        return sum(a.nbytes for a in self.arrays.values())


def store(w: Array, choice: str = "auto") -> Stored:
    """The matrix w in the layout `choice`; auto takes the one with the fewest bytes.

    Blocks pay off in instructions long before they do in bytes, so a matrix with at least half of its 4x1 blocks empty
    is stored in blocks if that takes at most a tenth more than the smallest.
    """
    if choice not in CHOICES:
        raise UsageError(
            f"no layout of matrices is called '{choice}'",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose one of: {', '.join(CHOICES)}",
        )
    if choice != "auto":
        return BUILDERS[choice](w) or dense(w)
    found = [s for s in (build(w) for build in BUILDERS.values()) if s is not None]
    smallest = min(found, key=lambda s: s.bytes)
    for stored in found:
        if stored.layout == "blocks" and _empty_blocks(w) >= 0.5 and stored.bytes <= 1.1 * smallest.bytes:
            return stored
    return smallest


def dense(w: Array) -> Stored:
    """Four rows at a time, word by word; see `eh_dense.h`."""
    rows, columns = w.shape
    full, quads = rows // BLOCK * BLOCK, columns // 4 * 4
    parts: list[Array] = []
    for first in range(0, full, BLOCK):
        group = w[first : first + BLOCK]
        words = group[:, :quads].reshape(BLOCK, -1, 4).transpose(1, 0, 2)  # [quad, row, 4]
        parts += [words_of(words), words_of(group[:, quads:].T)]
    for row in w[full:]:
        parts += [words_of(row[:quads].reshape(-1, 4)), row[quads:]]
    return Stored("dense", rows, columns, {"": _joined(parts, w)})


def entries(w: Array) -> Stored | None:
    """None where a row has more weights than a byte can count."""
    counts = np.count_nonzero(w, axis=1)
    if counts.max(initial=0) > MOST_IN_ROW:
        return None
    arrays = {"": w[w != 0], "columns": _columns(np.nonzero(w)[1], w), "counts": counts.astype(np.uint8)}
    return Stored("entries", w.shape[0], w.shape[1], arrays, _is_wide(w))


def bitmap(w: Array) -> Stored:
    """A bit per weight, eight columns a byte."""
    mask = np.packbits(w != 0, axis=1, bitorder="little")
    return Stored("bitmap", w.shape[0], w.shape[1], {"": w[w != 0], "mask": mask.ravel()})


def blocks(w: Array) -> Stored | None:
    """4x1 blocks; missing rows of the last four count as zeros."""
    rows, columns = w.shape
    padded = np.zeros((-(-rows // BLOCK) * BLOCK, columns), w.dtype)
    padded[:rows] = w
    groups = padded.reshape(-1, BLOCK, columns).transpose(0, 2, 1)  # [group, column, 4]
    kept = (groups != 0).any(axis=2)
    counts = np.count_nonzero(kept, axis=1)
    if counts.max(initial=0) > MOST_IN_ROW:
        return None
    arrays = {
        "": words_of(groups[kept]),
        "columns": _columns(np.nonzero(kept)[1], w),
        "counts": counts.astype(np.uint8),
    }
    return Stored("blocks", w.shape[0], w.shape[1], arrays, _is_wide(w))


def store_events(w: Array, choice: str = "auto") -> Stored:
    """The matrix w column by column for products with events; see `eh_spikes.h`.

    Dense, or as entries: for each weight its row, and where every column begins. auto takes what has fewer bytes;
    the other layouts, which go by rows, count as auto.
    """
    rows, columns = w.shape
    full = rows // BLOCK * BLOCK
    words = words_of(w[:full].T.reshape(columns, -1, 4)).reshape(columns, -1)
    whole = Stored("dense", rows, columns, {"": np.concatenate([words, w[full:].T], axis=1).ravel()})
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(w, axis=0))])
    if choice == "dense" or starts[-1] > np.iinfo(np.uint16).max:
        return whole
    arrays = {"": w.T[w.T != 0], "rows": _columns(np.nonzero(w.T)[1], w.T), "starts": starts.astype(np.uint16)}
    thin = Stored("entries", rows, columns, arrays, _is_wide(w.T))
    return thin if choice == "entries" or thin.bytes < whole.bytes else whole


def words_of(words: Array) -> Array:
    """Int8 words [..., 4] in the order in which `eh_words.h` takes them; floats as they are."""
    return (words[..., WORD_ORDER] if words.dtype == np.int8 else words).ravel()


def _joined(parts: list[Array], w: Array) -> Array:
    return np.concatenate(parts) if parts else np.zeros(0, w.dtype)


def _is_wide(w: Array) -> bool:
    return bool(w.shape[1] > 256)


def _columns(indices: Array, w: Array) -> Array:
    return indices.astype("<u2").view(np.uint8) if _is_wide(w) else indices.astype(np.uint8)


def _empty_blocks(w: Array) -> float:
    full = w[: len(w) // BLOCK * BLOCK].reshape(-1, BLOCK, w.shape[1])
    return 1.0 - float((full != 0).any(axis=1).mean()) if len(full) else 0.0


BUILDERS = {"dense": dense, "entries": entries, "bitmap": bitmap, "blocks": blocks}

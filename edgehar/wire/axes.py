"""The 24 rotations by quarter turns that a tag may apply to its samples; rows of [axes] in messages.toml."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgehar.wire.schema import schema

AXES = 3
_MAX = np.iinfo(np.int16).max


@cache
def rotation(row: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(axis, sign) for x, y and z of what is sent: sent[i] = sign[i] * sensor[axis[i]].

    >>> rotation(5)
    ((1, 2, 0), (1, -1, -1))
    """
    parts = schema().axes[row].split()
    return tuple("xyz".index(part[1]) for part in parts), tuple(1 if part[0] == "+" else -1 for part in parts)


def rotate(x: NDArray[np.int16], row: int) -> NDArray[np.int16]:
    """Samples x [n, 3 k] int16 with each group of three turned alike; a negated -32768 becomes 32767."""
    axis, sign = rotation(row)
    turned = x.reshape(-1, x.shape[1] // AXES, AXES)[:, :, list(axis)].astype(np.int32) * np.array(sign, np.int32)
    return np.minimum(turned, _MAX).astype(np.int16).reshape(x.shape)


def matching_row(axis: tuple[int, ...], sign: tuple[int, ...]) -> int | None:
    """The row for (axis, sign) as `rotation` gives them; None for what is no proper rotation (a mirror)."""
    return next((row for row in range(len(schema().axes)) if rotation(row) == (axis, sign)), None)

"""Grouped convolutions that run as dense ones, with zeros between the groups.

A few wide groups, as the sensors of a fusion, cost as many times the multiply-adds as there are groups when they are
one dense matrix, and are still an order of magnitude faster than going from group to group.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

MOST_GROUPS, LEAST_OUTPUTS = 6, 8
"""Up to so many groups, each of at least so many outputs, are spread."""

Number = TypeVar("Number", np.float32, np.int8)


def is_spread(groups: int, outputs: int) -> bool:
    """Whether a convolution of so many groups and outputs runs as a dense one though it is none."""
    return 1 < groups <= MOST_GROUPS and outputs // groups >= LEAST_OUTPUTS


def spread(w: NDArray[Number], groups: int) -> NDArray[Number]:
    """Kernels [out, inputs / groups, kernel] of a grouped convolution, as a dense one's [out, inputs, kernel].

    >>> spread(np.ones((2, 1, 1), np.float32), 2)[:, :, 0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    out, inside, size = w.shape
    outside = out // groups
    dense = np.zeros((out, groups * inside, size), w.dtype)
    for g in range(groups):
        rows = slice(g * outside, (g + 1) * outside)
        dense[rows, g * inside : (g + 1) * inside] = w[rows]
    return dense

"""Exact integer products, their one rounding, and the borders between floats and integers.

Equations: `edgehar.graph.intops`. Matrices lie input-major [columns, rows], so that an input that is zero, such as a
spike that did not come, costs nothing, and the inner loop runs over neighbours in memory.
"""

from __future__ import annotations

import numpy as np

from edgehar.runtimes.kernels.compiler import Vector, exact_kernel
from edgehar.runtimes.kernels.integer_types import Values, Weights, Wide


@exact_kernel
def rounded(v: int, shift: int) -> int:
    """round(v, shift)."""
    return v if shift == 0 else (v + (1 << (shift - 1))) >> shift


@exact_kernel
def clamped(v: int, low: int, high: int) -> int:
    """V, or the limit that it passes."""
    return min(max(v, low), high)


@exact_kernel
def add_int_product(acc: Values, matrix: Weights, x: Values) -> None:
    """Add x [columns] times matrix [columns, rows] to acc [rows] in int32, which the quantiser proved to hold it."""
    rows = len(acc)
    for c in range(len(x)):
        value = x[c]
        if value != 0:
            row = matrix[c * rows : (c + 1) * rows]
            for r in range(rows):
                acc[r] += np.int32(row[r]) * value


@exact_kernel
def add_scaled(total: Wide, acc: Values, multiplier: Values) -> None:
    """Add acc times multiplier [1 or rows] to total [rows]."""
    if len(multiplier) == 1:
        m = np.int64(multiplier[0])
        for r in range(len(acc)):
            total[r] += acc[r] * m
    else:
        for r in range(len(acc)):
            total[r] += acc[r] * np.int64(multiplier[r])


@exact_kernel
def finish(out: Values, total: Wide, bias: Values, shift: int, low: int, high: int) -> None:
    """Out = clamp(round(total, shift) + bias); bias [rows], or [0] where there is none."""
    for r in range(len(out)):
        v = rounded(total[r], shift)
        if len(bias) > 0:
            v += bias[r]
        out[r] = clamped(v, low, high)


@exact_kernel
def quantise_into(out: Values, x: Vector, inverse: np.float32, low: int, high: int) -> None:
    """Out = sat(rint(x * inverse)); NaN, which has no integer, becomes 0."""
    for i in range(len(x)):
        v = np.rint(x[i] * inverse)
        if v >= high:
            out[i] = high
        elif v <= low:
            out[i] = low
        elif v == v:  # noqa: PLR0124 - not NaN
            out[i] = np.int32(v)
        else:
            out[i] = 0


@exact_kernel
def dequantise_into(logits: Vector, q: Values, scale: np.float32) -> None:
    """Logits = float32(q) scale."""
    for i in range(len(q)):
        logits[i] = np.float32(q[i]) * scale

"""Real numbers as the integers that a quantised graph computes with: multipliers, decays, biases, tables."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgehar.graph.intexecute import LIMITS
from edgehar.graph.intops import TABLE_RANGE, TABLE_STEPS
from edgehar.graph.ops import Constant, float_of

MULTIPLIER_BITS = 30
LARGEST_SHIFT = 46
"""A zero point shifted by it stays far below 2^63, even where a layer lost all its weights and its ratio is near 0."""

Scales = NDArray[np.float64]


def tanh_table() -> Constant:
    """tanh(k / 32) in Q15 for k = 0 .. 128."""
    steps = np.arange(TABLE_STEPS + 1) * (TABLE_RANGE / TABLE_STEPS)
    return Constant("tanh_table", np.rint(32768 * np.tanh(steps)).clip(0, 32767).astype(np.int16))


def bias_floor(bias: Constant | None, scale_of_x: float) -> Scales | float:
    """The least scales of weights with which a bias, in units of their products, stays below 2^29."""
    return 0.0 if bias is None else np.abs(float_of(bias).astype(np.float64)) / (scale_of_x * (1 << 29))


def fixed_point(ratios: list[Scales]) -> tuple[list[NDArray[np.int32]], int]:
    """Integers below 2^30 and the one shift for which multiplier / 2^shift is closest to each ratio."""
    largest = max(float(r.max()) for r in ratios)
    shift = min(LARGEST_SHIFT, max(1, MULTIPLIER_BITS - 1 - math.floor(math.log2(largest))))
    return [np.maximum(np.rint(r * 2.0**shift), 1).astype(np.int32) for r in ratios], shift


def q15(gain: Constant) -> int:
    return int(np.clip(np.rint(float_of(gain)[0] * np.float64(32768)), 0, 32768))


def decay(c: Constant) -> Constant:
    return Constant(c.name, np.rint(float_of(c).astype(np.float64) * 32768).clip(0, 32767).astype(np.int16))


def int32(v: NDArray[np.float64]) -> NDArray[np.int32]:
    low, high = LIMITS["int32"]
    return np.rint(v).clip(low // 2, high // 2).astype(np.int32)


def positive(v: float) -> float:
    """A tensor that is always zero still needs a scale."""
    return max(v, 1e-6)

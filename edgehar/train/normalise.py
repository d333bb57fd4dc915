"""Mean and standard deviation per channel, estimated on training windows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgehar.types import FloatArray

CONSTANT_BELOW = 1e-6
"""A channel whose standard deviation is below this (in its unit) is only centred, never blown up to noise."""


@dataclass(frozen=True, slots=True)
class Normaliser:
    """(x - mean) / std per channel; mean, std [c] float32."""

    mean: FloatArray
    std: FloatArray

    @classmethod
    def fit(cls, x: FloatArray) -> Normaliser:
        """Estimate from windows x [n, w, c]; sums run in float64."""
        flat = x.reshape(-1, x.shape[-1])
        std = flat.std(axis=0, dtype=np.float64)
        std = np.where(std < CONSTANT_BELOW, 1.0, std)
        return cls(flat.mean(axis=0, dtype=np.float64).astype(np.float32), std.astype(np.float32))

    def __call__(self, x: FloatArray) -> FloatArray:
        """Normalise x [..., c] in float32, as the runtime's `normalize` op does."""
        normalised: FloatArray = (x - self.mean) / self.std
        return normalised

    def op(self) -> dict[str, Any]:
        """The preprocessing op that a bundle carries."""
        return {"op": "normalize", "mean": [float(v) for v in self.mean], "std": [float(v) for v in self.std]}

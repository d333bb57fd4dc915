"""Gates as the equations have them; the kernels use bounded approximations of these."""

from __future__ import annotations

import numpy as np

from edgehar.types import FloatArray


def sigmoid(x: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), written with tanh so that no exponent overflows."""
    gate: FloatArray = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * x)
    return gate

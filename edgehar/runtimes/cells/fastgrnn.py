"""FastGRNN (Kusupati et al., NeurIPS 2018), full or low-rank: one matrix pair shared by gate and candidate.

s = W x + U h                     W = W1 W2^T and U = U1 U2^T where a rank is given
z = sigmoid(s + b_z)
g = tanh(s + b_h)
h = (zeta (1 - z) + nu) g + z h
logits = fc_w h + fc_b            from the last h of the window
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgehar.runtimes.cells.gates import sigmoid
from edgehar.types import FloatArray


class FastGRNNCell:
    """State: h [hidden]."""

    def __init__(self, model: Mapping[str, Any], weights: Mapping[str, FloatArray]) -> None:
        self._w = weights
        self._hidden: int = model["hidden"]

    def start(self) -> FloatArray:
        return np.zeros(self._hidden, np.float32)

    def step(self, state: FloatArray, x: FloatArray) -> FloatArray:
        w, h = self._w, state
        s = self._product("W", x) + self._product("U", h)
        z = sigmoid(s + w["b_z"])
        g = np.tanh(s + w["b_h"])
        new: FloatArray = (w["zeta"] * (1 - z) + w["nu"]) * g + z * h
        return new

    def logits(self, state: FloatArray) -> FloatArray:
        scores: FloatArray = self._w["fc_w"] @ state + self._w["fc_b"]
        return scores

    def spike_rates(self) -> dict[str, float]:
        return {}

    def _product(self, name: str, v: FloatArray) -> FloatArray:
        w = self._w
        product: FloatArray = w[name] @ v if name in w else w[f"{name}1"] @ (w[f"{name}2"].T @ v)
        return product

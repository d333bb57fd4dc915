"""GRU (Cho et al., 2014) with the reset gate after the recurrent product, rows in the order r, z, n.

r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
n = tanh(W_in x + b_in + r (W_hn h + b_hn))
h = (1 - z) n + z h
logits = fc_w h + fc_b            from the last h of the window
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgehar.runtimes.cells.gates import sigmoid
from edgehar.types import FloatArray


class GRUCell:
    """State: h [hidden]."""

    def __init__(self, model: Mapping[str, Any], weights: Mapping[str, FloatArray]) -> None:
        self._w = weights
        self._hidden: int = model["hidden"]

    def start(self) -> FloatArray:
        return np.zeros(self._hidden, np.float32)

    def step(self, state: FloatArray, x: FloatArray) -> FloatArray:
        w, h = self._w, state
        input_r, input_z, input_n = np.split(w["w_ih"] @ x + w["b_ih"], 3)
        state_r, state_z, state_n = np.split(w["w_hh"] @ h + w["b_hh"], 3)
        r = sigmoid(input_r + state_r)
        z = sigmoid(input_z + state_z)
        n = np.tanh(input_n + r * state_n)
        new: FloatArray = (1 - z) * n + z * h
        return new

    def logits(self, state: FloatArray) -> FloatArray:
        scores: FloatArray = self._w["fc_w"] @ state + self._w["fc_b"]
        return scores

    def spike_rates(self) -> dict[str, float]:
        return {}

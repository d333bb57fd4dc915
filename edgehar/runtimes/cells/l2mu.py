"""L2MU, the spiking Legendre memory unit (Fra et al., ICANN 2024), on leaky or synaptic populations.

    e   = encoder(x)                       plain: x itself; single: enc0; stacked: enc0, enc1, enc2
    S_u = LIF(E_x e + E_h S_h' + E_m S_m')                 ' is the previous sample
    S_m = LIF(A S_m' + B S_u)                              for each of `memory` rows, A and B already effective
    S_h = LIF(W_x e + W_h S_h' + W_m S_m)
    S_o = LIF(W_o S_h + b_o)
    logits = sum over the window of S_o (readout count) or of the potential U_o (readout membrane)

A population's neurons (snntorch's Leaky and Synaptic, reset by subtraction, one sample late):
    I' = alpha I' + I (synaptic only);  R = [U > thr];  U = beta U + I - R thr;  S = [U > thr]

Spikes are 0 or 1, so a product with them is a sum of columns. It is taken in the order of the inputs, one addition
after the other: a kernel that does the same has the same bits, and no near-tie of U and thr falls differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgehar.types import FloatArray, IntArray

ZERO = np.float32(0)
ONE = np.float32(1)


@dataclass
class L2MUState:
    """Per population: potential U, synaptic current I, spikes S; and the sum that becomes the logits."""

    potential: dict[str, FloatArray]
    current: dict[str, FloatArray]
    spikes: dict[str, FloatArray]
    score: FloatArray = field(repr=False)


class L2MUCell:
    """State: `L2MUState`, advanced in place."""

    def __init__(self, model: Mapping[str, Any], weights: Mapping[str, FloatArray]) -> None:
        self._model, self._w = model, weights
        self._columns = {name: np.ascontiguousarray(w.T) for name, w in weights.items() if w.ndim == 2}
        self._sizes = population_sizes(model)
        self._counts = dict.fromkeys(self._sizes, 0)
        self._steps = 0

    def start(self) -> L2MUState:
        potential, current, spikes = ({p: np.zeros(n, np.float32) for p, n in self._sizes.items()} for _ in range(3))
        return L2MUState(potential, current, spikes, np.zeros(self._model["classes"], np.float32))

    def step(self, state: L2MUState, x: FloatArray) -> L2MUState:
        model, w, s = self._model, self._w, state.spikes
        self._steps += 1
        e = x
        if "enc0" in s:
            e = self._fire(state, "enc0", (w["enc0_w"] * x[:, None] + w["enc0_b"]).ravel())
        if "enc1" in s:
            e = self._fire(state, "enc1", self._sum(("enc1_w", e)) + w["enc1_b"])
            e = self._fire(state, "enc2", self._sum(("enc2_w", e)) + w["enc2_b"])
        self._fire(state, "u", self._sum(("E_x", e), ("E_h", s["h"]), ("E_m", s["m"])))
        rows = s["m"].reshape(model["memory"], model["order"])
        held = np.stack([self._sum(("A", row)) for row in rows]) + w["B"] * s["u"][:, None]
        self._fire(state, "m", held.ravel())
        self._fire(state, "h", self._sum(("W_x", e), ("W_h", s["h"]), ("W_m", s["m"])))
        self._fire(state, "o", self._sum(("W_o", s["h"])) + w["b_o"])
        state.score += s["o"] if model["readout"] == "count" else state.potential["o"]
        return state

    def logits(self, state: L2MUState) -> FloatArray:
        return state.score.copy()

    def spike_rates(self) -> dict[str, float]:
        return {p: self._counts[p] / max(1, self._steps * n) for p, n in self._sizes.items()}

    def _fire(self, state: L2MUState, p: str, drive: FloatArray) -> FloatArray:
        beta, thr = np.clip(self._w[f"beta_{p}"], ZERO, ONE), self._w[f"thr_{p}"]
        if self._model["neuron"] == "synaptic":
            drive = np.clip(self._w[f"alpha_{p}"], ZERO, ONE) * state.current[p] + drive
            state.current[p] = drive
        u = state.potential[p]
        u = (beta * u + drive) - np.where(u > thr, thr, ZERO)
        state.potential[p], state.spikes[p] = u, (u > thr).astype(np.float32)
        self._counts[p] += int(np.count_nonzero(state.spikes[p]))
        return state.spikes[p]

    def _sum(self, *products: tuple[str, FloatArray]) -> FloatArray:
        """Sum of matrix times vector over `products`, every term added in turn, zeros of the vector left out."""
        terms = [self._columns[name][inputs] * v[inputs, None] for name, v in products for inputs in [_nonzero(v)]]
        rows = np.concatenate(terms)
        total: FloatArray = np.cumsum(rows, axis=0)[-1] if len(rows) else np.zeros(rows.shape[1], np.float32)
        return total


def population_sizes(model: Mapping[str, Any]) -> dict[str, int]:
    """Neurons of every population, in the order in which they fire."""
    sizes = {} if model["encoder"] == "plain" else {"enc0": model["inputs"] * model["pop"]}
    if model["encoder"] == "stacked":
        sizes |= {"enc1": model["encoding"], "enc2": model["encoded"]}
    flat = model["memory"] * model["order"]
    return {**sizes, "u": model["memory"], "m": flat, "h": model["hidden"], "o": model["classes"]}


def _nonzero(v: FloatArray) -> IntArray:
    return np.flatnonzero(v).astype(np.int64)

"""L2MU, the spiking Legendre memory unit (Fra et al., ICANN 2024), on leaky or synaptic populations.

    e   = encoder(x)                       plain: x itself; single: enc0; stacked: enc0, enc1, enc2
    S_u = LIF(E_x e + E_h S_h' + E_m S_m')                 ' is the previous sample
    S_m = LIF(A S_m' + B S_u)                              for each of `memory` rows, A and B already effective
    S_h = LIF(W_x e + W_h S_h' + W_m S_m)
    S_o = LIF(W_o S_h + b_o)
    logits = sum over the window of S_o (readout count) or of the potential U_o (readout membrane)

A population's neurons (snntorch's Leaky and Synaptic, reset by subtraction, one sample late):
    I' = alpha I' + I (synaptic only);  R = [U > thr];  U = beta U + I - R thr;  S = [U > thr]

What a neuron hears from spikes is summed exactly. Its weights are rounded to integers of a unit, a power of two with
which any sum of them stays below 2^31 (`on_grid`); the sum of an encoder's spikes, and that of u's, m's and h's, is
rounded to float32 once. An addition in float32 would lose more. So all orders of the terms are equal, and a kernel may
go from the sum of one sample to that of the next by the spikes that differ: it has the same bits, and no near-tie of U
and thr falls differently. Products with real inputs are float32, added by ascending input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgehar.types import FloatArray

ZERO = np.float32(0)
ONE = np.float32(1)
SUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "enc1": ("enc1_w",), "enc2": ("enc2_w",), "E_x": ("E_x",), "W_x": ("W_x",),
    "u": ("E_h", "E_m"), "m": ("A", "B"), "h": ("W_h", "W_m"), "o": ("W_o",),
}  # fmt: skip
"""The sums over spikes, and the matrices whose weights share a grid in each; of E_x and W_x only behind an encoder."""
GRID_BITS: Final = 30


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
        self._grids = {name: grid_of(name, weights) for name, parts in SUMS.items() if parts[0] in weights}
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
            e = self._fire(state, "enc1", self._sum("enc1", e) + w["enc1_b"])
            e = self._fire(state, "enc2", self._sum("enc2", e) + w["enc2_b"])
        heard = self._product if "enc0" not in s else self._sum
        self._fire(state, "u", heard("E_x", e) + self._sum("u", s["h"], s["m"]))
        rows = s["m"].reshape(model["memory"], model["order"])
        self._fire(state, "m", self._sum("m", rows.T, s["u"][None]).ravel())
        self._fire(state, "h", heard("W_x", e) + self._sum("h", s["h"], s["m"]))
        self._fire(state, "o", self._sum("o", s["h"]) + w["b_o"])
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

    def _product(self, name: str, x: FloatArray) -> FloatArray:
        """The matrix times x, term by term."""
        product: FloatArray = np.cumsum(self._w[name].T * x[:, None], axis=0)[-1]
        return product

    def _sum(self, name: str, *spikes: FloatArray) -> FloatArray:
        """Exact sum of the weights whose inputs fired, rounded once [n]; for spikes [k, rows] it is [rows, n]."""
        matrices, unit = self._grids[name]
        # Integers below 2^53: float64 adds them exactly, in whatever order.
        total = np.sum([matrix @ fired for matrix, fired in zip(matrices, spikes, strict=True)], axis=0)
        rounded: FloatArray = total.T.astype(np.float32) * unit
        return rounded


def grid_of(name: str, weights: Mapping[str, FloatArray]) -> tuple[list[NDArray[np.float64]], FloatArray]:
    """`on_grid` of the matrices of a sum of `SUMS`; B is a column."""
    return on_grid(*(w if w.ndim == 2 else w[:, None] for w in (weights[part] for part in SUMS[name])))


def on_grid(*matrices: FloatArray) -> tuple[list[NDArray[np.float64]], FloatArray]:
    """The weights [n, k] of a sum as integers, and the unit [n] of each of its neurons, a power of two.

    The unit is at most 2^-29 of the sum of a neuron's absolute weights, and all of its integers together stay below
    2^31. A neuron with a weight that is no number has no unit: NaN.
    """
    most = np.sum([np.abs(matrix).sum(axis=1, dtype=np.float64) for matrix in matrices], axis=0)
    unit = np.where(np.isfinite(most), np.ldexp(1.0, np.maximum(np.frexp(most)[1] - GRID_BITS, -126)), np.nan)
    integers = [np.rint(np.nan_to_num(matrix / unit[:, None], nan=0.0)) for matrix in matrices]
    return integers, unit.astype(np.float32)


def population_sizes(model: Mapping[str, Any]) -> dict[str, int]:
    """Neurons of every population, in the order in which they fire."""
    sizes = {} if model["encoder"] == "plain" else {"enc0": model["inputs"] * model["pop"]}
    if model["encoder"] == "stacked":
        sizes |= {"enc1": model["encoding"], "enc2": model["encoded"]}
    flat = model["memory"] * model["order"]
    return {**sizes, "u": model["memory"], "m": flat, "h": model["hidden"], "o": model["classes"]}

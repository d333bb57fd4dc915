"""FastGRNN, full or low-rank; equations in `edgehar.runtimes.cells.fastgrnn`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgehar.manifest import Manifest
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Vector, kernel
from edgehar.runtimes.kernels.gates import sigmoid, tanh
from edgehar.runtimes.kernels.products import add_product, add_products
from edgehar.runtimes.kernels.schedule import lane_done, lanes_of
from edgehar.types import FloatArray, IntArray


@kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    h: Matrix,
    s: Matrix,
    low_h: Matrix,
    wx: Vector,
    low_x: Vector,
    w_in: Matrix,
    w_out: Matrix,
    u_in: Matrix,
    u_out: Matrix,
    b_z: Vector,
    b_h: Vector,
    fc_w: Matrix,
    fc_b: Vector,
    zeta: np.float32,
    nu: np.float32,
    active: Indices,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, D]; per lane h, s [K, H] and low_h [K, ru]; wx [H], low_x [rw].

    w_in, w_out: [D, H] and empty, or [D, rw] and [rw, H]; u_in, u_out: [H, H] and empty, or [H, ru] and [ru, H].
    """
    lanes, hidden = h.shape
    done = 0
    one = np.float32(1)
    for n in range(len(x)):
        t = t0 + n
        count = lanes_of(t, window, hop, lanes, active)
        if count == 0:
            continue
        if t % hop == 0:
            h[(t // hop) % lanes, :] = 0
        wx[:] = 0
        if len(w_out) == 0:
            add_product(wx, w_in, x[n])
        else:
            low_x[:] = 0
            add_product(low_x, w_in, x[n])
            add_product(wx, w_out, low_x)
        for lane in range(count):
            s[active[lane], :] = wx
        if len(u_out) == 0:
            add_products(s, u_in, h, active, count)
        else:
            for lane in range(count):
                low_h[active[lane], :] = 0
            add_products(low_h, u_in, h, active, count)
            add_products(s, u_out, low_h, active, count)
        for lane in range(count):
            state, total = h[active[lane]], s[active[lane]]
            for i in range(hidden):
                z = sigmoid(total[i] + b_z[i])
                g = tanh(total[i] + b_h[i])
                state[i] = (zeta * (one - z) + nu) * g + z * state[i]
        k = lane_done(t, window, hop, lanes)
        if k >= 0:
            ends[done] = t + 1
            logits[done, :] = fc_b
            add_product(logits[done], fc_w, h[k])
            done += 1


class Packed(NamedTuple):
    """Input-major weights in the order of `advance`."""

    w_in: FloatArray
    w_out: FloatArray
    u_in: FloatArray
    u_out: FloatArray
    b_z: FloatArray
    b_h: FloatArray
    fc_w: FloatArray
    fc_b: FloatArray
    zeta: np.float32
    nu: np.float32


class FastGRNNEngine(Engine):
    """The kernel with its buffers."""

    def __init__(self, packed: Packed, manifest: Manifest, hop: int) -> None:
        self._packed, self._window, self._hop = packed, manifest.window, hop
        lanes = -(-manifest.window // hop)
        hidden = len(packed.b_z)
        self._h = np.zeros((lanes, hidden), np.float32)
        self._scratch = (
            np.zeros((lanes, hidden), np.float32),
            np.zeros((lanes, len(packed.u_out)), np.float32),
            np.zeros(hidden, np.float32),
            np.zeros(len(packed.w_out), np.float32),
        )
        self._active = np.zeros(lanes, np.int64)

    @staticmethod
    def pack(_: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
        def factors(name: str) -> tuple[FloatArray, FloatArray]:
            if name in weights:
                full = np.array(weights[name].T, np.float32, order="C")
                return full, np.zeros((0, len(weights[name])), np.float32)
            inner = np.array(weights[f"{name}2"], np.float32, order="C")
            return inner, np.array(weights[f"{name}1"].T, np.float32, order="C")

        vectors = [np.array(weights[name], np.float32) for name in ("b_z", "b_h", "fc_b")]
        fc_w = np.array(weights["fc_w"].T, np.float32, order="C")
        scalars = (np.float32(weights["zeta"][0]), np.float32(weights["nu"][0]))
        return Packed(*factors("W"), *factors("U"), vectors[0], vectors[1], fc_w, vectors[2], *scalars)

    def run(self, x: FloatArray, t: int, ends: IntArray, logits: FloatArray) -> None:
        advance(x, t, self._window, self._hop, self._h, *self._scratch, *self._packed, self._active, ends, logits)

    def clear(self) -> None:
        self._h[:] = 0

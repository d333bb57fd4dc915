"""GRU; equations in `edgehar.runtimes.cells.gru`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgehar.manifest import Manifest
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Vector, kernel
from edgehar.runtimes.kernels.gates import sigmoid, tanh
from edgehar.runtimes.kernels.products import add_product, add_products
from edgehar.runtimes.kernels.schedule import lane_done, lanes_of
from edgehar.types import FloatArray


@kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    h: Matrix,
    from_h: Matrix,
    from_x: Vector,
    w_ih: Matrix,
    w_hh: Matrix,
    b_ih: Vector,
    b_hh: Vector,
    fc_w: Matrix,
    fc_b: Vector,
    active: Indices,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance h [K, H] by x [n, D]; from_h [K, 3H], from_x [3H]: the products of w_hh [H, 3H] and w_ih [D, 3H]."""
    lanes, hidden = h.shape
    done = 0
    one = np.float32(1)
    r_x, z_x, n_x = from_x[:hidden], from_x[hidden : 2 * hidden], from_x[2 * hidden :]
    for n in range(len(x)):
        t = t0 + n
        count = lanes_of(t, window, hop, lanes, active)
        if count == 0:
            continue
        if t % hop == 0:
            h[(t // hop) % lanes, :] = 0
        for i in range(3 * hidden):  # not by slices: their error message takes Numba seconds to compile
            from_x[i] = b_ih[i]
        add_product(from_x, w_ih, x[n])
        for lane in range(count):
            for i in range(3 * hidden):
                from_h[active[lane], i] = b_hh[i]
        add_products(from_h, w_hh, h, active, count)
        for lane in range(count):
            k = active[lane]
            state, r_h, z_h, n_h = h[k], from_h[k, :hidden], from_h[k, hidden : 2 * hidden], from_h[k, 2 * hidden :]
            for i in range(hidden):
                r = sigmoid(r_x[i] + r_h[i])
                z = sigmoid(z_x[i] + z_h[i])
                new = tanh(n_x[i] + r * n_h[i])
                state[i] = (one - z) * new + z * state[i]
        k = lane_done(t, window, hop, lanes)
        if k >= 0:
            ends[done] = t + 1
            for k_class in range(len(fc_b)):
                logits[done, k_class] = fc_b[k_class]
            add_product(logits[done], fc_w, h[k])
            done += 1


class Packed(NamedTuple):
    """Input-major weights in the order of `advance`."""

    w_ih: FloatArray
    w_hh: FloatArray
    b_ih: FloatArray
    b_hh: FloatArray
    fc_w: FloatArray
    fc_b: FloatArray


class GRUEngine(Engine):
    """The kernel with its buffers."""

    def __init__(self, packed: Packed, manifest: Manifest, hop: int) -> None:
        lanes = -(-manifest.window // hop)
        hidden = len(packed.w_hh)
        h = np.zeros((lanes, hidden), np.float32)
        scratch = np.zeros((lanes, 3 * hidden), np.float32), np.zeros(3 * hidden, np.float32)
        self.kernel, self.state = advance, (h,)
        self.arguments = manifest.window, hop, h, *scratch, *packed, np.zeros(lanes, np.int64)

    @staticmethod
    def pack(_: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
        return Packed(*(np.array(weights[name].T, np.float32, order="C") for name in Packed._fields))

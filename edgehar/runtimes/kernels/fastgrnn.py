"""FastGRNN, full, low-rank or of 16x1 blocks; equations in `edgehar.runtimes.cells.fastgrnn`.

All lanes advance together: W x is computed once, U h for all of them in one product, whose weights are read once.
Roofline per sample: hidden^2 lanes multiply-adds, bound by arithmetic from four lanes on, by loads of U for one; the
gates add about 35 vector operations per `WIDTH` units and lane.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgehar.manifest import Manifest
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Vector, kernel
from edgehar.runtimes.kernels.gates import HALF, tanh_parts
from edgehar.runtimes.kernels.products import Blocks, lone_product, pack_blocks, product, sparse_product
from edgehar.runtimes.kernels.schedule import in_a_window, lane_done
from edgehar.runtimes.kernels.simd import aligned, pack_rows, vectors_of
from edgehar.runtimes.kernels.vector import WIDTH
from edgehar.types import FloatArray, IntArray

W_IN, W_OUT, U_IN, U_OUT, B_Z, B_H, FC_W, FC_B, ZERO = range(9)
"""Places in the packed weights. A full matrix is the first of its pair."""


@kernel
def update(h: Vector, s: Vector, b_z: Vector, b_h: Vector, zeta: np.float32, nu: np.float32) -> None:
    """Gates: h = (zeta (1 - z) + nu) g + z h, z = sigmoid(s + b_z) = (q + p) / 2 q, g = tanh(s + b_h) = c / d.

    Brought to one fraction: ((zeta (q - p) / 2 + nu q) c + (q + p) / 2 h d) / (q d); q and d lie in [1, 300].
    """
    half_zeta = HALF * zeta
    for i in range(len(h)):
        p, q = tanh_parts(HALF * (s[i] + b_z[i]))
        c, d = tanh_parts(s[i] + b_h[i])
        h[i] = ((half_zeta * (q - p) + nu * q) * c + HALF * (q + p) * h[i] * d) / (q * d)


@kernel
def multiply(
    out: Vector, init: Vector, step: int, weights: Vector, at: int, vectors: int, x: Vector, xs: int, lanes: int,
    inner: int,
) -> None:  # fmt: skip
    """Of every lane: out = init + x times the matrix at `at`; init moves by `step` from lane to lane."""
    if lanes == 1:
        lone_product(out, 0, init, 0, weights, at, vectors, x, 0, inner)
    else:
        product(out, 0, vectors * WIDTH, init, 0, step, weights, at, vectors, x, 0, xs, lanes, inner)


@kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    lanes: int,
    h: Vector,
    s: Vector,
    low_h: Vector,
    wx: Vector,
    low_x: Vector,
    weights: Vector,
    places: Indices,
    hidden: int,
    rank_w: int,
    rank_u: int,
    zeta: np.float32,
    nu: np.float32,
    blocks: Vector,
    columns: Indices,
    starts: Indices,
    scores: Vector,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, D]. Rows are padded to whole vectors: h, s [K, H], low_h [K, rank_u], wx [H], low_x [rank_w].

    rank 0: full; starts not empty: the blocks of U, instead of U.
    """
    inputs, classes = x.shape[1], logits.shape[1]
    samples = x.reshape(x.size)
    size = len(wx)
    vectors, v_w, v_u = size // WIDTH, len(low_x) // WIDTH, len(low_h) // lanes // WIDTH
    zero = weights[places[ZERO] :]
    b_z, b_h = weights[places[B_Z] : places[B_Z] + size], weights[places[B_H] : places[B_H] + size]
    done = 0
    for n in range(len(x)):
        t = t0 + n
        if not in_a_window(t, window, hop):
            continue
        if t % hop == 0:
            first = (t // hop) % lanes * size
            h[first : first + size] = 0
        if rank_w == 0:
            lone_product(wx, 0, zero, 0, weights, places[W_IN], vectors, samples, n * inputs, inputs)
        else:
            lone_product(low_x, 0, zero, 0, weights, places[W_IN], v_w, samples, n * inputs, inputs)
            lone_product(wx, 0, zero, 0, weights, places[W_OUT], vectors, low_x, 0, rank_w)
        if len(starts) > 0:
            sparse_product(s, 0, size, wx, 0, 0, blocks, columns, starts, h, 0, size, lanes)
        elif rank_u == 0:
            multiply(s, wx, 0, weights, places[U_IN], vectors, h, size, lanes, hidden)
        else:
            multiply(low_h, zero, 0, weights, places[U_IN], v_u, h, size, lanes, hidden)
            multiply(s, wx, 0, weights, places[U_OUT], vectors, low_h, v_u * WIDTH, lanes, rank_u)
        for lane in range(lanes):
            at = lane * size
            update(h[at : at + size], s[at : at + size], b_z, b_h, zeta, nu)
        k = lane_done(t, window, hop, lanes)
        if k >= 0:
            v_c = len(scores) // WIDTH
            lone_product(scores, 0, weights, places[FC_B], weights, places[FC_W], v_c, h, k * size, hidden)
            ends[done] = t + 1
            logits[done, :] = scores[:classes]
            done += 1


class Packed(NamedTuple):
    """Weights in one aligned vector, and the sizes that belong to them."""

    weights: FloatArray
    places: IntArray
    hidden: int
    rank_w: int
    rank_u: int
    zeta: np.float32
    nu: np.float32
    blocks: Blocks


class FastGRNNEngine(Engine):
    """The kernel with its buffers."""

    def __init__(self, packed: Packed, manifest: Manifest, hop: int) -> None:
        def rows(count: int, size: int) -> FloatArray:
            return aligned(count * vectors_of(size, WIDTH) * WIDTH)

        lanes = -(-manifest.window // hop)
        self._schedule = manifest.window, hop, lanes
        self._h = rows(lanes, packed.hidden)
        scratch = rows(lanes, packed.hidden), rows(lanes, packed.rank_u), rows(1, packed.hidden), rows(1, packed.rank_w)
        *weights, blocks = packed
        self._arguments = *scratch, *weights, *blocks, rows(1, len(manifest.labels))

    @staticmethod
    def pack(_: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
        def factors(name: str) -> tuple[FloatArray, FloatArray]:
            if name in weights:
                return weights[name].T, np.zeros((0, 0), np.float32)
            return weights[f"{name}2"], weights[f"{name}1"].T

        (w_in, w_out), (u_in, u_out) = factors("W"), factors("U")
        hidden = len(weights["b_z"])
        vectors = [weights[name][None] for name in ("b_z", "b_h")]
        zero = np.zeros((1, hidden + len(w_out) + len(u_out)), np.float32)
        matrices = [w_in, w_out, u_in, u_out, *vectors, weights["fc_w"].T, weights["fc_b"][None], zero]
        packed, places = pack_rows(matrices, WIDTH)
        scalars = np.float32(weights["zeta"][0]), np.float32(weights["nu"][0])
        blocks = pack_blocks(u_in if not len(u_out) else np.zeros((0, hidden), np.float32))
        return Packed(packed, np.array(places, np.int64), hidden, len(w_out), len(u_out), *scalars, blocks)

    def run(self, x: FloatArray, t: int, ends: IntArray, logits: FloatArray) -> None:
        advance(x, t, *self._schedule, self._h, *self._arguments, ends, logits)

    def clear(self) -> None:
        self._h[:] = 0

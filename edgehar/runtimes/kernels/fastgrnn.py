"""FastGRNN, full, low-rank or of 16x1 blocks; equations in `edgehar.runtimes.cells.fastgrnn`.

All lanes advance together: W x of a burst is one product, U h of all lanes another, whose weights are read once; both
gates of a unit come from one exponential (`edgehar.runtimes.kernels.fastgrnn_gates`).
A lone state of full matrices has steps of its own (`edgehar.runtimes.kernels.fastgrnn_alone`).
Roofline per sample: hidden (hidden lanes + inputs) multiply-adds, bound by arithmetic from four lanes on; the gates
add 19 operations and a division per `WIDTH` units and lane.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from edgehar.manifest import Manifest
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Vector, inlined_kernel, kernel
from edgehar.runtimes.kernels.fastgrnn_alone import lone_step
from edgehar.runtimes.kernels.fastgrnn_gates import SCALE, gates, plain_gates, unit_rows, within_reach
from edgehar.runtimes.kernels.products import lone_product, pack_blocks, product, sparse_product, tall_product
from edgehar.runtimes.kernels.schedule import in_a_window, lane_done
from edgehar.runtimes.kernels.simd import aligned, pack_rows, vectors_of
from edgehar.runtimes.kernels.tiles import BLOCK
from edgehar.runtimes.kernels.vector import SUMS, TALLEST, WIDTH
from edgehar.types import FloatArray, IntArray

BURST: Final = 16
"""Samples at most whose W x is computed at once."""

# Slots of the plan: one array of numbers instead of thirty arguments, since each costs a call from Python 30 ns.
HIDDEN, VECTORS, RANK_W, V_W, RANK_U, V_U, V_C, PLAIN, STRIPS = range(9)
"""Units, their vectors; ranks (0: full) and their vectors; vectors of classes; 1: plain gates; strips of `starts`."""
W_IN, W_OUT, U_IN, U_OUT, B_H, UNITS, FC_W, FC_B, SCALARS, ZERO, BLOCKS = range(9, 20)
"""Places in the weights. A full matrix is the first of its pair; SCALARS: zeta, nu; UNITS: what the gates want."""
LANES, H, S, LOW_H, WX, LOW_X, SCORES, LATE = range(20, 28)
"""Lanes, and places in the memory: states, sums and U2 h of every lane; W x of a burst and W2 x; logits.

LATE: 1 where all lanes have yet to take the sample whose W x is the first; only its decision was in a hurry.
"""
SPARSITY: Final = 28
"""From here on: starts [STRIPS + 1] and columns of the blocks of U."""


@kernel
def project(x: Vector, first: int, inputs: int, count: int, plan: Indices, memory: Vector, weights: Vector) -> None:
    """Write W x + b_h of `count` samples, the first at place `first` of x, to the memory's WX."""
    vectors, bias = plan[VECTORS], plan[B_H]
    if plan[RANK_W] == 0:
        product(
            memory, plan[WX], vectors * WIDTH, weights, bias, 0, weights, plan[W_IN], vectors, x, first, inputs, count,
            inputs,
        )  # fmt: skip
        return
    low, step = plan[LOW_X], plan[V_W] * WIDTH
    product(memory, low, step, weights, plan[ZERO], 0, weights, plan[W_IN], plan[V_W], x, first, inputs, count, inputs)
    product(
        memory, plan[WX], vectors * WIDTH, weights, bias, 0, weights, plan[W_OUT], vectors, memory, low, step, count,
        plan[RANK_W],
    )  # fmt: skip


@inlined_kernel
def multiply(
    out: Vector, oo: int, init: Vector, io: int, step: int, weights: Vector, at: int, vectors: int, x: Vector, xo: int,
    xs: int, rows: int, inner: int, lone: bool,
) -> None:  # fmt: skip
    """Of every row: out = init + x times the matrix at `at`; init moves by `step` from row to row."""
    if lone:
        lone_product(out, oo, init, io, weights, at, vectors, x, xo, inner)
    elif SUMS and rows == TALLEST:
        tall_product(out, oo, vectors * WIDTH, init, io, step, weights, at, vectors, x, xo, xs, inner)
    else:
        product(out, oo, vectors * WIDTH, init, io, step, weights, at, vectors, x, xo, xs, rows, inner)


@inlined_kernel
def recur(
    h: int, s: int, wx: int, step: int, rows: int, plan: Indices, memory: Vector, weights: Vector, lone: bool
) -> None:
    """Sums of `rows` states at place `h`: s = W x + b_h + U h; W x at `wx`, `step` values from row to row.

    lone: the only row that there ever is; its sums may be taken in another order.
    """
    vectors = plan[VECTORS]
    size = vectors * WIDTH
    if plan[STRIPS] > 0:
        columns = SPARSITY + plan[STRIPS] + 1
        sparse_product(
            memory, s, size, memory, wx, step, weights[plan[BLOCKS] :], plan[columns:], plan[SPARSITY:columns], memory,
            h, size, rows,
        )  # fmt: skip
    elif plan[RANK_U] == 0:
        multiply(
            memory, s, memory, wx, step, weights, plan[U_IN], vectors, memory, h, size, rows, plan[HIDDEN], lone
        )  # fmt: skip
    else:
        low, low_step = plan[LOW_H], plan[V_U] * WIDTH
        multiply(
            memory, low, weights, plan[ZERO], 0, weights, plan[U_IN], plan[V_U], memory, h, size, rows, plan[HIDDEN],
            lone,
        )  # fmt: skip
        multiply(
            memory, s, memory, wx, step, weights, plan[U_OUT], vectors, memory, low, low_step, rows, plan[RANK_U], lone
        )


@inlined_kernel
def gate(h: int, s: int, rows: int, plan: Indices, memory: Vector, weights: Vector) -> None:
    """New states of `rows` rows from their sums."""
    vectors, units, zeta, nu = plan[VECTORS], plan[UNITS], weights[plan[SCALARS]], weights[plan[SCALARS] + 1]
    if plan[PLAIN] == 1:
        plain_gates(memory, h, memory, s, weights, units, rows, vectors, zeta, nu)
    else:
        gates(memory, h, memory, s, weights, units, rows, vectors, zeta, nu)


@inlined_kernel
def classify(h: int, plan: Indices, memory: Vector, weights: Vector) -> None:
    """Write the logits of the state at place `h` to the memory's SCORES."""
    lone_product(memory, plan[SCORES], weights, plan[FC_B], weights, plan[FC_W], plan[V_C], memory, h, plan[HIDDEN])


@kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    plan: Indices,
    memory: Vector,
    weights: Vector,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, D]; x[0] is sample t0.

    A push of the one sample that ends a window advances that window's lane only; the next push makes up for the rest.
    """
    inputs, classes = x.shape[1], logits.shape[1]
    samples = x.reshape(x.size)
    size, lanes, h, s = plan[VECTORS] * WIDTH, plan[LANES], plan[H], plan[S]
    done = 0
    if memory[plan[LATE]] != 0:
        # The lane that was not late takes the sample a second time: its window is over, it begins anew before the next.
        recur(h, s, plan[WX], 0, lanes, plan, memory, weights, False)
        gate(h, s, lanes, plan, memory, weights)
        memory[plan[LATE]] = 0
    for first in range(0, len(x), BURST):
        count = min(BURST, len(x) - first)
        project(samples, first * inputs, inputs, count, plan, memory, weights)
        for n in range(count):
            t = t0 + first + n
            if not in_a_window(t, window, hop):
                continue
            if t % hop == 0:
                fresh = h + (t // hop) % lanes * size
                memory[fresh : fresh + size] = 0
            k = lane_done(t, window, hop, lanes)
            # A sample that comes alone and decides: first the decision, the other lanes when the next sample comes.
            late = k >= 0 and len(x) == 1 and lanes > 1
            rows, own = (1, k * size) if late else (lanes, 0)
            recur(h + own, s, plan[WX] + n * size, 0, rows, plan, memory, weights, lanes == 1)
            gate(h + own, s, rows, plan, memory, weights)
            if k >= 0:
                memory[plan[LATE]] = np.float32(late)
                classify(h + k * size, plan, memory, weights)
                ends[done] = t + 1
                logits[done, :] = memory[plan[SCORES] : plan[SCORES] + classes]
                done += 1


@kernel
def advance_alone(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    plan: Indices,
    memory: Vector,
    weights: Vector,
    ends: Indices,
    logits: Matrix,
) -> None:
    """`advance` of one lane: the states of even and of odd samples have a row each."""
    inputs, classes = x.shape[1], logits.shape[1]
    samples = x.reshape(x.size)
    zeta, nu = weights[plan[SCALARS]], weights[plan[SCALARS] + 1]
    hidden, vectors, w, u, bias, units = plan[HIDDEN], plan[VECTORS], plan[W_IN], plan[U_IN], plan[B_H], plan[UNITS]
    size = vectors * WIDTH
    old, new = plan[H] + t0 % 2 * size, plan[H] + (t0 + 1) % 2 * size
    since = t0 % hop  # samples since the newest window began
    done = 0
    for n in range(len(x)):
        if since == 0:
            memory[old : old + size] = 0
        if since < window:
            lone_step(
                memory, new, memory, old, hidden, samples, n * inputs, inputs, weights, w, u, bias, units, vectors,
                zeta, nu,
            )  # fmt: skip
        since += 1
        if since == window:
            classify(new, plan, memory, weights)
            ends[done] = t0 + n + 1
            logits[done, :] = memory[plan[SCORES] : plan[SCORES] + classes]
            done += 1
        if since == hop:
            since = 0
        old, new = new, old


def dense(plan: IntArray) -> bool:
    """Whether a lone state may take `advance_alone`: full matrices, and gates from one exponential."""
    return not (plan[RANK_W] or plan[RANK_U] or plan[STRIPS] or plan[PLAIN])


class Packed(NamedTuple):
    """Weights in one aligned vector, and the plan up to LANES with its sparsity."""

    weights: FloatArray
    plan: IntArray


def layout_of(packed: Packed, lanes: int, rows: int, burst: int) -> tuple[IntArray, FloatArray]:
    """The plan for `rows` rows of states and `burst` samples, and its memory."""
    plan = packed.plan.copy()
    plan[LANES] = lanes
    each = {H: rows, S: rows, LOW_H: rows, WX: burst, LOW_X: burst, SCORES: 1, LATE: 1}
    vectors = {LOW_H: V_U, LOW_X: V_W, SCORES: V_C, LATE: V_C}
    at = 0
    for slot, count in each.items():
        plan[slot] = at
        # One vector more than the rows: what a product writes behind its last row.
        at += (count + 1) * int(plan[vectors.get(slot, VECTORS)]) * WIDTH
    return plan, aligned(at)


class FastGRNNEngine(Engine):
    """The kernel with its buffers."""

    def __init__(self, packed: Packed, manifest: Manifest, hop: int) -> None:
        lanes = -(-manifest.window // hop)
        plan, memory = layout_of(packed, lanes, lanes, BURST)
        self.kernel = advance_alone if lanes == 1 and dense(plan) else advance
        self.state = (memory,)
        self.arguments = manifest.window, hop, plan, memory, packed.weights

    @staticmethod
    def pack(_: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
        """Scale the sums by SCALE, so that they are what the exponential of the gates takes."""
        scale = np.float32(SCALE)

        def factors(name: str) -> tuple[FloatArray, FloatArray]:
            if name in weights:
                return weights[name].T * scale, np.zeros((0, 0), np.float32)
            return weights[f"{name}2"], weights[f"{name}1"].T * scale

        (w_in, w_out), (u_in, u_out) = factors("W"), factors("U")
        b_z, b_h = weights["b_z"], weights["b_h"]
        hidden, plain = len(b_z), not within_reach(b_z, b_h)
        units = (b_z - b_h)[None] if plain else unit_rows(b_z, b_h)
        blocks = pack_blocks(u_in if not len(u_out) else np.zeros((0, hidden), np.float32))
        scalars = np.concatenate([weights["zeta"], weights["nu"]])[None]
        zero = np.zeros((1, hidden + len(w_out) + len(u_out)), np.float32)
        matrices = [
            w_in, w_out, u_in, u_out, (b_h * scale)[None], units, weights["fc_w"].T, weights["fc_b"][None], scalars,
            zero, blocks.values.reshape(-1, BLOCK),
        ]  # fmt: skip
        packed, places = pack_rows(matrices, WIDTH)
        strips = max(0, len(blocks.starts) - 1)

        def vectors(n: int) -> int:
            return vectors_of(n, WIDTH)

        sizes = [hidden, vectors(hidden), len(w_out), vectors(len(w_out)), len(u_out), vectors(len(u_out))]
        header = [*sizes, vectors(len(weights["fc_b"])), int(plain), strips, *places]
        header += [0] * (SPARSITY - len(header))
        return Packed(packed, np.concatenate([header, blocks.starts, blocks.columns]).astype(np.int64))

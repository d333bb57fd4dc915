"""L2MU, event-driven: only neurons that fired cost a row of weights; equations in `edgehar.runtimes.cells.l2mu`.

Populations in the order in which they fire: [enc0 [enc1 enc2]] u m h o, each padded to whole vectors of neurons that
never fire. Where two populations hear the same spikes, their rows of weights lie side by side and are added in one go;
what a plain encoder's sample adds is the same for all lanes. Sums have the reference runtime's order and roundings,
hence its bits (`edgehar.runtimes.kernels.events`).

Output neurons hear h in the same pass as u and h do, one sample later, since nothing hears them; at the end of a window
or of a push they catch up. Each row of the memory has its own small A: where rows fill vectors, that is `order` masked
additions a vector.
Roofline per lane and sample: the spikes of h times the vectors of u, h and o, plus those of m times u's and h's, one
load and addition each, with weights in the first-level cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgehar.manifest import Manifest
from edgehar.runtimes.cells.l2mu import population_sizes
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Table, Vector, exact_kernel, inlined_exact_kernel
from edgehar.runtimes.kernels.events import fire_leaky, fire_synaptic, gather, memory_drive, spread_table
from edgehar.runtimes.kernels.schedule import lane_done, lanes_of
from edgehar.runtimes.kernels.simd import aligned, pack_rows, vectors_of
from edgehar.runtimes.kernels.vector import WIDTH
from edgehar.types import FloatArray, IntArray

FIRST, VECTORS, WORD, WORDS = range(4)
"""Columns of the table of populations: first neuron, vectors of neurons, first word of spikes, words."""
X_UH, H_UHO, M_U, M_M, U_M, M_H, ENC0_W, ENC1_W, ENC2_W = range(9)
"""Places in the packed weights. H_UHO: from whose spikes, to whose drives; X is the sample or the last encoder.

M_M: A for the whole memory, or the tiles of `memory_drive`, which hold B too.
"""


@exact_kernel
def add_weighted(drive: Vector, n: int, weights: Vector, at: int, x: Vector) -> None:
    """Add x [m] times the matrix [m, n] at `at` to the first n drives, input by input."""
    for j in range(len(x)):
        row, value = weights[at + j * n : at + (j + 1) * n], x[j]
        for i in range(n):
            drive[i] += value * row[i]


@inlined_exact_kernel
def fire(
    drive: Vector, at: int, first: int, vectors: int, potential: Vector, current: Vector, lane: int, neurons: Vector,
    synaptic: bool, bits: Indices, word: int,
) -> int:  # fmt: skip
    """Advance the population of a lane that begins at neuron `first` and, in bits, at `word`; return how many fired.

    neurons: beta, thr, alpha, bias [4, N].
    """
    size = len(neurons) // 4
    own = lane * size + first
    if synaptic:
        return int(fire_synaptic(drive, at, potential, own, current, own, neurons, first, size, vectors, bits, word))
    return int(fire_leaky(drive, at, potential, own, current, own, neurons, first, size, vectors, bits, word))


@exact_kernel
def encode(
    x: Vector, lane: int, populations: Table, potential: Vector, current: Vector, drive: Vector, bits: Indices,
    word: int, total: Indices, neurons: Vector, synaptic: bool, encoders: int, weights: Vector, places: Indices,
) -> None:  # fmt: skip
    """Fire the encoders of a lane: enc0 has `pop` neurons per input, enc1 and enc2 hear the spikes before them."""
    row = populations[0]
    n = row[VECTORS] * WIDTH
    for i in range(n):
        drive[i] = 0
    # enc0's weights are [inputs, n], zero but for the input's own neurons.
    own = places[ENC0_W]
    for j in range(len(x)):
        for i in range(n):
            drive[i] += weights[own + j * n + i] * x[j]
    total[0] += fire(
        drive, 0, row[FIRST], row[VECTORS], potential, current, lane, neurons, synaptic, bits, word + row[WORD]
    )
    for p in range(1, encoders):
        before, row = populations[p - 1], populations[p]
        n = row[VECTORS] * WIDTH
        for i in range(n):
            drive[i] = 0
        w = places[ENC1_W] if p == 1 else places[ENC2_W]
        gather(drive, 0, drive, 0, weights, w, n, row[VECTORS], bits, word + before[WORD], before[WORDS])
        total[p] += fire(
            drive, 0, row[FIRST], row[VECTORS], potential, current, lane, neurons, synaptic, bits, word + row[WORD]
        )


@inlined_exact_kernel
def read_out(
    k: int, first: int, vectors: int, drive: Vector, at: int, potential: Vector, current: Vector, neurons: Vector,
    synaptic: bool, membrane: bool, bits: Indices, word: int, total: Indices, population: int, score: Matrix,
) -> None:  # fmt: skip
    """Fire the output neurons of lane k by the drive at `at` and add to the lane's score."""
    total[population] += fire(drive, at, first, vectors, potential, current, k, neurons, synaptic, bits, word)
    own = k * (len(neurons) // 4) + first
    for c in range(score.shape[1]):
        if membrane:
            score[k, c] += potential[own + c]
        else:
            score[k, c] += np.float32((bits[word + c // 64] >> (c % 64)) & 1)


@exact_kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    populations: Table,
    potential: Vector,
    current: Vector,
    bits: Table,
    score: Matrix,
    total: Indices,
    shared: Vector,
    drive: Vector,
    out: Vector,
    neurons: Vector,
    weights: Vector,
    places: Indices,
    spread: Indices,
    order: int,
    synaptic: bool,
    membrane: bool,
    encoders: int,
    active: Indices,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, D]; potential and current [K, N], bits [K, words], score [K, C]; total [P + 1].

    Drives: shared and drive [K, ...] of u, h and o, out of m or an encoder.
    """
    # Numbers of their own: read again from a table, each would wait for the stores between.
    lanes = len(score)
    e_word, e_words = 0, 0
    if encoders > 0:
        e_word, e_words = populations[encoders - 1, WORD], populations[encoders - 1, WORDS]
    first_u, v_u, word_u, words_u = populations[encoders]
    first_m, v_m, word_m, words_m = populations[encoders + 1]
    first_h, v_h, word_h, words_h = populations[encoders + 2]
    first_o, v_o, word_o, _ = populations[encoders + 3]
    x_uh, h_uho, m_u, m_m, u_m, m_h = places[X_UH], places[H_UHO], places[M_U], places[M_M], places[U_M], places[M_H]
    v_uh, v_uho = v_u + v_h, v_u + v_h + v_o
    n_u, n_m, n_h, n_o = v_u * WIDTH, v_m * WIDTH, v_h * WIDTH, v_o * WIDTH
    n_uh, step = v_uh * WIDTH, v_uho * WIDTH
    size = len(neurons) // 4
    spikes = bits.reshape(bits.size)
    words = bits.shape[1]
    done = 0
    for n in range(len(x)):
        t = t0 + n
        count = lanes_of(t, window, hop, lanes, active)
        fresh = (t // hop) % lanes if t % hop == 0 else -1
        if fresh >= 0:
            potential[fresh * size : (fresh + 1) * size] = 0
            current[fresh * size : (fresh + 1) * size] = 0
            bits[fresh, :] = 0
            score[fresh, :] = 0
        if encoders == 0:
            for i in range(n_uh):
                shared[i] = 0
            add_weighted(shared, n_uh, weights, x_uh, x[n])
        # All lanes go one stretch of the way before any goes the next: a matrix at a time stays in the first-level
        # cache, and a lane's spikes are known long before the loop over them has to know where it ends.
        for lane in range(count):
            k = active[lane]
            word, own = k * words, k * step
            if encoders > 0:
                encode(
                    x[n], k, populations, potential, current, out, spikes, word, total, neurons, synaptic, encoders,
                    weights, places,
                )  # fmt: skip
                gather(drive, own, shared, 0, weights, x_uh, n_uh, v_uh, spikes, word + e_word, e_words)
                for i in range(own + n_uh, own + step):
                    drive[i] = 0
                gather(drive, own, drive, own, weights, h_uho, step, v_uho, spikes, word + word_h, words_h)
            else:
                gather(drive, own, shared, 0, weights, h_uho, step, v_uho, spikes, word + word_h, words_h)
        for lane in range(count):
            k = active[lane]
            gather(drive, k * step, drive, k * step, weights, m_u, n_u, v_u, spikes, k * words + word_m, words_m)
        for lane in range(count):
            k = active[lane]
            word, own = k * words, k * step
            w_u, w_m = word + word_u, word + word_m
            if n > 0 and k != fresh:  # of the sample before, whose spikes of h have just been heard
                read_out(
                    k, first_o, v_o, drive, own + n_uh, potential, current, neurons, synaptic, membrane, spikes,
                    word + word_o, total, encoders + 3, score,
                )  # fmt: skip
            total[encoders] += fire(drive, own, first_u, v_u, potential, current, k, neurons, synaptic, spikes, w_u)
            if order > 0:
                memory_drive(order, v_m, out, 0, weights, m_m, spikes, w_m, w_u, spread)
            else:
                for i in range(n_m):
                    out[i] = 0
                gather(out, 0, out, 0, weights, m_m, n_m, v_m, spikes, w_m, words_m)
                gather(out, 0, out, 0, weights, u_m, n_m, v_m, spikes, w_u, words_u)
            total[encoders + 1] += fire(out, 0, first_m, v_m, potential, current, k, neurons, synaptic, spikes, w_m)
        for lane in range(count):
            k = active[lane]
            word, own = k * words, k * step + n_u
            gather(drive, own, drive, own, weights, m_h, n_h, v_h, spikes, word + word_m, words_m)
            total[encoders + 2] += fire(
                drive, own, first_h, v_h, potential, current, k, neurons, synaptic, spikes, word + word_h
            )
            total[len(populations)] += 1
        ending = lane_done(t, window, hop, lanes)
        for lane in range(count):
            k = active[lane]
            if k != ending and n < len(x) - 1:
                continue
            word, own = k * words, k * step + n_uh
            for i in range(own, own + n_o):
                drive[i] = 0
            gather(
                drive, own, drive, own, weights, h_uho + n_uh, step, v_o, spikes, word + word_h,
                words_h,
            )  # fmt: skip
            read_out(
                k, first_o, v_o, drive, own, potential, current, neurons, synaptic, membrane, spikes, word + word_o,
                total, encoders + 3, score,
            )  # fmt: skip
        if ending >= 0:
            ends[done] = t + 1
            logits[done, :] = score[ending]
            done += 1


class Packed(NamedTuple):
    """Arguments of `advance` from `neurons` to `encoders`, and the populations with their sizes before padding."""

    arguments: tuple[FloatArray | IntArray | bool | int, ...]
    populations: IntArray
    sizes: dict[str, int]


class L2MUEngine(Engine):
    """The kernel with its buffers."""

    def __init__(self, packed: Packed, manifest: Manifest, hop: int) -> None:
        self._sizes = packed.sizes
        table = packed.populations
        lanes = -(-manifest.window // hop)
        widths = (table[:, VECTORS] * WIDTH).tolist()
        u, _, h, o = widths[-4:]
        self._total = np.zeros(len(table) + 1, np.int64)
        self.counters = (self._total,)
        self.state = (
            aligned(lanes * sum(widths)),
            aligned(lanes * sum(widths)),
            np.zeros((lanes, int(table[:, WORDS].sum())), np.int64),
            np.zeros((lanes, manifest.outputs), np.float32),
        )
        drives = aligned(u + h + o), aligned(lanes * (u + h + o)), aligned(max(widths))
        buffers = *self.state, self._total, *drives
        self.kernel = advance
        self.arguments = manifest.window, hop, table, *buffers, *packed.arguments, np.zeros(lanes, np.int64)

    @staticmethod
    def pack(manifest: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
        model = manifest.model
        sizes = population_sizes(model)
        vectors = [vectors_of(n, WIDTH) for n in sizes.values()]
        words = [vectors_of(n * WIDTH, 64) for n in vectors]
        firsts = [np.cumsum([0, *counts])[:-1] for counts in ([n * WIDTH for n in vectors], words)]
        table = np.stack([firsts[0], vectors, firsts[1], words], axis=1).astype(np.int64)

        def per_neuron(parameter: str, padding: float) -> FloatArray:
            parts = []
            for (p, n), count in zip(sizes.items(), vectors, strict=True):
                values = np.broadcast_to(weights[f"{parameter}_{p}"], n).astype(np.float32)
                parts += [values, np.full(count * WIDTH - n, padding, np.float32)]
            return np.concatenate(parts)

        synaptic = model["neuron"] == "synaptic"
        alpha = np.clip(per_neuron("alpha", 0), 0, 1) if synaptic else per_neuron("thr", 0) * 0
        biases = {"o": "b_o", "enc0": "enc0_b", "enc1": "enc1_b", "enc2": "enc2_b"}
        bias = per_neuron("thr", 0) * 0
        for (p, n), first in zip(sizes.items(), firsts[0].tolist(), strict=True):
            if p in biases:
                bias[first : first + n] = weights[biases[p]].ravel()
        neurons = aligned(4 * int(sum(vectors)) * WIDTH)
        neurons[:] = np.concatenate([np.clip(per_neuron("beta", 0), 0, 1), per_neuron("thr", np.inf), alpha, bias])
        spread = spread_table(model["order"])
        packed, places = pack_rows(_matrices(model, weights, sizes, tiled=len(spread) > 0), WIDTH)
        order = model["order"] if len(spread) else 0
        switches = synaptic, model["readout"] == "membrane", len(sizes) - 4
        return Packed((neurons, packed, np.array(places, np.int64), spread, order, *switches), table, sizes)

    def spikes(self) -> dict[str, tuple[int, int]]:
        steps = int(self._total[-1])
        return {p: (int(self._total[i]), steps * n) for i, (p, n) in enumerate(self._sizes.items())}


def _matrices(
    model: Mapping[str, int], weights: Mapping[str, FloatArray], sizes: Mapping[str, int], *, tiled: bool
) -> list[FloatArray]:
    """Input-major, in the order of the places; two populations that hear the same spikes side by side."""

    def padded(matrix: FloatArray) -> FloatArray:
        n = matrix.shape[1]
        return np.pad(matrix, ((0, 0), (0, vectors_of(n, WIDTH) * WIDTH - n)))

    def beside(*names: str) -> FloatArray:
        return np.concatenate([padded(weights[name].T) for name in names], axis=1)

    rows, order = model["memory"], model["order"]
    # Every row of the memory has its own A and B on the diagonal; the zeros beside change no sum.
    a = np.kron(np.eye(rows, dtype=np.float32), weights["A"].T)
    b = np.kron(np.eye(rows, dtype=np.float32), weights["B"].reshape(1, order))
    if tiled:
        a = np.tile(np.concatenate([weights["A"].T, weights["B"].reshape(1, order)]), (1, WIDTH // order))
    heard = [beside("E_x", "W_x"), beside("E_h", "W_h", "W_o")]
    core = [*heard, weights["E_m"].T, a, b, weights["W_m"].T]
    empty = np.zeros((0, 0), np.float32)
    encoder = empty
    if "enc0" in sizes:
        inputs, pop = weights["enc0_w"].shape
        own = np.kron(np.eye(inputs, dtype=np.float32), np.ones((1, pop), np.float32))
        encoder = own * weights["enc0_w"].reshape(1, -1)
    return [*core, encoder, *(weights[f"{name}_w"].T if name in sizes else empty for name in ("enc1", "enc2"))]

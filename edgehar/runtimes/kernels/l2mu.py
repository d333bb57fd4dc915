"""L2MU, event-driven: only neurons that fired cost a row of weights; equations in `edgehar.runtimes.cells.l2mu`.

Populations in the order in which they fire: [enc0 [enc1 enc2]] u m h o, each padded to whole vectors of neurons that
never fire. Where two populations hear the same spikes, their rows of weights lie side by side and are added in one go;
what a plain encoder's sample adds is the same for all lanes. Sums have the reference runtime's order and roundings,
hence its bits (`edgehar.runtimes.kernels.events`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgehar.manifest import Manifest
from edgehar.runtimes.cells.l2mu import population_sizes
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Table, Vector, exact_kernel
from edgehar.runtimes.kernels.events import fire_leaky, fire_synaptic, gather
from edgehar.runtimes.kernels.schedule import lane_done, lanes_of
from edgehar.runtimes.kernels.simd import aligned, pack_rows, vectors_of
from edgehar.runtimes.kernels.vector import WIDTH
from edgehar.types import FloatArray, IntArray

FIRST, VECTORS, WORD, WORDS = range(4)
"""Columns of the table of populations: first neuron, vectors of neurons, first word of spikes, words."""
X_UH, H_UH, M_UM, U_M, M_H, H_O, B_O, ENC0_W, ENC0_B, ENC1_W, ENC1_B, ENC2_W, ENC2_B = range(13)
"""Places in the packed weights. M_UM: from whose spikes, to whose drives; X is the sample or the last encoder."""


@exact_kernel
def add_weighted(drive: Vector, weights: Vector, at: int, x: Vector) -> None:
    """Add x [m] times the matrix [m, n] at `at` to drive [n], input by input."""
    n = len(drive)
    for j in range(len(x)):
        row, value = weights[at + j * n : at + (j + 1) * n], x[j]
        for i in range(n):
            drive[i] += value * row[i]


@exact_kernel
def add(drive: Vector, at: int, weights: Vector, bias: int, n: int) -> None:
    """Add the n values at `bias` to those at `at`."""
    for i in range(n):
        drive[at + i] += weights[bias + i]


@exact_kernel
def fire(
    drive: Vector, at: int, row: Indices, potential: Vector, current: Vector, lane: int, neurons: Vector,
    synaptic: bool, bits: Indices, word: int,
) -> int:  # fmt: skip
    """Advance one population of a lane by its drive; return how many fired. neurons: beta, thr, alpha [3, N]."""
    size = len(neurons) // 3
    first = row[FIRST]
    own = lane * size + first
    at_bits = word + row[WORD]
    if synaptic:
        return int(
            fire_synaptic(drive, at, potential, own, current, own, neurons, first, size, row[VECTORS], bits, at_bits)
        )
    return int(fire_leaky(drive, at, potential, own, current, own, neurons, first, size, row[VECTORS], bits, at_bits))


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
    add(drive, 0, weights, places[ENC0_B], n)
    total[0] += fire(drive, 0, row, potential, current, lane, neurons, synaptic, bits, word)
    for p in range(1, encoders):
        before, row = populations[p - 1], populations[p]
        n = row[VECTORS] * WIDTH
        for i in range(n):
            drive[i] = 0
        w, b = (places[ENC1_W], places[ENC1_B]) if p == 1 else (places[ENC2_W], places[ENC2_B])
        gather(drive, 0, drive, 0, weights, w, row[VECTORS], bits, word + before[WORD], before[WORDS])
        add(drive, 0, weights, b, n)
        total[p] += fire(drive, 0, row, potential, current, lane, neurons, synaptic, bits, word)


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
    uh: Vector,
    um: Vector,
    out: Vector,
    neurons: Vector,
    weights: Vector,
    places: Indices,
    synaptic: bool,
    membrane: bool,
    encoders: int,
    active: Indices,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, D]; potential and current [K, N], bits [K, words], score [K, C]; total [P + 1].

    Drives: shared and uh of u and h, um of u and m, out of o or an encoder.
    """
    lanes, classes = score.shape
    u, m, h, o = (
        populations[encoders],
        populations[encoders + 1],
        populations[encoders + 2],
        populations[encoders + 3],
    )
    n_u = u[VECTORS] * WIDTH
    v_uh, v_um = u[VECTORS] + h[VECTORS], u[VECTORS] + m[VECTORS]
    size = len(neurons) // 3
    spikes = bits.reshape(bits.size)
    words = bits.shape[1]
    done = 0
    for n in range(len(x)):
        t = t0 + n
        count = lanes_of(t, window, hop, lanes, active)
        if t % hop == 0:
            k = (t // hop) % lanes
            potential[k * size : (k + 1) * size] = 0
            current[k * size : (k + 1) * size] = 0
            bits[k, :] = 0
            score[k, :] = 0
        shared[:] = 0
        if encoders == 0:
            add_weighted(shared, weights, places[X_UH], x[n])
        for lane in range(count):
            k = active[lane]
            word = k * words
            if encoders > 0:
                encode(
                    x[n], k, populations, potential, current, out, spikes, word, total, neurons, synaptic, encoders,
                    weights, places,
                )  # fmt: skip
                e = populations[encoders - 1]
                gather(uh, 0, shared, 0, weights, places[X_UH], v_uh, spikes, word + e[WORD], e[WORDS])
                gather(uh, 0, uh, 0, weights, places[H_UH], v_uh, spikes, word + h[WORD], h[WORDS])
            else:
                gather(uh, 0, shared, 0, weights, places[H_UH], v_uh, spikes, word + h[WORD], h[WORDS])
            um[:n_u] = uh[:n_u]
            um[n_u:] = 0
            gather(um, 0, um, 0, weights, places[M_UM], v_um, spikes, word + m[WORD], m[WORDS])
            total[encoders] += fire(um, 0, u, potential, current, k, neurons, synaptic, spikes, word)
            gather(um, n_u, um, n_u, weights, places[U_M], m[VECTORS], spikes, word + u[WORD], u[WORDS])
            total[encoders + 1] += fire(um, n_u, m, potential, current, k, neurons, synaptic, spikes, word)
            gather(uh, n_u, uh, n_u, weights, places[M_H], h[VECTORS], spikes, word + m[WORD], m[WORDS])
            total[encoders + 2] += fire(uh, n_u, h, potential, current, k, neurons, synaptic, spikes, word)
            out[: o[VECTORS] * WIDTH] = 0
            gather(out, 0, out, 0, weights, places[H_O], o[VECTORS], spikes, word + h[WORD], h[WORDS])
            add(out, 0, weights, places[B_O], o[VECTORS] * WIDTH)
            total[encoders + 3] += fire(out, 0, o, potential, current, k, neurons, synaptic, spikes, word)
            for c in range(classes):
                if membrane:
                    score[k, c] += potential[k * size + o[FIRST] + c]
                else:
                    score[k, c] += np.float32((bits[k, o[WORD] + c // 64] >> (c % 64)) & 1)
            total[len(populations)] += 1
        k = lane_done(t, window, hop, lanes)
        if k >= 0:
            ends[done] = t + 1
            logits[done, :] = score[k]
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
        u, m, h, _ = widths[-4:]
        self._total = np.zeros(len(table) + 1, np.int64)
        self.counters = (self._total,)
        self.state = (
            aligned(lanes * sum(widths)),
            aligned(lanes * sum(widths)),
            np.zeros((lanes, int(table[:, WORDS].sum())), np.int64),
            np.zeros((lanes, len(manifest.labels)), np.float32),
        )
        drives = aligned(u + h), aligned(u + h), aligned(u + m), aligned(max(widths))
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
        neurons = aligned(3 * int(sum(vectors)) * WIDTH)
        neurons[:] = np.concatenate([np.clip(per_neuron("beta", 0), 0, 1), per_neuron("thr", np.inf), alpha])
        packed, places = pack_rows(_matrices(model, weights, sizes), WIDTH)
        switches = synaptic, model["readout"] == "membrane", len(sizes) - 4
        return Packed((neurons, packed, np.array(places, np.int64), *switches), table, sizes)

    def spikes(self) -> dict[str, tuple[int, int]]:
        steps = int(self._total[-1])
        return {p: (int(self._total[i]), steps * n) for i, (p, n) in enumerate(self._sizes.items())}


def _matrices(
    model: Mapping[str, int], weights: Mapping[str, FloatArray], sizes: Mapping[str, int]
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
    memory = np.concatenate([padded(weights["E_m"].T), padded(a)], axis=1)
    core = [beside("E_x", "W_x"), beside("E_h", "W_h"), memory, b, weights["W_m"].T, weights["W_o"].T]
    empty = np.zeros((0, 0), np.float32)
    encoders = [empty, empty]
    if "enc0" in sizes:
        inputs, pop = weights["enc0_w"].shape
        own = np.kron(np.eye(inputs, dtype=np.float32), np.ones((1, pop), np.float32))
        encoders = [own * weights["enc0_w"].reshape(1, -1), weights["enc0_b"].reshape(1, -1)]
    for name in ("enc1", "enc2"):
        present = name in sizes
        encoders += [weights[f"{name}_w"].T, weights[f"{name}_b"][None]] if present else [empty, empty]
    return [*core, weights["b_o"][None], *encoders]

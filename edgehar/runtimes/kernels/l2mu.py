"""L2MU, event-driven: only neurons that fired cost a row of weights; equations in `edgehar.runtimes.cells.l2mu`.

All populations lie one after the other in arrays of N neurons, in the order in which they fire: [enc0 [enc1 enc2]]
u m h o. Of every lane and population the indices of the neurons that fired last are kept, ascending.
Compiled without fused operations: sums have the reference runtime's order and roundings, hence its bits.
"""
# ruff: noqa: PLR0917 - a kernel is called once a chunk, by its engine, with arrays only

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgehar.manifest import Manifest
from edgehar.runtimes.cells.l2mu import population_sizes
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Table, Vector, exact_kernel
from edgehar.runtimes.kernels.schedule import lane_done, lanes_of
from edgehar.types import FloatArray, IntArray


@exact_kernel
def add_rows(drive: Vector, at: int, n: int, matrix: Matrix, fired: Indices, first: int, count: int) -> None:
    """drive[at : at + n] += matrix[fired[first]], then the next row, ... for `count` rows; four a pass, in order."""
    whole = count - count % 4
    for e in range(first, first + whole, 4):
        a, b, c, d = fired[e], fired[e + 1], fired[e + 2], fired[e + 3]
        for i in range(n):
            drive[at + i] = (((drive[at + i] + matrix[a, i]) + matrix[b, i]) + matrix[c, i]) + matrix[d, i]
    for e in range(first + whole, first + count):
        a = fired[e]
        for i in range(n):
            drive[at + i] += matrix[a, i]


@exact_kernel
def fire(
    drive: Vector,
    at: int,
    n: int,
    potential: Vector,
    current: Vector,
    alpha: Vector,
    beta: Vector,
    thr: Vector,
    synaptic: bool,
    fired: Indices,
) -> int:
    """Advance the neurons [at : at + n] of one lane by their drive; list those that fire, from 0; return how many."""
    zero = np.float32(0)
    if synaptic:
        for i in range(at, at + n):
            drive[i] = alpha[i] * current[i] + drive[i]
            current[i] = drive[i]
    for i in range(at, at + n):
        reset = thr[i] if potential[i] > thr[i] else zero
        potential[i] = (beta[i] * potential[i] + drive[i]) - reset
    count = 0
    for i in range(at, at + n):
        fired[at + count] = i - at
        count += potential[i] > thr[i]
    return count


@exact_kernel
def remember(
    drive: Vector, at: int, a: Matrix, b: Vector, fired: Indices, at_m: int, count_m: int, at_u: int, count_u: int
) -> None:
    """Add A S_m per row + B S_u of the row to the drive of the memory [rows, order]; a is A transposed."""
    order = len(b)
    for e in range(at_m, at_m + count_m):
        row, j = fired[e] // order, fired[e] % order
        for i in range(order):
            drive[at + row * order + i] += a[j, i]
    for e in range(at_u, at_u + count_u):
        for i in range(order):
            drive[at + fired[e] * order + i] += b[i]


@exact_kernel
def add_weighted(drive: Vector, at: int, matrix: Matrix, v: Vector) -> None:
    """drive[at : at + n] += v matrix, one input after the other: real values into the network (encoder plain)."""
    inputs, n = matrix.shape
    for j in range(inputs):
        for i in range(n):
            drive[at + i] += v[j] * matrix[j, i]


@exact_kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    places: Table,
    potential: Matrix,
    current: Matrix,
    drive: Vector,
    fired: Table,
    counts: Table,
    score: Matrix,
    total: Indices,
    alpha: Vector,
    beta: Vector,
    thr: Vector,
    synaptic: bool,
    membrane: bool,
    encoders: int,
    enc0_w: Matrix,
    enc0_b: Matrix,
    enc1_w: Matrix,
    enc1_b: Vector,
    enc2_w: Matrix,
    enc2_b: Vector,
    e_x: Matrix,
    e_h: Matrix,
    e_m: Matrix,
    w_x: Matrix,
    w_h: Matrix,
    w_m: Matrix,
    a: Matrix,
    b: Vector,
    w_o: Matrix,
    b_o: Vector,
    active: Indices,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, D]; potential, current, fired [K, N]; counts [K, P] of fired; score [K, C]; total [P + 1].

    places [P, 2]: first neuron and size of every population; encoders: how many of them encode (0, 1 or 3).
    """
    lanes = len(score)
    pu, pm, ph, po = encoders, encoders + 1, encoders + 2, encoders + 3
    at_u, at_m, at_h, at_o = places[pu, 0], places[pm, 0], places[ph, 0], places[po, 0]
    memory, hidden, classes = places[pu, 1], places[ph, 1], places[po, 1]
    done = 0
    for n in range(len(x)):
        t = t0 + n
        count = lanes_of(t, window, hop, lanes, active)
        if t % hop == 0:
            k = (t // hop) % lanes
            potential[k, :] = 0
            current[k, :] = 0
            counts[k, :] = 0
            score[k, :] = 0
        for lane in range(count):
            k = active[lane]
            U, I, events, spikes = potential[k], current[k], fired[k], counts[k]
            drive[:] = 0
            if encoders > 0:
                pop = enc0_w.shape[1]
                for i in range(len(enc0_w)):
                    for j in range(pop):
                        drive[i * pop + j] = enc0_w[i, j] * x[n, i] + enc0_b[i, j]
                spikes[0] = fire(drive, 0, places[0, 1], U, I, alpha, beta, thr, synaptic, events)
            if encoders > 1:
                for p in range(1, 3):
                    at, size = places[p, 0], places[p, 1]
                    matrix, bias = (enc1_w, enc1_b) if p == 1 else (enc2_w, enc2_b)
                    add_rows(drive, at, size, matrix, events, places[p - 1, 0], spikes[p - 1])
                    for i in range(size):
                        drive[at + i] += bias[i]
                    spikes[p] = fire(drive, at, size, U, I, alpha, beta, thr, synaptic, events)
            # S_h and S_m are still those of the previous sample here, so both users of S_h come before it fires.
            if encoders == 0:
                add_weighted(drive, at_u, e_x, x[n])
                add_weighted(drive, at_h, w_x, x[n])
            else:
                last = encoders - 1
                add_rows(drive, at_u, memory, e_x, events, places[last, 0], spikes[last])
                add_rows(drive, at_h, hidden, w_x, events, places[last, 0], spikes[last])
            add_rows(drive, at_u, memory, e_h, events, at_h, spikes[ph])
            add_rows(drive, at_h, hidden, w_h, events, at_h, spikes[ph])
            add_rows(drive, at_u, memory, e_m, events, at_m, spikes[pm])
            spikes[pu] = fire(drive, at_u, memory, U, I, alpha, beta, thr, synaptic, events)
            remember(drive, at_m, a, b, events, at_m, spikes[pm], at_u, spikes[pu])
            spikes[pm] = fire(drive, at_m, places[pm, 1], U, I, alpha, beta, thr, synaptic, events)
            add_rows(drive, at_h, hidden, w_m, events, at_m, spikes[pm])
            spikes[ph] = fire(drive, at_h, hidden, U, I, alpha, beta, thr, synaptic, events)
            add_rows(drive, at_o, classes, w_o, events, at_h, spikes[ph])
            for i in range(classes):
                drive[at_o + i] += b_o[i]
            spikes[po] = fire(drive, at_o, classes, U, I, alpha, beta, thr, synaptic, events)
            if membrane:
                for i in range(classes):
                    score[k, i] += U[at_o + i]
            else:
                for e in range(at_o, at_o + spikes[po]):
                    score[k, events[e]] += np.float32(1)
            for p in range(len(places)):
                total[p] += spikes[p]
            total[len(places)] += 1
        k = lane_done(t, window, hop, lanes)
        if k >= 0:
            ends[done] = t + 1
            logits[done, :] = score[k]
            done += 1


class Packed(NamedTuple):
    """Arguments of `advance` from `alpha` to `b_o`, and the populations."""

    arguments: tuple[FloatArray | bool | int, ...]
    places: IntArray
    names: tuple[str, ...]


class L2MUEngine(Engine):
    """The kernel with its buffers."""

    def __init__(self, packed: Packed, manifest: Manifest, hop: int) -> None:
        self._packed, self._window, self._hop = packed, manifest.window, hop
        lanes, neurons = -(-manifest.window // hop), int(packed.places[:, 1].sum())
        self._total = np.zeros(len(packed.names) + 1, np.int64)
        self._buffers = (
            np.zeros((lanes, neurons), np.float32),
            np.zeros((lanes, neurons), np.float32),
            np.zeros(neurons, np.float32),
            # One more than there are neurons: `fire` writes a candidate before it knows whether that fires.
            np.zeros((lanes, neurons + 1), np.int64),
            np.zeros((lanes, len(packed.names)), np.int64),
            np.zeros((lanes, len(manifest.labels)), np.float32),
            self._total,
        )
        self._active = np.zeros(lanes, np.int64)

    @staticmethod
    def pack(manifest: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
        model = manifest.model
        sizes = population_sizes(model)
        starts = np.cumsum([0, *sizes.values()])[:-1]
        places = np.ascontiguousarray(np.stack([starts, list(sizes.values())], axis=1), dtype=np.int64)

        def per_neuron(parameter: str) -> FloatArray:
            spread = [np.broadcast_to(weights[f"{parameter}_{p}"], n) for p, n in sizes.items()]
            return np.concatenate(spread).astype(np.float32)

        def matrix(name: str) -> FloatArray:
            return np.array(weights[name].T, np.float32, order="C")

        def optional(name: str) -> FloatArray:
            empty = np.zeros((0, 0) if name.endswith("_w") else 0, np.float32)
            return matrix(name) if name in weights else empty

        synaptic = model["neuron"] == "synaptic"
        beta = np.clip(per_neuron("beta"), 0, 1)
        alpha = np.clip(per_neuron("alpha"), 0, 1) if synaptic else beta
        encoders = len(sizes) - 4
        # enc0 stays [inputs, pop]: an input's neurons are its own
        none = np.zeros((0, 0), np.float32)
        enc0 = [np.array(weights.get(name, none)) for name in ("enc0_w", "enc0_b")]
        rest = [optional(name) for name in ("enc1_w", "enc1_b", "enc2_w", "enc2_b")]
        core = [matrix(name) for name in ("E_x", "E_h", "E_m", "W_x", "W_h", "W_m", "A", "B", "W_o", "b_o")]
        switches = (synaptic, model["readout"] == "membrane", encoders)
        return Packed((alpha, beta, per_neuron("thr"), *switches, *enc0, *rest, *core), places, tuple(sizes))

    def run(self, x: FloatArray, t: int, ends: IntArray, logits: FloatArray) -> None:
        p = self._packed
        advance(x, t, self._window, self._hop, p.places, *self._buffers, *p.arguments, self._active, ends, logits)

    def clear(self) -> None:
        for buffer in self._buffers[:-1]:
            buffer[:] = 0

    def spikes(self) -> dict[str, tuple[int, int]]:
        steps = int(self._total[-1])
        sizes = self._packed.places[:, 1].tolist()
        return {name: (int(self._total[i]), steps * sizes[i]) for i, name in enumerate(self._packed.names)}

    def clear_spikes(self) -> None:
        self._total[:] = 0

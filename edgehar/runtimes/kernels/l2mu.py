"""L2MU, event-driven: only neurons that fired cost a row of weights; equations in `edgehar.runtimes.cells.l2mu`.

All populations lie one after the other in arrays of N neurons, in the order in which they fire: [enc0 [enc1 enc2]]
u m h o. Of every lane and population the indices of the neurons that fired last are kept, ascending.
Compiled without fused operations: sums have the reference runtime's order and roundings, hence its bits.
"""

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
def add_rows(drive: Vector, matrix: Matrix, fired: Indices) -> None:
    """Add the rows of matrix [m, n] that `fired` lists to drive [n], in this order; four a pass."""
    n = len(drive)
    whole = len(fired) - len(fired) % 4
    for e in range(0, whole, 4):
        a, b, c, d = matrix[fired[e]], matrix[fired[e + 1]], matrix[fired[e + 2]], matrix[fired[e + 3]]
        for i in range(n):
            drive[i] = (((drive[i] + a[i]) + b[i]) + c[i]) + d[i]
    for e in range(whole, len(fired)):
        a = matrix[fired[e]]
        for i in range(n):
            drive[i] += a[i]


@exact_kernel
def add_weighted(drive: Vector, matrix: Matrix, v: Vector) -> None:
    """Add v [m] times matrix [m, n] to drive [n], input by input: real values into the network (encoder plain)."""
    inputs, n = matrix.shape
    for j in range(inputs):
        row, value = matrix[j], v[j]
        for i in range(n):
            drive[i] += value * row[i]


@exact_kernel
def remember(drive: Vector, a: Matrix, b: Vector, fired_m: Indices, fired_u: Indices) -> None:
    """Add A S_m + B S_u of every row to the drive of the memory [rows * order]; a is A transposed."""
    order = len(b)
    for e in range(len(fired_m)):
        first = fired_m[e] // order * order
        row, column = drive[first : first + order], a[fired_m[e] - first]
        for i in range(order):
            row[i] += column[i]
    for e in range(len(fired_u)):
        row = drive[fired_u[e] * order : (fired_u[e] + 1) * order]
        for i in range(order):
            row[i] += b[i]


@exact_kernel
def fire(
    drive: Vector,
    potential: Vector,
    current: Vector,
    alpha: Vector,
    beta: Vector,
    thr: Vector,
    synaptic: bool,
    fired: Indices,
) -> int:
    """Advance a population [n] of one lane by its drive; list the neurons that fire; return how many there are."""
    zero = np.float32(0)
    n = len(drive)
    if synaptic:
        for i in range(n):
            drive[i] = alpha[i] * current[i] + drive[i]
            current[i] = drive[i]
    for i in range(n):
        reset = thr[i] if potential[i] > thr[i] else zero
        potential[i] = (beta[i] * potential[i] + drive[i]) - reset
    count = 0
    for i in range(n):
        fired[count] = i  # a candidate; the next one overwrites it unless this neuron fires
        count += potential[i] > thr[i]
    return count


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
    lanes, populations = counts.shape
    pu, pm, ph, po = encoders, encoders + 1, encoders + 2, encoders + 3
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
            # What fired last. A population that has not had its turn yet still shows the previous sample.
            input_events = fired[k, places[0, 0] : places[0, 0]]
            events_m = fired[k, places[pm, 0] : places[pm, 0] + counts[k, pm]]
            events_h = fired[k, places[ph, 0] : places[ph, 0] + counts[k, ph]]
            for p in range(populations):
                first, last = places[p, 0], places[p, 0] + places[p, 1]
                d, u = drive[first:last], potential[k, first:last]
                d[:] = 0
                if p == pu:
                    if encoders == 0:
                        add_weighted(d, e_x, x[n])
                    else:
                        add_rows(d, e_x, input_events)
                    add_rows(d, e_h, events_h)
                    add_rows(d, e_m, events_m)
                elif p == pm:
                    remember(d, a, b, events_m, fired[k, places[pu, 0] : places[pu, 0] + counts[k, pu]])
                elif p == ph:
                    if encoders == 0:
                        add_weighted(d, w_x, x[n])
                    else:
                        add_rows(d, w_x, input_events)
                    add_rows(d, w_h, events_h)
                    add_rows(d, w_m, fired[k, places[pm, 0] : places[pm, 0] + counts[k, pm]])
                elif p == po:
                    add_rows(d, w_o, fired[k, places[ph, 0] : places[ph, 0] + counts[k, ph]])
                    d += b_o
                elif p == 0:
                    for i in range(len(enc0_w)):
                        d[i * enc0_w.shape[1] : (i + 1) * enc0_w.shape[1]] = enc0_w[i] * x[n, i] + enc0_b[i]
                elif p == 1:
                    add_rows(d, enc1_w, input_events)
                    d += enc1_b
                else:
                    add_rows(d, enc2_w, input_events)
                    d += enc2_b
                i_syn, events = current[k, first:last], fired[k, first:last]
                counts[k, p] = fire(d, u, i_syn, alpha[first:last], beta[first:last], thr[first:last], synaptic, events)
                total[p] += counts[k, p]
                if p < encoders:
                    input_events = events[: counts[k, p]]
            first, last = places[po, 0], places[po, 0] + places[po, 1]
            if membrane:
                score[k] += potential[k, first:last]
            else:
                for i in fired[k, first : first + counts[k, po]]:
                    score[k, i] += np.float32(1)
            total[populations] += 1
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
            np.zeros((lanes, neurons), np.int64),
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

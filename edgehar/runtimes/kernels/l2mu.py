"""L2MU, event-driven: only neurons that begin or cease to fire cost a row of weights.

Equations: `edgehar.runtimes.cells.l2mu`; the model in memory: `edgehar.runtimes.kernels.l2mu_pack`.

Populations fire in the order [enc0 [enc1 enc2]] u m h o. The exact sums that hear a population are its own in every
lane, and `edgehar.runtimes.kernels.events.hear` brings them from one sample's spikes to the next's; a lane has the
reference runtime's bits whichever way it took. What a plain encoder's sample adds is the same for all lanes.

Roofline per lane and sample: for every population the fewer of the spikes that changed and the spikes that there are,
times the vectors of its row, one load and two integer operations each, with weights in the first-level cache; and
`edgehar.runtimes.kernels.lif` for all vectors of neurons.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgehar.manifest import Manifest
from edgehar.runtimes.kernels import lif
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Table, Vector, exact_kernel, inlined_exact_kernel
from edgehar.runtimes.kernels.events import hear, spread
from edgehar.runtimes.kernels.exact_product import weigh
from edgehar.runtimes.kernels.integer_types import Values as Integers
from edgehar.runtimes.kernels.l2mu_pack import (
    BIAS,
    CURRENT,
    FIRST,
    REACH,
    ROWS,
    SCORE,
    SHARE,
    SILENCE,
    SPIKES,
    SUMS,
    TABLES,
    VECTORS,
    WORDS,
    Packed,
    pack_l2mu,
)
from edgehar.runtimes.kernels.lif import fire_leaky, fire_synaptic, tally
from edgehar.runtimes.kernels.schedule import lane_done, lanes_of
from edgehar.runtimes.kernels.simd import aligned
from edgehar.runtimes.kernels.vector import WIDTH
from edgehar.types import FloatArray

THR = lif.THR


@exact_kernel
def fire(
    population: Indices, records: Indices, lanes: int, state: Vector, places: Indices, one: int, other: int,
    share: Vector, at: int, own_share: bool, neurons: Vector, synaptic: bool,
) -> int:  # fmt: skip
    """Advance a population in all lanes; return how many neurons fired.

    Its drive: the share at `at`, of the lane's own record or one for all, and a record's sums at `one` and `other`.
    """
    size = len(neurons) // TABLES
    first, vectors, spikes = population[FIRST], population[VECTORS], population[SPIKES]
    current = places[CURRENT] + first
    if synaptic:
        return int(fire_synaptic(
            records, lanes, state, first, current, one, other, spikes, share, at, own_share, neurons, first, size,
            vectors,
        ))  # fmt: skip
    return int(fire_leaky(
        records, lanes, state, first, current, one, other, spikes, share, at, own_share, neurons, first, size, vectors
    ))  # fmt: skip


@inlined_exact_kernel
def tell(population: Indices, records: Indices, lanes: int, state: Vector, rows: Integers) -> None:
    """Bring the sums that hear a population to its spikes."""
    hear(
        records, lanes, state, rows, population[ROWS], population[SUMS], population[REACH], population[SPIKES],
        population[WORDS],
    )  # fmt: skip


@exact_kernel
def encode(
    x: Vector, records: Indices, lanes: int, state: Vector, integers: Integers, populations: Table, places: Indices,
    total: Indices, out: Vector, neurons: Vector, rows: Integers, weights: Vector, units: int, synaptic: bool,
    encoders: int,
) -> None:  # fmt: skip
    """Fire the encoders and write the lanes' shares: enc0 has `pop` neurons per input, the others hear spikes.

    integers: the state, as such.
    """
    bias = BIAS * (len(neurons) // TABLES)
    first, n = populations[0, FIRST], populations[0, VECTORS] * WIDTH
    for i in range(n):
        out[i] = neurons[bias + first + i]
    weigh(out, populations[0, VECTORS], weights, x)
    silence = places[SILENCE]
    total[0] += fire(populations[0], records, lanes, state, places, silence, silence, out, 0, False, neurons, synaptic)
    tell(populations[0], records, lanes, state, rows)
    for p in range(1, encoders):
        total[p] += fire(
            populations[p], records, lanes, state, places, populations[p - 1, SUMS], silence, neurons,
            bias + populations[p, FIRST], False, neurons, synaptic,
        )  # fmt: skip
        tell(populations[p], records, lanes, state, rows)
    last = populations[encoders - 1]
    for lane in range(lanes):
        share, heard = records[lane] + places[SHARE], records[lane] + last[SUMS]
        for i in range(last[REACH] * WIDTH):
            state[share + i] = np.float32(integers[heard + i]) * weights[units + i]


@exact_kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    populations: Table,
    places: Indices,
    state: Vector,
    integers: Integers,
    records: Indices,
    total: Indices,
    out: Vector,
    neurons: Vector,
    rows: Integers,
    weights: Vector,
    units: int,
    order: int,
    synaptic: bool,
    membrane: bool,
    encoders: int,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, D]. State: a record for each of K lanes, zero at a window's start; integers: the same as such.

    records [K] and out, a share that all lanes have: written anew at every sample. total [P + 1]: spikes, lane-steps.
    """
    lanes = len(records)
    record = len(state) // lanes
    silence, score = places[SILENCE], places[SCORE]
    u, m, h, o = populations[encoders], populations[encoders + 1], populations[encoders + 2], populations[encoders + 3]
    n_u, n_m, n_h = u[VECTORS] * WIDTH, m[VECTORS] * WIDTH, h[VECTORS] * WIDTH
    u_hears_h, h_hears_h, o_hears_h = h[SUMS], h[SUMS] + n_u, h[SUMS] + n_u + n_h
    m_hears_m, u_hears_m, h_hears_m = m[SUMS], m[SUMS] + n_m, m[SUMS] + n_m + n_u
    m_hears_u = u[SUMS]
    size = len(neurons) // TABLES
    bias_m, bias_o, thr_o = BIAS * size + m[FIRST], BIAS * size + o[FIRST], THR * size + o[FIRST]
    encoded = encoders > 0
    share, share_u = (state, places[SHARE]) if encoded else (out, 0)
    done = 0
    for n in range(len(x)):
        t = t0 + n
        count = lanes_of(t, window, hop, lanes, records)
        for lane in range(count):
            records[lane] *= record
        if t % hop == 0:
            fresh = (t // hop) % lanes * record
            state[fresh : fresh + record] = 0
        if encoded:
            encode(
                x[n], records, count, state, integers, populations, places, total, out, neurons, rows, weights, units,
                synaptic, encoders,
            )  # fmt: skip
        else:
            for i in range(n_u + n_h):
                out[i] = 0
            weigh(out, u[VECTORS] + h[VECTORS], weights, x[n])
        # All lanes go one stretch of the way before any goes the next: a matrix at a time stays in the first-level
        # cache, and a lane's spikes are known long before the loop over them has to know where it ends.
        total[encoders] += fire(
            u, records, count, state, places, u_hears_h, u_hears_m, share, share_u, encoded, neurons, synaptic
        )
        spread(records, count, state, rows, u[ROWS], m_hears_u, m[VECTORS], u[SPIKES], order)
        total[encoders + 1] += fire(
            m, records, count, state, places, m_hears_m, m_hears_u, neurons, bias_m, False, neurons, synaptic
        )
        tell(m, records, count, state, rows)
        total[encoders + 2] += fire(
            h, records, count, state, places, h_hears_h, h_hears_m, share, share_u + n_u, encoded, neurons, synaptic
        )
        tell(h, records, count, state, rows)
        total[encoders + 3] += fire(
            o, records, count, state, places, o_hears_h, silence, neurons, bias_o, False, neurons, synaptic
        )
        tally(records, count, state, score, o[FIRST], o[VECTORS], neurons, thr_o, membrane)
        total[len(populations)] += count
        ending = lane_done(t, window, hop, lanes)
        if ending >= 0:
            ends[done] = t + 1
            for c in range(logits.shape[1]):
                logits[done, c] = state[ending * record + score + c]
            done += 1


class L2MUEngine(Engine):
    """The kernel with its buffers."""

    def __init__(self, packed: Packed, manifest: Manifest, hop: int) -> None:
        self._sizes = packed.sizes
        table, model = packed.populations, manifest.model
        lanes = -(-manifest.window // hop)
        state = aligned(lanes * packed.record)
        self._total = np.zeros(len(table) + 1, np.int64)
        self.state, self.counters = (state,), (self._total,)
        u, _, h, _ = table[-4:, VECTORS].tolist()
        out = aligned(max(u + h, int(table[:, VECTORS].max())) * WIDTH)
        buffers = state, state.view(np.int32), np.zeros(lanes, np.int64), self._total, out
        weights = packed.neurons, packed.rows, packed.weights, packed.units
        switches = model["order"], model["neuron"] == "synaptic", model["readout"] == "membrane", len(table) - 4
        self.kernel = advance
        self.arguments = manifest.window, hop, table, packed.places, *buffers, *weights, *switches

    @staticmethod
    def pack(manifest: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
        return pack_l2mu(manifest, weights)

    def spikes(self) -> dict[str, tuple[int, int]]:
        steps = int(self._total[-1])
        return {p: (int(self._total[i]), steps * n) for i, (p, n) in enumerate(self._sizes.items())}

"""FastGRNN over a batch of streams: states stay where they are, blocks of them meet the weights.

Points are taken in groups of neighbouring streams whose states fit a cache, in each group the first points of all its
streams, then the second, and so on. A block of up to `BLOCK_ROWS` streams is one product W x, one product U h for each
lane and one pass of the gates (`edgehar.runtimes.kernels.fastgrnn`), with the bits of a stream of its own.

Roofline per point: hidden (hidden lanes + inputs) multiply-adds, weights read once for eight streams; the states of
a stream are read and written once for each point, from the second-level cache where several points come together.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edgehar.bundle import Bundle
from edgehar.errors import Reason, UsageError
from edgehar.many.arrivals import POINT_EVENT, POINT_SEEN, POINT_STREAM
from edgehar.runtimes.kernels.columns import copy_values
from edgehar.runtimes.kernels.compiler import Indices, Matrix, Table, Vector, kernel
from edgehar.runtimes.kernels.fastgrnn import (
    LANES,
    SCORES,
    VECTORS,
    WX,
    FastGRNNEngine,
    H,
    S,
    classify,
    gate,
    layout_of,
    project,
    recur,
)
from edgehar.runtimes.kernels.schedule import lane_done
from edgehar.runtimes.kernels.simd import aligned
from edgehar.runtimes.kernels.vector import WIDTH
from edgehar.types import FloatArray, IntArray

BLOCK_ROWS: Final = 32
GROUP: Final = 128
"""Streams whose points are taken together."""


@kernel
def order_points(points: Table, count: int, ranks: Indices, keys: Indices, order: Indices) -> None:
    """Order [count]: by group of streams, in a group by how many points of its stream came before. ranks [S]: zeros."""
    most = 1
    for p in range(count):
        s = points[p, POINT_STREAM]
        keys[p] = ranks[s]
        ranks[s] += 1
        most = max(most, ranks[s])
    for p in range(count):
        ranks[points[p, POINT_STREAM]] = 0
    places = np.zeros((len(ranks) // GROUP + 1) * most + 1, np.int64)
    for p in range(count):
        keys[p] += points[p, POINT_STREAM] // GROUP * most
        places[keys[p] + 1] += 1
    for k in range(1, len(places)):
        places[k] += places[k - 1]
    for p in range(count):
        order[places[keys[p]]] = p
        places[keys[p]] += 1


@kernel
def advance_block(
    x: Matrix, points: Table, chosen: Indices, window: int, hop: int, states: Vector, gathered: Vector, plan: Indices,
    memory: Vector, weights: Vector, logits: Matrix,
) -> None:  # fmt: skip
    """Advance the streams of the points `chosen`, all of them different; logits [events, classes]."""
    rows, inputs, lanes, vectors = len(chosen), x.shape[1], plan[LANES], plan[VECTORS]
    size = vectors * WIDTH
    h, s, lane = plan[H], plan[S], BLOCK_ROWS * size
    for r in range(rows):
        p = chosen[r]
        for i in range(inputs):
            gathered[r * inputs + i] = x[p, i]
        own, t = points[p, POINT_STREAM] * lanes * size, points[p, POINT_SEEN]
        fresh = (t // hop) % lanes if t % hop == 0 else -1
        for k in range(lanes):
            place = h + k * lane + r * size
            if k == fresh:
                memory[place : place + size] = 0
            else:
                copy_values(memory, place, states, own + k * size, size)
    project(gathered, 0, inputs, rows, plan, memory, weights)
    for k in range(lanes):
        recur(h + k * lane, s + k * lane, plan[WX], size, rows, plan, memory, weights, False)
        gate(h + k * lane, s + k * lane, rows, plan, memory, weights)
    for r in range(rows):
        p = chosen[r]
        own = points[p, POINT_STREAM] * lanes * size
        for k in range(lanes):
            copy_values(states, own + k * size, memory, h + k * lane + r * size, size)
        if points[p, POINT_EVENT] >= 0:
            k = lane_done(points[p, POINT_SEEN], window, hop, lanes)
            classify(h + k * lane + r * size, plan, memory, weights)
            logits[points[p, POINT_EVENT], :] = memory[plan[SCORES] : plan[SCORES] + logits.shape[1]]


@kernel
def advance(
    x: Matrix, points: Table, keys: Indices, order: Indices, window: int, hop: int, states: Vector, gathered: Vector,
    plan: Indices, memory: Vector, weights: Vector, logits: Matrix,
) -> None:  # fmt: skip
    """Advance by all points in their order, see `order_points`."""
    start = 0
    while start < len(x):
        end = start + 1
        while end < len(x) and end - start < BLOCK_ROWS and keys[order[end]] == keys[order[start]]:
            end += 1
        advance_block(x, points, order[start:end], window, hop, states, gathered, plan, memory, weights, logits)
        start = end


class ManyFastGRNN:
    """The kernel with the states of all streams."""

    def __init__(self, bundle: Bundle, streams: int) -> None:
        manifest = bundle.manifest
        if manifest.model["family"] != "fastgrnn" or manifest.quant is not None:
            kind = manifest.model["family"] if manifest.quant is None else f"quantised {manifest.model['family']}"
            raise UsageError(
                f"many streams in one pass take a float fastgrnn bundle, {manifest.model_id} is a {kind}",
                reason=Reason.VALUE,
                hint="run one edgehar.pipeline.Pipeline for each stream, or: edgehar train --model fastgrnn",
            )
        packed = FastGRNNEngine.pack(manifest, bundle.weights)
        lanes = -(-manifest.window // manifest.hop)
        plan, memory = layout_of(packed, lanes, lanes * BLOCK_ROWS, BLOCK_ROWS)
        self._states = aligned(streams * lanes * int(plan[VECTORS]) * WIDTH)
        self._ranks = np.zeros(streams, np.int64)
        gathered = np.zeros(BLOCK_ROWS * manifest.model["inputs"], np.float32)
        self._arguments = manifest.window, manifest.hop, self._states, gathered, plan, memory, packed.weights

    @property
    def state_bytes(self) -> int:
        return self._states.nbytes

    def push(self, x: FloatArray, points: IntArray, logits: FloatArray) -> None:
        """Take samples x [m, inputs] with their points [m, 3]; fill the logits [events, classes] that they end."""
        keys, order = np.empty(len(x), np.int64), np.empty(len(x), np.int64)
        order_points(points, len(x), self._ranks, keys, order)
        advance(x, points, keys, order, *self._arguments, logits)

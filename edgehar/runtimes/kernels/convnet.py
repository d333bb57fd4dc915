"""Convolutional networks (cnn, dscnn), column by column; definition in `edgehar.runtimes.cells.convnet`.

Every layer's input has a ring of columns [length, channels] that is stored twice in a row, so that the newest
columns are always contiguous. All rings lie in one array, all weights in another; a table has one row per layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgehar.graph.convplan import plan_convnet
from edgehar.manifest import Manifest
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Table, Vector, kernel
from edgehar.runtimes.kernels.products import add_product
from edgehar.types import FloatArray, IntArray

# Columns of the table; the last row describes the ring of output columns only.
INPUTS, OUT, KERNEL, STRIDE, GROUPS, RELU, SKIP, SKIP_LAG, WEIGHTS, BIAS, RING, LENGTH = range(12)


@kernel
def convolve(column: Vector, taps: Vector, matrix: Matrix, inputs: int, groups: int) -> None:
    """Add matrix [kernel * inputs / groups, out] times taps [kernel * inputs] to column [out]."""
    rows, out = matrix.shape
    if groups == 1:
        add_product(column, matrix, taps)
    elif groups == inputs and inputs == out:
        for j in range(rows):
            v, w = taps[j * out : (j + 1) * out], matrix[j]
            for o in range(out):
                column[o] += v[o] * w[o]
    else:
        inside, outside = inputs // groups, out // groups
        for g in range(groups):
            part = column[g * outside : (g + 1) * outside]
            for j in range(rows):
                w = matrix[j, g * outside : (g + 1) * outside]
                v = taps[j // inside * inputs + g * inside + j % inside]
                for o in range(outside):
                    part[o] += v * w[o]


@kernel
def append(rings: Vector, table: Table, stage: int, seen: int, column: Vector) -> None:
    """Store `column` as number `seen` of the stage's ring, at both its places."""
    width, length = len(column), table[stage, LENGTH]
    first = table[stage, RING] + (seen % length) * width
    rings[first : first + width] = column
    rings[first + length * width : first + (length + 1) * width] = column


@kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    table: Table,
    weights: Vector,
    rings: Vector,
    seen: Indices,
    column: Vector,
    fc_w: Matrix,
    fc_b: Vector,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, inputs]; seen [layers + 1]: columns so far of every ring; column: scratch, the widest layer."""
    layers = len(table) - 1
    done = 0
    zero = np.float32(0)
    for n in range(len(x)):
        append(rings, table, 0, seen[0], x[n])
        seen[0] += 1
        for layer in range(layers):
            row = table[layer]
            size, inputs, out = row[KERNEL], row[INPUTS], row[OUT]
            since = seen[layer] - size
            if since < 0 or since % row[STRIDE] != 0:
                break
            y = column[:out]
            y[:] = weights[row[BIAS] : row[BIAS] + out]
            at = row[RING] + (since % row[LENGTH]) * inputs
            matrix = weights[row[WEIGHTS] : row[BIAS]].reshape((row[BIAS] - row[WEIGHTS]) // out, out)
            convolve(y, rings[at : at + size * inputs], matrix, inputs, row[GROUPS])
            if row[SKIP] >= 0:
                skip = table[row[SKIP]]
                at = skip[RING] + ((seen[row[SKIP]] - 1 - row[SKIP_LAG]) % skip[LENGTH]) * out
                y += rings[at : at + out]
            if row[RELU] != 0:
                for o in range(out):
                    y[o] = y[o] if y[o] > zero else zero
            append(rings, table, layer + 1, seen[layer + 1], y)
            seen[layer + 1] += 1
        t = t0 + n + 1 - window
        if t >= 0 and t % hop == 0:
            last = table[layers]
            columns, width = last[LENGTH], last[INPUTS]
            at = last[RING] + (seen[layers] % columns) * width
            mean = column[:width]
            mean[:] = 0
            for c in range(columns):
                mean += rings[at + c * width : at + (c + 1) * width]
            mean /= np.float32(columns)
            ends[done] = t0 + n + 1
            logits[done, :] = fc_b
            add_product(logits[done], fc_w, mean)
            done += 1


class Packed(NamedTuple):
    """Table and weights; `rings` and `widest` are the sizes of an engine's buffers."""

    table: IntArray
    weights: FloatArray
    fc_w: FloatArray
    fc_b: FloatArray
    rings: int
    widest: int


class ConvnetEngine(Engine):
    """The kernel with its buffers."""

    def __init__(self, packed: Packed, manifest: Manifest, hop: int) -> None:
        self._packed, self._window, self._hop = packed, manifest.window, hop
        self._rings = np.zeros(packed.rings, np.float32)
        self._seen = np.zeros(len(packed.table), np.int64)
        self._column = np.zeros(packed.widest, np.float32)

    @staticmethod
    def pack(manifest: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
        plan = plan_convnet(manifest.model, manifest.window)
        table = np.zeros((len(plan.convs) + 1, 12), np.int64)
        flat: list[FloatArray] = []
        used = ring = 0
        width = manifest.model["inputs"]
        for i, conv in enumerate(plan.convs):
            # [out, inputs / groups, kernel] -> [kernel, inputs / groups, out]
            flat += [weights[f"{conv.name}.w"].transpose(2, 1, 0).ravel(), weights[f"{conv.name}.b"]]
            skip = -1 if conv.skip is None else conv.skip
            shape = (conv.inputs, conv.out, conv.kernel, conv.stride, conv.groups, conv.relu, skip, conv.skip_lag)
            table[i] = (*shape, used, used + flat[-2].size, ring, plan.kept[i])
            used += flat[-2].size + flat[-1].size
            ring += 2 * plan.kept[i] * width
            width = conv.out
        table[-1, [INPUTS, RING, LENGTH]] = width, ring, plan.kept[-1]
        rings = ring + 2 * plan.kept[-1] * width
        fc_w = np.array(weights[f"{plan.linear}.w"].T, np.float32, order="C")
        fc_b = np.array(weights[f"{plan.linear}.b"], np.float32)
        widest = int(max(table[:, INPUTS].max(), table[:, OUT].max()))
        return Packed(table, np.concatenate(flat), fc_w, fc_b, rings, widest)

    def run(self, x: FloatArray, t: int, ends: IntArray, logits: FloatArray) -> None:
        p = self._packed
        buffers = (self._rings, self._seen, self._column)
        advance(x, t, self._window, self._hop, p.table, p.weights, *buffers, p.fc_w, p.fc_b, ends, logits)

    def clear(self) -> None:
        self._seen[:] = 0

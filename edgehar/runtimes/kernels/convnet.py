"""Convolutional networks (cnn, dscnn) of streams; definition in `edgehar.runtimes.cells.convnet`.

Every layer's input has a buffer of columns [columns, channels], the newest last; when it is full, the columns that are
still needed move to its front. The columns that a burst of samples adds to a layer are computed in one product, whose
rows are the columns: taps are contiguous in the buffer. A sum has the same terms in the same order for one column as
for many. All buffers lie in one array, all weights in another; a table has one row per layer.

Roofline: every weight is one multiply-add per new column, read from L2 once per eight columns. Bound by arithmetic from
four new columns on; a single column waits for its own additions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgehar.graph.convplan import plan_convnet
from edgehar.manifest import Manifest
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Table, Vector, kernel
from edgehar.runtimes.kernels.products import lone_product, product
from edgehar.runtimes.kernels.simd import aligned, pack_rows, vectors_of
from edgehar.runtimes.kernels.vector import WIDTH
from edgehar.types import FloatArray, IntArray

# Columns of the table; the last row describes the buffer of output columns only.
INPUTS, OUT, KERNEL, STRIDE, GROUPS, RELU, SKIP, SKIP_LAG, WEIGHTS, BIAS, BUFFER, KEPT, ROOM = range(13)

BURST = 64
"""Samples that are taken through the layers at once."""


@kernel
def make_room(buffers: Vector, row: Indices, first: int, seen: int, new: int) -> int:
    """Space for `new` columns behind column `seen`: the number of the buffer's first column, moved up if need be."""
    if seen + new - first <= row[ROOM]:
        return first
    kept = int(min(seen - first, row[KEPT]))
    width, start = row[INPUTS], row[BUFFER]
    source = start + (seen - first - kept) * width
    for i in range(kept * width):
        buffers[start + i] = buffers[source + i]
    return seen - kept


@kernel
def vectors_of_outputs(out: int) -> int:
    """Registers that `out` values fill."""
    return (out + WIDTH - 1) // WIDTH


@kernel
def convolve_groups(buffers: Vector, oo: int, xo: int, weights: Vector, row: Indices, columns: int) -> None:
    """`columns` columns of a grouped convolution; a depthwise one is vector times vector."""
    inputs, out, groups, size, bias = row[INPUTS], row[OUT], row[GROUPS], row[KERNEL], row[BIAS]
    inside, outside = inputs // groups, out // groups
    n = vectors_of_outputs(out) * WIDTH
    for c in range(columns):
        y = buffers[oo + c * out : oo + (c + 1) * out]
        x = xo + c * row[STRIDE] * inputs
        y[:] = weights[bias : bias + out]
        for j in range(size * inside):
            w = weights[row[WEIGHTS] + j * n : row[WEIGHTS] + j * n + out]
            tap = x + j // inside * inputs + j % inside
            if inside == 1 and outside == 1:
                v = buffers[tap : tap + out]
                for o in range(out):
                    y[o] += v[o] * w[o]
            else:
                for g in range(groups):
                    value = buffers[tap + g * inside]
                    for o in range(g * outside, (g + 1) * outside):
                        y[o] += value * w[o]


@kernel
def finish(buffers: Vector, at: int, skip: int, count: int, relu: bool) -> None:
    """Add `count` values at `skip`, unless it is negative, and rectify."""
    zero = np.float32(0)
    y = buffers[at : at + count]
    if skip >= 0:
        v = buffers[skip : skip + count]
        for i in range(count):
            y[i] += v[i]
    if relu:
        for i in range(count):
            y[i] = y[i] if y[i] > zero else zero


@kernel
def grow(
    samples: Vector, count: int, table: Table, weights: Vector, buffers: Vector, seen: Indices, first: Indices
) -> None:
    """Take `count` new samples through all layers; seen and first [layers + 1]: columns so far, the buffers' first."""
    row = table[0]
    first[0] = make_room(buffers, row, first[0], seen[0], count)
    at = row[BUFFER] + (seen[0] - first[0]) * row[INPUTS]
    buffers[at : at + count * row[INPUTS]] = samples
    seen[0] += count
    for layer in range(len(table) - 1):
        row, into = table[layer], table[layer + 1]
        inputs, out, made = row[INPUTS], row[OUT], seen[layer + 1]
        if seen[layer] < row[KERNEL]:
            return
        new = (seen[layer] - row[KERNEL]) // row[STRIDE] + 1 - made
        if new == 0:
            return
        first[layer + 1] = make_room(buffers, into, first[layer + 1], made, new)
        oo = into[BUFFER] + (made - first[layer + 1]) * out
        xo = row[BUFFER] + (made * row[STRIDE] - first[layer]) * inputs
        if row[GROUPS] == 1:
            product(
                buffers, oo, out, weights, row[BIAS], 0, weights, row[WEIGHTS], vectors_of_outputs(out),
                buffers, xo, row[STRIDE] * inputs, new, row[KERNEL] * inputs,
            )  # fmt: skip
        else:
            convolve_groups(buffers, oo, xo, weights, row, new)
        skip = -1
        if row[SKIP] >= 0:
            skip = table[row[SKIP], BUFFER] + (made + row[SKIP_LAG] - first[row[SKIP]]) * out
        finish(buffers, oo, skip, new * out, row[RELU] != 0)
        seen[layer + 1] += new


@kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    table: Table,
    weights: Vector,
    buffers: Vector,
    seen: Indices,
    first: Indices,
    total_stride: int,
    columns: int,
    fc_w: int,
    fc_b: int,
    mean: Vector,
    scores: Vector,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, inputs]; columns: of a window at the network's end; fc_w, fc_b: places in the weights."""
    n, inputs = x.shape
    samples = x.reshape(x.size)
    last = table[len(table) - 1]
    width = last[INPUTS]
    done = 0
    for start in range(0, n, BURST):
        count = min(BURST, n - start)
        grow(samples[start * inputs : (start + count) * inputs], count, table, weights, buffers, seen, first)
        before = t0 + start
        # Ends of windows among the samples before + 1 ... before + count.
        end = window if before < window else window + ((before - window) // hop + 1) * hop
        while end <= before + count:
            at = last[BUFFER] + ((end - window) // total_stride - first[len(table) - 1]) * width
            mean[:width] = 0
            for c in range(columns):
                for i in range(width):
                    mean[i] += buffers[at + c * width + i]
            for i in range(width):
                mean[i] /= np.float32(columns)
            lone_product(scores, 0, weights, fc_b, weights, fc_w, len(scores) // WIDTH, mean, 0, width)
            ends[done] = end
            logits[done, :] = scores[: logits.shape[1]]
            done += 1
            end += hop


class Packed(NamedTuple):
    """Table and weights; `buffered`: values in all buffers."""

    table: IntArray
    weights: FloatArray
    buffered: int
    total_stride: int
    columns: int
    fc_w: int
    fc_b: int


class ConvnetEngine(Engine):
    """The kernel with its buffers."""

    def __init__(self, packed: Packed, manifest: Manifest, hop: int) -> None:
        layers = len(packed.table)
        self._seen, self._first = np.zeros(layers, np.int64), np.zeros(layers, np.int64)
        scratch = [aligned(vectors_of(int(n), WIDTH) * WIDTH) for n in (packed.table[-1, INPUTS], len(manifest.labels))]
        buffers = aligned(packed.buffered)
        shape = packed[3:]
        state = buffers, self._seen, self._first
        self._arguments = manifest.window, hop, packed.table, packed.weights, *state, *shape, *scratch

    @staticmethod
    def pack(manifest: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
        plan = plan_convnet(manifest.model, manifest.window)
        table = np.zeros((len(plan.convs) + 1, 13), np.int64)
        matrices: list[FloatArray] = []
        buffered, width, stride = 0, int(manifest.model["inputs"]), 1
        for i, kept in enumerate(plan.kept):
            room = kept + BURST // stride + 2
            table[i, [INPUTS, BUFFER, KEPT, ROOM]] = width, buffered, kept, room
            # Behind the last column a product stores its padding.
            buffered += vectors_of(room * width + WIDTH, WIDTH) * WIDTH
            if i < len(plan.convs):
                conv = plan.convs[i]
                w = weights[f"{conv.name}.w"]  # [out, inputs / groups, kernel] -> [kernel * inputs / groups, out]
                matrices += [w.transpose(2, 1, 0).reshape(-1, conv.out), weights[f"{conv.name}.b"][None]]
                skip = -1 if conv.skip is None else conv.skip
                shape = conv.out, conv.kernel, conv.stride, conv.groups, conv.relu, skip, conv.skip_lag
                table[i, [OUT, KERNEL, STRIDE, GROUPS, RELU, SKIP, SKIP_LAG]] = shape
                width, stride = conv.out, stride * conv.stride
        matrices += [weights[f"{plan.linear}.w"].T, weights[f"{plan.linear}.b"][None]]
        packed, places = pack_rows(matrices, WIDTH)
        table[:-1, WEIGHTS], table[:-1, BIAS] = places[:-2:2], places[1:-2:2]
        return Packed(table, packed, buffered, stride, plan.kept[-1], *places[-2:])

    def run(self, x: FloatArray, t: int, ends: IntArray, logits: FloatArray) -> None:
        advance(x, t, *self._arguments, ends, logits)

    def clear(self) -> None:
        self._seen[:] = 0
        self._first[:] = 0

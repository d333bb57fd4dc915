"""Convolutional networks (cnn, dscnn) of streams; definition in `edgehar.runtimes.cells.convnet`.

Every layer's input has a buffer of columns [columns, channels], the newest last (`columns`). The columns that a burst
of samples adds to a layer are computed at once: in one product (`conv_tile`), whose rows are the columns, since taps
are contiguous in the buffer; or, where a layer's taps and the hop allow it, in groups of two or four (`short_conv`). A
column has the same bits whichever columns it is computed with: groups begin at the same columns of every stream. All
buffers lie in one array, all weights in another; a table has one row per layer.

A few wide groups, as the sensors of a fusion, are one dense product (`spread`).

Roofline: every weight is one multiply-add per new column, two thirds of one in groups of two and half of one in groups
of four, and is read from L2 once per eight columns, in groups of four per sixteen. Bound by arithmetic from four new
columns on; a single column waits for its own additions. Calls between kernels with several arrays take as long as a
tenth of a layer, so the layers are inlined into `advance`, and their tiles take pointers (`out_of_line`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgehar.graph.convplan import ConvPlan, plan_convnet
from edgehar.manifest import Manifest
from edgehar.runtimes.kernels.columns import copy_values, first_column, move_down
from edgehar.runtimes.kernels.compiler import Engine, Indices, Matrix, Table, Vector, inlined_kernel, kernel
from edgehar.runtimes.kernels.conv_tile import LOWEST, convolve, weighted_sum
from edgehar.runtimes.kernels.products import lone_product
from edgehar.runtimes.kernels.short_conv import convolve_short, pack_short, scratch_size
from edgehar.runtimes.kernels.simd import aligned, pack_rows, vectors_of
from edgehar.runtimes.kernels.spread import is_spread, spread
from edgehar.runtimes.kernels.vector import SUMS, WIDTH
from edgehar.types import FloatArray, IntArray

# Columns of the table; the last row describes the buffer of output columns only.
INPUTS, OUT, KERNEL, STRIDE, GROUPS, RELU, SKIP, SKIP_LAG, WEIGHTS, BIAS, BUFFER, KEPT, ROOM = range(13)
SHORT, LEAD, LEAD_WEIGHTS = range(13, 16)  # columns of a group, those before the first group, and how they are made
COLUMNS = 16

BURST = 64
"""Samples that are taken through the layers at once."""
ROOMY = 2
"""Bursts that a buffer holds besides what is kept, before that has to move to its front."""
ZERO = np.float32(0)


@inlined_kernel
def make_room(buffers: Vector, row: Indices, first: int, seen: int, new: int) -> int:
    """Space for `new` columns behind column `seen`: the number of the buffer's first column, moved up if need be."""
    moved = first_column(first, seen, new, row[KEPT], row[ROOM])
    if moved > first:
        width, start = row[INPUTS], row[BUFFER]
        move_down(buffers, start, start + (moved - first) * width, (seen - moved) * width)
    return moved


@kernel
def convolve_groups(buffers: Vector, oo: int, xo: int, weights: Vector, row: Indices, columns: int) -> None:
    """`columns` columns of a grouped convolution; a depthwise one is vector times vector."""
    inputs, out, groups, size, bias = row[INPUTS], row[OUT], row[GROUPS], row[KERNEL], row[BIAS]
    inside, outside = inputs // groups, out // groups
    n = (out + WIDTH - 1) // WIDTH * WIDTH
    for c in range(columns):
        y = buffers[oo + c * out : oo + (c + 1) * out]
        x = xo + c * row[STRIDE] * inputs
        for i in range(out):  # not by slices: their error message takes Numba seconds to compile
            y[i] = weights[bias + i]
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
def finish(buffers: Vector, at: int, skip: int, step: int, width: int, columns: int, relu: bool) -> None:
    """Add to columns of `width` values the columns at `skip`, `step` values apart, and rectify."""
    for c in range(columns):
        y, v = buffers[at + c * width : at + (c + 1) * width], buffers[skip + c * step : skip + c * step + width]
        for i in range(width):
            y[i] += v[i]
        if relu:
            for i in range(width):
                y[i] = ZERO if y[i] < ZERO else y[i]


@inlined_kernel
def grow(
    samples: Vector, count: int, table: Table, weights: Vector, buffers: Vector, zeros: int, scratch: Vector,
    seen: Indices, first: Indices,
) -> None:  # fmt: skip
    """Take `count` new samples through all layers; seen and first [layers + 1]: columns so far, the buffers' first.

    zeros: place of a column of zeros in the buffers.
    """
    row = table[0]
    first[0] = make_room(buffers, row, first[0], seen[0], count)
    at = row[BUFFER] + (seen[0] - first[0]) * row[INPUTS]
    copy_values(buffers, at, samples, 0, count * row[INPUTS])
    seen[0] += count
    for layer in range(len(table) - 1):
        row, into = table[layer], table[layer + 1]
        inputs, out, made = row[INPUTS], row[OUT], seen[layer + 1]
        if seen[layer] < row[KERNEL]:
            return
        new = (seen[layer] - row[KERNEL]) // row[STRIDE] + 1 - made
        size, lead = row[SHORT], row[LEAD] if made == 0 else 0
        if size != 0:
            new = lead + (new - lead) // size * size if new >= lead else 0
        if new == 0:
            return
        first[layer + 1] = make_room(buffers, into, first[layer + 1], made, new)
        oo = into[BUFFER] + (made - first[layer + 1]) * out
        xo = row[BUFFER] + (made * row[STRIDE] - first[layer]) * inputs
        skip, step = zeros, 0
        if row[SKIP] >= 0:
            skip, step = table[row[SKIP], BUFFER] + (made + row[SKIP_LAG] - first[row[SKIP]]) * out, out
        floor = ZERO if row[RELU] != 0 else LOWEST
        if size != 0:
            done = 0
            while done < new:
                grouped, place, end = (2, row[LEAD_WEIGHTS], lead) if done < lead else (size, row[WEIGHTS], new)
                convolve_short(
                    buffers, oo + done * out, out, weights, row[BIAS], buffers, skip + done * step, step,
                    weights, place, buffers, xo + done * inputs, inputs, grouped, (end - done) // grouped,
                    floor, scratch,
                )  # fmt: skip
                done = end
        elif row[GROUPS] == 1:
            convolve(
                buffers, oo, out, weights, row[BIAS], buffers, skip, step,
                weights, row[WEIGHTS], (out + WIDTH - 1) // WIDTH * WIDTH,
                buffers, xo, row[STRIDE] * inputs, new, row[KERNEL] * inputs, floor,
            )  # fmt: skip
        else:
            convolve_groups(buffers, oo, xo, weights, row, new)
            finish(buffers, oo, skip, step, out, new, row[RELU] != 0)
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
    zeros: int,
    scratch: Vector,
    seen: Indices,
    first: Indices,
    total_stride: int,
    columns: int,
    shares: int,
    fc_w: int,
    fc_b: int,
    mean: Vector,
    scores: Vector,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, inputs]; columns: of a window at the network's end.

    shares, fc_w, fc_b: places in the weights; zeros: place in the buffers.
    """
    n, inputs = x.shape
    samples, scored, classes = x.reshape(x.size), logits.reshape(logits.size), logits.shape[1]
    last = table[len(table) - 1]
    width = last[INPUTS]
    done = 0
    for start in range(0, n, BURST):
        count = min(BURST, n - start)
        grow(
            samples[start * inputs : (start + count) * inputs],
            count,
            table,
            weights,
            buffers,
            zeros,
            scratch,
            seen,
            first,
        )
        before = t0 + start
        # Ends of windows among the samples before + 1 ... before + count.
        end = window if before < window else window + ((before - window) // hop + 1) * hop
        while end <= before + count:
            at = last[BUFFER] + ((end - window) // total_stride - first[len(table) - 1]) * width
            # The mean is a product too: one row of shares 1 / columns times the matrix of columns.
            weighted_sum(mean, 0, width, zeros, buffers, at, weights, shares, columns)
            lone_product(scores, 0, weights, fc_b, weights, fc_w, len(scores) // WIDTH, mean, 0, width)
            ends[done] = end
            copy_values(scored, done * classes, scores, 0, classes)
            done += 1
            end += hop


class Packed(NamedTuple):
    """Table and weights; `buffered`: values in all buffers, of which `zeros` and what follows are zeros."""

    table: IntArray
    weights: FloatArray
    buffered: int
    zeros: int
    scratch: int
    total_stride: int
    columns: int
    shares: int
    fc_w: int
    fc_b: int


def short_layers(plan: ConvPlan, manifest: Manifest) -> list[tuple[int, int]]:
    """How many columns of every convolution are made at once, 0 where one by one, and how many before the first group.

    No window of the stream may end between two columns of a group. Groups of four where a hop has two or more of them,
    since a lone one waits for its weights; then the first columns of a stream may be one group of two.
    """
    short = []
    columns, stride = manifest.window, 1
    for conv in plan.convs:
        columns, stride = (columns - conv.kernel) // conv.stride + 1, stride * conv.stride
        new = manifest.hop // stride
        three = (conv.kernel, conv.stride) == (3, 1) and (conv.groups == 1 or is_spread(conv.groups, conv.out))
        if not (SUMS > 0 and three and columns % 2 == 0 and new % 2 == 0):
            short.append((0, 0))
        elif new >= 8 and new % 4 == 0:
            short.append((4, columns % 4))
        else:
            short.append((2, 0))
    return short


class ConvnetEngine(Engine):
    """The kernel with its buffers."""

    def __init__(self, packed: Packed, manifest: Manifest, hop: int) -> None:
        layers = len(packed.table)
        seen, first = np.zeros(layers, np.int64), np.zeros(layers, np.int64)
        scratch = [aligned(vectors_of(int(n), WIDTH) * WIDTH) for n in (packed.table[-1, INPUTS], manifest.outputs)]
        buffers = aligned(packed.buffered)
        shape = packed[5:]
        state = buffers, packed.zeros, aligned(packed.scratch), seen, first
        self.kernel, self.state = advance, (seen, first)
        self.arguments = manifest.window, hop, packed.table, packed.weights, *state, *shape, *scratch

    @staticmethod
    def pack(manifest: Manifest, weights: Mapping[str, FloatArray]) -> Packed:
        plan = plan_convnet(manifest.model, manifest.window)
        table = np.zeros((len(plan.convs) + 1, COLUMNS), np.int64)
        matrices: list[FloatArray] = []
        buffered, width, stride = 0, int(manifest.model["inputs"]), 1
        short = short_layers(plan, manifest)
        leads: dict[int, FloatArray] = {}
        for i, needed in enumerate(plan.kept):
            # A column that waits for the others of its group keeps what it needs for longer.
            kept = needed + sum(max(0, size - 1) for size, _ in short)
            room = kept + ROOMY * BURST // stride + 2
            table[i, [INPUTS, BUFFER, KEPT, ROOM]] = width, buffered, kept, room
            # Behind the last column a convolution stores its padding.
            buffered += vectors_of(room * width + WIDTH, WIDTH) * WIDTH
            if i < len(plan.convs):
                conv = plan.convs[i]
                w = weights[f"{conv.name}.w"]  # [out, inputs / groups, kernel] -> [kernel * inputs / groups, out]
                groups = conv.groups
                if is_spread(groups, conv.out):
                    w, groups = spread(w, groups), 1
                size, lead = short[i]
                rows = pack_short(w, size) if size else w.transpose(2, 1, 0).reshape(-1, conv.out)
                matrices += [rows, weights[f"{conv.name}.b"][None]]
                if lead:
                    leads[i] = pack_short(w, lead)
                skip = -1 if conv.skip is None else conv.skip
                shape = conv.out, conv.kernel, conv.stride, groups, conv.relu, skip, conv.skip_lag, size, lead
                table[i, [OUT, KERNEL, STRIDE, GROUPS, RELU, SKIP, SKIP_LAG, SHORT, LEAD]] = shape
                width, stride = conv.out, stride * conv.stride
        columns = plan.kept[-1]
        shares = np.full((1, columns), 1 / columns, np.float32)
        matrices += [shares, weights[f"{plan.linear}.w"].T, weights[f"{plan.linear}.b"][None]]
        packed, places = pack_rows([*matrices, *leads.values()], WIDTH)
        places, table[list(leads), LEAD_WEIGHTS] = places[: len(matrices)], places[len(matrices) :]
        table[:-1, WEIGHTS], table[:-1, BIAS] = places[:-3:2], places[1:-3:2]
        widest = vectors_of(int(table[:, INPUTS].max()), WIDTH) * WIDTH
        scratch = scratch_size(widest, widest) if any(size for size, _ in short) else 1
        return Packed(table, packed, buffered + widest, buffered, scratch, stride, columns, *places[-3:])

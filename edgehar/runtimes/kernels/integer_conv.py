"""Integer convnets of streams; equations in `edgehar.graph.intops`.

Layers, buffers and bursts as in `edgehar.runtimes.kernels.convnet`; sums by `integer_vector`, in which a cell is an
int8 value plus 128 (quads) or an int16 value (pairs). Both views of the buffers are passed, bytes and int16; a table
has one row per layer.

Roofline: a column of `out` channels costs kernel * inputs * out multiply-adds, 64 (quads) or 32 (pairs) of them an
instruction with 512-bit registers, and `out` roundings in int64, eight an instruction of which each takes about ten.
"""

from __future__ import annotations

import numpy as np

from edgehar.runtimes.kernels.columns import first_column, move_down
from edgehar.runtimes.kernels.compiler import Indices, Matrix, Table, exact_kernel, inlined_kernel
from edgehar.runtimes.kernels.integer_dot import clamped, dequantise_into, rounded
from edgehar.runtimes.kernels.integer_types import Cells, Values, Weights, WideCells
from edgehar.runtimes.kernels.integer_vector import GROUP_BYTES, HALF, group_product, padded, pair_row

# Columns of the table; the last row describes the buffer of output columns only. WEIGHTS counts bytes, BIAS and
# MULTIPLIER (both of the padded width) count numbers, BUFFER counts cells.
INPUTS, OUT, KERNEL, STRIDE, GROUPS, WEIGHTS, BIAS, MULTIPLIER, OFFSET, SHIFT, LOW, HIGH = range(12)
SKIP, SKIP_LAG, SKIP_MULTIPLIER, BUFFER, KEPT, ROOM = range(12, 18)
COLUMNS = 18
# Entries of the plan.
QUADS, WINDOW, HOP, TOTAL_STRIDE, MEANS, ZERO_POINT, MEAN_MULTIPLIER, MEAN_SHIFT, MEAN, FC_W, FC_B, LIMIT = range(12)
ENTRIES = 12

BURST = 64
"""Samples that are taken through the layers at once."""


@inlined_kernel
def make_room(cells: Cells, row: Indices, size: int, first: int, seen: int, new: int) -> int:
    """Space for `new` columns behind column `seen`: the number of the buffer's first column, moved up if need be."""
    moved = first_column(first, seen, new, row[KEPT], row[ROOM])
    if moved > first:
        width, start = row[INPUTS] * size, row[BUFFER] * size
        move_down(cells, start, start + (moved - first) * width, (seen - moved) * width)
    return moved


@exact_kernel
def convolve_groups(
    acc: Values, numbers: Values, weights: Weights, cells: Cells, wide: WideCells, at: int, row: Indices, quads: bool,
    columns: int,
) -> None:  # fmt: skip
    """`columns` columns of a grouped convolution, from cell `at`; a depthwise one is vector times vector."""
    inputs, out, groups, size = row[INPUTS], row[OUT], row[GROUPS], row[KERNEL]
    inside, outside, step = inputs // groups, out // groups, padded(out)
    for c in range(columns):
        y = acc[c * step : c * step + out]
        for i in range(out):  # not by slices: their error message takes Numba seconds to compile
            y[i] = numbers[row[BIAS] + i]
        for j in range(size * inside):
            w = weights[row[WEIGHTS] + j * out : row[WEIGHTS] + (j + 1) * out]
            tap = at + (c * row[STRIDE] + j // inside) * inputs + j % inside
            if inside == 1 and outside == 1:
                if quads:
                    bytes_ = cells[tap : tap + out]
                    for o in range(out):
                        y[o] += np.int32(w[o]) * np.int32(bytes_[o])
                else:
                    halves = wide[tap : tap + out]
                    for o in range(out):
                        y[o] += np.int32(w[o]) * np.int32(halves[o])
            else:
                for g in range(groups):
                    cell = tap + g * inside
                    value = np.int32(cells[cell]) if quads else np.int32(wide[cell])
                    for o in range(g * outside, (g + 1) * outside):
                        y[o] += np.int32(w[o]) * value


@inlined_kernel
def round_into(
    cells: Cells, wide: WideCells, at: int, skip: int, acc: Values, numbers: Values, row: Indices, quads: bool,
    columns: int,
) -> None:  # fmt: skip
    """Round sums to cells from `at` on; the cells from `skip` on are added first, unless it is negative.

    The offset of a layer of quads holds what the 128 of a skip adds.
    """
    out = row[OUT]
    step, shift, gain = padded(out), row[SHIFT], row[SKIP_MULTIPLIER] if skip >= 0 else 0
    offset = row[OFFSET] + ((1 << (shift - 1)) if shift > 0 else 0)
    low, high = row[LOW], row[HIGH]
    multipliers = numbers[row[MULTIPLIER] : row[MULTIPLIER] + out]
    for c in range(columns):
        sums = acc[c * step : c * step + out]
        to, source = at + c * out, max(skip, 0) + c * out
        if quads:
            y, x = cells[to : to + out], cells[source : source + out]
            for o in range(out):
                v = np.int64(sums[o]) * np.int64(multipliers[o]) + np.int64(x[o]) * gain + offset
                y[o] = np.uint8(min(max(v >> shift, low), high) + HALF)
        else:
            y16, x16 = wide[to : to + out], wide[source : source + out]
            for o in range(out):
                v = np.int64(sums[o]) * np.int64(multipliers[o]) + np.int64(x16[o]) * gain + offset
                y16[o] = np.int16(min(max(v >> shift, low), high))


@inlined_kernel
def quantise_cells(
    cells: Cells, wide: WideCells, at: int, x: Matrix, first: int, count: int, inverse: np.float32, limit: int,
    quads: bool,
) -> None:  # fmt: skip
    """Cells from `at` on = sat(rint(x inverse)) of samples first ... first + count; NaN, which has no integer, is 0."""
    n, inputs = count * x.shape[1], x.shape[1]
    samples = x.reshape(x.size)[first * inputs : first * inputs + n]
    low, high = np.float32(-limit - 1), np.float32(limit)
    for i in range(n):
        v = np.rint(samples[i] * inverse)
        v = v if v == v else np.float32(0)  # noqa: PLR0124 - not NaN
        v = min(max(v, low), high)
        if quads:
            cells[at + i] = np.uint8(np.int32(v) + HALF)
        else:
            wide[at + i] = np.int16(np.int32(v))


@inlined_kernel
def grow(
    x: Matrix, first_sample: int, count: int, inverse: np.float32, plan: Indices, table: Table, weights: Weights,
    numbers: Values, cells: Cells, wide: WideCells, counts: Table, acc: Values,
) -> None:  # fmt: skip
    """Take `count` samples through all layers; counts [2, layers + 1]: columns so far, and the buffers' first."""
    seen, first = counts[0], counts[1]
    quads, row = plan[QUADS] != 0, table[0]
    size = 1 if quads else 2
    first[0] = make_room(cells, row, size, first[0], seen[0], count)
    at = row[BUFFER] + (seen[0] - first[0]) * row[INPUTS]
    quantise_cells(cells, wide, at, x, first_sample, count, inverse, plan[LIMIT], quads)
    seen[0] += count
    for layer in range(len(table) - 1):
        row, into = table[layer], table[layer + 1]
        made = seen[layer + 1]
        if seen[layer] < row[KERNEL]:
            return
        new = (seen[layer] - row[KERNEL]) // row[STRIDE] + 1 - made
        if new == 0:
            return
        first[layer + 1] = make_room(cells, into, size, first[layer + 1], made, new)
        to = into[BUFFER] + (made - first[layer + 1]) * row[OUT]
        at = row[BUFFER] + (made * row[STRIDE] - first[layer]) * row[INPUTS]
        if row[GROUPS] == 1:
            taps = row[KERNEL] * row[INPUTS] * size
            group_product(
                plan[QUADS], acc, padded(row[OUT]), numbers, row[BIAS], weights, row[WEIGHTS],
                cells, at * size, row[STRIDE] * row[INPUTS] * size, new, (taps + GROUP_BYTES - 1) // GROUP_BYTES,
            )  # fmt: skip
        else:
            convolve_groups(acc, numbers, weights, cells, wide, at, row, quads, new)
        skip = -1
        if row[SKIP] >= 0:
            skip = table[row[SKIP], BUFFER] + (made + row[SKIP_LAG] - first[row[SKIP]]) * row[OUT]
        round_into(cells, wide, to, skip, acc, numbers, row, quads, new)
        seen[layer + 1] += new


@inlined_kernel
def classify(
    logits: Matrix, number: int, at: int, scale: np.float32, plan: Indices, width: int, weights: Weights,
    numbers: Values, cells: Cells, wide: WideCells, acc: Values,
) -> None:  # fmt: skip
    """Row `number` of the logits, from the mean over the window's columns from cell `at` on."""
    total = acc[:width]
    total[:] = 0
    quads = plan[QUADS] != 0
    for c in range(plan[MEANS]):
        if quads:
            column = cells[at + c * width : at + (c + 1) * width]
            for o in range(width):
                total[o] += np.int32(column[o])
        else:
            column16 = wide[at + c * width : at + (c + 1) * width]
            for o in range(width):
                total[o] += np.int32(column16[o])
    zero = plan[MEANS] * (plan[ZERO_POINT] + (HALF if quads else 0))
    for o in range(width):
        v = rounded((np.int64(total[o]) - zero) * plan[MEAN_MULTIPLIER], plan[MEAN_SHIFT])
        wide[plan[MEAN] + o] = clamped(v, -32768, 32767)
    scores = logits[number]
    pair_row(
        acc, padded(len(scores)), numbers, plan[FC_B], weights, plan[FC_W], cells, 2 * plan[MEAN], (width + 1) // 2
    )
    dequantise_into(scores, acc[: len(scores)], scale)


@exact_kernel
def advance(
    x: Matrix, t0: int, plan: Indices, inverse: np.float32, scale: np.float32, table: Table, weights: Weights,
    numbers: Values, cells: Cells, wide: WideCells, counts: Table, acc: Values, ends: Indices, logits: Matrix,
) -> None:  # fmt: skip
    """Advance by x [n, inputs]; an input is round(x inverse), a logit its integer times scale.

    wide: the same memory as cells; acc: scratch.
    """
    window, hop, n = plan[WINDOW], plan[HOP], len(x)
    last = table[len(table) - 1]
    width = last[INPUTS]
    done = 0
    for start in range(0, n, BURST):
        count = min(BURST, n - start)
        grow(x, start, count, inverse, plan, table, weights, numbers, cells, wide, counts, acc)
        before = t0 + start
        # Ends of windows among the samples before + 1 ... before + count.
        end = window if before < window else window + ((before - window) // hop + 1) * hop
        while end <= before + count:
            at = last[BUFFER] + ((end - window) // plan[TOTAL_STRIDE] - counts[1, len(table) - 1]) * width
            classify(logits, done, at, scale, plan, width, weights, numbers, cells, wide, acc)
            ends[done] = end
            done += 1
            end += hop

"""Integer convnets column by column: every layer's newest columns in a ring, each column computed once.

Layout as in `edgehar.runtimes.kernels.convnet`: a ring [length, channels] is stored twice in a row, so that the newest
columns are contiguous. Equations: `edgehar.graph.intops`.
"""

from __future__ import annotations

import numpy as np

from edgehar.runtimes.kernels.compiler import Indices, Matrix, Table, exact_kernel
from edgehar.runtimes.kernels.integer_dot import add_int_product, clamped, dequantise_into, quantise_into, rounded
from edgehar.runtimes.kernels.integer_lif import of
from edgehar.runtimes.kernels.integer_types import Values, Weights, Wide

# Columns of the table; the last row describes the ring of output columns only.
INPUTS, OUT, KERNEL, STRIDE, GROUPS, WEIGHTS, BIAS, MULTIPLIER, COUNT, SHIFT, LOW, HIGH, OFFSET = range(13)
SKIP, SKIP_LAG, SKIP_MULTIPLIER, RING, LENGTH = range(13, 18)
COLUMNS = 18


@exact_kernel
def append_int(rings: Values, ring: int, length: int, seen: int, column: Values) -> None:
    """Store `column` as number `seen` of a ring, at both its places."""
    width = len(column)
    first = ring + (seen % length) * width
    rings[first : first + width] = column
    rings[first + length * width : first + (length + 1) * width] = column


@exact_kernel
def convolve_int(acc: Values, taps: Values, matrix: Weights, inputs: int, groups: int) -> None:
    """Add matrix [kernel, inputs / groups, out] times taps [kernel, inputs] to acc [out]."""
    out = len(acc)
    if groups == 1:
        add_int_product(acc, matrix, taps)
        return
    inside, outside = inputs // groups, out // groups
    for j in range(len(matrix) // out):
        tap = j // inside * inputs + j % inside
        for g in range(groups):
            value = taps[tap + g * inside]
            for o in range(g * outside, (g + 1) * outside):
                acc[o] += np.int32(matrix[j * out + o]) * value


@exact_kernel
def advance(
    x: Matrix,
    t0: int,
    window: int,
    hop: int,
    table: Table,
    weights: Weights,
    numbers: Values,
    rings: Values,
    seen: Indices,
    column: Values,
    mean: Values,
    mean_plan: Wide,
    fc_w: Weights,
    fc_b: Values,
    x_limit: int,
    inverse: np.float32,
    scale: np.float32,
    ends: Indices,
    logits: Matrix,
) -> None:
    """Advance by x [n, inputs]; seen [layers + 1]: columns so far of every ring; column, mean: scratch.

    mean_plan: zero point, multiplier and shift of the mean; fc_w [channels, classes], fc_b [classes] int32.
    """
    layers, inputs = len(table) - 1, x.shape[1]
    done = 0
    for n in range(len(x)):
        quantise_into(column[:inputs], x[n], inverse, -x_limit - 1, x_limit)
        append_int(rings, table[0, RING], table[0, LENGTH], seen[0], column[:inputs])
        seen[0] += 1
        for layer in range(layers):
            row, after = table[layer], table[layer + 1]
            size, width, out = row[KERNEL], row[INPUTS], row[OUT]
            since = seen[layer] - size
            if since < 0 or since % row[STRIDE] != 0:
                break
            y = column[:out]
            y[:] = numbers[row[BIAS] : row[BIAS] + out]
            at = row[RING] + (since % row[LENGTH]) * width
            matrix = weights[row[WEIGHTS] : row[WEIGHTS] + size * (width // row[GROUPS]) * out]
            convolve_int(y, rings[at : at + size * width], matrix, width, row[GROUPS])
            multiplier = numbers[row[MULTIPLIER] : row[MULTIPLIER] + row[COUNT]]
            skipped = np.int64(-1)
            if row[SKIP] >= 0:
                skip = table[row[SKIP]]
                skipped = skip[RING] + ((seen[row[SKIP]] - 1 - row[SKIP_LAG]) % skip[LENGTH]) * out
            for o in range(out):
                v = y[o] * of(multiplier, o) + row[OFFSET]
                if skipped >= 0:
                    v += rings[skipped + o] * row[SKIP_MULTIPLIER]
                y[o] = clamped(rounded(v, row[SHIFT]), row[LOW], row[HIGH])
            append_int(rings, after[RING], after[LENGTH], seen[layer + 1], y)
            seen[layer + 1] += 1
        t = t0 + n + 1 - window
        if t >= 0 and t % hop == 0:
            last = table[layers]
            columns, width = last[LENGTH], last[INPUTS]
            at = last[RING] + (seen[layers] % columns) * width
            for o in range(width):
                v = -columns * mean_plan[0]
                for c in range(columns):
                    v += rings[at + c * width + o]
                mean[o] = clamped(rounded(v * mean_plan[1], mean_plan[2]), -32768, 32767)
            scores = column[: len(fc_b)]
            scores[:] = fc_b
            add_int_product(scores, fc_w, mean)
            ends[done] = t0 + n + 1
            dequantise_into(logits[done], scores, scale)
            done += 1

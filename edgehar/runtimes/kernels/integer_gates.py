"""FastGRNN's and GRU's gates in integers, by one table of tanh; equations in `edgehar.graph.intops`."""

from __future__ import annotations

from edgehar.runtimes.kernels.compiler import exact_kernel
from edgehar.runtimes.kernels.integer_dot import clamped, rounded
from edgehar.runtimes.kernels.integer_types import Values


@exact_kernel
def tanh_q15(v: int, table: Values, fraction_bits: int) -> int:
    """Q15 of v in Q12 (fraction_bits 7) or, for half of it, 8; table [129]."""
    v = clamped(v, -32768, 32767)
    magnitude = abs(v)
    k = magnitude >> fraction_bits
    t = int(table[len(table) - 1])
    if k < len(table) - 1:
        f = magnitude & ((1 << fraction_bits) - 1)
        below = int(table[k])
        t = below + (((int(table[k + 1]) - below) * f + (1 << (fraction_bits - 1))) >> fraction_bits)
    return -t if v < 0 else t


@exact_kernel
def sigmoid_q15(v: int, table: Values) -> int:
    """Q15 of v in Q12."""
    return (32768 + tanh_q15(v, table, 8)) >> 1


@exact_kernel
def gated_update(
    out: Values,
    pre: Values,
    h: Values,
    b_z: Values,
    b_h: Values,
    zeta: int,
    nu: int,
    unit: int,
    low: int,
    high: int,
    table: Values,
) -> None:
    """FastGRNN's step after its products; all vectors [H]."""
    for i in range(len(out)):
        z = sigmoid_q15(int(pre[i]) + b_z[i], table)
        g = tanh_q15(int(pre[i]) + b_h[i], table, 7)
        a = ((zeta * (32768 - z)) >> 15) + nu
        out[i] = clamped(rounded(z * h[i] + rounded(a * g, 15) * unit, 15), low, high)


@exact_kernel
def gru_update(
    out: Values, from_x: Values, from_h: Values, h: Values, unit: int, low: int, high: int, table: Values
) -> None:
    """GRU's step after its products; from_x and from_h [3 H]."""
    hidden = len(out)
    for i in range(hidden):
        r = sigmoid_q15(int(from_x[i]) + from_h[i], table)
        z = sigmoid_q15(int(from_x[hidden + i]) + from_h[hidden + i], table)
        kept = (r * clamped(int(from_h[2 * hidden + i]), -32768, 32767)) >> 15
        n = tanh_q15(int(from_x[2 * hidden + i]) + kept, table, 7)
        out[i] = clamped(rounded(z * h[i] + rounded((32768 - z) * n, 15) * unit, 15), low, high)

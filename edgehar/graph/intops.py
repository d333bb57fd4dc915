"""The integer twin of every operation. These equations are normative: NumPy, Numba and C give the same bits.

All arithmetic is two's complement and exact: sums of products fit int32 (the quantiser refuses a model for which the
worst case would not), products with a multiplier are int64. `>>` is an arithmetic shift (towards minus infinity), and
round(v, n) = (v + (1 << (n - 1))) >> n for n >= 1, v itself for n = 0. sat8, sat16 clamp to the dtype's whole range;
int8 is -128..127. Weights are symmetric, without a zero point; so are all tensors but those of a convnet.

A multiplier is a positive int32. Where it belongs to rows it has one entry, which all rows share, or one for each row.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgehar.graph.ops import Constant

PRE_BITS = 12
"""Gates take their argument as int32 in units of 2^-12, and saturate it to int16, that is to +-8."""

TABLE_STEPS = 128
TABLE_RANGE = 4.0
"""The tanh table holds tanh(k / 32) in Q15 for k = 0 .. 128; beyond 4 it stays at its last entry."""


@dataclass(frozen=True, slots=True)
class IntTerm:
    """One product: x [columns] int8, int16 or 0/1 spikes; w int8 [rows, columns]; multiplier int32 [1 or rows]."""

    x: str
    w: Constant
    multiplier: Constant


@dataclass(frozen=True, slots=True)
class IntLinear:
    """Sum of products with one rounding.

    acc_i[r] = sum_c w_i[r, c] x_i[c]                                     (int32)
    out[r] = clamp(round(sum_i acc_i[r] multiplier_i[r], shift) + bias[r])         bias int32 [rows] in out's units

    clamp is to out's dtype; an int32 out is not clamped. With shift 0 there is one term and its multiplier is 1: out
    is the accumulator itself, in units of its own (logits).
    """

    out: str
    terms: tuple[IntTerm, ...]
    bias: Constant | None
    shift: int


@dataclass(frozen=True, slots=True)
class IntExpand:
    """out[i pop + j] = round(w[i, j] x[i] multiplier[0], shift) + b[i, j], int32; w int16, b int32 [channels, pop]."""

    out: str
    x: str
    w: Constant
    b: Constant
    multiplier: Constant
    shift: int


@dataclass(frozen=True, slots=True)
class IntLegendre:
    """out[n] = round((sum_k a[j, k] x[i d + k] + b[j] u[i]) multiplier[n or 0], shift), int32, with n = i d + j.

    x, u: spikes; a [d, d] and b [d] int16 with one scale; multiplier [1] or [memory d].
    """

    out: str
    x: str
    u: str
    a: Constant
    b: Constant
    multiplier: Constant
    shift: int


@dataclass(frozen=True, slots=True)
class IntGatedUpdate:
    """FastGRNN's gates on pre [H] int32 Q12, h and out int8 or int16 with the scale 1 / unit; b_z, b_h int16 Q12.

    z = sigmoid_q15(sat16(pre + b_z));  g = tanh_q15(sat16(pre + b_h))                         (below)
    a = ((zeta (32768 - z)) >> 15) + nu                          zeta, nu int32 Q15 [1]
    out = sat(round(z h + round(a g, 15) unit, 15))              to out's dtype; every sum fits int32

    tanh_q15(v): m = |v|;  k = m >> 7;  f = m & 127;  t = table[128] if k >= 128 else
                 table[k] + (((table[k + 1] - table[k]) f + 64) >> 7);  the sign of v
    sigmoid_q15(v) = (32768 + tanh_q13(v)) >> 1, where tanh_q13 is the same with k = m >> 8, f = m & 255,
                 + 128 and >> 8 (v / 2 in Q13 is v: sigmoid(v) = (1 + tanh(v / 2)) / 2)
    """

    out: str
    pre: str
    h: str
    b_z: Constant
    b_h: Constant
    zeta: Constant
    nu: Constant
    unit: int
    table: Constant


@dataclass(frozen=True, slots=True)
class IntGruUpdate:
    """GRU on from_x, from_h [3 H] int32 Q12; h and out with the scale 1 / unit. Functions as in `IntGatedUpdate`.

    r = sigmoid_q15(sat16(x_r + h_r));  z = sigmoid_q15(sat16(x_z + h_z))
    n = tanh_q15(sat16(x_n + ((r sat16(h_n)) >> 15)))
    out = sat(round(z h + round((32768 - z) n, 15) unit, 15))
    """

    out: str
    from_x: str
    from_h: str
    h: str
    unit: int
    table: Constant


@dataclass(frozen=True, slots=True)
class IntLif:
    """Neurons on potentials U (int8 or int16, one scale s) and a drive (int32, units of s / 256); spikes 0 or 1, int8.

    synaptic:  I' = sat(round(((alpha I) >> 7) + drive, 8));  d = I' << 8        I: int8 or int16 at the scale s
    leaky:     d = drive
    U' = sat(round(((beta U) >> 7) + d, 8) - (threshold if U > threshold else 0))
    out = 1 if U' > threshold else 0

    beta, alpha int16 Q15 (at most 32767), threshold of U's dtype; each [1] or [n]. The sums are int32 in this order:
    first the shift, then the sum, then the rounding shift, then the subtraction, then the saturation.
    """

    out: str
    potential_out: str
    drive: str
    potential: str
    beta: Constant
    threshold: Constant
    current: str = ""
    current_out: str = ""
    alpha: Constant | None = None


@dataclass(frozen=True, slots=True)
class IntAccumulate:
    """out = total + x, int32."""

    out: str
    total: str
    x: str


@dataclass(frozen=True, slots=True)
class IntConv:
    """One column of a valid convolution; x, skip and out int8 or int16, b int32 [out] holds x's zero point as well.

    acc[o] = b[o] + sum_{i, k} w[o, i, k] x[t stride + k][group's i]                       (int32)
    out[o] = clamp(round(acc[o] multiplier[o or 0] + skip[t + skip_lag][o] skip_multiplier + offset, shift), low, high)

    offset (int64) is zero_point of out << shift, less the skip's zero point times its multiplier. low and high are
    int32: the dtype's range, or from out's zero point where a relu ends the convolution.
    """

    out: str
    x: str
    w: Constant
    b: Constant
    multiplier: Constant
    shift: int
    stride: int
    groups: int
    low: int
    high: int
    offset: int
    skip: str = ""
    skip_lag: int = 0
    skip_multiplier: int = 0

    @property
    def kernel(self) -> int:
        return int(self.w.value.shape[2])


@dataclass(frozen=True, slots=True)
class IntMean:
    """out = sat16(round((sum over columns of x - columns zero_point) multiplier[0], shift)), int16."""

    out: str
    x: str
    columns: int
    zero_point: int
    multiplier: Constant
    shift: int


IntOp = IntLinear | IntExpand | IntLegendre | IntGatedUpdate | IntGruUpdate | IntLif | IntAccumulate | IntConv | IntMean

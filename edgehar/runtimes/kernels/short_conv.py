"""Convolutions of three taps, two columns at a time with four products instead of six: Winograd's F(2, 3).

    y[0] = m0 + m1 + m2        m0 = (x0 - x2) g0        m1 = (x1 + x2) (g0 + g1 + g2) / 2
    y[1] = m1 - m2 - m3        m3 = (x1 - x3) g2        m2 = (x2 - x1) (g0 - g1 + g2) / 2

x0 ... x3: neighbouring columns [inputs], g: a tap's matrix [inputs, out] (Winograd, Arithmetic Complexity of
Computations, 1980; Lavin and Gray, CVPR 2016). Rounding is that of sums a few times as large. m0 and m1 are made in one
pass and m2 and m3 in another, so that both products of a pass stay in registers.

A pair of columns has the same bits alone and among others. Pairs begin at even columns, and where a stream's windows
end between pairs, `edgehar.runtimes.kernels.convnet` does without them.

Roofline: 2/3 of the multiply-adds of `conv_tile` and 4/3 of the weights, which come from L2: eight new columns are
bound by the multiply-adds, four about as much by L2.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import Vector, inlined_kernel
from edgehar.runtimes.kernels.conv_tile import LOWEST
from edgehar.runtimes.kernels.vector import HEIGHTS, INT, LANES, SUMS, TALLEST, WIDEST, WIDTH, Emitter
from edgehar.types import FloatArray

PAIRS: Final = max(1, TALLEST // 2)
"""Pairs of a tile at most."""
SHAPES: Final = [
    (r, v) for v in range(1, WIDEST + 1) for r in HEIGHTS if r <= PAIRS and (2 * r * v <= SUMS or (r, v) == (1, 1))
]
PLUS, MINUS = (0, 1, 2, 1), (2, 2, 1, 3)
ZERO, ONE = np.float32(0), np.float32(1)


def emit_pass(
    e: Emitter, pairs: int, vectors: int, operands: list[tuple[Any, Any]], inner: Any, signs: list[Any], floor: Any
) -> None:
    """`pairs` x 2 columns of `vectors` registers with two products p, q of each pair.

        out[2 r] = bias + init[2 r] + p + signs[0] q
        out[2 r + 1] = bias + init[2 r + 1] + signs[1] p + signs[2] q

    out, init: (pointer, step between columns); bias; matrix [inner, 2, step]; x [pairs, 2 of 4, inner] by its step.
    """
    b = e.b
    out, init, bias, matrix, x = operands

    def row(operand: tuple[Any, Any], r: int) -> Any:
        return e.at(operand[0], b.mul(operand[1], INT(r)))

    def terms(_: Any, carried: list[Any]) -> list[Any]:
        line, places, sums = carried[0], carried[1 : 1 + pairs], carried[1 + pairs :]
        new = []
        for product in (0, 1):
            weights = [e.load(line, v) for v in range(vectors)]
            line = e.at(line, matrix[1])
            for r in range(pairs):
                value = e.splat(b.load(places[r] if product == 0 else e.at(places[r], inner)))
                at = (product * pairs + r) * vectors
                new += [e.fma(weights[v], value, sums[at + v]) for v in range(vectors)]
        return [line, *(e.at(place, INT(1)) for place in places), *new]

    # Pointers are carried, not computed from j: with so many sums there is no register left for that.
    zeros = [ir.Constant(LANES, [0.0] * WIDTH)] * (2 * pairs * vectors)
    start = [matrix[0], *(row(x, r) for r in range(pairs)), *zeros]
    sums = e.loop(INT(0), inner, 1, start, terms)[1 + pairs :]
    q_even, p_odd, q_odd, floors = (e.splat(scalar) for scalar in (*signs, floor))
    biases = [e.load(bias[0], v) for v in range(vectors)]
    for r in range(pairs):
        for odd in (0, 1):
            begin, target = row(init, 2 * r + odd), row(out, 2 * r + odd)
            for v in range(vectors):
                p, q = sums[r * vectors + v], sums[(pairs + r) * vectors + v]
                begun = b.fadd(e.load(begin, v), biases[v])
                total = e.fma(p_odd, p, e.fma(q_odd, q, begun)) if odd else e.fma(q_even, q, b.fadd(begun, p))
                e.store(b.select(b.fcmp_ordered("<", total, floors), floors, total), target, v)


@intrinsic
def _pass_tile(
    _: Any, pairs: Any, vectors: Any,  # noqa: ARG001
    out: Any, oo: Any, os: Any, init: Any, io: Any, is_: Any, bias: Any, bo: Any,  # noqa: ARG001
    matrix: Any, mo: Any, ms: Any, x: Any, xo: Any, xs: Any,  # noqa: ARG001
    inner: Any, q_even: Any, p_odd: Any, q_odd: Any, floor: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    """A pass for every shape, chosen by its first two arguments."""
    i, f = types.intp, types.float32
    signature = types.void(i, i, out, i, i, init, i, i, bias, i, matrix, i, i, x, i, i, i, f, f, f, f)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e = Emitter(builder)

        def pointer(k: int) -> Any:
            array = context.make_array(signature.args[k])(context, builder, arguments[k])
            return e.at(array.data, arguments[k + 1])

        operands = [(pointer(k), INT(0) if k == 8 else arguments[k + 2]) for k in (2, 5, 8, 10, 13)]
        end = builder.append_basic_block("tiled")
        which = builder.add(builder.mul(arguments[0], INT(WIDEST + 1)), arguments[1])
        chosen = builder.switch(which, end)
        for r, v in SHAPES:
            case = builder.append_basic_block(f"pass{r}x{v}")
            chosen.add_case(INT(r * (WIDEST + 1) + v), case)
            builder.position_at_end(case)
            emit_pass(e, r, v, operands, arguments[16], arguments[17:20], arguments[20])
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


pass_tile: Any = _pass_tile


@inlined_kernel
def differences(y: Vector, x: Vector, at: int, inputs: int, pairs: int) -> None:
    """Y [pairs, 4, inputs]: what the products of every pair multiply, from x's columns from place `at` on."""
    for r in range(pairs):
        first = at + 2 * r * inputs
        for k in range(4):
            # x0 - x2, x1 + x2, x2 - x1, x1 - x3
            plus = x[first + PLUS[k] * inputs : first + (PLUS[k] + 1) * inputs]
            minus = x[first + MINUS[k] * inputs : first + (MINUS[k] + 1) * inputs]
            row = y[(4 * r + k) * inputs : (4 * r + k + 1) * inputs]
            if k == 1:
                for i in range(inputs):
                    row[i] = plus[i] + minus[i]
            else:
                for i in range(inputs):
                    row[i] = plus[i] - minus[i]


@inlined_kernel
def one_pass(
    out: Vector, oo: int, os: int, init: Vector, io: int, is_: int, bias: Vector, bo: int, matrix: Vector, mo: int,
    vectors: int, x: Vector, xo: int, pairs: int, inputs: int, second: bool, floor: np.float32,
) -> None:  # fmt: skip
    """m0 and m1, or m2 and m3, of at most `PAIRS` pairs, in tiles from the last registers to the first."""
    ms = vectors * WIDTH
    q_even, p_odd, q_odd = (ZERO, -ONE, -ONE) if second else (ONE, ZERO, ONE)
    r = 0
    while r < pairs:
        high = PAIRS
        while high > pairs - r:
            high //= 2
        widest = min(WIDEST, max(1, SUMS // (2 * high)))
        tiles = (vectors + widest - 1) // widest
        left = vectors
        while left > 0:
            take = (left + tiles - 1) // tiles
            left -= take
            tiles -= 1
            at = left * WIDTH
            pass_tile(
                high, take, out, oo + 2 * r * os + at, os, init, io + 2 * r * is_ + at, is_, bias, bo + at,
                matrix, mo + at, ms, x, xo + 4 * r * inputs, 4 * inputs, inputs, q_even, p_odd, q_odd, floor,
            )  # fmt: skip
        r += high


@inlined_kernel
def convolve_pairs(
    out: Vector, oo: int, os: int, bias: Vector, bo: int, skip: Vector, so: int, ss: int, zeros: int,
    matrix: Vector, mo: int, x: Vector, xo: int, inputs: int, pairs: int, floor: np.float32, scratch: Vector,
) -> None:  # fmt: skip
    """`conv_tile.convolve` of 2 `pairs` columns with three taps; matrix as `pack_short` makes it.

    zeros: place in `skip` of a column of zeros; scratch: PAIRS * (4 inputs + 2 padded outputs) values.
    """
    vectors = (os + WIDTH - 1) // WIDTH
    ms = vectors * WIDTH
    half = 4 * PAIRS * inputs
    for start in range(0, pairs, PAIRS):
        count = min(PAIRS, pairs - start)
        differences(scratch, x, xo + 2 * start * inputs, inputs, count)
        begun = oo + 2 * start * os
        one_pass(
            scratch, half, ms, skip, so + 2 * start * ss, ss, bias, bo, matrix, mo, vectors,
            scratch, 0, count, inputs, False, LOWEST,
        )  # fmt: skip
        one_pass(
            out, begun, os, scratch, half, ms, skip, zeros, matrix, mo + 2 * inputs * ms, vectors,
            scratch, 2 * inputs, count, inputs, True, floor,
        )  # fmt: skip


def pack_short(w: FloatArray) -> FloatArray:
    """What the products of w [out, inputs, 3] multiply with: [2 passes * inputs * 2 products, out]."""
    g0, g1, g2 = w.transpose(2, 1, 0).astype(np.float64)
    first = np.stack([g0, (g0 + g1 + g2) / 2], axis=1)
    second = np.stack([(g0 - g1 + g2) / 2, g2], axis=1)
    packed: FloatArray = np.concatenate([first, second]).reshape(-1, w.shape[0]).astype(np.float32)
    return packed


def scratch_size(inputs: int, outputs: int) -> int:
    """Values of scratch that `convolve_pairs` needs, with room for the padding of its last store."""
    return PAIRS * (4 * inputs + 2 * ((outputs + WIDTH - 1) // WIDTH * WIDTH)) + WIDTH

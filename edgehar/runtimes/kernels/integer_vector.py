"""The vector primitive of integer convolutions: a tile of a product of 8 or 16 bit values with its sums in registers.

    out[r] = init + sum over j of x[r, j] matrix[j]         r < rows, vectors of n = vectors * WIDTH sums in int32

Values are taken in groups of 32 bits, because CPUs multiply and add a whole group in one lane:

    quads    four uint8 (an int8 value plus 128) times four int8: `vpdpbusd` of AVX-VNNI
    pairs    two int16 times two int16: `vpmaddwd` on x86, `smull` and `smlal` on NEON, from plain LLVM IR

A matrix [inner, n] lies in groups [inner / 4 or 2, n, 4 or 2], so that a vector of groups is one load and one group of
x, in every lane, is one broadcast. Sums are exact modulo 2^32, and the quantiser proved that the result fits; so no
order of the terms gives other bits, and the 128 of a quad is taken out of the bias: -128 sum over j of matrix[j].

Roofline: against float32 of the same tile, quads have four times the multiply-adds of an instruction and pairs twice;
a quarter or half of the weights' bytes come from L2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import exact_kernel, inlined_kernel
from edgehar.runtimes.kernels.integer_types import AnyArray, Cells, Int8Array, Int32Array, Values, Weights
from edgehar.runtimes.kernels.products import tallest
from edgehar.runtimes.kernels.simd import host_features, vectors_of
from edgehar.runtimes.kernels.vector import HEIGHTS, SUMS, WIDEST, WIDTH, Emitter

GROUP_BYTES: Final = 4
HALF: Final = 128
"""What is added to an int8 value in a quad."""
VNNI: Final = {16: frozenset({"avx512vnni", "avx512vl"}), 8: frozenset({"avxvnni"})}
HAS_QUADS: Final = SUMS > 0 and VNNI.get(WIDTH, frozenset({"none"})) <= host_features()

BYTE, INT32, INT64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
LANES = ir.VectorType(INT32, WIDTH)


class GroupEmitter(Emitter):
    """Multiplies groups; pointers are to bytes."""

    def __init__(self, builder: Any, *, quads: bool) -> None:
        super().__init__(builder)
        self._quads = quads

    def load_lanes(self, pointer: Any, vector: int) -> Any:
        start = self.at(pointer, INT64(vector * WIDTH * GROUP_BYTES))
        return self.b.load(self.b.bitcast(start, LANES.as_pointer()), align=GROUP_BYTES)

    def store_lanes(self, value: Any, pointer: Any, vector: int) -> None:
        start = self.at(pointer, INT64(vector * WIDTH * GROUP_BYTES))
        self.b.store(value, self.b.bitcast(start, LANES.as_pointer()), align=GROUP_BYTES)

    def group(self, pointer: Any) -> Any:
        """One group of x in every lane; x may begin at any byte."""
        scalar = self.b.load(self.b.bitcast(pointer, INT32.as_pointer()), align=1)
        undefined = ir.Constant(LANES, ir.Undefined)
        first = self.b.insert_element(undefined, scalar, INT32(0))
        return self.b.shuffle_vector(first, undefined, ir.Constant(LANES, [0] * WIDTH))

    def add_products(self, total: Any, x: Any, weights: Any) -> Any:
        if self._quads:
            kind = ir.FunctionType(LANES, [LANES] * 3)
            name = f"llvm.x86.avx512.vpdpbusd.{32 * WIDTH}"
            return self.b.call(cgutils.get_or_insert_function(self.b.module, kind, name), [total, x, weights])  # type: ignore[no-untyped-call]
        b, halves = self.b, ir.VectorType(ir.IntType(16), 2 * WIDTH)
        wide = ir.VectorType(INT32, 2 * WIDTH)
        terms = b.mul(b.sext(b.bitcast(x, halves), wide), b.sext(b.bitcast(weights, halves), wide))
        undefined = ir.Constant(wide, ir.Undefined)
        even, odd = (
            b.shuffle_vector(terms, undefined, ir.Constant(LANES, list(range(k, 2 * WIDTH, 2)))) for k in (0, 1)
        )
        return b.add(total, b.add(even, odd))


def emit_tile(e: GroupEmitter, rows: int, vectors: int, operands: list[tuple[Any, Any]], groups: Any) -> None:
    """`rows` x `vectors` sums over `groups` groups; operands out, init, matrix, x: (pointer, bytes to the next row)."""
    b = e.b
    out, init, matrix, x = operands

    def row(operand: tuple[Any, Any], r: Any) -> Any:
        return e.at(operand[0], b.mul(operand[1], r))

    def terms(g: Any, sums: list[Any]) -> list[Any]:
        line = row(matrix, g)
        weights = [e.load_lanes(line, v) for v in range(vectors)]
        new = []
        for r in range(rows):
            value = e.group(e.at(row(x, INT64(r)), b.mul(g, INT64(GROUP_BYTES))))
            new += [e.add_products(sums[r * vectors + v], value, weights[v]) for v in range(vectors)]
        return new

    start = [e.load_lanes(init[0], v) for v in range(vectors)]
    sums = e.loop(INT64(0), groups, 1, start * rows, terms)
    for r in range(rows):
        for v in range(vectors):
            e.store_lanes(sums[r * vectors + v], row(out, INT64(r)), v)


def _tile(shapes: Sequence[tuple[int, int, int]]) -> Any:
    """An intrinsic with a tile for every (quads, rows, vectors) of `shapes`, chosen by its first three arguments.

    Places and steps are in bytes.
    """

    @intrinsic
    def tile(
        _: Any, quads: Any, rows: Any, vectors: Any,  # noqa: ARG001
        out: Any, oo: Any, os: Any, init: Any, io: Any,  # noqa: ARG001
        matrix: Any, mo: Any, ms: Any, x: Any, xo: Any, xs: Any, groups: Any,  # noqa: ARG001
    ) -> Any:  # fmt: skip
        i = types.intp
        signature = types.void(i, i, i, out, i, i, init, i, matrix, i, i, x, i, i, i)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def pointer(k: int) -> Any:
                array = context.make_array(signature.args[k])(context, builder, arguments[k])
                return builder.gep(builder.bitcast(array.data, BYTE.as_pointer()), [arguments[k + 1]])

            steps = {3: arguments[5], 6: INT64(0), 8: arguments[10], 11: arguments[13]}
            operands = [(pointer(k), step) for k, step in steps.items()]
            end = builder.append_basic_block("tiled")
            shape = builder.add(builder.mul(arguments[1], INT64(WIDEST + 1)), arguments[2])
            which = builder.add(builder.mul(shape, INT64(2)), arguments[0])
            chosen = builder.switch(which, end)
            for q, r, v in shapes:
                case = builder.append_basic_block(f"tile{r}x{v}")
                chosen.add_case(INT64(2 * (r * (WIDEST + 1) + v) + q), case)
                builder.position_at_end(case)
                emit_tile(GroupEmitter(builder, quads=bool(q)), r, v, operands, arguments[14])
                builder.branch(end)
            builder.position_at_end(end)
            return context.get_dummy_value()

        return signature, generate

    return tile


KINDS: Final = (0, 1) if HAS_QUADS else (0,)
SHAPES: Final = [(r, v) for v in range(1, WIDEST + 1) for r in HEIGHTS if r * v <= SUMS or r == 1]
group_tile = _tile([(q, *shape) for q in KINDS for shape in SHAPES])
row_tile = _tile([(0, 1, v) for v in range(1, WIDEST + 1)])


@exact_kernel
def padded(n: int) -> int:
    """Sums in a row of n, in whole registers."""
    return (n + WIDTH - 1) // WIDTH * WIDTH


@inlined_kernel
def _group_product(
    quads: int, out: Values, step: int, init: Values, io: int, matrix: Weights, mo: int, x: Cells, xo: int, xs: int,
    rows: int, groups: int,
) -> None:  # fmt: skip
    """out[r step : (r + 1) step] = init[io : io + step] + groups of x[r] times matrix, `step` = padded outputs.

    Row r of x begins at byte xo + r xs and is read in whole groups: what lies behind it meets weights of zero.
    """
    vectors = step // WIDTH
    r = 0
    while r < rows:
        high = tallest(rows - r)
        widest = min(WIDEST, SUMS // high)
        tiles = (vectors + widest - 1) // widest
        v = 0
        while v < vectors:
            take = (vectors - v + tiles - 1) // tiles
            at = v * WIDTH * GROUP_BYTES
            group_tile(
                quads, high, take, out, r * step * GROUP_BYTES + at, step * GROUP_BYTES, init, io * GROUP_BYTES + at,
                matrix, mo + at, step * GROUP_BYTES, x, xo + r * xs, xs, groups,
            )  # fmt: skip
            v += take
            tiles -= 1
        r += high


@exact_kernel
def _pair_row(
    out: Values, step: int, init: Values, io: int, matrix: Weights, mo: int, x: Cells, xo: int, groups: int
) -> None:
    """`group_product` of one row of pairs."""
    vectors = step // WIDTH
    v = 0
    while v < vectors:
        take, at = min(WIDEST, vectors - v), v * WIDTH * GROUP_BYTES
        row_tile(
            0, 1, take, out, at, 0, init, io * GROUP_BYTES + at, matrix, mo + at, step * GROUP_BYTES, x, xo, 0, groups
        )
        v += take


@exact_kernel
def plain_group_product(
    quads: int, out: Values, step: int, init: Values, io: int, matrix: Weights, mo: int, x: Cells, xo: int, xs: int,  # noqa: ARG001
    rows: int, groups: int,
) -> None:  # fmt: skip
    """`group_product` in ordinary loops, of pairs only, for a CPU whose vector unit we do not know."""
    pairs = matrix[mo : mo + groups * step * GROUP_BYTES].view(np.int16)
    for r in range(rows):
        total = out[r * step : (r + 1) * step]
        for i in range(step):  # not by slices: their error message takes Numba seconds to compile
            total[i] = init[io + i]
        for j in range(2 * groups):
            at = xo + r * xs + 2 * j
            value = np.int32(np.int16(np.uint16(x[at]) | np.uint16(x[at + 1]) << np.uint16(8)))
            row = pairs[j // 2 * 2 * step + j % 2 :]
            for i in range(step):
                total[i] += value * np.int32(row[2 * i])


@exact_kernel
def plain_pair_row(
    out: Values, step: int, init: Values, io: int, matrix: Weights, mo: int, x: Cells, xo: int, groups: int
) -> None:
    """`pair_row` in ordinary loops."""
    plain_group_product(0, out, step, init, io, matrix, mo, x, xo, 0, 1, groups)


group_product: Final = _group_product if SUMS else plain_group_product
pair_row: Final = _pair_row if SUMS else plain_pair_row


def pack_groups(matrix: AnyArray, *, quads: bool) -> AnyArray:
    """Matrix [inner, outputs] int8 as the product takes it: int8 or int16 [groups, padded outputs, 4 or 2], flat."""
    inner, outputs = matrix.shape
    each = 4 if quads else 2
    whole = np.zeros(
        (vectors_of(inner, each) * each, vectors_of(outputs, WIDTH) * WIDTH), np.int8 if quads else np.int16
    )
    whole[:inner, :outputs] = matrix
    return np.ascontiguousarray(whole.reshape(-1, each, whole.shape[1]).transpose(0, 2, 1)).ravel()


def group_product_np(init: Int32Array, matrix: Int8Array, x: AnyArray) -> Int32Array:
    """Twin of `group_product`: init [n], matrix [inner, n], cells x [rows, inner]; modulo 2^32."""
    total = init + x.astype(np.int64) @ matrix.astype(np.int64)
    return total.astype(np.int32)

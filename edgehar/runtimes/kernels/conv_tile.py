"""The vector primitive of float convolutions: columns with their bias, their skip and their rectifier.

    out[c] = max(floor, bias + skip[c] + sum over j of x[c, j] matrix[j])

Cut and held in registers as the product of `edgehar.runtimes.kernels.tiles`, whose roofline it has; what a layer adds
to the sums happens in their registers too, so a column is stored once. A column has the same bits alone and among
others. A floor of minus infinity leaves a sum as it is; a sum that is not a number stays that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import Vector, inlined_kernel, kernel
from edgehar.runtimes.kernels.out_of_line import call_tile, with_pointers
from edgehar.runtimes.kernels.products import tallest
from edgehar.runtimes.kernels.vector import HEIGHTS, INT, SUMS, WIDEST, WIDTH, Emitter

LOWEST = np.float32(-np.inf)


def emit_tile(e: Emitter, rows: int, vectors: int, operands: Sequence[Any]) -> None:
    """`rows` columns of `vectors` registers.

    operands: out, bias, skip, matrix and x, each a pointer and its step from one to the next; the number of j; floor.
    """
    b = e.b
    *pairs, inner, floor = operands
    out, bias, skip, matrix, x = zip(pairs[::2], pairs[1::2], strict=True)

    def row(operand: tuple[Any, Any], r: Any) -> Any:
        return e.at(operand[0], b.mul(operand[1], r))

    def terms(j: Any, sums: list[Any]) -> list[Any]:
        line = row(matrix, j)
        weights = [e.load(line, v) for v in range(vectors)]
        new = []
        for r in range(rows):
            value = e.splat(b.load(e.at(row(x, INT(r)), j)))
            new += [e.fma(weights[v], value, sums[r * vectors + v]) for v in range(vectors)]
        return new

    biases = [e.load(bias[0], v) for v in range(vectors)]
    sums = [b.fadd(e.load(row(skip, INT(r)), v), biases[v]) for r in range(rows) for v in range(vectors)]
    sums = e.loop(INT(0), inner, 1, sums, terms)
    floors = e.splat(floor)
    for r in range(rows):
        for v in range(vectors):
            total = sums[r * vectors + v]
            e.store(b.select(b.fcmp_ordered("<", total, floors), floors, total), row(out, INT(r)), v)


def _tile(shapes: Sequence[tuple[int, int]]) -> Any:
    """An intrinsic with a tile for every (rows, vectors) of `shapes`, chosen by its first two arguments."""

    @intrinsic
    def tile(
        _: Any, rows: Any, vectors: Any,  # noqa: ARG001
        out: Any, oo: Any, os: Any, bias: Any, bo: Any, skip: Any, so: Any, ss: Any,  # noqa: ARG001
        matrix: Any, mo: Any, ms: Any, x: Any, xo: Any, xs: Any, inner: Any, floor: Any,  # noqa: ARG001
    ) -> Any:  # fmt: skip
        i = types.intp
        places = (out, i, i, bias, i, skip, i, i, matrix, i, i, x, i, i)
        signature = types.void(i, i, *places, i, types.float32)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows, across, *values = with_pointers(context, builder, signature, arguments)
            values.insert(3, INT(0))  # the bias is that of every column
            tiles = {
                (r, v): (f"eh_conv_{r}x{v}", lambda e, inside, r=r, v=v: emit_tile(e, r, v, inside)) for r, v in shapes
            }
            call_tile(builder, rows, across, tiles, values)
            return context.get_dummy_value()

        return signature, generate

    return tile


conv_tile = _tile([(r, v) for v in range(1, WIDEST + 1) for r in HEIGHTS if r * v <= SUMS or r == 1])
row_tile = _tile([(1, v) for v in range(1, WIDEST + 1)])


@inlined_kernel
def widest_tile(vectors: int, widest: int) -> int:
    """Registers of the next tile: 8 in tiles of at most 6 are 4 and 4. Without a division where one tile is enough."""
    return vectors if vectors <= widest else (vectors - 1) // ((vectors - 1) // widest + 1) + 1


@inlined_kernel
def _convolve(
    out: Vector, oo: int, os: int, bias: Vector, bo: int, skip: Vector, so: int, ss: int,
    matrix: Vector, mo: int, ms: int, x: Vector, xo: int, xs: int, columns: int, inner: int, floor: np.float32,
) -> None:  # fmt: skip
    """`columns` columns of `os` values from x [columns, inner]; column c of an operand begins at its o + c s.

    matrix [inner, ms]. Columns may follow each other without padding: what is stored behind one is overwritten by the
    next, since columns are stored in ascending order and the last registers of one before its first. WIDTH values
    behind the last column are overwritten.
    """
    vectors = (os + WIDTH - 1) // WIDTH
    c = 0
    while c < columns:
        high = tallest(columns - c)
        widest = min(WIDEST, SUMS // high)
        left = vectors
        while left > 0:
            take = widest_tile(left, widest)
            left -= take
            at = left * WIDTH
            conv_tile(
                high, take, out, oo + c * os + at, os, bias, bo + at, skip, so + c * ss + at, ss,
                matrix, mo + at, ms, x, xo + c * xs, xs, inner, floor,
            )  # fmt: skip
        c += high


@kernel
def plain_convolve(
    out: Vector, oo: int, os: int, bias: Vector, bo: int, skip: Vector, so: int, ss: int,
    matrix: Vector, mo: int, ms: int, x: Vector, xo: int, xs: int, columns: int, inner: int, floor: np.float32,
) -> None:  # fmt: skip
    """`convolve` in ordinary loops, for a CPU whose vector unit we do not know."""
    for c in range(columns):
        y = out[oo + c * os : oo + (c + 1) * os]
        for i in range(os):
            y[i] = bias[bo + i] + skip[so + c * ss + i]
        for j in range(inner):
            value, row = x[xo + c * xs + j], matrix[mo + j * ms : mo + j * ms + os]
            for i in range(os):
                y[i] += value * row[i]
        for i in range(os):
            y[i] = floor if y[i] < floor else y[i]


@inlined_kernel
def _weighted_sum(
    out: Vector, oo: int, width: int, zeros: int, matrix: Vector, mo: int, shares: Vector, so: int, columns: int
) -> None:
    """Out [width] = shares [columns] times matrix [columns, width], without padding between its columns.

    zeros: place in `matrix` of a column of zeros.
    """
    vectors = (width + WIDTH - 1) // WIDTH
    v = 0
    while v < vectors:
        take, at = min(WIDEST, vectors - v), v * WIDTH
        row_tile(
            1, take, out, oo + at, 0, matrix, zeros, matrix, zeros, 0,
            matrix, mo + at, width, shares, so, 0, columns, LOWEST,
        )  # fmt: skip
        v += take


@kernel
def plain_weighted_sum(
    out: Vector, oo: int, width: int, zeros: int, matrix: Vector, mo: int, shares: Vector, so: int, columns: int
) -> None:
    """`weighted_sum` in ordinary loops."""
    plain_convolve(
        out, oo, width, matrix, zeros, matrix, zeros, 0, matrix, mo, width, shares, so, 0, 1, columns, LOWEST
    )


convolve: Final = _convolve if SUMS else plain_convolve
weighted_sum: Final = _weighted_sum if SUMS else plain_weighted_sum

"""The primitive of every float product: a tile of a matrix product with all its sums in registers.

    out[r] = init[r] + sum over j of x[r, j] matrix[j]         r < rows, vectors of n = vectors * WIDTH values

`edgehar.runtimes.kernels.products` cuts products of any size into tiles. A tile of rows x vectors sums stays in
registers over all j, so that a vector of weights is loaded once per tile and every load feeds `rows` multiply-adds.
`edgehar.runtimes.kernels.vector` says how large a tile may be. Rows are lanes of a recurrent model or columns of a
convolution.

A sum takes its terms in the order of j, one fused multiply-add each, whatever the tile: a row has the same bits alone
and among others. Only tiles of a lone row (`sets` > 1) join several sums at the end.

Roofline: `rows * vectors` multiply-adds against `vectors` loads of weights and `rows` broadcasts per j. One row is
bound by loads from L1, four rows and more by the multiply-adds. A matrix that fills L1 shares it with everything else:
the tallest tiles ask for their weights `AHEAD` rows early, which on the CPU that we measured on makes the difference
between 90 and 99 % of the multiply-adds that it can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from edgehar.runtimes.kernels.out_of_line import Emit, call_tile, with_pointers
from edgehar.runtimes.kernels.vector import (
    HEIGHTS,
    INT,
    LANES,
    LONE_SUMS,
    SUMS,
    TALLEST,
    WIDEST,
    WIDTH,
    Emitter,
    Values,
)

AHEAD: Final = 8
"""Rows of the matrix between what a tall tile multiplies with and what it asks for."""
BLOCK: Final = 16
"""Outputs of a block of `sparse_product`; the pruner's 16x1 (`edgehar.compress.blocks`)."""
BLOCK_VECTORS: Final = max(1, BLOCK // WIDTH)


def emit_tile(
    e: Emitter,
    rows: int,
    vectors: int,
    sets: int,
    out: tuple[Any, Any],
    init: tuple[Any, Any],
    matrix: tuple[Any, Any],
    x: tuple[Any, Any],
    columns: Any,
    inner: Any,
) -> None:
    """`rows` x `vectors` sums over j < inner; out, init, matrix and x are (pointer, step from row to row).

    columns: None, or a pointer to the place in x of every j. sets > 1: as many sums for each output, joined at the
    end, so that one row does not wait for its own last addition.
    """
    b = e.b

    def row(operand: tuple[Any, Any], r: Any) -> Any:
        pointer, step = operand
        return e.at(pointer, b.mul(step, r))

    def terms(j: Any, sums: Values) -> Values:
        line = row(matrix, j)
        weights = [e.load(line, v) for v in range(vectors)]
        if rows == TALLEST and columns is None:
            e.prefetch(row(matrix, b.add(j, INT(AHEAD))), vectors)
        place = j if columns is None else b.load(e.at(columns, j))
        new = []
        for r in range(rows):
            value = e.splat(b.load(e.at(starts[r], place)))
            new += [e.fma(weights[v], value, sums[r * vectors + v]) for v in range(vectors)]
        return new

    def several(j: Any, sums: Values) -> Values:
        each = rows * vectors
        return [s for k in range(sets) for s in terms(b.add(j, INT(k)), sums[k * each : (k + 1) * each])]

    starts = [e.apart(row(x, INT(r))) for r in range(rows)]
    sums: Values = [e.load(row(init, INT(r)), v) for r in range(rows) for v in range(vectors)]
    done = INT(0)
    if sets > 1:
        done = b.sub(inner, b.srem(inner, INT(sets)))
        zeros = [ir.Constant(LANES, [0.0] * WIDTH)] * (len(sums) * (sets - 1))
        parts = e.loop(INT(0), done, sets, [*sums, *zeros], several)
        each = len(sums)
        sums = parts[:each]
        for k in range(1, sets):
            sums = [b.fadd(p, q) for p, q in zip(sums, parts[k * each : (k + 1) * each], strict=True)]
    sums = e.loop(done, inner, 1, sums, terms)
    for r in range(rows):
        for v in range(vectors):
            e.store(sums[r * vectors + v], row(out, INT(r)), v)


def _tile(name: str, shapes: Sequence[tuple[int, int, int]], *, sparse: bool) -> Any:
    """An intrinsic with a tile for every (rows, vectors, sets) of `shapes`, chosen by its first two arguments."""

    def emitted(rows: int, vectors: int, sets: int) -> Emit:
        def emit(e: Emitter, places: Sequence[Any]) -> None:
            out, init, matrix, x = (tuple(places[k : k + 2]) for k in (0, 2, 4, 6))
            emit_tile(e, rows, vectors, sets, out, init, matrix, x, places[8] if sparse else None, places[9])

        return emit

    tiles = {(r, v): (f"eh_{name}_{r}x{v}", emitted(r, v, sets)) for r, v, sets in shapes}

    @intrinsic
    def tile(
        _: Any, rows: Any, vectors: Any,  # noqa: ARG001
        out: Any, oo: Any, os: Any, init: Any, io: Any, is_: Any,  # noqa: ARG001
        matrix: Any, mo: Any, ms: Any, x: Any, xo: Any, xs: Any,  # noqa: ARG001
        columns: Any, co: Any, inner: Any,  # noqa: ARG001
    ) -> Any:  # fmt: skip
        i = types.intp
        signature = types.void(i, i, out, i, i, init, i, i, matrix, i, i, x, i, i, columns, i, i)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows, vectors, *values = with_pointers(context, builder, signature, arguments)
            call_tile(builder, rows, vectors, tiles, values)
            return context.get_dummy_value()

        return signature, generate

    return tile


dense_tile = _tile(
    "dense", [(r, v, 1) for v in range(1, WIDEST + 1) for r in HEIGHTS if r * v <= SUMS or r == 1], sparse=False
)
lone_tile = _tile("lone", [(1, v, max(1, min(4, LONE_SUMS // v))) for v in range(1, WIDEST + 1)], sparse=False)
sparse_tile = _tile(
    "sparse", [(r, BLOCK_VECTORS, 1 if r > 1 else max(1, LONE_SUMS // (2 * BLOCK_VECTORS)))
     for r in HEIGHTS if r * BLOCK_VECTORS <= SUMS or r == 1], sparse=True)  # fmt: skip

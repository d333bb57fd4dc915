"""Matrix products of the kernels: weights input-major [inputs, outputs], rows padded to whole vectors.

Cut into the tiles of `edgehar.runtimes.kernels.tiles`; on a CPU whose vector unit is not known, ordinary loops.
Operands are flat, and places in them are counted in values.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from edgehar.runtimes.kernels.compiler import Indices, Matrix, Vector, inlined_kernel, kernel
from edgehar.runtimes.kernels.simd import aligned, vectors_of
from edgehar.runtimes.kernels.tiles import BLOCK, BLOCK_VECTORS, dense_tile, lone_tile, sparse_tile
from edgehar.runtimes.kernels.vector import SUMS, TALLEST, WIDEST, WIDTH
from edgehar.types import FloatArray, IntArray


@kernel
def add_product(out: Vector, matrix: Matrix, v: Vector) -> None:
    """Add v [j] times matrix [j, n] to out [n]."""
    inputs, n = matrix.shape
    whole = inputs - inputs % 4
    for j in range(0, whole, 4):
        a, b, c, d = v[j], v[j + 1], v[j + 2], v[j + 3]
        for i in range(n):
            out[i] += a * matrix[j, i] + b * matrix[j + 1, i] + c * matrix[j + 2, i] + d * matrix[j + 3, i]
    for j in range(whole, inputs):
        a = v[j]
        for i in range(n):
            out[i] += a * matrix[j, i]


@kernel
def add_products(out: Matrix, matrix: Matrix, v: Matrix, active: Indices, count: int) -> None:
    """The same for the rows active[:count] of out [lanes, n] and v [lanes, j]; reads the matrix once."""
    inputs, n = matrix.shape
    whole = inputs - inputs % 4
    for j in range(0, whole, 4):
        for lane in range(count):
            k = active[lane]
            row, a, b, c, d = out[k], v[k, j], v[k, j + 1], v[k, j + 2], v[k, j + 3]
            for i in range(n):
                row[i] += a * matrix[j, i] + b * matrix[j + 1, i] + c * matrix[j + 2, i] + d * matrix[j + 3, i]
    for j in range(whole, inputs):
        for lane in range(count):
            row, a = out[active[lane]], v[active[lane], j]
            for i in range(n):
                row[i] += a * matrix[j, i]


@kernel
def tallest(rows: int) -> int:
    """The most rows of a tile that are left."""
    high = TALLEST
    while high > rows:
        high //= 2
    return high


@inlined_kernel
def tall_product(
    out: Vector, oo: int, os: int, init: Vector, io: int, is_: int, matrix: Vector, mo: int, vectors: int, x: Vector,
    xo: int, xs: int, inner: int,
) -> None:  # fmt: skip
    """`product` of `TALLEST` rows in tiles of three, two and one vectors.

    Every call's shape is a constant, so that no jump depends on it: one that a CPU guesses wrong costs a tenth of a
    tile, since the loop before it is too long for the CPU to remember which tile came last.
    """
    ms = vectors * WIDTH
    left = vectors
    while left == 3 or left > 4:
        left -= 3
        at = left * WIDTH
        dense_tile(TALLEST, 3, out, oo + at, os, init, io + at, is_, matrix, mo + at, ms, x, xo, xs, out, 0, inner)
    while left > 1:
        left -= 2
        at = left * WIDTH
        dense_tile(TALLEST, 2, out, oo + at, os, init, io + at, is_, matrix, mo + at, ms, x, xo, xs, out, 0, inner)
    if left == 1:
        dense_tile(TALLEST, 1, out, oo, os, init, io, is_, matrix, mo, ms, x, xo, xs, out, 0, inner)


@kernel
def _product(
    out: Vector,
    oo: int,
    os: int,
    init: Vector,
    io: int,
    is_: int,
    matrix: Vector,
    mo: int,
    vectors: int,
    x: Vector,
    xo: int,
    xs: int,
    rows: int,
    inner: int,
) -> None:
    """out[r] = init[r] + x[r, :inner] matrix [inner, vectors * WIDTH]; row r of an operand begins at its o + r s.

    Rows may follow each other without padding: what is stored behind a row's values is overwritten by the next row,
    since rows are stored in ascending order and a row's last vectors before its first. WIDTH values behind the last
    row are overwritten with padding.
    """
    ms = vectors * WIDTH
    r = 0
    while rows - r >= TALLEST:
        tall_product(out, oo + r * os, os, init, io + r * is_, is_, matrix, mo, vectors, x, xo + r * xs, xs, inner)
        r += TALLEST
    while r < rows:
        high = tallest(rows - r)
        widest = min(WIDEST, SUMS // high)
        tiles = (vectors + widest - 1) // widest
        left = vectors
        while left > 0:
            take = (left + tiles - 1) // tiles
            left -= take
            tiles -= 1
            at = left * WIDTH
            dense_tile(
                high, take, out, oo + r * os + at, os, init, io + r * is_ + at, is_,
                matrix, mo + at, ms, x, xo + r * xs, xs, out, 0, inner,
            )  # fmt: skip
        r += high


@kernel
def _lone_product(
    out: Vector, oo: int, init: Vector, io: int, matrix: Vector, mo: int, vectors: int, x: Vector, xo: int, inner: int
) -> None:
    """`product` of one row that is always alone: its terms in several sums, so that it waits less for its additions."""
    ms = vectors * WIDTH
    tiles = (vectors + WIDEST - 1) // WIDEST
    v = 0
    while v < vectors:
        take = (vectors - v + tiles - 1) // tiles
        at = v * WIDTH
        lone_tile(1, take, out, oo + at, 0, init, io + at, 0, matrix, mo + at, ms, x, xo, 0, out, 0, inner)
        v += take
        tiles -= 1


@kernel
def plain_product(
    out: Vector,
    oo: int,
    os: int,
    init: Vector,
    io: int,
    is_: int,
    matrix: Vector,
    mo: int,
    vectors: int,
    x: Vector,
    xo: int,
    xs: int,
    rows: int,
    inner: int,
) -> None:
    """`product` in ordinary loops, for a CPU whose vector unit we do not know."""
    n = vectors * WIDTH
    for r in range(rows):
        total = out[oo + r * os : oo + r * os + n]
        for i in range(n):  # not by slices: their error message takes Numba seconds to compile
            total[i] = init[io + r * is_ + i]
        for j in range(inner):
            value, row = x[xo + r * xs + j], matrix[mo + j * n : mo + (j + 1) * n]
            for i in range(n):
                total[i] += value * row[i]


@kernel
def _plain_lone_product(
    out: Vector, oo: int, init: Vector, io: int, matrix: Vector, mo: int, vectors: int, x: Vector, xo: int, inner: int
) -> None:
    plain_product(out, oo, 0, init, io, 0, matrix, mo, vectors, x, xo, 0, 1, inner)


product: Final = _product if SUMS else plain_product
lone_product: Final = _lone_product if SUMS else _plain_lone_product


def product_np(init: FloatArray, matrix: FloatArray, x: FloatArray) -> FloatArray:
    """Twin of `product`: init [n] or [rows, n], matrix [inner, n], x [rows, inner]; terms in any order."""
    y: FloatArray = init + x @ matrix
    return y


@kernel
def sparse_product(
    out: Vector,
    oo: int,
    os: int,
    init: Vector,
    io: int,
    is_: int,
    matrix: Vector,
    columns: Indices,
    starts: Indices,
    x: Vector,
    xo: int,
    xs: int,
    rows: int,
) -> None:
    """`product` with a matrix of which only blocks of 16 outputs x 1 input are kept.

    Block k [16] belongs to input columns[k]; starts [outputs / 16 + 1] says which blocks an output's vector has.
    One row: several sums, as in `lone_product`.
    """
    for block in range(len(starts) - 1):
        at, first = block * BLOCK, starts[block]
        r = 0
        while r < rows:
            high = tallest(rows - r)
            sparse_tile(
                high, BLOCK_VECTORS, out, oo + r * os + at, os, init, io + r * is_ + at, is_,
                matrix, first * BLOCK, BLOCK, x, xo + r * xs, xs, columns, first, starts[block + 1] - first,
            )  # fmt: skip
            r += high


class Blocks(NamedTuple):
    """The kept blocks of a matrix, as `sparse_product` takes them; starts is empty where the full matrix is faster."""

    values: FloatArray
    columns: IntArray
    starts: IntArray


DENSE_FROM: Final = 0.75
"""Share of blocks kept from which on reading the places costs more than multiplying with zeros."""


def pack_blocks(matrix: FloatArray) -> Blocks:
    """Keep the blocks of matrix [inputs, outputs] that hold a value other than zero."""
    inputs, outputs = matrix.shape
    across = vectors_of(outputs, BLOCK)
    whole = np.zeros((inputs, across * BLOCK), np.float32)
    whole[:, :outputs] = matrix
    cut = whole.reshape(inputs, across, BLOCK).transpose(1, 0, 2)  # [across, inputs, BLOCK]
    kept = cut.any(axis=2)
    if kept.size == 0 or kept.mean() > DENSE_FROM or not SUMS:
        return Blocks(aligned(0), np.zeros(0, np.int64), np.zeros(0, np.int64))
    values = aligned(int(kept.sum()) * BLOCK)
    values[:] = cut[kept].ravel()
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    return Blocks(values, np.nonzero(kept)[1].astype(np.int64), starts)

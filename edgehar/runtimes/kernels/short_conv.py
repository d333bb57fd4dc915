"""Convolutions of three taps, two or four columns at a time: four products instead of six, or six instead of twelve.

`edgehar.runtimes.kernels.toom_cook` says which products, `edgehar.runtimes.kernels.short_tiles` has the steps. A group
of columns has the same bits alone and among others; where groups begin, `edgehar.runtimes.kernels.convnet` decides.

Roofline: 2/3 of the multiply-adds of `conv_tile` and 4/3 of the weights for two columns, 1/2 and 2 for four. Weights
come from L2, on Zen 4 a register in the time of two multiply-adds: two groups at once are bound by both alike, more of
them by the multiply-adds, and a lone one by L2.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edgehar.runtimes.kernels.compiler import Vector, inlined_kernel
from edgehar.runtimes.kernels.conv_tile import widest_tile
from edgehar.runtimes.kernels.short_tiles import GROUPS, join_columns, product_tile, spread_columns
from edgehar.runtimes.kernels.simd import vectors_of
from edgehar.runtimes.kernels.toom_cook import SCHEMES
from edgehar.runtimes.kernels.vector import SUMS, WIDEST, WIDTH
from edgehar.types import FloatArray

MOST_PRODUCTS: Final = max(len(scheme.taps) for scheme in SCHEMES.values())


@inlined_kernel
def two_products(
    out: Vector, oo: int, os: int, matrix: Vector, mo: int, vectors: int,
    x: Vector, xo: int, xs: int, plane: int, groups: int, inner: int,
) -> None:  # fmt: skip
    """Two products of at most `GROUPS` groups, in tiles. Of out they are `vectors` registers apart, of x `plane`."""
    ms = vectors * WIDTH
    r = 0
    while r < groups:
        high = GROUPS
        while high > groups - r:
            high >>= 1
        widest = min(WIDEST, max(1, SUMS // (2 * high)))
        done = 0
        while done < vectors:
            take, at = widest_tile(vectors - done, widest), done * WIDTH
            product_tile(
                high, take, out, oo + r * os + at, os, ms, matrix, mo + at, ms, x, xo + r * xs, xs, plane, inner
            )
            done += take
        r += high


@inlined_kernel
def convolve_short(
    out: Vector, oo: int, os: int, bias: Vector, bo: int, skip: Vector, so: int, ss: int, matrix: Vector, mo: int,
    x: Vector, xo: int, inputs: int, columns: int, groups: int, floor: np.float32, scratch: Vector,
) -> None:  # fmt: skip
    """`conv_tile.convolve` of `groups` groups of `columns` (2 or 4) columns, with three taps.

    matrix: as `pack_short` makes it; scratch: `scratch_size` values.
    """
    products = columns + 2
    vectors, plane = (os + WIDTH - 1) // WIDTH, (inputs + WIDTH - 1) // WIDTH * WIDTH
    ms, made = vectors * WIDTH, GROUPS * products * plane
    for start in range(0, groups, GROUPS):
        count, first = min(GROUPS, groups - start), start * columns
        spread_columns(columns, scratch, 0, x, xo + first * inputs, inputs, plane, count)
        for k in range(0, products, 2):
            two_products(
                scratch, made + k * ms, products * ms, matrix, mo + k * inputs * ms, vectors,
                scratch, k * plane, products * plane, plane, count, inputs,
            )  # fmt: skip
        join_columns(
            columns, out, oo + first * os, os, bias, bo, skip, so + first * ss, ss,
            scratch, made, vectors, count, floor,
        )  # fmt: skip


def pack_short(w: FloatArray, columns: int) -> FloatArray:
    """What the products of w [out, inputs, 3] multiply with: rows [products / 2, inputs, 2 products] of out values."""
    out, inputs, _ = w.shape
    matrices = np.einsum("pk,oik->pio", SCHEMES[columns].taps, w.astype(np.float64))
    rows = matrices.reshape(-1, 2, inputs, out).transpose(0, 2, 1, 3).reshape(-1, out)
    packed: FloatArray = rows.astype(np.float32)
    return packed


def scratch_size(inputs: int, out: int) -> int:
    """Values of scratch that `convolve_short` needs: what the products multiply, and the products."""
    return GROUPS * MOST_PRODUCTS * WIDTH * (vectors_of(inputs, WIDTH) + vectors_of(out, WIDTH))

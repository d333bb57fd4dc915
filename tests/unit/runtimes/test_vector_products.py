"""The products in registers against NumPy: every tile, any padding, the same bits alone and in company."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.runtimes.kernels.products import (
    lone_product,
    pack_blocks,
    plain_product,
    product,
    product_np,
    sparse_product,
)
from edgehar.runtimes.kernels.simd import PLAIN, Simd, aligned, pack_rows, simd_of
from edgehar.runtimes.kernels.tiles import BLOCK
from edgehar.runtimes.kernels.vector import WIDTH


def operands(rows: int, n: int, inner: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows * n + inner)
    init, matrix, x = (
        rng.standard_normal((rows, n)),
        rng.standard_normal((inner, n)),
        rng.standard_normal((rows, inner)),
    )
    return init.astype(np.float32), matrix.astype(np.float32), x.astype(np.float32)


@pytest.mark.parametrize("kind", [product, plain_product])
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 13])
@pytest.mark.parametrize("outputs", [1, WIDTH, 61, 80, 193])
def test_products_of_any_size_equal_numpy(kind, rows: int, outputs: int) -> None:
    init, matrix, x = operands(rows, outputs, 37)
    packed, (place,) = pack_rows([matrix], WIDTH)
    # Rows lie behind each other without padding: what one row's padding overwrites, the next row restores.
    out = np.full(rows * outputs + WIDTH, np.nan, np.float32)
    starts = np.concatenate([init.ravel(), np.zeros(WIDTH, np.float32)])
    vectors = -(-outputs // WIDTH)
    kind(out, 0, outputs, starts, 0, outputs, packed, place, vectors, x.ravel(), 0, 37, rows, 37)
    np.testing.assert_allclose(
        out[: rows * outputs].reshape(rows, -1), product_np(init, matrix, x), rtol=1e-5, atol=1e-5
    )


def test_a_row_has_the_same_bits_alone_and_among_others() -> None:
    n = 5 * WIDTH
    init, matrix, x = operands(13, n, 80)
    together, alone = np.zeros(13 * n, np.float32), np.zeros(13 * n, np.float32)
    product(together, 0, n, init.ravel(), 0, n, matrix.ravel(), 0, 5, x.ravel(), 0, 80, 13, 80)
    for r in range(13):
        product(alone, r * n, n, init.ravel(), r * n, n, matrix.ravel(), 0, 5, x.ravel(), r * 80, 80, 1, 80)
    assert together.tobytes() == alone.tobytes()


@pytest.mark.parametrize("inner", [1, 2, 3, 5, 80])
@pytest.mark.parametrize("vectors", [1, 2, 5, 9])
def test_a_lone_row_equals_numpy(vectors: int, inner: int) -> None:
    init, matrix, x = operands(1, vectors * WIDTH, inner)
    out = np.zeros(vectors * WIDTH, np.float32)
    lone_product(out, 0, init.ravel(), 0, matrix.ravel(), 0, vectors, x.ravel(), 0, inner)
    np.testing.assert_allclose(out, product_np(init, matrix, x)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_kept_blocks_equal_the_full_matrix(rows: int) -> None:
    n = 5 * BLOCK
    init, matrix, x = operands(rows, n, 61)
    matrix = (matrix.reshape(61, 5, BLOCK) * (np.random.default_rng(1).random((61, 5, 1)) < 0.2)).reshape(61, n)
    matrix[:, :BLOCK] = 0  # a block row of which nothing is left
    blocks = pack_blocks(matrix)
    if not len(blocks.starts):
        pytest.skip("this CPU has no vector unit that the kernels know")
    out = np.zeros(rows * n, np.float32)
    sparse_product(out, 0, n, init.ravel(), 0, n, *blocks, x.ravel(), 0, 61, rows)
    np.testing.assert_allclose(out.reshape(rows, n), product_np(init, matrix, x), rtol=1e-5, atol=1e-5)


def test_full_matrices_are_not_cut_into_blocks() -> None:
    assert len(pack_blocks(np.ones((40, 80), np.float32)).starts) == 0


def test_tiles_fit_the_cpu() -> None:
    assert simd_of("x86_64", frozenset({"avx512f", "avx512vl", "avx2", "fma"})) == Simd(16, 24)
    assert simd_of("x86_64", frozenset({"avx2", "fma"})) == Simd(8, 12)
    assert simd_of("aarch64", frozenset({"neon"})) == Simd(4, 24)
    assert simd_of("x86_64", frozenset({"sse4.2"})) == PLAIN
    assert simd_of("armv7l", frozenset()) == PLAIN


def test_packed_rows_begin_at_cache_lines() -> None:
    matrices = [np.ones((3, 37), np.float32), np.ones((2, 6), np.float32)]
    packed, places = pack_rows(matrices, WIDTH)
    assert packed.ctypes.data % 64 == 0
    assert places[1] * 4 % (4 * WIDTH) == 0
    assert packed.sum() == 3 * 37 + 2 * 6
    assert len(aligned(7)) == 7

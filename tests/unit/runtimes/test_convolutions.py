"""The convolutions of a stream's new columns against NumPy: any size, in pairs of columns and one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import cnn_layers, conv, random_bundle
from numpy.lib.stride_tricks import sliding_window_view

from edgehar.graph.convplan import plan_convnet
from edgehar.runtimes import make_runtime
from edgehar.runtimes.kernels.columns import first_column, move_down
from edgehar.runtimes.kernels.compiler import Vector, kernel
from edgehar.runtimes.kernels.conv_tile import LOWEST, convolve, plain_convolve, plain_weighted_sum, weighted_sum
from edgehar.runtimes.kernels.convnet import short_layers
from edgehar.runtimes.kernels.short_conv import convolve_pairs, pack_short, scratch_size
from edgehar.runtimes.kernels.simd import pack_rows
from edgehar.runtimes.kernels.vector import SUMS, WIDTH

RNG = np.random.default_rng(3)
ZERO = np.float32(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def convolved(w: np.ndarray, b: np.ndarray, x: np.ndarray, skip: np.ndarray, stride: int) -> np.ndarray:
    """Columns [n, out] in float64, before a rectifier; w [out, inputs, kernel], x [columns, inputs]."""
    views = sliding_window_view(x.astype(np.float64), w.shape[2], axis=0)[::stride]
    return np.einsum("tik,oik->to", views, w) + b + skip


@pytest.mark.parametrize("kind", [convolve, plain_convolve])
@pytest.mark.parametrize("columns", [1, 3, 7, 13])
@pytest.mark.parametrize("out", [1, WIDTH, 61, 193])
@pytest.mark.parametrize("floor", [ZERO, LOWEST])
def test_columns_of_any_number_equal_numpy(kind, columns: int, out: int, floor: np.float32) -> None:
    w, b, skip = normal(out, 5, 3), normal(out), normal(columns, out)
    x = normal((columns - 1) * 2 + 3, 5)
    packed, (place, bias) = pack_rows([w.transpose(2, 1, 0).reshape(-1, out), b[None]], WIDTH)
    y = np.full(columns * out + WIDTH, np.nan, np.float32)
    skips = np.concatenate([skip.ravel(), np.zeros(WIDTH, np.float32)])
    step = -(-out // WIDTH) * WIDTH
    kind(y, 0, out, packed, bias, skips, 0, out, packed, place, step, x.ravel(), 0, 10, columns, 15, floor)
    expected = np.maximum(convolved(w, b, x, skip, 2), floor)
    np.testing.assert_allclose(y[: columns * out].reshape(columns, out), expected, rtol=1e-5, atol=1e-5)


def paired(w: np.ndarray, b: np.ndarray, x: np.ndarray, skip: np.ndarray, pairs: int) -> np.ndarray:
    out, inputs, _ = w.shape
    packed, (place, bias) = pack_rows([pack_short(w), b[None]], WIDTH)
    y = np.full(2 * pairs * out + WIDTH, np.nan, np.float32)
    zeros = skip.size + WIDTH
    skips = np.concatenate([skip.ravel(), np.zeros(2 * WIDTH + out, np.float32)])
    scratch = np.full(scratch_size(inputs, out), np.nan, np.float32)
    convolve_pairs(
        y, 0, out, packed, bias, skips, 0, out, zeros, packed, place, x.ravel(), 0, inputs, pairs, ZERO, scratch
    )
    return y[: 2 * pairs * out].reshape(-1, out)


@pytest.mark.skipif(not SUMS, reason="pairs of columns are not made on a CPU without a vector unit that we know")
@pytest.mark.parametrize("pairs", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("inputs", "out"), [(1, 1), (9, 37), (48, 48), (64, 61), (17, 193)])
def test_pairs_of_columns_equal_numpy(pairs: int, inputs: int, out: int) -> None:
    w, b, skip, x = normal(out, inputs, 3), normal(out), normal(2 * pairs, out), normal(2 * pairs + 2, inputs)
    expected = np.maximum(convolved(w, b, x, skip, 1), 0)
    scale = np.sqrt(3 * inputs)
    np.testing.assert_allclose(paired(w, b, x, skip, pairs), expected, rtol=1e-5, atol=2e-6 * scale)


@pytest.mark.skipif(not SUMS, reason="pairs of columns are not made on a CPU without a vector unit that we know")
def test_a_pair_has_the_same_bits_alone_and_among_others() -> None:
    w, b, skip, x = normal(37, 9, 3), normal(37), normal(14, 37), normal(16, 9)
    together = paired(w, b, x, skip, 7)
    for p in range(7):
        alone = paired(w, b, x[2 * p : 2 * p + 4], skip[2 * p : 2 * p + 2], 1)
        assert alone.tobytes() == together[2 * p : 2 * p + 2].tobytes()


@pytest.mark.parametrize("kind", [weighted_sum, plain_weighted_sum])
@pytest.mark.parametrize("width", [1, 61, 64, 150])
def test_weighted_sums_equal_numpy(kind, width: int) -> None:
    columns, shares = normal(29, width), normal(29)
    buffers = np.concatenate([np.zeros(width + WIDTH, np.float32), columns.ravel(), np.zeros(WIDTH, np.float32)])
    out = np.zeros(width + WIDTH, np.float32)
    kind(out, 0, width, 0, buffers, width + WIDTH, shares, 0, 29)
    np.testing.assert_allclose(out[:width], shares @ columns, rtol=1e-5, atol=1e-5)


@kernel
def moved(values: Vector, to: int, start: int, count: int) -> None:
    move_down(values, to, start, count)


@pytest.mark.parametrize(("to", "start", "count"), [(0, 1, 70), (3, 40, 5), (0, 16, 16), (2, 2, 9), (5, 9, 0)])
def test_what_is_kept_moves_to_the_front_even_over_itself(to: int, start: int, count: int) -> None:
    values = np.arange(120, dtype=np.float32)
    moved(values, to, start, count)
    assert values[to : to + count].tolist() == list(range(start, start + count))
    assert values[:to].tolist() == list(range(to))


def test_a_buffer_moves_only_when_it_is_full() -> None:
    assert first_column(4, 20, 3, 5, 19) == 4
    assert first_column(4, 20, 4, 5, 19) == 15
    assert first_column(18, 20, 9, 5, 10) == 18, "columns that were never there are not kept"


def shorts(hop: int, window: int, **options: object) -> list[bool]:
    bundle = random_bundle("cnn", window=window, hop=hop, hidden=8, **options)
    return short_layers(plan_convnet(bundle.manifest.model, window), bundle.manifest)


@pytest.mark.skipif(not SUMS, reason="pairs of columns are not made on a CPU without a vector unit that we know")
def test_columns_are_paired_only_where_no_window_ends_between_two() -> None:
    """Columns of a window behind the stem, body1 and body2: 14, 12, 10 of 32 samples and 13, 11, 9 of 30."""
    assert shorts(16, 32) == [False, True, True]
    assert shorts(16, 30) == [False, False, False]
    assert shorts(6, 32) == [False, False, False], "the next window begins three columns later"


@pytest.mark.parametrize("hop", [4, 8, 12, 40])
@pytest.mark.parametrize("runtime", ["numba"])
def test_paired_columns_of_a_deep_body_stream_as_whole_windows(runtime: str, hop: int) -> None:
    """Every convolution of a body may hold one column back; its skip has to wait for all of them."""
    body = [conv(f"b{i}", 13, 3, relu=i < 3) for i in range(4)]
    layers = [conv("stem", 13, 4, 2), {"op": "residual", "body": body}, *cnn_layers(13)[-2:]]
    bundle = random_bundle("cnn", window=32, hop=hop, channels=5, layers=layers)
    engine, reference = make_runtime(runtime, bundle), make_runtime("reference", bundle)
    x = normal(32 + 9 * hop + 3, 5)
    ends, logits = engine.push(x)
    expected = reference.push(x)[1]
    whole = np.stack([engine.window(x[end - 32 : end]) for end in ends])
    for other in (expected, whole):
        assert (np.abs(logits - other) <= 1e-5 * np.maximum(1, np.abs(other))).all()
    one_by_one = make_runtime(runtime, bundle)
    assert np.concatenate([one_by_one.push(sample[None])[1] for sample in x]).tobytes() == logits.tobytes()


def test_a_runtime_of_another_hop_packs_its_own_weights() -> None:
    """Pairs depend on the hop; the same weights at another hop give the same logits to float32's rounding."""
    bundle = random_bundle("cnn", window=32, hop=16, hidden=8)
    odd = replace(bundle, manifest=replace(bundle.manifest, hop=6))
    x = bundle.golden["x"][0]
    paired, single = (make_runtime("numba", b).window(x) for b in (bundle, odd))
    np.testing.assert_allclose(paired, single, rtol=1e-5, atol=1e-5)

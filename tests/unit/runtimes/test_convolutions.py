"""The convolutions of a stream's new columns against NumPy: any size, in groups of columns and one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import cnn_layers, conv, random_bundle
from numpy.lib.stride_tricks import sliding_window_view

from edgehar.bundle import Bundle
from edgehar.graph.convplan import plan_convnet
from edgehar.runtimes import make_runtime
from edgehar.runtimes.kernels.columns import copy_values, first_column, move_down
from edgehar.runtimes.kernels.compiler import Vector, kernel
from edgehar.runtimes.kernels.conv_tile import LOWEST, convolve, plain_convolve, plain_weighted_sum, weighted_sum
from edgehar.runtimes.kernels.convnet import short_layers
from edgehar.runtimes.kernels.short_conv import convolve_short, pack_short, scratch_size
from edgehar.runtimes.kernels.simd import pack_rows
from edgehar.runtimes.kernels.toom_cook import SCHEMES, scheme_of
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


vector_unit = pytest.mark.skipif(not SUMS, reason="columns are not grouped on a CPU without a vector unit that we know")


@pytest.mark.parametrize("points", [(0, 1, -1), (0, 1, -1, 2, -0.5), (0, 1, -1, 2, -2)])
def test_a_scheme_is_a_convolution_of_three_taps(points: tuple[float, ...]) -> None:
    scheme = scheme_of(points)
    columns = len(points) - 1
    x, g = RNG.standard_normal(columns + 2), RNG.standard_normal(3)
    y = scheme.after @ ((scheme.taps @ g) * (scheme.before @ x))
    np.testing.assert_allclose(y, sliding_window_view(x, 3) @ g, rtol=1e-12, atol=1e-12)


def test_what_the_kernels_compute_with_is_exact_in_float32() -> None:
    for scheme in SCHEMES.values():
        for coefficients in (scheme.before, scheme.after):
            assert (coefficients.astype(np.float32) == coefficients).all()


def grouped(w: np.ndarray, b: np.ndarray, x: np.ndarray, skip: np.ndarray, columns: int, groups: int) -> np.ndarray:
    out, inputs, _ = w.shape
    packed, (place, bias) = pack_rows([pack_short(w, columns), b[None]], WIDTH)
    y = np.full(columns * groups * out + WIDTH, np.nan, np.float32)
    skips = np.concatenate([skip.ravel(), np.zeros(2 * WIDTH + out, np.float32)])
    behind = np.concatenate([x.ravel(), np.full(WIDTH, np.nan, np.float32)])
    scratch = np.full(scratch_size(inputs, out), np.nan, np.float32)
    convolve_short(
        y, 0, out, packed, bias, skips, 0, out, packed, place, behind, 0, inputs, columns, groups, ZERO, scratch
    )
    return y[: columns * groups * out].reshape(-1, out)


@vector_unit
@pytest.mark.parametrize("columns", [2, 4])
@pytest.mark.parametrize("groups", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("inputs", "out"), [(1, 1), (9, 37), (48, 48), (64, 61), (17, 193)])
def test_groups_of_columns_equal_numpy(columns: int, groups: int, inputs: int, out: int) -> None:
    n = columns * groups
    w, b, skip, x = normal(out, inputs, 3), normal(out), normal(n, out), normal(n + 2, inputs)
    expected = np.maximum(convolved(w, b, x, skip, 1), 0)
    scale = np.sqrt(3 * inputs) * (1 if columns == 2 else 4)
    np.testing.assert_allclose(grouped(w, b, x, skip, columns, groups), expected, rtol=1e-5, atol=2e-6 * scale)


@vector_unit
@pytest.mark.parametrize("columns", [2, 4])
def test_a_group_has_the_same_bits_alone_and_among_others(columns: int) -> None:
    n = 7 * columns
    w, b, skip, x = normal(37, 9, 3), normal(37), normal(n, 37), normal(n + 2, 9)
    together = grouped(w, b, x, skip, columns, 7)
    for first in range(0, n, columns):
        alone = grouped(w, b, x[first : first + columns + 2], skip[first : first + columns], columns, 1)
        assert alone.tobytes() == together[first : first + columns].tobytes()


@vector_unit
def test_four_columns_round_twice_as_coarsely_as_two_or_one() -> None:
    """What `SCHEMES` states, on as many values as a layer of the built-in cnn has in some windows."""
    w, b, x, skip = normal(48, 48, 3) / 12, normal(48), np.maximum(normal(402, 48), 0), np.zeros((400, 48), np.float32)
    packed, (place, bias) = pack_rows([w.transpose(2, 1, 0).reshape(-1, 48), b[None]], WIDTH)
    direct = np.zeros(400 * 48 + WIDTH, np.float32)
    convolve(direct, 0, 48, packed, bias, skip.ravel(), 0, 48, packed, place, 48, x.ravel(), 0, 48, 400, 144, ZERO)
    exact = np.maximum(convolved(w, b, x, skip, 1), 0)
    ways = [direct[: 400 * 48].reshape(400, 48), *(grouped(w, b, x, skip, n, 400 // n) for n in (2, 4))]
    one, two, four = (float(np.sqrt(((y - exact) ** 2).mean())) for y in ways)
    assert two <= 1.1 * one
    assert four <= 2.5 * one


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


@kernel
def copied(out: Vector, to: int, values: Vector, start: int, count: int) -> None:
    copy_values(out, to, values, start, count)


@pytest.mark.parametrize("count", [0, 1, WIDTH - 1, WIDTH, 3 * WIDTH + 2])
def test_values_are_copied_and_nothing_behind_them(count: int) -> None:
    out, values = np.zeros(120, np.float32), np.arange(1, 121, dtype=np.float32)
    copied(out, 5, values, 7, count)
    assert out[5 : 5 + count].tolist() == values[7 : 7 + count].tolist()
    assert not out[:5].any()
    assert not out[5 + count :].any()


def test_a_buffer_moves_only_when_it_is_full() -> None:
    assert first_column(4, 20, 3, 5, 19) == 4
    assert first_column(4, 20, 4, 5, 19) == 15
    assert first_column(18, 20, 9, 5, 10) == 18, "columns that were never there are not kept"


def shorts(hop: int, window: int, **options: object) -> list[tuple[int, int]]:
    bundle = random_bundle("cnn", window=window, hop=hop, hidden=8, **options)
    return short_layers(plan_convnet(bundle.manifest.model, window), bundle.manifest)


@vector_unit
def test_columns_are_grouped_only_where_no_window_ends_within_a_group() -> None:
    """Columns of a window behind the stem, body1 and body2: 14, 12, 10 of 32 samples and 13, 11, 9 of 30."""
    single, pairs = (0, 0), (2, 0)
    assert shorts(16, 32) == [single, (4, 0), (4, 2)]
    assert shorts(8, 32) == [single, pairs, pairs], "a lone group of four would wait for its weights"
    assert shorts(20, 32) == [single, pairs, pairs], "the next window ends ten columns later"
    assert shorts(16, 30) == [single] * 3
    assert shorts(6, 32) == [single] * 3, "the next window begins three columns later"


def deep_body(hop: int) -> Bundle:
    """Columns of a window: 14, 12, 10, 8 and 6."""
    body = [conv(f"b{i}", 13, 3, relu=i < 3) for i in range(4)]
    layers = [conv("stem", 13, 5, 2), {"op": "residual", "body": body}, *cnn_layers(13)[-2:]]
    return random_bundle("cnn", window=32, hop=hop, channels=5, layers=layers)


@vector_unit
def test_every_convolution_of_the_deep_body_is_grouped() -> None:
    sizes = [[size for size, _ in short_layers(plan_convnet(b.manifest.model, 32), b.manifest)] for b in
             map(deep_body, (4, 8, 12, 16, 40))]  # fmt: skip
    assert sizes == [[0, 2, 2, 2, 2]] * 3 + [[0, 4, 4, 4, 4]] * 2


@pytest.mark.parametrize("hop", [4, 8, 12, 16, 40])
@pytest.mark.parametrize("runtime", ["numba"])
def test_grouped_columns_of_a_deep_body_stream_as_whole_windows(runtime: str, hop: int) -> None:
    """Every convolution of a body may hold columns back; its skip has to wait for all of them."""
    bundle = deep_body(hop)
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
    """Groups depend on the hop; the same weights at another hop give the same logits to float32's rounding."""
    bundle = random_bundle("cnn", window=32, hop=16, hidden=8)
    odd = replace(bundle, manifest=replace(bundle.manifest, hop=6))
    x = bundle.golden["x"][0]
    many, single = (make_runtime("numba", b).window(x) for b in (bundle, odd))
    np.testing.assert_allclose(many, single, rtol=1e-5, atol=1e-5)

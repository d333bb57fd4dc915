"""Integer products in groups of 32 bits against NumPy: every tile, any padding, quads and pairs."""

from __future__ import annotations

import numpy as np
import pytest
from factories import random_bundle
from quantised import quantised

from edgehar.runtimes import make_runtime
from edgehar.runtimes.kernels.integer_conv import QUADS
from edgehar.runtimes.kernels.integer_layers import IntegerConvnetEngine, pack_layers
from edgehar.runtimes.kernels.integer_vector import (
    HAS_QUADS,
    group_product,
    group_product_np,
    pack_groups,
    plain_group_product,
)
from edgehar.runtimes.kernels.vector import WIDTH
from edgehar.runtimes.lowered import int_graph_of

KINDS = [(group_product, False), (group_product, True), (plain_group_product, False)]


@pytest.mark.parametrize(("kind", "quads"), KINDS)
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 13])
@pytest.mark.parametrize("outputs", [1, WIDTH, 61, 80, 193])
def test_products_of_any_size_equal_numpy(kind, quads: bool, rows: int, outputs: int) -> None:
    if quads and not HAS_QUADS:
        pytest.skip("this CPU has no instruction for quads")
    rng = np.random.default_rng(rows * outputs)
    inner, low, high = (37, 0, 256) if quads else (37, -32768, 32768)
    matrix = rng.integers(-128, 128, (inner, outputs)).astype(np.int8)
    # Rows overlap, as the taps of neighbouring columns do, and begin at odd places.
    cells = rng.integers(low, high, rows * 9 + inner + 5).astype(np.uint8 if quads else np.int16)
    x = np.stack([cells[1 + 9 * r : 1 + 9 * r + inner] for r in range(rows)])
    step = -(-outputs // WIDTH) * WIDTH
    init = np.zeros(step, np.int32)
    init[:outputs] = rng.integers(-(2**31), 2**31, outputs)
    out = np.zeros(rows * step, np.int32)
    weights, size = pack_groups(matrix, quads=quads).view(np.int8), cells.itemsize
    groups = -(-inner * size // 4)
    kind(int(quads), out, step, init, 0, weights, 0, cells.view(np.uint8), size, 9 * size, rows, groups)
    expected = group_product_np(init[:outputs], matrix, x)
    assert out.reshape(rows, -1)[:, :outputs].tolist() == expected.tolist()


@pytest.mark.parametrize("family", ["cnn", "dscnn"])
def test_pairs_have_the_bits_of_quads(family: str) -> None:
    """A CPU without the instruction for quads gives the same logits."""
    bundle = quantised(random_bundle(family, hidden=13), "int8")
    graph = int_graph_of(bundle)
    layers = pack_layers(graph, quads=False)
    assert layers.plan[QUADS] == 0
    assert pack_layers(graph).plan[QUADS] == HAS_QUADS
    engine, logits = IntegerConvnetEngine(layers, graph, bundle.manifest.window), np.empty((1, 4), np.float32)
    for x in bundle.golden["x"]:
        engine.clear()
        engine.run(x, 0, np.empty(1, np.int64), logits)
        assert logits[0].tobytes() == make_runtime("numba", bundle).window(x).tobytes()


def test_int16_tensors_are_never_quads() -> None:
    bundle = quantised(random_bundle("cnn", hidden=8), "int8x16")
    assert pack_layers(int_graph_of(bundle), quads=True).plan[QUADS] == 0

"""Matrices without their zeros: every layout gives what the dense one gives, in C, and takes the bytes that it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgehar.bundle import Bundle
from edgehar.errors import UsageError
from edgehar.export.c import matrices
from edgehar.export.c.emit import emit_c
from edgehar.graph.execute import run_graph
from edgehar.graph.intexecute import run_int_graph
from edgehar.runtimes.lowered import graph_of, int_graph_of
from tests.cbuild import run_core
from tests.factories import conv, random_bundle
from tests.quantised import quantised

WIDE = [conv("stem", 45, 3), conv("wide", 11, 7), {"op": "mean"}, {"op": "linear", "name": "fc"}]
Mask = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def unstructured(density: float) -> Mask:
    return lambda w, rng: np.where(rng.random(w.shape) < density, w, 0)


def in_blocks(density: float) -> Mask:
    """Keeps 4x1 blocks; the last rows of a matrix may make up less than one."""

    def mask(w: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        kept = rng.random((-(-len(w) // 4), *w.shape[1:])) < density
        return np.where(np.repeat(kept, 4, axis=0)[: len(w)], w, 0)

    return mask


def thinned(bundle: Bundle, mask: Mask, seed: int = 1) -> Bundle:
    """The bundle with `mask` on all of its matrices."""
    rng = np.random.default_rng(seed)
    weights = {n: mask(w, rng).astype(np.float32) if w.ndim > 1 else w for n, w in bundle.weights.items()}
    bare = replace(bundle, weights=weights)
    return replace(bare, golden={"x": bundle.golden["x"], "logits": run_graph(graph_of(bare), bundle.golden["x"])})


MODELS = {
    "fastgrnn": {"hidden": 37, "rank_u": 9},
    "gru": {"hidden": 18},
    "cnn": {"layers": WIDE},
    "l2mu": {"hidden": 22},
}


@pytest.mark.parametrize("layout", matrices.LAYOUTS)
@pytest.mark.parametrize("family", MODELS)
def test_every_layout_computes_the_same(family: str, layout: str, tmp_path: Path) -> None:
    bundle = thinned(random_bundle(family, golden_windows=3, **MODELS[family]), in_blocks(0.3))
    q = quantised(bundle, "int8x16")
    graph, x = int_graph_of(q), bundle.golden["x"]

    integers = emit_c(q, tmp_path / "integers", layouts={"*": layout}, events=False)
    floats = emit_c(bundle, tmp_path / "floats", layouts={"*": layout}, events=False)

    scale = np.float32(graph.quants[graph.output].scale)
    np.testing.assert_array_equal(run_core(integers, x).logits.astype(np.float32) * scale, run_int_graph(graph, x))
    np.testing.assert_allclose(run_core(floats, x).logits, bundle.golden["logits"], rtol=0, atol=1e-4)
    assert any(f", {layout}, " in note for note in integers.module.notes.values())


@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(37, 61), (4, 3), (3, 4), (1, 1), (12, 300)])
@pytest.mark.parametrize("layout", matrices.LAYOUTS)
def test_layouts_hold_every_weight_once(layout: str, shape: tuple[int, int], density: float) -> None:
    rng = np.random.default_rng(0)
    w = unstructured(density)(rng.integers(1, 127, shape), rng).astype(np.int8)

    stored = matrices.BUILDERS[layout](w)

    if stored is None:  # a byte cannot count 300 weights
        assert shape[1] > 255
        return
    assert sorted(stored.arrays[""][stored.arrays[""] != 0]) == sorted(w[w != 0])
    if layout == "dense":
        assert stored.bytes == w.size
    if layout == "bitmap":
        assert stored.bytes == np.count_nonzero(w) + shape[0] * -(-shape[1] // 8)
    if layout == "entries":
        assert stored.bytes == np.count_nonzero(w) * (2 if shape[1] <= 256 else 3) + shape[0]


@pytest.mark.parametrize(
    ("mask", "layout"),
    [
        (unstructured(1.0), "dense"),
        (unstructured(0.3), "bitmap"),
        (unstructured(0.02), "entries"),
        (in_blocks(0.1), "blocks"),
        (in_blocks(0.95), "dense"),
    ],
)
def test_the_choice_follows_the_zeros(mask: Mask, layout: str) -> None:
    rng = np.random.default_rng(0)
    w = mask(rng.integers(1, 127, (80, 80)), rng).astype(np.int8)

    assert matrices.store(w).layout == layout


def test_an_unknown_layout_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="'csr'"):
        matrices.store(np.ones((2, 2), np.int8), "csr")


def test_pruned_columns_of_spiking_models_are_not_stored(tmp_path: Path) -> None:
    dense = random_bundle("l2mu", hidden=40, golden_windows=3)
    pruned = thinned(dense, unstructured(0.1))
    x = dense.golden["x"]
    q = quantised(pruned, "int8")
    graph = int_graph_of(q)

    export = emit_c(q, tmp_path / "pruned")

    logits = run_core(export, x).logits.astype(np.float32) * np.float32(graph.quants[graph.output].scale)
    np.testing.assert_array_equal(logits, run_int_graph(graph, x))
    whole = emit_c(quantised(dense, "int8"), tmp_path / "dense").module.constant_bytes
    assert export.module.constant_bytes < 0.5 * whole

"""Emitted C against the NumPy executors: bit for bit in integers, by tolerance in floats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgehar.bundle import Bundle
from edgehar.export.c.emit import emit_c
from edgehar.export.c.harness import fnv1a
from edgehar.graph.execute import run_graph, trace
from edgehar.graph.graph import IntGraph
from edgehar.graph.intexecute import run_int_graph
from edgehar.runtimes.lowered import graph_of, int_graph_of
from tests.cbuild import run_core
from tests.factories import conv, random_bundle
from tests.quantised import quantised

SCHEMES = ("int8", "int8x16")
GROUPED = [
    conv("stem", 12, 3),
    conv("grouped", 18, 5, 1, 3),
    conv("wide", 18, 3, 2, 2, relu=False),
    {"op": "mean"},
    {"op": "linear", "name": "fc"},
]
VARIANTS = {
    "fastgrnn": {"hidden": 37, "channels": 5},
    "fastgrnn low rank": {"hidden": 61, "rank_w": 3, "rank_u": 7},
    "gru": {"hidden": 37},
    "cnn": {"hidden": 13},
    "dscnn": {"hidden": 11},
    "cnn grouped": {"layers": GROUPED},
    "l2mu": {"hidden": 37, "golden_windows": 4},
    "l2mu synaptic": {"hidden": 21, "neuron": "synaptic", "encoder": "single", "readout": "count", "golden_windows": 4},
    "l2mu plain": {"hidden": 18, "encoder": "plain", "golden_windows": 4},
}


def bundle_of(variant: str) -> Bundle:
    return random_bundle(variant.partition(" ")[0], window=33, hop=8, **VARIANTS[variant])


def raw_logits(graph: IntGraph, x: np.ndarray) -> np.ndarray:
    last = "score_next" if graph.output == "score" else graph.output
    seen: list[np.ndarray] = []
    run_int_graph(graph, x, lambda values: seen.append(np.array(values.get(last, 0))))
    return seen[-1]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_integers_are_those_of_numpy(variant: str, scheme: str, tmp_path: Path) -> None:
    bundle = quantised(bundle_of(variant), scheme)
    graph, x = int_graph_of(bundle), bundle.golden["x"]
    export = emit_c(bundle, tmp_path / "module")

    replies = run_core(export, x, traced=1)

    np.testing.assert_array_equal(replies.logits, raw_logits(graph, x))
    wanted = trace(run_int_graph, graph, x[0])
    assert replies.traces[0].keys() == wanted.keys()
    for name, rows in wanted.items():
        np.testing.assert_array_equal(replies.traces[0][name], rows.reshape(replies.traces[0][name].shape), name)
    assert replies.constants == {name: (len(raw), fnv1a(raw)) for name, raw in export.module.constants.items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_floats_are_close_to_numpy(variant: str, tmp_path: Path) -> None:
    bundle = bundle_of(variant)
    x = bundle.golden["x"]

    logits = run_core(emit_c(bundle, tmp_path / "module"), x).logits

    wanted = run_graph(graph_of(bundle), x)
    np.testing.assert_allclose(logits, wanted, rtol=0, atol=1e-4 * max(1.0, float(np.abs(wanted).max())))
    assert (logits.argmax(1) == wanted.argmax(1)).all()


@pytest.mark.parametrize("scheme", [*SCHEMES, "float32"])
def test_spikes_as_flags_give_what_events_give(scheme: str, tmp_path: Path) -> None:
    bundle = bundle_of("l2mu")
    bundle = bundle if scheme == "float32" else quantised(bundle, scheme)
    x = bundle.golden["x"]

    events = run_core(emit_c(bundle, tmp_path / "events"), x).logits
    flags = run_core(emit_c(bundle, tmp_path / "flags", events=False), x).logits

    if scheme == "float32":
        np.testing.assert_allclose(events, flags, rtol=0, atol=1e-4 * float(np.abs(flags).max()))
    else:
        np.testing.assert_array_equal(events, flags)

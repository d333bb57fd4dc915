"""Float graphs: the same logits as the reference runtime for every family, and constants under the bundle's names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from factories import conv, random_bundle

from edgehar.errors import InputError
from edgehar.graph.execute import run_graph, trace
from edgehar.graph.lower import lower
from edgehar.runtimes.lowered import graph_of

BODY = [conv("b1", 8, 3, groups=4), conv("b2", 8, 5, groups=8), conv("b3", 8, 1, relu=False)]
GROUPED = [
    conv("stem", 8, 4, 2, groups=2),
    {"op": "residual", "body": BODY},
    conv("wide", 12, 3, groups=4),
    {"op": "mean"},
    {"op": "linear", "name": "out"},
]
NEURONS = [
    (n, e, r) for n in ("leaky", "synaptic") for e in ("plain", "single", "stacked") for r in ("count", "membrane")
]
MODELS: list[tuple[str, dict[str, Any]]] = [
    ("fastgrnn", {}),
    ("fastgrnn", {"rank_w": 3, "rank_u": 5}),
    ("fastgrnn", {"rank_u": 4, "hidden": 7, "channels": 1, "classes": 2}),
    ("gru", {"hidden": 9}),
    ("cnn", {"hidden": 5}),
    ("dscnn", {"hidden": 6}),
    ("cnn", {"layers": GROUPED, "hidden": 8}),
    *(("l2mu", {"neuron": n, "encoder": e, "readout": r}) for n, e, r in NEURONS),
]


@pytest.mark.parametrize(("family", "options"), MODELS)
def test_the_graph_computes_what_the_reference_runtime_computes(family, options):
    bundle = random_bundle(family, seed=3, **options)
    found, golden = run_graph(graph_of(bundle), bundle.golden["x"]), bundle.golden["logits"]
    if family == "l2mu":  # one sum that rounds the other way is one spike more or less
        assert (found.argmax(axis=1) == golden.argmax(axis=1)).all()
        assert np.median(np.abs(found - golden)) < 1e-4
    else:
        np.testing.assert_allclose(found, golden, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("family", "options"), MODELS)
def test_every_tensor_has_its_announced_length(family, options):
    bundle = random_bundle(family, **options)
    graph = graph_of(bundle)
    told = trace(run_graph, graph, bundle.golden["x"][0])
    assert {name: rows.shape[1] for name, rows in told.items()} == dict(graph.sizes)
    steps = {name: len(rows) for name, rows in told.items() if name in {op.out for op in graph.step}}
    assert set(steps.values()) == {graph.window} or not graph.states
    assert all(len(told[op.out]) == 1 for op in graph.head)


def test_constants_are_the_bundles_own():
    bundle = random_bundle("fastgrnn", rank_w=2, rank_u=3)
    constants = graph_of(bundle).constants()
    assert set(constants) == set(bundle.weights)
    # The inner factors are applied transposed; all else is stored as it is.
    for name, constant in constants.items():
        stored = bundle.weights[name]
        np.testing.assert_array_equal(constant.value, stored.T if name in ("W2", "U2") else stored)


def test_a_trace_holds_the_states_before_and_after_each_sample():
    bundle = random_bundle("gru")
    told = trace(run_graph, graph_of(bundle), bundle.golden["x"][0])
    np.testing.assert_array_equal(told["h"][1:], told["h_next"][:-1])
    assert not told["h"][0].any()
    np.testing.assert_allclose(told["logits"][0], bundle.golden["logits"][0], rtol=1e-4, atol=1e-5)


def test_a_watch_sees_every_step_once():
    for family, extra in (("l2mu", 0), ("gru", 1)):
        bundle = random_bundle(family)
        calls = []
        run_graph(graph_of(bundle), bundle.golden["x"], lambda values, calls=calls: calls.append(len(values)))
        assert len(calls) == bundle.manifest.window + extra


def test_a_family_without_a_graph_is_refused_by_name():
    with pytest.raises(InputError, match="'transformer'") as caught:
        lower({"family": "transformer"}, {}, window=8, hop=8)
    assert "fastgrnn" in caught.value.hint

"""Gains of spiking neurons: the spikes stay, and what cannot be scaled is refused."""

from __future__ import annotations

import numpy as np
import pytest
from factories import random_bundle
from test_graph_lower import NEURONS

from edgehar.errors import InputError
from edgehar.graph.equalise import equalise, scalable
from edgehar.graph.execute import run_graph, trace
from edgehar.runtimes.lowered import graph_of


def powers_of_two(graph, drives, seed=0):
    """Scaling by these rounds nothing, so not even a near-tie of potential and threshold can fall differently."""
    rng = np.random.default_rng(seed)
    return {name: [float(v) for v in 2.0 ** rng.integers(-6, 7, graph.sizes[name])] for name in drives}


@pytest.mark.parametrize(("neuron", "encoder", "readout"), NEURONS)
def test_gains_change_no_spike(neuron, encoder, readout):
    bundle = random_bundle("l2mu", neuron=neuron, encoder=encoder, readout=readout)
    graph, x = graph_of(bundle), bundle.golden["x"]
    gains = powers_of_two(graph, scalable(graph))
    scaled = equalise(graph, gains)
    before, after = (trace(run_graph, g, x[0]) for g in (graph, scaled))
    assert any(rows.any() for name, rows in before.items() if name.startswith("S_"))
    for name in before:
        if name.startswith("S_"):
            np.testing.assert_array_equal(before[name], after[name])
    np.testing.assert_array_equal(run_graph(graph, x), run_graph(scaled, x))
    np.testing.assert_array_equal(after["U_m_next"], before["U_m_next"] * np.array(gains["drive_m"], np.float32))


def test_potentials_that_are_summed_to_the_score_keep_their_units():
    assert "drive_o" not in scalable(graph_of(random_bundle("l2mu", readout="membrane")))
    assert "drive_o" in scalable(graph_of(random_bundle("l2mu", readout="count")))


@pytest.mark.parametrize(
    ("name", "gains"),
    [
        ("drive_x", [1.0]),
        ("drive_o", [1.0] * 4),  # the score of a membrane readout
        ("drive_u", [1.0, 1.0]),
        ("drive_u", [1.0, 0.0, 1.0]),
        ("drive_u", [1.0, -1.0, 1.0]),
        ("drive_u", [1.0, float("nan"), 1.0]),
    ],
)
def test_gains_that_fit_no_population_are_refused_by_name(name, gains):
    with pytest.raises(InputError, match=rf"quant\.gains\.{name}"):
        equalise(graph_of(random_bundle("l2mu", readout="membrane")), {name: gains})


def test_a_model_that_does_not_spike_takes_no_gains():
    with pytest.raises(InputError, match="drive_h") as caught:
        equalise(graph_of(random_bundle("gru")), {"drive_h": [1.0]})
    assert "none" in caught.value.hint

"""The kernels against the NumPy reference, at a real window's length and at sizes that no vector width divides."""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from factories import random_bundle

from edgehar.runtimes import make_runtime

TOLERANCE = 1e-5
FLOAT = [
    ("fastgrnn", {"hidden": 37, "hop": 64}),
    ("fastgrnn", {"hidden": 80, "hop": 128}),
    ("fastgrnn", {"hidden": 61, "hop": 40, "rank_w": 3, "rank_u": 17}),
    ("fastgrnn", {"hidden": 61, "hop": 16}),
    ("fastgrnn", {"hidden": 80, "hop": 48, "rank_u": 37}),
    ("gru", {"hidden": 37, "hop": 64}),
    ("gru", {"hidden": 61, "hop": 50}),
    ("cnn", {"hidden": 37, "hop": 64}),
    ("dscnn", {"hidden": 61, "hop": 64}),
    ("fusion", {"hidden": 37, "hop": 64, "channels": 10}),
]
SPIKING = [
    {"hidden": 37, "neuron": neuron, "encoder": encoder, "readout": readout}
    for neuron, encoder, readout in [
        ("leaky", "plain", "count"),
        ("leaky", "single", "membrane"),
        ("leaky", "stacked", "count"),
        ("synaptic", "plain", "membrane"),
        ("synaptic", "stacked", "membrane"),
    ]
] + [
    # Rows of the memory that straddle vectors, more than one pair of words, and rows that take several turns.
    {"hidden": hidden, "memory": memory, "order": order, "neuron": "leaky", "encoder": encoder, "readout": "membrane"}
    for hidden, memory, order, encoder in [(150, 2, 18, "plain"), (150, 3, 18, "stacked"), (21, 70, 6, "plain")]
]


def stream(inputs: int, windows: int, window: int, hop: int) -> np.ndarray:
    samples = window + (windows - 1) * hop
    return np.random.default_rng(5).standard_normal((samples, inputs)).astype(np.float32)


@pytest.mark.parametrize(("family", "options"), FLOAT)
def test_logits_agree(family: str, options: dict[str, Any]) -> None:
    bundle = random_bundle(family, **{"window": 128, "channels": 9, **options})
    x = stream(bundle.manifest.model["inputs"], 6, 128, options["hop"])
    fast, slow = (make_runtime(name, bundle).push(x) for name in ("numba", "reference"))
    assert fast[0].tolist() == slow[0].tolist()
    assert (np.abs(fast[1] - slow[1]) <= TOLERANCE * np.maximum(1, np.abs(slow[1]))).all()


@pytest.mark.parametrize("hop", [16, 128])
def test_kept_blocks_agree(hop: int) -> None:
    """U of 16x1 blocks of which four in five are zero, as the pruner leaves it; the last block row is not full."""
    dense = random_bundle("fastgrnn", window=128, hop=hop, channels=9, hidden=61)
    kept = np.random.default_rng(0).random((4, 61)) < 0.2
    u = dense.weights["U"] * np.repeat(kept, 16, axis=0)[:61]
    bundle = replace(dense, weights={**dense.weights, "U": u})
    x = stream(9, 4, 128, hop)
    fast, slow = (make_runtime(name, bundle).push(x) for name in ("numba", "reference"))
    assert (np.abs(fast[1] - slow[1]) <= TOLERANCE * np.maximum(1, np.abs(slow[1]))).all()


@pytest.mark.parametrize("family", ["fastgrnn", "cnn", "dscnn", "l2mu"])
def test_a_window_with_nan_leaves_the_later_ones_alone(family: str) -> None:
    bundle = random_bundle(family, window=40, hop=20, hidden=37)
    x = stream(6, 8, 40, 20)
    spoiled = x.copy()
    spoiled[70, 2] = np.nan
    clean, after = (make_runtime("numba", bundle).push(samples) for samples in (x, spoiled))
    free = (clean[0] <= 70) | (clean[0] - 40 > 70)
    assert 0 < free.sum() < len(free)
    assert after[1][free].tobytes() == clean[1][free].tobytes()


@pytest.mark.parametrize("options", SPIKING)
def test_spikes_and_labels_agree(options: dict[str, Any]) -> None:
    bundle = random_bundle("l2mu", window=40, hop=20, **options)
    x = stream(6, 20, 40, 20)
    fast, slow = (make_runtime(name, bundle) for name in ("numba", "reference"))
    (ends, logits), (expected_ends, expected) = fast.push(x), slow.push(x)
    assert ends.tolist() == expected_ends.tolist()
    assert (logits.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.995
    if platform.machine() == "x86_64":  # elsewhere the compiler may fuse what is written as two operations
        assert logits.tobytes() == expected.tobytes()
    rates, expected_rates = fast.spike_rates(), slow.spike_rates()
    assert list(rates) == list(expected_rates)
    assert 0.001 < rates["m"] < 0.9, "a test of a silent network shows nothing"
    for population, rate in rates.items():
        assert abs(rate - expected_rates[population]) <= 1e-4, population


def test_whole_windows_count_towards_spike_rates_until_a_reset() -> None:
    bundle = random_bundle("l2mu", window=16, hop=16, golden_windows=1)
    x = stream(6, 2, 16, 16)
    streamed, windowed = make_runtime("numba", bundle), make_runtime("numba", bundle)
    streamed.push(x)
    for start in (0, 16):
        windowed.window(x[start : start + 16])
    assert windowed.spike_rates() == streamed.spike_rates() != {}
    windowed.reset()
    assert set(windowed.spike_rates().values()) == {0.0}

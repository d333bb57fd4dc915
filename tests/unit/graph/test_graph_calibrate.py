"""Ranges of tensors on real windows, and windows that cannot give any."""

from __future__ import annotations

import numpy as np
import pytest
from factories import random_bundle

from edgehar.errors import InputError
from edgehar.graph.calibrate import BATCH, calibrate
from edgehar.graph.execute import run_graph
from edgehar.runtimes.lowered import graph_of


def windows(n, channels=6, window=32, seed=1):
    return np.random.default_rng(seed).standard_normal((n, window, channels)).astype(np.float32)


@pytest.mark.parametrize("family", ["fastgrnn", "gru", "cnn", "dscnn", "l2mu"])
def test_ranges_are_the_extremes_of_every_tensor_over_all_batches(family):
    graph, x = graph_of(random_bundle(family)), windows(BATCH + 5)
    seen: dict[str, list[np.ndarray]] = {}
    run_graph(
        graph, x, lambda values: [seen.setdefault(name, []).append(v.copy()) for name, v in values.items()] and None
    )
    ranges = calibrate(graph, x)
    assert set(ranges) == set(graph.sizes)
    for name, parts in seen.items():
        low, high = min(part.min() for part in parts), max(part.max() for part in parts)
        assert ranges[name] == pytest.approx((low, high), rel=1e-5, abs=1e-6)


def test_a_percentile_leaves_an_outlier_out():
    graph, x = graph_of(random_bundle("gru")), windows(40)
    x[7, 3, 2] = 1e4
    assert calibrate(graph, x)["x"][1] == pytest.approx(1e4)
    low, high = calibrate(graph, x, 99.9)["x"]
    assert -5 < low < -2
    assert 2 < high < 5


def test_a_percentile_keeps_its_share_of_the_values():
    graph, x = graph_of(random_bundle("gru")), windows(64)
    low, high = calibrate(graph, x, 95)["x"]
    assert np.mean(x > high) == pytest.approx(0.05, abs=0.01)
    assert np.mean(x < low) == pytest.approx(0.05, abs=0.01)


def test_ranges_are_deterministic():
    graph, x = graph_of(random_bundle("l2mu")), windows(70)
    assert calibrate(graph, x, 99.9) == calibrate(graph, x, 99.9)


@pytest.mark.parametrize("shape", [(0, 32, 6), (4, 31, 6), (4, 32, 5), (32, 6)])
def test_windows_of_another_shape_are_refused_with_both_shapes(shape):
    with pytest.raises(InputError, match=r"\[n, 32, 6\]") as caught:
        calibrate(graph_of(random_bundle("gru")), np.zeros(shape, np.float32))
    assert str(list(shape)) in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named_by_its_place(value):
    x = windows(3)
    x[2, 5, 1] = value
    with pytest.raises(InputError, match=f"window 2 holds {value} at sample 5, channel 1"):
        calibrate(graph_of(random_bundle("gru")), x)


@pytest.mark.parametrize("percentile", [50, 0, 100.5, -3, float("nan")])
def test_a_percentile_outside_its_range_is_refused(percentile):
    with pytest.raises(InputError, match="percentile"):
        calibrate(graph_of(random_bundle("gru")), windows(2), percentile)

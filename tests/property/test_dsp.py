"""Resampling and preprocessing on random streams: kernel against twin, chunks against whole, exact pass-through."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehar.dsp.graph import Preprocess
from edgehar.dsp.grid import Grid
from edgehar.dsp.resample import TICK_NS, Resampler, resample_np

RATES = st.one_of(st.sampled_from([20.0, 25.0, 31.25, 50.0, 52.0, 100.0, 104.0, 119.0]), st.floats(1.0, 400.0))
SEEDS = st.integers(0, 2**32 - 1)
SOS = [[0.2, 0.3, 0.1, 1.0, -0.5, 0.1], [1.0, -1.0, 0.0, 1.0, -0.2, 0.0]]


@settings(max_examples=80, deadline=None)
@given(RATES, st.floats(0.3, 3.0), st.floats(0.0, 0.9), st.integers(1, 150), SEEDS)
def test_kernel_equals_twin_and_chunks_equal_whole(rate_hz, ratio, jitter, n, seed):
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(1 - jitter, 1 + jitter, n) * 1e9 / (rate_hz * ratio)).astype(np.int64)
    t = np.unique(t)
    x, flags = rng.standard_normal((len(t), 5)).astype(np.float32), np.zeros(len(t), np.uint16)
    points, y, real = resample_np(t, x, rate_hz)
    for edges in ([], range(1, len(t)), np.sort(rng.integers(0, len(t) + 1, 6))):
        resampler = Resampler(rate_hz, 5, max_gap_ns=10**10)
        parts = zip(np.split(t, edges), np.split(x, edges), np.split(flags, edges), strict=True)
        pieces = [piece for part in parts for piece in resampler.push(*part)]
        np.testing.assert_array_equal(np.concatenate([p.t_dev_ns for p in pieces]), points)
        assert np.concatenate([p.x for p in pieces]).tobytes() == y.tobytes()
        np.testing.assert_array_equal(np.concatenate([p.real for p in pieces]), real)
        assert [p.index for p in pieces] == np.cumsum([0, *(len(p.x) for p in pieces[:-1])]).tolist()


@given(RATES, st.integers(1, 10**6))
def test_grid_points_are_a_period_apart_and_never_drift(rate_hz, k):
    grid = Grid.at(rate_hz)
    steps = np.diff(grid.offset_ns(np.arange(k, k + 50)))
    assert steps.min() >= grid.period_ns - 1
    assert steps.max() <= grid.period_ns + 1
    assert abs(int(grid.offset_ns(k)) - k * 1e9 / rate_hz) <= 1 + 1e-9 * k * 1e9 / rate_hz


@settings(deadline=None)
@given(RATES, SEEDS)
def test_a_stream_on_the_grid_to_the_microsecond_passes_through(rate_hz, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((100, 2)).astype(np.float32)
    t = Grid.at(rate_hz).offset_ns(np.arange(100)) + rng.integers(-TICK_NS // 2, TICK_NS // 2, 100)
    t[0] = 0
    pieces = list(Resampler(rate_hz, 2).push(t, x, np.zeros(100, np.uint16)))
    assert np.concatenate([p.x for p in pieces]).tobytes() == x.tobytes()


def operations(depth: int) -> st.SearchStrategy[list[dict]]:
    """Chains over the two channels x and y that keep their number; every part of a `concat` looks equally far ahead."""
    simple = st.sampled_from(
        [
            {"op": "sos", "sos": SOS},
            {"op": "minus_lowpass", "sos": SOS[:1]},
            {"op": "scale", "factors": [0.5, 3.0]},
            {"op": "normalize", "mean": [0.3, -1.0], "std": [2.0, 0.7]},
            {"op": "median3"},
        ]
    )
    if depth == 0:
        return st.lists(simple, max_size=4)
    split = st.tuples(operations(0), st.integers(0, 2)).map(
        lambda chain: {
            "op": "concat",
            "parts": [
                [*chain[0], {"op": "select", "channels": ["y"]}],
                [{"op": "median3"}] * sum(op["op"] == "median3" for op in chain[0])
                + [{"op": "select", "channels": ["x"]}],
            ],
        }
    )
    back = {"op": "select", "channels": ["x", "y"]}
    return st.lists(st.one_of(simple, split.map(lambda op: [op, back])), max_size=4).map(
        lambda items: [op for item in items for op in (item if isinstance(item, list) else [item])]
    )


@settings(max_examples=60, deadline=None)
@given(operations(1), st.integers(0, 60), SEEDS)
def test_any_graph_is_independent_of_chunking_and_loses_no_sample(ops, n, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 2)).astype(np.float32)
    graph = Preprocess(ops, ("x", "y"))
    whole = np.concatenate([graph.push(x), graph.flush()])
    assert whole.shape == (n, 2)
    for edges in (range(1, n), np.sort(rng.integers(0, n + 1, 4))):
        graph.reset()
        parts = [graph.push(part) for part in np.split(x, edges)]
        assert sum(map(len, parts)) == max(0, n - graph.delay)
        assert np.concatenate([*parts, graph.flush()]).tobytes() == whole.tobytes()

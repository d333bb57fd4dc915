"""However a stream is cut into chunks, the decisions are the same bits; streaming equals whole windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from factories import random_bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehar.bundle import Bundle, Decision
from edgehar.pipeline import Judged, Pipeline
from edgehar.types import Chunk, Flag, Status, StreamSpec

CHANNELS = 3
LOWPASS = [[0.2, 0.3, 0.1, 1.0, -0.5, 0.1]]
GRAPH = [
    {"op": "median3"},
    {"op": "concat", "parts": [[{"op": "minus_lowpass", "sos": LOWPASS}], [{"op": "sos", "sos": LOWPASS}]]},
    {"op": "normalize", "mean": [0.1] * 6, "std": [1.5] * 6},
]


def bundle(family: str, window: int, hop: int, *, filtered: bool) -> Bundle:
    graph = {"preprocess": GRAPH, "inputs": 2 * CHANNELS, "delay_samples": 1} if filtered else {}
    return random_bundle(
        family,
        window=window,
        hop=hop,
        channels=CHANNELS,
        hidden=7,
        decision=Decision(smooth=3, abstain_below=0.3, min_coverage=0.7),
        golden_windows=1,
        **graph,
    )


# Kernels are compiled per family, not per size; a few bundles keep the examples quick.
BUNDLES = [
    bundle("fastgrnn", 17, 5, filtered=True),
    bundle("gru", 24, 24, filtered=False),
    bundle("cnn", 20, 4, filtered=True),
    bundle("l2mu", 16, 20, filtered=False),
]


@st.composite
def streams(draw: st.DrawFn, *, restarts: bool = True) -> Chunk:
    """A stream with jitter, drift, losses, duplicates, NaN, gaps, a change of rate and restarts."""
    n = draw(st.integers(1, 220))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    jitter = draw(st.sampled_from([0.0, 0.1, 0.45]))
    steps = rng.uniform(1 - jitter, 1 + jitter, n) * draw(st.sampled_from([1.0, 1.003, 0.9]))
    seq = np.arange(n)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, n - 1))
        event = draw(st.sampled_from(["short", "long", "same", "back", "rate", *(["restart"] if restarts else [])]))
        if event in ("short", "long"):
            lost = draw(st.integers(1, 10) if event == "short" else st.integers(14, 400))
            steps[at] += lost
            seq[at:] += lost
        elif event == "same":
            steps[at] = 0.0
        elif event == "back":
            steps[at] = -1.5
        elif event == "restart":
            steps[at] = -draw(st.integers(100, 10_000))
        else:
            steps[at:] *= 1.3
    t = 10**12 + np.rint(np.cumsum(steps) * 2e7).astype(np.int64)
    x = rng.standard_normal((n, CHANNELS)).astype(np.float32)
    x[rng.random(n) < draw(st.sampled_from([0.0, 0.1])), 1] = np.nan
    flags = np.zeros(n, np.uint16)
    flags[rng.random(n) < (0.01 if restarts else 0.0)] = Flag.CLOCK_RESET
    host = t + 5 * 10**9 + rng.exponential(3e6, n).astype(np.int64)
    spec = StreamSpec("imu", BUNDLES[0].manifest.contract.channels, 50.0, ("g",) * CHANNELS)
    return Chunk(spec, t, host, seq, x, flags)


def part(stream: Chunk, a: int, b: int) -> Chunk:
    s = slice(a, b)
    return Chunk(stream.spec, stream.t_dev_ns[s], stream.t_host_ns[s], stream.seq[s], stream.x[s], stream.flags[s])


def decisions(pipeline: Pipeline, stream: Chunk, edges: list[int]) -> list[tuple[object, ...]]:
    judged = []
    for a, b in pairwise([0, *edges, len(stream)]):
        pipeline.push(part(stream, a, b))
        judged += pipeline.last_judged
    pipeline.flush()
    judged += pipeline.last_judged
    return [(j.activity, j.t0_dev_ns, j.t1_dev_ns, j.scores.t_ns, j.scores.logits.tobytes()) for j in judged]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(BUNDLES), st.sampled_from([None, (0, 3, 40, 41, 90, 500)]), streams(), st.data())
def test_any_chunking_gives_identical_decisions(bundle, starts, stream, data):
    pipeline = Pipeline(bundle, starts=starts, clock=lambda: 0)
    whole = decisions(pipeline, stream, [])
    edges = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    assert decisions(pipeline, stream, edges) == whole
    assert decisions(pipeline, stream, list(range(1, len(stream)))) == whole
    if starts is not None:
        assert len(whole) == len(starts)
    pipeline.push_many([part(stream, a, b) for a, b in pairwise([0, *edges, len(stream)])])
    burst = pipeline.last_judged
    pipeline.flush()
    burst += pipeline.last_judged
    assert [(j.activity, j.scores.logits.tobytes()) for j in burst] == [(entry[0], entry[4]) for entry in whole]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(BUNDLES), streams(restarts=False))
def test_streaming_equals_whole_windows(bundle, stream):
    """Every window that the free-running stream judges, judged again as a whole one at the same offset."""
    free = judged_windows(Pipeline(bundle, clock=lambda: 0), stream)
    # Offsets count periods since the stream's first row: ask for all of them.
    span = int((stream.t_dev_ns.max() - stream.t_dev_ns.min()) // 2e7) + 2
    whole = judged_windows(Pipeline(bundle, starts=range(span), clock=lambda: 0), stream)
    assert set(free) <= set(whole)
    for t1_dev_ns, j in free.items():
        twin = whole[t1_dev_ns]
        assert (twin.t0_dev_ns, twin.activity.t_ns) == (j.t0_dev_ns, j.activity.t_ns)
        assert twin.activity.coverage == j.activity.coverage
        if bundle.manifest.model["family"] == "l2mu":
            assert twin.scores.logits.argmax() == j.scores.logits.argmax()
        else:
            np.testing.assert_allclose(twin.scores.logits, j.scores.logits, rtol=1e-5, atol=1e-5)


def judged_windows(pipeline: Pipeline, stream: Chunk) -> dict[int, Judged]:
    pipeline.push(stream)
    judged = pipeline.last_judged
    pipeline.flush()
    judged += pipeline.last_judged
    return {j.t1_dev_ns: j for j in judged if np.isfinite(j.scores.logits).all()}


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda b: b.manifest.model["family"])
def test_a_clean_stream_is_judged_at_every_hop(bundle):
    n, spec = 300, StreamSpec("imu", bundle.manifest.contract.channels, 50.0, ("g",) * CHANNELS)
    t = np.arange(n) * 20_000_000
    x = np.random.default_rng(0).standard_normal((n, CHANNELS)).astype(np.float32)
    pipeline = Pipeline(bundle, clock=lambda: 0)
    activities = pipeline.push(Chunk(spec, t, t, np.arange(n), x, np.zeros(n, np.uint16))) + pipeline.flush()
    ends = np.arange(bundle.manifest.window, n + 1, bundle.manifest.hop)
    assert [a.t_ns for a in activities] == ((ends - 1) * 20_000_000).tolist()
    assert {a.status for a in activities} <= {Status.OK, Status.UNSURE}

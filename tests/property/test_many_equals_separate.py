"""Many streams in one pass are judged as each of them alone: gaps, restarts, NaN, loss and rate change of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import random_bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from test_any_chunking import CHANNELS, streams

from edgehar.bundle import Bundle, Decision
from edgehar.many.pipeline import ManyPipeline
from edgehar.pipeline import Pipeline
from edgehar.types import Activity, Chunk, Status, StreamSpec

NORMALIZE = [{"op": "normalize", "mean": [0.1] * CHANNELS, "std": [1.5] * CHANNELS}, {"op": "rectify"}]


def bundle(window: int, hop: int, smooth: int, **options: object) -> Bundle:
    decision = Decision(smooth=smooth, abstain_below=0.3, min_coverage=0.7)
    return random_bundle(
        "fastgrnn", window=window, hop=hop, channels=CHANNELS, hidden=7, decision=decision, golden_windows=1, **options
    )


BUNDLES = [
    bundle(17, 5, 3),
    bundle(16, 16, 1, preprocess=NORMALIZE),
    bundle(16, 40, 2, rank_u=3, rank_w=2),
    bundle(70, 35, 4),
]


def alone(bundle: Bundle, stream: Chunk) -> list[Activity]:
    return Pipeline(bundle, clock=lambda: 0).push(stream)


def together(bundle: Bundle, chunks: list[Chunk], rows: list[tuple[int, int]], cuts: list[int]) -> list[list[Activity]]:
    """The same through one pipeline: rows (stream, row of it) in their order, cut into pushes."""
    many = ManyPipeline(bundle, chunks[0].spec, len(chunks), clock=lambda: 0)
    found: list[list[Activity]] = [[] for _ in chunks]
    for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        some = rows[a:b]

        def column(name: str) -> np.ndarray:
            values = [getattr(chunks[s], name)[i] for s, i in some]  # noqa: B023
            whole = np.array(values, getattr(chunks[0], name).dtype)
            return whole if len(whole) else np.empty((0, *getattr(chunks[0], name).shape[1:]), whole.dtype)

        decisions = many.push(
            np.array([s for s, _ in some], np.int64),
            *(column(name) for name in ("t_dev_ns", "t_host_ns", "seq", "x", "flags")),
            arrival_ns=0,
        )
        for stream, activity in decisions.activities():
            found[stream].append(activity)
    dropped = [{cause: int(counts[s]) for cause, counts in many.dropped.items()} for s in range(len(chunks))]
    for chunk, counts in zip(chunks, dropped, strict=True):
        single = Pipeline(bundle, clock=lambda: 0)
        single.push(chunk)
        assert single.dropped == counts
    return found


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(BUNDLES), st.lists(streams(), min_size=1, max_size=5), st.integers(0, 2**32 - 1), st.data())
def test_decisions_are_those_of_separate_pipelines(bundle, chunks, seed, data):
    order = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(chunks)), [len(c) for c in chunks]))
    if data.draw(st.booleans()):
        order = np.sort(order)  # stream by stream, as bursts come
    seen = [0] * len(chunks)
    rows = []
    for s in order.tolist():
        rows.append((s, seen[s]))
        seen[s] += 1
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=8)))
    found = together(bundle, chunks, rows, cuts)
    for chunk, ours in zip(chunks, found, strict=True):
        theirs = alone(bundle, chunk)
        assert [replace(a, p=0) for a in ours] == [replace(a, p=0) for a in theirs]
        assert [a.p for a in ours] == pytest.approx([a.p for a in theirs], abs=2e-6)


@pytest.mark.parametrize("bundle", BUNDLES[:1])
def test_a_long_stream_keeps_the_clock_s_line(bundle):
    """Eighty seconds with drift: more seconds than the clock remembers."""
    n = 4_000
    rng = np.random.default_rng(1)
    t = np.arange(n) * 20_000_000
    host = t + (t * 40e-6).astype(np.int64) + rng.exponential(3e6, n).astype(np.int64)
    spec = StreamSpec("imu", bundle.manifest.contract.channels, 50.0, bundle.manifest.contract.units)
    x = rng.standard_normal((n, CHANNELS)).astype(np.float32)
    chunk = Chunk(spec, t, host, np.arange(n), x, np.zeros(n, np.uint16))
    (ours,) = together(bundle, [chunk], [(0, i) for i in range(n)], [1_000, 1_001, 3_333])
    theirs = alone(bundle, chunk)
    assert [a.t_ns for a in ours] == [a.t_ns for a in theirs]
    assert {a.status for a in ours} <= {Status.OK, Status.UNSURE}

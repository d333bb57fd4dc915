"""A bundle with two sensors in the pipeline: which head speaks; nothing of a lost sensor reaches the network."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from factories import random_bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehar.bundle import Decision
from edgehar.decide import choose_head
from edgehar.dsp.sensors import REAL_OF
from edgehar.pipeline import Pipeline
from edgehar.sinks.jsonl import encode
from edgehar.sinks.lines import line
from edgehar.types import Chunk, Flag, Status, StreamSpec

WINDOW, HOP, K = 32, 16, 4
STD = [2.0] * 6
PERIOD_NS = 20_000_000
BUNDLE = random_bundle(
    "fusion",
    window=WINDOW,
    hop=HOP,
    classes=K,
    preprocess=[{"op": "median3"}, {"op": "normalize", "mean": [0.5] * 6, "std": STD}],
    delay_samples=1,
    decision=Decision(min_coverage=0.8),
    golden_windows=1,
)
CONTRACT = BUNDLE.manifest.contract
NAMES = tuple(sensor.name for sensor in CONTRACT.sensors)
SPEC = StreamSpec("imu", CONTRACT.channels, CONTRACT.rate_hz, CONTRACT.units)


def stream(n, *, lost=(), seed=0, real_of=None):
    """n rows of both sensors; lost: (number of the sensor, first row, last row) without it."""
    x = np.random.default_rng(seed).standard_normal((n, 6)).astype(np.float32)
    for sensor, first, end in lost:
        x[first:end, list(CONTRACT.sensors[sensor].channels)] = np.nan
    t = np.arange(n) * PERIOD_NS
    aux = {} if real_of is None else {REAL_OF: real_of}
    return Chunk(SPEC, t, t, np.arange(n), x, np.zeros(n, np.uint16), aux)


def judged(chunk, edges=()):
    pipeline = Pipeline(BUNDLE, "reference", clock=lambda: 0)
    found = []
    for a, b in pairwise([0, *edges, len(chunk)]):
        s = slice(a, b)
        aux = {name: values[s] for name, values in chunk.aux.items()}
        part = Chunk(
            SPEC, chunk.t_dev_ns[s], chunk.t_host_ns[s], chunk.seq[s], chunk.x[s], chunk.flags[s], aux
        )  # fmt: skip
        pipeline.push(part)
        found += pipeline.last_judged
    pipeline.flush()
    return found + pipeline.last_judged


def test_the_head_of_all_sensors_speaks_while_all_are_there():
    found = judged(stream(200))
    assert {j.sensors for j in found} == {j.activity.sensors for j in found} == {NAMES}
    assert {j.activity.coverage for j in found} == {1.0}
    assert all(j.scores.logits.shape == (K,) for j in found)


@pytest.mark.parametrize("gone", [0, 1])
def test_a_lost_sensor_hands_over_within_one_window_and_comes_back(gone):
    first, end = 100, 300
    whole, found = judged(stream(400)), judged(stream(400, lost=[(gone, first, end)]))
    alone = (NAMES[1 - gone],)
    for before, after in zip(whole, found, strict=True):
        last = after.t1_dev_ns // PERIOD_NS
        if last < first - 1 or last > end + WINDOW:  # the median looks one sample ahead, and one back
            assert after.activity == before.activity
            np.testing.assert_array_equal(after.scores.logits, before.scores.logits)
        elif last < first + WINDOW or last >= end:
            assert after.activity.sensors in (NAMES, alone)
        else:
            assert after.activity.sensors == alone
        assert after.activity.status is Status.OK
        assert np.isfinite(after.scores.logits).all()
    assert [j.activity.sensors for j in found].count(alone) >= (end - first - WINDOW) // HOP


@pytest.mark.parametrize("gone", [0, 1])
def test_a_lone_head_says_the_same_whatever_the_lost_sensor_said_before(gone):
    lost = [(gone, 50, 400)]
    here, there = stream(400, lost=lost), stream(400, lost=lost)
    there.x[:50, list(CONTRACT.sensors[gone].channels)] *= 7
    for one, other in zip(judged(here), judged(there), strict=True):
        if len(one.activity.sensors) == 1:
            np.testing.assert_array_equal(one.scores.logits, other.scores.logits)


def test_the_network_sees_the_normalised_mean_of_a_lost_sensor():
    seen = []

    class Spy:
        def __init__(self, inner):
            self.inner = inner

        def push(self, y):
            seen.append(y.copy())
            return self.inner.push(y)

        def reset(self):
            self.inner.reset()

    from edgehar.runtimes import make_runtime

    pipeline = Pipeline(BUNDLE, Spy(make_runtime("reference", BUNDLE)), clock=lambda: 0)
    pipeline.push(stream(200, lost=[(1, 60, 120)]))
    y = np.concatenate(seen)
    assert np.isfinite(y).all()
    assert (y[60:120, 3:] == 0).all()
    assert (y[:60, 3:] != 0).all()
    assert (y[120:, 3:] != 0).all()
    assert (y[:, :3] != 0).all()


def test_without_any_sensor_there_is_no_data():
    found = judged(stream(300, lost=[(0, 100, 200), (1, 100, 200)]))
    gap = [j for j in found if j.activity.status is Status.NO_DATA]
    assert len(gap) == 1
    assert gap[0].activity.sensors == ()


def test_too_little_of_both_is_no_data_and_says_how_much():
    lost = [(i % 2, first, first + 10) for first in range(0, 320, 20) for i in (0, 1)]
    found = judged(stream(320, lost=lost, real_of=None))
    assert {j.activity.status for j in found if j.activity.coverage < 0.8} <= {Status.NO_DATA}


def test_values_that_stand_for_lost_ones_do_not_count_as_covered():
    real_of = np.full(300, 0b11)
    real_of[100:] = 0b01
    found = judged(stream(300, real_of=real_of))
    assert found[-1].activity.sensors == NAMES[:1]
    assert found[0].activity.sensors == NAMES


def test_json_lines_and_text_say_who_spoke():
    both, alone = judged(stream(200))[0].activity, judged(stream(200, lost=[(0, 0, 200)]))[-1].activity
    assert json.loads(encode(both))["meta"]["sensors"] == list(NAMES)
    assert line(alone, 0).endswith(NAMES[1])


def test_json_lines_of_one_sensor_are_as_they_were():
    bundle = random_bundle("gru", golden_windows=1)
    contract = bundle.manifest.contract
    chunk = stream(60)
    one = Chunk(
        StreamSpec("imu", contract.channels, 50.0, contract.units),
        chunk.t_dev_ns, chunk.t_host_ns, chunk.seq, chunk.x, chunk.flags,
    )  # fmt: skip
    activity = Pipeline(bundle, "reference").push(one)[0]
    assert set(json.loads(encode(activity))["meta"]) == {"latency_ns"}


def test_heads_are_chosen_by_coverage():
    heads = CONTRACT.heads
    assert choose_head(heads, (0.8, 0.8), 0.8) == 0
    assert choose_head(heads, (0.79, 1.0), 0.8) == 2
    assert choose_head(heads, (0.9, 0.0), 0.8) == 1
    assert choose_head(heads, (0.5, 0.7), 0.8) is None
    three = ((0, 1, 2), (0,), (1,), (2,))
    assert choose_head(three, (0.9, 0.1, 0.95), 0.8) == 3


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_chunking_gives_identical_decisions(data):
    n = 240
    lost = data.draw(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, n), st.integers(0, n)), max_size=4).map(
            lambda found: [(i, min(a, b), max(a, b)) for i, a, b in found]
        )
    )
    chunk = stream(n, lost=lost, real_of=np.random.default_rng(1).choice([0b11, 0b11, 0b11, 0b10], n))
    chunk.t_dev_ns[data.draw(st.integers(1, n - 1)) :] += data.draw(st.sampled_from([0, 3 * PERIOD_NS, 40 * PERIOD_NS]))
    chunk.t_dev_ns[:] += data.draw(st.sampled_from([0, 7_000_000]))
    chunk.flags[data.draw(st.integers(0, n - 1))] = data.draw(st.sampled_from([Flag.NONE, Flag.CLOCK_RESET]))
    edges = sorted(data.draw(st.lists(st.integers(0, n), max_size=8)))
    whole = judged(chunk)

    def bits(found):
        return [(j.activity, j.t0_dev_ns, j.t1_dev_ns, j.scores.logits.tobytes()) for j in found]

    assert bits(judged(chunk, edges)) == bits(whole)
    pipeline = Pipeline(BUNDLE, "reference", clock=lambda: 0)
    parts = [
        Chunk(SPEC, chunk.t_dev_ns[a:b], chunk.t_host_ns[a:b], chunk.seq[a:b], chunk.x[a:b], chunk.flags[a:b],
              {REAL_OF: chunk.aux[REAL_OF][a:b]})
        for a, b in pairwise([0, *edges, n])
    ]  # fmt: skip
    pipeline.push_many(parts)
    burst = pipeline.last_judged
    pipeline.flush()
    assert bits(burst + pipeline.last_judged) == bits(whole)

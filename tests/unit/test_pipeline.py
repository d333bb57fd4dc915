"""The pipeline's decisions: contract, latency, gaps, statuses, offsets, the end of a stream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import random_bundle

from edgehar.bundle import Decision
from edgehar.errors import ContractError, InputError
from edgehar.pipeline import Pipeline
from edgehar.types import Chunk, Flag, Status, StreamSpec

STEP_NS = 20_000_000
WINDOW, HOP = 16, 8
BUNDLE = random_bundle("fastgrnn", window=WINDOW, hop=HOP, channels=3, hidden=5)
CONTRACT = BUNDLE.manifest.contract
SPEC = StreamSpec(CONTRACT.kind, CONTRACT.channels, CONTRACT.rate_hz, CONTRACT.units)


class Ticks:
    """A clock that says 1000 ns more at every look."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        self.now_ns += 1000
        return self.now_ns


class Forever:
    """A runtime whose logits are the window's mean of each channel; it sees whole windows only."""

    def __init__(self) -> None:
        self.reset()

    def window(self, x):
        return x.mean(axis=0)

    def push(self, x):
        self.x = np.concatenate([self.x, x])
        ends = np.arange(WINDOW, len(self.x) + 1, HOP)
        ends = ends[ends > len(self.x) - len(x)]
        return ends, np.array([self.x[e - WINDOW : e].mean(axis=0) for e in ends], np.float32).reshape(-1, 3)

    def reset(self):
        self.x = np.empty((0, 3), np.float32)

    def spike_rates(self):
        return {}


def chunk(rows, x=None, *, spec: StreamSpec = SPEC, flags=None, offset_ns: int = 0) -> Chunk:
    """Samples numbered `rows` at 50 Hz; channel 0 holds the number."""
    rows = np.asarray(rows, np.int64)
    t = rows * STEP_NS
    values = np.stack([rows, rows * 0, rows * 0], axis=1).astype(np.float32) if x is None else x
    return Chunk(spec, t, t + offset_ns, rows, values, np.zeros(len(rows), np.uint16) if flags is None else flags)


def pipeline(bundle=BUNDLE, **options) -> Pipeline:
    return Pipeline(bundle, Forever(), clock=lambda: 0, **options)


def brief(activities):
    return [(a.t_ns // STEP_NS, a.status.value, a.coverage) for a in activities]


def with_decision(**options):
    three = replace(BUNDLE.manifest, labels=("a", "b", "c"), decision=Decision(**options))
    return replace(BUNDLE, manifest=three)


def test_one_decision_per_hop_at_the_last_sample_of_its_window():
    activities = pipeline().push(chunk(range(40), offset_ns=5))
    assert [(a.t_ns, a.status, a.coverage) for a in activities] == [
        (row * STEP_NS + 5, Status.OK, 1.0) for row in (15, 23, 31, 39)
    ]
    assert {a.model_id for a in activities} == {BUNDLE.manifest.model_id}
    assert not any(a.simulated for a in activities)


def test_equals_the_runtime_on_whole_windows():
    bundle = with_decision(temperature=2.0)
    x = np.random.default_rng(0).standard_normal((64, 3)).astype(np.float32)
    pipe = pipeline(bundle)
    activities = pipe.push(chunk(range(64), x))
    for i, (activity, scores) in enumerate(zip(activities, pipe.last_scores, strict=True)):
        mean = x[i * HOP : i * HOP + WINDOW].mean(axis=0)
        np.testing.assert_array_equal(scores.logits, mean)
        p = np.exp(mean.astype(np.float64) / 2.0)
        assert activity.label == "abc"[int(mean.argmax())]
        assert activity.p == pytest.approx(p.max() / p.sum())
        assert scores.t_ns == activity.t_ns


def test_on_scores_sees_every_judged_window():
    seen = []
    pipe = pipeline(on_scores=seen.append)
    pipe.push(chunk([*range(20), *range(100, 120)]))
    assert [s.t_ns // STEP_NS for s in seen] == [15, 115]


def test_last_judged_tells_the_window_in_device_time():
    pipe = pipeline()
    pipe.push(chunk([*range(20), *range(100, 110)], offset_ns=77))
    window, gap = pipe.last_judged
    assert (window.t0_dev_ns, window.t1_dev_ns) == (0, 15 * STEP_NS)
    assert (gap.t0_dev_ns, gap.t1_dev_ns) == (19 * STEP_NS, 100 * STEP_NS)
    assert np.isnan(gap.scores.logits).all()
    assert pipe.push(chunk(range(110, 111))) == []
    assert pipe.last_judged == []


def test_latency_counts_from_the_arrival_of_the_last_sample():
    pipe = Pipeline(BUNDLE, Forever(), clock=Ticks())
    assert [a.latency_ns for a in pipe.push(chunk(range(24)))] == [1000, 2000]
    assert [a.latency_ns for a in pipe.push(chunk(range(24, 32)), arrival_ns=500)] == [3500]


def test_latency_includes_the_wait_for_the_sample_that_preprocessing_looks_ahead_to():
    bundle = random_bundle("fastgrnn", window=WINDOW, hop=HOP, channels=3, hidden=5, preprocess=[{"op": "median3"}],
                           delay_samples=1)  # fmt: skip
    pipe = pipeline(bundle)
    assert pipe.push(chunk(range(16)), arrival_ns=-900) == []
    (activity,) = pipe.push(chunk(range(16, 17)), arrival_ns=-100)
    assert (activity.latency_ns, activity.t_ns) == (900, 15 * STEP_NS)


@pytest.mark.parametrize(
    "change",
    [
        {"rate_hz": 100.0},
        {"units": ("mps2", "mps2", "mps2")},
        {"channels": ("acc_y", "acc_x", "acc_z")},
        {"axes": "body"},
        {"kind": "csi"},
    ],
)
def test_a_stream_that_does_not_match_is_refused_with_both_sides(change):
    with pytest.raises(ContractError) as caught:
        pipeline().push(chunk(range(3), spec=replace(SPEC, **change)))
    _, stream, bundle = str(caught.value).splitlines()
    assert stream.startswith("stream: ")
    assert bundle.startswith("bundle: ")
    assert caught.value.exit_code == 6


def test_a_stream_that_changes_is_checked_again_and_starts_a_segment():
    pipe = pipeline()
    pipe.push(chunk(range(12)))
    assert brief(pipe.push(chunk(range(12, 28), spec=replace(SPEC, session_id="two")))) == [
        (12, "NO_DATA", 0.0),
        (27, "OK", 1.0),
    ]
    with pytest.raises(ContractError):
        pipe.push(chunk(range(28, 30), spec=replace(SPEC, rate_hz=10.0)))


def test_a_stream_that_changes_brings_its_own_clock():
    pipe = pipeline()
    pipe.push(chunk(range(200), offset_ns=5))
    late_ns = 3_600_000_000_000
    last = pipe.push(chunk(range(200, 216), spec=replace(SPEC, session_id="two"), offset_ns=late_ns))[-1]
    assert last.t_ns == 215 * STEP_NS + late_ns


def test_the_mark_of_a_simulation_is_never_lost():
    simulated = replace(SPEC, simulated=True)
    pipe = pipeline()
    assert [a.simulated for a in pipe.push(chunk(range(24), spec=simulated))] == [True, True]
    real = pipe.push(chunk(range(24, 40)))
    assert [(a.status, a.simulated) for a in real] == [(Status.NO_DATA, True), (Status.OK, False)]
    assert [a.simulated for a in pipe.push(chunk(range(40, 56), spec=simulated))] == [True, True]


def test_a_long_gap_is_reported_once_and_nothing_crosses_it():
    assert brief(pipeline().push(chunk([*range(20), *range(200, 224)]))) == [
        (15, "OK", 1.0),
        (200, "NO_DATA", 0.0),
        (215, "OK", 1.0),
        (223, "OK", 1.0),
    ]


def test_a_short_gap_lowers_coverage():
    kept = np.delete(np.arange(32), [4, 17, 18, 19])
    assert brief(pipeline().push(chunk(kept))) == [(15, "OK", 15 / 16), (23, "OK", 13 / 16), (31, "OK", 13 / 16)]
    low = pipeline(with_decision(min_coverage=0.9)).push(chunk(kept))
    assert [(a.status, a.label, a.p) for a in low[1:]] == [(Status.NO_DATA, "", 0.0)] * 2


def test_nan_samples_are_missing_samples():
    x = np.ones((16, 3), np.float32)
    x[3:6, 1] = np.nan
    pipe = pipeline()
    (activity,) = pipe.push(chunk(range(16), x))
    assert (activity.coverage, activity.status) == (13 / 16, Status.OK)
    assert np.isfinite(pipe.last_scores[0].logits).all()
    assert pipe.dropped == {"unordered": 0, "missing": 3}


def test_a_restarted_clock_starts_over():
    flags = np.zeros(40, np.uint16)
    flags[20] = Flag.CLOCK_RESET
    rows = np.concatenate([np.arange(1000, 1020), np.arange(20)])
    activities = pipeline().push(chunk(rows, flags=flags))
    assert [(a.t_ns // STEP_NS, a.status) for a in activities] == [
        (1015, Status.OK),
        (0, Status.NO_DATA),
        (15, Status.OK),
    ]


@pytest.mark.parametrize(("factor", "status"), [(1.0, "OK"), (1.04, "OK"), (0.8, "OUT_OF_CONTRACT")])
def test_a_clock_that_runs_at_another_rate_is_out_of_contract(factor, status):
    rows = np.arange(60)
    t = np.rint(rows * STEP_NS * factor).astype(np.int64)
    stream = Chunk(SPEC, t, t, rows, np.ones((60, 3), np.float32), np.zeros(60, np.uint16))
    last = pipeline().push(stream)[-1]
    assert last.status == status
    assert last.label != ""


def test_unsure_below_the_threshold():
    bundle = with_decision(abstain_below=0.99)
    (activity,) = pipeline(bundle).push(chunk(range(16), np.zeros((16, 3), np.float32)))
    assert (activity.status, activity.p) == (Status.UNSURE, pytest.approx(1 / 3))


def test_smoothing_ends_with_the_segment():
    bundle = with_decision(smooth=10)
    x = np.zeros((60, 3), np.float32)
    x[:40, 0], x[40:, 1] = 5.0, 5.0
    activities = pipeline(bundle).push(chunk([*range(40), *range(200, 220)], x))
    assert [a.label for a in activities] == ["a"] * 4 + ["", "b"]


def test_offsets_give_each_window_once_also_where_a_gap_or_the_end_cuts_it():
    starts = [3, 0, 10, 60, 95, 100, 101, 130]
    pipe = pipeline(starts=starts)
    activities = pipe.push(chunk([*range(20), *range(100, 120)]))
    assert brief(activities) == [
        (15, "OK", 1.0),
        (18, "OK", 1.0),
        (100, "NO_DATA", 10 / 16),
        (100, "NO_DATA", 0.0),
        (100, "NO_DATA", 0.0),
        (115, "OK", 1.0),
        (116, "OK", 1.0),
    ]
    assert [s.logits[0] for s in pipe.last_scores if not np.isnan(s.logits[0])] == [7.5, 10.5, 107.5, 108.5]
    assert brief(pipe.flush()) == [(119, "NO_DATA", 0.0)]
    assert len(pipe.push(chunk([*range(20), *range(100, 120)]))) == 7


def test_flush_emits_the_delayed_tail_and_ends_the_stream():
    bundle = random_bundle("fastgrnn", window=WINDOW, hop=HOP, channels=3, hidden=5, preprocess=[{"op": "median3"}],
                           delay_samples=1)  # fmt: skip
    pipe = pipeline(bundle)
    assert pipe.push(chunk(range(16))) == []
    assert brief(pipe.flush()) == [(15, "OK", 1.0)]
    assert pipe.flush() == []
    assert brief(pipe.push(chunk(range(17)))) == [(15, "OK", 1.0)]
    assert brief(pipe.push(chunk(range(100, 101)))) == [(100, "NO_DATA", 0.0)]


def test_a_stream_without_one_whole_sample_still_answers_for_every_offset():
    pipe = pipeline(starts=[0, 9])
    assert pipe.push(chunk(range(30), np.full((30, 3), np.nan, np.float32))) == []
    assert brief(pipe.flush()) == [(29, "NO_DATA", 0.0)] * 2


def test_reset_drops_everything():
    pipe = pipeline()
    pipe.push(chunk(range(1000, 1015)))
    pipe.reset()
    assert brief(pipe.push(chunk(range(16)))) == [(15, "OK", 1.0)]


def test_empty_chunks_and_an_empty_stream():
    pipe = pipeline(starts=[0])
    assert pipe.flush() == []
    assert pipe.push(chunk([])) == []
    assert pipe.push(chunk(range(15))) == []
    assert brief(pipe.flush()) == [(14, "NO_DATA", 15 / 16)]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"preprocess": [{"op": "median3"}]}, "contract.delay_samples"),
        ({"preprocess": [{"op": "select", "channels": ["acc_x"]}]}, "model.inputs"),
    ],
)
def test_a_bundle_at_odds_with_its_preprocessing_is_refused(options, field):
    with pytest.raises(InputError, match=field):
        Pipeline(random_bundle("fastgrnn", channels=3, hidden=5, **options), Forever())


@pytest.mark.parametrize("runtime", ["numba", "reference"])
def test_runs_the_runtimes_that_ship(runtime):
    x = np.random.default_rng(0).standard_normal((64, 3)).astype(np.float32)
    free = Pipeline(BUNDLE, runtime, clock=lambda: 0).push(chunk(range(64), x))
    cut = Pipeline(BUNDLE, runtime, clock=lambda: 0, starts=range(0, 49, HOP)).push(chunk(range(64), x))
    assert [(a.t_ns, a.label) for a in free] == [(a.t_ns, a.label) for a in cut]
    assert len(free) == 7

"""The simulated sensor: reproducible, marked, and wrong in exactly the ways that were asked for."""

import asyncio

import numpy as np
import pytest

from edgehar.errors import InputError, MissingError, UsageError
from edgehar.sources import open_source
from edgehar.sources.cyclic import Motion, load_model, save_model
from edgehar.testing.source import check_source
from edgehar.types import Flag


def stream(query):
    return check_source(lambda: open_source(f"virtual:imu?speed=0&{query}"), at_least=50)


def joined(chunks, field):
    return np.concatenate([getattr(chunk, field) for chunk in chunks])


@pytest.mark.parametrize(
    "query",
    [
        "duration_s=5",
        "duration_s=20&loss=0.3&jitter_ms=30&drift_ppm=-80&seed=5",
        "duration_s=10&rate_hz=104",
        "duration_s=10&rate_hz=18.7",
    ],
)
def test_keeps_the_source_protocol(query):
    chunks = stream(query)
    assert all(chunk.spec.simulated for chunk in chunks)


def test_equal_settings_give_an_equal_stream_and_seeds_differ():
    first, again, other = (stream(f"duration_s=8&loss=0.1&jitter_ms=3&seed={seed}") for seed in (1, 1, 2))
    for field in ("t_dev_ns", "t_host_ns", "seq", "x", "flags"):
        assert np.array_equal(joined(first, field), joined(again, field))
    assert not np.array_equal(joined(first, "x")[:100], joined(other, "x")[:100])


def test_losses_are_counted_gaps_and_change_nothing_else():
    whole, lossy = stream("duration_s=60&seed=4"), stream("duration_s=60&seed=4&loss=0.2")
    kept = joined(lossy, "seq")
    assert 0.7 < len(kept) / 3000 < 0.9
    assert np.array_equal(joined(lossy, "x"), joined(whole, "x")[kept])
    gaps = np.flatnonzero(np.diff(kept, prepend=-1) > 1)
    flags = joined(lossy, "flags")
    assert len(gaps) > 20
    assert np.array_equal(np.flatnonzero(flags == Flag.GAP_BEFORE), gaps)


def test_jitter_delays_arrival_and_drift_bends_the_device_clock():
    calm, late = stream("duration_s=30"), stream("duration_s=30&jitter_ms=40&drift_ppm=200")
    delay_ms = (joined(late, "t_host_ns") - joined(calm, "t_host_ns")) / 1e6
    assert 30 < delay_ms.mean() < 60
    assert delay_ms.min() >= 0
    ratio = joined(late, "t_dev_ns")[-1] / joined(calm, "t_dev_ns")[-1]
    assert ratio == pytest.approx(1.0002, abs=1e-6)


def test_another_rate_samples_the_same_motion():
    at_50, at_25 = joined(stream("duration_s=20"), "x"), joined(stream("duration_s=20&rate_hz=25"), "x")
    assert np.allclose(at_50[::2], at_25, atol=1e-6)


def test_truth_is_known_for_what_was_sent_and_changes_now_and_then():
    source = open_source("virtual:imu?speed=0&duration_s=120&seed=2&dwell_s=10")
    chunks = read_all(source)
    seen = [source.label_at(int(t)) for t in joined(chunks, "t_dev_ns")]
    assert set(seen) <= set(load_model().labels)
    changes = [i for i in range(1, len(seen)) if seen[i] != seen[i - 1]]
    assert 4 <= len(changes) <= 20
    assert source.label_at(10**15) == ""
    assert source.label_at(-(10**9)) == ""


def read_all(source):
    async def read():
        async with source:
            return [chunk async for chunk in source]

    return asyncio.run(read())


def test_a_person_can_be_chosen():
    people = load_model().people
    assert stream(f"duration_s=2&person={people[3]}")[0].spec.session_id.startswith(f"virtual-{people[3]}")
    with pytest.raises(UsageError, match="no person 'nobody'") as caught:
        open_source("virtual:imu?person=nobody")
    assert people[0] in caught.value.hint


def test_the_shipped_model_is_small_and_says_where_it_comes_from():
    model = load_model()
    assert "David M. Burns" in model.notice
    assert len(model.styles) == len(model.people) * len(model.labels) == 140
    assert model.units == ("g", "g", "g", "radps", "radps", "radps")


def test_generated_motion_does_not_run_away_and_does_not_depend_on_block_size():
    model = load_model()
    for style in list(model.styles.values())[::9]:
        whole = Motion(style, model.rate_hz, np.random.default_rng(0)).push(3000)
        assert np.isfinite(whole).all()
        # Real extremes are 16 g and 35 rad/s: a fitted style stays within the sensor's range but for rare peaks.
        assert np.quantile(np.abs(whole), 0.999) < 40


def test_generated_motion_looks_like_the_recording_it_was_fitted_to(shared_data):
    with np.load(shared_data / "imu" / "seglearn_watch" / "seglearn_watch.npz") as stored:
        signal = (stored["signal"] * stored["scale"][:, None]).T
        rows = [
            (int(stored["session_start"][i]), int(stored["session_length"][i]), int(stored["session_label"][i]))
            for i in range(140)
        ]
        names = stored["label_names"]
        people = [
            (int(s), int(side)) for s, side in zip(stored["session_subject"], stored["session_side"], strict=True)
        ]
    model = load_model()
    ratios = []
    for i in range(0, 140, 7):
        start, length, label = rows[i]
        real = signal[start : start + length]
        subject, side = people[i]
        style = model.styles[f"{subject:02d}-{('left', 'right')[side]}", str(names[label])]
        made = Motion(style, model.rate_hz, np.random.default_rng(i)).push(4000)
        assert np.allclose(made.mean(0), real.mean(0), atol=0.6)
        ratios.append(made.std(0) / real.std(0))
    assert 0.9 < np.median(ratios) < 1.1
    assert np.quantile(ratios, 0.05) > 0.5
    assert np.quantile(ratios, 0.95) < 1.6


def test_a_model_file_can_be_replaced_and_a_wrong_one_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    save_model(load_model(), path)
    assert len(stream(f"duration_s=2&model={path}")) == 20
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"mine\.npz"):
        open_source(f"virtual:imu?model={path}")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="not a motion model"):
        open_source(f"virtual:imu?model={tmp_path / 'other.npz'}")
    with pytest.raises(MissingError):
        open_source("virtual:imu?model=nowhere.npz")

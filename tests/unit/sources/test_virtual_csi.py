"""Simulated Wi-Fi frames: reproducible, marked, and with what makes real ones hard to read."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edgehar.errors import UsageError
from edgehar.sources import open_source
from edgehar.sources.virtual_csi_body import ACTS, Person
from edgehar.sources.virtual_csi_radio import RadioSettings, VirtualRadio
from edgehar.sources.virtual_csi_room import Room
from edgehar.testing.source import check_source
from edgehar.types import Flag
from edgehar.wire.layouts import layout_named

HT40 = layout_named("classic-below-ht40")


def stream(query):
    return check_source(lambda: open_source(f"virtual:csi?speed=0&rate_hz=50&{query}"), at_least=50)


def joined(chunks, name):
    return np.concatenate([getattr(chunk, name) for chunk in chunks])


def amplitudes(activity, n=600, **how):
    """HT-LTF amplitudes [n, 114] of frames, each divided by its mean, then averaged over 10 frames."""
    radio = VirtualRadio(RadioSettings(seed=5, rate_hz=100, activity=activity, **how))
    iq = radio.push(n).frames.iq.astype(float)
    field = HT40.fields["htltf"]
    pairs = [field.first_pair + i for i, subcarrier in enumerate(field.order) if subcarrier in field.valid]
    amplitude = np.hypot(iq[:, 0::2], iq[:, 1::2])[:, pairs]
    return (amplitude / amplitude.mean(axis=1, keepdims=True)).reshape(-1, 10, len(pairs)).mean(axis=1)


@pytest.mark.parametrize(
    "query", ["duration_s=4", "duration_s=4&loss=0.3&jitter_ms=30&drift_ppm=-80&seed=5&layout=classic-none-ht20"]
)
def test_keeps_the_source_protocol(query):
    chunks = stream(query)
    assert all(chunk.spec.simulated for chunk in chunks)
    assert chunks[0].spec.kind == "csi"
    assert {"rssi_dbm", "agc_gain", "tx_seq", "mac_hash"} <= set(chunks[0].aux)


def test_channels_are_those_of_a_receiver():
    spec = stream("duration_s=2&layout=classic-none-ht20&field=lltf")[0].spec
    assert spec.channels[:2] == ("sc-26.re", "sc-26.im")
    assert "sc+1.re" not in spec.channels  # the first word is invalid


def test_equal_settings_give_an_equal_stream_and_seeds_differ():
    first, again, other = (stream(f"duration_s=3&loss=0.1&jitter_ms=3&seed={seed}") for seed in (1, 1, 2))
    for name in ("t_dev_ns", "t_host_ns", "seq", "x", "flags"):
        assert np.array_equal(joined(first, name), joined(again, name))
    assert not np.array_equal(joined(first, "x")[:50], joined(other, "x")[:50])


def test_how_many_are_asked_for_at_once_changes_nothing():
    one, many = VirtualRadio(RadioSettings(seed=4)), VirtualRadio(RadioSettings(seed=4))
    apart = [one.push(n).frames.iq for n in (1, 7, 50, 2)]
    assert np.array_equal(np.concatenate(apart), many.push(60).frames.iq)


def test_losses_are_counted_gaps_and_change_nothing_else():
    whole, lossy = stream("duration_s=8&seed=4"), stream("duration_s=8&seed=4&loss=0.2")
    kept = joined(lossy, "seq")
    assert 0.7 < len(kept) / 400 < 0.9
    assert np.array_equal(joined(lossy, "x"), joined(whole, "x")[kept])
    gaps = np.flatnonzero(np.diff(kept, prepend=-1) > 1)
    assert np.array_equal(np.flatnonzero(joined(lossy, "flags") == Flag.GAP_BEFORE), gaps)


def test_who_moves_more_changes_the_channel_more():
    spread = {activity: amplitudes(activity).std(axis=0).mean() for activity in ("empty", "sitting", "walking")}
    assert spread["empty"] < spread["sitting"] < spread["walking"]
    assert spread["walking"] > 4 * spread["empty"]


def test_breathing_alone_shows():
    still = amplitudes("sitting", 1500)
    strongest = still[:, still.std(axis=0).argmax()]
    spectrum = np.abs(np.fft.rfft(strongest - strongest.mean()))
    assert spectrum[1:6].max() > 3 * np.median(spectrum[20:])  # below 0.4 Hz, beside the noise above 1.3 Hz


def test_phase_is_new_in_every_frame_and_its_slope_wanders():
    iq = VirtualRadio(RadioSettings(seed=5, activity="empty")).push(200).frames.iq.astype(float)
    field = HT40.fields["htltf"]
    at = [field.first_pair + field.order.index(subcarrier) for subcarrier in (-40, -38, 40)]
    value = iq[:, 1::2][:, at] + 1j * iq[:, 0::2][:, at]
    assert abs(np.mean(value[:, 0] / abs(value[:, 0]))) < 0.2
    slope = np.angle(value[:, 2] / value[:, 0])
    assert slope.std() > 0.2


def test_gain_moves_in_steps_unless_it_is_locked():
    free = VirtualRadio(RadioSettings(seed=1, activity="walking")).push(1500).frames.meta["agc_gain"]
    locked = VirtualRadio(RadioSettings(seed=1, activity="walking", gain_lock=True)).push(1500).frames.meta["agc_gain"]
    assert len(set(free.tolist())) > 3
    assert len(set(locked[100:].tolist())) == 1


def test_frames_look_like_the_chips():
    frames = VirtualRadio(RadioSettings(seed=1)).push(400).frames
    guards = list(range(2 * 123, 2 * 133))
    assert not frames.iq[:, guards].any()
    assert frames.iq[:, :4].std() > 40  # the invalid first word is garbage
    assert frames.iq.min() >= -128
    assert frames.iq.max() <= 127
    assert (frames.meta["noise_floor_dbm"] == -95).all()
    assert (frames.meta["rssi_dbm"] > -90).all()


def test_the_script_of_a_day_knows_every_activity_and_keeps_to_its_order():
    person = Person(np.array([6.0, 4.0]), 4.0, np.random.default_rng(2))
    t_s = np.arange(0, 900, 0.05)
    places = person.points(t_s)
    labels = [person.label_at(t) for t in t_s.tolist()]
    assert set(labels) == set(ACTS)
    for before, after in itertools.pairwise(labels):
        assert after == before or after in ACTS[before].then
    assert person.label_at(1e6) == ""
    assert (np.linalg.norm(np.diff(places[:, 0], axis=0), axis=1) < 0.05 * 4).all()  # nobody jumps: 4 m/s at most
    assert (places[..., 2] > 0).all()


def test_a_room_answers_each_frequency_alike_in_any_company():
    room = Room(np.random.default_rng(1), 2.437e9)
    points = Person(room.size_m[:2], 5.0, np.random.default_rng(1)).points(np.linspace(0, 1, 5))
    few, many = np.array([-20, 7]), np.arange(-32, 32)
    assert np.allclose(room.channel(points, few), room.channel(points, many)[:, [12, 39]])
    assert not np.allclose(room.channel(points, few)[0], room.channel(None, few)[0], rtol=1e-2)


def test_truth_is_known_for_what_was_sent():
    source = open_source("virtual:csi?activity=walking&drift_ppm=100")
    assert source.label_at(10**9) == ""
    chunks = check_source(lambda: open_source("virtual:csi?speed=0&duration_s=2&activity=walking"), at_least=50)
    assert len(chunks) > 50


@pytest.mark.parametrize(
    "address",
    [
        "virtual:csi?activity=flying",
        "virtual:csi?activity=falling",
        "virtual:csi?layout=c5-none-lltf",
        "virtual:csi?gain=high",
        "virtual:csi?seeds=1",
        "virtual:radar",
    ],
)
def test_what_cannot_be_simulated_is_refused_with_a_hint(address):
    with pytest.raises(UsageError) as refused:
        open_source(address)
    assert refused.value.hint

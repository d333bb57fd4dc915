"""Frames to samples: order, parts, what is left out, what is carried beside."""

import numpy as np
import pytest

from edgehar.errors import ContractError, UsageError
from edgehar.wire.canonical import csi_spec, to_chunk
from edgehar.wire.frames import FRAME, CsiFrames
from edgehar.wire.layouts import layout_named


def frames(layout, count=2, *, first_word_invalid=False):
    """Frames whose pair b holds imaginary part b and real part -b - 1 (frame 0), one more each in frame 1."""
    pairs = layout_named(layout).values // 2
    one = np.stack([np.arange(pairs), -np.arange(pairs) - 1], axis=1).ravel()
    meta = np.zeros(count, FRAME)
    meta["first_word_invalid"] = first_word_invalid
    meta["rssi_dbm"], meta["mac_hash"], meta["tx_seq"] = -40, 0xDEADBEEF, [7 + i for i in range(count)]
    return CsiFrames(layout, np.stack([one + i for i in range(count)]).astype(np.int16), meta)


def chunk(given, spec, field):
    n = np.arange(len(given))
    return to_chunk(given, spec, field, n * 10_000_000, n * 10_000_000, n, np.zeros(len(given), np.uint16))


def test_channels_ascend_and_take_the_second_number_of_a_pair_as_real():
    spec = csi_spec("classic-none-lltf", "lltf", 100.0, first_word_invalid=False)
    assert spec.channels[:2] == ("sc-26.re", "sc-26.im")
    assert spec.channels[-1] == "sc+26.im"
    assert (spec.kind, spec.axes, set(spec.units), len(spec.channels)) == ("csi", "", {"1"}, 104)
    made = chunk(frames("classic-none-lltf"), spec, "lltf")
    pair = {-26: 38, -1: 63, 1: 1, 26: 26}
    for number, b in pair.items():
        at = spec.channels.index(f"sc{number:+d}.re")
        assert made.x[0, at] == -b - 1
        assert made.x[0, at + 1] == b
        assert made.x[1, at + 1] == b + 1


def test_the_amplitude_form_is_the_modulus_of_the_same_pairs():
    given = frames("classic-below-ht40")
    iq = chunk(given, csi_spec("classic-below-ht40", "htltf", 100.0), "htltf").x
    amplitude = chunk(given, csi_spec("classic-below-ht40", "htltf", 100.0, "amp"), "htltf").x
    assert amplitude.shape == (2, 114)
    np.testing.assert_allclose(amplitude, np.hypot(iq[:, ::2], iq[:, 1::2]), rtol=1e-6)


def test_an_invalid_first_word_is_left_out_or_not_measured():
    told = csi_spec("classic-none-lltf", "lltf", 100.0)
    assert "sc+1.re" not in told.channels
    whole = csi_spec("classic-none-lltf", "lltf", 100.0, first_word_invalid=False)
    made = chunk(frames("classic-none-lltf", first_word_invalid=True), whole, "lltf")
    lost = {name for name, missing in zip(whole.channels, np.isnan(made.x).all(axis=0), strict=True) if missing}
    assert lost == {"sc+1.re", "sc+1.im"}
    assert np.isnan(made.x).sum() == 4


def test_what_the_receiver_said_travels_beside_the_samples():
    made = chunk(frames("classic-below-lltf"), csi_spec("classic-below-lltf", "lltf", 100.0), "lltf")
    assert set(made.aux) == {
        *("rssi_dbm", "agc_gain", "fft_gain", "noise_floor_dbm", "channel", "mac_hash", "layout_id", "tx_seq")
    }
    assert made.aux["tx_seq"].tolist() == [7, 8]
    assert made.aux["layout_id"].tolist() == [layout_named("classic-below-lltf").id] * 2
    assert made.aux["mac_hash"].tolist() == [0xDEADBEEF] * 2


def test_one_spec_takes_every_layout_that_has_its_subcarriers():
    spec = csi_spec("classic-below-lltf", "lltf", 100.0)
    for layout in ("classic-below-ht40", "classic-above-ht20-stbc"):
        assert chunk(frames(layout), spec, "lltf").x.shape == (2, 104)


def test_frames_without_a_channel_of_the_spec_are_refused():
    with pytest.raises(ContractError, match=r"no channels .*sc\+58"):
        chunk(frames("classic-below-ht20"), csi_spec("classic-below-ht40", "htltf", 100.0), "htltf")
    with pytest.raises(UsageError, match="no field htltf"):
        csi_spec("classic-below-lltf", "htltf", 100.0)
    with pytest.raises(UsageError, match="form phase"):
        csi_spec("classic-below-lltf", "lltf", 100.0, "phase")

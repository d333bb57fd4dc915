"""A CSI stream seen as a contract's amplitudes: what can be derived, the values, the frames that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.dsp.csi import amplitude, amplitude_np, by_frame_mean, by_frame_mean_np
from edgehar.dsp.view import BARE, FRAME_MEAN, amplitude_channels, stream_view
from edgehar.types import StreamSpec

AMPS = ("sc-1.amp", "sc+1.amp", "sc+2.amp")
IQ = tuple(f"sc{k:+d}.{part}" for k in (-1, 1, 2) for part in ("re", "im"))
RANDOM = np.random.default_rng(3)


def csi(channels, unit=BARE, **more):
    return StreamSpec("csi", channels, 50.0, (unit,) * len(channels), axes="", **more)


def test_complex_stream_becomes_amplitude_by_frame_mean():
    view = stream_view(csi(IQ, session_id="s", simulated=True), AMPS, (FRAME_MEAN,) * 3)
    assert view is not None
    assert view.spec == csi(AMPS, FRAME_MEAN, session_id="s", simulated=True)
    x = RANDOM.integers(-90, 90, (20, 6)).astype(np.float32)
    a = np.abs(x[:, 0::2] + 1j * x[:, 1::2])
    y = view.apply(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, a / a.mean(axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(view.apply(x * np.float32(7)), y, rtol=1e-6)  # the receiver's gain cancels
    np.testing.assert_array_equal(np.concatenate([view.apply(part) for part in np.split(x, [1, 7])]), y)


def test_order_and_choice_are_the_contracts():
    view = stream_view(csi(IQ), AMPS[::-2], (BARE, BARE))
    assert view is not None
    x = RANDOM.standard_normal((5, 6)).astype(np.float32)
    np.testing.assert_allclose(view.apply(x), np.hypot(x[:, [4, 0]], x[:, [5, 1]]), rtol=1e-6)


def test_bare_amplitudes_are_divided_and_chosen():
    x = np.array([[1, 2, 3], [2, 4, 6]], np.float32)
    view = stream_view(csi(AMPS), AMPS, (FRAME_MEAN,) * 3)
    assert view is not None
    np.testing.assert_array_equal(view.apply(x), [[0.5, 1, 1.5]] * 2)
    fewer = stream_view(csi(AMPS, FRAME_MEAN), AMPS[:2], (FRAME_MEAN,) * 2)
    assert fewer is not None
    np.testing.assert_allclose(fewer.apply(x), [[2 / 3, 4 / 3]] * 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("spec", "channels", "unit"),
    [
        (csi(AMPS), AMPS, BARE),  # nothing to do
        (csi(AMPS, FRAME_MEAN), AMPS, BARE),  # the scale is lost
        (csi(IQ[:4]), AMPS, FRAME_MEAN),  # a subcarrier is missing
        (csi(IQ), (*AMPS, "rssi"), FRAME_MEAN),
        (csi(IQ), AMPS, "g"),
        (csi(IQ), (), BARE),
        (StreamSpec("imu", IQ, 50.0, (BARE,) * 6), AMPS, FRAME_MEAN),
    ],
)
def test_no_view_where_nothing_can_be_derived(spec, channels, unit):
    assert stream_view(spec, channels, (unit,) * len(channels)) is None


def test_frames_without_a_scale_become_missing():
    view = stream_view(csi(AMPS), AMPS, (FRAME_MEAN,) * 3)
    assert view is not None
    y = view.apply(np.array([[0, 0, 0], [1, np.nan, 1], [np.inf, 1, 1], [1, 1, 1]], np.float32))
    assert np.isnan(y[:3]).all()
    np.testing.assert_array_equal(y[3], 1)


def test_kernels_equal_their_twins():
    re, im = RANDOM.standard_normal((2, 200, 53)).astype(np.float32)
    a = amplitude(re, im)
    assert a.tobytes() == amplitude_np(re, im).tobytes()
    a[3], a[5, 2] = 0, np.nan
    np.testing.assert_array_equal(by_frame_mean(a), by_frame_mean_np(a))


def test_amplitude_channels_of_either_form():
    assert amplitude_channels(IQ) == AMPS
    assert amplitude_channels((*AMPS, "x")) == AMPS

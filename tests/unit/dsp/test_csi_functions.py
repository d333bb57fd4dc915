"""CSI functions against their twins, and against what they are to take away."""

from __future__ import annotations

import numpy as np

from edgehar.dsp.csi import (
    evenly_chosen,
    gain_compensated,
    most_sensitive,
    sanitised_phase,
    sanitised_phase_np,
)
from edgehar.dsp.csi_motion import hampel, hampel_np, motion_energy, motion_energy_np, spectrogram
from edgehar.wire.frames import UNKNOWN_GAIN

RANDOM = np.random.default_rng(5)
CARRIERS = np.array([*range(-26, 0), *range(1, 27)], np.float64)


def test_sanitised_phase_is_free_of_clock_offsets():
    shape = 0.6 * np.sin(CARRIERS / 5)
    left = shape - np.polyval(np.polyfit(CARRIERS, shape, 1), CARRIERS)
    slope, height = RANDOM.uniform(-0.8, 0.8, (30, 1)), RANDOM.uniform(-9, 9, (30, 1))
    h = 20 * np.exp(1j * (shape + slope * CARRIERS + height))
    re, im = h.real.astype(np.float32), h.imag.astype(np.float32)
    y = sanitised_phase(re, im, CARRIERS)
    np.testing.assert_allclose(y, np.tile(left, (30, 1)), atol=1e-5)
    np.testing.assert_allclose(y, sanitised_phase_np(re, im, CARRIERS), atol=1e-9)


def test_gain_steps_are_taken_back():
    a = np.tile(np.arange(1, 5, dtype=np.float32), (6, 1))
    agc, fft = np.array([40, 40, 41, 38, 40, UNKNOWN_GAIN], np.int16), np.array([0, 4, 0, 0, -8, 0], np.int16)
    seen = a * 10 ** ((1.0 * agc + 0.25 * fft)[:, None] / 20)
    y = gain_compensated(seen.astype(np.float32), agc, fft, agc_db=1.0, fft_db=0.25)
    np.testing.assert_allclose(y[:5] / y[0], a[:5] / a[0], rtol=1e-5)
    assert np.isnan(y[5]).all()


def test_hampel_takes_out_spikes_only():
    x = np.sin(np.arange(200) / 9)[:, None] * np.array([1.0, 2.0]) + 0.01 * RANDOM.standard_normal((200, 2))
    spiked = x.copy()
    spiked[[20, 90, 199], [0, 1, 0]] += 5
    y = hampel(spiked, 4, 4.0)
    np.testing.assert_array_equal(y, hampel_np(spiked, 4, 4.0))
    assert np.abs(y - x).max() < 0.7
    assert (y == spiked).mean() > 0.9


def test_motion_energy_streams_and_forgets_what_stands_still():
    x = np.full((300, 4), 7.0)
    x[100:200] += 0.5 * np.sin(np.arange(100))[:, None]
    state, state_np = np.zeros((2, 2, 4))
    y = np.concatenate([motion_energy(np.ascontiguousarray(part), 0.05, state) for part in np.split(x, [1, 130])])
    np.testing.assert_array_equal(y, motion_energy_np(x, 0.05, state_np))
    assert (y[:100] == 0).all()
    assert y[120:200].mean() > 0.1
    assert y[-30:].max() < 1e-4


def test_spectrogram_finds_a_sine_and_its_strength():
    x = 3 + np.sin(2 * np.pi * 5 * np.arange(200) / 50)[:, None] * np.array([1.0, 2.0])
    power = spectrogram(x, 50, 25)
    assert power.shape == (7, 26, 2)
    assert (power.argmax(axis=1) == 5).all()
    np.testing.assert_allclose(power[:, 5], [[0.25, 1.0]] * 7, rtol=1e-6)
    assert spectrogram(x[:49], 50, 25).shape == (0, 26, 2)


def test_chosen_subcarriers():
    assert evenly_chosen(range(-26, 27), 3) == [0, 26, 52]
    assert evenly_chosen(range(5), 9) == [0, 1, 2, 3, 4]
    assert evenly_chosen(range(5), 1) == [2]
    a = 10 + 0.1 * RANDOM.standard_normal((500, 6))
    a[:, [1, 4]] += np.sin(np.arange(500) / 20)[:, None]
    assert most_sensitive(a.astype(np.float32), 2) == [1, 4]

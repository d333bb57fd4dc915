"""Filters: kernel against NumPy twin bit for bit, and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, medfilt
from scipy.signal import sosfilt as scipy_sosfilt

from edgehar.dsp.filters import median3, median3_np, sosfilt, sosfilt_np


@pytest.mark.parametrize("channels", [1, 3, 7])
@pytest.mark.parametrize(("order", "cutoff_hz"), [(1, 5.0), (3, 0.3), (10, 20.0)])
def test_sections_equal_twin_and_scipy(channels, order, cutoff_hz):
    sos = butter(order, cutoff_hz, fs=50.0, output="sos")
    x = np.random.default_rng(order).standard_normal((300, channels))
    state, state_np = np.zeros((2, len(sos), channels, 2))
    parts = [sosfilt(np.ascontiguousarray(part), sos, state) for part in np.split(x, [1, 2, 130])]
    parts_np = [sosfilt_np(part, sos, state_np) for part in np.split(x, [40])]
    y = np.concatenate(parts)
    assert y.tobytes() == np.concatenate(parts_np).tobytes()
    assert state.tobytes() == state_np.tobytes()
    np.testing.assert_allclose(y, scipy_sosfilt(sos, x, axis=0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("channels", [1, 5])
def test_median_equals_twin_and_scipy(channels):
    x = np.random.default_rng(0).integers(-3, 4, (200, channels)).astype(np.float64)
    two, two_np = np.zeros((2, 2, channels))
    y = np.concatenate([median3(np.ascontiguousarray(part), two) for part in np.split(x, [0, 1, 77])])
    np.testing.assert_array_equal(y, median3_np(x, two_np))
    np.testing.assert_array_equal(two, two_np)
    # One sample late: the last of SciPy's needs a sample that has not come.
    np.testing.assert_array_equal(y[1:], medfilt(x, (3, 1))[:-1])

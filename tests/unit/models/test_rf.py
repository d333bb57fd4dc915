"""Window features and the forest on them."""

from __future__ import annotations

import numpy as np

from edgehar.datasets.windowset import WindowSet
from edgehar.models.features import window_features
from edgehar.models.rf import RandomForest

CHANNELS = ("acc_x", "acc_y", "acc_z", "light")


def windows(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    t = np.arange(32) / 32
    x = rng.normal(0, 0.1, (n, 32, 4)).astype(np.float32)
    x[:, :, 0] += np.sin(2 * np.pi * np.where(y, 8, 3)[:, None] * t)
    names = np.full(n, "s")
    return WindowSet(x, y, names, names, np.arange(n), ("slow", "fast", "never"), CHANNELS, ("g",) * 4, 32.0, 32, 32)


def test_known_values():
    features = window_features(windows().x, CHANNELS)
    channels = len(CHANNELS) + 1  # and the magnitude of the acceleration
    assert features.shape == (60, (features.shape[1] - 3) // channels * channels + 3)
    assert features.dtype == np.float32
    x = windows().x
    np.testing.assert_allclose(features[:, :4], x.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(features[:, channels : channels + 4], x.std(axis=1), atol=1e-6)
    strongest = features[:, 10 * channels]
    np.testing.assert_array_equal(strongest, np.where(windows().y, 8, 3))


def test_still_windows_have_finite_features():
    features = window_features(np.ones((2, 40, 4), np.float32), CHANNELS)
    assert np.isfinite(features).all()


def test_forest_learns_and_its_seed_decides():
    forests = [RandomForest(20).fit(windows(), seed=s).probabilities(windows(seed=5)) for s in (0, 0, 1)]
    assert (forests[0].argmax(1) == windows(seed=5).y).mean() > 0.9
    assert (forests[0][:, 2] == 0).all()
    np.testing.assert_array_equal(forests[0], forests[1])
    assert not np.array_equal(forests[0], forests[2])

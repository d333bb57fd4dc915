"""Normalisation: unit spread, constant channels left alone."""

from __future__ import annotations

import numpy as np

from edgehar.train.normalise import Normaliser


def test_unit_spread_and_constant_channel():
    x = np.random.default_rng(0).normal([5, 1000, 0], [2, 0, 30], size=(50, 20, 3)).astype(np.float32)
    fitted = Normaliser.fit(x)
    y = fitted(x).reshape(-1, 3)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(0), [1, 0, 1], atol=1e-4)
    assert fitted.op()["std"][1] == 1.0
    assert y.dtype == np.float32

"""The rational tanh and sigmoid stay within their stated error, kernel and twin alike."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.runtimes.kernels import gates

# Every exponent from the smallest to far beyond saturation, both signs.
MAGNITUDES = np.geomspace(1e-30, 1e4, 40_000).astype(np.float32)
X = np.concatenate([-MAGNITUDES[::-1], [np.float32(0)], MAGNITUDES, np.linspace(-9, 9, 40_001, dtype=np.float32)])


@pytest.mark.parametrize("kind", ["kernel", "twin"])
def test_error_stays_below_its_bound(kind: str) -> None:
    exact = np.tanh(X.astype(np.float64))
    if kind == "twin":
        tanh, sigmoid = gates.tanh_np(X), gates.sigmoid_np(X)
    else:
        tanh = np.array([gates.tanh(x) for x in X])
        sigmoid = np.array([gates.sigmoid(x) for x in X])
    assert np.abs(tanh - exact).max() <= gates.ERROR
    assert np.abs(sigmoid - (0.5 + 0.5 * np.tanh(0.5 * X.astype(np.float64)))).max() <= gates.ERROR / 2


def test_tanh_is_odd_and_close_to_x_near_zero() -> None:
    assert np.array_equal(gates.tanh_np(-X), -gates.tanh_np(X))
    small = MAGNITUDES[MAGNITUDES < 1e-4]
    assert (np.abs(gates.tanh_np(small) - small) <= 3e-7 * small).all()


def test_kernel_and_twin_agree() -> None:
    kernel = np.array([gates.tanh(x) for x in X[::7]])
    assert np.abs(kernel - gates.tanh_np(X[::7])).max() <= gates.ERROR

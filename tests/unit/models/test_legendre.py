"""The Legendre state space: a delay line when used as derived, none when its matrix is transposed."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.errors import UsageError
from edgehar.models.legendre import delay_decoder, discretise, legendre_matrices, matrix_exponential


def test_order_two_by_hand():
    a, b = legendre_matrices(2)
    np.testing.assert_array_equal(a, [[-1, -1], [3, -3]])
    np.testing.assert_array_equal(b, [1, -3])


@pytest.mark.parametrize(("order", "theta"), [(1, 3.0), (8, 16.0), (18, 13.4)])
def test_discretisation_equals_scipy(order, theta):
    linalg = pytest.importorskip("scipy.linalg")
    a, b = legendre_matrices(order)
    block = np.zeros((order + 1, order + 1))
    block[:order, :order], block[:order, order] = a / theta, b / theta
    np.testing.assert_allclose(matrix_exponential(block), linalg.expm(block), rtol=1e-9, atol=1e-11)


def delay_rmse(state, drive, theta):
    t = np.arange(400)
    u = np.sin(2 * np.pi * t / (3 * theta))
    memory = np.zeros(len(drive))
    decoder = delay_decoder(len(drive))
    seen = np.empty(len(t))
    for i in t:
        memory = state @ memory + drive * u[i]
        seen[i] = decoder @ memory
    expected = np.sin(2 * np.pi * (t - theta) / (3 * theta))
    return np.sqrt(np.mean((seen - expected)[200:] ** 2))


@pytest.mark.parametrize(("order", "theta"), [(4, 7.0), (7, 10.0), (6, 40.0)])
def test_memory_is_a_delay_line_and_its_transpose_is_not(order, theta):
    state, drive = discretise(order, theta)
    assert delay_rmse(state, drive, theta) < 0.2
    assert delay_rmse(state.T, drive, theta) > 0.5


def test_wrong_sizes_are_refused():
    with pytest.raises(UsageError, match="order 0"):
        legendre_matrices(0)
    with pytest.raises(UsageError, match="theta 0"):
        discretise(4, 0)

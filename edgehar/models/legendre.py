"""Legendre state space: the order-d approximation of a sliding window of length theta (Voelker et al., NeurIPS 2019).

Continuous: theta dm/dt = A m + B u, A[i,j] = (2i+1) * (-1 if i < j else (-1)^(i-j+1)), B[i] = (2i+1) * (-1)^i.
Discrete (zero-order hold, one sample a step): expm([[A/theta, B/theta], [0, 0]]) = [[Ad, Bd], [0, 1]].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import Reason, UsageError

Matrix = NDArray[np.float64]

_TAYLOR_TERMS = 18  # at norm <= 0.5 the remainder is below 0.5^19 / 19! ~ 1.6e-23


def legendre_matrices(order: int) -> tuple[Matrix, Matrix]:
    """Return the continuous A [d, d] and B [d], not yet divided by theta."""
    if order < 1:
        raise UsageError(f"Legendre order {order} is not positive", reason=Reason.VALUE, hint="choose order >= 1")
    index = np.arange(order, dtype=np.float64)
    row, column = index[:, None], index[None, :]
    sign = np.where(row < column, -1.0, (-1.0) ** (row - column + 1))
    return (2.0 * row + 1.0) * sign, (2.0 * index + 1.0) * (-1.0) ** index


def matrix_exponential(matrix: Matrix) -> Matrix:
    """Return expm(matrix) by scaling and squaring of the Taylor series (float64)."""
    norm = float(np.abs(matrix).sum(axis=1).max(initial=0.0))
    squarings = max(0, int(np.ceil(np.log2(norm / 0.5)))) if norm > 0.5 else 0
    scaled = matrix / 2.0**squarings
    term = np.eye(matrix.shape[0])
    total = term.copy()
    for k in range(1, _TAYLOR_TERMS + 1):
        term = term @ scaled / k
        total += term
    for _ in range(squarings):
        total = total @ total
    return total


def discretise(order: int, theta: float) -> tuple[Matrix, Matrix]:
    """Return Ad [d, d] and Bd [d] for a window of `theta` samples, zero-order hold."""
    if not theta > 0:
        raise UsageError(f"Legendre window theta {theta} is not positive", reason=Reason.VALUE, hint="choose theta > 0")
    a, b = legendre_matrices(order)
    block = np.zeros((order + 1, order + 1))
    block[:order, :order] = a / theta
    block[:order, order] = b / theta
    exponential = matrix_exponential(block)
    return exponential[:order, :order], exponential[:order, order]


def delay_decoder(order: int, delay: float = 1.0) -> Matrix:
    """Return C [d] such that u(t - delay * theta) ~ C m(t), delay in [0, 1]: shifted Legendre polynomials."""
    return np.array([np.polynomial.legendre.Legendre.basis(i)(2.0 * delay - 1.0) for i in range(order)])

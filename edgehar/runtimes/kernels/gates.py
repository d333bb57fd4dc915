"""tanh and sigmoid that LLVM turns into vector code, with their NumPy twins.

tanh(x) = x P(x^2) / Q(x^2) on |x| <= 8, +-1 to float32 beyond; sigmoid(x) = (1 + tanh(x / 2)) / 2. P and Q, both of
degree 4, are our own least-squares fit to tanh, reweighted until the largest error levelled off at 6e-9.
In float32, with an error of `ERROR` at most for tanh and half of that for sigmoid (tests/unit/runtimes/test_gates.py).
"""

from __future__ import annotations

import numpy as np

from edgehar.runtimes.kernels.compiler import kernel
from edgehar.types import FloatArray

ERROR = 5e-7
LIMIT = np.float32(8)
HALF = np.float32(0.5)
P0, P1, P2, P3, P4 = (np.float32(c) for c in (0.99999994, 0.13438192, 0.0035641564, 2.1773249e-05, 1.5061813e-08))
Q0, Q1, Q2, Q3, Q4 = (np.float32(c) for c in (1.0, 0.4677151, 0.026136016, 0.00033991798, 8.4536634e-07))


@kernel
def tanh_parts(x: np.float32) -> tuple[np.float32, np.float32]:
    """Numerator and denominator of tanh(x): a division costs as much as a polynomial, so cells join theirs."""
    x = x if x < LIMIT else LIMIT
    x = x if x > -LIMIT else -LIMIT
    u = x * x
    p = (((P4 * u + P3) * u + P2) * u + P1) * u + P0
    q = (((Q4 * u + Q3) * u + Q2) * u + Q1) * u + Q0
    return x * p, q


@kernel
def tanh(x: np.float32) -> np.float32:
    p, q = tanh_parts(x)
    return p / q


@kernel
def sigmoid(x: np.float32) -> np.float32:
    return HALF + HALF * tanh(HALF * x)


def tanh_np(x: FloatArray) -> FloatArray:
    """`tanh` without fused multiply-adds: equal to it but for the last bits."""
    x = np.clip(x, -LIMIT, LIMIT)
    u = x * x
    p = (((P4 * u + P3) * u + P2) * u + P1) * u + P0
    q = (((Q4 * u + Q3) * u + Q2) * u + Q1) * u + Q0
    y: FloatArray = x * p / q
    return y


def sigmoid_np(x: FloatArray) -> FloatArray:
    """`sigmoid` on `tanh_np`."""
    y: FloatArray = HALF + HALF * tanh_np(HALF * x)
    return y

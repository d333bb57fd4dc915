"""Both gates from one exponential: within float32 of the equations, for every tile shape and any biases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import random_bundle

from edgehar.runtimes import make_runtime
from edgehar.runtimes.kernels.fastgrnn_gates import (
    FARTHEST,
    SCALE,
    gates,
    gates_np,
    plain_gates,
    unit_rows,
    within_reach,
)
from edgehar.runtimes.kernels.simd import aligned
from edgehar.runtimes.kernels.vector import SUMS, WIDTH

ERROR = 5e-7
ZETA, NU = np.float32(0.8), np.float32(0.1)


def exact(sums: np.ndarray, h: np.ndarray, b_z: np.ndarray, b_h: np.ndarray) -> np.ndarray:
    z = 0.5 + 0.5 * np.tanh(0.5 * (sums + b_z))
    return (float(ZETA) * (1 - z) + float(NU)) * np.tanh(sums + b_h) + z * h


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("vectors", [1, 2, 3, 5, 7, 13])
@pytest.mark.parametrize("plain", [False, True])
def test_new_states_are_those_of_the_equations(rows: int, vectors: int, plain: bool) -> None:
    if not plain and not SUMS:
        pytest.skip("this CPU's vector unit is not known; plain gates are tested")
    n, rng = vectors * WIDTH, np.random.default_rng(rows * vectors)
    b_h = rng.normal(1, 3, n).astype(np.float32)
    b_z = b_h + rng.uniform(-15, 15, n).astype(np.float32)  # within FARTHEST
    sums = (rng.standard_normal((rows, n)) * rng.choice([0.1, 1, 10, 1e4], (rows, n))).astype(np.float32)
    y = ((sums + b_h) * SCALE).astype(np.float32)
    h0 = rng.uniform(-1, 1, (rows, n)).astype(np.float32)
    h, s, units = aligned(rows * n), aligned(rows * n), aligned(2 * n)
    h[:], s[:] = h0.ravel(), y.ravel()
    if plain:
        units[:n] = b_z - b_h
        plain_gates(h, 0, s, 0, units, 0, rows, vectors, ZETA, NU)
    else:
        units[:] = unit_rows(b_z, b_h).ravel()
        gates(h, 0, s, 0, units, 0, rows, vectors, ZETA, NU)
    # What the gates are given is y, rounded; the equations get the same.
    want = exact(y.astype(np.float64) / SCALE - b_h, h0, b_z, b_h)
    assert np.abs(h.reshape(rows, n) - want).max() <= ERROR
    if not plain:
        twin = gates_np(y, h0, unit_rows(b_z, b_h), ZETA, NU)
        assert np.abs(h.reshape(rows, n) - twin).max() <= ERROR


def test_sums_that_are_not_numbers_leave_a_finite_state() -> None:
    h, s, units = aligned(WIDTH), aligned(WIDTH), aligned(2 * WIDTH)
    units[:] = unit_rows(np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)).ravel()
    s[:4] = np.nan, np.inf, -np.inf, 3e38
    gates(h, 0, s, 0, units, 0, 1, 1, ZETA, NU)
    assert np.isfinite(h).all()


@pytest.mark.parametrize("distance", [FARTHEST / np.log2(np.e) - 0.1, FARTHEST / np.log2(np.e) + 0.1, 60.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_biases_far_from_each_other_give_the_reference_s_logits(distance: float, sign: int) -> None:
    """Beyond FARTHEST one exponential cannot give both gates in float32; two rational functions do."""
    bundle = random_bundle("fastgrnn", hidden=37, window=40, hop=20)
    b_z = bundle.weights["b_h"].copy()
    b_z[::3] += np.float32(sign * distance)
    assert within_reach(b_z, bundle.weights["b_h"]) == (SUMS > 0 and distance < FARTHEST / np.log2(np.e))
    bundle = replace(bundle, weights={**bundle.weights, "b_z": b_z})
    x = 20 * np.random.default_rng(3).standard_normal((200, 6)).astype(np.float32)
    fast, slow = (make_runtime(name, bundle).push(x)[1] for name in ("numba", "reference"))
    assert (np.abs(fast - slow) <= 1e-5 * np.maximum(1, np.abs(slow))).all()

"""Spikes as bits: rows are added in the order of the neurons, and neurons fire as in the reference's equations."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.runtimes.kernels.compiler import Indices, Vector, exact_kernel
from edgehar.runtimes.kernels.events import fire_leaky, fire_synaptic, gather, memory_drive, spread_table
from edgehar.runtimes.kernels.simd import aligned, pack_rows
from edgehar.runtimes.kernels.vector import WIDTH

NEURONS = 5 * WIDTH


@exact_kernel
def leaky(d: Vector, u: Vector, i: Vector, neurons: Vector, bits: Indices) -> int:
    return int(fire_leaky(d, 0, u, 0, i, 0, neurons, 0, len(u), len(u) // WIDTH, bits, 0))


@exact_kernel
def synaptic(d: Vector, u: Vector, i: Vector, neurons: Vector, bits: Indices) -> int:
    return int(fire_synaptic(d, 0, u, 0, i, 0, neurons, 0, len(u), len(u) // WIDTH, bits, 0))


def listed(bits: np.ndarray, n: int) -> list[int]:
    return [i for i in range(n) if int(bits[i // 64]) >> (i % 64) & 1]


@pytest.mark.parametrize("outputs", [1, 37, 80, 193])
@pytest.mark.parametrize("share", [0.0, 0.15, 1.0])
def test_rows_are_added_one_after_the_other(outputs: int, share: float) -> None:
    rng = np.random.default_rng(outputs)
    matrix = rng.standard_normal((130, outputs)).astype(np.float32)
    fired = np.flatnonzero(rng.random(130) < share)
    words = np.zeros(3, np.uint64)
    for i in fired:
        words[i // 64] |= np.uint64(1) << np.uint64(i % 64)
    packed, (place,) = pack_rows([matrix], WIDTH)
    out = np.zeros(-(-outputs // WIDTH) * WIDTH, np.float32)
    out[:outputs] = start = rng.standard_normal(outputs).astype(np.float32)
    gather(out, 0, out, 0, packed, place, len(out), len(out) // WIDTH, words.view(np.int64), 0, 3)
    expected = start.copy()
    for i in fired:
        expected += matrix[i]
    assert out[:outputs].tobytes() == expected.tobytes()


@exact_kernel
def drives(out: Vector, tiles: Vector, bits: Indices, u: int, order: int, spread: Indices) -> None:
    memory_drive(order, len(out) // WIDTH, out, 0, tiles, 0, bits, 0, u, spread)


@pytest.mark.parametrize("order", [2, 4, 8, 16])
@pytest.mark.parametrize("rows", [1, 5, 16])
def test_rows_of_the_memory_hear_themselves_and_their_u(order: int, rows: int) -> None:
    spread = spread_table(order)
    if not len(spread):
        pytest.skip(f"rows of {order} do not fill this CPU's vectors of {WIDTH}")
    rng = np.random.default_rng(order * rows)
    a, b = rng.standard_normal((order, order)).astype(np.float32), rng.standard_normal(order).astype(np.float32)
    fired, heard = rng.random((rows, order)) < 0.4, rng.random(rows) < 0.5
    words = np.zeros(5, np.uint64)
    for i in np.flatnonzero(fired):
        words[i // 64] |= np.uint64(1) << np.uint64(i % 64)
    for i in np.flatnonzero(heard):
        words[4] |= np.uint64(1) << np.uint64(i)
    out = aligned(-(-rows * order // WIDTH) * WIDTH)
    tiles = aligned((order + 1) * WIDTH)
    tiles[:] = np.tile(np.concatenate([a.T, b[None]]), (1, WIDTH // order)).ravel()
    drives(out, tiles, words.view(np.int64), 4, order, spread)
    expected = np.zeros((rows, order), np.float32)
    for r in range(rows):
        for j in np.flatnonzero(fired[r]):
            expected[r] += a[:, j]
        expected[r] += b * np.float32(heard[r])
    assert out[: rows * order].tobytes() == expected.ravel().tobytes()


@pytest.mark.parametrize("kind", [leaky, synaptic])
def test_neurons_follow_their_equations(kind) -> None:
    rng = np.random.default_rng(2)
    beta, alpha, bias = rng.random((3, NEURONS)).astype(np.float32)
    thr = np.full(NEURONS, 0.5, np.float32)
    u, current = rng.standard_normal((2, NEURONS)).astype(np.float32)
    expected_u, expected_i = u.copy(), current.copy()
    bits = np.zeros(-(-NEURONS // 64), np.int64)
    for _ in range(20):
        own = rng.standard_normal(NEURONS).astype(np.float32)
        drive = own + bias
        total = alpha * expected_i + drive if kind is synaptic else drive.copy()
        expected_i = total if kind is synaptic else expected_i
        expected_u = (beta * expected_u + total) - np.where(expected_u > thr, thr, np.float32(0))
        fired = kind(own, u, current, np.concatenate([beta, thr, alpha, bias]), bits)
        assert listed(bits, NEURONS) == np.flatnonzero(expected_u > thr).tolist()
        assert fired == np.count_nonzero(expected_u > thr)
        np.testing.assert_allclose(u, expected_u, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(current, expected_i, rtol=1e-6, atol=1e-6)

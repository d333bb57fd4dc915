"""Populations fire as in the reference's equations, lane by lane, and readouts add up what they should."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.runtimes.kernels.compiler import Indices, Vector, exact_kernel
from edgehar.runtimes.kernels.exact_product import weigh
from edgehar.runtimes.kernels.lif import fire_leaky, fire_synaptic, tally
from edgehar.runtimes.kernels.simd import aligned
from edgehar.runtimes.kernels.vector import WIDTH

VECTORS = 5
N = VECTORS * WIDTH
WORDS = 2 * -(-N // 128)
POTENTIAL, CURRENT, ONE, OTHER, SHARE, SCORE, SPIKES = (k * N for k in range(7))
RECORD = -(-(SPIKES + 2 * WORDS) // 16) * 16
LANES = np.array([2, 0]) * RECORD


@exact_kernel
def leaky(records: Indices, state: Vector, share: Vector, at: int, own: bool, neurons: Vector) -> int:
    n, v = len(neurons) // 4, len(neurons) // (4 * WIDTH)
    return int(fire_leaky(records, len(records), state, 0, n, 2 * n, 3 * n, 6 * n, share, at, own, neurons, 0, n, v))


@exact_kernel
def synaptic(records: Indices, state: Vector, share: Vector, at: int, own: bool, neurons: Vector) -> int:
    n, v = len(neurons) // 4, len(neurons) // (4 * WIDTH)
    return int(fire_synaptic(records, len(records), state, 0, n, 2 * n, 3 * n, 6 * n, share, at, own, neurons, 0, n, v))


@exact_kernel
def tallying(records: Indices, state: Vector, score: int, neurons: Vector, membrane: bool) -> None:
    n = len(neurons) // 4
    tally(records, len(records), state, score, 0, n // WIDTH, neurons, n, membrane)


def part(state: np.ndarray, lane: int, place: int) -> np.ndarray:
    return state[lane + place : lane + place + N]


@pytest.mark.parametrize("kind", [leaky, synaptic])
@pytest.mark.parametrize("own", [False, True])
def test_neurons_follow_their_equations(kind, own: bool) -> None:
    rng = np.random.default_rng(2)
    beta, alpha = rng.random((2, N)).astype(np.float32)
    thr, unit = np.full(N, 0.5, np.float32), np.full(N, 2.0**-30, np.float32)
    neurons = np.concatenate([beta, thr, alpha, unit])
    state = aligned(3 * RECORD)
    integers, words = state.view(np.int32), state.view(np.int64)
    u, current = (dict.fromkeys(LANES.tolist(), np.zeros(N, np.float32)) for _ in range(2))
    for _ in range(20):
        common = rng.standard_normal(N).astype(np.float32)
        for lane in LANES.tolist():
            part(state, lane, SHARE)[:] = rng.standard_normal(N)
            for place in (ONE, OTHER):
                part(integers, lane, place)[:] = rng.integers(-(2**29), 2**29, N)
        fired = kind(LANES, state, state if own else common, SHARE if own else 0, own, neurons)
        expected_fired = 0
        for lane in LANES.tolist():
            heard = (part(integers, lane, ONE) + part(integers, lane, OTHER)).astype(np.float32) * unit
            drive = heard + (part(state, lane, SHARE) if own else common)
            if kind is synaptic:
                drive = current[lane] = alpha * current[lane] + drive
            u[lane] = (beta * u[lane] + drive) - np.where(u[lane] > thr, thr, np.float32(0))
            bits = np.unpackbits(words[(lane + SPIKES) // 2 :][:WORDS].view(np.uint8), bitorder="little")[:N]
            assert bits.tolist() == (u[lane] > thr).astype(int).tolist()
            np.testing.assert_allclose(part(state, lane, POTENTIAL), u[lane], rtol=1e-6, atol=1e-6)
            expected_fired += int(bits.sum())
        assert fired == expected_fired
    assert not state[RECORD : 2 * RECORD].any(), "a lane that is in no window was advanced"


@pytest.mark.parametrize("membrane", [False, True])
def test_scores_add_potentials_or_spikes(membrane: bool) -> None:
    rng = np.random.default_rng(3)
    neurons = np.repeat(np.array([0, 0.5, 0, 0], np.float32), N)
    state = aligned(3 * RECORD)
    state[:] = rng.standard_normal(len(state))
    expected = state.copy()
    for lane in LANES.tolist():
        u = part(state, lane, POTENTIAL)
        part(expected, lane, SCORE)[:] += u if membrane else (u > 0.5)
    tallying(LANES, state, SCORE, neurons, membrane)
    assert state.tobytes() == expected.tobytes()


@pytest.mark.parametrize("vectors", [1, 3, 4, 6, 9])
@pytest.mark.parametrize("inputs", [1, 9])
def test_products_are_rounded_term_by_term(vectors: int, inputs: int) -> None:
    rng = np.random.default_rng(vectors)
    matrix = rng.standard_normal((inputs, vectors * WIDTH)).astype(np.float32)
    x, out = rng.standard_normal(inputs).astype(np.float32), rng.standard_normal(vectors * WIDTH).astype(np.float32)
    expected = np.cumsum(np.concatenate([out[None], matrix * x[:, None]]), axis=0)[-1]
    weigh(out, vectors, matrix.ravel(), x)
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-6)

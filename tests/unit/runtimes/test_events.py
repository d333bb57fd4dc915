"""Spikes as bits: sums are exact whichever way they came about."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.runtimes.kernels.compiler import Indices, Vector, exact_kernel
from edgehar.runtimes.kernels.events import hear, spread, spread_row
from edgehar.runtimes.kernels.integer_types import Values as Integers
from edgehar.runtimes.kernels.simd import aligned
from edgehar.runtimes.kernels.vector import WIDTH

NEURONS = 300
WORDS = 6
LANES = 3


def as_words(fired: np.ndarray, words: int) -> np.ndarray:
    """Booleans [n] as 64-bit words."""
    return np.packbits(np.pad(fired, (0, 64 * words - len(fired))), bitorder="little").view(np.int64)


@pytest.mark.parametrize("vectors", [1, 7, 41])
@pytest.mark.parametrize("turnover", [0.0, 0.03, 0.6])
def test_sums_follow_the_spikes_exactly(vectors: int, turnover: float) -> None:
    """Through samples with few changes, many changes, silence and everything firing."""
    rng = np.random.default_rng(vectors)
    weights = rng.integers(-(2**22), 2**22, (NEURONS, vectors * WIDTH), dtype=np.int32)
    rows = aligned(3 * WIDTH + weights.size).view(np.int32)
    rows[3 * WIDTH :] = weights.ravel()
    record = vectors * WIDTH + 4 * WORDS + 16
    state = aligned((LANES + 1) * record)
    integers, words = state.view(np.int32), state.view(np.int64)
    records = np.arange(1, LANES + 1) * record
    fired = rng.random((LANES, NEURONS)) < 0.3
    for sample in range(12):
        fired ^= rng.random((LANES, NEURONS)) < turnover
        if sample in (5, 9):
            fired[1] = sample == 9
        for lane, begin in enumerate(records.tolist()):
            place = (begin + vectors * WIDTH) // 2
            words[place : place + WORDS] = as_words(fired[lane], WORDS)
        hear(records, LANES, state, rows, 3 * WIDTH, 0, vectors, vectors * WIDTH, WORDS)
        for lane, begin in enumerate(records.tolist()):
            expected = weights[fired[lane]].sum(axis=0, dtype=np.int64)
            assert integers[begin : begin + vectors * WIDTH].tolist() == expected.tolist()
    assert not integers[:record].any(), "a record of no lane was written"


def test_sums_may_pass_through_any_integer() -> None:
    """Weights that fill 31 bits: a difference of theirs wraps around, and the sum is still right."""
    large = 2**31 - 1
    rows = aligned(128 * WIDTH).view(np.int32)
    rows[:WIDTH], rows[WIDTH : 2 * WIDTH] = large, -large
    state = aligned(WIDTH + 8)
    words = state.view(np.int64)
    for bits in (0b01, 0b10, 0b11, 0b01, 0b00, 0b10):
        words[WIDTH // 2] = bits
        hear(np.zeros(1, np.int64), 1, state, rows, 0, 0, 1, WIDTH, 2)
        assert set(state.view(np.int32)[:WIDTH].tolist()) == {large * (bits & 1) - large * (bits >> 1)}


@exact_kernel
def spreading(
    records: Indices, state: Vector, rows: Integers, sums: int, vectors: int, spikes: int, order: int
) -> None:
    spread(records, len(records), state, rows, 0, sums, vectors, spikes, order)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5, 16, 18])
@pytest.mark.parametrize("heard", [1, 5, 70, 130])
def test_neurons_in_a_row_hear_the_same_one(order: int, heard: int) -> None:
    rng = np.random.default_rng(order * heard)
    n = order * heard
    vectors = -(-n // WIDTH)
    weights = np.zeros(vectors * WIDTH, np.int32)
    weights[:n] = rng.integers(-(2**30), 2**30, n)
    fired = rng.random((2, heard)) < 0.5
    record = vectors * WIDTH + 16
    state = aligned(2 * record)
    for lane in range(2):
        place = (lane * record + vectors * WIDTH) // 2
        state.view(np.int64)[place : place + 4] = as_words(fired[lane], 4)
    row = aligned(2 * vectors * WIDTH).view(np.int32)
    row[:] = spread_row(weights, order).ravel()
    spreading(np.array([0, record]), state, row, 0, vectors, vectors * WIDTH, order)
    for lane in range(2):
        expected = weights[:n] * np.repeat(fired[lane], order)
        assert state.view(np.int32)[lane * record :][:n].tolist() == expected.tolist()

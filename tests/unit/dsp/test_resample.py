"""Resampling onto the grid: what passes through untouched, what counts as real, what ends a segment."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.dsp.grid import Grid
from edgehar.dsp.resample import MAX_GAP_NS, Piece, Resampler, resample_np
from edgehar.types import Flag

STEP_NS = 20_000_000  # 50 Hz


def signal(n: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, channels)).astype(np.float32)


def push(t, x, rate_hz: float = 50.0, flags=None, resampler: Resampler | None = None) -> list[Piece]:
    resampler = resampler or Resampler(rate_hz, x.shape[1])
    return list(resampler.push(np.asarray(t, np.int64), x, np.zeros(len(t), np.uint16) if flags is None else flags))


def test_samples_on_the_grid_pass_through_bit_for_bit():
    t, x = 7 + np.arange(200) * STEP_NS, signal(200)
    (piece,) = push(t, x)
    assert piece.x.tobytes() == x.tobytes()
    assert (piece.begins, piece.index) == (True, 0)
    np.testing.assert_array_equal(piece.t_dev_ns, t)
    np.testing.assert_array_equal(piece.row, np.arange(200))
    assert piece.real.all()


@pytest.mark.parametrize("rate_hz", [20.0, 31.25, 33.333333, 52.631578947368425, 100.0, 104.0, 119.0])
def test_a_microsecond_clock_passes_through_at_any_rate(rate_hz):
    t = np.rint(np.arange(5000) * 1e6 / rate_hz).astype(np.int64) * 1000
    x = signal(5000)
    pieces = push(t, x, rate_hz)
    assert np.concatenate([p.x for p in pieces]).tobytes() == x.tobytes()


def test_the_grid_does_not_drift():
    grid = Grid.at(104.0)
    k = np.array([1, 104, 104 * 3600 * 24 * 365])
    assert grid.offset_ns(k).tolist() == [9_615_385, 10**9, 10**9 * 3600 * 24 * 365]
    assert Grid.at(50.0).offset_ns(3) == 60_000_000


def test_between_samples_is_the_straight_line():
    (piece,) = push([0, 15_000_000, 35_000_000, 45_000_000], np.array([[0.0], [3.0], [7.0], [9.0]], np.float32))
    np.testing.assert_allclose(piece.x[:, 0], [0.0, 4.0, 8.0], rtol=1e-6)
    assert piece.real.all()


@pytest.mark.parametrize(("rate_hz", "source_hz"), [(50.0, 49.3), (50.0, 100.0), (100.0, 52.0), (25.0, 24.0)])
def test_kernel_equals_its_numpy_twin(rate_hz, source_hz):
    rng = np.random.default_rng(5)
    n = 400
    t = np.cumsum(rng.uniform(0.6, 1.4, n) * 1e9 / source_hz).astype(np.int64)
    x = signal(n, 4)
    pieces = push(t, x, rate_hz)
    points, y, real = resample_np(t, x, rate_hz)
    np.testing.assert_array_equal(np.concatenate([p.t_dev_ns for p in pieces]), points)
    np.testing.assert_array_equal(np.concatenate([p.x for p in pieces]), y)
    np.testing.assert_array_equal(np.concatenate([p.real for p in pieces]), real)


def test_lost_samples_are_interpolated_and_marked():
    t = np.delete(np.arange(20) * STEP_NS, [5, 11, 12])
    x = np.delete(np.arange(20, dtype=np.float32), [5, 11, 12])[:, None]
    (piece,) = push(t, x)
    np.testing.assert_allclose(piece.x[:, 0], np.arange(20), rtol=1e-6)
    assert np.flatnonzero(~piece.real).tolist() == [5, 11, 12]


def test_jitter_alone_loses_nothing():
    rng = np.random.default_rng(1)
    t = (np.arange(300) + rng.uniform(-0.24, 0.24, 300)) * STEP_NS
    assert all(piece.real.all() for piece in push(np.sort(t), signal(300)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_missing_channel_is_a_missing_sample(value):
    t, x = np.arange(10) * STEP_NS, signal(10)
    x[4, 1] = value
    resampler = Resampler(50.0, 3)
    (piece,) = push(t, x, resampler=resampler)
    assert np.flatnonzero(~piece.real).tolist() == [4]
    assert np.isfinite(piece.x).all()
    np.testing.assert_allclose(piece.x[4], (x[3] + x[5]) / 2, rtol=1e-6)
    assert (resampler.missing, resampler.unordered) == (1, 0)


def test_what_software_filled_in_is_not_real():
    flags = np.zeros(10, np.uint16)
    flags[6] = Flag.SYNTHETIC | Flag.CLIPPED
    (piece,) = push(np.arange(10) * STEP_NS, signal(10), flags=flags)
    assert np.flatnonzero(~piece.real).tolist() == [6]


def test_duplicates_and_latecomers_are_dropped_and_counted():
    x = signal(6)
    resampler = Resampler(50.0, 3)
    (piece,) = push(np.array([0, 1, 1, 0, 2, 3]) * STEP_NS, x, resampler=resampler)
    np.testing.assert_array_equal(piece.x, x[[0, 1, 4, 5]])
    assert resampler.unordered == 2


def test_a_gap_begins_a_segment_on_a_grid_of_its_own():
    first, hole = np.arange(10) * STEP_NS, MAX_GAP_NS + STEP_NS + 3_000_000
    second = first[-1] + hole + np.arange(5) * STEP_NS
    x = signal(15)
    a, b = push(np.concatenate([first, second]), x)
    assert (b.begins, b.index) == (True, 9 + round(hole / STEP_NS))
    assert b.x.tobytes() == x[10:].tobytes()
    np.testing.assert_array_equal(b.t_dev_ns, second)
    assert b.row.tolist() == [10, 11, 12, 13, 14]
    assert len(a.x) == 10


def test_a_gap_of_exactly_the_limit_is_bridged():
    t = np.array([0, STEP_NS, STEP_NS + MAX_GAP_NS])
    (piece,) = push(t, signal(3))
    assert piece.real.tolist() == [True, True] + [False] * 12


@pytest.mark.parametrize("flagged", [True, False])
def test_a_restarted_clock_begins_a_segment_next_in_count(flagged):
    t = np.concatenate([np.arange(10) * STEP_NS + 10**12, np.arange(4) * STEP_NS])
    flags = np.zeros(14, np.uint16)
    flags[10] = Flag.CLOCK_RESET if flagged else 0
    a, b = push(t, signal(14), flags=flags)
    assert (len(a.x), b.begins, b.index, len(b.x)) == (10, True, 10, 4)


def test_the_count_begins_with_the_first_row_even_if_it_is_missing():
    x = signal(20)
    x[:3] = np.nan
    (piece,) = push(np.arange(20) * STEP_NS, x)
    assert (piece.index, len(piece.x)) == (3, 17)


def test_a_slow_stream_may_lose_one_sample():
    (piece,) = push(np.array([0, 1, 3, 4]) * 10**9, signal(4), rate_hz=1.0)
    assert piece.real.tolist() == [True, True, False, True, True]


def test_a_stream_denser_or_sparser_than_the_grid_never_overflows():
    for source_hz in (3.0, 1000.0):
        t = (np.arange(50) * 1e9 / source_hz).astype(np.int64)
        pieces = list(Resampler(200.0, 3, max_gap_ns=10**9).push(t, signal(50), np.zeros(50, np.uint16)))
        assert sum(len(p.x) for p in pieces) == (t[-1] + 1000) // 5_000_000 + 1
        assert [p.begins for p in pieces] == [True] + [False] * (len(pieces) - 1)


def test_read_only_and_strided_arrays_are_welcome():
    x = signal(20, 6)
    x.setflags(write=False)
    t = np.arange(40) * (STEP_NS // 2)
    (piece,) = push(t[::2], x[:, ::2])
    np.testing.assert_array_equal(piece.x, x[:, ::2])

"""Device clock to host clock: the lower envelope, wraps and restarts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edgehar.clock import FEWEST, Clock, CounterUnwrap, fit_clock
from edgehar.types import Flag

S_NS = 1_000_000_000


def stream(n: int, *, ppm: float = 0.0, offset_ns: int = 0, jitter_ns: float = 0.0, seed: int = 0):
    """50 Hz device times and the times at which they arrive, delayed by an exponential jitter."""
    t = 5 * S_NS + np.arange(n, dtype=np.int64) * 20_000_000
    delay = np.random.default_rng(seed).exponential(jitter_ns, n) if jitter_ns else np.zeros(n)
    h = t + offset_ns + np.rint((t - t[0]) * ppm * 1e-6 + delay).astype(np.int64)
    return t, h, np.zeros(n, np.uint16)


def in_chunks(clock: Clock, t, h, flags, sizes):
    edges = np.cumsum([0, *sizes, len(t)]).clip(0, len(t))
    return np.concatenate([clock.push(t[a:b], h[a:b], flags[a:b]) for a, b in pairwise(edges)])


def test_equal_clocks_map_to_themselves():
    t, h, flags = stream(500)
    np.testing.assert_array_equal(Clock().push(t, h, flags), t)


@pytest.mark.parametrize("ppm", [-60.0, 0.0, 35.0])
def test_finds_offset_and_drift_below_one_sided_jitter(ppm):
    t, h, flags = stream(50 * 60, ppm=ppm, offset_ns=777 * S_NS, jitter_ns=4e6)
    clock = Clock()
    t_ns = clock.push(t, h, flags)
    true = t + 777 * S_NS + np.rint((t - t[0]) * ppm * 1e-6).astype(np.int64)
    # 50 exponential delays a second of mean 4 ms: the least of them is about 80 us.
    assert np.abs(t_ns[-500:] - true[-500:]).max() < 200_000
    assert clock.fit.ppm == pytest.approx(ppm, abs=4.0)
    assert 0 < clock.fit.residual_ns < 300_000


def test_any_chunking_gives_the_same_times():
    t, h, flags = stream(700, ppm=20.0, offset_ns=-3, jitter_ns=2e6)
    t[310] -= 40_000_000  # out of order
    t[500:] -= 100 * S_NS  # restart without a flag
    h[500:] -= 3
    flags[600] = Flag.CLOCK_RESET
    whole = Clock().push(t, h, flags)
    np.testing.assert_array_equal(in_chunks(Clock(), t, h, flags, [1] * 700), whole)
    np.testing.assert_array_equal(in_chunks(Clock(), t, h, flags, [0, 7, 300, 1, 5, 190]), whole)


def test_a_line_uses_only_what_came_before():
    t, h, flags = stream(400, jitter_ns=3e6)
    whole = Clock().push(t, h, flags)
    np.testing.assert_array_equal(Clock().push(t[:250], h[:250], flags[:250]), whole[:250])


def test_a_restart_forgets_the_line():
    t, h, flags = stream(400, offset_ns=S_NS)
    t[200:] -= 9 * S_NS
    flags[200] = Flag.CLOCK_RESET
    clock = Clock()
    np.testing.assert_array_equal(clock.push(t, h, flags), h)
    assert clock.restarts == 1
    clock.reset()
    assert (clock.fit, clock.restarts) == (None, 0)


def test_a_long_silence_is_one_block():
    t, h, flags = stream(200)
    t[100:] += 86_400 * S_NS
    h[100:] += 86_400 * S_NS
    np.testing.assert_array_equal(Clock().push(t, h, flags), t)


def test_drift_is_bounded():
    """Host times that are no arrival times at all, such as a column of zeros."""
    t = np.arange(10, dtype=np.int64) * S_NS
    fit = fit_clock(np.stack([t, -t], axis=1))
    assert fit.ppm == -500.0
    assert len(t) >= FEWEST


def test_no_samples():
    empty = np.empty(0, np.int64)
    assert len(Clock().push(empty, empty, np.empty(0, np.uint16))) == 0


def unwrap(counter, host_s):
    times, restarted = CounterUnwrap().push(
        np.array(counter, np.uint32), (np.array(host_s, np.float64) * S_NS).astype(np.int64)
    )
    return (times // 1000).tolist(), restarted.tolist()


def test_unwraps_a_turn_of_the_counter():
    top = (1 << 32) - 1_000
    assert unwrap([top, 9_000], [0.0, 0.01]) == ([top, top + 10_000], [False, False])


def test_counts_turns_that_nobody_saw():
    turn = 1 << 32
    assert unwrap([5, 1_000_005], [0.0, 2 * turn / 1e6 + 1.0]) == ([5, 2 * turn + 1_000_005], [False, False])


def test_a_sample_that_was_overtaken_is_a_step_back():
    assert unwrap([30_000, 20_000, 40_000], [0.03, 0.031, 0.041])[0] == [30_000, 20_000, 40_000]


def test_a_counter_that_starts_anew_is_a_restart():
    assert unwrap([900_000_000, 1_000, 21_000], [900.0, 903.0, 903.02]) == (
        [900_000_000, 1_000, 21_000],
        [False, True, False],
    )


def test_a_late_batch_is_no_restart():
    assert unwrap([0, 20_000, 40_000], [0.0, 4.0, 4.0])[1] == [False, False, False]


def test_unwrap_keeps_its_place_between_pushes():
    counter = np.arange(0, 1 << 33, 1 << 29).astype(np.uint64)
    host = (counter * 1000).astype(np.int64)
    raw = (counter % (1 << 32)).astype(np.uint32)
    unwrapper = CounterUnwrap()
    times = np.concatenate([unwrapper.push(raw[i : i + 1], host[i : i + 1])[0] for i in range(len(raw))])
    np.testing.assert_array_equal(times, host)


def test_unwraps_a_narrow_counter_of_coarse_ticks():
    ticks = np.arange(65_000, 200_000, 7)  # of 8 ms: a turn is 524 s
    times, restarted = CounterUnwrap(16, 8_000_000).push((ticks % 65_536).astype(np.uint16), ticks * 8_000_000)
    np.testing.assert_array_equal(times, ticks * 8_000_000)
    assert not restarted.any()


def test_unwraps_nanoseconds_that_count_from_the_year_2000():
    first = 599_618_164_814_402_794
    times, restarted = CounterUnwrap(64, 1).push(
        np.array([first, first + 20_000_001], np.uint64), np.array([5, 20_000_006], np.int64)
    )
    assert times.tolist() == [first, first + 20_000_001]
    assert not restarted.any()

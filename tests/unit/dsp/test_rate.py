"""The measured rate."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.dsp.rate import FEWEST, RateMeter


def meter(t, seq=None) -> RateMeter:
    rate = RateMeter()
    rate.push(np.asarray(t, np.int64), np.arange(len(t)) if seq is None else np.asarray(seq))
    return rate


def test_measures_through_jitter():
    t = np.cumsum(np.random.default_rng(0).uniform(0.8, 1.2, 200)) * 1e9 / 52.0
    assert meter(t).rate_hz() == pytest.approx(52.0, rel=0.05)


def test_numbered_losses_are_no_slow_clock():
    seq = np.sort(np.random.default_rng(0).choice(400, 150, replace=False))
    assert meter(seq * 20_000_000, seq).rate_hz() == pytest.approx(50.0)


def test_numbers_that_stand_still_are_ignored():
    assert meter(np.arange(100) * 20_000_000, np.zeros(100, int)).rate_hz() == pytest.approx(50.0)


def test_says_nothing_too_early():
    assert meter(np.arange(FEWEST) * 20_000_000).rate_hz() is None
    assert meter(np.zeros(100)).rate_hz() is None


def test_rows_of_a_push_and_chunks_agree():
    rng = np.random.default_rng(2)
    t = np.cumsum(rng.integers(10_000_000, 30_000_000, 300))
    whole, parts = meter(t), RateMeter()
    for i in range(300):
        parts.push(t[i : i + 1], np.array([i]))
        assert parts.rate_hz() == parts.rate_hz(0) == whole.rate_hz(i)

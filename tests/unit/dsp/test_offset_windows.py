"""Coverage of windows, and windows at explicit offsets."""

from __future__ import annotations

import numpy as np

from edgehar.dsp.windows import Coverage, OffsetWindows


def ramp(a: int, b: int) -> np.ndarray:
    return np.arange(a, b, dtype=np.float32)[:, None]


def test_coverage_counts_real_samples_of_any_window_that_just_ended():
    rng = np.random.default_rng(0)
    real = rng.random(200) < 0.7
    coverage = Coverage(16)
    for a in range(0, 200, 5):
        coverage.push(a, real[a : a + 5])
        for end in range(max(16, a + 1), a + 6):
            assert coverage.at(end - 16) == real[end - 16 : end].mean()


def test_coverage_counts_on_across_a_gap():
    coverage = Coverage(10)
    coverage.push(0, np.ones(20, bool))
    coverage.push(25, np.ones(3, bool))
    assert coverage.at(18) == 0.5  # 18, 19, 25, 26, 27
    coverage.reset()
    assert coverage.at(18) == 0.0


def test_cuts_every_window_once_in_order_of_time():
    windows = OffsetWindows(8, [30, 2, 3, 3, 10])
    cuts = [cut for a in range(0, 60, 7) for cut in windows.push(a, ramp(a, a + 7))]
    assert [cut.start for cut in cuts] == [2, 3, 3, 10, 30]
    for cut in cuts:
        np.testing.assert_array_equal(cut.x, ramp(cut.start, cut.start + 8))


def test_a_gap_and_the_end_cut_windows_short():
    windows = OffsetWindows(8, [0, 6, 14, 18, 40])
    assert [cut.start for cut in windows.push(0, ramp(0, 10))] == [0]
    assert [(cut.start, cut.x) for cut in windows.end_segment(15)] == [(6, None), (14, None)]
    assert [cut.start for cut in windows.push(15, ramp(15, 30))] == [18]
    assert [(cut.start, cut.x) for cut in windows.end_segment()] == [(40, None)]
    windows.reset()
    assert [cut.start for cut in windows.push(0, ramp(0, 10))] == [0]


def test_a_window_from_before_the_stream_is_cut_short():
    windows = OffsetWindows(4, [1])
    assert [(cut.start, cut.x) for cut in windows.push(3, ramp(3, 9))] == [(1, None)]

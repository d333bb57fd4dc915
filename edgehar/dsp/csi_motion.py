"""What moves in a uniform stream of CSI amplitudes: outliers taken out, energy of motion, spectrogram."""

from __future__ import annotations

import numpy as np

from edgehar.dsp.filters import Signal
from edgehar.dsp.kernel import kernel

TO_SIGMA = 1.4826  # median absolute deviation of a normal distribution to its standard deviation


@kernel
def hampel(x: Signal, half: int, sigmas: float) -> Signal:
    """Hampel filter on x [n, c]: a sample further than `sigmas` robust deviations from the median becomes the median.

    Median and deviation of the 2 * half + 1 samples around it, fewer at the ends (Hampel 1974; Pearson 2002).
    """
    n, channels = x.shape
    y = x.copy()
    for c in range(channels):
        for i in range(n):
            low, high = max(0, i - half), min(n, i + half + 1)
            around = np.sort(x[low:high, c])
            m = high - low
            median = 0.5 * (around[(m - 1) // 2] + around[m // 2])
            apart = np.sort(np.abs(around - median))
            deviation = 0.5 * (apart[(m - 1) // 2] + apart[m // 2])
            if np.abs(x[i, c] - median) > sigmas * TO_SIGMA * deviation:
                y[i, c] = median
    return y


def hampel_np(x: Signal, half: int, sigmas: float) -> Signal:
    """NumPy twin of `hampel`."""
    y = x.copy()
    for i in range(len(x)):
        around = x[max(0, i - half) : i + half + 1]
        median = np.median(around, axis=0)
        deviation = np.median(np.abs(around - median), axis=0)
        y[i] = np.where(np.abs(x[i] - median) > sigmas * TO_SIGMA * deviation, median, x[i])
    return y


@kernel
def motion_energy(x: Signal, decay: float, state: Signal) -> Signal:
    """Energy of motion [n] of amplitudes x [n, c], per subcarrier: the mean square of what is left of a baseline.

    baseline += decay (x - baseline), from the first sample on. state [2, c] is advanced: the baseline, and in its
    second row whether there is one; zeros begin a stream. decay = 1 - exp(-2 pi f / rate) for a corner at f.
    """
    n, channels = x.shape
    y = np.zeros(n)
    for i in range(n):
        for c in range(channels):
            if state[1, c] == 0:
                state[0, c], state[1, c] = x[i, c], 1.0
            left = x[i, c] - state[0, c]
            state[0, c] += decay * left
            y[i] += left * left
        y[i] /= channels
    return y


def motion_energy_np(x: Signal, decay: float, state: Signal) -> Signal:
    """NumPy twin of `motion_energy`."""
    y = np.zeros(len(x))
    for i, row in enumerate(x):
        state[0] = np.where(state[1] == 0, row, state[0])
        state[1] = 1.0
        left = row - state[0]
        state[0] += decay * left
        for square in left * left:  # one addend after the other, as the kernel adds
            y[i] += square
        y[i] /= len(row)
    return y


def spectrogram(x: Signal, window: int, hop: int) -> Signal:
    """Power [m, window // 2 + 1, c] of Hann windows of x [n, c], each less its mean; bin k is k * rate / window.

    Scaled so that a sine of amplitude 1 on a bin gives 1/4 there.
    """
    if len(x) < window:
        return np.empty((0, window // 2 + 1, x.shape[1]))
    frames = np.lib.stride_tricks.sliding_window_view(x, window, axis=0)[::hop]  # [m, c, window]
    taper = np.hanning(window + 1)[:-1]
    centred = frames - frames.mean(axis=2, keepdims=True)
    power: Signal = np.square(np.abs(np.fft.rfft(centred * taper, axis=2) / taper.sum())).transpose(0, 2, 1)
    return power

"""Channel state information: what one frame says. Kernels and their NumPy twins agree bit for bit.

A frame holds one complex gain per subcarrier. Its phase is random from frame to frame (no common clock) and its scale
jumps with the receiver's gain; amplitude by the frame's mean is free of both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgehar.dsp.filters import Signal
from edgehar.dsp.kernel import kernel
from edgehar.types import FloatArray
from edgehar.wire.frames import UNKNOWN_GAIN


@kernel
def amplitude(re: FloatArray, im: FloatArray) -> FloatArray:
    """|H| of real and imaginary parts [n, c], summed in float64, rounded once to float32."""
    y = np.empty_like(re)
    for i in range(re.shape[0]):
        for c in range(re.shape[1]):
            a, b = np.float64(re[i, c]), np.float64(im[i, c])
            y[i, c] = np.sqrt(a * a + b * b)
    return y


def amplitude_np(re: FloatArray, im: FloatArray) -> FloatArray:
    """NumPy twin of `amplitude`."""
    power: Signal = np.square(re, dtype=np.float64) + np.square(im, dtype=np.float64)
    return np.sqrt(power).astype(np.float32)


@kernel
def by_frame_mean(a: FloatArray) -> FloatArray:
    """Amplitudes [n, c] by the mean of their frame; NaN for a frame whose mean is 0 or not finite."""
    y = np.empty_like(a)
    for i in range(a.shape[0]):
        total = 0.0
        for c in range(a.shape[1]):
            total += np.float64(a[i, c])
        mean = total / a.shape[1]
        if not (mean > 0 and np.isfinite(mean)):
            mean = np.nan
        for c in range(a.shape[1]):
            y[i, c] = np.float64(a[i, c]) / mean
    return y


def by_frame_mean_np(a: FloatArray) -> FloatArray:
    """NumPy twin of `by_frame_mean`."""
    total = np.zeros(len(a))
    for column in a.T:  # one addend after the other, as the kernel adds
        total += column
    mean = total / a.shape[1]
    mean[~((mean > 0) & np.isfinite(mean))] = np.nan
    ratio: Signal = a / mean[:, None]
    return ratio.astype(np.float32)


@kernel
def sanitised_phase(re: FloatArray, im: FloatArray, carriers: Signal) -> Signal:
    """Phase [n, c] in rad of frames [n, c], unwrapped over `carriers` [c] (ascending), less its fitted line.

    The line's slope is the sampling time offset, its height the carrier phase: both are the radios', not the room's
    (Sen et al., MobiSys 2012). Least squares over the carrier numbers; what is left has no mean and no slope.
    """
    n, c = re.shape
    y = np.empty((n, c))
    centre = 0.0
    for k in range(c):
        centre += carriers[k]
    centre /= c
    norm = 0.0
    for k in range(c):
        norm += (carriers[k] - centre) * (carriers[k] - centre)
    for i in range(n):
        mean = slope = turns = last = 0.0
        for k in range(c):
            phase = np.arctan2(np.float64(im[i, k]), np.float64(re[i, k]))
            if k > 0:
                turns -= np.rint((phase - last) / (2 * np.pi))
            last = phase
            y[i, k] = phase + turns * (2 * np.pi)
            mean += y[i, k]
            slope += y[i, k] * (carriers[k] - centre)
        mean /= c
        slope = slope / norm if norm > 0 else 0.0
        for k in range(c):
            y[i, k] -= mean + slope * (carriers[k] - centre)
    return y


def sanitised_phase_np(re: FloatArray, im: FloatArray, carriers: Signal) -> Signal:
    """NumPy twin of `sanitised_phase`; sums run in another order, so the last bits differ."""
    phase = np.unwrap(np.arctan2(im.astype(np.float64), re.astype(np.float64)), axis=1)
    place = carriers - carriers.mean()
    norm = np.square(place).sum()
    slope = phase @ place / norm if norm > 0 else np.zeros(len(phase))
    left: Signal = phase - phase.mean(axis=1, keepdims=True) - slope[:, None] * place
    return left


def gain_compensated(
    a: FloatArray, agc_gain: NDArray[np.int16], fft_gain: NDArray[np.int16], *, agc_db: float, fft_db: float
) -> FloatArray:
    """Amplitudes [n, c] as at the median gain; a frame whose gain is unknown becomes NaN.

    agc_gain, fft_gain [n] are the chip's own steps, of which `agc_db` and `fft_db` say how many decibels one is: they
    differ between chips, so they are no defaults. For chips that report no gain use `by_frame_mean`.
    """
    known = (agc_gain != UNKNOWN_GAIN) & (fft_gain != UNKNOWN_GAIN)
    gain_db = agc_db * agc_gain.astype(np.float64) + fft_db * fft_gain.astype(np.float64)
    reference = np.median(gain_db[known]) if known.any() else 0.0
    factor = np.where(known, 10 ** (np.where(known, reference - gain_db, 0.0) / 20), np.nan)
    compensated: FloatArray = (a * factor[:, None]).astype(np.float32)
    return compensated


def evenly_chosen(carriers: Sequence[int], count: int) -> list[int]:
    """Positions of `count` subcarriers spread evenly over those there are, edges included; all if there are fewer."""
    if count >= len(carriers):
        return list(range(len(carriers)))
    return np.rint(np.linspace(0, len(carriers) - 1, count)).astype(int).tolist() if count > 1 else [len(carriers) // 2]


def most_sensitive(a: FloatArray, count: int, *, lag: int = 10) -> list[int]:
    """Positions of the `count` subcarriers of amplitudes [n, c] that answer most to movement, in ascending order.

    Variance over `lag` frames against the variance from frame to frame, which is noise: a ratio without the room's
    level. Choose on training recordings only.
    """
    slow = np.diff(a[::lag].astype(np.float64), axis=0).var(axis=0)
    fast = np.diff(a.astype(np.float64), axis=0).var(axis=0)
    ratio = np.divide(slow, fast, out=np.zeros_like(slow), where=fast > 0)
    return sorted(np.argsort(-ratio, kind="stable")[:count].tolist())

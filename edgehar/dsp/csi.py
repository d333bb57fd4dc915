"""Channel state information: what one frame says, kernels with NumPy twins that agree bit for bit.

A frame holds one complex gain per subcarrier. Its phase is random from frame to frame (no common clock) and its scale
jumps with the receiver's gain; amplitude by the frame's mean is free of both.
"""

from __future__ import annotations

import numpy as np

from edgehar.dsp.filters import Signal
from edgehar.dsp.kernel import kernel
from edgehar.types import FloatArray


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

"""Streaming filters over [n, c] float64 samples, state in float64: median of three, second-order sections."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgehar.dsp.kernel import kernel

Signal = NDArray[np.float64]


@kernel
def sosfilt(x: Signal, sos: Signal, state: Signal) -> Signal:
    """Cascade of second-order sections, direct form II transposed; x [n, c], sos [s, 6], state [s, c, 2] is advanced.

    Per section: y = b0 u + z0; z0 = b1 u - a1 y + z1; z1 = b2 u - a2 y, with a0 = 1 and rows (b0 b1 b2 a0 a1 a2).
    """
    y = np.empty_like(x)
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            u = x[i, c]
            for s in range(sos.shape[0]):
                v = sos[s, 0] * u + state[s, c, 0]
                state[s, c, 0] = sos[s, 1] * u - sos[s, 4] * v + state[s, c, 1]
                state[s, c, 1] = sos[s, 2] * u - sos[s, 5] * v
                u = v
            y[i, c] = u
    return y


def sosfilt_np(x: Signal, sos: Signal, state: Signal) -> Signal:
    """NumPy twin of `sosfilt`."""
    y = np.empty_like(x)
    for i, row in enumerate(x):
        u = row
        for z, (b0, b1, b2, _, a1, a2) in zip(state, sos, strict=True):
            v = b0 * u + z[:, 0]
            z[:, 0] = b1 * u - a1 * v + z[:, 1]
            z[:, 1] = b2 * u - a2 * v
            u = v
        y[i] = u
    return y


@kernel
def median3(x: Signal, two: Signal) -> Signal:
    """Median of each sample and its two neighbours, one sample late; x [n, c], two [2, c] the two samples before x.

    Returns [n, c]: row i is the median around the sample before x[i]. `two` is advanced.
    """
    y = np.empty_like(x)
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            a, b, d = two[0, c], two[1, c], x[i, c]
            y[i, c] = max(min(a, b), min(max(a, b), d))
            two[0, c], two[1, c] = b, d
    return y


def median3_np(x: Signal, two: Signal) -> Signal:
    """NumPy twin of `median3`."""
    line = np.concatenate([two, x])
    two[:] = line[-2:]
    return np.asarray(np.median(np.stack([line[:-2], line[1:-1], line[2:]]), axis=0))

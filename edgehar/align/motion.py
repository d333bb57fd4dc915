"""How strongly something moved, as any kind of sensor saw it: what two unlike sensors can be compared by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.dsp.view import AMP
from edgehar.types import FloatArray, IntArray

STANDARD_GRAVITY_MPS2 = 9.80665
G_PER = {"g": 1.0, "mps2": 1 / STANDARD_GRAVITY_MPS2}
ACCEL = "acc"
CALM_NS = 1_000_000_000  # what is usual, gravity for instance, is a median over this long

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Motion:
    """strength [n] at t_ns [n], rising. In g above the usual where an accelerometer saw it; period_ns of its samples.

    `shocks`: a tap shows as a peak of its own, no wider than a few samples; what moves a radio wave has no such peaks.
    """

    t_ns: IntArray
    strength: Float64
    period_ns: int
    shocks: bool

    def between(self, t0_ns: int, t1_ns: int) -> Motion:
        """That part of it."""
        a, b = np.searchsorted(self.t_ns, [t0_ns, t1_ns])
        return Motion(self.t_ns[a:b], self.strength[a:b], self.period_ns, self.shocks)


def motion(
    t_ns: IntArray, x: FloatArray, channels: tuple[str, ...], units: tuple[str, ...], rate_hz: float
) -> Motion | None:
    """Motion in samples x [n, c] at t_ns [n]; None where no channel tells of it.

    An accelerometer: how far the length of the acceleration is from its median of a second. CSI: how much the
    amplitudes changed since the frame before, averaged over the subcarriers.
    """
    period_ns = round(1e9 / rate_hz)
    axes = [i for i, name in enumerate(channels) if name.startswith(ACCEL) and units[i] in G_PER]
    if axes:
        length = np.sqrt((x[:, axes].astype(np.float64) ** 2).sum(axis=1)) * G_PER[units[axes[0]]]
        return Motion(t_ns, np.abs(length - _usual(length, max(3, CALM_NS // period_ns))), period_ns, shocks=True)
    carriers = [i for i, name in enumerate(channels) if name.endswith(AMP)]
    if carriers and len(x) > 1:
        change = np.abs(np.diff(x[:, carriers].astype(np.float64), axis=0)).mean(axis=1)
        return Motion((t_ns[1:] + t_ns[:-1]) // 2, change, period_ns, shocks=False)
    return None


def _usual(values: Float64, width: int) -> Float64:
    """Median over `width` samples around each; at the ends over those that are there."""
    if len(values) <= width:
        return np.full(len(values), np.median(values) if len(values) else 0.0)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(values, (width // 2, width - 1 - width // 2), "edge"), width
    )
    return np.asarray(np.median(windows, axis=1))

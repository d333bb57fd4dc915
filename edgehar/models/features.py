"""Hand-made statistics of a window, for the random forest that stands beside every network."""

from __future__ import annotations

import numpy as np

from edgehar.datasets.triads import units_of
from edgehar.types import FloatArray

BANDS = 8
"""Spectral energy is summed in this many bands, each twice as wide as the one before where the window allows."""


def window_features(x: FloatArray, channels: tuple[str, ...]) -> FloatArray:
    """Features [n, f] of windows x [n, w, c] in physical units.

    Per channel and per triad magnitude: mean, deviation, extremes, quartiles, mean absolute difference, RMS, mean
    crossings, strongest frequency, log energy in frequency bands. Per triad: correlation of its axes.
    """
    triads = [triad for unit in units_of(channels) for triad in unit.triads]
    magnitudes = [np.linalg.norm(x[:, :, triad], axis=2, keepdims=True) for triad in triads]
    columns = [_statistics(np.concatenate([x, *magnitudes], axis=2))]
    columns += [_correlations(x[:, :, triad]) for triad in triads]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _statistics(x: FloatArray) -> FloatArray:
    """Features [n, f * c] of each channel of x [n, w, c], one statistic after another."""
    mean = x.mean(axis=1)
    centred = x - mean[:, None]
    spectrum = np.abs(np.fft.rfft(centred, axis=1)) ** 2
    edges = np.unique(np.round(np.geomspace(1, spectrum.shape[1], BANDS + 1)).astype(int))
    bands = np.add.reduceat(spectrum, edges[:-1], axis=1) / x.shape[1]
    parts = [
        mean,
        x.std(axis=1),
        x.min(axis=1),
        x.max(axis=1),
        *np.quantile(x, [0.25, 0.5, 0.75], axis=1),
        np.abs(np.diff(x, axis=1)).mean(axis=1),
        np.sqrt((x**2).mean(axis=1)),
        (np.diff(np.signbit(centred), axis=1) != 0).mean(axis=1),
        spectrum[:, 1:].argmax(axis=1) + 1,
        *np.log(bands + 1e-9).transpose(1, 0, 2),
    ]
    return np.concatenate(parts, axis=1)


def _correlations(triad: FloatArray) -> FloatArray:
    """Pearson correlation of x-y, x-z and y-z, [n, 3]; 0 where an axis does not move."""
    centred = triad - triad.mean(axis=1, keepdims=True)
    scale = np.sqrt((centred**2).sum(axis=1))
    pairs = ((0, 1), (0, 2), (1, 2))
    products = np.stack([(centred[:, :, a] * centred[:, :, b]).sum(axis=1) for a, b in pairs], axis=1)
    scales = np.stack([scale[:, a] * scale[:, b] for a, b in pairs], axis=1)
    correlations: FloatArray = np.divide(products, scales, out=np.zeros_like(products), where=scales > 0)
    return correlations

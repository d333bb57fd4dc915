"""A simulated room between two antennas: the channel at every subcarrier, as a sum over the paths that a wave takes.

A path of length d has the phase 2 pi f d / c. Its amplitude is lambda / (4 pi d) for the direct one and, times what a
wall reflects, for those by the walls (image sources: Allen and Berkley, JASA 1979); a point of cross-section sigma adds
lambda sqrt(sigma) / ((4 pi)^1.5 d1 d2), the radar equation for two antennas (Skolnik, Radar Handbook), and the torso
adds as much of each wave that comes by a side wall. Paths of more bounces are drawn, ever weaker (Saleh and Valenzuela,
JSAC 1987).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgehar.sources.virtual_csi_body import SIGMA_M2, Float64

LIGHT_MPS = 299_792_458.0
SPACING_HZ = 312_500.0
CLUTTER = 4  # pieces of furniture
DIFFUSE = 16  # paths of several bounces
DECAY_M = 9.0  # 30 ns: after this length their power has fallen to 1 / e
BODY_RADIUS_M = 0.25
SHADOW = 0.75  # of the direct wave's amplitude, taken by a torso that stands in its way

Complex64 = NDArray[np.complex64]


class Room:
    """One room, drawn by `rng`; `channel(points)` is its frequency response while somebody is in it."""

    def __init__(self, rng: np.random.Generator, centre_hz: float) -> None:
        self.size_m = rng.uniform([4.5, 3.5, 2.4], [7.0, 5.5, 2.8])
        self._centre_hz = centre_hz
        self._wavelength_m = LIGHT_MPS / centre_hz
        depth, width = self.size_m[:2]
        self._tx = np.array([0.3, rng.uniform(0.3, 0.7) * width, rng.uniform(0.8, 1.5)])
        self._rx = np.array([depth - 0.3, rng.uniform(0.3, 0.7) * width, rng.uniform(0.8, 1.5)])
        lengths, gains = [], []
        self._images: list[tuple[Float64, float]] = []  # of the transmitter in the side walls, what these reflect
        for axis in range(3):
            for wall in (0.0, self.size_m[axis]):
                image = self._tx.copy()
                image[axis] = 2 * wall - image[axis]
                lengths.append(float(np.linalg.norm(image - self._rx)))
                reflects = rng.uniform(0.25, 0.6)
                gains.append(reflects * self._wavelength_m / (4 * np.pi * lengths[-1]))
                if axis < 2:
                    self._images.append((image, reflects))
        for _ in range(CLUTTER):
            near, far = self._distances(rng.uniform(0.2, self.size_m - 0.2)[None])
            lengths.append(float(near[0] + far[0]))
            gains.append(float(self._scattered(near, far, np.array([rng.uniform(0.1, 0.8)]))[0]))
        self._direct_m = float(np.linalg.norm(self._tx - self._rx))
        beyond_m = rng.uniform(3.0, 3.0 * DECAY_M, DIFFUSE)
        drawn = 0.35 * rng.rayleigh(1.0, DIFFUSE) * np.exp(-beyond_m / (2 * DECAY_M))
        lengths += (self._direct_m + beyond_m).tolist()
        gains += (drawn * self._wavelength_m / (4 * np.pi * self._direct_m)).tolist()
        self._lengths_m, self._gains = np.array(lengths), np.array(gains)

    def channel(self, points: Float64 | None, bins: NDArray[np.int64]) -> Complex64:
        """[n, k] at `bins` [k], subcarriers from the centre, with a body's points [n, 6, 3]; None: an empty room."""
        still = (self._phasors(self._lengths_m, bins) * self._gains[:, None]).sum(axis=0)
        direct = self._phasors(np.array([self._direct_m]), bins)[0] * self._wavelength_m / (4 * np.pi * self._direct_m)
        if points is None:
            empty: Complex64 = (still + direct)[None].astype(np.complex64)
            return empty
        n = len(points)
        near, far = self._distances(points.reshape(-1, 3))
        near, far = near.reshape(n, -1), far.reshape(n, -1)
        gain = self._scattered(near, far, SIGMA_M2)
        for image, reflects in self._images:
            bounced = np.linalg.norm(points[:, 0] - image, axis=1)[:, None]
            near, far = np.hstack([near, bounced]), np.hstack([far, far[:, :1]])
            gain = np.hstack([gain, reflects * self._scattered(bounced, far[:, :1], SIGMA_M2[:1])])
        phasors = self._phasors((near + far).ravel(), bins).reshape(*near.shape, -1)
        body = np.einsum("np,npk->nk", gain.astype(np.float32), phasors)
        lit = 1 - SHADOW * np.exp(-((self._off_line_m(points[:, 0]) / BODY_RADIUS_M) ** 2))
        channel: Complex64 = (still + lit[:, None] * direct + body).astype(np.complex64)
        return channel

    def _distances(self, points: Float64) -> tuple[Float64, Float64]:
        """[p] to the transmitter and to the receiver, no nearer than a wavelength."""
        near, far = (np.linalg.norm(points - antenna, axis=1) for antenna in (self._tx, self._rx))
        return np.maximum(near, self._wavelength_m), np.maximum(far, self._wavelength_m)

    def _scattered(self, near: Float64, far: Float64, sigma_m2: Float64) -> Float64:
        amplitude: Float64 = self._wavelength_m * np.sqrt(sigma_m2) / ((4 * np.pi) ** 1.5 * near * far)
        return amplitude

    def _phasors(self, lengths_m: Float64, bins: NDArray[np.int64]) -> Complex64:
        """exp(-2 pi j f d / c), [p, k]. Carrier and subcarrier apart: their phases differ by four orders."""
        carrier = np.exp(-2j * np.pi * (lengths_m * self._centre_hz / LIGHT_MPS % 1.0)).astype(np.complex64)
        turns = (lengths_m * SPACING_HZ / LIGHT_MPS)[:, None].astype(np.float32) * bins.astype(np.float32)
        phase = np.float32(-2 * np.pi) * turns
        phasors: Complex64 = carrier[:, None] * (np.cos(phase) + 1j * np.sin(phase))
        return phasors

    def _off_line_m(self, points: Float64) -> Float64:
        """Distance [n] of points [n, 3] from the line between the antennas, heights left out: a torso is tall."""
        line = (self._rx - self._tx)[:2]
        share = np.clip((points[:, :2] - self._tx[:2]) @ line / (line @ line), 0, 1)
        distance: Float64 = np.linalg.norm(self._tx[:2] + share[:, None] * line - points[:, :2], axis=1)
        return distance

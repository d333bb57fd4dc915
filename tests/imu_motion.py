"""Made-up motion for the tests of calibration: a sensor with errors of its own that lies still, is turned, or walks."""

from __future__ import annotations

import numpy as np

from edgehar.types import Chunk, StreamSpec

RATE_HZ = 50.0
SIDES = np.vstack([np.eye(3), -np.eye(3)])
BIAS_G, SCALE = np.array([0.03, -0.05, 0.02]), np.array([1.012, 0.985, 1.02])
TURN_RADPS = np.array([0.01, -0.02, 0.005])
NAMES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
SPEC = StreamSpec("imu", NAMES, RATE_HZ, ("g",) * 3 + ("radps",) * 3, session_id="tag-1")


def held(up, seconds=6.0, seed=0):
    """[n, 6] g and rad/s: still, with `up` pointing away from the ground."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE_HZ)
    up = np.asarray(up, float) + 0.03 * rng.standard_normal(3)
    acc = up / np.linalg.norm(up) * SCALE + BIAS_G + 0.003 * rng.standard_normal((n, 3))
    return np.hstack([acc, TURN_RADPS + 0.002 * rng.standard_normal((n, 3))])


def turned(seconds=2.0, seed=0):
    """Somebody handles it."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE_HZ)
    return rng.standard_normal((n, 6)) * 0.5 + [0, 0, 1, 0, 0, 0]


def walked(seconds=40.0, seed=0):
    """A thigh that walks."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    step, hit = np.sin(2 * np.pi * 1.9 * t)[:, None], np.sin(2 * np.pi * 6 * t)[:, None]
    acc = np.array([0, 0, 1.0]) + 0.45 * step * [0.3, 0.1, 1.0] + 0.5 * hit * [0.6, 0.3, 0.6]
    gyro = 2.0 * np.sin(2 * np.pi * 0.95 * t)[:, None] * [0.1, 1.0, 0.2] + 0.15 * np.sin(2 * np.pi * 5.5 * t)[:, None]
    return np.hstack([acc, gyro]) + 0.01 * rng.standard_normal((len(t), 6))


def six_poses():
    """Each side once, handled in between."""
    return np.vstack([part for i, side in enumerate(SIDES) for part in (turned(seed=i), held(side, seed=i))])


def chunks(x, spec=SPEC, size=10):
    """The samples as a source yields them."""
    found = []
    for first in range(0, len(x), size):
        part = x[first : first + size]
        seq = np.arange(first, first + len(part), dtype=np.int64)
        t_ns = seq * round(1e9 / spec.rate_hz)
        found.append(Chunk(spec, t_ns, t_ns, seq, part.astype(np.float32), np.zeros(len(part), np.uint16)))
    return found

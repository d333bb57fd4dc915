"""Made-up walkers, and a model of placements that was fitted on them."""

from __future__ import annotations

import numpy as np

from edgehar.dsp.imu_placement import FEATURES, walking_features

PLACES = ("wrist", "leg", "trunk")
HZ = 50.0


def walking(kind, seconds=5.0, seed=0, rate_hz=HZ):
    """A made-up walker: steps at 1.9 Hz, strides at half of it, harder hits on the leg, little turning of the trunk."""
    rng = np.random.default_rng(seed)
    swing, hit, turn = {"wrist": (0.25, 0.03, 2.2), "leg": (0.45, 0.5, 2.0), "trunk": (0.25, 0.12, 0.25)}[kind]
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    stride = np.sin(2 * np.pi * 0.95 * t)
    acc = np.array([0.0, 0.0, 1.0]) + swing * np.sin(2 * np.pi * 1.9 * t)[:, None] * [0.3, 0.1, 1.0]
    acc += hit * np.sin(2 * np.pi * 6.0 * t)[:, None] * [0.6, 0.3, 0.6] + 0.01 * rng.standard_normal((len(t), 3))
    gyro = turn * stride[:, None] * [0.1, 1.0, 0.2] + 0.3 * hit * np.sin(2 * np.pi * 5.5 * t)[:, None]
    return acc, gyro + 0.02 * rng.standard_normal((len(t), 3))


def features(kind, **about):
    return np.array([walking_features(*walking(kind, seed=seed, **about), HZ) for seed in range(4)])


def write_model(file):
    """Means of four walkers a placement."""
    lines = ["temperature = 2.0", f"covariance = {(0.05 * np.eye(len(FEATURES))).tolist()}"]
    for place in PLACES:
        lines.append(f"[means.{place}]")
        lines += [f'"{name}" = {value}' for name, value in zip(FEATURES, features(place).mean(axis=0), strict=True)]
    file.write_text("\n".join(lines))

"""A small dataset of made-up people, for tests of training and evaluation."""

from __future__ import annotations

import numpy as np

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import About, Session, Source
from edgehar.datasets.store import write_dataset
from edgehar.recording import Label
from edgehar.types import StreamSpec

RATE_HZ = 50.0
LABELS = ("still", "slow", "fast")
SPEC = StreamSpec("imu", ("acc_x", "acc_y", "acc_z"), RATE_HZ, ("g",) * 3)


def write_toy_dataset(path, people=6):
    """People p0, p1, ... who do three things of different pace, 1.6 s each, in two takes."""
    sessions = [_session(person, take) for person in range(people) for take in range(2)]
    write_dataset(Source(About(name="toy", format="test", labels=LABELS), sessions, len(sessions)), path)
    return Dataset.open(path)


def _session(person, take):
    rng = np.random.default_rng(10 * person + take)
    n = 240
    t = np.arange(n) / RATE_HZ
    pace_hz = np.repeat([0.0, 2.0, 8.0], n // 3)
    x = rng.normal(0, 0.1, (n, 3)) + np.sin(2 * np.pi * pace_hz * t)[:, None]
    t_ns = (t * 1e9).astype(np.int64)
    edges = [*t_ns[:: n // 3].tolist(), int(t_ns[-1]) + 20_000_000]
    labels = tuple(Label(a, b, name) for a, b, name in zip(edges[:-1], edges[1:], LABELS, strict=True))
    return Session(f"p{person}", f"take{take}", SPEC, t_ns, np.arange(n), x.astype(np.float32), labels)

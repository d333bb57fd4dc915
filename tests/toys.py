"""A small dataset of made-up people, for tests of training and evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import About, Session, Source
from edgehar.datasets.store import write_dataset
from edgehar.recording import Label
from edgehar.types import StreamSpec

RATE_HZ = 50.0
LABELS = ("still", "slow", "fast")
SPEC = StreamSpec("imu", ("acc_x", "acc_y", "acc_z"), RATE_HZ, ("g",) * 3)


def write_toy_dataset(path, people=6, window=0, hop=0, *, simulated=False):
    """People p0, p1, ... who do three things of different pace, 1.6 s each, in two takes.

    With a window and a hop the set counts as cut by its makers, who left out what does not lie within a label.
    """
    sessions = [_session(person, take, window, hop, simulated) for person in range(people) for take in range(2)]
    about = About(name="toy", format="test", labels=LABELS, window=window, hop=hop)
    write_dataset(Source(about, sessions, len(sessions)), path)
    return Dataset.open(path)


def _session(person, take, window, hop, simulated):
    rng = np.random.default_rng(10 * person + take)
    n = 240
    t = np.arange(n) / RATE_HZ
    pace_hz = np.repeat([0.0, 2.0, 8.0], n // 3)
    x = rng.normal(0, 0.1, (n, 3)) + np.sin(2 * np.pi * pace_hz * t)[:, None]
    t_ns = (t * 1e9).astype(np.int64)
    edges = [*t_ns[:: n // 3].tolist(), int(t_ns[-1]) + 20_000_000]
    labels = tuple(Label(a, b, name) for a, b, name in zip(edges[:-1], edges[1:], LABELS, strict=True))
    starts = [s for part in range(3) for s in range(80 * part, 80 * part + 80 - window + 1, hop or n)]
    return Session(
        subject=f"p{person}",
        name=f"take{take}",
        spec=replace(SPEC, simulated=simulated),
        t_ns=t_ns,
        seq=np.arange(n),
        x=x.astype(np.float32),
        labels=labels,
        window_starts=np.array(starts) if window else None,
    )

"""Small made-up datasets on disk, for tests that need one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import About, Session, Source, label_runs, uniform_times_ns
from edgehar.datasets.store import write_dataset
from edgehar.types import StreamSpec

SPEC = StreamSpec("imu", ("acc_x", "acc_y"), 50.0, ("g", "g"), placement="wrist")
LABELS = ("walk", "sit")


def session(
    subject: str, name: str, codes: np.ndarray, *, t_ns: np.ndarray | None = None, environment: str = ""
) -> Session:
    n = len(codes)
    t_ns = uniform_times_ns(n, SPEC.rate_hz) if t_ns is None else t_ns
    random = np.random.default_rng(list(map(ord, subject + name)))
    x = random.normal(size=(n, 2)).astype(np.float32)
    labels = label_runs(codes, t_ns, SPEC.rate_hz, LABELS)
    return Session(subject, name, SPEC, t_ns, np.arange(n), x, labels, environment=environment)


def dataset(path: Path, sessions: list[Session], **about: object) -> Dataset:
    head = About(name="small", format="made up", labels=LABELS, source="a test", **about)
    return write_dataset(Source(head, sessions, len(sessions)), path)


def people(path: Path, count: int = 6, samples: int = 200, **about: object) -> Dataset:
    """`count` people, each with one recording of either activity, in one of two rooms."""
    sessions = [
        session(f"{person:02d}", f"s{code}", np.full(samples, code), environment=f"room{person % 2}")
        for person in range(1, count + 1)
        for code in (0, 1)
    ]
    return dataset(path, sessions, **about)

"""A made-up CSI dataset of bursty complex frames, for tests: one person, several sessions, each another room."""

from __future__ import annotations

import numpy as np

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import About, Session, Source
from edgehar.datasets.store import write_dataset
from edgehar.recording import Label
from edgehar.types import StreamSpec

LABELS = ("still", "slow", "fast")
PACE_HZ = {"still": 0.0, "slow": 0.5, "fast": 3.0}
CARRIERS = tuple(k for k in range(-8, 9) if k)
IQ = tuple(f"sc{k:+d}.{part}" for k in CARRIERS for part in ("re", "im"))
SPEC = StreamSpec("csi", IQ, 50.0, ("1",) * len(IQ), axes="")


def write_csi_dataset(path, sessions=3, frames=400):
    """About 10 s at 40 frames a second of every label in every session."""
    made = [_session(number, label, frames) for number in range(sessions) for label in LABELS]
    write_dataset(Source(About(name="room", format="test", labels=LABELS), made, len(made)), path)
    return Dataset.open(path)


def _session(number, label, frames):
    """A static path and one from a swaying scatterer, under the frame's random phase and gain."""
    rng = np.random.default_rng(100 * number + LABELS.index(label))
    room = np.random.default_rng(number)
    t_s = np.cumsum(rng.exponential(1 / 80, frames) + 1 / 80)
    carriers = np.array(CARRIERS)
    static = np.exp(1j * carriers * room.uniform(0.05, 0.2)) + 0.3 * room.standard_normal(len(carriers))
    sway = 1.2 * np.sin(2 * np.pi * PACE_HZ[label] * t_s) + room.uniform(0, 6)
    moving = 0.4 * np.exp(1j * (sway[:, None] + carriers * room.uniform(0.2, 0.5)))
    common = rng.uniform(15, 30, (frames, 1)) * np.exp(2j * np.pi * rng.random((frames, 1)))
    h = (static + moving + 0.02 * rng.standard_normal((frames, len(carriers)))) * common
    t_ns = np.round(t_s * 1e6).astype(np.int64) * 1000
    return Session(
        subject="1",
        name=f"{number}-{label}",
        spec=SPEC,
        t_ns=t_ns,
        seq=np.arange(frames),
        x=np.round(np.stack([h.real, h.imag], axis=2).reshape(frames, -1)).astype(np.float32),
        labels=(Label(int(t_ns[0]), int(t_ns[-1]) + 1, label),),
        extra={"session": str(number)},
    )

"""A small dataset of made-up people with units on arm and leg, neither of which tells all classes apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import About, Session, Source, label_runs, uniform_times_ns
from edgehar.datasets.store import write_dataset
from edgehar.types import StreamSpec

RATE_HZ = 50.0
LABELS = ("still", "wave", "walk")
MOVES = {"left_arm": (0.0, 1.0, 1.0), "right_leg": (0.0, 0.0, 1.0)}
"""How far each unit swings in each class."""
CHANNELS = (
    *(f"torso.acc_{axis}" for axis in "xyz"),
    *(f"left_arm.acc_{axis}" for axis in "xyz"),
    *(f"right_leg.{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"),
)
UNITS = tuple("radps" if "gyro" in name else "g" for name in CHANNELS)
SPEC = StreamSpec("imu", CHANNELS, RATE_HZ, UNITS, placement="torso, arm and leg")


def write_two_units(path: Path, people: int = 6, samples: int = 150) -> Dataset:
    """People p0, p1, ... who do each thing once, in one recording."""
    sessions = [_session(person, samples) for person in range(people)]
    about = About(name="two_units", format="test", labels=LABELS)
    write_dataset(Source(about, sessions, len(sessions)), path)
    return Dataset.open(path)


def _session(person: int, samples: int) -> Session:
    rng = np.random.default_rng(person)
    codes = np.repeat(np.arange(len(LABELS)), samples)
    t_ns = uniform_times_ns(len(codes), RATE_HZ)
    swing = np.sin(2 * np.pi * 3 * t_ns / 1e9 + person)
    x = rng.normal(0, 0.1, (len(codes), len(CHANNELS)))
    for i, channel in enumerate(CHANNELS):
        x[:, i] += swing * np.array(MOVES.get(channel.partition(".")[0], (0.0, 0.0, 0.0)))[codes]
    labels = label_runs(codes, t_ns, RATE_HZ, LABELS)
    return Session(f"p{person}", "all", SPEC, t_ns, np.arange(len(codes)), x.astype(np.float32), labels)

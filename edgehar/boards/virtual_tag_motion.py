"""What the sensor of a virtual tag feels: a recording that happens again, or the motion model behind `virtual:imu`.

A motion is asked for its next samples at whatever spacing the tag measures with; where that is the motion's own, it
gives its samples as they are, else what lies on the straight line between two of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason, UsageError
from edgehar.recording import Recording
from edgehar.sources.cyclic import CyclicModel, load_model
from edgehar.sources.script import Script
from edgehar.types import Chunk, StreamSpec

ACCELEROMETER = ("acc_x", "acc_y", "acc_z")
GYROSCOPE = ("gyro_x", "gyro_y", "gyro_z")
STANDARD_GRAVITY_MPS2 = 9.80665
TO_G = {"g": 1.0, "mps2": 1 / STANDARD_GRAVITY_MPS2}
TO_DPS = {"dps": 1.0, "radps": 180 / np.pi}
AHEAD = 50  # samples that the model computes at once
INSTANT_NS = 1_000  # a sample this close to the asked time is that sample, as in the resampler

Float64 = NDArray[np.float64]


class Motion(Protocol):
    """Acceleration in g and turn rate in degrees a second over time, from 0 on."""

    channels: int
    """3: accelerometer x y z; 6: gyroscope x y z behind them."""
    rate_hz: float
    """How often it was measured, or is computed."""

    def read(self, n: int, period_us: int) -> Float64:
        """The next n samples x [m, channels], `period_us` after one another; fewer where the motion ends."""

    def label_at(self, t_us: int) -> str:
        """What is being done at this time of the motion; "" where nobody knows."""


class ModelMotion:
    """The fitted motion model of `virtual:imu`: one simulated person, endlessly."""

    def __init__(self, model: CyclicModel, *, seed: int = 0, person: str = "", dwell_s: float = 20.0) -> None:
        scale, self.channels = _scale(StreamSpec("imu", model.channels, model.rate_hz, model.units), "the motion model")
        person_rng, motion_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2))
        chosen = person or model.people[int(person_rng.integers(len(model.people)))]
        if chosen not in model.people:
            raise UsageError(
                f"the motion model has no person '{chosen}'",
                reason=Reason.UNKNOWN_NAME,
                hint=f"choose one of: {', '.join(model.people)}",
            )
        self.rate_hz = model.rate_hz
        self._scale = scale
        self._script = Script(model, chosen, dwell_s, motion_rng)
        self._next_us = 0
        self._from = 0  # the model's number of _kept[0]
        self._kept = self._script.push(2)

    def read(self, n: int, period_us: int) -> Float64:
        """Never fewer than n."""
        places = (self._next_us + np.arange(n) * period_us) * (self.rate_hz / 1e6)
        self._next_us += n * period_us
        left = np.floor(places).astype(np.int64)
        missing = int(left[-1]) + 2 - (self._from + len(self._kept))
        if missing > 0:
            self._kept = np.concatenate([self._kept, self._script.push(max(missing, AHEAD))])
        share = (places - left)[:, None]
        x: Float64 = (1 - share) * self._kept[left - self._from] + share * self._kept[left + 1 - self._from]
        drop = int(left[-1]) - self._from
        self._kept, self._from = self._kept[drop:], self._from + drop
        return x * self._scale

    def label_at(self, t_us: int) -> str:
        """The model's activity."""
        return self._script.label_at(round(t_us * self.rate_hz / 1e6))


class RecordedMotion:
    """One stream of a recording, from its first sample on; over gaps on the straight line. `loop`: again and again.

    Samples with a channel missing, or of a time that lies behind, are left out.
    """

    def __init__(self, chunk: Chunk, *, loop: bool = False) -> None:
        scale, self.channels = _scale(chunk.spec, "the recording")
        kept = np.flatnonzero(np.isfinite(chunk.x).all(axis=1))
        newest = np.maximum.accumulate(chunk.t_dev_ns[kept])
        kept = np.concatenate([kept[:1], kept[1:][newest[1:] > newest[:-1]]])
        if len(kept) < 2:
            raise InputError(
                f"the recording holds {len(kept)} usable samples",
                reason=Reason.SHAPE,
                hint="choose a recording of a second or more",
            )
        self.rate_hz = chunk.spec.rate_hz
        self._t_ns = chunk.t_dev_ns[kept] - chunk.t_dev_ns[kept[0]]
        self._x = chunk.x[kept] * scale
        self._lap_ns = int(self._t_ns[-1]) + round(1e9 / self.rate_hz)
        self._loop = loop
        self._next_us = 0

    def read(self, n: int, period_us: int) -> Float64:
        """Fewer than n at the recording's end, unless it is played again and again."""
        wanted_ns = (self._next_us + np.arange(n, dtype=np.int64) * period_us) * 1000
        self._next_us += n * period_us
        there = wanted_ns <= self._t_ns[-1] + INSTANT_NS
        wanted_ns = wanted_ns % self._lap_ns if self._loop else wanted_ns[there]
        after = np.searchsorted(self._t_ns, wanted_ns - INSTANT_NS).clip(max=len(self._t_ns) - 1)
        before = np.maximum(after - 1, 0)
        step = np.maximum(self._t_ns[after] - self._t_ns[before], 1)
        share = np.clip((wanted_ns - self._t_ns[before]) / step, 0.0, 1.0)
        share[np.abs(self._t_ns[after] - wanted_ns) <= INSTANT_NS] = 1.0
        x: Float64 = (1 - share)[:, None] * self._x[before] + share[:, None] * self._x[after]
        return x

    def label_at(self, t_us: int) -> str:
        """Nothing: the recording's labels are in the recording."""
        del t_us
        return ""


def open_motion(recording: Path | None = None, *, model: str = "", seed: int = 0, person: str = "",
                dwell_s: float = 20.0, stream: str = "", loop: bool = False) -> Motion:  # fmt: skip
    """The motion of a recording, or where none is named that of a model (the shipped one when `model` is empty)."""
    if recording is None:
        return ModelMotion(load_model(model), seed=seed, person=person, dwell_s=dwell_s)
    opened = Recording.open(recording)
    names = list(opened.specs)
    chosen = stream or ("main" if "main" in names else names[0] if len(names) == 1 else "")
    if chosen not in names:
        raise UsageError(
            f"{recording} has no stream '{chosen}'" if chosen else f"{recording} holds {len(names)} streams",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose one of: {', '.join(names)}" if names else "the recording is empty",
        )
    return RecordedMotion(opened.read(chosen), loop=loop)


def _scale(spec: StreamSpec, what: str) -> tuple[Float64, int]:
    """What the columns of a stream are multiplied with to be in g and degrees a second, and how many there are."""
    if spec.channels not in (ACCELEROMETER, ACCELEROMETER + GYROSCOPE):
        raise InputError(
            f"{what} has the channels {', '.join(spec.channels)}",
            reason=Reason.CONTRACT,
            hint=f"a tag measures {', '.join(ACCELEROMETER)}, with or without {', '.join(GYROSCOPE)}",
        )
    scale = []
    for channel, unit in zip(spec.channels, spec.units, strict=True):
        known = TO_G if channel in ACCELEROMETER else TO_DPS
        if unit not in known:
            raise InputError(
                f"{what} has {channel} in '{unit}'", reason=Reason.CONTRACT, hint=f"give it in {' or '.join(known)}"
            )
        scale.append(known[unit])
    return np.array(scale), len(scale)

"""A motion generator fitted to real recordings: repeated movement as a tempo-jittered cycle plus coloured noise.

One *style* is one person's one side doing one activity; its parameters were estimated from that recording:

    phase'(t) = 2 pi f0 exp(a(t))                            a: Ornstein-Uhlenbeck, standard deviation and time constant
    x[t] = mean + exp(g(t)) sum_k (C_k cos k phase + S_k sin k phase) + r[t]        g: likewise, the size of a movement
    r[t] = A_1 r[t-1] + A_2 r[t-2] + L e[t],  e ~ N(0, I)    everything that does not repeat, correlated over channels
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, MissingError, Reason

Float64 = NDArray[np.float64]
SHIPPED = "virtual_imu.npz"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Style:
    """Parameters of one recording. c channels, K harmonics.

    tempo [3]: f0 in Hz, standard deviation of log tempo, its time constant in s. size [2]: the same of log size,
    without the first. mean [c]; cos, sin [K, c]; ar [2, c, c]; chol [c, c], the factor of the innovations' covariance.
    """

    tempo: Float64
    size: Float64
    mean: Float64
    cos: Float64
    sin: Float64
    ar: Float64
    chol: Float64


@dataclass(frozen=True, slots=True)
class CyclicModel:
    """All styles of a data set, by (person, activity); the sensor that they were recorded with; their origin."""

    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float
    labels: tuple[str, ...]
    placement: str
    notice: str
    people: tuple[str, ...]
    styles: dict[tuple[str, str], Style]

    def activities(self, person: str) -> list[str]:
        """The activities that this person was recorded doing."""
        return [label for label in self.labels if (person, label) in self.styles]


class Motion:
    """One person repeating one activity from now on; `push(n)` -> x [n, c] float64 at the model's rate."""

    def __init__(self, style: Style, rate_hz: float, rng: np.random.Generator) -> None:
        self._style = style
        self._rate_hz = rate_hz
        self._rng = rng
        self._phase = rng.uniform(0, 2 * np.pi)
        self._tempo = style.tempo[1] * rng.standard_normal()
        self._size = style.size[0] * rng.standard_normal()
        self._noise = np.zeros((2, len(style.mean)))
        self.push(round(rate_hz))  # let the noise reach its own size

    def push(self, n: int) -> Float64:
        """The next n samples; how a stretch is cut into pushes changes nothing but the last bit."""
        style = self._style
        # One draw per sample and purpose, sample by sample.
        kicks = self._rng.standard_normal((n, 2 + len(style.mean)))
        tempo = self._wander(kicks[:, 0], style.tempo[1], style.tempo[2], self._tempo)
        size = self._wander(kicks[:, 1], style.size[0], style.size[1], self._size)
        self._tempo, self._size = tempo[-1], size[-1]
        phase = self._phase + np.cumsum(2 * np.pi * style.tempo[0] * np.exp(tempo)) / self._rate_hz
        self._phase = phase[-1] % (2 * np.pi)
        turns = np.outer(phase, np.arange(1, len(style.cos) + 1))
        cycle = np.cos(turns) @ style.cos + np.sin(turns) @ style.sin
        x: Float64 = style.mean + np.exp(size)[:, None] * cycle + self._residual(kicks[:, 2:])
        return x

    def _wander(self, kicks: Float64, deviation: float, constant_s: float, start: float) -> Float64:
        keep = np.exp(-1.0 / (constant_s * self._rate_hz))
        walk: Float64 = deviation * np.sqrt(1 - keep**2) * kicks
        for t in range(len(walk)):
            start = walk[t] = walk[t] + keep * start
        return walk

    def _residual(self, kicks: Float64) -> Float64:
        first, second = self._style.ar
        r = np.concatenate([self._noise, kicks @ self._style.chol.T])
        for t in range(2, len(r)):
            r[t] += first @ r[t - 1] + second @ r[t - 2]
        self._noise = r[-2:].copy()
        return r[2:]


def save_model(model: CyclicModel, path: Path) -> None:
    """Write `model` as float16 arrays in a compressed .npz (no pickle)."""
    keys = sorted(model.styles)
    packed = {
        name: np.stack([getattr(model.styles[key], name) for key in keys]).astype(np.float16)
        for name in Style.__slots__
    }
    np.savez_compressed(
        path,
        version=np.array(FORMAT_VERSION),
        channels=np.array(model.channels),
        units=np.array(model.units),
        rate_hz=np.array(model.rate_hz),
        labels=np.array(model.labels),
        placement=np.array(model.placement),
        notice=np.array(model.notice),
        people=np.array(model.people),
        keys=np.array(keys),
        **packed,  # type: ignore[arg-type]  # numpy types the keyword allow_pickle in the same place
    )


def load_model(path: str = "") -> CyclicModel:
    """Read a fitted model; the one that is shipped when `path` is empty."""
    try:
        with (Path(path) if path else files("edgehar.sources") / SHIPPED).open("rb") as stream:
            stored = dict(np.load(stream, allow_pickle=False))
    except FileNotFoundError as error:
        raise MissingError(
            f"no motion model at {path}", reason=Reason.NOT_FOUND, hint="leave model= out to use the shipped one"
        ) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, str(error)) from error
    if "version" not in stored or int(stored["version"]) != FORMAT_VERSION:
        raise _damaged(path, "not a motion model of this version")
    styles = {
        (str(person), str(label)): Style(**{name: stored[name][i].astype(np.float64) for name in Style.__slots__})
        for i, (person, label) in enumerate(stored["keys"])
    }
    return CyclicModel(
        channels=tuple(map(str, stored["channels"])),
        units=tuple(map(str, stored["units"])),
        rate_hz=float(stored["rate_hz"]),
        labels=tuple(map(str, stored["labels"])),
        placement=str(stored["placement"]),
        notice=str(stored["notice"]),
        people=tuple(map(str, stored["people"])),
        styles=styles,
    )


def _damaged(path: str, why: str) -> InputError:
    return InputError(
        f"motion model {path or SHIPPED}: {why}",
        reason=Reason.DAMAGED,
        hint="make it again with benchmarks/fit_virtual_imu.py",
    )

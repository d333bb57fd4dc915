"""A guess at where a sensor is worn, from how it moves while its wearer walks: wrist, leg or trunk.

Five features of a five-second window, none of which depends on how the sensor is turned. Legs are hit by the ground at
every step, wrists swing without that, and trunks hardly turn:

    log g       turn rate, rms from 0.5 to 6 Hz, rad/s
    log a/g     |acceleration| likewise, over it
    log h/g     acceleration, rms from 4 to 9 Hz, g, over it
    log k/g     turn rate, rms from 4 to 9 Hz, over it
    stride      share of the turn rate's power below 1.35 Hz: a limb turns once a stride, a trunk once a step

Linear discriminant analysis on them: each placement's mean and a covariance that all share, as measured on people who
walk (benchmarks/placement.py fits it, and measures how well it does on people and data sets that it has not seen).
Windows are no independent witnesses, so what they say together counts as much as two of them at most.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgehar.dsp.imu_still import Float64
from edgehar.errors import InputError, Reason
from edgehar.state_directory import state_places

WINDOW_S = 5.0
LEAST_HZ = 19.0  # twice the upper edge of the highest band, and a little
WALKING_G = (0.06, 1.0)  # rms of |acceleration|: below it nobody walks, above it is a run or a jump
SURE = 0.8
MOST_VOTES = 2.0
UNKNOWN = "UNKNOWN"
FITTED_BY = "python benchmarks/placement.py DATA --fit, in a clone, DATA with the public recordings that it names"
_BODY_HZ, _HIT_HZ, _STRIDE_HZ = (0.5, 6.0), (4.0, 9.0), 1.35
FEATURES = ("log g", "log a/g", "log h/g", "log k/g", "stride")


@dataclass(frozen=True, slots=True)
class PlacementModel:
    """means [places, features], covariance [features, features]; temperature divides the evidence of a window."""

    places: tuple[str, ...]
    means: Float64
    covariance: Float64
    temperature: float


@dataclass(frozen=True, slots=True)
class PlacementGuess:
    """`place` is UNKNOWN where no placement has a probability of 0.8; `why` says so. windows: with walking in them."""

    place: str
    probabilities: Mapping[str, float]
    windows: int
    why: str = ""


def walking_features(acc_g: Float64, gyro_radps: Float64, rate_hz: float) -> Float64 | None:
    """[5] of one window acc_g [n, 3], gyro_radps [n, 3]; None where nobody walks in it, or a value is missing."""
    if not (np.isfinite(acc_g).all() and np.isfinite(gyro_radps).all()):
        return None
    size = np.linalg.norm(acc_g, axis=1, keepdims=True)
    a, g = _rms(size, rate_hz, *_BODY_HZ), _rms(gyro_radps, rate_hz, *_BODY_HZ)
    if not WALKING_G[0] <= a <= WALKING_G[1] or g <= 0:
        return None
    hit, knock = _rms(acc_g, rate_hz, *_HIT_HZ), _rms(gyro_radps, rate_hz, *_HIT_HZ)
    stride = (_rms(gyro_radps, rate_hz, _BODY_HZ[0], _STRIDE_HZ) / g) ** 2
    return np.array([np.log(g), np.log(a / g), np.log(hit / g), np.log(knock / g), stride])


def guess_placement(features: Float64, model: PlacementModel | None = None) -> PlacementGuess:
    """From the features [n, 5] of windows with walking in them."""
    if not len(features):
        return PlacementGuess(UNKNOWN, {}, 0, "nobody walked")
    model = model or placement_model()
    if model is None:
        return PlacementGuess(UNKNOWN, {}, len(features), f"no model of placements is fitted here: {FITTED_BY}")
    evidence = log_likelihoods(features, model) / model.temperature
    together = evidence.mean(axis=0) * min(float(len(features)), MOST_VOTES)
    p = np.exp(together - together.max())
    p /= p.sum()
    likeliest = int(p.argmax())
    told = {place: float(share) for place, share in zip(model.places, p, strict=True)}
    if p[likeliest] < SURE:
        return PlacementGuess(UNKNOWN, told, len(features), f"no placement is likelier than {100 * SURE:.0f} %")
    return PlacementGuess(model.places[likeliest], told, len(features))


def log_likelihoods(features: Float64, model: PlacementModel) -> Float64:
    """[n, places], but for what all places share: -(x - mean)' covariance^-1 (x - mean) / 2."""
    apart = features[:, None, :] - model.means
    found: Float64 = -0.5 * np.einsum("npi,ij,npj->np", apart, np.linalg.inv(model.covariance), apart)
    return found


def placement_file() -> Path:
    """Where this machine keeps the fitted model: $XDG_STATE_HOME/edgehar/placement/model.toml."""
    return state_places("placement")[0] / "model.toml"


def placement_model() -> PlacementModel | None:
    """The one that was fitted on this machine, None without one. Raises InputError where it cannot be read.

    None is shipped: whoever fetches the public recordings may use them; what is trained on them, perhaps not hand on.
    """
    file = placement_file()
    if not file.exists():
        return None
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        places = tuple(table["means"])
        means = np.array([[table["means"][place][name] for name in FEATURES] for place in places])
        return PlacementModel(places, means, np.array(table["covariance"]), float(table["temperature"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file} is no placement model: {error}", reason=Reason.FORMAT, hint=f"fit it again: {FITTED_BY}"
        ) from None


def _rms(x: Float64, rate_hz: float, low_hz: float, high_hz: float) -> float:
    """Of x [n, c] between two frequencies, all columns together, by the periodogram under a Hann window."""
    window = np.hanning(len(x))[:, None]
    power = np.abs(np.fft.rfft((x - x.mean(axis=0)) * window, axis=0)) ** 2
    hz = np.fft.rfftfreq(len(x), 1 / rate_hz)
    within = (hz >= low_hz) & (hz < high_hz)
    return float(np.sqrt(2 * power[within].sum() / (len(x) * float((window**2).sum()))))

"""What still poses tell about an inertial sensor: the accelerometer's scale and bias, the gyroscope's bias, what is up.

The accelerometer is modelled axis by axis, reading = scale * true + bias (Frosio, Pedersini and Borghese, IEEE T-IM
58(6), 2009, without their cross-axis terms). Held still in pose k it feels 1 g, whichever way it lies:

    |(m_k - bias) / scale| = 1

Each pose gives one equation for six unknowns. What data sheets promise of bias and scale before anybody measures
(LSM6DSO: +-0.02 g and +-1 %, MPU-6050: +-0.05 g and +-3 %) stands in for the missing ones, so that the fit always
exists (Gauss-Newton on the sum of both). Its covariance says which parameters the poses have determined; only these are
used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgehar.dsp.imu_still import Float64, Still, angle_deg
from edgehar.errors import InputError, Reason

PRIOR_BIAS_G, PRIOR_SCALE = 0.04, 0.02  # standard deviations before any pose
POSE_G = 0.004  # of |gravity| in a pose: local gravity (0.9970 to 1.0027 g on the ground) and what is not modelled
KNOWN = 0.4  # determined: its standard deviation fell to this share of the prior's; one pose alone leaves 0.45
OTHER_POSE_DEG = 30.0  # poses nearer than this are one
MOST_OFF = 0.1  # of |gravity| from 1 g, before anything is corrected
ITERATIONS = 20
AXES = ("x", "y", "z")


@dataclass(frozen=True, slots=True)
class AccelFit:
    """bias_g [3], scale [3]: neutral (0, 1) where not `known`. sd: their standard deviations, bias first [6].

    residual_g: rms of |gravity| - 1 over the poses, before and after.
    """

    bias_g: Float64
    scale: Float64
    sd: Float64
    known: tuple[bool, ...]
    before_g: float
    after_g: float


@dataclass(frozen=True, slots=True)
class GyroBias:
    """bias_radps [3]; spread_radps [3]: standard deviation of its half-second means, drift and tremor included."""

    bias_radps: Float64
    spread_radps: Float64
    seconds: float


@dataclass(frozen=True, slots=True)
class Up:
    """The axis that pointed up in a pose, such as "+z", and by how many degrees it missed the vertical."""

    axis: str
    off_deg: float


def poses(moments: Sequence[Still]) -> list[Still]:
    """Of the still moments, the longest in each pose, in order of time."""
    chosen: list[Still] = []
    for moment in sorted(moments, key=lambda one: -one.duration_s):
        if all(angle_deg(moment.acc_g, other.acc_g) >= OTHER_POSE_DEG for other in chosen):
            chosen.append(moment)
    return sorted(chosen, key=lambda one: one.t0_ns)


def check_gravity(moment: Still) -> float:
    """|gravity| of a still moment, g. InputError where it is off by more than 10 %: no calibration mends that."""
    size = float(np.linalg.norm(moment.acc_g))
    if abs(size - 1.0) <= MOST_OFF:
        return size
    likely = {
        9.80665: "the values are in m/s^2, not in g",
        1 / 9.80665: "the values are divided by 9.81 once too often",
    }
    likely |= {factor: f"the range is {factor:g} times what the source believes" for factor in (0.125, 0.25, 0.5)}
    likely |= {factor: f"the range is 1/{factor:g} of what the source believes" for factor in (2.0, 4.0, 8.0)}
    guess = next((why for factor, why in likely.items() if abs(size / factor - 1) <= MOST_OFF), "")
    raise InputError(
        f"held still, the accelerometer feels {size:.3g} g, not 1{f': {guess}' if guess else ''}",
        reason=Reason.VALUE,
        hint="check range and units of the source, and that the sensor did not move steadily, as in a car or lift",
    )


def fit_accelerometer(moments: Sequence[Still]) -> AccelFit:
    """Bias and scale of each axis, as far as the poses (one a moment, `poses` chooses them) determine them."""
    m = np.array([moment.acc_g for moment in moments])
    sigma = np.array([np.hypot(POSE_G, moment.sway_g) for moment in moments])
    prior = np.repeat([PRIOR_BIAS_G, PRIOR_SCALE], 3)
    neutral = np.repeat([0.0, 1.0], 3)
    theta = neutral.copy()
    for _ in range(ITERATIONS):
        true = (m - theta[:3]) / theta[3:]
        size = np.linalg.norm(true, axis=1)
        toward = true / size[:, None]
        jacobian = np.hstack([-toward / theta[3:], -toward * true / theta[3:]]) / sigma[:, None]
        normal = jacobian.T @ jacobian + np.diag(prior**-2)
        step = np.linalg.solve(normal, -jacobian.T @ ((size - 1) / sigma) - (theta - neutral) / prior**2)
        theta += step
    sd = np.sqrt(np.diag(np.linalg.inv(normal)))
    known = sd <= KNOWN * prior
    used = np.where(known, theta, neutral)
    return AccelFit(
        used[:3],
        used[3:],
        sd,
        tuple(known.tolist()),
        _rms(np.linalg.norm(m, axis=1) - 1),
        _rms(np.linalg.norm((m - used[:3]) / used[3:], axis=1) - 1),
    )


def fit_gyroscope(moments: Sequence[Still]) -> GyroBias | None:
    """The mean turn rate while nothing turns; None without a gyroscope."""
    blocks = np.concatenate([moment.gyro_blocks for moment in moments])
    if np.isnan(blocks).any():
        return None
    weights = [float(moment.samples) for moment in moments]
    bias = np.average([moment.gyro_radps for moment in moments], axis=0, weights=weights)
    return GyroBias(bias, blocks.std(axis=0), sum(moment.duration_s for moment in moments))


def axis_up(moment: Still) -> Up:
    """Which of the sensor's axes is up: a still accelerometer reads +1 g along what points away from the ground."""
    at = int(np.abs(moment.acc_g).argmax())
    up = np.zeros(3)
    up[at] = np.sign(moment.acc_g[at])
    return Up(f"{'+' if up[at] > 0 else '-'}{AXES[at]}", angle_deg(up, moment.acc_g))


def unknown_parameters(fit: AccelFit) -> list[str]:
    """What the poses did not determine, such as "scale z"."""
    names = [f"{what} {axis}" for what in ("bias", "scale") for axis in AXES]
    return [name for name, known in zip(names, fit.known, strict=True) if not known]


def _rms(x: Float64) -> float:
    return float(np.sqrt(np.mean(x * x)))

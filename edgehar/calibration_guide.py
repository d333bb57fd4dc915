"""Guides a person through a calibration, in stream time: still poses, a walk, and what they tell. Sans-IO.

A pose counts when the sensor was still long enough, however long that takes; nobody has to follow a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from edgehar.calibration import CHANNELS, UNIT_OF, Calibration
from edgehar.dsp.imu_calibration import (
    AccelFit,
    GyroBias,
    Up,
    axis_up,
    check_gravity,
    fit_accelerometer,
    fit_gyroscope,
    poses,
    unknown_parameters,
)
from edgehar.dsp.imu_placement import (
    FEATURES,
    LEAST_HZ,
    UNKNOWN,
    WINDOW_S,
    PlacementGuess,
    guess_placement,
    walking_features,
)
from edgehar.dsp.imu_still import Float64, Still, StillMoments
from edgehar.errors import ContractError, InputError, Reason, UsageError
from edgehar.types import Chunk, Flag, IntArray, StreamSpec

LEAST_RATE_HZ = 10.0
MOST_POSES = 6
WALK_WINDOWS = 6
HANGING_DEG = 35.0  # a hanging forearm is not quite upright
GAP_PERIODS = 2.5
SIDES = ("left", "right")


class Step(Enum):
    """What the person is asked to do."""

    STILL = "still"
    WALK = "walk"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Wishes:
    """poses: how many. walk: guess the placement. wrist, like: the wrist it is worn on, and the model's; "": either.

    patience_s: stream seconds without a new pose, or a walk, until what there is has to do.
    """

    poses: int = 1
    walk: bool = False
    wrist: str = ""
    like: str = ""
    patience_s: float = 60.0

    def __post_init__(self) -> None:
        if not 1 <= self.poses <= MOST_POSES or self.patience_s <= 0:
            raise UsageError(
                f"{self.poses} poses, patience {self.patience_s:g} s",
                reason=Reason.VALUE,
                hint=f"give 1 to {MOST_POSES} poses and a patience above 0",
            )
        if bool(self.wrist) != bool(self.like) or not {self.wrist, self.like} <= {"", *SIDES}:
            raise UsageError(
                f"wrist '{self.wrist}', like '{self.like}'",
                reason=Reason.VALUE,
                hint="give both: --wrist right --like left mirrors the right wrist for a model of the left",
            )

    @property
    def mirrors(self) -> bool:
        """Whether the other wrist is to be looked at in a mirror."""
        return self.wrist != self.like


@dataclass(frozen=True, slots=True)
class Findings:
    """What the poses and the walk told. `notes`: what could not be known, and what is odd."""

    spec: StreamSpec
    gravity_g: Sequence[float]
    ups: Sequence[Up]
    accel: AccelFit
    gyro: GyroBias | None
    mirror: str
    placement: PlacementGuess | None
    notes: Sequence[str]

    def calibration(self, about: Mapping[str, Any] | None = None) -> Calibration:
        """As a file keeps it: only what was determined."""
        offset = {name: round(float(b), 6) for name, b, known in
                  zip(CHANNELS[:3], self.accel.bias_g, self.accel.known[:3], strict=True) if known}  # fmt: skip
        gain = {name: round(float(s), 6) for name, s, known in
                zip(CHANNELS[:3], self.accel.scale, self.accel.known[3:], strict=True) if known}  # fmt: skip
        if self.gyro is not None:
            offset |= {n: round(float(b), 6) for n, b in zip(CHANNELS[3:], self.gyro.bias_radps, strict=True)}
        told = {
            "poses": len(self.gravity_g),
            "gravity_g": [round(size, 4) for size in self.gravity_g],
            "up": [up.axis for up in self.ups],
            "residual_before_g": round(self.accel.before_g, 5),
            "residual_after_g": round(self.accel.after_g, 5),
        }
        if self.placement is not None:
            told["placement_guess"] = self.placement.place
        return Calibration(offset, gain, self.mirror, self.spec.simulated, told | dict(about or {}))


class Guide:
    """`push` chunks until `step` is DONE; `findings` then. Raises what keeps the sensor from being calibrated.

    poses: how many different ones were held so far.
    """

    def __init__(self, spec: StreamSpec, wishes: Wishes | None = None) -> None:
        self.wishes = wishes or Wishes()
        self.step = Step.STILL
        self.poses = 0
        self.notes: list[str] = []
        self._spec = spec
        self._columns, self._scale = _columns(spec)
        if spec.rate_hz < LEAST_RATE_HZ:
            raise InputError(
                f"the stream has {spec.rate_hz:g} samples a second, too few to tell still from moving",
                reason=Reason.VALUE,
                hint=f"ask the sensor for {LEAST_RATE_HZ:g} Hz or more: ?rate_hz=50",
            )
        self._still = StillMoments()
        self._moments: list[Still] = []
        self._news_ns: int | None = None  # device time of the latest pose or window, or of the beginning
        self._window: list[Float64] = []
        self._last_ns: int | None = None
        self._walk: list[Float64] = []
        self._clipped = 0

    @property
    def still_s(self) -> float:
        """How long the sensor has been still now."""
        return self._still.still_s

    @property
    def windows(self) -> int:
        """Windows with walking in them."""
        return len(self._walk)

    def prompt(self) -> str:
        """What the person should do now."""
        if self.step is Step.WALK:
            return f"walk as usual, straight on, for {round(WALK_WINDOWS * WINDOW_S)} seconds"
        if self.step is Step.DONE:
            return "done"
        if self.wishes.mirrors and not self.poses:
            return "let the arm hang down and hold it still for a few seconds"
        if self.wishes.poses == 1:
            return "hold it still for a few seconds"
        which = "on any side" if not self.poses else "on a side that it has not lain on yet"
        return f"pose {self.poses + 1} of {self.wishes.poses}: lay it down {which} and let go of it"

    def push(self, chunk: Chunk) -> None:
        """The stream's next samples."""
        if not len(chunk) or self.step is Step.DONE:
            return
        t_ns = chunk.t_dev_ns
        if self._news_ns is None or t_ns[-1] < self._news_ns:
            self._news_ns = int(t_ns[0])
        x = _in_g_and_radps(chunk, self._columns, self._scale)
        self._clipped += int(((chunk.flags & Flag.CLIPPED) != 0).sum())
        # One by one, so that what is found does not depend on how the stream is cut.
        for i, t in enumerate(t_ns.tolist()):
            if self.step is Step.STILL:
                self._hold(t, t_ns[i : i + 1], x[i : i + 1])
            elif self.step is Step.WALK:
                self._stride(t, x[i])

    def finish(self) -> Findings:
        """The stream is over, or the person has had enough: what came must do."""
        self._add(self._still.end())
        return self.findings()

    def findings(self) -> Findings:
        """Raises InputError where the sensor was never still, or feels no gravity of 1 g."""
        chosen = poses(self._moments)
        if not chosen:
            raise self._never_still()
        sizes = [check_gravity(moment) for moment in chosen]
        accel, gyro = fit_accelerometer(chosen), fit_gyroscope(self._moments)
        notes = list(self.notes)
        if unknown := unknown_parameters(accel):
            notes.append(
                f"{len(chosen)} {'pose does' if len(chosen) == 1 else 'poses do'} not determine {', '.join(unknown)}: "
                "these stay as they are; six poses, one on each side, determine all"
            )
        if gyro is None:
            notes.append("no gyroscope")
        if self._clipped:
            notes.append(f"{self._clipped} samples at the end of the range: choose a wider one")
        mirror = self._mirror(chosen[0]) if self.wishes.mirrors else ""
        return Findings(
            self._spec, sizes, [axis_up(moment) for moment in chosen], accel, gyro, mirror, self._guess(), notes
        )

    def _hold(self, t: int, t_ns: IntArray, x: Float64) -> None:
        before = self.poses
        self._add(self._still.push(t_ns, x[:, :3], x[:, 3:]))
        if self._still.is_long_enough and self.poses + 1 >= self.wishes.poses:
            self._add(self._still.end())  # the last pose need not end by being left
        if self.poses > before:
            self._news_ns = t
        waited = (t - (self._news_ns or 0)) / 1e9 > self.wishes.patience_s
        if self.poses < self.wishes.poses and not waited:
            return
        if not self.poses:
            raise self._never_still()
        if self.poses < self.wishes.poses:
            self.notes.append(f"{self.poses} of {self.wishes.poses} poses were held")
        self._news_ns = t
        self.step = Step.WALK if self.wishes.walk and self._can_walk() else Step.DONE

    def _add(self, moments: list[Still]) -> None:
        if moments:
            self._moments += moments
            self.poses = len(poses(self._moments))

    def _can_walk(self) -> bool:
        if self._spec.rate_hz >= LEAST_HZ and all(channel in self._columns for channel in CHANNELS):
            return True
        self.notes.append(f"no guess at the placement: it takes a gyroscope and {LEAST_HZ:g} samples a second or more")
        return False

    def _stride(self, t: int, row: Float64) -> None:
        if self._last_ns is not None and not 0 < t - self._last_ns < GAP_PERIODS * 1e9 / self._spec.rate_hz:
            self._window.clear()
        self._last_ns = t
        self._window.append(row)
        if len(self._window) == round(WINDOW_S * self._spec.rate_hz):
            window = np.array(self._window)
            self._window.clear()
            features = walking_features(window[:, :3], window[:, 3:], self._spec.rate_hz)
            if features is not None:
                self._walk.append(features)
                self._news_ns = t
        waited = (t - (self._news_ns or 0)) / 1e9 > self.wishes.patience_s
        if len(self._walk) >= WALK_WINDOWS or waited:
            self.step = Step.DONE

    def _guess(self) -> PlacementGuess | None:
        if not self.wishes.walk:
            return None
        return guess_placement(np.array(self._walk).reshape(len(self._walk), len(FEATURES)))

    def _mirror(self, hanging: Still) -> str:
        up = axis_up(hanging)
        if up.off_deg > HANGING_DEG:
            raise InputError(
                f"no axis of the sensor lies along the hanging forearm: {up.axis} is {up.off_deg:.0f} degrees off",
                reason=Reason.VALUE,
                hint="let the arm hang down in the first pose, and wear the sensor with an axis along the forearm",
            )
        return up.axis[1]

    def _never_still(self) -> InputError:
        moved = f" ({self._still.moved} times it moved too soon)" if self._still.moved else ""
        return InputError(
            f"the sensor was never still for three seconds{moved}",
            reason=Reason.VALUE,
            hint="lay it on a table, or hold the arm still; a machine that shakes the table shakes the sensor, too",
        )


def told_placement(guess: PlacementGuess) -> str:
    """One line for people: it is a guess, and how sure it is."""
    shares = ", ".join(
        f"{place} {100 * p:.0f} %" for place, p in sorted(guess.probabilities.items(), key=lambda i: -i[1])
    )
    if guess.place == UNKNOWN:
        return f"UNKNOWN: {guess.why}{f' ({shares})' if shares else ''}"
    return f"{guess.place}, a guess from {guess.windows} windows of walking ({shares})"


def _columns(spec: StreamSpec) -> tuple[dict[str, int], Float64]:
    """Where each of CHANNELS is, and [6] what its unit is divided by."""
    columns = {name: spec.channels.index(name) for name in CHANNELS if name in spec.channels}
    missing = [name for name in CHANNELS[:3] if name not in columns]
    if spec.kind != "imu" or missing:
        raise ContractError(
            f"the stream has no {', '.join(missing) or 'motion sensor'}\n  it has {', '.join(spec.channels[:8])}",
            reason=Reason.CONTRACT,
            hint="calibrate one motion sensor at a time, with the channels acc_x, acc_y, acc_z",
        )
    odd = [f"{name} in '{spec.units[at]}'" for name, at in columns.items() if spec.units[at] not in UNIT_OF]
    if odd:
        raise ContractError(odd[0], reason=Reason.CONTRACT, hint=f"known units: {', '.join(UNIT_OF)}")
    scale = [UNIT_OF[spec.units[columns[name]]] if name in columns else 1.0 for name in CHANNELS]
    return columns, np.array(scale)


def _in_g_and_radps(chunk: Chunk, columns: Mapping[str, int], scale: Float64) -> Float64:
    """[n, 6]; NaN where there is no such channel."""
    x = np.full((len(chunk), len(CHANNELS)), np.nan)
    for i, name in enumerate(CHANNELS):
        if name in columns:
            x[:, i] = chunk.x[:, columns[name]]
    return x / scale

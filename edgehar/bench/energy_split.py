"""From windows of work to millijoules per decision: idle subtracted, split into stages, each with its uncertainty.

With p the median idle power, and for every window of work w with N decisions in T seconds at mean power P,

    e_w = (P - p) T / N        the energy above idle of a decision

A stage is the median of its windows; the model is what the whole pipeline needs beyond preprocessing. Uncertainties are
standard ones (one sigma): that of a median of n windows, 1.2533 s / sqrt(n) for normal errors, with the meter's step
and with what the idle power's own uncertainty does to it. That last part is common to all stages.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from edgehar.bench.energy_windows import EnergyWindow
from edgehar.bench.meters.base import Mark, MeterFacts, Quantity
from edgehar.errors import InputError, Reason

MEDIAN = math.sqrt(math.pi / 2)
"""Standard error of a median over that of a mean, for normal errors."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, its standard uncertainty (None from a single window) and the number of windows behind it."""

    value: float
    uncertainty: float | None
    windows: int


@dataclass(frozen=True, slots=True)
class EnergySplit:
    """Millijoules per decision. `idle_mj` is the idle power over the time between two decisions, `period_s`.

    None: that stage was not measured.
    """

    idle_mw: Figure
    idle_mj: Figure
    acquisition_mj: Figure | None
    dsp_mj: Figure | None
    inference_mj: Figure | None
    decision_mj: Figure
    period_s: float

    @property
    def active_mj(self) -> float:
        """Above idle, of a decision: preprocessing, model, and acquisition where it was measured."""
        return self.decision_mj.value + (self.acquisition_mj.value if self.acquisition_mj else 0.0)

    def json(self) -> dict[str, object]:
        return {**asdict(self), "active_mj": self.active_mj}


@dataclass(frozen=True, slots=True)
class _Stage:
    """Net energy and time of a decision over the windows of one work; `spread` without the idle power's part."""

    net_mj: float
    seconds: float
    spread: float | None
    windows: int


def split(windows: Sequence[EnergyWindow], facts: MeterFacts, period_s: float) -> EnergySplit:
    """Raises InputError without a window of idling or of decisions, or where the meter stood still."""
    idle = _idle(windows, facts)
    stages = {mark: _stage(windows, mark, idle.value, facts) for mark in Mark}
    whole, dsp, acquisition = stages[Mark.DECISIONS], stages[Mark.DSP], stages[Mark.ACQUISITION]
    if whole is None:
        raise _refuse(f"{facts.name}: no window of whole decisions", "mark one: D0 high while the device decides")
    return EnergySplit(
        idle_mw=idle,
        idle_mj=Figure(idle.value * period_s, _times(idle.uncertainty, period_s), idle.windows),
        acquisition_mj=None if acquisition is None else _figure(acquisition, idle),
        dsp_mj=None if dsp is None else _figure(dsp, idle),
        inference_mj=None if dsp is None else _difference(whole, dsp, idle),
        decision_mj=_figure(whole, idle),
        period_s=period_s,
    )


def _idle(windows: Sequence[EnergyWindow], facts: MeterFacts) -> Figure:
    powers = [window.power_mw for window in windows if window.work is Mark.IDLE]
    if not powers:
        raise _refuse(f"{facts.name}: no window of idling", "idle energy must be known to be subtracted: mark some")
    power = statistics.median(powers)
    if power <= 0:
        raise _refuse(
            f"{facts.name}: {power:g} mW while idle: the meter does not move",
            "a virtual machine or a broken sensor: read it by hand, or use another meter",
        )
    seconds = statistics.median(window.duration_s for window in windows if window.work is Mark.IDLE)
    step = facts.resolution / (seconds if facts.quantity is Quantity.ENERGY else 1.0)
    return Figure(power, _with(_error(powers), step), len(powers))


def _stage(windows: Sequence[EnergyWindow], mark: Mark, idle_mw: float, facts: MeterFacts) -> _Stage | None:
    chosen = [window for window in windows if window.work is mark and window.decisions > 0]
    if not chosen:
        return None
    net = [(window.power_mw - idle_mw) * window.duration_s / window.decisions for window in chosen]
    seconds = statistics.median(window.duration_s / window.decisions for window in chosen)
    decisions = statistics.median(window.decisions for window in chosen)
    step = facts.resolution / decisions if facts.quantity is Quantity.ENERGY else facts.resolution * seconds
    return _Stage(statistics.median(net), seconds, _with(_error(net), step), len(chosen))


def _figure(stage: _Stage, idle: Figure) -> Figure:
    return Figure(stage.net_mj, _with(stage.spread, _times(idle.uncertainty, stage.seconds)), stage.windows)


def _difference(whole: _Stage, part: _Stage, idle: Figure) -> Figure:
    """The idle power's error is the same in both, so it counts for the difference of their times only."""
    own = _with(whole.spread, part.spread)
    common = _times(idle.uncertainty, whole.seconds - part.seconds)
    return Figure(whole.net_mj - part.net_mj, _with(own, common), min(whole.windows, part.windows))


def _error(values: Sequence[float]) -> float | None:
    """Standard error of the median of `values`."""
    return MEDIAN * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def _with(a: float | None, b: float | None) -> float | None:
    """Independent errors together."""
    return None if a is None or b is None else math.hypot(a, b)


def _times(error: float | None, factor: float) -> float | None:
    return None if error is None else abs(factor) * error


def _refuse(message: str, hint: str) -> InputError:
    return InputError(message, reason=Reason.VALUE, hint=hint)

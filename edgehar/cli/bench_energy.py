"""`edgehar bench energy`: a measurement by a meter, with a battery projection on request; or an estimate, apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgehar.errors import Reason, UsageError

if TYPE_CHECKING:
    from edgehar.bench.energy import EnergyMeasurement
    from edgehar.bench.energy_battery import Battery, Use
    from edgehar.bench.energy_estimate import EnergyEstimate
    from edgehar.bundle import Bundle

BATTERY = re.compile(r"(\d+(?:\.\d+)?)mAh,(\d+(?:\.\d+)?)V(?:,(\d+(?:\.\d+)?)%)?")
ESTIMATE = re.compile(r"([\w.-]+):(\d+(?:\.\d+)?(?:e\d+)?)")


@dataclass(frozen=True, slots=True)
class EnergyOptions:
    """What `bench energy` was asked for; `estimate` is BOARD:INSTRUCTIONS, empty for a measurement."""

    meter: str
    source: str = ""
    runtime: str = "numba"
    seconds: float = 10.0
    rounds: int = 5
    battery: str = ""
    duty: float = 1.0
    asleep_mw: float | None = None
    estimate: str = ""


@dataclass(frozen=True, slots=True)
class MeasuredEnergy:
    """A measurement, and what a battery would make of it."""

    measurement: EnergyMeasurement
    battery: Battery | None
    use: Use

    def json(self) -> dict[str, object]:
        from dataclasses import asdict

        from edgehar.bench.energy_battery import battery_life_h, mean_power_mw

        told = self.measurement.json()
        if self.battery is not None:
            split = self.measurement.split
            told["projection"] = {
                "battery": asdict(self.battery),
                **asdict(self.use),
                "mean_power_mw": mean_power_mw(split, self.use),
                "life_h": battery_life_h(self.battery, split, self.use),
            }
        return told


def run_energy(
    bundle: Bundle, options: EnergyOptions, report: Callable[[int, int], None] | None
) -> MeasuredEnergy | EnergyEstimate:
    """Measure, or estimate where that was asked for. All options are checked before anything takes time."""
    if options.estimate:
        return _estimated(options.estimate)
    from edgehar.bench.energy import Procedure, measure_energy
    from edgehar.bench.energy_battery import Use
    from edgehar.bench.meters import open_meter

    battery = _battery(options.battery) if options.battery else None
    use = Use(options.duty, options.asleep_mw)
    procedure = Procedure(rounds=options.rounds, window_s=options.seconds)
    told = measure_energy(
        bundle,
        open_meter(options.meter),
        runtime=options.runtime,
        source=options.source,
        procedure=procedure,
        report=report,
    )
    return MeasuredEnergy(told, battery, use)


def energy_lines(told: MeasuredEnergy | EnergyEstimate) -> list[str]:
    """One of two kinds of text, never both."""
    from edgehar.bench.energy_report import battery_lines, estimate_lines, measurement_lines

    if not isinstance(told, MeasuredEnergy):
        return estimate_lines(told)
    lines = measurement_lines(told.measurement)
    if told.battery is not None:
        lines += battery_lines(told.measurement, told.battery, told.use)
    return lines


def draw_energy(told: MeasuredEnergy | EnergyEstimate, path: Path) -> None:
    """Measured stages as bars with their standard uncertainty. An estimate has one figure and no picture."""
    if not isinstance(told, MeasuredEnergy):
        raise UsageError(
            "an estimate is one number, not a picture", reason=Reason.VALUE, hint="leave --plot out, or measure"
        )
    from edgehar.datasets.figure import new_figure, save_figure

    split = told.measurement.split
    named = {
        "inference": split.inference_mj,
        "dsp": split.dsp_mj,
        "acquisition": split.acquisition_mj,
        "idle": split.idle_mj,
    }
    stages = {name: stage for name, stage in named.items() if stage is not None}
    figure = new_figure(8, 1 + 0.4 * len(stages))
    axes = figure.subplots()
    values = [stage.value for stage in stages.values()]
    axes.barh(list(stages), values, xerr=[stage.uncertainty or 0.0 for stage in stages.values()])
    mark = " SIMULATED samples" if told.measurement.simulated else ""
    axes.set_xlabel(f"mJ per decision, measured by {told.measurement.meter.name}{mark}")
    save_figure(figure, path)


def _estimated(typed: str) -> EnergyEstimate:
    from edgehar.bench.energy_estimate import estimate_energy
    from edgehar.boards.boards import board

    matched = ESTIMATE.fullmatch(typed)
    if not matched:
        raise UsageError(
            f"--estimate '{typed}'",
            reason=Reason.FORMAT,
            hint="write BOARD:INSTRUCTIONS, the instructions of one decision: nrf52840:500000",
        )
    return estimate_energy(board(matched[1]), float(matched[2]))


def _battery(typed: str) -> Battery:
    from edgehar.bench.energy_battery import Battery

    matched = BATTERY.fullmatch(typed)
    if not matched:
        raise UsageError(
            f"--battery '{typed}'",
            reason=Reason.FORMAT,
            hint="write capacity, voltage and, if known, the usable share: 200mAh,3.7V,80%",
        )
    return Battery(float(matched[1]), float(matched[2]), float(matched[3] or 100) / 100)

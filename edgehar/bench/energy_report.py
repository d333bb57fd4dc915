"""Measurements and estimates as lines for people: two functions, two tables, never one."""

from __future__ import annotations

from edgehar.bench.energy import EnergyMeasurement
from edgehar.bench.energy_battery import Battery, Use, battery_life_h, mean_power_mw
from edgehar.bench.energy_estimate import EnergyEstimate
from edgehar.bench.energy_split import Figure

NOT_MEASURED = "not measured"


def measurement_lines(told: EnergyMeasurement) -> list[str]:
    """Meter, what it omits, and a table of millijoules per decision."""
    facts, split = told.meter, told.split
    rows = [
        ("idle", split.idle_mj),
        ("acquisition", split.acquisition_mj),
        ("dsp", split.dsp_mj),
        ("inference", split.inference_mj),
    ]
    ran = f" on {told.runtime}" if told.runtime else ""
    fed = f", samples from {told.samples_from}{' SIMULATED' if told.simulated else ''}" if told.samples_from else ""
    here = f"; {told.machine['cpu']}, {told.machine['system']}" if told.machine else ""
    return [
        f"MEASURED: {told.model_id}{ran}{fed}{here}",
        f"meter: {facts.title}; measures {facts.measures}; omits {facts.omits}",
        f"idle power {_cell(split.idle_mw)} mW; a decision is due every {split.period_s:g} s",
        f"{'':12}{'mJ per decision':>24}{'windows':>10}",
        *(f"{name:12}{_cell(figure):>24}{figure.windows if figure else '':>10}" for name, figure in rows),
        f"{'above idle':12}{split.active_mj:>24.4g}",
        *(f"note: {note}" for note in told.notes),
    ]


def battery_lines(told: EnergyMeasurement, battery: Battery, use: Use) -> list[str]:
    """The projection with all that it assumes."""
    hours = battery_life_h(battery, told.split, use)
    power = mean_power_mw(told.split, use)
    asleep = "idle" if use.asleep_mw is None else f"{use.asleep_mw:g} mW"
    share = f"{100 * battery.usable:g} % of {battery.capacity_mah:g} mAh at {battery.voltage_v:g} V"
    return [f"PROJECTED: {hours:.4g} h from {share}, at {power:.4g} mW (awake {100 * use.duty:g} %, else {asleep})"]


def estimate_lines(told: EnergyEstimate) -> list[str]:
    """The product, its factors and where they are from."""
    return [
        f"ESTIMATED, nothing was measured: {told.core_mj:.4g} mJ per decision by the core of {told.board}",
        f"{told.instructions:g} instructions x {told.nj_per_instruction:g} nJ ({told.source}; {told.conditions})",
    ]


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return NOT_MEASURED
    error = "?" if figure.uncertainty is None else f"{figure.uncertainty:.2g}"
    return f"{figure.value:.4g} +- {error}"

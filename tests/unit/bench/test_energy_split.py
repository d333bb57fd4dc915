"""Means over windows, idle subtracted, stages with their uncertainty, all against arithmetic done by hand."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from edgehar.bench.energy_battery import Battery, Use, battery_life_h, mean_power_mw
from edgehar.bench.energy_split import split
from edgehar.bench.energy_windows import EnergyWindow, Sampler, windows_of_trace
from edgehar.bench.energy_windows import mean_power_mw as mean_power_of
from edgehar.bench.meters.base import Block, Mark, MeterFacts, Quantity
from edgehar.errors import InputError, MissingError, Reason, UsageError

RAILS = ("a", "b", "part")


def facts(quantity: Quantity = Quantity.POWER, resolution: float = 0.0, decisions: float = 0.0) -> MeterFacts:
    return MeterFacts("m", "a meter", RAILS, ("a", "b"), quantity, resolution, 0.01, "all", "none", decisions)


def block(t_ms: list[int], a: list[float], marks: list[int] | None = None) -> Block:
    values = np.array([[v, 1.0, v / 2] for v in a])
    return Block(np.array(t_ms) * 1_000_000, values, None if marks is None else np.array(marks, np.int8))


def window(work: Mark, power_mw: float, decisions: float = 0.0, duration_s: float = 10.0) -> EnergyWindow:
    return EnergyWindow(work, power_mw, duration_s, decisions, {}, 100, 0)


def test_mean_power_of_powers_is_trapezoidal() -> None:
    means = mean_power_of(block([0, 100, 400], [10, 20, 40]), facts())
    assert means.tolist() == pytest.approx([(15 * 100 + 30 * 300) / 400, 1.0, (7.5 * 100 + 15 * 300) / 400])


def test_mean_power_of_energies_is_what_went_by() -> None:
    counts = Block(np.array([0, 1, 2]) * 1_000_000_000, np.array([[5.0, 0, 0], [6, 0, 0], [25, 4, 0]]))
    assert mean_power_of(counts, facts(Quantity.ENERGY)).tolist() == [10.0, 2.0, 0.0]


def test_one_reading_is_no_window() -> None:
    with pytest.raises(InputError, match="1 readings in a window"):
        mean_power_of(block([0], [1.0]), facts())


def test_a_trace_is_cut_at_its_marks() -> None:
    marks = [0, 0, 0, 1, 1, -1, -1, 1, 1, 1]
    powers = [5.0, 5, 5, 9, 11, 99, 99, 10, 10, 10]
    heard: list[tuple[int, int]] = []
    windows = windows_of_trace(
        block(list(range(0, 1000, 100)), powers, marks), facts(decisions=4), lambda *told: heard.append(told)
    )
    assert [w.work.name for w in windows] == ["IDLE", "DECISIONS", "DECISIONS"]
    assert [w.power_mw for w in windows] == [6.0, 11.0, 11.0]  # rail b adds 1, "part" is within a
    assert [w.duration_s for w in windows] == pytest.approx([0.3, 0.2, 0.2])  # the last row has no time after it
    assert [w.decisions for w in windows] == [0, 4, 4]
    assert windows[1].energy_mj == pytest.approx(2.2)
    assert heard[-1] == (4, 4)
    assert [(w.readings, w.lost) for w in windows] == [(3, 0), (2, 0), (3, 0)]


def test_a_trace_without_marks_is_refused() -> None:
    with pytest.raises(InputError, match="without marks"):
        windows_of_trace(block([0, 1], [1, 1]), facts(decisions=1), None)


def test_stages_are_differences_above_idle() -> None:
    windows = [
        *(window(Mark.IDLE, p) for p in (99, 100, 101)),
        *(window(Mark.ACQUISITION, p, 20) for p in (102, 104, 103)),
        *(window(Mark.DSP, p, 1000) for p in (150, 160, 170)),
        *(window(Mark.DECISIONS, p, 500) for p in (190, 200, 210)),
    ]
    told = split(windows, facts(), period_s=0.5)
    assert told.idle_mw.value == 100
    assert told.idle_mj.value == 50
    assert told.acquisition_mj is not None
    assert told.dsp_mj is not None
    assert told.inference_mj is not None
    assert told.acquisition_mj.value == pytest.approx(3 * 10 / 20)
    assert told.dsp_mj.value == pytest.approx(60 * 10 / 1000)
    assert told.decision_mj.value == pytest.approx(100 * 10 / 500)
    assert told.inference_mj.value == pytest.approx(2.0 - 0.6)
    assert told.active_mj == pytest.approx(2.0 + 1.5)
    # By hand: standard errors of medians, and the idle power's error times the seconds of a decision.
    median = math.sqrt(math.pi / 2)
    idle = median * 1.0 / math.sqrt(3)
    dsp, whole = median * 0.1 / math.sqrt(3), median * 0.2 / math.sqrt(3)
    assert told.idle_mw.uncertainty == pytest.approx(idle)
    assert told.idle_mj.uncertainty == pytest.approx(idle * 0.5)
    assert told.dsp_mj.uncertainty == pytest.approx(math.hypot(dsp, idle * 0.01))
    assert told.inference_mj.uncertainty == pytest.approx(math.sqrt(dsp**2 + whole**2 + (idle * 0.01) ** 2))


def test_the_median_ignores_one_disturbed_window() -> None:
    windows = [window(Mark.IDLE, 100)] * 5 + [window(Mark.DECISIONS, p, 100) for p in (200, 200, 900, 200, 200)]
    assert split(windows, facts(), 1.0).decision_mj.value == 10


def test_the_meters_step_is_part_of_the_uncertainty() -> None:
    windows = [window(Mark.IDLE, 100)] * 5 + [window(Mark.DECISIONS, 200, 100)] * 5
    by_energy = split(windows, facts(Quantity.ENERGY, resolution=50.0), 1.0)
    assert by_energy.idle_mw.uncertainty == pytest.approx(5.0)
    assert by_energy.decision_mj.uncertainty == pytest.approx(math.hypot(0.5, 5.0 * 0.1))
    by_power = split(windows, facts(Quantity.POWER, resolution=4.0), 1.0)
    assert by_power.idle_mw.uncertainty == pytest.approx(4.0)
    assert by_power.decision_mj.uncertainty == pytest.approx(math.hypot(0.4, 0.4))


def test_one_round_has_no_uncertainty() -> None:
    told = split([window(Mark.IDLE, 100), window(Mark.DECISIONS, 200, 100)], facts(), 1.0)
    assert told.decision_mj.uncertainty is None
    assert told.dsp_mj is told.inference_mj is told.acquisition_mj is None
    assert told.active_mj == told.decision_mj.value


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([window(Mark.DECISIONS, 200, 100)], "no window of idling"),
        ([window(Mark.IDLE, 100)], "no window of whole decisions"),
        ([window(Mark.IDLE, 100), window(Mark.DSP, 200, 100)], "no window of whole decisions"),
        ([window(Mark.IDLE, 0), window(Mark.DECISIONS, 0, 100)], "does not move"),
    ],
)
def test_what_a_split_needs(windows: list[EnergyWindow], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(windows, facts(), 1.0)


def test_battery_life_is_its_arguments_and_nothing_else() -> None:
    told = split([window(Mark.IDLE, 10), window(Mark.DECISIONS, 30, 100)], facts(), period_s=0.5)
    assert told.decision_mj.value == 2.0
    battery = Battery(200, 3.7, usable=0.5)
    assert battery.energy_mwh == pytest.approx(370)
    assert mean_power_mw(told, Use()) == pytest.approx(10 + 2 / 0.5)
    assert battery_life_h(battery, told, Use()) == pytest.approx(370 / 14)
    assert mean_power_mw(told, Use(0.25)) == pytest.approx(10 + 1)
    assert mean_power_mw(told, Use(0.25, asleep_mw=0.4)) == pytest.approx(0.25 * 14 + 0.75 * 0.4)
    for duty, asleep_mw in ((1.5, None), (0.0, 0.0), (1.0, -1.0)):
        with pytest.raises(UsageError, match="a duty of"):
            Use(duty, asleep_mw)
    for capacity, voltage, usable in ((0, 3.7, 1.0), (100, 0, 1.0), (100, 3.7, 1.1)):
        with pytest.raises(UsageError, match="a battery of"):
            Battery(capacity, voltage, usable)


class Failing:
    """A meter that breaks in the middle of a window."""

    facts = facts()

    def __init__(self) -> None:
        self.count = 0
        self.broke = threading.Event()

    def read(self) -> Block:
        self.count += 1
        if self.count > 1:
            self.broke.set()
            raise MissingError("m: unplugged", reason=Reason.NOT_FOUND, hint="plug it in")
        return block([0], [1.0])


def test_a_meter_that_breaks_in_a_window_is_told_after_it() -> None:
    meter = Failing()
    with pytest.raises(MissingError, match="unplugged"), Sampler(meter):  # type: ignore[arg-type]
        assert meter.broke.wait(10)


def test_an_error_of_the_work_is_not_covered_up() -> None:
    with pytest.raises(ZeroDivisionError), Sampler(Failing()):  # type: ignore[arg-type]
        raise ZeroDivisionError

"""The procedure: made-up power on a made-up clock, real work under a meter of processor time, recorded traces."""

from __future__ import annotations

import functools
import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from factories import random_bundle
from meter_trees import FakeClock, PowercapTree

from edgehar.bench import energy as procedures
from edgehar.bench.energy import EnergyMeasurement, HostClock, Procedure, measure_energy
from edgehar.bench.energy_battery import Battery, Use
from edgehar.bench.energy_estimate import EnergyEstimate, estimate_energy
from edgehar.bench.energy_report import battery_lines, estimate_lines, measurement_lines
from edgehar.bench.energy_work import NoModel, deciding, lap_after_lap, lap_of, preprocessing
from edgehar.bench.meters import Mark, open_meter
from edgehar.bench.meters.base import Block, MeterFacts, Quantity, one_reading
from edgehar.bench.meters.rapl import RaplMeter
from edgehar.boards.boards import board, parse_boards
from edgehar.bundle import Bundle
from edgehar.demo import BUNDLE
from edgehar.errors import ContractError, InputError, MissingError, UsageError
from edgehar.runtimes import make_runtime
from edgehar.sources import SourceUri, open_source
from edgehar.sources.stdin import StdinCsv
from edgehar.testing import check_meter
from edgehar.types import StreamSpec


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    from edgehar.bundle import open_bundle

    return open_bundle(BUNDLE)


class PowerOfWork:
    """A package that draws 5 W, 8 W while preprocessing (1 ms a decision) and 9 W while deciding (3 ms)."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        self.tree = PowercapTree(tmp_path, self.clock, {"intel-rapl:0": ("package-0", 5.0)}, 60_000_000)
        self.meter = RaplMeter(self.tree.root, self.clock.now_ns)
        monkeypatch.setattr(procedures, "preprocessing", lambda *_: self.step(8.0, 0.001))
        monkeypatch.setattr(procedures, "deciding", lambda *_: self.step(9.0, 0.003))

    def step(self, watts: float, seconds: float) -> Callable[[], float]:
        def step() -> float:
            self.tree.watts["intel-rapl:0"] = watts
            self.clock.sleep(seconds)
            self.tree.watts["intel-rapl:0"] = 5.0
            return 1.0

        return step


def test_energy_is_found_again(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = PowerOfWork(tmp_path, monkeypatch)
    heard: list[tuple[int, int]] = []
    told = measure_energy(
        bundle,
        device.meter,
        procedure=Procedure(rounds=3, window_s=0.3, settle_s=0.02),
        report=lambda *done: heard.append(done),
        clock=HostClock(device.clock.now_ns, device.clock.sleep),
    )
    assert told.split.idle_mw.value == pytest.approx(5000, rel=1e-3)
    assert told.split.dsp_mj is not None
    assert told.split.inference_mj is not None
    assert told.split.dsp_mj.value == pytest.approx(3.0, rel=2e-3)
    assert told.split.decision_mj.value == pytest.approx(12.0, rel=2e-3)
    assert told.split.inference_mj.value == pytest.approx(9.0, rel=2e-3)
    assert told.split.idle_mj.value == pytest.approx(5000 * 32 / 50, rel=1e-3)  # a hop of 32 at 50 Hz
    assert [window.work for window in told.windows] == [Mark.IDLE, Mark.DSP, Mark.DECISIONS] * 3
    assert all(window.duration_s >= 0.3 for window in told.windows)
    assert heard[-1] == (9, 9)


def test_a_window_lasts_until_it_has_decisions_enough(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = PowerOfWork(tmp_path, monkeypatch)
    told = measure_energy(
        bundle,
        device.meter,
        procedure=Procedure(rounds=1, window_s=0.01, decisions=100, settle_s=0),
        clock=HostClock(device.clock.now_ns, device.clock.sleep),
    )
    assert [window.decisions for window in told.windows] == [0, 100, 100]
    assert told.windows[2].duration_s == pytest.approx(0.3)


def test_a_meter_that_stands_still_is_refused(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = PowerOfWork(tmp_path, monkeypatch)
    device.clock.on_tick.clear()
    with pytest.raises(InputError, match="does not move"):
        measure_energy(
            bundle,
            device.meter,
            procedure=Procedure(rounds=1, window_s=0.2, settle_s=0),
            clock=HostClock(device.clock.now_ns, device.clock.sleep),
        )


def test_a_meter_that_cannot_see_the_work_is_refused(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = PowerOfWork(tmp_path, monkeypatch)
    monkeypatch.setattr(procedures, "deciding", lambda *_: device.step(5.0, 0.003))
    with pytest.raises(InputError, match="the meter cannot see it"):
        measure_energy(
            bundle,
            device.meter,
            procedure=Procedure(rounds=1, window_s=0.2, settle_s=0),
            clock=HostClock(device.clock.now_ns, device.clock.sleep),
        )


def test_what_the_meter_hardly_sees_is_noted(bundle: Bundle, tmp_path: Path) -> None:
    """Decisions at 10 mW among idle windows of 8 to 12 mW."""
    powers = {"idle": [8, 12, 9, 11], "decisions": [10.1, 11, 9, 12]}
    rows = []
    for t in range(800):
        mark = ("idle", "decisions")[t // 100 % 2]
        rows.append(f"{t / 100},{powers[mark][t // 200]},{mark}\n")
    (tmp_path / "lab.csv").write_text("time_s,power_mw,marker\n" + "".join(rows))
    told = measure_energy(bundle, open_meter(f"csv:{tmp_path / 'lab.csv'}?decisions=20"))
    assert any("hardly told from idling" in note for note in told.notes)


def test_one_window_says_that_its_error_is_not_known(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "lab.csv").write_text("time_s,power_mw,marker\n0,1,0\n1,1,0\n2,5,1\n3,5,1\n")
    told = measure_energy(bundle, open_meter(f"csv:{tmp_path / 'lab.csv'}?decisions=20"))
    assert told.split.decision_mj.uncertainty is None
    assert any("no uncertainty is known" in note for note in told.notes)
    assert "+- ?" in "\n".join(measurement_lines(told))


class Lossy(RaplMeter):
    """A meter of which every second reading is lost on the way."""

    def read(self) -> Block:
        return replace(super().read(), lost=1)


def test_lost_readings_are_told(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = PowerOfWork(tmp_path, monkeypatch)
    told = measure_energy(
        bundle,
        Lossy(device.tree.root, device.clock.now_ns),
        procedure=Procedure(rounds=1, window_s=0.05, settle_s=0),
        clock=HostClock(device.clock.now_ns, device.clock.sleep),
    )
    assert told.windows[0].lost == 1  # the one lost before the window's first reading is not the window's
    assert any("the meter lost 3 readings beside the 6" in note for note in told.notes)


class ProcessorTime:
    """Stands for a shunt: 2 W, and 10 W for every core that this process keeps busy. Real work moves it."""

    facts = MeterFacts(
        "cpu", "processor time", ("cpu",), ("cpu",), Quantity.ENERGY, 0.0, 0.01, "this process", "everything else"
    )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self) -> Block:
        t_ns = time.monotonic_ns()
        return one_reading(t_ns, [2e-6 * t_ns + 10e-6 * time.process_time_ns()])


def test_real_work_is_told_from_idling(bundle: Bundle) -> None:
    check_meter(ProcessorTime)
    told = measure_energy(
        bundle, ProcessorTime(), runtime="reference", procedure=Procedure(rounds=2, window_s=0.15, settle_s=0.05)
    )
    works = {mark: [w for w in told.windows if w.work is mark] for mark in Mark}
    assert told.split.decision_mj.value > 0
    assert told.simulated
    assert told.samples_from == "virtual:imu"
    assert "acquisition is not measured: virtual is no sensor" in told.notes
    assert min(w.decisions for w in works[Mark.DECISIONS]) >= 10
    assert not works[Mark.ACQUISITION]
    lines = "\n".join(measurement_lines(told))
    assert "SIMULATED" in lines
    assert "MEASURED" in lines
    assert "omits everything else" in lines


def test_a_live_source_is_measured_too(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of CSV, read in small pieces, stands for a sensor."""
    header = "t_ns," + ",".join(bundle.manifest.contract.channels)
    rows = [f"{i * 20_000_000}," + ",".join(["0.5"] * 6) for i in range(1, 20_000)]
    content = "\n".join([header, *rows]).encode() + b"\n"
    opened = []

    def sensor(uri: SourceUri, *, expected: StreamSpec) -> StdinCsv:
        opened.append(uri.text)
        return StdinCsv(uri, expected, functools.partial(io.BytesIO(content).read, 1000))

    monkeypatch.setattr(procedures, "open_source", sensor)
    told = measure_energy(
        bundle,
        ProcessorTime(),
        source="stdin:csv",
        runtime="reference",
        procedure=Procedure(rounds=1, window_s=0.02, decisions=2, settle_s=0),
    )
    assert told.split.acquisition_mj is not None
    assert opened == ["stdin:csv", "stdin:csv"]  # the samples, then the window
    assert not told.simulated


def test_a_stream_of_another_kind_is_refused(bundle: Bundle) -> None:
    other = random_bundle("fastgrnn", channels=3)
    with pytest.raises(ContractError):
        measure_energy(other, ProcessorTime())


def test_a_short_recording_is_refused(bundle: Bundle) -> None:
    with pytest.raises(InputError, match=r"gave \d+ samples, a window and a hop are 160"):
        lap_of(open_source("virtual:imu?duration_s=2&speed=0"), bundle)


def test_laps_go_on_without_a_seam(bundle: Bundle) -> None:
    chunks = lap_of(open_source("virtual:imu?seed=3&speed=0"), bundle)
    samples = sum(map(len, chunks))
    stream = lap_after_lap(chunks)
    laps = [next(stream) for _ in range(3 * len(chunks))]
    seq = np.concatenate([chunk.seq for chunk in laps])
    t_ns = np.concatenate([chunk.t_dev_ns for chunk in laps])
    assert np.array_equal(np.diff(seq), np.ones(3 * samples - 1))
    assert np.diff(t_ns).min() > 0
    assert np.diff(t_ns).max() < 2 * np.diff(t_ns).min()


def test_without_the_model_as_many_decisions_come_due(bundle: Bundle) -> None:
    chunks = lap_of(open_source("virtual:imu?seed=3&speed=0"), bundle)
    bare, whole = preprocessing(bundle, chunks), deciding(bundle, chunks, "reference")
    counts = [(bare(), whole()) for _ in range(2 * len(chunks))]
    assert all(without == with_model for without, with_model in counts)
    assert sum(without for without, _ in counts) > 60


def test_windows_without_a_model_end_where_they_end_with_one() -> None:
    bundle = random_bundle("fastgrnn", window=32, hop=16)
    ours, reference = NoModel(bundle.manifest), make_runtime("reference", bundle)
    rng = np.random.default_rng(0)
    for n in (1, 30, 1, 16, 5, 40, 0, 100):
        x = rng.standard_normal((n, 6)).astype(np.float32)
        ends, logits = ours.push(x)
        assert ends.tolist() == reference.push(x)[0].tolist()
        assert logits.shape == (len(ends), 4)
    ours.reset()
    assert ours.push(np.zeros((32, 6), np.float32))[0].tolist() == [32]
    assert ours.window(np.zeros((32, 6), np.float32)).tolist() == [0.0] * 4
    assert ours.spike_rates() == {}


def lab_trace(tmp_path: Path) -> str:
    """Three stretches each of idling at 3 mW, preprocessing at 5 and deciding at 9 mW, 1 s long, 20 decisions."""
    rows = []
    for t in range(9000):
        mark = ("idle", "dsp", "decisions")[t // 1000 % 3]
        rows.append(f"{t / 1000},{ {'idle': 3, 'dsp': 5, 'decisions': 9}[mark] },{mark}")
    (tmp_path / "lab.csv").write_text("time_s,power_mw,marker\n" + "\n".join(rows) + "\n")
    return f"csv:{tmp_path / 'lab.csv'}?decisions=20"


def test_a_trace_is_measured_without_running_anything(bundle: Bundle, tmp_path: Path) -> None:
    told = measure_energy(bundle, open_meter(lab_trace(tmp_path)))
    assert told.split.idle_mw.value == pytest.approx(3)
    assert told.split.dsp_mj is not None
    assert told.split.dsp_mj.value == pytest.approx(2 / 20, rel=2e-3)
    assert told.split.decision_mj.value == pytest.approx(6 / 20, rel=2e-3)
    assert told.machine is None
    assert not told.simulated
    assert told.notes == (
        "20 decisions in every marked stretch, as stated",
        "the shortest stretch has 0.999 s, MLPerf Tiny asks for 10 s",
    )


def test_measurements_and_estimates_are_never_of_one_type(bundle: Bundle, tmp_path: Path) -> None:
    measured = measure_energy(bundle, open_meter(lab_trace(tmp_path)))
    text = """[m]
title = "a board"\ncpu = "Cortex-M4F"\nclock_hz = 1\nram_bytes = 1\nmodel_ram_bytes = 1\nsource = "s"
formats = { c = ["int8"] }\ncompiler = "gcc"\nflags = []\ndsp = true
energy = { nj_per_instruction = 0.2, source = "a paper, table 2", conditions = "3 V, from flash" }
"""
    estimated = estimate_energy(parse_boards(text, "t")["m"], 500_000)
    assert estimated.core_mj == pytest.approx(0.1)
    told = [json.loads(json.dumps(one.json())) for one in (measured, estimated)]
    assert [one["type"] for one in told] == ["energy-measurement", "energy-estimate"]
    assert not set(told[0]) & set(told[1]) - {"type"}
    assert told[1]["source"] == "a paper, table 2"
    assert not issubclass(EnergyEstimate, EnergyMeasurement)
    assert "ESTIMATED, nothing was measured" in estimate_lines(estimated)[0]
    with pytest.raises(AttributeError):
        measurement_lines(estimated)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="0 instructions"):
        estimate_energy(board("nrf52840"), 0)


def test_without_a_source_there_is_no_estimate() -> None:
    with pytest.raises(MissingError, match="no estimate for nrf52840") as caught:
        estimate_energy(board("nrf52840"), 1000)
    assert "source and conditions" in caught.value.hint


def test_a_projection_says_what_it_assumes(bundle: Bundle, tmp_path: Path) -> None:
    told = measure_energy(bundle, open_meter(lab_trace(tmp_path)))
    (line,) = battery_lines(told, Battery(100, 3.7, 0.8), Use(0.5, asleep_mw=0.1))
    assert line.startswith("PROJECTED: ")
    assert "80 % of 100 mAh at 3.7 V" in line
    assert "awake 50 %, else 0.1 mW" in line


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"window_s": 0.0}, {"decisions": 0}, {"settle_s": -1.0}])
def test_a_procedure_measures_something(wrong: dict) -> None:
    with pytest.raises(UsageError, match=r"rounds of .* decisions") as caught:
        Procedure(**wrong)
    assert "the default is 5 rounds of 10 s" in caught.value.hint

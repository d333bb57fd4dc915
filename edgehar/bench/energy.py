"""`edgehar bench energy`: what a decision takes from the supply, by a meter, in the manner of MLPerf Tiny.

MLPerf Tiny (Banbury et al., 2021) runs a model for at least ten seconds and ten inferences and reports the median of
five runs. So do we; in a round each kind of work has one window, so that all see the same temperature and neighbours:

    idle -> acquisition (a live source only) -> preprocessing -> preprocessing and model

`energy_split` subtracts the idle power. A recorded trace brings its windows along, marked. Nothing here estimates: see
`energy_estimate` for figures from instruction counts, which are of another type.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgehar.bench.energy_split import EnergySplit, split
from edgehar.bench.energy_windows import EnergyWindow, Sampler, joined, window_of, windows_of_trace
from edgehar.bench.energy_work import Step, deciding, idling, lap_of, preprocessing, receiving
from edgehar.bench.meters.base import Block, Mark, Meter, MeterFacts
from edgehar.bench.timing import machine
from edgehar.bundle import Bundle
from edgehar.contract import Contract
from edgehar.errors import InputError, Reason, UsageError
from edgehar.sources import SourceUri, open_source
from edgehar.types import StreamSpec

Report = Callable[[int, int], None]
Work = Callable[[], contextlib.AbstractContextManager[Step]]
UNHURRIED = ("replay", "virtual")
"""Sources that can be read faster than their sensor sends."""
DEFAULT_SOURCE = "virtual:imu"
ROUNDING = 1e-9  # of doubles, with room: a meter that always tells the same has seen nothing
SIGNIFICANT = 2.0


@dataclass(frozen=True, slots=True)
class Procedure:
    """How long and how often. `settle_s`: work before each window that is not measured; clocks step up meanwhile."""

    rounds: int = 5
    window_s: float = 10.0
    decisions: int = 10
    settle_s: float = 1.0

    def __post_init__(self) -> None:
        if self.rounds < 1 or not self.window_s > 0 or self.decisions < 1 or self.settle_s < 0:
            raise UsageError(
                f"{self.rounds} rounds of {self.window_s:g} s and {self.decisions} decisions",
                reason=Reason.VALUE,
                hint="give at least 1 round, 1 decision and some seconds; the default is 5 rounds of 10 s",
            )


@dataclass(frozen=True, slots=True)
class HostClock:
    """Monotonic ns, and a way to wait."""

    now_ns: Callable[[], int] = time.monotonic_ns
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class EnergyMeasurement:
    """What a meter read. `simulated`: the samples came from a simulated sensor; the energy did not.

    `machine` is None for a trace: what it was recorded on is not known here.
    """

    meter: MeterFacts
    split: EnergySplit
    windows: tuple[EnergyWindow, ...]
    model_id: str
    bundle_sha256: str
    runtime: str
    samples_from: str
    simulated: bool
    machine: Mapping[str, object] | None
    notes: tuple[str, ...]

    def json(self) -> dict[str, object]:
        """`type` tells it from an estimate, whatever file it ends up in."""
        rest = {
            name: getattr(self, name) for name in ("model_id", "bundle_sha256", "runtime", "samples_from", "simulated")
        }
        return {
            "type": "energy-measurement",
            **rest,
            "meter": self.meter.json(),
            "split": self.split.json(),
            "windows": [window.json() for window in self.windows],
            "machine": None if self.machine is None else dict(self.machine),
            "notes": list(self.notes),
        }


def measure_energy(
    bundle: Bundle,
    meter: Meter,
    *,
    runtime: str = "numba",
    source: str = "",
    procedure: Procedure | None = None,
    report: Report | None = None,
    clock: HostClock | None = None,
) -> EnergyMeasurement:
    """Energy per decision of `bundle` on what `meter`, not yet open, is wired to.

    `source` gives the samples; a live one is measured too, as acquisition. Without one a simulated person moves. A
    meter of a recorded trace is read and nothing is run. Raises MissingError, InputError or UsageError.
    """
    with meter:
        if meter.facts.decisions:
            return _of_trace(bundle, meter, report)
        return _live(bundle, meter, runtime, source, procedure or Procedure(), report, clock or HostClock())


def _of_trace(bundle: Bundle, meter: Meter, report: Report | None) -> EnergyMeasurement:
    blocks: list[Block] = []
    while not blocks or len(blocks[-1]):
        blocks.append(meter.read())
    whole = joined(blocks[:-1] or blocks)
    windows = windows_of_trace(whole, meter.facts, report)
    notes = [f"{meter.facts.decisions:g} decisions in every marked stretch, as stated"]
    shortest = min((window.duration_s for window in windows), default=0.0)
    if shortest < Procedure().window_s:
        notes.append(f"the shortest stretch has {shortest:.3g} s, MLPerf Tiny asks for {Procedure().window_s:g} s")
    return _measurement(
        bundle,
        meter,
        windows,
        runtime="",
        samples_from="",
        simulated=False,
        measured_here=False,
        notes=notes,
        lost=whole.lost,
    )


def _live(
    bundle: Bundle,
    meter: Meter,
    runtime: str,
    source: str,
    procedure: Procedure,
    report: Report | None,
    clock: HostClock,
) -> EnergyMeasurement:
    address = SourceUri.parse(source or DEFAULT_SOURCE)
    expected = _expected(bundle.manifest.contract)
    unhurried = address.having(speed="0") if address.scheme in UNHURRIED else address
    chunks = lap_of(open_source(unhurried, expected=expected), bundle)
    simulated = chunks[0].spec.simulated
    notes: list[str] = []
    works: dict[Mark, Work] = {Mark.IDLE: _always(idling(clock.sleep))}
    if address.scheme in UNHURRIED:
        notes.append(f"acquisition is not measured: {address.scheme} is no sensor")
    else:
        works[Mark.ACQUISITION] = lambda: receiving(open_source(address, expected=expected), bundle.manifest)
    works[Mark.DSP] = _always(preprocessing(bundle, chunks))
    works[Mark.DECISIONS] = _always(deciding(bundle, chunks, runtime))
    windows = _rounds(meter, works, procedure, report, clock)
    return _measurement(
        bundle,
        meter,
        windows,
        runtime=runtime,
        samples_from=address.text,
        simulated=simulated,
        measured_here=True,
        notes=notes,
        lost=sum(window.lost for window in windows),
    )


def _always(step: Step) -> Work:
    """Work that needs nothing opened."""
    return lambda: contextlib.nullcontext(step)


def _rounds(
    meter: Meter, works: Mapping[Mark, Work], procedure: Procedure, report: Report | None, clock: HostClock
) -> list[EnergyWindow]:
    """One window of every work in each round."""
    windows = []
    sampler = Sampler(meter)
    for _ in range(procedure.rounds):
        for mark, work in works.items():
            at_least = 0 if mark is Mark.IDLE else procedure.decisions
            with work() as step:
                _run(step, procedure.settle_s, 0, clock)
                with sampler:
                    decisions, duration_s = _run(step, procedure.window_s, at_least, clock)
            block = sampler.block()
            windows.append(window_of(block, meter.facts, mark, decisions, duration_s))
            if report is not None:
                report(len(windows), procedure.rounds * len(works))
    return windows


def _run(step: Step, seconds: float, at_least: float, clock: HostClock) -> tuple[float, float]:
    """Work for `seconds`, and for `at_least` decisions; (decisions, seconds that it took)."""
    began_ns = clock.now_ns()
    decisions, gone_ns = 0.0, 0
    while gone_ns < seconds * 1e9 or decisions < at_least:
        decisions += step()
        gone_ns = clock.now_ns() - began_ns
    return decisions, gone_ns / 1e9


def _expected(contract: Contract) -> StreamSpec:
    return StreamSpec(
        contract.kind, contract.channels, contract.rate_hz, contract.units, contract.axes, contract.placement
    )


def _measurement(
    bundle: Bundle,
    meter: Meter,
    windows: list[EnergyWindow],
    *,
    runtime: str,
    samples_from: str,
    simulated: bool,
    measured_here: bool,
    notes: list[str],
    lost: int,
) -> EnergyMeasurement:
    manifest, facts = bundle.manifest, meter.facts
    told = split(windows, facts, manifest.hop / manifest.contract.rate_hz)
    decision = told.decision_mj
    gross = statistics.median(w.energy_mj / w.decisions for w in windows if w.work is Mark.DECISIONS)
    if decision.value <= ROUNDING * gross:
        raise InputError(
            f"{facts.name}: a decision takes {decision.value:.3g} mJ more than idling: the meter cannot see it",
            reason=Reason.VALUE,
            hint="measure longer (--seconds 60), stop what else runs there, or use a finer meter",
        )
    if lost:
        readings = sum(window.readings for window in windows)
        notes = [*notes, f"the meter lost {lost} readings beside the {readings} that the windows hold"]
    if decision.uncertainty is None:
        notes = [*notes, "one window of each work: no uncertainty is known; give more --rounds"]
    elif decision.value < SIGNIFICANT * decision.uncertainty:
        notes = [*notes, "a decision is hardly told from idling: less than two standard uncertainties; measure longer"]
    return EnergyMeasurement(
        meter=facts,
        split=told,
        windows=tuple(windows),
        model_id=manifest.model_id,
        bundle_sha256=bundle.sha256,
        runtime=runtime,
        samples_from=samples_from,
        simulated=simulated,
        machine=machine() if measured_here else None,
        notes=tuple(notes),
    )

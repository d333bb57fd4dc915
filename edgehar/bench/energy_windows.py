"""Mean power over a stretch of one kind of work: sampled live beside the work, or cut out of a marked trace."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from edgehar.bench.meters.base import Block, Float64, Mark, Meter, MeterFacts, Quantity
from edgehar.errors import EdgeHarError, InputError, Reason

NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class EnergyWindow:
    """One stretch of work: `decisions` made in `duration_s` at a mean of `power_mw`, by rail too.

    `readings` are behind the mean, `lost` ones are not: the time that they stood for is bridged by a straight line.
    """

    work: Mark
    power_mw: float
    duration_s: float
    decisions: float
    rails_mw: Mapping[str, float]
    readings: int
    lost: int

    @property
    def energy_mj(self) -> float:
        """Idle power included."""
        return self.power_mw * self.duration_s

    def json(self) -> dict[str, object]:
        told: dict[str, object] = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "work": self.work.name.lower(), "rails_mw": dict(self.rails_mw), "energy_mj": self.energy_mj}


class Sampler:
    """Reads a meter in a thread while the caller works: `with sampler: work()`, then `sampler.block()`; and again."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._blocks: list[Block] = []
        self._enough = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: EdgeHarError | None = None

    def __enter__(self) -> Self:
        """What was read before is dropped but for the latest reading, which begins the window."""
        self._blocks = [_last(self._meter.read())]
        self._enough.clear()
        self._error = None
        self._thread = threading.Thread(target=self._sample, name="edgehar-meter", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """One more reading at the end. Raises what the meter raised meanwhile, unless the work itself went wrong."""
        self._enough.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if error is not None:
            return
        if self._error is not None:
            raise self._error
        self._blocks.append(self._meter.read())

    def block(self) -> Block:
        """All readings of the latest window."""
        return joined(self._blocks)

    def _sample(self) -> None:
        try:
            while not self._enough.wait(self._meter.facts.interval_s):
                self._blocks.append(self._meter.read())
        except EdgeHarError as error:
            self._error = error


def joined(blocks: Sequence[Block]) -> Block:
    """One block; marks only where every one of them has some."""
    marks = [block.marks for block in blocks if block.marks is not None]
    return Block(
        np.concatenate([block.t_ns for block in blocks]),
        np.concatenate([block.values for block in blocks]),
        np.concatenate(marks) if len(marks) == len(blocks) else None,
        sum(block.lost for block in blocks),
    )


def mean_power_mw(block: Block, facts: MeterFacts) -> Float64:
    """Mean power of every rail [rails]: energy gone by, or power by the trapezoidal rule, over the block's time.

    Raises InputError for fewer than two readings.
    """
    seconds = (block.t_ns - block.t_ns[:1]) / NS_PER_S
    if len(block) < 2 or seconds[-1] <= 0:
        raise InputError(
            f"{facts.name}: {len(block)} readings in a window",
            reason=Reason.TRUNCATED,
            hint="measure longer: --seconds 10",
        )
    if facts.quantity is Quantity.ENERGY:
        gone: Float64 = (block.values[-1] - block.values[0]) / seconds[-1]
        return gone
    between = (block.values[1:] + block.values[:-1]) / 2
    mean: Float64 = (between * np.diff(seconds)[:, None]).sum(axis=0) / seconds[-1]
    return mean


def window_of(block: Block, facts: MeterFacts, work: Mark, decisions: float, duration_s: float) -> EnergyWindow:
    """The block's mean power, over the time that the work took by its own clock."""
    means = dict(zip(facts.rails, map(float, mean_power_mw(block, facts)), strict=True))
    power_mw = sum(means[rail] for rail in facts.summed)
    return EnergyWindow(work, power_mw, duration_s, decisions, means, len(block), block.lost)


def windows_of_trace(block: Block, facts: MeterFacts, report: Callable[[int, int], None] | None) -> list[EnergyWindow]:
    """A window for every stretch of equal marks, but for UNKNOWN. Raises InputError without any, or for a short one."""
    if block.marks is None or not len(block):
        raise InputError(
            f"{facts.name}: a trace without marks",
            reason=Reason.FORMAT,
            hint="wire a pin to D0, or add a column marker",
        )
    edges = np.flatnonzero(np.diff(block.marks)) + 1
    bounds = [0, *edges.tolist(), len(block)]
    windows = []
    for i, (begin, end) in enumerate(itertools.pairwise(bounds)):
        mark = Mark(int(block.marks[begin]))
        if mark is not Mark.UNKNOWN:
            cut = Block(block.t_ns[begin:end], block.values[begin:end])
            # The last reading of a stretch stands for the time up to the next one.
            after = block.t_ns[min(end, len(block) - 1)]
            duration_s = float(after - block.t_ns[begin]) / NS_PER_S
            decisions = 0.0 if mark is Mark.IDLE else facts.decisions
            windows.append(window_of(cut, facts, mark, decisions, duration_s))
        if report is not None:
            report(i + 1, len(bounds) - 1)
    return windows


def _last(block: Block) -> Block:
    return Block(block.t_ns[-1:], block.values[-1:])

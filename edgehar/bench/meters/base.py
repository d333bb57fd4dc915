"""What a meter is: something that reads, again and again, what a device draws from its supply."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Marks = NDArray[np.int8]


class Quantity(StrEnum):
    """What the values of a meter are."""

    ENERGY = "energy"  # millijoules since some moment; never falls
    POWER = "power"  # milliwatts at an instant


class Mark(IntEnum):
    """What the device was doing when a value was taken; a recorded trace says so, by a column or by two pins."""

    IDLE = 0
    DECISIONS = 1  # the whole pipeline: preprocessing and model
    DSP = 2  # the same without the model
    ACQUISITION = 3  # only receiving samples
    UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """What a meter reads, for the reader of a figure.

    `rails`: all that are read; `summed`: those that add up to the device's draw, where others are parts of them.
    `resolution`: the smallest step of the sum, in mJ or mW; 0 where the meter does not tell. `interval_s`: how often
    a reading is worth its cost. `measures`, `omits`: what is within the rails and what is not.
    `decisions`: above 0 for traces with marks: the number of decisions in every marked stretch.
    """

    name: str
    title: str
    rails: tuple[str, ...]
    summed: tuple[str, ...]
    quantity: Quantity
    resolution: float
    interval_s: float
    measures: str
    omits: str
    decisions: float = 0.0

    def json(self) -> dict[str, object]:
        """Plain JSON types."""
        told: dict[str, object] = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "rails": list(self.rails), "summed": list(self.summed), "quantity": self.quantity.value}


@dataclass(frozen=True, slots=True)
class Block:
    """Readings, oldest first: t_ns [n] int64, values [n, rails] float64 in mJ or mW, marks [n] of traces.

    `lost`: readings that the meter took and that did not arrive, before or within the block.
    """

    t_ns: NDArray[np.int64]
    values: Float64
    marks: Marks | None = None
    lost: int = 0

    def __len__(self) -> int:
        return len(self.t_ns)


class Meter(Protocol):
    """`with meter: block = meter.read()`; proved by `edgehar.testing.check_meter`.

    A meter may be entered again after it was left. What is not there, or may not be read, is a MissingError from
    `__enter__` with the command that mends it.
    """

    @property
    def facts(self) -> MeterFacts:
        """Valid once the meter is open."""
        ...

    def __enter__(self) -> Self:
        """Find the rails, open ports and files."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened; harmless when repeated."""
        ...

    def read(self) -> Block:
        """What there is to read now: one reading, or all since the last call where the meter streams.

        A live meter stamps readings by `time.monotonic_ns`, and gives at least one. A trace has its own clock, gives
        all of itself at the first call and nothing after.
        """
        ...


def one_reading(t_ns: int, values: list[float]) -> Block:
    """A block of one reading, values [rails]."""
    return Block(np.array([t_ns], np.int64), np.array([values], np.float64))

"""Energy from instruction counts: a type of its own, so that no table can hold it beside a measurement.

    e = instructions of a decision x energy of an instruction on that board

The board's figure is a mean over somebody else's program, without sensor, radio and sleep; `boards.toml` holds it with
its source and its conditions, or not at all. Without it there is no estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgehar.boards.boards import Board
from edgehar.errors import MissingError, Reason, UsageError


@dataclass(frozen=True, slots=True)
class EnergyEstimate:
    """Of the core alone, executing a decision's instructions. Nothing was measured."""

    board: str
    instructions: float
    nj_per_instruction: float
    source: str
    conditions: str

    @property
    def core_mj(self) -> float:
        """Millijoules per decision of the core."""
        return self.instructions * self.nj_per_instruction / 1e6

    def json(self) -> dict[str, object]:
        """`type` tells it from a measurement, whatever file it ends up in."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {"type": "energy-estimate", **fields, "core_mj": self.core_mj}


def estimate_energy(board: Board, instructions: float) -> EnergyEstimate:
    """The estimate for `instructions` executed in a decision, such as steps of a hop times those of a row `mcu.*`.

    Raises MissingError where the board's table has no energy with a source.
    """
    if not instructions > 0:
        raise UsageError(
            f"{instructions:g} instructions in a decision",
            reason=Reason.VALUE,
            hint="count them: benchmarks/results/mcu.jsonl holds instructions per step",
        )
    if board.energy is None:
        raise MissingError(
            f"no estimate for {board.name}: nobody's figure for the energy of an instruction there is on record",
            reason=Reason.NOT_FOUND,
            hint=f"measure it (--meter), or add energy with source and conditions to [{board.name}] in boards.toml",
        )
    energy = board.energy
    return EnergyEstimate(board.name, instructions, energy.nj_per_instruction, energy.source, energy.conditions)

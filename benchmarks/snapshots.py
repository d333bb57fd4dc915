"""The averaged weights of a training after each of its epochs: for figures stamped as selected on test data."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from edgehar.models.base import Model


@dataclass(slots=True)
class Snapshots:
    """A `edgehar.train.constraint.Constraint` that imposes nothing."""

    epochs: int
    kept: list[Model] = field(default_factory=list)
    ends: bool = False
    settled: bool = True

    def after_step(self, model: Model, step: int, steps: int) -> None:
        del model
        self.ends = (step + 1) % (steps // self.epochs) == 0

    def impose(self, model: Model) -> None:
        if self.ends:
            self.kept.append(copy.deepcopy(model))

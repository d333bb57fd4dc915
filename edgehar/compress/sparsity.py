"""Constraints on a training that hold pruned weights at zero, from the first step or along a schedule."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from edgehar.compress.blocks import SINGLE, Block, Masks, Units, as_arrays, units_of
from edgehar.compress.prune import cubic, masks
from edgehar.models.base import Model

SCHEDULES = ("one-shot", "gradual")
RAMP = 0.6
"""Fraction of a gradual fine-tuning during which sparsity rises; the rest mends what the last weights cost."""
UPDATE_EVERY = 8
"""Minibatches between two choices of the weights to prune, while sparsity rises."""


@torch.no_grad()
def impose(model: Model, chosen: Masks) -> None:
    """Zero what the masks leave out; tensors without a mask are untouched."""
    for name, parameter in model.matrices().items():
        if name in chosen:
            parameter.mul_(torch.from_numpy(chosen[name]))


def present(model: Model) -> Masks:
    """The masks that hold every zero that the model has."""
    return {name: weights != 0 for name, weights in as_arrays(model.matrices()).items()}


def density(model: Model) -> float:
    """The fraction of prunable weights that are not zero."""
    kept = present(model).values()
    return sum(int(mask.sum()) for mask in kept) / sum(mask.size for mask in kept)


@dataclass(slots=True)
class Pruning:
    """How weights are chosen: see `edgehar.compress.prune`. Magnitudes are those of the parameters that train."""

    sparsity: float
    method: str = "global"
    min_threshold: float = 0.0
    block: Block = SINGLE
    seed: int = 0

    def choose(self, model: Model, sparsity: float) -> Masks:
        """The masks of the model as it is now; what is zero stays out of them, whatever the method or sparsity."""
        weights = as_arrays(model.matrices())
        units: dict[str, Units] = units_of(weights, model.family, self.block)
        chosen = masks(self.method, weights, units, sparsity, min_threshold=self.min_threshold, seed=self.seed)
        return {name: mask & (weights[name] != 0) for name, mask in chosen.items()}


@dataclass(slots=True)
class OneShot:
    """Masks chosen once, before the first step: `edgehar.train.constraint.Constraint`."""

    chosen: Masks

    @property
    def settled(self) -> bool:
        return True

    def after_step(self, model: Model, step: int, steps: int) -> None:  # noqa: ARG002
        impose(model, self.chosen)

    def impose(self, model: Model) -> None:
        impose(model, self.chosen)


@dataclass(slots=True)
class Gradual:
    """Sparsity rises along a cubic from `start` to the pruning's own; zeros have the lowest magnitude, so they stay."""

    pruning: Pruning
    start: float
    chosen: Masks = field(default_factory=dict)
    settled: bool = False

    def after_step(self, model: Model, step: int, steps: int) -> None:
        done = (step + 1) / (RAMP * steps)
        if not self.settled and (step % UPDATE_EVERY == 0 or done >= 1):
            self.chosen = self.pruning.choose(model, cubic(self.start, self.pruning.sparsity, done))
            self.settled = done >= 1
        impose(model, self.chosen)

    def impose(self, model: Model) -> None:
        impose(model, self.chosen)

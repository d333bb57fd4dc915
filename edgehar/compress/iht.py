"""FastGRNN's iterative hard thresholding (Kusupati et al., NeurIPS 2018, section on sparsity) as a constraint.

Three phases of equal length: (I) all weights train; (II) every `trim_every` minibatches each matrix keeps its largest
weights and the rest become zero, on the other minibatches the last support is re-applied, so that a weight comes back
only where one update lifts it over one that was kept; (III) the support is frozen. Thresholds are per matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from edgehar.compress.blocks import Mask, Masks
from edgehar.compress.sparsity import impose
from edgehar.models.base import Model
from edgehar.types import FloatArray

TRIM_EVERY = 15


def support(weights: FloatArray, keep: float) -> Mask:
    """True for the round(keep * n) largest magnitudes, at least one; ties go by position."""
    count = max(1, round(keep * weights.size))
    order = torch.argsort(-torch.from_numpy(weights).abs().flatten(), stable=True).numpy()
    mask = torch.zeros(weights.size, dtype=torch.bool).numpy()
    mask[order[:count]] = True
    found: Mask = mask.reshape(weights.shape)
    return found


@dataclass(slots=True)
class HardThresholding:
    """`keep`: tensor name -> fraction of its weights that stay. A `edgehar.train.constraint.Constraint`."""

    keep: Mapping[str, float]
    trim_every: int = TRIM_EVERY
    chosen: Masks = field(default_factory=dict)
    settled: bool = False

    def after_step(self, model: Model, step: int, steps: int) -> None:
        phase = 3 * step // steps
        first = phase >= 1 and not self.chosen
        if (phase == 1 and step % self.trim_every == 0) or first:
            matrices = model.matrices()
            self.chosen = {name: support(matrices[name].detach().numpy(), s) for name, s in self.keep.items()}
        self.settled = phase == 2
        impose(model, self.chosen)

    def impose(self, model: Model) -> None:
        impose(model, self.chosen)

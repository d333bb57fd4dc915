"""A population of leaky or synaptic integrate-and-fire neurons: its leaks and thresholds, learnable or fixed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgehar.models.base import Array
from edgehar.train.kernels.lif import LifSequence

Initial = float | Sequence[float]
"""A constant, or the (low, high) range of a uniform draw."""

_THRESHOLD_FLOOR = 1e-2  # below zero a neuron would fire at rest, and reset on the very first step


class Population(nn.Module):
    """Parameters beta, threshold and (synaptic) alpha, each [1] or [size], used clamped to what the equations allow."""

    def __init__(
        self, size: int, *, beta: Initial, threshold: Initial, alpha: Initial | None, per_neuron: bool, learn: bool
    ) -> None:
        super().__init__()
        self.size = size
        count = size if per_neuron else 1
        self.beta = nn.Parameter(_draw(beta, count), requires_grad=learn)
        self.threshold = nn.Parameter(_draw(threshold, count), requires_grad=learn)
        self.alpha = None if alpha is None else nn.Parameter(_draw(alpha, count), requires_grad=learn)

    def values(self) -> tuple[Tensor | None, Tensor, Tensor]:
        """(alpha or None, beta, threshold) as the equations use them, each [1] or [size]."""
        alpha = None if self.alpha is None else self.alpha.clamp(0.0, 1.0)
        return alpha, self.beta.clamp(0.0, 1.0), self.threshold.clamp(min=_THRESHOLD_FLOOR)

    def set_values(self, alpha: Array | None, beta: Array, threshold: Array) -> None:
        """Take exported values, each [1] or [size]; what was learnt or fixed stays so."""
        self.beta = nn.Parameter(torch.tensor(beta), requires_grad=self.beta.requires_grad)
        self.threshold = nn.Parameter(torch.tensor(threshold), requires_grad=self.threshold.requires_grad)
        if alpha is not None and self.alpha is not None:
            self.alpha = nn.Parameter(torch.tensor(alpha), requires_grad=self.alpha.requires_grad)

    def leaks(self) -> tuple[Tensor, Tensor, Tensor]:
        """(alpha, beta, threshold), each [size]; alpha is zero for leaky neurons."""
        alpha, beta, threshold = (v if v is None else v.expand(self.size) for v in self.values())
        if beta is None or threshold is None:
            raise TypeError("beta and threshold always exist")
        return (torch.zeros_like(beta) if alpha is None else alpha), beta, threshold

    def fire(self, drive: Tensor, slope: float) -> tuple[Tensor, Tensor]:
        """Spikes and potentials [T, b, size] from currents of the same shape."""
        alpha, beta, threshold = self.leaks()
        out: tuple[Tensor, Tensor] = LifSequence.apply(  # type: ignore[no-untyped-call]
            drive, None if self.alpha is None else alpha, beta, threshold, slope
        )
        return out


def _draw(initial: Initial, count: int) -> Tensor:
    if isinstance(initial, int | float):
        return torch.full((count,), float(initial))
    low, high = initial
    if count == 1:
        return torch.full((1,), (low + high) / 2)
    return torch.empty(count).uniform_(low, high)

"""What a training may impose on the weights, such as zeros that stay zero."""

from __future__ import annotations

from typing import Protocol

from edgehar.models.base import Model


class Constraint(Protocol):
    """Called by the training loop; it has a state of its own, so a training under a constraint keeps no checkpoint."""

    @property
    def settled(self) -> bool:
        """Whether the weights obey its final form. Weights of earlier epochs are never selected."""
        ...

    def after_step(self, model: Model, step: int, steps: int) -> None:
        """Bring the weights back after the update of minibatch `step` (from 0) of `steps`."""
        ...

    def impose(self, model: Model) -> None:
        """Bring another copy, such as the averaged weights, under what holds after the latest step."""
        ...

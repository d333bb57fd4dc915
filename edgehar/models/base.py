"""What a torch model must offer so that it can be trained, bundled and run without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

Tensors = dict[str, NDArray[np.float32]]


class Model(nn.Module, ABC):
    """A window classifier, streamable by construction.

    x [b, w, c] float32 is preprocessed and normalised; logits are [b, k].
    """

    family: ClassVar[str]

    @classmethod
    @abstractmethod
    def build(cls, *, channels: int, classes: int, window: int) -> Self:
        """A freshly initialised model. Families add keyword options, each with a default."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Logits [b, k] of windows x [b, w, c]."""

    @abstractmethod
    def export(self) -> tuple[dict[str, Any], Tensors]:
        """The manifest's `model` table and the tensors that the runtimes execute."""

    def penalty(self) -> Tensor:
        """What is added to the loss of the latest forward pass, such as a spike-rate regulariser; 0 by default."""
        return torch.zeros(())

    def loss(self, x: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """The training objective of one minibatch; families with auxiliary heads override it."""
        return F.cross_entropy(self(x), y, label_smoothing=label_smoothing) + self.penalty()

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Optimizer groups: matrices and kernels decay, biases and other vectors do not.

        A group may carry `lr_factor`, which multiplies the recipe's learning rate.
        """
        trained = [p for p in self.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]

    def after_step(self) -> None:
        """Called after every optimizer step, for instance to clamp a decay into its range."""

    def rates(self, x: Tensor) -> dict[str, float]:  # noqa: ARG002
        """Mean spike rate of each population on windows x, 0 to 1; empty for a model that does not spike."""
        return {}

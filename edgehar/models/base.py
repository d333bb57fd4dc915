"""What a torch model must offer so that it can be trained, bundled and run without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

Array = NDArray[np.float32]
Tensors = dict[str, Array]


class Model(nn.Module, ABC):
    """A window classifier, streamable by construction.

    x [b, w, c] float32 is preprocessed and normalised; logits are [b, k].
    """

    family: ClassVar[str]
    training_options: ClassVar[tuple[str, ...]] = ()
    """Keywords of `restore` beside `window`: options of `build` that act in training only, so no bundle needs them."""

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

    @classmethod
    @abstractmethod
    def restore(cls, table: Mapping[str, Any], tensors: Mapping[str, Array], *, window: int) -> Self:
        """The trainable model whose `export` gives `table` and `tensors`, which are known to fit each other.

        Families add their `training_options` as keywords, each with a default.
        """

    @abstractmethod
    def matrices(self) -> dict[str, Tensor]:
        """Exported name -> parameter of every matrix and kernel, the head's too: what pruning may set to zero.

        A zero in the parameter is a zero in the exported tensor of the same shape.
        """

    def renormalise(self, x: Tensor) -> None:
        """Give the batch normalisations of a restored model the statistics of windows x [b, w, c]; logits stay."""

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


@torch.no_grad()
def put(parameter: Tensor, values: Array) -> None:
    """Overwrite a parameter or buffer with an exported tensor of the same shape."""
    parameter.copy_(torch.tensor(values))

"""A single-layer GRU and a linear head: the plain recurrent baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from edgehar.models.base import Array, Model, Tensors, put

CELL_TENSORS = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}


class GRU(Model):
    """Logits of the last hidden state, from zero at the window's start.

    Gates in torch's order r, z, n; n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), h = (1 - z) n + z h.
    """

    family: ClassVar[str] = "gru"
    training_options: ClassVar[tuple[str, ...]] = ("dropout",)

    def __init__(self, channels: int, classes: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = hidden
        self.cell = nn.GRU(channels, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden, classes)

    @classmethod
    def build(cls, *, channels: int, classes: int, window: int, hidden: int = 64, dropout: float = 0.0) -> Self:  # noqa: ARG003
        """Options: hidden units, dropout before the head."""
        return cls(channels, classes, hidden, dropout)

    def forward(self, x: Tensor) -> Tensor:
        _, last = self.cell(x)
        logits: Tensor = self.fc(self.dropout(last[0]))
        return logits

    def export(self) -> tuple[dict[str, Any], Tensors]:
        tensors = {
            tensor: self.cell.get_parameter(f"{parameter}_l0").detach().numpy().copy()
            for tensor, parameter in CELL_TENSORS.items()
        }
        tensors["fc_w"] = self.fc.weight.detach().numpy().copy()
        tensors["fc_b"] = self.fc.bias.detach().numpy().copy()
        config = {
            "family": self.family,
            "inputs": self.cell.input_size,
            "classes": self.fc.out_features,
            "hidden": self.hidden,
        }
        return config, tensors

    @classmethod
    def restore(
        cls, table: Mapping[str, Any], tensors: Mapping[str, Array], *, window: int, dropout: float = 0.0
    ) -> Self:
        model = cls.build(
            channels=table["inputs"], classes=table["classes"], window=window, hidden=table["hidden"], dropout=dropout
        )
        biases = {name: model.cell.get_parameter(f"{CELL_TENSORS[name]}_l0") for name in ("b_ih", "b_hh")}
        for name, parameter in {**model.matrices(), **biases, "fc_b": model.fc.bias}.items():
            put(parameter, tensors[name])
        return model

    def matrices(self) -> dict[str, Tensor]:
        cell = {name: self.cell.get_parameter(f"{CELL_TENSORS[name]}_l0") for name in ("w_ih", "w_hh")}
        return {**cell, "fc_w": self.fc.weight}

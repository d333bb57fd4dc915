"""`fastgrnn`: a gated recurrent cell with one pair of matrices, full or low-rank (Kusupati et al., NeurIPS 2018)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from edgehar.models.base import Array, Model, Tensors, put
from edgehar.train.kernels.fastgrnn import fastgrnn_states


class Factored(nn.Module):
    """A matrix [rows, columns], or the product `first` [rows, r] `second` [columns, r]^T of rank r."""

    def __init__(self, rows: int, columns: int, rank: int | None, std: float) -> None:
        super().__init__()
        self.second: nn.Parameter | None = None
        if rank is None:
            self.first = nn.Parameter(std * torch.randn(rows, columns))
        else:  # each entry of the product is a sum of `rank` terms: its standard deviation is `std` as well
            each = math.sqrt(std / math.sqrt(rank))
            self.first = nn.Parameter(each * torch.randn(rows, rank))
            self.second = nn.Parameter(each * torch.randn(columns, rank))

    def forward(self) -> Tensor:
        return self.first if self.second is None else self.first @ self.second.t()

    def export(self, name: str) -> Tensors:
        if self.second is None:
            return {name: _array(self.first)}
        return {f"{name}1": _array(self.first), f"{name}2": _array(self.second)}

    def named(self, name: str) -> dict[str, Tensor]:
        """The parameters under the names that `export` gives them."""
        if self.second is None:
            return {name: self.first}
        return {f"{name}1": self.first, f"{name}2": self.second}


class FastGRNN(Model):
    """The last hidden state of one FastGRNN layer, through a linear head.

    s = W x + U h; z = sigmoid(s + b_z); g = tanh(s + b_h); h = (zeta (1 - z) + nu) g + z h; logits = fc h_T.
    zeta and nu are sigmoids of trained numbers that start at 1 and -4, as in the source. Gate biases start at
    log(m - 1) with memories m spread evenly from 2 samples to `longest_memory` (0: all at 1, as in the source).

    `dropout` acts on the state before the head, in training only.
    """

    family: ClassVar[str] = "fastgrnn"
    training_options: ClassVar[tuple[str, ...]] = ("dropout",)

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        hidden: int,
        rank_w: int | None,
        rank_u: int | None,
        longest_memory: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.hidden, self.rank_w, self.rank_u = hidden, rank_w, rank_u
        self.inputs = channels
        self.w = Factored(hidden, channels, rank_w, std=1 / math.sqrt(channels))
        self.u = Factored(hidden, hidden, rank_u, std=0.1)
        self.b_z, self.b_h = nn.Parameter(torch.ones(hidden)), nn.Parameter(torch.ones(hidden))
        if longest_memory:
            memory = torch.linspace(2.0, max(longest_memory, 2.0), hidden)
            self.b_z = nn.Parameter(torch.log(memory - 1 + 1e-3))
            self.b_h = nn.Parameter(torch.zeros(hidden))
        self.zeta, self.nu = nn.Parameter(torch.tensor([1.0])), nn.Parameter(torch.tensor([-4.0]))
        self.fc = nn.Linear(hidden, classes)
        self.dropout = nn.Dropout(dropout)

    @classmethod
    def build(
        cls,
        *,
        channels: int,
        classes: int,
        window: int,  # noqa: ARG003  (a recurrent cell has no length)
        hidden: int = 80,
        rank_w: int | None = None,
        rank_u: int | None = None,
        longest_memory: float = 0.0,
        dropout: float = 0.0,
    ) -> Self:
        return cls(
            channels,
            classes,
            hidden=hidden,
            rank_w=rank_w,
            rank_u=rank_u,
            longest_memory=longest_memory,
            dropout=dropout,
        )

    def states(self, x: Tensor) -> Tensor:
        """Hidden states [w, b, h] of x [b, w, c]."""
        steps = x.transpose(0, 1).contiguous()
        zeta, nu = torch.sigmoid(self.zeta), torch.sigmoid(self.nu)
        return fastgrnn_states(steps, self.w(), self.u(), self.b_z, self.b_h, zeta, nu)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.dropout(self.states(x)[-1]))
        return logits

    def export(self) -> tuple[dict[str, Any], Tensors]:
        model = {
            "family": self.family,
            "inputs": self.inputs,
            "classes": self.fc.out_features,
            "hidden": self.hidden,
            "rank_w": self.rank_w,
            "rank_u": self.rank_u,
        }
        tensors = {
            **self.w.export("W"),
            **self.u.export("U"),
            "b_z": _array(self.b_z),
            "b_h": _array(self.b_h),
            "zeta": _array(torch.sigmoid(self.zeta)),
            "nu": _array(torch.sigmoid(self.nu)),
            "fc_w": _array(self.fc.weight),
            "fc_b": _array(self.fc.bias),
        }
        return model, tensors

    @classmethod
    def restore(
        cls, table: Mapping[str, Any], tensors: Mapping[str, Array], *, window: int, dropout: float = 0.0
    ) -> Self:
        model = cls.build(
            channels=table["inputs"],
            classes=table["classes"],
            window=window,
            hidden=table["hidden"],
            rank_w=table["rank_w"],
            rank_u=table["rank_u"],
            dropout=dropout,
        )
        gates = {"b_z": model.b_z, "b_h": model.b_h, "fc_b": model.fc.bias}
        for name, parameter in (model.matrices() | gates).items():
            put(parameter, tensors[name])
        for name, parameter in (("zeta", model.zeta), ("nu", model.nu)):
            put(parameter, _inverse_sigmoid(tensors[name]))
        return model

    def matrices(self) -> dict[str, Tensor]:
        return {**self.w.named("W"), **self.u.named("U"), "fc_w": self.fc.weight}


def _array(tensor: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


def _inverse_sigmoid(value: Array) -> Array:
    """log(v / (1 - v)) in float64; a value that training rounded to 0 or 1 becomes the nearest that has one."""
    inside = np.clip(value.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.log(inside / (1 - inside)).astype(np.float32)

"""A trained model as plain torch operations: what a compiler can see through, without the kernels of training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgehar.models.base import Model
from edgehar.models.fastgrnn import FastGRNN


class PlainFastGRNN(nn.Module):
    """[b, w, c] -> logits [b, k]; W x of all samples is one product, then one small step a sample."""

    w: Tensor
    u: Tensor
    b_z: Tensor
    b_h: Tensor

    def __init__(self, trained: FastGRNN) -> None:
        super().__init__()
        for name, value in (("w", trained.w()), ("u", trained.u()), ("b_z", trained.b_z), ("b_h", trained.b_h)):
            self.register_buffer(name, value.detach().clone())
        self.zeta, self.nu = float(trained.zeta.detach().sigmoid()), float(trained.nu.detach().sigmoid())
        self.fc = trained.fc

    def forward(self, x: Tensor) -> Tensor:
        driven = x @ self.w.t()
        h = x.new_zeros(len(x), self.u.shape[0])
        for t in range(x.shape[1]):
            drive = driven[:, t] + h @ self.u.t()
            z, candidate = torch.sigmoid(drive + self.b_z), torch.tanh(drive + self.b_h)
            h = (self.zeta * (1 - z) + self.nu) * candidate + z * h
        logits: Tensor = self.fc(h)
        return logits


def plain(model: Model) -> nn.Module:
    """The model without custom kernels, where it has any; else itself."""
    return PlainFastGRNN(model).eval() if isinstance(model, FastGRNN) else model

"""Convolutions that share their kernels over runs of channels, so that what those stand for is a second axis.

Each is exported as an ordinary convolution: a fixed one of a single column, a grouped one with repeated kernels, and a
dense one with repeated columns. A restored model has their weights singly, so its copies may part in training.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from edgehar.models.convnet import ConvNet, ConvUnit
from edgehar.types import FloatArray


class Fixed(ConvUnit):
    """A convolution that is not learned: `weight` [out, in / groups, kernel], `bias` [out], zeros if not given."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, groups: int = 1, relu: bool = False
    ) -> None:
        outputs, inputs, kernel = weight.shape
        super().__init__(inputs * groups, outputs, kernel, stride=stride, groups=groups, relu=relu)
        self.requires_grad_(requires_grad=False)
        self.conv.weight.copy_(weight)
        if bias is not None:
            self.norm.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv1d(x, self.conv.weight, self.norm.bias, stride=self.stride, groups=self.groups)
        return torch.relu(y) if self.relu else y

    def folded(self) -> tuple[FloatArray, FloatArray]:
        return self.conv.weight.numpy().copy(), self.norm.bias.detach().numpy().copy()


class Projection(Fixed):
    """Fixed projection of the channels of every sample, by `rows` [outputs, inputs]: [b, in, t] -> [b, out, t]."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__(rows[:, :, None])


class Shared(ConvUnit):
    """The same convolution and normalisation for each of `copies` runs of input channels.

    [b, copies * in, t] -> [b, copies * out, t']; with `zero_mean` every kernel's mean over time is taken off.
    """

    def __init__(
        self,
        copies: int,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        relu: bool = True,
        zero_mean: bool = False,
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, relu=relu)
        self.copies = copies
        self.zero_mean = zero_mean

    @property
    def outputs(self) -> int:
        return self.copies * self.conv.out_channels

    @property
    def groups(self) -> int:
        return self.copies

    def forward(self, x: Tensor) -> Tensor:
        b, _, t = x.shape
        each = x.reshape(b * self.copies, -1, t)
        weight = _centred(self.conv.weight) if self.zero_mean else self.conv.weight
        y: Tensor = self.norm(F.conv1d(each, weight, stride=self.stride))
        y = torch.relu(y) if self.relu else y
        return y.reshape(b, self.outputs, -1)

    def folded(self) -> tuple[FloatArray, FloatArray]:
        weight, bias = (torch.from_numpy(one) for one in super().folded())
        if self.zero_mean:  # folding scales a kernel as a whole: before or after is the same
            weight = _centred(weight)
        return weight.repeat(self.copies, 1, 1).numpy(), bias.repeat(self.copies).numpy()


class Gather(ConvUnit):
    """A convolution of the mean over `copies` runs of channels: [b, copies * in, t] -> [b, out, t']."""

    def __init__(self, copies: int, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride)
        self.copies = copies

    def forward(self, x: Tensor) -> Tensor:
        b, c, t = x.shape
        return super().forward(x.reshape(b, self.copies, c // self.copies, t).mean(dim=1))

    def folded(self) -> tuple[FloatArray, FloatArray]:
        weight, bias = super().folded()
        return torch.from_numpy(weight / self.copies).repeat(1, self.copies, 1).numpy(), bias


class SharingNet(ConvNet):
    """A `ConvNet` that may hold such convolutions."""

    def matrices(self) -> dict[str, Tensor]:
        """Without the kernels that are exported repeated: a restored model has them singly."""
        shared = {name for name, unit in self.units() if isinstance(unit, (Fixed, Shared, Gather))}
        return {name: m for name, m in super().matrices().items() if name.removesuffix(".w") not in shared}


def _centred(weight: Tensor) -> Tensor:
    return weight - weight.mean(dim=2, keepdim=True)

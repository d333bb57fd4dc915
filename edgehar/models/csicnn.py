"""`csicnn`: one small network for every subcarrier mode of a CSI frame, then one for what they say together.

What a room does to a link is a static profile over the subcarriers; what a body does to it is a change of smooth
shape. So the amplitudes are projected on the slowest cosines over frequency, which keeps the change and averages the
noise of single subcarriers; every cosine goes through the same temporal filters, whose kernels have no mean, so that
nothing static passes; and the responses are averaged over the cosines. No weight can tell one subcarrier from another,
so none can learn the room.

Exported, these are ordinary convolutions: 1x1, grouped with repeated kernels, and dense with repeated columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from edgehar.errors import Reason, UsageError
from edgehar.models.convnet import ConvNet, ConvUnit, Residual
from edgehar.types import FloatArray


class Cosines(ConvUnit):
    """Fixed projection [b, c, t] -> [b, modes, t] on cosines 1 ... `modes` over the subcarriers (DCT-II, orthonormal).

    The constant one is left out: by the frame's mean it is 1 whatever happens.
    """

    def __init__(self, carriers: int, modes: int) -> None:
        super().__init__(carriers, modes, 1, relu=False)
        self.requires_grad_(requires_grad=False)
        place = (torch.arange(carriers, dtype=torch.float64) + 0.5) * math.pi / carriers
        waves = torch.cos(torch.arange(1, modes + 1)[:, None] * place) * math.sqrt(2 / carriers)
        self.conv.weight.copy_(waves[:, :, None])

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y

    def folded(self) -> tuple[FloatArray, FloatArray]:
        weight: FloatArray = self.conv.weight.numpy().copy()
        return weight, weight[:, 0, 0] * 0


class Shared(ConvUnit):
    """The same convolution and normalisation for each of `copies` runs of input channels.

    [b, copies * in, t] -> [b, copies * out, t']; with `zero_mean` every kernel's mean is taken off.
    """

    def __init__(
        self, copies: int, inputs: int, outputs: int, kernel: int, *, stride: int = 1, zero_mean: bool = False
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride)
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
        y = torch.relu(self.norm(F.conv1d(each, weight, stride=self.stride)))
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


class CsiCNN(ConvNet):
    """Cosines -> filters per mode -> mean over modes -> residual blocks -> mean -> dropout -> linear.

    [b, w, c] amplitudes -> at most `modes` cosines -> for each of them `filters` kernels of `kernel` samples (stride
    `stride`), then `filters2` of `kernel2` -> `width` channels (kernel `gather_kernel`, stride `gather_stride`)
    -> `blocks` residual blocks -> mean over time -> linear [b, k]. stride * gather_stride must divide the hop.
    """

    family: ClassVar[str] = "csicnn"
    training_options: ClassVar[tuple[str, ...]] = ("dropout",)

    @classmethod
    def build(
        cls,
        *,
        channels: int,
        classes: int,
        window: int,
        modes: int = 8,
        filters: int = 8,
        kernel: int = 15,
        stride: int = 2,
        filters2: int = 16,
        kernel2: int = 5,
        width: int = 32,
        gather_kernel: int = 3,
        gather_stride: int = 2,
        blocks: int = 1,
        dropout: float = 0.5,
    ) -> Self:
        modes = min(modes, channels - 1)
        if modes < 1:
            raise UsageError(
                f"{modes} cosines over {channels} subcarriers",
                reason=Reason.VALUE,
                hint="give options.modes of 1 or more, and at least two subcarriers",
            )
        trunk: list[ConvUnit | Residual] = [
            Cosines(channels, modes),
            Shared(modes, 1, filters, kernel, stride=stride, zero_mean=True),
            Shared(modes, filters, filters2, kernel2),
            Gather(modes, filters2, width, gather_kernel, stride=gather_stride),
            *(Residual([ConvUnit(width, width, 3, relu=False)]) for _ in range(blocks)),
        ]
        return cls(trunk, channels=channels, classes=classes, window=window, dropout=dropout)

    def matrices(self) -> dict[str, Tensor]:
        """Without the kernels that are exported repeated: a restored model has them singly."""
        shared = {unit for unit in self._units() if isinstance(unit, (Cosines, Shared, Gather))}
        own = {f"{name}.w" for name, unit in self.units() if unit not in shared}
        return {name: matrix for name, matrix in super().matrices().items() if name in {*own, f"{self.head}.w"}}

    def _units(self) -> Iterator[ConvUnit]:
        yield from (unit for _, unit in self.units())


def _centred(weight: Tensor) -> Tensor:
    return weight - weight.mean(dim=2, keepdim=True)

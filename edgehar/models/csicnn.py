"""`csicnn`: one small network for every subcarrier mode of a CSI frame, then one for what they say together.

What a room does to a link is a static profile over the subcarriers; what a body does to it is a change of smooth
shape. So the amplitudes are projected on the slowest cosines over frequency, which keeps the change and averages the
noise of single subcarriers; every cosine goes through the same temporal filters, whose kernels have no mean, so that
nothing static passes; and the responses are averaged over the cosines. No weight can tell one subcarrier from another,
so none can learn the room.

With `lags` the learned filters give way to a fixed front end, the logarithm of how strongly the amplitudes move over
each lag (`csilevels`): for links where the same activity is one step in one take and thirty in another.

Exported, these are ordinary convolutions: 1x1, grouped with repeated kernels, and dense with repeated columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Self

import torch

from edgehar.errors import Reason, UsageError
from edgehar.models.convnet import ConvUnit, Residual
from edgehar.models.csilevels import levels
from edgehar.models.sharing import Gather, Projection, Shared, SharingNet


class Cosines(Projection):
    """Fixed projection [b, c, t] -> [b, modes, t] on cosines 1 ... `modes` over the subcarriers (DCT-II, orthonormal).

    The constant one is left out: by the frame's mean it is 1 whatever happens. The outermost `edge` subcarriers of
    each side, which some receivers get wrong, have no part.
    """

    def __init__(self, carriers: int, modes: int, edge: int = 0) -> None:
        inner = carriers - 2 * edge
        place = (torch.arange(inner, dtype=torch.float64) + 0.5) * math.pi / inner
        rows = torch.cos(torch.arange(1, modes + 1)[:, None] * place) * math.sqrt(2 / inner)
        super().__init__(torch.nn.functional.pad(rows, (edge, edge)))


class CsiCNN(SharingNet):
    """Cosines -> filters per mode -> mean over modes -> residual blocks -> mean -> dropout -> linear.

    [b, w, c] amplitudes -> at most `modes` cosines -> for each of them `filters` kernels of `kernel` samples (stride
    `stride`), then `filters2` of `kernel2` -> `width` channels (kernel `gather_kernel`, stride `gather_stride`)
    -> `blocks` residual blocks -> mean over time -> linear [b, k]. stride * gather_stride must divide the hop.

    With `lags`: cosines -> their levels of motion (`smooth`, `level_stride`, `floor`: see `levels`) -> one convolution
    of `kernel2` samples for each of `strides` to `width` channels -> mean over time -> linear. `floor` is in the
    normaliser's deviations. level_stride times all `strides` must divide the hop.
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
        edge: int = 0,
        lags: Sequence[int] = (),
        smooth: int = 10,
        level_stride: int = 5,
        floor: float = 0.01,
        strides: Sequence[int] = (1, 2, 2),
    ) -> Self:
        modes = min(modes, channels - 2 * edge - 1)
        if modes < 1 or edge < 0:
            raise UsageError(
                f"{modes} cosines over {channels} subcarriers, {edge} left out at each edge",
                reason=Reason.VALUE,
                hint="give options.modes of 1 or more, and at least two subcarriers",
            )
        cosines = Cosines(channels, modes, edge)
        if lags:
            heard, inputs = levels(modes, lags, smooth=smooth, stride=level_stride, floor=floor)
            widths = [inputs, *[width] * len(strides)]
            learned = [ConvUnit(i, width, kernel2, stride=s) for i, s in zip(widths, strides, strict=False)]
            return cls([cosines, *heard, *learned], channels=channels, classes=classes, window=window, dropout=dropout)
        trunk: list[ConvUnit | Residual] = [
            cosines,
            Shared(modes, 1, filters, kernel, stride=stride, zero_mean=True),
            Shared(modes, filters, filters2, kernel2),
            Gather(modes, filters2, width, gather_kernel, stride=gather_stride),
            *(Residual([ConvUnit(width, width, 3, relu=False)]) for _ in range(blocks)),
        ]
        return cls(trunk, channels=channels, classes=classes, window=window, dropout=dropout)

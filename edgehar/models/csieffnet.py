"""`csieffnet`: the amplitude spectrogram, subcarriers by time, as a picture for a small EfficientNetV2.

Strohmayer and Kampel (arXiv 2401.01388) classify such pictures with EfficientNetV2 (Tan and Le, arXiv 2104.00298): a
strided 2-D stem, early blocks that expand by an ordinary convolution (fused MBConv), later ones that expand 1x1, filter
each channel by itself and project back without an activation (MBConv). What is different here, so that the network
streams, runs in integers and fits a microcontroller:

- A frame has few subcarriers, so the picture is first resized to 2 `bands` + 1 rows, and the stem (three rows high,
  stride two over the rows) leaves one row per band. Later kernels are one row high: one that overlaps over the rows
  would be a dense convolution of all channels. From the second stage on the rows are averaged.
- Time is not padded, and no squeeze-and-excitation: that scales a block by its channels' means over the window, so no
  column of a stream would stay what it was when the window moves on.
- ReLU, not SiLU, and also after the sum of a block and its input, as in `cnn`: the graph's `residual` has it there.
- The stem's kernels have no mean over time unless `static`: the source keeps the static profile, which is the room.
"""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from torch import Tensor

from edgehar.errors import Reason, UsageError
from edgehar.models.convnet import ConvUnit, Residual
from edgehar.models.sharing import Gather, Projection, Shared, SharingNet

ROWS = 3
"""Height of the stem's kernels."""


class CsiEffNet(SharingNet):
    """Resize -> stem -> fused MBConv for every band -> mean over bands in a strided MBConv -> MBConv -> 1x1 -> linear.

    [b, w, c] amplitudes -> `bands` bands of `filters` channels (kernel `kernel`, stride `stride`), `fused` blocks
    -> `width` channels (kernel `gather_kernel`, stride `gather_stride`), `blocks` blocks of kernel `block_kernel`
    -> 1x1 to `features` -> mean over time -> dropout -> linear [b, k]. Blocks widen `expansion` times inside.
    stride * gather_stride must divide the hop.
    """

    family: ClassVar[str] = "csieffnet"
    training_options: ClassVar[tuple[str, ...]] = ("dropout",)

    @classmethod
    def build(
        cls,
        *,
        channels: int,
        classes: int,
        window: int,
        bands: int = 6,
        filters: int = 8,
        kernel: int = 11,
        stride: int = 2,
        fused: int = 1,
        width: int = 32,
        gather_kernel: int = 5,
        gather_stride: int = 2,
        blocks: int = 2,
        block_kernel: int = 5,
        expansion: int = 4,
        features: int = 64,
        static: bool = False,
        dropout: float = 0.5,
    ) -> Self:
        if channels < 2 or bands < 1:
            raise UsageError(
                f"{bands} bands of {channels} subcarriers",
                reason=Reason.VALUE,
                hint="give options.bands of 1 or more, and at least two subcarriers",
            )
        inside = expansion * filters
        trunk: list[ConvUnit | Residual] = [
            Projection(_overlapping_rows(channels, bands)),
            Shared(bands, ROWS, filters, kernel, stride=stride, zero_mean=not static),
            *(
                Residual([Shared(bands, filters, inside, 3), Shared(bands, inside, filters, 1, relu=False)])
                for _ in range(fused)
            ),
            Gather(bands, filters, inside, 1),
            ConvUnit(inside, inside, gather_kernel, stride=gather_stride, groups=inside),
            ConvUnit(inside, width, 1, relu=False),
            *(Residual(_inverted(width, expansion, block_kernel)) for _ in range(blocks)),
            ConvUnit(width, features, 1),
        ]
        return cls(trunk, channels=channels, classes=classes, window=window, dropout=dropout)


def _inverted(width: int, expansion: int, kernel: int) -> list[ConvUnit]:
    """The convolutions of an MBConv block: expand, filter every channel by itself, project without an activation."""
    inside = expansion * width
    return [
        ConvUnit(width, inside, 1),
        ConvUnit(inside, inside, kernel, groups=inside),
        ConvUnit(inside, width, 1, relu=False),
    ]


def _overlapping_rows(carriers: int, bands: int) -> Tensor:
    """Weights [bands * 3, carriers] that average the subcarriers to 2 bands + 1 equal rows, of which band i has three:
    2 i to 2 i + 2. A row that begins or ends within a subcarrier takes its share of it.
    """
    count = (ROWS - 1) * bands + 1
    edges = torch.arange(count + 1, dtype=torch.float64) * carriers / count
    carrier = torch.arange(carriers, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], carrier + 1) - torch.maximum(edges[:-1, None], carrier)
    rows = covered.clamp(min=0) * count / carriers
    of_band = torch.arange(bands)[:, None] * (ROWS - 1) + torch.arange(ROWS)
    return rows[of_band.flatten()]

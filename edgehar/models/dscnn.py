"""`dscnn`: depthwise-separable convolutions (Zhang et al., "Hello Edge", arXiv 1711.07128), without time padding."""

from __future__ import annotations

from typing import ClassVar, Self

from edgehar.models.convnet import ConvNet, ConvUnit, Residual


class DSCNN(ConvNet):
    """Stem convolution, then `blocks` pairs of depthwise (kernel `kernel`) and pointwise convolutions.

    [b, w, c] -> stem (kernel `stem_kernel`, stride `stem_stride`) -> blocks, the first pair with stride
    `stage_stride` -> mean -> dropout -> linear [b, k]. Each pair is followed by batch normalisation and ReLU on both
    convolutions, as in the source. stem_stride * stage_stride must divide the hop.
    `sensor_dropout` and `sensor_channels`: see `ConvNet`.
    """

    family: ClassVar[str] = "dscnn"

    @classmethod
    def build(
        cls,
        *,
        channels: int,
        classes: int,
        window: int,
        width: int = 64,
        stem_kernel: int = 9,
        stem_stride: int = 2,
        stage_stride: int = 2,
        kernel: int = 5,
        blocks: int = 4,
        dropout: float = 0.3,
        sensor_dropout: float = 0.0,
        sensor_channels: int = 3,
    ) -> Self:
        trunk: list[ConvUnit | Residual] = [ConvUnit(channels, width, stem_kernel, stride=stem_stride)]
        for i in range(blocks):
            stride = stage_stride if i == 0 else 1
            trunk += [ConvUnit(width, width, kernel, stride=stride, groups=width), ConvUnit(width, width, 1)]
        return cls(
            trunk,
            channels=channels,
            classes=classes,
            window=window,
            dropout=dropout,
            sensor_dropout=sensor_dropout,
            sensor_channels=sensor_channels,
        )

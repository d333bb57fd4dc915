"""`cnn`: a small residual network of valid 1-D convolutions (He et al., CVPR 2016, without time padding)."""

from __future__ import annotations

from typing import ClassVar, Self

from edgehar.models.convnet import ConvNet, ConvUnit, Residual


class CNN(ConvNet):
    """Two stages, each a strided convolution and `blocks` residual blocks of `depth` convolutions.

    [b, w, c] -> stem (kernel `stem_kernel`, stride `stem_stride`) -> blocks at `width` channels
    -> convolution (stride `stage_stride`) -> blocks at `width2` channels -> mean -> dropout -> linear [b, k].
    The defaults have about 50k parameters at 9 channels; stem_stride * stage_stride must divide the hop.
    `sensor_dropout` and `sensor_channels`: see `ConvNet`.
    """

    family: ClassVar[str] = "cnn"

    @classmethod
    def build(
        cls,
        *,
        channels: int,
        classes: int,
        window: int,
        width: int = 48,
        width2: int = 64,
        stem_kernel: int = 5,
        stem_stride: int = 2,
        stage_stride: int = 2,
        kernel: int = 3,
        blocks: int = 2,
        depth: int = 1,
        dropout: float = 0.5,
        sensor_dropout: float = 0.0,
        sensor_channels: int = 3,
    ) -> Self:
        def stage(n: int) -> list[ConvUnit | Residual]:
            return [Residual([ConvUnit(n, n, kernel, relu=i + 1 < depth) for i in range(depth)]) for _ in range(blocks)]

        trunk: list[ConvUnit | Residual] = [
            ConvUnit(channels, width, stem_kernel, stride=stem_stride),
            *stage(width),
            ConvUnit(width, width2, kernel, stride=stage_stride),
            *stage(width2),
        ]
        return cls(
            trunk,
            channels=channels,
            classes=classes,
            window=window,
            dropout=dropout,
            sensor_dropout=sensor_dropout,
            sensor_channels=sensor_channels,
        )

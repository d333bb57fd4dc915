"""`fusion`: an encoder for each of several sensors, one head on all of them and one on each alone.

    f_s = mean over time of encoder_s(x_s)                        the residual convolutions of `cnn`, own weights
    logits = [W_all (f_0, f_1, ...) + b_all | W_0 f_0 + b_0 | W_1 f_1 + b_1 | ...]

so that the loss of a sensor costs one block of the logits, not the network. All of it is one chain of grouped
convolutions and one matrix: runtimes and exporters know no other family in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from edgehar.errors import Reason, UsageError
from edgehar.models.base import Array
from edgehar.models.convnet import ConvNet, ConvUnit, Residual, restore_trunk
from edgehar.types import FloatArray


class Apart(ConvUnit):
    """The first convolution, where sensors of different channels come in: 0 where output and input differ in sensor.

    It is what grouping would do, had all sensors equally many channels, side by side. `sensor` [inputs].
    """

    def __init__(self, sensor: Sequence[int], outputs: int, kernel: int, *, stride: int = 1, relu: bool = True) -> None:
        super().__init__(len(sensor), outputs, kernel, stride=stride, relu=relu)
        of_input = torch.tensor(sensor)
        of_output = torch.arange(outputs) // (outputs // (max(sensor) + 1))
        own = (of_output[:, None] == of_input[None]).float()[:, :, None]
        self.register_buffer("own", own, persistent=False)
        with torch.no_grad():  # as the kernels of one sensor alone would be drawn
            self.conv.weight.mul_(own * torch.sqrt(len(sensor) / own.sum(1, keepdim=True)))

    @classmethod
    def of(cls, unit: ConvUnit, sensor: Sequence[int]) -> Self:
        """The same, of an ordinary convolution that has those zeros."""
        made = cls(sensor, unit.outputs, unit.kernel, stride=unit.stride, relu=unit.relu)
        made.name = unit.name
        made.set_folded(*unit.folded())
        return made

    def forward(self, x: Tensor) -> Tensor:
        weight = self.conv.weight * self.get_buffer("own")
        y: Tensor = self.norm(F.conv1d(x, weight, stride=self.stride))
        return torch.relu(y) if self.relu else y

    def folded(self) -> tuple[FloatArray, FloatArray]:
        weight, bias = super().folded()
        return weight * self.get_buffer("own").numpy(), bias


class Fusion(ConvNet):
    """`cnn` in as many groups as there are sensors; x [b, w, c] -> logits [b, (1 + n) k].

    `sensor` [c] says which sensor each input comes from, 0 to n - 1. `width` and `width2` are channels for each sensor;
    the other options are those of `cnn`. stem_stride * stage_stride must divide the hop. `alone` weighs the losses of
    the lone heads against that of the head on all sensors. `lost` is the chance that the latter misses one of them in
    training, at random: one that has to do without it then and again.
    """

    family: ClassVar[str] = "fusion"
    training_options: ClassVar[tuple[str, ...]] = ("dropout", "alone", "lost")

    def __init__(
        self,
        trunk: Sequence[ConvUnit | Residual],
        *,
        sensor: Sequence[int],
        classes: int,
        window: int,
        dropout: float = 0.5,
        alone: float = 1.0,
        lost: float = 0.0,
    ) -> None:
        sensors = max(sensor) + 1
        super().__init__(trunk, channels=len(sensor), classes=(1 + sensors) * classes, window=window, dropout=dropout)
        self.sensor = tuple(sensor)
        self.sensors = sensors
        self.labels = classes
        self.alone = alone
        self.lost = lost
        of_feature = torch.arange(self.fc.in_features) // (self.fc.in_features // self.sensors)
        heard = torch.cat([torch.ones(1, len(of_feature)), (torch.arange(self.sensors)[:, None] == of_feature).float()])
        self.register_buffer("heard", heard.repeat_interleave(classes, 0), persistent=False)
        with torch.no_grad():
            self.fc.weight.mul_(self.get_buffer("heard"))

    @classmethod
    def build(
        cls,
        *,
        channels: int,
        classes: int,
        window: int,
        sensor: Sequence[int] = (),
        width: int = 32,
        width2: int = 48,
        stem_kernel: int = 5,
        stem_stride: int = 2,
        stage_stride: int = 2,
        kernel: int = 3,
        blocks: int = 2,
        depth: int = 1,
        dropout: float = 0.5,
        alone: float = 1.0,
        lost: float = 0.0,
    ) -> Self:
        n = _count(sensor, channels)

        def stage(wide: int) -> list[ConvUnit | Residual]:
            def unit(i: int) -> ConvUnit:
                return ConvUnit(n * wide, n * wide, kernel, groups=n, relu=i + 1 < depth)

            return [Residual([unit(i) for i in range(depth)]) for _ in range(blocks)]

        trunk: list[ConvUnit | Residual] = [
            _stem(sensor, n * width, stem_kernel, stem_stride),
            *stage(width),
            ConvUnit(n * width, n * width2, kernel, stride=stage_stride, groups=n),
            *stage(width2),
        ]
        return cls(trunk, sensor=sensor, classes=classes, window=window, dropout=dropout, alone=alone, lost=lost)

    def features(self, x: Tensor) -> Tensor:
        """What the encoders say of windows x [b, w, c]: [b, n f], sensor by sensor."""
        said: Tensor = self.dropout(self.trunk(x.transpose(1, 2)).mean(dim=2))
        return said

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.features(x), self.fc.weight * self.get_buffer("heard"), self.fc.bias)

    def loss(self, x: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Cross-entropy of the head on all sensors, plus `alone` times the mean of the lone heads'."""
        features = self.features(x)
        weight = self.fc.weight * self.get_buffer("heard")
        logits = F.linear(features, weight, self.fc.bias)
        together, *apart = logits.reshape(len(x), -1, self.labels).unbind(1)
        if self.training and self.lost > 0:
            together = F.linear(self._without_one(features), weight[: self.labels], self.fc.bias[: self.labels])
        losses = [F.cross_entropy(one, y, label_smoothing=label_smoothing) for one in (together, *apart)]
        return losses[0] + self.alone * torch.stack(losses[1:]).mean() + self.penalty()

    def _without_one(self, features: Tensor) -> Tensor:
        """A random sensor's features set to zero, in a share `lost` of the windows."""
        b = len(features)
        gone = torch.where(torch.rand(b) < self.lost, torch.randint(self.sensors, (b,)), -1)
        kept = torch.arange(self.sensors) != gone[:, None]
        return features * kept.repeat_interleave(features.shape[1] // self.sensors, dim=1)

    def export(self) -> tuple[dict[str, Any], dict[str, FloatArray]]:
        table, tensors = super().export()
        tensors[f"{self.head}.w"] = tensors[f"{self.head}.w"] * self.get_buffer("heard").numpy()
        return {**table, "sensor": list(self.sensor)}, tensors

    @classmethod
    def restore(cls, table: Mapping[str, Any], tensors: Mapping[str, Array], *, window: int, **options: Any) -> Self:
        sensor = table["sensor"]
        stem, *rest = restore_trunk(table, tensors)
        if isinstance(stem, ConvUnit) and stem.groups == 1:
            stem = Apart.of(stem, sensor)
        model = cls(
            [stem, *rest], sensor=sensor, classes=table["classes"] // (2 + max(sensor)), window=window, **options
        )
        model.restore_head(table, tensors)
        return model


def _stem(sensor: Sequence[int], outputs: int, kernel: int, stride: int) -> ConvUnit:
    n = max(sensor) + 1
    if list(sensor) == [i * n // len(sensor) for i in range(len(sensor))]:
        return ConvUnit(len(sensor), outputs, kernel, stride=stride, groups=n)
    return Apart(sensor, outputs, kernel, stride=stride)


def _count(sensor: Sequence[int], channels: int) -> int:
    """How many sensors there are; raises UsageError unless every input is one's and there are several."""
    n = 1 + max(sensor, default=0)
    if len(sensor) != channels or n < 2 or set(sensor) != set(range(n)):
        raise UsageError(
            f"fusion takes inputs of two sensors or more, {channels} inputs come from sensors {list(sensor)}",
            reason=Reason.VALUE,
            hint="name the sensors: edgehar train --sensors wrist=left_arm,leg=right_leg",
        )
    return n

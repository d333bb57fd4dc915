"""Building blocks shared by the convolutional families, and their export as one flat list of layers.

Every convolution is valid (no time padding) and the product of all strides divides the hop, so that a streaming
runtime computes each activation once and still equals the window-by-window result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from edgehar.errors import Reason, UsageError
from edgehar.models.base import Array, Model, put
from edgehar.types import FloatArray


class ConvUnit(nn.Module):
    """Valid 1-D convolution, batch normalisation, optional ReLU: [b, in, t] -> [b, out, (t - kernel) // stride + 1]."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm1d(outputs)
        self.relu = relu
        self.name = ""
        """Name of its exported tensors; empty: by its place in the network."""

    @property
    def outputs(self) -> int:
        return self.conv.out_channels

    @property
    def groups(self) -> int:
        return self.conv.groups

    @property
    def kernel(self) -> int:
        return int(self.conv.kernel_size[0])

    @property
    def stride(self) -> int:
        return int(self.conv.stride[0])

    def length(self, time: int) -> int:
        """Output samples for `time` input samples; 0 or less where the input is too short."""
        return (time - self.kernel) // self.stride + 1

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(x))
        return torch.relu(y) if self.relu else y

    def folded(self) -> tuple[FloatArray, FloatArray]:
        """Weights [out, in/groups, kernel] and bias [out] of the one convolution this unit is at inference.

        With s = gamma / sqrt(running_var + eps): w' = s w, b' = beta - s running_mean. In float64, rounded once.
        """
        norm = self.norm
        variance = norm.get_buffer("running_var").double()
        mean = norm.get_buffer("running_mean").double()
        scale = norm.weight.double() / torch.sqrt(variance + norm.eps)
        weight = self.conv.weight.double() * scale[:, None, None]
        bias = norm.bias.double() - scale * mean
        return _array(weight), _array(bias)

    def describe(self, name: str, tensors: dict[str, FloatArray]) -> dict[str, Any]:
        """The unit's entry of the exported `layers`; adds its folded tensors to `tensors`."""
        name = self.name or name
        tensors[f"{name}.w"], tensors[f"{name}.b"] = self.folded()
        return {
            "op": "conv",
            "name": name,
            "out": self.outputs,
            "kernel": self.kernel,
            "stride": self.stride,
            "groups": self.groups,
            "relu": self.relu,
        }

    @classmethod
    def restore(cls, inputs: int, layer: Mapping[str, Any], tensors: Mapping[str, Array]) -> Self:
        """The unit of an exported `conv` layer: its weights, and a normalisation that only adds the bias."""
        outputs, kernel = int(layer["out"]), int(layer["kernel"])
        unit = cls(inputs, outputs, kernel, stride=layer["stride"], groups=layer["groups"], relu=layer["relu"])
        unit.name = layer["name"]
        unit.set_folded(tensors[f"{unit.name}.w"], tensors[f"{unit.name}.b"])
        return unit

    @torch.no_grad()
    def set_folded(self, weight: Array, bias: Array) -> None:
        """Become this convolution: the weights as they are, a normalisation that only adds the bias."""
        put(self.conv.weight, weight)
        put(self.norm.bias, bias)
        for tensor, value in (("weight", 1.0), ("running_mean", 0.0), ("running_var", 1.0 - self.norm.eps)):
            self.norm.state_dict()[tensor].fill_(value)

    @torch.no_grad()
    def unfold(self, mean: Tensor, var: Tensor) -> None:
        """Undo folding, given the moments [out] of the folded convolution's outputs: they become 0 and 1.

        w = w' / s, gamma / sqrt(var / s^2 + eps) = s, beta = b' + mean, with s the outputs' standard deviation. An
        output that hardly varies is not blown up: s is at least a tenth of the layer's mean.
        """
        weight, bias = (torch.tensor(folded).double() for folded in self.folded())
        std = torch.sqrt(var.double())
        scale = torch.maximum(std, 0.1 * std.mean()) + self.norm.eps
        norm = self.norm
        self.conv.weight.copy_(weight / scale[:, None, None])
        norm.get_buffer("running_mean").copy_(mean / scale)
        norm.get_buffer("running_var").copy_(var / scale.square())
        norm.weight.copy_(scale * torch.sqrt(norm.get_buffer("running_var").double() + norm.eps))
        norm.bias.copy_(bias + mean)


class Residual(nn.Module):
    """y = relu(body(x) + crop(x)): the skip is the input cropped centrally to what the valid convolutions leave."""

    def __init__(self, units: Sequence[ConvUnit]) -> None:
        super().__init__()
        self.body = nn.Sequential(*units)
        total = sum(unit.kernel - 1 for unit in units)
        if total % 2:
            raise UsageError(
                f"a residual block crops {total} samples, which has no centre",
                reason=Reason.VALUE,
                hint="choose an odd kernel",
            )
        self.crop = total // 2

    def length(self, time: int) -> int:
        return time - 2 * self.crop

    def forward(self, x: Tensor) -> Tensor:
        skip = x[:, :, self.crop : x.shape[2] - self.crop]
        return torch.relu(self.body(x) + skip)

    def describe(self, name: str, tensors: dict[str, FloatArray]) -> dict[str, Any]:
        units = [unit for unit in self.body if isinstance(unit, ConvUnit)]
        return {"op": "residual", "body": [u.describe(f"{name}.{i}", tensors) for i, u in enumerate(units)]}


class SensorDropout(nn.Module):
    """In training, blank whole groups of `size` neighbouring input channels, each with probability p: [b, c, t].

    On normalised input a blank is the training mean; what is left is not rescaled, as a missing sensor would not be.
    """

    def __init__(self, p: float, size: int) -> None:
        super().__init__()
        self.p = p
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p <= 0:
            return x
        keep = torch.rand(x.shape[0], x.shape[1] // self.size, 1, device=x.device) >= self.p
        return x * keep.repeat_interleave(self.size, dim=1)


class ConvNet(Model):
    """Convolutional trunk -> mean over time -> dropout -> linear. x [b, w, c] normalised -> logits [b, k].

    `sensor_dropout` is the chance of losing each run of `sensor_channels` inputs, in training only.
    """

    training_options: ClassVar[tuple[str, ...]] = ("dropout", "sensor_dropout", "sensor_channels")

    def __init__(
        self,
        trunk: Sequence[ConvUnit | Residual],
        *,
        channels: int,
        classes: int,
        window: int,
        dropout: float = 0.0,
        sensor_dropout: float = 0.0,
        sensor_channels: int = 3,
    ) -> None:
        super().__init__()
        if sensor_dropout > 0 and (sensor_channels < 1 or channels % sensor_channels):
            raise UsageError(
                f"{channels} input channels do not split into sensors of {sensor_channels} channels",
                reason=Reason.VALUE,
                hint="give a sensor_channels that divides the number of input channels",
            )
        time = window
        for layer in trunk:
            time = layer.length(time)
        if time < 1:
            raise UsageError(
                f"a window of {window} samples is too short for this network's valid convolutions",
                reason=Reason.VALUE,
                hint="use fewer blocks, a smaller kernel or stride, or a longer window",
            )
        self.channels = channels
        self.classes = classes
        self.blank = SensorDropout(sensor_dropout, sensor_channels)
        self.trunk = nn.Sequential(*trunk)
        self.dropout = nn.Dropout(dropout)
        features = _outputs(trunk)
        self.fc = nn.Linear(features, classes)
        self.head = "fc"

    def forward(self, x: Tensor) -> Tensor:
        features = self.trunk(self.blank(x.transpose(1, 2))).mean(dim=2)
        logits: Tensor = self.fc(self.dropout(features))
        return logits

    def export(self) -> tuple[dict[str, Any], dict[str, FloatArray]]:
        """Model dict with `layers`, and the tensors those layers name; batch normalisation is folded away."""
        tensors: dict[str, FloatArray] = {}
        layers: list[dict[str, Any]] = []
        for i, layer in enumerate(self.trunk):
            if isinstance(layer, (ConvUnit, Residual)):
                layers.append(layer.describe(f"l{i}", tensors))
        layers += [{"op": "mean"}, {"op": "linear", "name": self.head}]
        tensors[f"{self.head}.w"], tensors[f"{self.head}.b"] = _array(self.fc.weight), _array(self.fc.bias)
        model = {"family": self.family, "inputs": self.channels, "classes": self.classes, "layers": layers}
        return model, tensors

    @classmethod
    def restore(cls, table: Mapping[str, Any], tensors: Mapping[str, Array], *, window: int, **options: Any) -> Self:
        trunk = restore_trunk(table, tensors)
        model = cls(trunk, channels=table["inputs"], classes=table["classes"], window=window, **options)
        model.restore_head(table, tensors)
        return model

    def restore_head(self, table: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
        """Take name, weights and bias of an exported `linear` layer."""
        self.head = table["layers"][-1]["name"]
        put(self.fc.weight, tensors[f"{self.head}.w"])
        put(self.fc.bias, tensors[f"{self.head}.b"])

    def units(self) -> Iterator[tuple[str, ConvUnit]]:
        """Every convolution with the name of its exported tensors, from input to output."""
        for i, layer in enumerate(self.trunk):
            inside = {f"l{i}.{j}": unit for j, unit in enumerate(layer.body)} if isinstance(layer, Residual) else {}
            for name, unit in (inside or {f"l{i}": layer}).items():
                if isinstance(unit, ConvUnit):
                    yield unit.name or name, unit

    def matrices(self) -> dict[str, Tensor]:
        return {**{f"{name}.w": unit.conv.weight for name, unit in self.units()}, f"{self.head}.w": self.fc.weight}

    @torch.no_grad()
    def renormalise(self, x: Tensor) -> None:
        """Without this, the first training batch would be normalised by statistics that the weights never saw.

        It also gives the kernels of all layers one scale, as far as they had one before their normalisations were
        folded into them; that is what makes their magnitudes comparable.
        """
        moments: dict[ConvUnit, tuple[Tensor, Tensor]] = {}

        def measure(unit: ConvUnit, output: Tensor) -> None:
            moments[unit] = output.mean(dim=(0, 2)), output.var(dim=(0, 2), unbiased=False)

        handles = []
        for _, unit in self.units():
            unit.set_folded(*unit.folded())
            handles.append(unit.conv.register_forward_hook(lambda _m, _i, out, unit=unit: measure(unit, out)))
        was_training = self.training
        self.eval()
        self(x)
        self.train(was_training)
        for handle in handles:
            handle.remove()
        for unit, (mean, var) in moments.items():
            unit.unfold(mean, var)


def restore_trunk(table: Mapping[str, Any], tensors: Mapping[str, Array]) -> list[ConvUnit | Residual]:
    """The convolutions of an exported model, input to output."""
    trunk: list[ConvUnit | Residual] = []
    channels = int(table["inputs"])
    *layers, _mean, _linear = table["layers"]
    for layer in layers:
        if layer["op"] == "residual":
            trunk.append(Residual(_restore_body(channels, layer["body"], tensors)))
        else:
            trunk.append(ConvUnit.restore(channels, layer, tensors))
            channels = int(layer["out"])
    return trunk


def _restore_body(channels: int, layers: Sequence[Mapping[str, Any]], tensors: Mapping[str, Array]) -> list[ConvUnit]:
    inputs = [channels, *(int(layer["out"]) for layer in layers)]
    return [ConvUnit.restore(n, layer, tensors) for n, layer in zip(inputs, layers, strict=False)]


def _outputs(trunk: Sequence[ConvUnit | Residual]) -> int:
    """Channels after the last strided or widening convolution; residual blocks keep the count."""
    units = [layer for layer in trunk if isinstance(layer, ConvUnit)]
    return units[-1].outputs


def _array(tensor: Tensor) -> FloatArray:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)

"""A convnet's nested layer list, flattened to a chain of convolutions, some of which add an earlier column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Conv:
    """One convolution of the chain. `relu` applies after the skip.

    `skip`: index of the convolution whose *input* is added to this one's output, `skip_lag` columns before its newest.
    """

    name: str
    inputs: int
    out: int
    kernel: int
    stride: int
    groups: int
    relu: bool
    skip: int | None = None
    skip_lag: int = 0


@dataclass(frozen=True, slots=True)
class ConvPlan:
    """`kept[i]`: columns to keep of convolution i's input; `kept[-1]`: output columns of one window."""

    convs: tuple[Conv, ...]
    kept: tuple[int, ...]
    linear: str


def plan_convnet(model: Mapping[str, Any], window: int) -> ConvPlan:
    """Flatten `model["layers"]`, which the bundle has checked."""
    convs: list[Conv] = []
    kept: list[int] = []
    width, columns = model["inputs"], window
    *layers, _, linear = model["layers"]
    for layer in layers:
        body = layer["body"] if layer["op"] == "residual" else [layer]
        skip, crop = len(convs), sum(c["kernel"] - 1 for c in body)
        for i, c in enumerate(body):
            ends_residual = layer["op"] == "residual" and i == len(body) - 1
            conv = Conv(
                name=c["name"],
                inputs=width,
                out=c["out"],
                kernel=c["kernel"],
                stride=c["stride"],
                groups=c["groups"],
                relu=c["relu"] or ends_residual,
                skip=skip if ends_residual else None,
                # When the body's column c is made, its input has reached column c + crop; the skip is c + crop / 2.
                skip_lag=crop // 2 if ends_residual else 0,
            )
            convs.append(conv)
            kept.append(max(conv.kernel, crop + 1))
            width, columns = conv.out, (columns - conv.kernel) // conv.stride + 1
    return ConvPlan(tuple(convs), (*kept, columns), linear["name"])

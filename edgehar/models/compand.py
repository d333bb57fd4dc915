"""Companding: a fixed piecewise-linear logarithm that shows a network faint and strong motion at once.

The sway of a person who sits or stands is a hundredth of the acceleration of one who walks; on a linear scale a
normalised network barely sees it. Built of ReLUs, the curve is exported as two ordinary 1x1 convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgehar.errors import Reason, UsageError
from edgehar.types import FloatArray

KNOTS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Where the slope changes, in units of the normalised input; the curve is odd."""


class Compand(nn.Module):
    """Replace the channels `which` by companded ones: x [b, c, t] -> [b, c, t].

    y(x) = sum_k slope_k (relu(x - knot_k) - relu(-x - knot_k)) meets asinh(gain x) / asinh(gain) at every knot and
    continues its last chord, from 0.3 to 1, beyond. The other channels pass unchanged.
    """

    def __init__(self, channels: int, which: Sequence[int], gain: float) -> None:
        super().__init__()
        if any(not 0 <= i < channels for i in which):
            raise UsageError(
                f"compand_channels is {list(which)} but the input has {channels} channels",
                reason=Reason.VALUE,
                hint=f"choose channel numbers from 0 to {channels - 1}",
            )
        knots = np.asarray(KNOTS)
        chords = np.diff(np.arcsinh(gain * knots) / np.arcsinh(gain)) / np.diff(knots)
        changes = [float(s) for s in np.diff(chords, prepend=0.0)]
        self.curve: tuple[tuple[float, float], ...] = tuple(zip(changes, KNOTS, strict=False))  # (slope, knot)
        self.channels = channels
        self.which = sorted(set(which))

    def forward(self, x: Tensor) -> Tensor:
        if not self.which:
            return x
        picked = x[:, self.which]
        companded = torch.stack([slope * F.softshrink(picked, knot) for slope, knot in self.curve]).sum(dim=0)
        y = x.clone()
        y[:, self.which] = companded
        return y

    def describe(self, name: str, tensors: dict[str, FloatArray]) -> list[dict[str, Any]]:
        """Two 1x1 convolutions: every needed relu(+-x - knot), then their weighted sums; none where nothing is on."""
        if not self.which:
            return []
        straight = ((1.0, 0.0),)
        terms = [
            (channel, sign, slope, knot)
            for channel in range(self.channels)
            for slope, knot in (self.curve if channel in self.which else straight)
            for sign in (1.0, -1.0)
        ]
        spread = np.zeros((len(terms), self.channels, 1), np.float32)
        bias = np.zeros(len(terms), np.float32)
        gather = np.zeros((self.channels, len(terms), 1), np.float32)
        for row, (channel, sign, slope, knot) in enumerate(terms):
            spread[row, channel, 0], bias[row] = sign, -knot
            gather[channel, row, 0] = sign * slope
        tensors[f"{name}.0.w"], tensors[f"{name}.0.b"] = spread, bias
        tensors[f"{name}.1.w"], tensors[f"{name}.1.b"] = gather, np.zeros(self.channels, np.float32)
        common = {"op": "conv", "kernel": 1, "stride": 1, "groups": 1}
        return [
            {**common, "name": f"{name}.0", "out": len(terms), "relu": True},
            {**common, "name": f"{name}.1", "out": self.channels, "relu": False},
        ]

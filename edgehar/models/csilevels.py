"""The front end of `csicnn` that hears how strongly something moves, as a logarithm, and not what the amplitudes do.

From person to person the same activity changes the amplitudes by one step or by thirty, depending on where the
link has its fades; what recurs is how the strength rises and falls. So amplitudes (their cosines over the subcarriers)
become differences over several lags, these their absolute values, averaged over the cosines and over a stretch of time,
and these their logarithms: a louder take is the same curve, moved up. All of it is fixed, nothing is learned.

The logarithm is piecewise linear between powers of two of `floor`, a sum of rectified ramps. So everything here is an
ordinary convolution, and every runtime, quantisation and emitter has it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from edgehar.errors import Reason, UsageError
from edgehar.models.convnet import ConvUnit, Residual
from edgehar.models.sharing import Fixed

OCTAVES = 12
"""The logarithm's knots are 0, floor, 2 floor, ... 2^(OCTAVES - 1) floor; beyond the last it goes on straight."""


def levels(
    modes: int, lags: Sequence[int], *, smooth: int, stride: int, floor: float
) -> tuple[list[ConvUnit | Residual], int]:
    """Convolutions [b, modes, t] -> [b, len(lags), t'] of log2(1 + level / floor), and how many channels they leave.

    The level at a lag is the mean absolute difference of two means of lag / 2 samples, `lag` samples apart and scaled
    so that white noise of deviation s gives 0.8 s at every lag; over all modes and over `smooth` samples, every
    `stride` samples.
    """
    if not lags or min(lags) < 1 or smooth < 1 or stride < 1 or not floor > 0:
        raise UsageError(
            f"lags {list(lags)}, smooth {smooth}, level_stride {stride}, floor {floor}",
            reason=Reason.VALUE,
            hint="give options.lags of 1 or more, smooth and level_stride of 1 or more, a floor above 0",
        )
    kernels = _differences(lags)
    count = len(lags)
    both = torch.cat([kernels, -kernels])  # |d| = relu(d) + relu(-d)
    mean = torch.eye(count).repeat(1, 2 * modes)[:, :, None].expand(-1, -1, smooth) / (modes * smooth)
    ramps, slopes = _logarithm(floor)
    return [
        Fixed(both[:, None].repeat(modes, 1, 1), groups=modes, relu=True),
        Fixed(mean, stride=stride),
        Fixed(torch.ones(count * len(ramps), 1, 1), -ramps.repeat(count), groups=count, relu=True),
        Fixed(slopes.repeat(count, 1)[:, :, None], groups=count),
    ], count


def _differences(lags: Sequence[int]) -> torch.Tensor:
    """Kernels [lags, longest] of unit norm: the later half-lag's mean less the earlier one's, in the middle."""
    longest = max(lag + max(1, lag // 2) for lag in lags)
    kernels = torch.zeros(len(lags), longest, dtype=torch.float64)
    for kernel, lag in zip(kernels, lags, strict=True):
        half = max(1, lag // 2)
        begin = (longest - lag - half) // 2
        kernel[begin : begin + half] -= 1
        kernel[begin + lag : begin + lag + half] += 1
    unit: torch.Tensor = kernels / kernels.norm(dim=1, keepdim=True)
    return unit.float()


def _logarithm(floor: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Knots [k] and slope changes [k]: sum_k slopes[k] relu(x - knots[k]) is log2(1 + x / floor) at every knot."""
    knots = torch.cat([torch.zeros(1), floor * 2.0 ** torch.arange(OCTAVES)]).double()
    values = torch.log2(1 + knots / floor)
    slopes = values.diff() / knots.diff()
    return knots[:-1].float(), torch.diff(slopes, prepend=torch.zeros(1)).float()

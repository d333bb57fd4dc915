"""Random changes to training windows that leave the activity what it is, in physical units, in few torch calls."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgehar.datasets.triads import units_of
from edgehar.train.recipe import Augment
from edgehar.types import FloatArray

WARP_KNOTS = 5
"""Speeds are drawn at this many points of a window and joined linearly."""

FADE_KNOTS = 5
"""So are the gains of a faded window, at this many points over its channels."""


class Augmenter:
    """Callable on x [b, w, c] in physical units; the same generator state gives the same windows."""

    def __init__(self, settings: Augment, channels: Sequence[str], std: FloatArray) -> None:
        self.settings = settings
        self.units = units_of(channels)
        self.std = torch.from_numpy(std)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        settings = self.settings
        if settings.time_warp:
            x = time_warp(x, settings.time_warp, generator)
        if settings.rotation_rad or settings.scale:
            x = x.clone()
            for unit in self.units:
                turn = rotations(len(x), settings.rotation_rad, generator)
                if settings.scale:
                    turn = turn * (1 + settings.scale * torch.randn(len(x), 1, 1, generator=generator))
                for triad in unit.triads:
                    x[:, :, triad] = torch.bmm(x[:, :, triad], turn)
        if settings.loudness:
            x = x * (settings.loudness * torch.randn(len(x), 1, 1, generator=generator)).exp()
        if settings.fading:
            x = fade(x, settings.fading, generator)
        if settings.noise:
            level = settings.noise * torch.rand(len(x), 1, 1, generator=generator)
            x = x + level * self.std * torch.randn(x.shape, generator=generator)
        if settings.jitter:
            x = x + settings.jitter * self.std * torch.randn(x.shape, generator=generator)
        return x


def rotations(count: int, angle_sd_rad: float, generator: torch.Generator) -> Tensor:
    """Rotation matrices [count, 3, 3] about uniformly random axes, angles N(0, angle_sd_rad).

    Rodrigues: R = I + sin(a) K + (1 - cos(a)) K K, K the cross-product matrix of the unit axis.
    """
    axis = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    angle = (angle_sd_rad * torch.randn(count, generator=generator)).view(-1, 1, 1)
    x, y, z = axis.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    return torch.eye(3) + torch.sin(angle) * cross + (1 - torch.cos(angle)) * torch.bmm(cross, cross)


def time_warp(x: Tensor, log_speed_sd: float, generator: torch.Generator) -> Tensor:
    """Play each window at a smoothly varying speed, its first and last sample kept; linear interpolation."""
    b, w, c = x.shape
    knots = log_speed_sd * torch.randn(b, 1, WARP_KNOTS, generator=generator)
    speed = torch.nn.functional.interpolate(knots, size=w - 1, mode="linear", align_corners=True).squeeze(1).exp()
    elapsed = torch.nn.functional.pad(speed.cumsum(1), (1, 0))
    at = elapsed * ((w - 1) / elapsed[:, -1:])
    left = at.floor().clamp_(0, w - 2)
    fraction = (at - left).unsqueeze(2)
    rows = left.long().unsqueeze(2).expand(b, w, c)
    before = x.gather(1, rows)
    return before + fraction * (x.gather(1, rows + 1) - before)


def fade(x: Tensor, chance: float, generator: torch.Generator) -> Tensor:
    """Multiply the changes of some windows x [b, w, c] by a random smooth curve over the channels, of RMS 1.

    How strongly, and with which sign, each subcarrier answers to a movement depends on the room; the answer is smooth
    over frequency as long as the paths are short.
    """
    b, _, c = x.shape
    knots = torch.randn(b, 1, FADE_KNOTS, generator=generator)
    curve = torch.nn.functional.interpolate(knots, size=c, mode="linear", align_corners=True)
    curve = curve / curve.square().mean(2, keepdim=True).sqrt()
    chosen = torch.rand(b, 1, 1, generator=generator) < chance
    still = x.mean(1, keepdim=True)
    return torch.where(chosen, still + curve * (x - still), x)

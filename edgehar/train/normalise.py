"""What a network sees of a window: normalised channels, magnitudes, faint motion lifted and rectified if asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgehar.contract import sensors_named
from edgehar.datasets.triads import units_of
from edgehar.errors import Reason, UsageError
from edgehar.train.recipe import Recipe
from edgehar.types import FloatArray

CONSTANT_BELOW = 1e-6
"""A channel whose standard deviation is below this (in its unit) is only centred, never blown up to noise."""

STEADY_BELOW = 0.01
"""So is a magnitude that varies by less than this fraction of itself: a gravity vector that a phone made one g long."""


@dataclass(frozen=True, slots=True)
class Normaliser:
    """z = (x - mean) / std per channel, then asinh(gain z) / asinh(gain) where gain > 0; all [c + t] float32.

    x is the c channels in physical units and then the Euclidean norms of the t `triads` of channel numbers, which no
    turn of the sensor on the body changes.

    The sway of a person who sits or stands is a hundredth as strong as walking; after normalisation a network hardly
    sees it. The curve is linear below 1/gain and logarithmic above, and keeps z = 1 where it is. The absolute values
    of the channels numbered `rectified` follow as further channels: a recurrent cell then gathers the strength of
    motion without learning to rectify it.
    """

    mean: FloatArray
    std: FloatArray
    gain: FloatArray
    rectified: tuple[int, ...] = ()
    triads: tuple[tuple[int, int, int], ...] = ()

    @classmethod
    def fit(
        cls,
        x: FloatArray,
        *,
        channels: Sequence[str] = (),
        magnitudes: bool = False,
        spread: str = "channel",
        compand: float = 0.0,
        compand_channels: Sequence[str] = (),
        rectify_channels: Sequence[str] = (),
    ) -> Normaliser:
        """Estimate mean and std from training windows x [n, w, c] in float64; compand the named channels, or all.

        With spread "motion" all channels have one deviation, the RMS of what windows deviate from their own means.
        The magnitude of a companded triad is companded, too, and scaled by its root mean square without centring: the
        curve is steep where the sensor rests.
        """
        for setting, named in (("compand_channels", compand_channels), ("rectify_channels", rectify_channels)):
            unknown = sorted(set(named) - set(channels))
            if unknown:
                raise UsageError(
                    f"{setting} names {', '.join(unknown)}, which the windows do not have",
                    reason=Reason.UNKNOWN_NAME,
                    hint=f"the channels are: {', '.join(channels)}",
                )
        triads = triads_of(channels) if magnitudes else ()
        lifted = np.full(x.shape[-1], compand > 0)
        if compand_channels:
            lifted &= np.isin(channels, compand_channels)
        flat = x.reshape(-1, x.shape[-1])
        mean, std = flat.mean(axis=0, dtype=np.float64), flat.std(axis=0, dtype=np.float64)
        if spread == "motion":
            within = x - x.mean(axis=1, keepdims=True)
            std = np.full(x.shape[-1], np.sqrt(np.square(within, dtype=np.float64).mean()))
        if triads:
            norms = _norms(torch.from_numpy(flat), triads).double()
            at_rest_zero = lifted[np.array(triads)].all(axis=1)
            centre = np.where(at_rest_zero, 0, norms.mean(0).numpy())
            mean = np.concatenate([mean, centre])
            swing = (norms - torch.from_numpy(centre)).square().mean(0).sqrt().numpy()
            std = np.concatenate([std, np.where(swing < STEADY_BELOW * np.abs(centre), 1.0, swing)])
            lifted = np.concatenate([lifted, at_rest_zero])
        std = np.where(std < CONSTANT_BELOW, 1.0, std)
        rectified = tuple(list(channels).index(name) for name in rectify_channels)
        gain = np.where(lifted, compand, 0).astype(np.float32)
        return cls(mean.astype(np.float32), std.astype(np.float32), gain, rectified, triads)

    def __call__(self, x: FloatArray) -> FloatArray:
        """X [..., c] in physical units as the network sees it, in float32."""
        seen: FloatArray = self.torch(torch.from_numpy(np.ascontiguousarray(x))).numpy()
        return seen

    def torch(self, x: Tensor) -> Tensor:
        """The same on a tensor, as the training loop needs it after augmentation."""
        if self.triads:
            x = torch.cat([x, _norms(x, self.triads)], dim=-1)
        z = (x - torch.from_numpy(self.mean)) / torch.from_numpy(self.std)
        if self.gain.any():
            gain = torch.from_numpy(np.where(self.gain > 0, self.gain, 1).astype(np.float32))
            z = torch.where(torch.from_numpy(self.gain > 0), torch.asinh(gain * z) / torch.asinh(gain), z)
        return torch.cat([z, z[..., self.rectified].abs()], dim=-1) if self.rectified else z

    def ops(self, channels: Sequence[str]) -> list[dict[str, Any]]:
        """The preprocessing operations that a bundle carries; `channels` are their input's names on the board.

        Those differ from the windows' where the dataset's own filter chain joined channels under names of its own.
        """
        ops: list[dict[str, Any]] = []
        if self.triads:
            groups = [[channels[i] for i in triad] for triad in self.triads]
            ops.append({"op": "concat", "parts": [[], [{"op": "magnitude", "groups": groups}]]})
        ops.append({"op": "normalize", "mean": [float(v) for v in self.mean], "std": [float(v) for v in self.std]})
        if self.gain.any():
            ops.append({"op": "compand", "gain": [float(v) for v in self.gain]})
        if self.rectified:
            picked = {"op": "select", "channels": [channels[i] for i in self.rectified]}
            ops.append({"op": "concat", "parts": [[], [picked, {"op": "rectify"}]]})
        return ops


def triads_of(channels: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """Channel numbers of every x, y, z triad, unit by unit; raises UsageError where there is none."""
    triads = tuple(triad for unit in units_of(channels) for triad in unit.triads)
    if not triads:
        raise UsageError(
            f"magnitudes needs channels named *_x, *_y, *_z; the windows have {', '.join(channels) or 'no names'}",
            reason=Reason.UNKNOWN_NAME,
            hint="set recipe.magnitudes=false, or name the axes of a sensor so",
        )
    return triads


def inputs_seen(channels: Sequence[str], recipe: Recipe) -> int:
    """How many channels the network sees of windows with these channels."""
    return len(channels) + (len(triads_of(channels)) if recipe.magnitudes else 0) + len(recipe.rectify_channels)


def input_sensors(channels: Sequence[str], recipe: Recipe) -> tuple[int, ...]:
    """For each channel that the network sees, the number of the sensor (`sensors_named`) that it comes from."""
    number = {column: n for n, sensor in enumerate(sensors_named(channels)) for column in sensor.channels}
    triads = triads_of(channels) if recipe.magnitudes else ()
    rectified = [list(channels).index(name) for name in recipe.rectify_channels if name in channels]
    return tuple(number[column] for column in (*range(len(channels)), *(triad[0] for triad in triads), *rectified))


def _norms(x: Tensor, triads: Sequence[tuple[int, int, int]]) -> Tensor:
    """Euclidean norms [..., t] of the triads of x [..., c]."""
    axes = x[..., torch.tensor(triads).flatten()].reshape(*x.shape[:-1], len(triads), 3)
    norms: Tensor = torch.linalg.vector_norm(axes, dim=-1)
    return norms

"""What a network sees of a window: normalised channels, faint motion lifted and rectified if asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgehar.errors import Reason, UsageError
from edgehar.types import FloatArray

CONSTANT_BELOW = 1e-6
"""A channel whose standard deviation is below this (in its unit) is only centred, never blown up to noise."""


@dataclass(frozen=True, slots=True)
class Normaliser:
    """z = (x - mean) / std per channel, then asinh(gain z) / asinh(gain) where gain > 0; all [c] float32.

    The sway of a person who sits or stands is a hundredth as strong as walking; after normalisation a network hardly
    sees it. The curve is linear below 1/gain and logarithmic above, and keeps z = 1 where it is. The absolute values
    of the channels numbered `rectified` follow as further channels: a recurrent cell then gathers the strength of
    motion without learning to rectify it.
    """

    mean: FloatArray
    std: FloatArray
    gain: FloatArray
    rectified: tuple[int, ...] = ()

    @classmethod
    def fit(
        cls,
        x: FloatArray,
        *,
        channels: Sequence[str] = (),
        compand: float = 0.0,
        compand_channels: Sequence[str] = (),
        rectify_channels: Sequence[str] = (),
    ) -> Normaliser:
        """Estimate mean and std from training windows x [n, w, c] in float64; compand the named channels, or all."""
        for setting, named in (("compand_channels", compand_channels), ("rectify_channels", rectify_channels)):
            unknown = sorted(set(named) - set(channels))
            if unknown:
                raise UsageError(
                    f"{setting} names {', '.join(unknown)}, which the windows do not have",
                    reason=Reason.UNKNOWN_NAME,
                    hint=f"the channels are: {', '.join(channels)}",
                )
        flat = x.reshape(-1, x.shape[-1])
        std = flat.std(axis=0, dtype=np.float64)
        std = np.where(std < CONSTANT_BELOW, 1.0, std)
        gain = np.full(x.shape[-1], compand, np.float32)
        if compand_channels:
            gain = np.where(np.isin(channels, compand_channels), gain, 0).astype(np.float32)
        rectified = tuple(list(channels).index(name) for name in rectify_channels)
        mean = flat.mean(axis=0, dtype=np.float64).astype(np.float32)
        return cls(mean, std.astype(np.float32), gain, rectified)

    def __call__(self, x: FloatArray) -> FloatArray:
        """X [..., c] in physical units as the network sees it, in float32."""
        seen: FloatArray = self.torch(torch.from_numpy(np.ascontiguousarray(x))).numpy()
        return seen

    def torch(self, x: Tensor) -> Tensor:
        """The same on a tensor, as the training loop needs it after augmentation."""
        z = (x - torch.from_numpy(self.mean)) / torch.from_numpy(self.std)
        if self.gain.any():
            gain = torch.from_numpy(np.where(self.gain > 0, self.gain, 1).astype(np.float32))
            z = torch.where(torch.from_numpy(self.gain > 0), torch.asinh(gain * z) / torch.asinh(gain), z)
        return torch.cat([z, z[..., self.rectified].abs()], dim=-1) if self.rectified else z

    def ops(self, channels: Sequence[str]) -> list[dict[str, Any]]:
        """The preprocessing operations that a bundle carries; `channels` are their input's names on the board.

        Those differ from the windows' where the dataset's own filter chain joined channels under names of its own.
        """
        ops: list[dict[str, Any]] = [
            {"op": "normalize", "mean": [float(v) for v in self.mean], "std": [float(v) for v in self.std]}
        ]
        if self.gain.any():
            ops.append({"op": "compand", "gain": [float(v) for v in self.gain]})
        if self.rectified:
            picked = {"op": "select", "channels": [channels[i] for i in self.rectified]}
            ops.append({"op": "concat", "parts": [[], [picked, {"op": "rectify"}]]})
        return ops

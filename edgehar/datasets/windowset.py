"""Labelled windows cut from a dataset: what a model is trained and tested on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class WindowSet:
    """n windows of w samples and c channels, in physical units, with where each one comes from.

    x [n, w, c] float32; y [n] int64 indexes `labels`; subject, recording [n] str; start [n] int64 is the window's
    first sample within its recording. `window` and `hop` are in samples at `rate_hz`.
    """

    x: FloatArray
    y: IntArray
    subject: NDArray[np.str_]
    recording: NDArray[np.str_]
    start: IntArray
    labels: tuple[str, ...]
    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float
    window: int
    hop: int

    def __post_init__(self) -> None:
        n = len(self.x)
        lengths = {name: len(getattr(self, name)) for name in ("y", "subject", "recording", "start")}
        wrong = {name: length for name, length in lengths.items() if length != n}
        if wrong or self.x.ndim != 3 or self.x.shape[1:] != (self.window, len(self.channels)):
            raise InputError(
                f"WindowSet of window {self.window} and {len(self.channels)} channels holds x {self.x.shape}, "
                f"lengths {wrong}",
                reason=Reason.SHAPE,
                hint="every array of a WindowSet has one row per window",
            )

    def __len__(self) -> int:
        return len(self.x)

    def take(self, which: NDArray[np.bool_] | IntArray) -> WindowSet:
        """The windows named by a boolean mask or by row numbers."""
        return replace(
            self,
            x=self.x[which],
            y=self.y[which],
            subject=self.subject[which],
            recording=self.recording[which],
            start=self.start[which],
        )

"""A CSI stream as a bundle wants it: amplitudes per frame, before the resampler.

The phase of a frame is random, so frames must never be averaged or interpolated as complex numbers. A bundle's
contract therefore lists amplitudes (`sc-26.amp`), and a stream of real and imaginary parts (`sc-26.re`, `sc-26.im`) is
turned into them frame by frame, before anything joins two frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgehar.dsp.csi import amplitude, by_frame_mean
from edgehar.types import FloatArray, IntArray, StreamSpec

KIND = "csi"
RE, IM, AMP = ".re", ".im", ".amp"
BARE = "1"
FRAME_MEAN = "frame_mean"
"""Unit of an amplitude divided by the mean amplitude of its frame over the contract's channels: the receiver's gain,
which changes from frame to frame, cancels."""


@dataclass(frozen=True, slots=True)
class View:
    """How one stream becomes another: `spec` is what `apply` gives."""

    spec: StreamSpec
    _first: IntArray  # per wanted channel, the stream's column of its real part, or of its amplitude
    _second: IntArray | None  # of its imaginary part; None where the stream holds amplitudes
    _by_frame_mean: bool

    def apply(self, x: FloatArray) -> FloatArray:
        """Frames x [n, c] of the stream as [n, channels of `spec`] float32.

        A frame of NaN or of nothing but zeros becomes NaN, which room 2 counts as missing.
        """
        a = np.ascontiguousarray(x[:, self._first])
        if self._second is not None:
            a = amplitude(a, np.ascontiguousarray(x[:, self._second]))
        return by_frame_mean(a) if self._by_frame_mean else a


def stream_view(spec: StreamSpec, channels: tuple[str, ...], units: tuple[str, ...]) -> View | None:
    """The view of a stream that has these channels and units, or None where there is nothing to derive.

    That is so for a stream that has them already, and for one that lacks a subcarrier or is no CSI: the contract's
    own check then says what differs.
    """
    if spec.kind != KIND or (spec.channels, spec.units) == (channels, units):
        return None
    if not channels or set(units) not in ({BARE}, {FRAME_MEAN}) or not all(name.endswith(AMP) for name in channels):
        return None
    scaled = units[0] == FRAME_MEAN
    # A frame mean may be taken again, over fewer subcarriers; it cannot be undone.
    usable = {BARE, FRAME_MEAN} if scaled else {BARE}
    column = {name: i for i, (name, unit) in enumerate(zip(spec.channels, spec.units, strict=True)) if unit in usable}
    carriers = [name.removesuffix(AMP) for name in channels]
    columns = [[column.get(carrier + part, -1) for carrier in carriers] for part in (RE, IM, AMP)]
    real, imaginary, bare = (np.array(numbers, np.int64) for numbers in columns)
    seen = replace(spec, channels=channels, units=units)
    if (real >= 0).all() and (imaginary >= 0).all():
        return View(seen, real, imaginary, scaled)
    return View(seen, bare, None, scaled) if (bare >= 0).all() else None


def amplitude_channels(channels: tuple[str, ...]) -> tuple[str, ...]:
    """`sc-26.amp`, ... for every subcarrier that a CSI stream's channels hold, in their order."""
    stems = [name.rpartition(".")[0] for name in channels if name.endswith((RE, AMP))]
    return tuple(f"{stem}{AMP}" for stem in dict.fromkeys(stems))

"""Recordings as the pipeline sees them before it cuts windows: the contract's channels on the contract's uniform grid.

An IMU's recording already is that. CSI frames hold complex numbers and come in bursts, so training derives amplitudes
and resamples through the very classes that the pipeline uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.worn import NO_SENSORS, Sensors, Worn
from edgehar.dsp.resample import Resampler
from edgehar.dsp.view import FRAME_MEAN, KIND, amplitude_channels, stream_view
from edgehar.types import Chunk, Flag, StreamSpec

CSI_RATE_HZ = 25.0
"""Default for CSI: what a body does to the amplitudes lies below 10 Hz, and links that print text reach little more."""

CSI_RATE_TOLERANCE = 3.0
"""CSI comes at the rate of the traffic: the grid is the contract's, and a bundle runs on up to four times its rate."""

CSI_COVERAGE = 0.5
"""Frames of a burst stand for the pauses between bursts, up to half of a window."""


@dataclass(frozen=True, slots=True)
class UniformStream:
    """The stream that windows are cut from; `rate_tolerance` is its contract's, `min_coverage` its decision's.

    `worn`: which of a recording's channels it is made of, where not all.
    """

    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float
    rate_tolerance: float = 0.05
    min_coverage: float = 0.8
    worn: Worn | None = None

    @classmethod
    def of(cls, dataset: Dataset, rate_hz: float = 0.0, sensors: Sensors = NO_SENSORS) -> Self | None:
        """How a dataset's recordings are seen at `rate_hz` (0: CSI_RATE_HZ for CSI, else the dataset's own rate).

        With `sensors`, those of its units alone. None where the recordings are that stream already.
        """
        if sensors:
            worn = Worn.of(dataset, sensors)
            return cls(worn.channels, worn.units, rate_hz or dataset.rate_hz, worn=worn)
        if first_spec(dataset).kind == KIND:
            channels = amplitude_channels(dataset.channels)
            rate_hz = rate_hz or min(CSI_RATE_HZ, dataset.rate_hz)
            return cls(channels, (FRAME_MEAN,) * len(channels), rate_hz, CSI_RATE_TOLERANCE, CSI_COVERAGE)
        if rate_hz in (0.0, dataset.rate_hz):
            return None
        return cls(dataset.channels, dataset.units, rate_hz)

    def seen(self, chunk: Chunk) -> Chunk:
        """A whole recording on this stream's grid. `seq` is the stream index that the pipeline counts.

        GAP_BEFORE marks the first sample of each segment, SYNTHETIC those that stand for samples that never came.
        """
        chunk = chunk if self.worn is None else self.worn.chunk(chunk)
        view = stream_view(chunk.spec, self.channels, self.units)
        x = chunk.x if view is None else view.apply(chunk.x)
        pieces = list(Resampler(self.rate_hz, len(self.channels)).push(chunk.t_dev_ns, x, chunk.flags))
        source = chunk.spec
        spec = StreamSpec(
            kind=source.kind,
            channels=self.channels,
            rate_hz=self.rate_hz,
            units=self.units,
            axes=source.axes,
            placement=source.placement,
            session_id=source.session_id,
            simulated=source.simulated,
        )
        empty = np.empty(0, np.int64)
        t_ns = np.concatenate([empty, *(piece.t_dev_ns for piece in pieces)])
        real = np.concatenate([np.empty(0, np.bool_), *(piece.real for piece in pieces)])
        flags = np.where(real, 0, int(Flag.SYNTHETIC)).astype(np.uint16)
        edges = np.cumsum([0, *(len(piece.real) for piece in pieces)])[:-1]
        flags[[edge for edge, piece in zip(edges, pieces, strict=True) if piece.begins]] |= int(Flag.GAP_BEFORE)
        return Chunk(
            spec,
            t_dev_ns=t_ns,
            t_host_ns=t_ns,
            seq=np.concatenate([empty, *(np.arange(len(p.real)) + p.index for p in pieces)]),
            x=np.concatenate([np.empty((0, len(self.channels)), np.float32), *(piece.x for piece in pieces)]),
            flags=flags,
        )


def first_spec(dataset: Dataset) -> StreamSpec:
    """The stream of a dataset's first recording: what a model is trained on."""
    return dataset.recordings[0].open().specs["main"]

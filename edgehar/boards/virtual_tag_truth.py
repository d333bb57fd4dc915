"""What a virtual tag measured, as a recording: what a host would have recorded had nothing gone wrong on the way."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from edgehar.errors import Reason, UsageError
from edgehar.recording import RecordingWriter
from edgehar.sources.imu_stream import ACCEL, GYRO, scaled
from edgehar.types import Chunk, Flag, StreamSpec
from edgehar.wire.messages import ImuSamples


class TruthRecorder:
    """`push` is a VirtualTag's on_samples. The file is begun with the first sample: by then the tag has been set.

    Arrival times are the device's: nothing is ever late. Samples that the sensor's FIFO lost are there, too.
    """

    def __init__(self, path: Path, *, name: str) -> None:
        if path.exists():
            raise UsageError(f"{path} exists", reason=Reason.EXISTS, hint="choose another name, or remove it first")
        self._path = path
        self._name = name
        self._writer: RecordingWriter | None = None
        self._spec: StreamSpec | None = None
        self._held: list[ImuSamples] = []
        self._boot = 0

    def push(self, samples: ImuSamples) -> None:
        """Samples as they were measured, whole ranges and all."""
        if self._held and (samples.boot != self._held[-1].boot or len(self._held) >= 1e6 / samples.period_us):
            self._write()
        self._held.append(samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left; without a single sample there is no file."""
        if self._held:
            self._write()
        if self._writer is not None:
            self._writer.close()

    def _write(self) -> None:
        first = self._held[0]
        if self._writer is None or self._spec is None:
            channels = (*ACCEL, *GYRO)[: first.x.shape[1]]
            units = tuple("g" if channel in ACCEL else "radps" for channel in channels)
            rate_hz = float(f"{1e6 / first.period_us:.6g}")
            self._spec = StreamSpec("imu", channels, rate_hz, units, session_id=self._name, simulated=True)
            self._writer = RecordingWriter(self._path, self._spec)
        t_ns = np.array([1000 * samples.t_us for samples in self._held], np.int64)
        seq = np.array([samples.seq for samples in self._held], np.int64)
        flags = np.zeros(len(seq), np.uint16)
        if self._boot and first.boot != self._boot:
            flags[0] = Flag.CLOCK_RESET | Flag.GAP_BEFORE
        self._boot = first.boot
        x = np.concatenate([x for samples in self._held if (x := scaled(samples)) is not None])
        self._writer.write(Chunk(self._spec, t_ns, t_ns, seq, x, flags))
        self._held.clear()

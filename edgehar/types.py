"""The vocabulary: five nouns that travel through the six rooms. Read this file first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
FlagArray = NDArray[np.uint16]

NO_AUX: Mapping[str, NDArray[np.generic]] = MappingProxyType({})


class Flag(IntFlag):
    """Per-sample flags of a `Chunk`; a sample may carry several."""

    NONE = 0
    GAP_BEFORE = 1  # one or more samples were lost between the previous sample and this one
    CLOCK_RESET = 2  # the device clock restarted (reboot): t_dev_ns is not comparable with what came before
    CLIPPED = 4  # the sensor reported its end of range
    SYNTHETIC = 8  # filled in by software, never measured


class Status(StrEnum):
    """How far an `Activity` can be trusted."""

    OK = "OK"
    UNSURE = "UNSURE"  # the model's calibrated probability is below the bundle's threshold
    NO_DATA = "NO_DATA"  # too few real samples in the window
    OUT_OF_CONTRACT = "OUT_OF_CONTRACT"  # the stream no longer looks like what the model was trained on


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What a stream is. Two streams with equal specs may share a model.

    `channels` and `units` run in parallel. Units are spelled `g`, `mps2`, `radps`, `dps`, `uT`, `1`.
    """

    kind: str
    channels: tuple[str, ...]
    rate_hz: float
    units: tuple[str, ...]
    axes: str = "device"
    placement: str = ""
    session_id: str = ""
    simulated: bool = False

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.units):
            raise InputError(
                f"StreamSpec has {len(self.channels)} channels but {len(self.units)} units",
                reason=Reason.SHAPE,
                hint="give one unit per channel",
            )
        if len(set(self.channels)) != len(self.channels):
            twice = next(name for name in self.channels if self.channels.count(name) > 1)
            raise InputError(
                f"StreamSpec has two channels called '{twice}'",
                reason=Reason.VALUE,
                hint="give every channel a name of its own",
            )
        if not self.rate_hz > 0:
            raise InputError(
                f"StreamSpec rate_hz is {self.rate_hz}",
                reason=Reason.VALUE,
                hint="give the nominal rate in Hz, above 0",
            )


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples as they left the device; the only thing a source yields. Structure of arrays, n samples, c channels.

    t_dev_ns [n] int64: device clock, unwrapped. t_host_ns [n] int64: arrival on the host's monotonic clock.
    seq [n] int64: the device's running number, unwrapped. x [n, c] float32 in `spec.units`; NaN where a channel
    was not measured. flags [n] uint16: see `Flag`. aux: per-sample extras such as rssi_dbm, each [n].
    """

    spec: StreamSpec
    t_dev_ns: IntArray
    t_host_ns: IntArray
    seq: IntArray
    x: FloatArray
    flags: FlagArray
    aux: Mapping[str, NDArray[np.generic]] = field(default_factory=lambda: NO_AUX)  # before 3.12 a proxy is unhashable

    def __post_init__(self) -> None:
        n = len(self.t_dev_ns)
        lengths = {
            "t_host_ns": len(self.t_host_ns),
            "seq": len(self.seq),
            "x": len(self.x),
            "flags": len(self.flags),
            **{f"aux[{k}]": len(v) for k, v in self.aux.items()},
        }
        wrong = {name: length for name, length in lengths.items() if length != n}
        if wrong or self.x.ndim != 2 or self.x.shape[1] != len(self.spec.channels):
            raise InputError(
                f"Chunk of {n} samples and {len(self.spec.channels)} channels holds x {self.x.shape}, lengths {wrong}",
                reason=Reason.SHAPE,
                hint="every array of a Chunk has one row per sample",
            )

    def __len__(self) -> int:
        return len(self.t_dev_ns)


@dataclass(frozen=True, slots=True)
class Window:
    """A uniform, preprocessed stretch: x [w, c] float32 from t0_ns to t1_ns (both inclusive sample times).

    coverage = real samples / expected samples, 0 to 1.
    """

    t0_ns: int
    t1_ns: int
    x: FloatArray
    coverage: float


@dataclass(frozen=True, slots=True)
class Scores:
    """What a runtime returns for one window: raw logits [k] at the window's last sample. Softmax lives in `decide`."""

    t_ns: int
    logits: FloatArray


@dataclass(frozen=True, slots=True)
class Activity:
    """A decision; what every sink gets. `latency_ns` is the last sample's arrival to this decision.

    `sensors`: which sensors it rests on, where the model has several; empty where it has one, or where all were lost.
    """

    t_ns: int
    label: str
    p: float
    status: Status
    coverage: float
    latency_ns: int
    model_id: str
    simulated: bool = False
    sensors: tuple[str, ...] = ()

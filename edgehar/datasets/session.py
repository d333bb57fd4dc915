"""What an importer yields: one `Session` per recording, and `About` the whole set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgehar.recording import Label
from edgehar.types import FloatArray, IntArray, StreamSpec


@dataclass(frozen=True, slots=True)
class About:
    """The head of a dataset, as it goes into dataset.toml.

    applied_preprocess names the chain that the samples have already been through ("" = as they left the device).
    window and hop, in samples, are set where the source came cut into windows. official_train and official_test are
    subjects.
    """

    name: str
    format: str
    labels: tuple[str, ...]
    licence: str = ""
    citation: str = ""
    source: str = ""
    applied_preprocess: str = ""
    window: int = 0
    hop: int = 0
    official_train: tuple[str, ...] = ()
    official_test: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One recording to be: x [n, c] float32 in `spec.units`, t_ns [n] device time, seq [n] running number.

    window_starts are running numbers, in the order in which the source listed its windows.
    """

    subject: str
    name: str
    spec: StreamSpec
    t_ns: IntArray
    seq: IntArray
    x: FloatArray
    labels: tuple[Label, ...]
    environment: str = ""
    window_starts: IntArray | None = None
    flags: NDArray[np.uint16] | None = None
    aux: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """An opened source: what it is, and its sessions one by one; `count` is how many there will be.

    told: what else there is to say about it, for people and as JSON: what was read, and what was left out and why.
    """

    about: About
    sessions: Iterable[Session]
    count: int
    told: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CsiOptions:
    """What may be said about raw CSI; docs/csi.md explains each. "" and auto: as the source looks."""

    dialect: str = ""
    sender: str = ""
    salt: str = ""
    field: str = "auto"
    layout: str = ""
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the command line may say about a source that does not say it itself.

    progress(done, total) hears from a format that has to look at everything before the first session.
    """

    name: str = ""
    units: tuple[str, ...] = ()
    rate_hz: float = 0.0
    csi: CsiOptions = CsiOptions()
    progress: Callable[[int, int], None] | None = None


def subject_names(numbers: Iterable[int]) -> dict[int, str]:
    """Subject numbers as text of equal length, so that they sort as numbers: {1: "01", 30: "30"}."""
    distinct = sorted(set(numbers))
    width = len(str(distinct[-1])) if distinct else 1
    return {number: f"{number:0{width}d}" for number in distinct}


def uniform_times_ns(count: int, rate_hz: float, first: int = 0) -> IntArray:
    """Times [count] of samples `first`, `first` + 1, ... on a uniform grid that begins at 0."""
    return np.round(np.arange(first, first + count) * (1e9 / rate_hz)).astype(np.int64)


def label_runs(codes: NDArray[np.integer], t_ns: IntArray, rate_hz: float, names: tuple[str, ...]) -> tuple[Label, ...]:
    """Intervals of equal label: codes [n] index `names`, anything outside is unlabelled.

    A run ends half a sample after its last sample at the latest, and always at a gap.
    """
    if not len(codes):
        return ()
    period_ns = 1e9 / rate_hz
    cut = (np.diff(codes) != 0) | (np.diff(t_ns) > 1.5 * period_ns)
    edges = np.flatnonzero(cut) + 1
    firsts = np.concatenate([[0], edges])
    lasts = np.concatenate([edges, [len(codes)]]) - 1
    return tuple(
        Label(int(t_ns[first]), int(t_ns[last] + period_ns // 2), names[int(codes[first])])
        for first, last in zip(firsts, lasts, strict=True)
        if 0 <= int(codes[first]) < len(names)
    )

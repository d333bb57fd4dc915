"""What is in a dataset: who, how long, which classes, which rate was measured, how many holes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgehar.datasets.dataset import Dataset, RecordingRef
from edgehar.datasets.windows import sample_codes, segments

UNLABELLED = "(none)"


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """One recording; rate_hz is the median of what its sample times say (0 where there are fewer than two)."""

    name: str
    subject: str
    session: str
    environment: str
    samples: int
    seconds: float
    rate_hz: float
    gaps: int
    missing_seconds: float
    truncated: bool
    class_seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole dataset. `hours` counts measured samples, not holes."""

    dataset: Dataset
    recordings: tuple[RecordingSummary, ...]

    @property
    def hours(self) -> float:
        """Sum of what was measured."""
        return sum(recording.seconds for recording in self.recordings) / 3600

    @property
    def class_seconds(self) -> dict[str, float]:
        """Seconds of each class, in the order of the dataset's labels."""
        total: Counter[str] = Counter()
        for recording in self.recordings:
            total.update(recording.class_seconds)
        return {name: total[name] for name in (*self.dataset.labels, UNLABELLED) if total[name]}

    def subject_class_seconds(self) -> dict[str, dict[str, float]]:
        """Seconds of each class for each subject."""
        table: dict[str, Counter[str]] = {}
        for recording in self.recordings:
            table.setdefault(recording.subject, Counter()).update(recording.class_seconds)
        return {subject: dict(table[subject]) for subject in sorted(table)}

    def json(self) -> dict[str, Any]:
        """As printed by `edgehar data --json`."""
        dataset = self.dataset
        rates = [recording.rate_hz for recording in self.recordings if recording.rate_hz]
        return {
            "dataset": str(dataset.path),
            "name": dataset.name,
            "format": dataset.format,
            "channels": dataset.channels,
            "units": dataset.units,
            "rate_hz": dataset.rate_hz,
            "measured_rate_hz": {"min": min(rates), "median": float(np.median(rates)), "max": max(rates)}
            if rates
            else None,
            "subjects": dataset.subjects,
            "hours": round(self.hours, 4),
            "gaps": sum(recording.gaps for recording in self.recordings),
            "missing_seconds": round(sum(recording.missing_seconds for recording in self.recordings), 3),
            "truncated": [recording.name for recording in self.recordings if recording.truncated],
            "class_seconds": {name: round(seconds, 2) for name, seconds in self.class_seconds.items()},
            "applied_preprocess": dataset.applied_preprocess,
            "licence": dataset.licence,
            "citation": dataset.citation,
            "recordings": [asdict(recording) for recording in self.recordings],
        }


def summarise(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> Summary:
    """Read every recording of `dataset` once."""
    found = []
    for done, recording in enumerate(dataset.recordings, 1):
        found.append(_one(recording, dataset))
        if progress is not None:
            progress(done, len(dataset.recordings))
    return Summary(dataset, tuple(found))


def _one(recording: RecordingRef, dataset: Dataset) -> RecordingSummary:
    source = recording.open()
    chunk = source.read()
    period_s = 1.0 / chunk.spec.rate_hz
    names = (*dataset.labels, UNLABELLED)
    codes = sample_codes(chunk.t_dev_ns, source.labels, dataset.labels)
    counts = np.bincount(np.where(codes < 0, len(dataset.labels), codes), minlength=len(names))
    steps_s = np.diff(chunk.t_dev_ns) / 1e9
    parts = segments(chunk)
    holes_s = [steps_s[first - 1] - period_s for first, _ in parts[1:]]
    return RecordingSummary(
        name=recording.name,
        subject=recording.subject,
        session=recording.session,
        environment=recording.environment,
        samples=len(chunk),
        seconds=round(len(chunk) * period_s, 3),
        rate_hz=_median_rate_hz(steps_s),
        gaps=max(0, len(parts) - 1),
        missing_seconds=round(float(sum(max(0.0, hole) for hole in holes_s)), 3),
        truncated=source.truncated,
        class_seconds={name: round(int(n) * period_s, 3) for name, n in zip(names, counts, strict=True) if n},
    )


def _median_rate_hz(steps_s: np.ndarray[Any, Any]) -> float:
    forward = steps_s[steps_s > 0]
    return round(float(1.0 / np.median(forward)), 3) if len(forward) else 0.0

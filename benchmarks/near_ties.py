"""Where the raw stream and the published windows lead a bundle to different decisions, and how close the call was.

The published windows were rounded to 16 bits after filtering, the stream was not. A decision that this alone turns is
a near-tie; its margin is the distance between the two highest logits of the published window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jobs import SPLITS, Job, rows
from tasks import load_windows

from edgehar.bundle import Bundle, open_bundle
from edgehar.datasets.dataset import Dataset, RecordingRef
from edgehar.datasets.splits import load_split
from edgehar.datasets.windowset import WindowSet
from edgehar.dsp.graph import Preprocess
from edgehar.errors import InputError, Reason
from edgehar.pipeline import Pipeline
from edgehar.runtimes import Runtime, make_runtime
from edgehar.train.bundling import SensorStream
from edgehar.types import FloatArray


@dataclass(frozen=True, slots=True)
class Difference:
    """One window on which they differ; `start` is its first sample's number within the recording."""

    model_id: str
    recording: str
    start: int
    published: str
    streamed: str
    margin: float


def of_job(job: Job, raw: Dataset) -> list[Difference]:
    """Every test window of a job's bundle that the bundle judges otherwise from the raw recordings."""
    windows = load_windows(job.plan.task, job.dataset, job.cache)
    test = windows.take(rows(load_split(SPLITS / job.plan.task.split_file(job.seed)), windows, job)[2])
    return differences(open_bundle(job.stem.with_suffix(".edgehar")), Dataset.open(job.dataset), test, raw)


def differences(bundle: Bundle, dataset: Dataset, windows: WindowSet, raw: Dataset) -> list[Difference]:
    """The same for some windows of a dataset whose recordings `raw` has under the same names, less its filters."""
    sources = {recording.name: recording for recording in raw.recordings}
    engine = make_runtime("numba", bundle)
    labels = bundle.manifest.labels
    found = []
    for name in np.unique(windows.recording):
        here = windows.take(np.flatnonzero(windows.recording == name))
        here = here.take(np.argsort(here.start))
        published = published_logits(bundle, dataset, engine, here)
        streamed = streamed_logits(bundle, engine, sources[str(name)], here)
        found += [
            Difference(
                model_id=bundle.manifest.model_id,
                recording=str(name),
                start=int(here.start[i]),
                published=labels[int(published[i].argmax())],
                streamed=labels[int(streamed[i].argmax())],
                margin=round(margin(published[i]), 6),
            )
            for i in np.flatnonzero(published.argmax(axis=1) != streamed.argmax(axis=1))
        ]
    return found


def published_logits(bundle: Bundle, dataset: Dataset, engine: Runtime, windows: WindowSet) -> FloatArray:
    """Logits [n, k] of the dataset's own windows: they went through its filters, what follows those is left to do."""
    sensor = SensorStream.of(dataset)
    filtered = Preprocess(sensor.ops, sensor.contract.channels).channels_out
    rest = Preprocess(bundle.manifest.preprocess[len(sensor.ops) :], filtered)
    logits = []
    for window in windows.x:
        rest.reset()
        logits.append(engine.window(rest.push(window)))
    return np.stack(logits)


def streamed_logits(bundle: Bundle, engine: Runtime, recording: RecordingRef, windows: WindowSet) -> FloatArray:
    """Logits [n, k] of the same windows, in order of time, cut out of the raw recording by the pipeline."""
    source = recording.open()
    first = next(iter(source.chunks())).seq[0]
    pipeline = Pipeline(bundle, engine, starts=windows.start - first, clock=lambda: 0)
    logits: list[FloatArray] = []
    for chunk in source.chunks():
        pipeline.push(chunk)
        logits += [scores.logits for scores in pipeline.last_scores]
    pipeline.flush()
    logits += [scores.logits for scores in pipeline.last_scores]
    if len(logits) != len(windows) or not np.isfinite(logits).all():
        raise InputError(
            f"{recording.path}: {len(windows)} windows asked for, {len(logits)} judged, or some without data",
            reason=Reason.VALUE,
            hint="the raw recordings and the windows must come from the same release",
        )
    return np.stack(logits)


def margin(logits: FloatArray) -> float:
    """How far the highest logit is above the second."""
    second, highest = np.sort(logits)[-2:]
    return float(highest - second)


def summary(found: Sequence[Difference]) -> dict[str, Any]:
    """The keys of a result row: how many differ, the widest margin among them, and all of them, widest first."""
    listed = sorted(found, key=lambda one: -one.margin)
    return {
        "decisions_differ": len(listed),
        "largest_margin": listed[0].margin if listed else 0.0,
        "differences": [asdict(one) for one in listed],
    }

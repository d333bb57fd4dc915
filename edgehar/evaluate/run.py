"""A bundle on a dataset: every recording streams through the pipeline that ships, and its decisions meet the labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgehar.bundle import Bundle
from edgehar.datasets.audit import LEAKY
from edgehar.datasets.dataset import Dataset, RecordingRef
from edgehar.errors import InputError, LeakageError, Reason, UsageError
from edgehar.evaluate.metrics import summarise
from edgehar.evaluate.shown import Shown
from edgehar.pipeline import Judged, Pipeline
from edgehar.recording import Label
from edgehar.runtimes import make_runtime
from edgehar.types import Status

SAME_PEOPLE: tuple[frozenset[str], ...] = (frozenset({"uci_har", "hapt"}),)
"""Datasets made from the same recordings: having trained on one is having seen the people of the other."""

SIMULATED = "SIMULATED"

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Decisions:
    """Decisions whose whole window carries one label, and counts of the others.

    A decision that is not OK is judged by its best label like any other; `ok` tells them apart.
    """

    truth: list[int] = field(default_factory=list)
    predicted: list[int] = field(default_factory=list)
    p: list[float] = field(default_factory=list)
    ok: list[bool] = field(default_factory=list)
    subject: list[str] = field(default_factory=list)
    no_data: int = 0
    unlabelled: int = 0


def evaluate_bundle(
    bundle: Bundle,
    dataset: Dataset,
    *,
    subjects: Sequence[str] = (),
    windows_of: Dataset | None = None,
    without: Sequence[str] = (),
    allow_leaky: bool = False,
    runtime: str = "numba",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Figures of the shipped pipeline on `subjects`; default: the bundle's test people, else everybody unseen.

    Windows are taken at the bundle's hop; or where the recordings of the same names in `windows_of` were cut, which
    then give the labels too. A bundle that a session or a room was held out from is tested on those recordings of its
    dataset. Raises LeakageError when the bundle was trained on one of the subjects, unless `allow_leaky`, which stamps
    LEAKY. Simulated recordings stamp SIMULATED. The sensors named in `without` are silent throughout.
    """
    shown = Shown.of(bundle, dataset, without)
    chosen = [] if subjects else held_out_recordings(bundle, dataset)
    if chosen:
        people, stamps = {recording.subject for recording in chosen}, list(bundle.manifest.stamps)
    else:
        people, stamps = choose_subjects(bundle, dataset, subjects, allow_leaky=allow_leaky)
        chosen = [recording for recording in dataset.recordings if recording.subject in people]
    codes = label_codes(bundle, dataset)
    engine = make_runtime(runtime, bundle)
    decisions = Decisions()
    cut = None if windows_of is None else {recording.name: recording for recording in windows_of.recordings}
    not_cut = 0
    for done, recording in enumerate(chosen, 1):
        if SIMULATED not in stamps and any(spec.simulated for spec in recording.open().specs.values()):
            stamps.append(SIMULATED)
        if cut is None:
            pipeline = Pipeline(bundle, engine, clock=lambda: 0)
            stream(pipeline, recording, recording.open().labels, codes, decisions, shown)
        elif recording.name in cut:
            twin = cut[recording.name]
            pipeline = Pipeline(bundle, engine, starts=_starts(recording, twin), clock=lambda: 0)
            stream(pipeline, recording, twin.open().labels, codes, decisions, shown)
        else:
            not_cut += 1
        if progress is not None:
            progress(done, len(chosen))
    if not decisions.truth:
        raise InputError(
            f"no decision falls within a label: {decisions.unlabelled} windows have none, {decisions.no_data} no data, "
            f"{not_cut} recordings are not in the dataset whose windows were asked for",
            reason=Reason.VALUE,
            hint=f"look at the labels: edgehar data {dataset.path}",
        )
    return {
        "model_id": bundle.manifest.model_id,
        "bundle_sha256": bundle.sha256,
        "dataset": dataset.name,
        "subjects": sorted(people),
        "windows_at": "the bundle's hop, free running" if windows_of is None else f"the windows of {windows_of.name}",
        "recordings_without_windows": not_cut,
        "runtime": runtime,
        **({"without": list(without)} if without else {}),
        "stamps": stamps,
        **summary(decisions, bundle.manifest.labels),
    }


def stream(
    pipeline: Pipeline,
    recording: RecordingRef,
    labels: Sequence[Label],
    codes: Mapping[str, int],
    decisions: Decisions,
    shown: Shown | None = None,
) -> None:
    """Push a whole recording, or what is `shown` of it, and add its decisions."""
    source = recording.open()
    judged: list[Judged] = []
    for chunk in source.chunks():
        pipeline.push(chunk if shown is None else shown.chunk(chunk))
        judged += pipeline.last_judged
    pipeline.flush()
    judged += pipeline.last_judged
    names = pipeline.manifest.labels
    for one in judged:
        code = codes.get(label_of(one, labels), -1)
        if not one.activity.label:  # NO_DATA, or OUT_OF_CONTRACT with too few samples to name anything
            decisions.no_data += 1
        elif code < 0:
            decisions.unlabelled += 1
        else:
            decisions.truth.append(code)
            decisions.predicted.append(names.index(one.activity.label))
            decisions.p.append(one.activity.p)
            decisions.ok.append(one.activity.status is Status.OK)
            decisions.subject.append(recording.subject)


def label_of(judged: Judged, labels: Sequence[Label]) -> str:
    """The label that covers the decision's window from first to last sample; "" where none does."""
    for label in labels:
        if label.t0_ns <= judged.t0_dev_ns and judged.t1_dev_ns < label.t1_ns:
            return label.label
    return ""


def summary(decisions: Decisions, labels: Sequence[str]) -> dict[str, Any]:
    """The `summarise` table, with what it leaves out counted."""
    truth, predicted = np.array(decisions.truth), np.array(decisions.predicted)
    ok = np.array(decisions.ok)
    table = summarise(truth, predicted, labels, subject=np.array(decisions.subject), confidence=np.array(decisions.p))
    when_ok = round(100 * float((truth == predicted)[ok].mean()), 3) if ok.any() else None
    return {
        **table,
        "unsure": int((~ok).sum()),
        "accuracy_when_ok": when_ok,
        "no_data": decisions.no_data,
        "unlabelled": decisions.unlabelled,
    }


def held_out_recordings(bundle: Bundle, dataset: Dataset) -> list[RecordingRef]:
    """The recordings that the bundle was tested on, where its people are on both sides; else none."""
    provenance = bundle.manifest.provenance
    tested = set(provenance.get("test_recordings", ()))
    if not same_people(str(provenance.get("dataset", "")), dataset.name):
        return []
    return [recording for recording in dataset.recordings if recording.name in tested]


def choose_subjects(
    bundle: Bundle, dataset: Dataset, asked: Sequence[str], *, allow_leaky: bool
) -> tuple[set[str], list[str]]:
    """Whom to test, and the stamps that the result carries."""
    provenance, stamps = bundle.manifest.provenance, list(bundle.manifest.stamps)
    seen: set[str] = set()
    tested: set[str] = set()
    if same_people(str(provenance.get("dataset", "")), dataset.name):
        seen = {*provenance.get("train_subjects", ()), *provenance.get("validation_subjects", ())}
        tested = set(provenance.get("test_subjects", ())) & set(dataset.subjects)
    people = set(asked) or (tested - seen) or (set(dataset.subjects) - seen)
    unknown = people - set(dataset.subjects)
    if unknown:
        raise UsageError(
            f"{dataset.path} has no subject {', '.join(sorted(unknown))}",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose from: {', '.join(dataset.subjects)}",
        )
    shared = sorted(people & seen) or ([] if people else sorted(seen & set(dataset.subjects)))
    if shared and not allow_leaky:
        raise LeakageError(
            f"the bundle was trained on {len(shared)} of these people: {_some(shared)}",
            reason=Reason.SUBJECT_SHARED,
            hint="name others with --subjects, or see how well it knows them with --allow-leaky",
        )
    if shared and LEAKY not in stamps:
        stamps.append(LEAKY)
    return people or set(dataset.subjects), stamps


def same_people(one: str, other: str) -> bool:
    """Whether two dataset names stand for recordings of the same people under the same subject names."""
    return one == other or any({one, other} <= names for names in SAME_PEOPLE)


def label_codes(bundle: Bundle, dataset: Dataset) -> dict[str, int]:
    """The dataset's labels as numbers of the bundle's, through the classes that were merged in training."""
    labels = bundle.manifest.labels
    merged: Mapping[str, Collection[str]] = bundle.manifest.provenance.get("classes", {})
    codes = {old: code for code, new in enumerate(labels) for old in merged.get(new, (new,))}
    known = {name: code for name, code in codes.items() if name in dataset.labels}
    if not known:
        raise InputError(
            f"the bundle knows {_some(labels)}; {dataset.path} is labelled {_some(dataset.labels)}",
            reason=Reason.CONTRACT,
            hint="evaluate on a dataset with the bundle's labels",
        )
    return known


def _starts(recording: RecordingRef, twin: RecordingRef) -> list[int]:
    """Stream indices of the recording's samples at which its twin was cut into windows."""
    if twin.window_starts is None:
        raise UsageError(
            f"{twin.path} did not come cut into windows",
            reason=Reason.VALUE,
            hint="leave --official-windows and --windows-of out",
        )
    first = next(iter(recording.open().chunks())).seq[0]
    return sorted({int(start - first) for start in twin.window_starts})


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:7])}... ({len(names)} in all)"

"""Writes a dataset directory from the sessions that an importer yields; whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from edgehar.datasets.dataset import HEAD_FILE, RECORDINGS, SCHEMA_VERSION, WINDOW_STARTS, Dataset
from edgehar.datasets.session import About, Session, Source
from edgehar.errors import InputError, Reason, UsageError
from edgehar.recording import RecordingWriter
from edgehar.types import Chunk, StreamSpec

Progress = Callable[[int, int], None]


def write_dataset(
    source: Source,
    out: str | os.PathLike[str],
    *,
    classes: Collection[str] = (),
    placement: str = "",
    progress: Progress | None = None,
) -> Dataset:
    """Write `source` to the new directory `out`; `classes` keeps only sessions that have one of those labels,
    `placement` says where the sensor was worn if it was not where the format says.

    Everything goes to `OUT.partial`, which is renamed at the end: an interrupted import leaves no half dataset.
    """
    out = Path(out)
    _check_free(out)
    unknown = set(classes) - set(source.about.labels)
    if unknown:
        raise UsageError(
            f"{source.about.name} has no class {', '.join(sorted(unknown))}",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose from: {', '.join(source.about.labels)}" if source.about.labels else "it has no labels at all",
        )
    partial = out.with_name(out.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    (partial / RECORDINGS).mkdir(parents=True)
    written = _Written()
    for done, session in enumerate(source.sessions, 1):
        if not classes or any(label.label in classes for label in session.labels):
            if placement:
                session = replace(session, spec=replace(session.spec, placement=placement))  # noqa: PLW2901
            _write_session(session, partial / RECORDINGS, written)
        if progress is not None:
            progress(done, source.count)
    if written.spec is None:
        raise InputError(
            f"{source.about.name}: nothing to import from {source.about.source}",
            reason=Reason.VALUE,
            hint="check the path and the classes",
        )
    labels = tuple(label for label in source.about.labels if not classes or label in classes)
    (partial / HEAD_FILE).write_text(head_toml(source.about, written.spec, labels), encoding="utf-8")
    if out.exists():
        out.rmdir()
    partial.rename(out)
    return Dataset.open(out)


@dataclass(slots=True)
class _Written:
    """What all recordings must agree on, and the names that are taken."""

    spec: StreamSpec | None = None
    names: set[str] = field(default_factory=set)


def _check_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        # Only what an import has made may be named for removal: --out may be a home directory.
        ours = f", or remove the dataset there: rm -r {out}" if (out / HEAD_FILE).is_file() else ""
        raise UsageError(
            f"{out} exists and is not an empty directory",
            reason=Reason.EXISTS,
            hint=f"choose another --out{ours}",
        )


def file_stem(subject: str, session: str) -> str:
    """`<subject>_<session>` with everything that a file name should not hold turned into '-'."""
    return "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", part).strip("-") or "0" for part in (subject, session))


def _write_session(session: Session, folder: Path, written: _Written) -> None:
    stem = file_stem(session.subject, session.name)
    if stem in written.names:
        raise InputError(
            f"two sessions are called {stem}", reason=Reason.EXISTS, hint="give every session of a subject its own name"
        )
    written.names.add(stem)
    if written.spec is None:
        written.spec = session.spec
    if (session.spec.channels, session.spec.units) != (written.spec.channels, written.spec.units):
        raise InputError(
            f"session {stem} has channels {session.spec.channels} in {session.spec.units},\n"
            f"  those before it {written.spec.channels} in {written.spec.units}",
            reason=Reason.CONTRACT,
            hint="import sources with different channels into different datasets",
        )
    extra = dict(session.extra)
    if session.window_starts is not None:
        extra[WINDOW_STARTS] = json.dumps(session.window_starts.tolist(), separators=(",", ":"))
    with RecordingWriter(
        folder / f"{stem}.mcap",
        session.spec,
        subject=session.subject,
        session=session.name,
        placement=session.spec.placement,
        environment=session.environment,
        extra=extra,
        sync_every_s=None,
    ) as writer:
        for label in session.labels:
            writer.label(label.t0_ns, label.t1_ns, label.label)
        flags = session.flags if session.flags is not None else np.zeros(len(session.x), np.uint16)
        writer.write(Chunk(session.spec, session.t_ns, session.t_ns, session.seq, session.x, flags, session.aux))


def head_toml(about: About, spec: StreamSpec, labels: tuple[str, ...]) -> str:
    """The text of dataset.toml. JSON strings and lists of strings are TOML ones."""

    def line(key: str, value: object) -> str:
        return f"{key} = {json.dumps(value, ensure_ascii=False)}\n"

    text = line("schema_version", SCHEMA_VERSION)
    fields = {
        "name": about.name,
        "format": about.format,
        "labels": list(labels),
        "kind": spec.kind,
        "channels": list(spec.channels),
        "units": list(spec.units),
        "rate_hz": float(spec.rate_hz),
        "placement": spec.placement,
        "licence": about.licence,
        "citation": about.citation,
        "source": about.source,
        "applied_preprocess": about.applied_preprocess,
    }
    text += "".join(line(key, value) for key, value in fields.items())
    if about.window:
        text += "\n[windows]\n" + line("window", about.window) + line("hop", about.hop)
    if about.official_test:
        text += "\n[official]\n" + line("train", list(about.official_train)) + line("test", list(about.official_test))
    return text

"""Format `npz`: continuous recordings one after another in one array; layout in docs/formats.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from edgehar.datasets.npz_file import NpzFile
from edgehar.datasets.npz_layout import NUMBERS, TEXT, WHOLE, Layout, Member, check_layout, check_range, rate_of
from edgehar.datasets.session import (
    About,
    ImportOptions,
    Session,
    Source,
    label_runs,
    subject_names,
    uniform_times_ns,
)
from edgehar.errors import InputError, Reason
from edgehar.types import StreamSpec

UNLABELLED = 255

# Known by the first word of member `dataset`: the name that edgehar uses and where the sensor was worn.
KNOWN: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "WISDM": ("wisdm", "wrist"),
        "MotionSense": ("motionsense", "front trouser pocket"),
        "DSADS": ("dsads", "torso, arms and legs"),
        "seglearn": ("seglearn", "wrist"),
        "UCI": ("hapt", "waist"),
    }
)
# Spelled as everywhere in edgehar, so that gravity, body acceleration and angular rate are known as such.
RENAMED: Mapping[str, str] = MappingProxyType({"rotationRate": "gyro", "userAcceleration": "body_acc"})
LAYOUT: Layout = MappingProxyType(
    {
        "channels": Member(TEXT, ("channels",)),
        "units": Member(TEXT, ("channels",)),
        "scale": Member(NUMBERS, ("channels",)),
        "signal": Member(WHOLE, ("channels", "samples")),
        "fs": Member(NUMBERS),
        "label_names": Member(TEXT, ("labels",)),
        "session_start": Member(WHOLE, ("sessions",)),
        "session_length": Member(WHOLE, ("sessions",)),
        "session_subject": Member(WHOLE, ("sessions",)),
        "session_name": Member(TEXT, ("sessions",)),
        "session_label": Member(WHOLE, ("sessions",), optional=True),
        "label": Member(WHOLE, ("samples",), optional=True),
        "device_names": Member(TEXT, ("devices",), optional=True),
        "subject_info_columns": Member(TEXT, ("columns",), optional=True),
        "subject_info": Member(NUMBERS, ("people", "columns"), optional=True),
    }
)
_OWN = ("start", "length", "subject", "label", "name")


def open_npz(path: Path, options: ImportOptions) -> Source:
    """All sessions of `path`. Values are float32(int16 * scale), exactly."""
    file = NpzFile(path)
    sizes = check_layout(file, LAYOUT)
    check_range(file, "session_start", 0, sizes["samples"] + 1)
    check_range(file, "session_length", 0, sizes["samples"] + 1)
    for codes in ("label", "session_label"):
        if codes in file:
            check_range(file, codes, 0, sizes["labels"], but=UNLABELLED)
    name, placement = KNOWN.get(file.text("dataset").split(" ")[0], (path.stem, ""))
    about = About(
        name=options.name or name,
        format="npz",
        labels=file.texts("label_names"),
        licence=file.text("license_note"),
        citation=file.text("citation"),
        source=file.text("source"),
    )
    spec = StreamSpec(
        kind="imu",
        channels=channel_names(file),
        rate_hz=rate_of(file),
        units=options.units or file.units(),
        placement=placement,
    )
    return Source(about, _sessions(file, spec, about.labels), len(file["session_start"]))


def channel_names(file: NpzFile) -> tuple[str, ...]:
    """Member `channels`, with the names of body-worn units set apart by a dot: torso_acc_x -> torso.acc_x."""
    units = file.texts("device_names") if "device_names" in file else ()
    names = []
    for channel in file.texts("channels"):
        unit = next((unit for unit in units if channel.startswith(unit + "_")), "")
        sensor, _, axis = channel.removeprefix(unit + "_" if unit else "").rpartition("_")
        names.append(f"{unit}.{sensor}_{axis}" if unit else f"{RENAMED.get(sensor, sensor)}_{axis}".removeprefix("_"))
    return tuple(names)


def _sessions(file: NpzFile, spec: StreamSpec, names: tuple[str, ...]) -> Iterator[Session]:
    signal, scale = file["signal"], file["scale"]
    starts, lengths = file["session_start"], file["session_length"]
    subjects = [int(subject) for subject in file["session_subject"]]
    named = subject_names(subjects)
    titles = file.texts("session_name")
    sample_label = file.get("label")
    session_label = file.get("session_label")
    extras = _extras(file)
    about_subject = _about_subjects(file)
    for number, (start, length, subject, title) in enumerate(zip(starts, lengths, subjects, titles, strict=True)):
        part = slice(int(start), int(start + length))
        if part.stop > signal.shape[1]:
            raise InputError(
                f"{file.path}: session {number} ('{title}') ends at sample {part.stop} of {signal.shape[1]}",
                reason=Reason.SHAPE,
                hint="session_start and session_length must lie within signal",
            )
        t_ns = uniform_times_ns(int(length), spec.rate_hz)
        if sample_label is not None:
            codes = sample_label[part].astype(np.int64)
        else:
            codes = np.full(int(length), UNLABELLED if session_label is None else int(session_label[number]))
        yield Session(
            subject=named[subject],
            name=title.removeprefix(f"{subject}_"),
            spec=spec,
            t_ns=t_ns,
            seq=np.arange(int(length)),
            x=(signal[:, part] * scale[:, None]).T.astype(np.float32),
            labels=label_runs(codes, t_ns, spec.rate_hz, names),
            extra={key: str(values[number]) for key, values in extras.items()} | about_subject.get(subject, {}),
        )


def _extras(file: NpzFile) -> dict[str, list[object]]:
    """Whatever else the file says about each session, such as its trial or the side of the body."""
    count = len(file["session_start"])
    keys = [key for key in file if key.startswith("session_") and key.removeprefix("session_") not in _OWN]
    return {key.removeprefix("session_"): file[key].tolist() for key in keys if file[key].shape == (count,)}


def _about_subjects(file: NpzFile) -> dict[int, dict[str, str]]:
    if "subject_info" not in file:
        return {}
    columns = file.texts("subject_info_columns")
    rows = (dict(zip(columns, row, strict=True)) for row in file["subject_info"].tolist())
    return {row["code"]: {key: str(value) for key, value in row.items() if key != "code"} for row in rows}

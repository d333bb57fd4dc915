"""Format `csi`: captures of channel state as boards and host tools printed them; the dialects are in docs/csi.md.

One recording per file and sender, of one field and the subcarriers that its frames have in common.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgehar.datasets.csi_survey import GZIP, Take, files_of, survey
from edgehar.datasets.csi_times import SECOND_NS, Times, measured_rate_hz, times_of
from edgehar.datasets.session import About, ImportOptions, Session, Source
from edgehar.errors import InputError, Reason, UsageError
from edgehar.recording import Label
from edgehar.types import FlagArray, StreamSpec
from edgehar.wire.canonical import csi_spec, to_chunk
from edgehar.wire.choice import choose_field, fits
from edgehar.wire.frames import UNKNOWN_SEQ, CsiFrames

EACH = "each"  # every sender becomes a recording of its own
FIRST_BAD = 5  # of all files together
OURS = ("label", "subject", "environment")  # groups of a pattern; others become extra metadata


@dataclass(frozen=True, slots=True)
class _Part:
    """What becomes one recording: the frames of one sender in one file, and what the file's name says of it."""

    take: Take
    sender: int
    name: str
    named: dict[str, str]


def open_csi(path: Path, options: ImportOptions) -> Source:
    """All captures of a file, or below a directory. Every file is read twice: to choose the field, then to write."""
    files, choice = files_of(path), options.csi
    named = {file: _named(file, path, choice.pattern) for file in files}
    salt = choice.salt or secrets.token_hex()  # the same in all files, and when they are read again
    takes: list[Take] = []
    for file in files:
        takes.append(survey(file, choice.dialect, salt, choice.layout))
        if options.progress is not None:
            options.progress(len(takes), len(files))
    parts = [
        _Part(take, sender, str(_below(take.path, path).with_name(_stem(take.path))), named[take.path])
        for take in takes
        for sender in _senders(take, choice.sender)
    ]
    layouts: Counter[str] = Counter()
    for part in parts:
        layouts.update(_layouts(part))
    if not layouts and choice.sender and any(len(take.mac_hash) for take in takes):
        heard = Counter(f"{hashed:08x}" for take in takes for hashed in take.mac_hash.tolist())
        raise InputError(
            f"{path} holds no CSI frame of the sender {choice.sender}",
            reason=Reason.UNKNOWN_NAME,
            hint="with the same --salt, choose from: "
            + ", ".join(f"{sender} ({frames} frames)" for sender, frames in heard.most_common(8)),
        )
    if not layouts:
        raise InputError(
            f"{path} holds no CSI frame: {_counted(takes) or 'it is empty'}",
            reason=Reason.VALUE,
            hint="docs/csi.md says what is counted; --sender each takes every sender",
        )
    layout, field = choose_field(layouts, choice.field)
    invalid = any(part.take.invalid for part in parts)
    simulated = any(part.take.simulated for part in parts)
    spec = csi_spec(layout, field, 1.0, first_word_invalid=invalid, simulated=simulated)
    parts = [part for part in parts if any(fits(name, field, spec) for name in _layouts(part))]
    rates = [measured_rate_hz(_clock(part, field, spec).t_ns) for part in parts]
    spec = replace(spec, rate_hz=options.rate_hz or round(float(np.median(rates)), 1) or 1.0)
    labels = tuple(dict.fromkeys(part.named["label"] for part in parts if part.named["label"]))
    about = About(name=options.name or _stem(path), format="csi", labels=labels, source=path.name)
    told = _told(takes, parts, layouts, field, spec, rates)
    return Source(about, _sessions(parts, field, spec), len(parts), told)


def _stem(path: Path) -> str:
    return (path.with_suffix("") if path.suffix == GZIP else path).stem


def _named(file: Path, path: Path, pattern: str) -> dict[str, str]:
    """What the pattern finds in the file's path below `path`."""
    named = dict.fromkeys(OURS, "") | {"subject": "1"}
    if not pattern:
        return named
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"--pattern {pattern} is no regular expression: {error}",
            reason=Reason.VALUE,
            hint="docs/csi.md shows one",
        ) from error
    if not compiled.groupindex:
        raise UsageError(
            f"--pattern {pattern} names no group",
            reason=Reason.VALUE,
            hint=f"write (?P<label>...); {', '.join(OURS)} have a meaning, others are kept as they are",
        )
    match = compiled.search(_below(file, path).as_posix())
    if match is None:
        raise InputError(
            f"{file} does not match --pattern {pattern}", reason=Reason.VALUE, hint="mend the pattern or move the file"
        )
    return named | {key: value for key, value in match.groupdict().items() if value is not None}


def _below(file: Path, path: Path) -> Path:
    return file.relative_to(path) if path.is_dir() else Path(file.name)


def _senders(take: Take, wanted: str) -> list[int]:
    """The hashes of the senders to keep: the commonest, each, or one by its hash."""
    hashes, counts = np.unique(take.mac_hash, return_counts=True)
    if not len(hashes):
        return []
    if wanted == EACH:
        return [int(sender) for sender in hashes]
    if not wanted:
        return [int(hashes[counts.argmax()])]
    try:
        sender = int(wanted, 16)
    except ValueError as error:
        raise UsageError(
            f"--sender {wanted} is no hash", reason=Reason.VALUE, hint=f"give eight hexadecimal digits, or {EACH}"
        ) from error
    return [sender] if sender in hashes else []


def _layouts(part: _Part) -> Counter[str]:
    numbers = np.bincount(part.take.layouts[part.take.mac_hash == part.sender], minlength=len(part.take.names))
    return Counter({name: int(n) for name, n in zip(part.take.names, numbers, strict=True) if n})


def _clock(part: _Part, field: str, spec: StreamSpec) -> Times:
    take = part.take
    fitting = np.array([fits(name, field, spec) for name in take.names], bool)
    t_us = take.t_us[(take.mac_hash == part.sender) & fitting[take.layouts]]
    return times_of(t_us, np.full(len(t_us), UNKNOWN_SEQ), spec.rate_hz)


def _sessions(parts: list[_Part], field: str, spec: StreamSpec) -> Iterator[Session]:
    alone = Counter(part.take.path for part in parts)
    for part in parts:
        kept = [
            CsiFrames(run.layout, run.iq[own], run.meta[own])
            for run in part.take.frames()
            if fits(run.layout, field, spec) and (own := run.meta["mac_hash"] == part.sender).any()
        ]
        meta = np.concatenate([run.meta for run in kept])
        number = np.where(meta["tx_seq"] != UNKNOWN_SEQ, meta["tx_seq"], meta["rx_seq"])
        times = times_of(meta["t_us"], number, spec.rate_hz)
        none: FlagArray = np.zeros(len(meta), np.uint16)
        chunks, begin = [], 0
        for run in kept:
            own = slice(begin, begin + len(run))
            begin = own.stop
            chunks.append(to_chunk(run, spec, field, times.t_ns[own], times.t_ns[own], times.seq[own], none[own]))
        label = part.named["label"]
        end_ns = int(times.t_ns[-1] + SECOND_NS / 2 / spec.rate_hz)
        yield Session(
            subject=part.named["subject"],
            name=part.name + (f"-{part.sender:08x}" if alone[part.take.path] > 1 else ""),
            spec=spec,
            t_ns=times.t_ns,
            seq=times.seq,
            x=np.concatenate([chunk.x for chunk in chunks]),
            labels=(Label(0, end_ns, label),) if label else (),
            environment=part.named["environment"],
            flags=times.flags,
            aux={name: np.concatenate([chunk.aux[name] for chunk in chunks]) for name in chunks[0].aux},
            extra={
                **{key: value for key, value in part.named.items() if key not in OURS},
                "file": part.take.path.name,
                "dialect": part.take.dialect,
                "field": field,
                "sender": f"{part.sender:08x}",
                "counts": json.dumps(part.take.counts + part.take.losses),
            },
        )


def _told(
    takes: list[Take], parts: list[_Part], layouts: Counter[str], field: str, spec: StreamSpec, rates: list[float]
) -> dict[str, object]:
    """What was read and what was left out."""
    frames = sum(take.counts["frames"] for take in takes)
    ours = sum(layouts.values())
    kept = sum(count for name, count in layouts.items() if fits(name, field, spec))
    counts: Counter[str] = Counter()
    for take in takes:
        counts.update(take.counts)
        counts.update(take.losses)
    del counts["frames"]
    bad = [f"{take.path.name}:{line} {cause}" for take in takes for line, cause in take.first_bad][:FIRST_BAD]
    return {
        "files": len(takes),
        "files_without_frames": sum(not take.counts["frames"] for take in takes),
        "dialects": sorted({take.dialect for take in takes}),
        "frames": frames,
        "kept": kept,
        "other_senders": frames - ours,
        "other_layouts": ours - kept,
        **{str(cause): count for cause, count in sorted(counts.items())},
        "first_bad": bad,
        "field": field,
        "layouts": dict(layouts.most_common()),
        "subcarriers": len({channel.partition(".")[0] for channel in spec.channels}),
        "rate_hz": spec.rate_hz,
        "measured_hz": [min(rates), max(rates)],
        "longest_pause_s": max(
            float(np.diff(_clock(part, field, spec).t_ns).max(initial=0)) / SECOND_NS for part in parts
        ),
    }


def _counted(takes: list[Take]) -> str:
    counts: Counter[str] = Counter()
    for take in takes:
        counts.update(take.counts)
    return ", ".join(f"{count} {cause}" for cause, count in counts.items() if count)

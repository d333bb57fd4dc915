"""Format `uci-har`: the original archive of UCI HAR v1.0 (filtered windows, official split).

Layout: {train,test}/Inertial Signals/{body_acc,body_gyro,total_acc}_{x,y,z}_{train,test}.txt (rows of 128 values),
{train,test}/y_*.txt, subject_*.txt, activity_labels.txt. It does not tell which experiment a window is from: windows
that follow each other and agree in their overlap are joined, and each person becomes one recording with gaps between
such stretches. Not tried on the original archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.hapt import activity_names
from edgehar.datasets.session import About, ImportOptions, Session, Source, label_runs, subject_names, uniform_times_ns
from edgehar.datasets.source_files import SourceFiles
from edgehar.datasets.uci_har_npz import CHAIN, HOP, SIDES, WINDOW, gap_flags, join_windows
from edgehar.types import StreamSpec

HOME = "https://archive.ics.uci.edu/dataset/240"
RATE_HZ = 50.0
CHANNELS = tuple(f"{kind}_{axis}" for kind in ("body_acc", "body_gyro", "total_acc") for axis in "xyz")
UNITS = ("g", "g", "g", "radps", "radps", "radps", "g", "g", "g")
SPEC = StreamSpec("imu", CHANNELS, RATE_HZ, UNITS, placement="waist")
GAP = WINDOW  # samples left out between stretches; how long they really were apart is not known


def open_uci_har(path: Path, options: ImportOptions) -> Source:
    """One recording per person; the official windows come back exactly, in the official order of each person."""
    files = SourceFiles(path, HOME)
    people = {side: _column(files, rf"{side}/subject_{side}\.txt") for side in SIDES}
    named = subject_names([*people["train"].tolist(), *people["test"].tolist()])
    official = {side: tuple(sorted({named[p] for p in people[side].tolist()})) for side in SIDES}
    about = About(
        name=options.name or "uci_har",
        format="uci-har",
        labels=activity_names(files),
        licence="see the README of the archive",
        citation=(
            "D. Anguita, A. Ghio, L. Oneto, X. Parra, J.L. Reyes-Ortiz. A Public Domain Dataset for Human Activity "
            "Recognition Using Smartphones. ESANN 2013."
        ),
        source=HOME,
        applied_preprocess=CHAIN,
        window=WINDOW,
        hop=HOP,
        official_train=official["train"],
        official_test=official["test"],
    )
    return Source(about, _sessions(files, about.labels, people, named), len(named))


def _column(files: SourceFiles, pattern: str) -> NDArray[np.int64]:
    return files.numbers(files.one(pattern), 1)[:, 0].astype(np.int64)


def _sessions(
    files: SourceFiles, names: tuple[str, ...], people: dict[str, NDArray[np.int64]], named: dict[int, str]
) -> Iterator[Session]:
    for side in SIDES:
        y_file = files.one(rf"{side}/y_{side}\.txt")
        codes = files.numbers(y_file, 1)[:, 0].astype(np.int64) - 1
        windows = _windows(files, side, len(codes))
        if len(people[side]) != len(codes):
            raise files.refuse(y_file, len(codes), f"the file ends here, {len(people[side])} windows have a subject")
        outside = (codes < 0) | (codes >= len(names))
        if outside.any():
            row = int(np.flatnonzero(outside)[0])
            raise files.refuse(y_file, row + 1, f"activity {codes[row] + 1} is none of 1 to {len(names)}")
        for person in dict.fromkeys(people[side].tolist()):
            rows = np.flatnonzero(people[side] == person)
            start = _starts(windows[rows], codes[rows])
            offset, x, code = join_windows(windows[rows], start, codes[rows], f"{files.path}: {side}, person {person}")
            t_ns = uniform_times_ns(int(offset[-1]) + 1, RATE_HZ)[offset]
            yield Session(
                subject=named[person],
                name="all",
                spec=SPEC,
                t_ns=t_ns,
                seq=offset,
                x=x,
                labels=label_runs(code, t_ns, RATE_HZ, names),
                window_starts=start,
                flags=gap_flags(offset),
                extra={"official": side},
            )


def _windows(files: SourceFiles, side: str, count: int) -> NDArray[np.float32]:
    windows = np.empty((count, WINDOW, len(CHANNELS)), np.float32)
    for number, channel in enumerate(CHANNELS):
        name = files.one(rf"{side}/Inertial Signals/{channel}_{side}\.txt")
        table = files.numbers(name, WINDOW)
        if len(table) != count:
            raise files.refuse(name, len(table), f"the file ends here, y_{side}.txt has {count} rows")
        windows[:, :, number] = table
    return windows


def _starts(windows: NDArray[np.float32], codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each window may be placed: half a window on where it continues the one before, else after a gap."""
    continues = (windows[:-1, HOP:] == windows[1:, : WINDOW - HOP]).all(axis=(1, 2)) & (codes[:-1] == codes[1:])
    return np.concatenate([[0], np.cumsum(np.where(continues, HOP, WINDOW + GAP))])

"""Format `hapt`: the original archive of UCI's HAPT set (raw signals with postural transitions).

Layout: RawData/acc_expNN_userMM.txt and gyro_expNN_userMM.txt (rows of x y z), RawData/labels.txt (experiment, user,
activity, first and last sample, counted from 1, both inside), activity_labels.txt. Not tried on the original archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgehar.datasets.session import About, ImportOptions, Session, Source, label_runs, subject_names, uniform_times_ns
from edgehar.datasets.source_files import SourceFiles
from edgehar.types import StreamSpec

HOME = "https://archive.ics.uci.edu/dataset/341"
RATE_HZ = 50.0
SPEC = StreamSpec(
    "imu",
    ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"),
    RATE_HZ,
    ("g", "g", "g", "radps", "radps", "radps"),
    placement="waist",
)


def open_hapt(path: Path, options: ImportOptions) -> Source:
    """One recording per experiment."""
    files = SourceFiles(path, HOME)
    names = activity_names(files)
    found = files.find(r"RawData/acc_exp(\d+)_user(\d+)\.txt")
    about = About(
        name=options.name or "hapt",
        format="hapt",
        labels=names,
        licence="see the README of the archive",
        citation=(
            "J.-L. Reyes-Ortiz, L. Oneto, A. Sama, X. Parra, D. Anguita. Transition-Aware Human Activity Recognition "
            "Using Smartphones. Neurocomputing 171, 2016."
        ),
        source=HOME,
    )
    return Source(about, _sessions(files, names), len(found))


def activity_names(files: SourceFiles) -> tuple[str, ...]:
    """activity_labels.txt: rows of a number from 1 and a name."""
    name = files.one(r"activity_labels\.txt")
    names: list[str] = []
    for row, line in enumerate(files.lines(name), 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != 2 or cells[0] != str(len(names) + 1):
            raise files.refuse(name, row, f"'{line}' is not number {len(names) + 1} and a name")
        names.append(cells[1])
    return tuple(names)


def _sessions(files: SourceFiles, names: tuple[str, ...]) -> Iterator[Session]:
    labels_file = files.one(r"RawData/labels\.txt")
    labels = files.numbers(labels_file, 5).astype(np.int64)
    found = files.find(r"RawData/acc_exp(\d+)_user(\d+)\.txt")
    named = subject_names(int(match[2]) for _, match in found)
    for acc_name, match in found:
        experiment, user = int(match[1]), int(match[2])
        acc = files.numbers(acc_name, 3)
        gyro_name = files.one(rf"RawData/gyro_exp{match[1]}_user{match[2]}\.txt")
        gyro = files.numbers(gyro_name, 3)
        if len(gyro) != len(acc):
            raise files.refuse(gyro_name, len(gyro), f"the file ends here, {acc_name} has {len(acc)} rows")
        codes = np.full(len(acc), -1)
        for row in np.flatnonzero((labels[:, 0] == experiment) & (labels[:, 1] == user)):
            _, _, activity, first, last = labels[row].tolist()
            if not (1 <= activity <= len(names) and 1 <= first <= last <= len(acc)):
                raise files.refuse(
                    labels_file, int(row) + 1, f"activity {activity} from {first} to {last}, of {len(acc)} samples"
                )
            codes[first - 1 : last] = activity - 1
        t_ns = uniform_times_ns(len(acc), RATE_HZ)
        yield Session(
            subject=named[user],
            name=f"exp{experiment:02d}",
            spec=SPEC,
            t_ns=t_ns,
            seq=np.arange(len(acc)),
            x=np.concatenate([acc, gyro], axis=1).astype(np.float32),
            labels=label_runs(codes, t_ns, RATE_HZ, names),
        )

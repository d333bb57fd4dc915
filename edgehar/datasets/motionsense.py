"""Format `motionsense`: the original MotionSense DeviceMotion files.

Layout: A_DeviceMotion_data/ACT_TRIAL/sub_N.csv, with a header of attitude.*, gravity.*, rotationRate.* and
userAcceleration.* columns. Attitude is left out: gravity holds roll and pitch, yaw drifts. Not tried on the original.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from edgehar.datasets.session import About, ImportOptions, Session, Source, label_runs, subject_names, uniform_times_ns
from edgehar.datasets.source_files import SourceFiles
from edgehar.types import StreamSpec

HOME = "https://github.com/mmalekzadeh/motion-sense"
RATE_HZ = 50.0
PATTERN = r"A_DeviceMotion_data/([a-z]{3})_(\d+)/sub_(\d+)\.csv"
COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        f"{theirs}.{axis}": f"{ours}_{axis}"
        for theirs, ours in (("gravity", "gravity"), ("rotationRate", "gyro"), ("userAcceleration", "body_acc"))
        for axis in "xyz"
    }
)
SPEC = StreamSpec(
    "imu",
    tuple(COLUMNS.values()),
    RATE_HZ,
    ("g", "g", "g", "radps", "radps", "radps", "g", "g", "g"),
    placement="front trouser pocket",
)
ACTIVITIES: Mapping[str, str] = MappingProxyType(
    {"dws": "downstairs", "ups": "upstairs", "wlk": "walking", "jog": "jogging", "sit": "sitting", "std": "standing"}
)


def open_motionsense(path: Path, options: ImportOptions) -> Source:
    """One recording per person and trial."""
    files = SourceFiles(path, HOME)
    found = files.find(PATTERN)
    about = About(
        name=options.name or "motionsense",
        format="motionsense",
        labels=tuple(ACTIVITIES.values()),
        licence="MIT (the authors' repository), with a request to cite",
        citation="M. Malekzadeh, R.G. Clegg, A. Cavallaro, H. Haddadi. Mobile Sensor Data Anonymization. IoTDI 2019.",
        source=HOME,
    )
    return Source(about, _sessions(files), len(found))


def _sessions(files: SourceFiles) -> Iterator[Session]:
    found = files.find(PATTERN)
    named = subject_names(int(match[3]) for _, match in found)
    codes = list(ACTIVITIES)
    for name, match in found:
        if match[1] not in ACTIVITIES:
            raise files.refuse(name, 1, f"its directory names activity '{match[1]}', none of {', '.join(ACTIVITIES)}")
        header = [cell.strip().strip('"') for cell in next(iter(files.lines(name)), "").split(",")]
        absent = [column for column in COLUMNS if column not in header]
        if absent:
            raise files.refuse(name, 1, f"the header has no column {', '.join(absent)}")
        table = files.numbers(name, len(header), delimiter=",", header=1)
        t_ns = uniform_times_ns(len(table), RATE_HZ)
        labels = label_runs(np.full(len(table), codes.index(match[1])), t_ns, RATE_HZ, tuple(ACTIVITIES.values()))
        yield Session(
            subject=named[int(match[3])],
            name=f"{match[1]}_{match[2]}",
            spec=SPEC,
            t_ns=t_ns,
            seq=np.arange(len(table)),
            x=table[:, [header.index(column) for column in COLUMNS]].astype(np.float32),
            labels=labels,
            extra={"trial": match[2]},
        )

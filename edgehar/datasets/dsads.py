"""Format `dsads`: the original archive of Daily and Sports Activities (five Xsens units).

Layout: data/aAA/pP/sSS.txt, 60 segments of 125 rows of 45 values: for torso, right arm, left arm, right leg and left
leg acceleration (m/s^2), angular rate (rad/s) and magnetic field, x y z each. The segments of a person and activity
follow each other without a break and become one recording; the magnetometer is left out. Not tried on the original.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgehar.datasets.session import About, ImportOptions, Session, Source, label_runs, subject_names, uniform_times_ns
from edgehar.datasets.source_files import SourceFiles
from edgehar.types import StreamSpec

HOME = "https://archive.ics.uci.edu/dataset/256"
RATE_HZ = 25.0
SEGMENT = 125
BODY_UNITS = ("torso", "right_arm", "left_arm", "right_leg", "left_leg")
COLUMNS_OF_UNIT = 9
KEPT = tuple(COLUMNS_OF_UNIT * unit + column for unit in range(len(BODY_UNITS)) for column in range(6))
SPEC = StreamSpec(
    "imu",
    tuple(f"{unit}.{sensor}_{axis}" for unit in BODY_UNITS for sensor in ("acc", "gyro") for axis in "xyz"),
    RATE_HZ,
    (("mps2",) * 3 + ("radps",) * 3) * len(BODY_UNITS),
    placement="torso, arms and legs",
)
ACTIVITIES = (
    "sitting",
    "standing",
    "lying_on_back",
    "lying_on_right_side",
    "ascending_stairs",
    "descending_stairs",
    "standing_in_elevator",
    "moving_in_elevator",
    "walking_parking_lot",
    "walking_treadmill_4kmh_flat",
    "walking_treadmill_4kmh_15deg",
    "running_treadmill_8kmh",
    "exercising_stepper",
    "exercising_cross_trainer",
    "cycling_horizontal",
    "cycling_vertical",
    "rowing",
    "jumping",
    "playing_basketball",
)


def open_dsads(path: Path, options: ImportOptions) -> Source:
    """One recording per person and activity."""
    files = SourceFiles(path, HOME)
    takes: dict[tuple[int, int], list[str]] = {}
    for name, match in files.find(r"a(\d{2})/p(\d+)/s(\d+)\.txt"):
        if not 1 <= int(match[1]) <= len(ACTIVITIES):
            raise files.refuse(name, 1, f"its directory names activity {match[1]}, none of 01 to {len(ACTIVITIES)}")
        takes.setdefault((int(match[1]), int(match[2])), []).append(name)
    about = About(
        name=options.name or "dsads",
        format="dsads",
        labels=ACTIVITIES,
        licence="published at UCI with a request to cite; check its terms",
        citation="K. Altun, B. Barshan, O. Tuncel. Pattern Recognition 43(10):3605-3620, 2010.",
        source=HOME,
    )
    return Source(about, _sessions(files, takes), len(takes))


def _sessions(files: SourceFiles, takes: dict[tuple[int, int], list[str]]) -> Iterator[Session]:
    named = subject_names(person for _, person in takes)
    for (activity, person), segments in takes.items():
        tables = []
        for name in segments:
            table = files.numbers(name, COLUMNS_OF_UNIT * len(BODY_UNITS), delimiter=",")
            if len(table) != SEGMENT:
                raise files.refuse(name, len(table), f"the segment ends here, after {len(table)} of {SEGMENT} rows")
            tables.append(table[:, KEPT])
        x = np.concatenate(tables).astype(np.float32)
        t_ns = uniform_times_ns(len(x), RATE_HZ)
        labels = label_runs(np.full(len(x), activity - 1), t_ns, RATE_HZ, ACTIVITIES)
        yield Session(named[person], f"a{activity:02d}", SPEC, t_ns, np.arange(len(x)), x, labels)

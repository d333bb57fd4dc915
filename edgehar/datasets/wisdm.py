"""Format `wisdm`: the smartwatch part of the original WISDM 2019 archive.

Layout: raw/watch/{accel,gyro}/data_SSSS_{accel,gyro}_watch.txt, rows `subject,code,time_ns,x,y,z;`; activity_key.txt.
The stamps jump (bursts of 10 ms after gaps), so both sensors are put on a uniform 50 ms grid by linear interpolation;
a hole of more than 0.5 s in either starts a new session, and pieces under 5 s are dropped. Not tried on the original.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.session import About, ImportOptions, Session, Source, label_runs, uniform_times_ns
from edgehar.datasets.source_files import SourceFiles
from edgehar.types import StreamSpec

HOME = "https://archive.ics.uci.edu/dataset/507"
RATE_HZ = 20.0
HOLE_S = 0.5
SHORTEST_S = 5.0
SPEC = StreamSpec(
    "imu",
    ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"),
    RATE_HZ,
    ("mps2", "mps2", "mps2", "radps", "radps", "radps"),
    placement="wrist",
)
ACTIVITIES: Mapping[str, str] = MappingProxyType(
    {
        "A": "walking",
        "B": "jogging",
        "C": "stairs",
        "D": "sitting",
        "E": "standing",
        "F": "typing",
        "G": "teeth",
        "H": "soup",
        "I": "chips",
        "J": "pasta",
        "K": "drinking",
        "L": "sandwich",
        "M": "kicking",
        "O": "catch",
        "P": "dribbling",
        "Q": "writing",
        "R": "clapping",
        "S": "folding",
    }
)
Samples = dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]


def open_wisdm(path: Path, options: ImportOptions) -> Source:
    """One recording per person, activity and uninterrupted piece."""
    files = SourceFiles(path, HOME)
    found = files.find(r"watch/accel/data_(\d+)_accel_watch\.txt")
    about = About(
        name=options.name or "wisdm",
        format="wisdm",
        labels=tuple(ACTIVITIES.values()),
        licence="see the README of the archive",
        citation="G.M. Weiss, K. Yoneda, T. Hayajneh. IEEE Access 7:133190-133202, 2019.",
        source=HOME,
    )
    return Source(about, _sessions(files), len(found) * len(ACTIVITIES))


def _sessions(files: SourceFiles) -> Iterator[Session]:
    names = tuple(ACTIVITIES.values())
    for accel_name, match in files.find(r"watch/accel/data_(\d+)_accel_watch\.txt"):
        subject = match[1]
        accel = _read(files, accel_name, subject)
        gyro = _read(files, files.one(rf"watch/gyro/data_{subject}_gyro_watch\.txt"), subject)
        for number, code in enumerate(ACTIVITIES):
            if code not in accel or code not in gyro:
                continue
            for piece, x in enumerate(_pieces(*accel[code], *gyro[code])):
                t_ns = uniform_times_ns(len(x), RATE_HZ)
                labels = label_runs(np.full(len(x), number), t_ns, RATE_HZ, names)
                yield Session(subject, f"{code}_{piece}", SPEC, t_ns, np.arange(len(x)), x, labels)


def _read(files: SourceFiles, name: str, subject: str) -> Samples:
    """Times [n] and values [n, 3] of each activity, in time order, each time once."""
    rows: dict[str, list[tuple[int, float, float, float]]] = {}
    for row, line in enumerate(files.lines(name), 1):
        cells = line.rstrip("; \t").split(",")
        if cells == [""]:
            continue
        if len(cells) != 6 or cells[0] != subject or cells[1] not in ACTIVITIES:
            raise files.refuse(name, row, f"'{line}' is not {subject},code,time,x,y,z; with a code from A to S")
        try:
            values = (int(cells[2]), float(cells[3]), float(cells[4]), float(cells[5]))
        except ValueError as error:
            raise files.refuse(name, row, str(error)) from error
        rows.setdefault(cells[1], []).append(values)
    samples: Samples = {}
    for code, values_of_code in rows.items():
        t_ns, first = np.unique(np.array([values[0] for values in values_of_code], np.int64), return_index=True)
        samples[code] = t_ns, np.array([values[1:] for values in values_of_code])[first]
    return samples


def _pieces(
    accel_t: NDArray[np.int64], accel: NDArray[np.float64], gyro_t: NDArray[np.int64], gyro: NDArray[np.float64]
) -> Iterator[NDArray[np.float32]]:
    """The joined samples [n, 6] of each stretch in which neither sensor has a hole, on the uniform grid."""
    period_ns = 1e9 / RATE_HZ
    for (accel_first, accel_last), (gyro_first, gyro_last) in product(_stretches(accel_t), _stretches(gyro_t)):
        begin, end = max(accel_first, gyro_first), min(accel_last, gyro_last)
        if end - begin < SHORTEST_S * 1e9:
            continue
        # Relative times, because float64 cannot hold nanoseconds since boot and their fractions.
        grid = np.arange(int((end - begin) // period_ns) + 1) * period_ns
        columns = [np.interp(grid, accel_t - begin, accel[:, axis]) for axis in range(3)]
        columns += [np.interp(grid, gyro_t - begin, gyro[:, axis]) for axis in range(3)]
        yield np.stack(columns, axis=1).astype(np.float32)


def _stretches(t_ns: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last time of every stretch without a hole."""
    edges = [0, *(np.flatnonzero(np.diff(t_ns) > HOLE_S * 1e9) + 1).tolist(), len(t_ns)]
    return [(int(t_ns[first]), int(t_ns[last - 1])) for first, last in pairwise(edges)]

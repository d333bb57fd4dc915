"""Format `uci-har-npz`: UCI HAR's windows with their experiment and offset, put together again as recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.npz_file import NpzFile
from edgehar.datasets.npz_layout import NUMBERS, TEXT, WHOLE, Layout, Member, check_layout, check_range, rate_of
from edgehar.datasets.session import About, ImportOptions, Session, Source, label_runs, subject_names, uniform_times_ns
from edgehar.errors import InputError, Reason
from edgehar.types import Flag, StreamSpec

WINDOW, HOP = 128, 64
CHAIN = "uci-har"
SIDES = ("train", "test")
MAX_OFFSET = 1 << 24  # samples: more than three days at 50 Hz; beyond it an offset is damage
LAYOUT: Layout = MappingProxyType(
    {
        "channels": Member(TEXT, ("channels",)),
        "units": Member(TEXT, ("channels",)),
        "scale": Member(NUMBERS, ("channels",)),
        "fs": Member(NUMBERS),
        "label_names": Member(TEXT, ("labels",)),
        **{
            f"{name}_{side}": Member(WHOLE, (f"{side} windows", *rest))
            for side in SIDES
            for name, rest in (
                ("X", ("samples", "channels")), ("y", ()), ("subject", ()), ("exp", ()), ("start", ()),
            )
        },
    }
)  # fmt: skip


def open_uci_har_npz(path: Path, options: ImportOptions) -> Source:
    """One recording per experiment. Its windows overlap by half and must agree where they do; samples that no window
    covers are missing (a gap), and the running number of a sample is its offset in the original experiment.
    """
    file = NpzFile(path)
    sizes = check_layout(file, LAYOUT)
    for side in SIDES:
        check_range(file, f"y_{side}", 0, sizes["labels"])
        check_range(file, f"start_{side}", 0, MAX_OFFSET)
    people = {side: [int(subject) for subject in file[f"subject_{side}"]] for side in SIDES}
    named = subject_names([*people["train"], *people["test"]])
    about = About(
        name=options.name or "uci_har",
        format="uci-har-npz",
        labels=file.texts("label_names"),
        licence=file.text("license_note"),
        citation=file.text("citation"),
        source=file.text("source"),
        applied_preprocess=CHAIN,
        window=WINDOW,
        hop=HOP,
        official_train=tuple(sorted({named[p] for p in people["train"]})),
        official_test=tuple(sorted({named[p] for p in people["test"]})),
    )
    spec = StreamSpec(
        kind="imu",
        channels=file.texts("channels"),
        rate_hz=rate_of(file),
        units=file.units(),
        placement="waist",
    )
    count = sum(len(set(file[f"exp_{side}"].tolist())) for side in SIDES)
    return Source(about, _sessions(file, spec, about.labels, named), count)


def _sessions(file: NpzFile, spec: StreamSpec, names: tuple[str, ...], named: dict[int, str]) -> Iterator[Session]:
    scale = file["scale"]
    for side in SIDES:
        windows, codes = file[f"X_{side}"], file[f"y_{side}"].astype(np.int64)
        experiment, start, subject = (
            file[f"exp_{side}"],
            file[f"start_{side}"].astype(np.int64),
            file[f"subject_{side}"],
        )
        for number in dict.fromkeys(experiment.tolist()):
            rows = np.flatnonzero(experiment == number)
            where = f"{file.path}: experiment {number}"
            offset, counts, code = join_windows(windows[rows], start[rows], codes[rows], where)
            t_ns = uniform_times_ns(int(offset[-1]) + 1, spec.rate_hz)[offset]
            yield Session(
                subject=named[int(subject[rows[0]])],
                name=f"exp{number:02d}",
                spec=spec,
                t_ns=t_ns,
                seq=offset,
                x=(counts * scale).astype(np.float32),
                labels=label_runs(code, t_ns, spec.rate_hz, names),
                window_starts=start[rows],
                flags=gap_flags(offset),
                extra={"official": side},
            )


def join_windows(
    windows: NDArray[Any], start: NDArray[np.int64], code: NDArray[np.int64], where: str
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
    """Offset [n], values [n, c] and class [n] of all samples that `windows` [m, w, c], cut at `start` [m], cover."""
    m, w, c = windows.shape
    end = int(start.max()) + w
    values = np.zeros((end, c), windows.dtype)
    classes = np.full(end, -1, np.int64)
    covered = np.zeros(end, bool)
    at = start[:, None] + np.arange(w)
    values[at] = windows
    classes[at] = code[:, None]
    covered[at] = True
    same = (values[at] == windows).all(axis=(1, 2)) & (classes[at] == code[:, None]).all(axis=1)
    if not same.all():
        row = int(np.flatnonzero(~same)[0])
        raise InputError(
            f"{where}: window {row} of {m}, at offset {start[row]}, disagrees with one that overlaps it",
            reason=Reason.DAMAGED,
            hint="get the file again and compare its checksum",
        )
    offset = np.flatnonzero(covered)
    return offset, values[offset], classes[offset]


def gap_flags(offset: NDArray[np.int64]) -> NDArray[np.uint16]:
    """GAP_BEFORE where running numbers jump."""
    flags = np.zeros(len(offset), np.uint16)
    flags[1:][np.diff(offset) > 1] = Flag.GAP_BEFORE
    return flags

"""Format `csv`: tables with a header `t_ns` or `t_s`, one column per channel, and perhaps label, subject, session.

A channel is named `acc_x` or, with its unit, `acc_x[g]`. Without the columns subject and session they are taken from
the file's name, `<subject>_<session>.csv`. An empty cell of a channel is a value that was not measured. Remarks may
stand before the header (`# ...`); `# SIMULATED` marks the table, and the whole dataset.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgehar.datasets.session import About, ImportOptions, Session, Source, label_runs
from edgehar.datasets.units import KNOWN, SPELLED
from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.sources.csv_rows import SIMULATED_LINE
from edgehar.types import FloatArray, IntArray, StreamSpec

TIMES = ("t_ns", "t_s")
GROUPS = ("label", "subject", "session", "environment")
RATE_TOLERANCE = 0.05  # files of one dataset may differ from the first one's rate by this fraction


@dataclass(frozen=True, slots=True)
class _Table:
    """One file: its row numbers [n] from 1, t_ns [n], x [n, c], and the columns that name things, each [n]."""

    path: Path
    channels: tuple[str, ...]
    units: tuple[str, ...]
    simulated: bool
    row: IntArray
    t_ns: IntArray
    x: FloatArray
    named: dict[str, NDArray[np.str_]]


def open_csv(path: Path, options: ImportOptions) -> Source:
    """All sessions of a .csv file, or of the .csv files in a directory."""
    files = sorted(file for file in path.iterdir() if file.suffix == ".csv") if path.is_dir() else [path]
    if not files:
        raise MissingError(
            f"{path} holds no .csv file", reason=Reason.NOT_FOUND, hint="give a .csv file or their directory"
        )
    tables = [_read(file) for file in files]
    first = tables[0]
    units = options.units or first.units
    if len(units) != len(first.channels) or "" in units:
        unknown = [channel for channel, unit in zip(first.channels, first.units, strict=True) if not unit]
        raise UsageError(
            f"{first.path} does not say the unit of {', '.join(unknown)}; --units names {len(options.units)}",
            reason=Reason.VALUE,
            hint=f"name {len(first.channels)} units: --units g,g,g,radps,... (or write acc_x[g] into the header)",
        )
    strange = next((unit for unit in units if unit not in SPELLED), None)
    if strange is not None:
        raise UsageError(
            f"'{strange}' is no unit that edgehar knows", reason=Reason.UNKNOWN_NAME, hint=f"use {', '.join(KNOWN)}"
        )
    units = tuple(SPELLED[unit] for unit in units)
    for table in tables[1:]:
        if table.channels != first.channels:
            raise _refuse(
                table.path,
                1,
                f"its channels are {', '.join(table.channels)}, those of {first.path} {', '.join(first.channels)}",
            )
        if not options.units and table.units != first.units:
            raise _refuse(
                table.path, 1, f"its units are {', '.join(table.units)}, those of {first.path} {', '.join(first.units)}"
            )
    rate_hz = options.rate_hz or _rate_hz(first)
    simulated = any(table.simulated for table in tables)
    spec = StreamSpec("imu", first.channels, rate_hz, units, simulated=simulated)
    labels = tuple(dict.fromkeys(str(label) for table in tables for label in table.named["label"] if label))
    sessions = [session for table in tables for session in _sessions(table, spec, labels)]
    about = About(name=options.name or path.stem, format="csv", labels=labels, source=path.name)
    return Source(about, sessions, len(sessions))


def _read(path: Path) -> _Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            numbered = [(reader.line_num, row) for row in reader if row]
    except FileNotFoundError as error:
        raise MissingError(f"there is no file {path}", reason=Reason.NOT_FOUND, hint="check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} cannot be read: {error}", reason=Reason.FORMAT, hint="give a UTF-8 .csv file"
        ) from error
    remarks = []
    while numbered and numbered[0][1][0].lstrip().startswith("#"):
        remarks.append(numbered.pop(0)[1][0].strip())
    if len(numbered) < 3:
        last = len(remarks) + len(numbered)
        raise _refuse(path, last + 1, "the file ends here; it needs a header and at least two samples")
    header = [cell.strip() for cell in numbered[0][1]]
    number, body = [line for line, _ in numbered[1:]], [row for _, row in numbered[1:]]
    time = next((name for name in TIMES if name in header), None)
    if time is None and len(header) == 1 and re.search("[;\t|]", header[0]):
        raise _refuse(path, 1, f"the header is {header[0]}; cells are separated by commas here")
    if time is None or len(set(header)) != len(header):
        raise _refuse(path, 1, f"the header is {','.join(header)}; it needs t_ns or t_s, and every name once")
    for line, row in zip(number, body, strict=True):
        if len(row) != len(header):
            raise _refuse(path, line, f"it has {len(row)} cells, the header {len(header)}")
    columns = dict(zip(header, zip(*body, strict=True), strict=True))
    channels = [name for name in header if name != time and name not in GROUPS]
    if not channels:
        raise _refuse(path, 1, f"the header is {','.join(header)}; it names no channel")
    named = {key: np.array([cell.strip() for cell in columns.get(key, [""] * len(body))]) for key in GROUPS}
    return _Table(
        path=path,
        channels=tuple(name.partition("[")[0].strip() for name in channels),
        units=tuple(name.partition("[")[2].rstrip("] ") for name in channels),
        simulated=any(remark.startswith(SIMULATED_LINE) for remark in remarks),
        row=np.array(number),
        t_ns=_times(path, time, columns[time], number),
        x=np.stack([_values(path, name, columns[name], number) for name in channels], axis=1),
        named=named,
    )


def _times(path: Path, name: str, cells: tuple[str, ...], number: list[int]) -> IntArray:
    try:
        return np.array([_time_ns(cell, name) for cell in cells], np.int64)
    except (ValueError, InvalidOperation, OverflowError):
        for row, cell in zip(number, cells, strict=True):
            try:
                np.int64(_time_ns(cell, name))
            except (ValueError, InvalidOperation, OverflowError) as error:
                raise _refuse(path, row, f"column {name}: '{cell}' is not a time") from error
        raise


def _time_ns(cell: str, name: str) -> int:
    return int(cell) if name == "t_ns" else int((Decimal(cell.strip()) * 1_000_000_000).to_integral_value())


def _values(path: Path, name: str, cells: tuple[str, ...], number: list[int]) -> FloatArray:
    values = np.empty(len(cells), np.float64)
    for i, cell in enumerate(cells):
        try:
            values[i] = float(cell.strip() or "nan")
        except ValueError as error:
            raise _refuse(path, number[i], f"column {name}: '{cell}' is not a number") from error
    infinite = np.flatnonzero(np.abs(values) > np.finfo(np.float32).max)
    if len(infinite):
        raise _refuse(path, number[infinite[0]], f"column {name}: '{cells[infinite[0]]}' is infinite")
    return values.astype(np.float32)


def _rate_hz(table: _Table) -> float:
    """The rate to three digits: the median step does not mind gaps, and a crystal's ppm are no nominal rate."""
    first = np.ones(len(table.t_ns), bool)
    for key in ("subject", "session"):
        first &= table.named[key] == table.named[key][0]
    steps_ns = np.diff(table.t_ns[first])
    forward = steps_ns[steps_ns > 0]
    if not len(forward):
        raise _refuse(table.path, int(table.row[1]), "no time is later than the one before it")
    return float(f"{1e9 / float(np.median(forward)):.3g}")


def _sessions(table: _Table, spec: StreamSpec, labels: tuple[str, ...]) -> Iterator[Session]:
    stem_subject, _, stem_session = table.path.stem.partition("_")
    subject = np.where(table.named["subject"] == "", stem_subject, table.named["subject"])
    session = np.where(table.named["session"] == "", stem_session or "0", table.named["session"])
    codes = np.array([labels.index(label) if label else -1 for label in table.named["label"].tolist()])
    for who, which in dict.fromkeys(zip(subject.tolist(), session.tolist(), strict=True)):
        rows = np.flatnonzero((subject == who) & (session == which))
        t_ns = table.t_ns[rows]
        backward = np.flatnonzero(np.diff(t_ns) <= 0)
        if len(backward):
            raise _refuse(
                table.path,
                int(table.row[rows[backward[0] + 1]]),
                f"time {t_ns[backward[0] + 1]} ns does not come after {t_ns[backward[0]]} ns",
            )
        steps_ns = np.diff(t_ns)
        rate_hz = 1e9 / float(np.median(steps_ns)) if len(steps_ns) else spec.rate_hz
        if abs(rate_hz / spec.rate_hz - 1) > RATE_TOLERANCE:
            raise InputError(
                f"{table.path}: session {which} of {who} has {rate_hz:.3g} Hz, the dataset {spec.rate_hz:g} Hz",
                reason=Reason.CONTRACT,
                hint="import files of different rates into different datasets, or name the rate: --rate-hz",
            )
        yield Session(
            subject=who,
            name=which,
            spec=spec,
            t_ns=t_ns,
            seq=np.round((t_ns - t_ns[0]) * (spec.rate_hz / 1e9)).astype(np.int64),
            x=table.x[rows],
            labels=label_runs(codes[rows], t_ns, spec.rate_hz, labels),
            environment=str(table.named["environment"][rows[0]]),
        )


def _refuse(path: Path, row: int, what: str) -> InputError:
    return InputError(
        f"{path}, row {row}: {what}", reason=Reason.VALUE, hint="mend that row; docs/formats.md describes the table"
    )

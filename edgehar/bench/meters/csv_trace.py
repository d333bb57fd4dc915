"""`csv:FILE?decisions=N[&voltage_v=V][&pins=1|2]`: a trace of any lab meter, marked with what the device did.

The header names columns and units. Time: `time`, `timestamp` or `t` in s, ms, us or ns. Power in W, mW or uW; or
current in A, mA, uA or nA with a voltage column (V, mV) or `voltage_v` in the address. `Current(uA)`, `current_ma` and
`current [mA]` are the same to us. What the device did: a column `marker` or `mark` with names or numbers of Mark, or
the logic pins of an nRF Connect export (`D0`, `D1`, ..., or `D0-D7` as eight digits): D0 is high while the device
decides; with `pins=2`, D0 + 2 D1 is a Mark.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from edgehar.bench.meters.address import MeterAddress, pins_of
from edgehar.bench.meters.base import Block, Mark, MeterFacts, Quantity
from edgehar.errors import InputError, MissingError, Reason

COLUMN = re.compile(r"\s*([A-Za-z][A-Za-z ]*?)[\s_]*[(\[_]\s*([nuµμm]?[sAVW])\s*[)\]]?\s*", re.IGNORECASE)
SCALE = {"n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "": 1.0}
NAMES = {"s": ("time", "timestamp", "t"), "w": ("power", "p"), "a": ("current", "i"), "v": ("voltage", "u", "v")}
PINS = "d0-d7"


def from_address(address: MeterAddress) -> CsvTrace:
    """See the head of this file."""
    address.only("decisions", "voltage_v", "pins")
    if not address.locator or "decisions" not in address.query:
        raise MissingError(
            "csv: no trace is given, with the number of decisions in each of its marked stretches",
            reason=Reason.NOT_FOUND,
            hint="needs a recording of a lab meter: --meter 'csv:lab.csv?decisions=200'",
        )
    return CsvTrace(
        Path(address.locator),
        decisions=address.number("decisions", 0.0, low=1.0),
        voltage_v=address.number("voltage_v", 0.0, low=0.0),
        pins=pins_of(address),
    )


class CsvTrace:
    """A recorded meter. The first `read` gives the whole trace, all others nothing."""

    def __init__(self, path: Path, *, decisions: float, voltage_v: float = 0.0, pins: int = 1) -> None:
        self._path = path
        self._decisions = decisions
        self._voltage_v = voltage_v
        self._pins = pins
        self._block: Block | None = None

    @property
    def facts(self) -> MeterFacts:
        stated = f"; voltage as stated, {self._voltage_v:g} V" if self._voltage_v else ""
        return MeterFacts(
            name="csv",
            title=f"recorded trace {self._path.name}",
            rails=("trace",),
            summed=("trace",),
            quantity=Quantity.POWER,
            resolution=0.0,
            interval_s=0.0,
            measures=f"what the recording meter was wired to{stated}",
            omits="what was fed past that meter; its error is that of the meter and is not known here",
            decisions=self._decisions,
        )

    def __enter__(self) -> Self:
        self._block = read_trace(self._path, self._voltage_v, self._pins)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open."""

    def read(self) -> Block:
        """The trace, once."""
        block, self._block = self._block, None
        return block or Block(np.empty(0, np.int64), np.empty((0, 1)), np.empty(0, np.int8))


def read_trace(path: Path, voltage_v: float = 0.0, pins: int = 1) -> Block:
    """The trace in `path`. Raises MissingError, or InputError naming line, column and value."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            columns = _Columns(path, header, voltage_v, pins)
            for row in rows:
                if row:
                    columns.add(row, rows.line_num)
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text", reason=Reason.FORMAT, hint="export the trace as CSV, UTF-8") from None
    except OSError as error:
        raise MissingError(
            f"csv: {path} cannot be read: {error.strerror}", reason=Reason.NOT_FOUND, hint="check the path"
        ) from None
    return columns.block()


class _Columns:
    """Rows of one trace, checked one by one, and what its header says of them."""

    def __init__(self, path: Path, header: Sequence[str], voltage_v: float, pins: int) -> None:
        self._path = path
        self._header = header
        units = [COLUMN.fullmatch(name) for name in header]
        self._found = {
            kind: (i, SCALE[match[2][:-1].lower()])
            for kind, names in NAMES.items()
            for i, match in reversed(list(enumerate(units)))
            if match and match[1].lower() in names and match[2][-1].lower() == kind
        }
        if "s" not in self._found:
            raise self._refuse(1, "no time column with a unit", "name it time_s, or Timestamp(ms)")
        if "w" not in self._found and "a" not in self._found:
            raise self._refuse(1, "no power or current column with a unit", "name it power_mw, or Current(uA)")
        if "w" not in self._found and "v" not in self._found and not voltage_v:
            raise self._refuse(1, "a current but no voltage", "add &voltage_v=3.3 to the address, or a voltage column")
        self._voltage_v = voltage_v
        self._mark = _mark_reader(header, pins)
        if self._mark is None:
            raise self._refuse(1, "no column says what the device did", "add a column marker, or wire a pin to D0")
        self._t_ns: list[int] = []
        self._power_mw: list[float] = []
        self._marks: list[int] = []

    def add(self, row: Sequence[str], line: int) -> None:
        """Check and keep one row."""
        if len(row) != len(self._header):
            raise self._refuse(line, f"{len(row)} values under {len(self._header)} columns", "mend or drop the row")
        t_ns = round(self._value(row, "s", line) * 1e9)
        if self._t_ns and t_ns <= self._t_ns[-1]:
            raise self._refuse(line, f"time {row[self._found['s'][0]]} does not rise", "sort the rows; drop repeats")
        self._t_ns.append(t_ns)
        if "w" in self._found:
            self._power_mw.append(self._value(row, "w", line) * 1e3)
        else:
            volts = self._value(row, "v", line) if "v" in self._found else self._voltage_v
            self._power_mw.append(self._value(row, "a", line) * volts * 1e3)
        try:
            self._marks.append(self._mark(row) if self._mark else Mark.UNKNOWN)
        except (KeyError, ValueError):
            known = ", ".join(f"{mark.value} {mark.name.lower()}" for mark in Mark)
            raise self._refuse(line, "its mark is none of ours", f"choose from: {known}") from None

    def block(self) -> Block:
        """All rows."""
        if len(self._t_ns) < 2:
            raise self._refuse(2, f"{len(self._t_ns)} rows", "a trace has thousands: export it again")
        power = np.array(self._power_mw)[:, None]
        return Block(np.array(self._t_ns, np.int64), power, np.array(self._marks, np.int8))

    def _value(self, row: Sequence[str], kind: str, line: int) -> float:
        column, scale = self._found[kind]
        try:
            value = float(row[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self._refuse(line, f"column '{self._header[column]}' is '{row[column]}'", "give a number")
        return value * scale

    def _refuse(self, line: int, why: str, hint: str) -> InputError:
        return InputError(f"{self._path}: line {line}: {why}", reason=Reason.FORMAT, hint=hint)


def _mark_reader(header: Sequence[str], pins: int) -> Callable[[Sequence[str]], int] | None:
    names = [name.strip().lower() for name in header]
    for name in ("marker", "mark"):
        if name in names:
            column = names.index(name)
            return lambda row: _mark(row[column].strip())
    if PINS in names:
        digits = names.index(PINS)
        return lambda row: _number(row[digits].strip()[:pins])
    wanted = [f"d{i}" for i in range(pins)]
    if set(wanted) <= set(names):
        places = [names.index(name) for name in wanted]
        return lambda row: _number("".join(row[place].strip() for place in places))
    return None


def _number(digits: str) -> int:
    """Pins as a number, D0 first. Raises ValueError."""
    return int(digits[::-1], 2)


def _mark(text: str) -> int:
    """A name or number of Mark; nothing is UNKNOWN. Raises KeyError or ValueError."""
    if not text:
        return Mark.UNKNOWN
    return Mark(int(text)) if re.fullmatch(r"-?\d+", text) else Mark[text.upper()]

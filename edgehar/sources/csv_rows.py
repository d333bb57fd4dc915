"""CSV text to sample rows, without I/O: bytes in, `(t_ns, x)` out, errors that name line, column and value."""

from __future__ import annotations

import numpy as np

from edgehar.errors import InputError, Reason, UsageError
from edgehar.types import FloatArray, IntArray

TIME_COLUMN = "t_ns"
SIMULATED_LINE = "# SIMULATED"
"""A remark before the header that begins so marks the whole table."""
LATEST_NS = 1 << 62  # 146 years; the difference of any two times fits 64 bits
LARGEST = float(np.finfo(np.float32).max)
MAX_LINE_BYTES = 65_536  # a longer "line" is not CSV; without a bound, a binary stream would fill the memory


class CsvRows:
    """Incremental decoder of `t_ns,<channel>...` rows.

    `expected` channels may come in any order and are put into the expected one; with none expected the header
    names the channels. t_ns is an integer and rises. An empty field or `nan` is a value that was not measured (NaN).
    Blank lines are skipped, and before the header remarks (`# ...`); `simulated` is whether one of them is the mark.
    Bytes may be cut anywhere.
    """

    def __init__(self, expected: tuple[str, ...] | None = None) -> None:
        self.channels: tuple[str, ...] | None = None
        self.simulated = False
        self._expected = expected
        self._order: list[int] = []
        self._columns: list[str] = []
        self._rest = b""
        self._line = 0
        self._last_ns: int | None = None
        self._error: InputError | None = None

    def feed(self, block: bytes) -> tuple[IntArray, FloatArray]:
        """Rows completed by `block`: t_ns [n] int64, x [n, c] float32 in the order of `channels`.

        Good rows in front of a bad one are returned; `check` then raises what is wrong with the bad one.
        """
        lines = (self._rest + block).split(b"\n")
        self._rest = lines.pop()
        rows = self._decode(lines)
        if len(self._rest) > MAX_LINE_BYTES and self._error is None:
            self._line += 1
            self._error = self._wrong(f"no line end within {MAX_LINE_BYTES} bytes", "feed text, one sample a line")
            if self.channels is None:
                raise self._error
        return rows

    def finish(self) -> tuple[IntArray, FloatArray]:
        """The last row, if the text does not end in a line break."""
        rest, self._rest = self._rest, b""
        rows = self._decode([rest] if rest.strip() else [])
        if self.channels is None:
            raise InputError(
                "CSV on stdin is empty", reason=Reason.TRUNCATED, hint="the first line is t_ns,<channel>,<channel>..."
            )
        return rows

    def check(self) -> None:
        """Raise InputError if a row was bad."""
        if self._error is not None:
            raise self._error

    def _decode(self, lines: list[bytes]) -> tuple[IntArray, FloatArray]:
        self.check()
        times: list[int] = []
        rows: list[list[float]] = []
        for raw in lines:
            self._line += 1
            try:
                row = self._row(raw)
            except InputError as error:
                if self.channels is None:
                    raise
                self._error = error
                break
            if row is not None:
                times.append(row[0])
                rows.append(row[1])
        width = len(self.channels or ())
        return np.array(times, np.int64), np.array(rows, np.float32).reshape(len(rows), width)

    def _row(self, raw: bytes) -> tuple[int, list[float]] | None:
        try:
            text = raw.decode("utf-8-sig" if self._line == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise self._wrong("not UTF-8 text", "feed a CSV file, not a binary one") from None
        if not text:
            return None
        if self.channels is None and text.startswith("#"):
            self.simulated |= text.startswith(SIMULATED_LINE)
            return None
        fields = [field.strip() for field in text.split(",")]
        if self.channels is None:
            self._header(fields)
            return None
        return self._time(fields), [self._value(fields, column) for column in self._order]

    def _header(self, fields: list[str]) -> None:
        if fields[0] != TIME_COLUMN:
            raise self._wrong(
                f"the first column is '{fields[0]}'", "start with a header line: t_ns,<channel>,<channel>..."
            )
        given = fields[1:]
        double = next((name for name in given if given.count(name) > 1), None)
        if double is not None or not all(given) or not given:
            raise self._wrong(
                f"channel '{double}' twice" if double else "a channel without a name", "name each channel once"
            )
        wanted = self._expected if self._expected is not None else tuple(given)
        if set(given) != set(wanted):
            raise UsageError(
                f"CSV on stdin, line {self._line}: the channels do not match\n"
                f"  contract: {','.join(wanted)}\n"
                f"  header:   {','.join(given)}",
                reason=Reason.CONTRACT,
                hint="name the columns as the contract does (edgehar inspect BUNDLE shows it)",
            )
        self._columns = fields
        self._order = [1 + given.index(name) for name in wanted]
        self.channels = wanted

    def _time(self, fields: list[str]) -> int:
        if len(fields) != len(self._columns):
            raise self._wrong(
                f"{len(fields)} values, but the header names {len(self._columns)} columns",
                "complete or remove this row",
            )
        try:
            t_ns = int(fields[0])
        except ValueError:
            raise self._wrong(
                f"column t_ns: '{fields[0]}' is not an integer", "give nanoseconds, no fraction"
            ) from None
        if abs(t_ns) > LATEST_NS:
            raise self._wrong(
                f"column t_ns: {t_ns} is no time in nanoseconds, at most {LATEST_NS}",
                "give nanoseconds since the stream began",
            )
        if self._last_ns is not None and t_ns <= self._last_ns:
            raise self._wrong(
                f"column t_ns: {t_ns} does not come after {self._last_ns}", "sort the rows by t_ns, each time once"
            )
        self._last_ns = t_ns
        return t_ns

    def _value(self, fields: list[str], column: int) -> float:
        text = fields[column]
        try:
            value = float(text) if text else float("nan")
        except ValueError:
            value = float("inf")
        if abs(value) > LARGEST:
            raise self._wrong(
                f"column {self._columns[column]}: '{text}' is not a number", "give a number, or leave the field empty"
            )
        return value

    def _wrong(self, what: str, hint: str) -> InputError:
        return InputError(f"CSV on stdin, line {self._line}: {what}", reason=Reason.FORMAT, hint=hint)

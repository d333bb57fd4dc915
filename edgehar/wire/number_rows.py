"""Rows of numbers without a tag, as host tools and older firmware wrote them: one frame a line, for import.

Two of the tools name their columns I and Q, but write the chip's buffer as it is: the imaginary part comes first there,
too. Values begin where the layout begins, with two exceptions: sniffers on ESP-IDF 3.3 print the first word last.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgehar.wire.espcsi_rows import MAX_ROW_BYTES
from edgehar.wire.espcsi_text import FIRST_BAD
from edgehar.wire.frames import FRAME, UNKNOWN_DBM, UNKNOWN_GAIN, UNKNOWN_SEQ, Cause, CsiFrames
from edgehar.wire.layouts import Layout, layout_named
from edgehar.wire.lines import LineCutter

FIRST_WORD_VALUES = 4


@dataclass(frozen=True, slots=True)
class NumberDialect:
    """`row` matches a row: groups time, values and perhaps rssi; `time` reads its time in microseconds.

    time_row: the time stands in a line of its own, before the row. header: how the first line begins, "" for none.
    layouts: what a frame is, by its length. first_word: invalid, valid, or last (invalid, printed at the end).
    """

    header: bytes
    row: re.Pattern[bytes]
    time: Callable[[bytes], int]
    host_clock: bool
    layouts: dict[int, str]
    first_word: str
    time_row: re.Pattern[bytes] | None = None


def _seconds(text: bytes) -> int:
    return round(float(text) * 1e6)


def _date(text: bytes) -> int:
    """Taken as UTC: the files do not say. An impossible date is a ValueError."""
    moment = dt.datetime.fromisoformat(text.decode()).replace(tzinfo=dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


_ABOVE = {128: "classic-above-lltf", 256: "classic-above-ht20", 376: "classic-above-ht20-stbc"}
_ABOVE |= {384: "classic-above-ht40", 612: "classic-above-ht40-stbc"}

NUMBER_DIALECTS = {
    "time-values": NumberDialect(
        b"", re.compile(rb"(?P<time>\d{1,10})(?P<values>(?: -?\d{1,5})+) *"), int, False, _ABOVE, "invalid"
    ),
    "esp-csi-rs": NumberDialect(
        b"esp_timestamp_us,rssi,i0",
        re.compile(rb"(?P<time>\d{1,16}),(?P<rssi>-?\d{1,3})(?P<values>(?:,-?\d{1,5})+)"),
        int,
        False,
        {128: "classic-none-lltf", 256: "classic-none-ht20", 384: "classic-none-ht20-stbc"},
        "valid",
    ),
    "iq-columns": NumberDialect(
        b"timestamp,I0,Q0",
        re.compile(rb"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)(?P<values>(?:,-?\d{1,5})+)"),
        _date,
        True,
        {104: "cut-lltf"},
        "valid",
    ),
    "sc-columns": NumberDialect(
        b"time,sc_0",
        re.compile(rb"(?P<time>\d{1,10}(?:\.\d{1,9})?)(?P<values>(?:,-?\d{1,5}(?:\.0)?)+),*"),
        _seconds,
        False,
        _ABOVE,
        "invalid",
    ),
    "tabbed": NumberDialect(
        b"",
        re.compile(rb"(?P<values>-?\d{1,5}(?:\t-?\d{1,5})+)\t?"),
        _seconds,
        False,
        {256: "classic-none-ht20"},
        "last",
        time_row=re.compile(rb"(?P<time>\d{1,10}\.\d{1,18})"),
    ),
}


class NumberRowDecoder:
    """A `WireDecoder` of one of NUMBER_DIALECTS. layout: the name of what frames of its length are."""

    def __init__(self, dialect: str, layout: str = "") -> None:
        self.counts: Counter[str] = Counter(frames=0)
        self.first_bad: list[tuple[int, Cause]] = []
        self._dialect = NUMBER_DIALECTS[dialect]
        self._layouts = {values: layout_named(name) for values, name in self._dialect.layouts.items()}
        if layout:
            self._layouts[layout_named(layout).values] = layout_named(layout)
        self._cutter = LineCutter(MAX_ROW_BYTES)
        self._line = 0
        self._time: int | None = None  # from a line of its own

    def push(self, data: bytes | bytearray | memoryview) -> list[CsiFrames]:
        """Frames that the bytes complete; one item a run of equal layout, in order."""
        return self._frames_of(self._cutter.push(bytes(data)))

    def finish(self) -> list[CsiFrames]:
        """The stream is over: a last row without a line end counts if it is whole."""
        return self._frames_of(self._cutter.finish())

    def _frames_of(self, lines: bytes) -> list[CsiFrames]:
        runs: list[tuple[Layout, list[list[int]], list[tuple[int, int]]]] = []
        for line in lines.split(b"\n")[:-1]:
            self._line += 1
            found = Cause.OVERLONG if len(line) > MAX_ROW_BYTES else self._row(line.rstrip(b"\r"))
            if isinstance(found, Cause):
                self.counts[found] += 1
                if len(self.first_bad) < FIRST_BAD:
                    self.first_bad.append((self._line, found))
            elif found is not None:
                layout, values, time_us, rssi = found
                if not runs or runs[-1][0] is not layout:
                    runs.append((layout, [], []))
                runs[-1][1].append(values)
                runs[-1][2].append((time_us, rssi))
        return [self._run(*run) for run in runs]

    def _row(self, line: bytes) -> tuple[Layout, list[int], int, int] | Cause | None:
        """One line's frame, why it is none, or nothing where it was not meant to be one."""
        dialect = self._dialect
        if not line or (dialect.header and line.startswith(dialect.header)):
            return None
        if dialect.time_row is not None and (alone := dialect.time_row.fullmatch(line)):
            self._time = dialect.time(alone["time"])
            return None
        if not line[:1].isdigit() and not (line[:1] == b"-" and line[1:2].isdigit()):
            self.counts[Cause.LOG] += len(line)
            return None
        time_us, self._time = self._time, None  # of this row, be it good or bad
        match = dialect.row.fullmatch(line)
        if match is None:
            return Cause.VALUE
        try:
            time_us = dialect.time(match["time"]) if dialect.time_row is None else time_us
        except ValueError:
            return Cause.VALUE
        values = [int(word) for word in match["values"].replace(b".0", b"").replace(b",", b" ").split()]
        rssi = int(match["rssi"]) if "rssi" in match.re.groupindex else UNKNOWN_DBM
        layout = self._layouts.get(len(values))
        if len(values) % 2:
            return Cause.LENGTH
        if layout is None:
            return Cause.LAYOUT
        limit = 1 << (layout.bits - 1)
        if time_us is None or not -limit <= min(values) <= max(values) < limit or not -128 <= rssi < 128:
            return Cause.VALUE
        if dialect.first_word == "last":
            values = values[-FIRST_WORD_VALUES:] + values[:-FIRST_WORD_VALUES]
        return layout, values, time_us, rssi

    def _run(self, layout: Layout, values: list[list[int]], told: list[tuple[int, int]]) -> CsiFrames:
        meta = np.zeros(len(values), FRAME)
        times = np.array([time_us for time_us, _ in told], np.int64)
        meta["t_us"] = times & 0xFFFFFFFF
        meta["host_s"] = times / 1e6 if self._dialect.host_clock else math.nan
        meta["rssi_dbm"] = [rssi for _, rssi in told]
        meta["rx_seq"] = meta["tx_seq"] = UNKNOWN_SEQ
        meta["noise_floor_dbm"] = UNKNOWN_DBM
        meta["agc_gain"] = meta["fft_gain"] = UNKNOWN_GAIN
        meta["secondary"] = {"none": 0, "above": 1, "below": 2}[layout.secondary]
        meta["sig_mode"] = layout.signal != "any"
        meta["bandwidth"] = layout.bandwidth_mhz == 40
        meta["stbc"] = layout.stbc
        meta["first_word_invalid"] = self._dialect.first_word != "valid"
        self.counts["frames"] += len(values)
        return CsiFrames(layout.name, np.array(values, np.int16), meta)

"""From rows of numbers that a sensor's firmware prints to Chunks, sans-IO.

A row has one number for each column that was named, parted by commas, semicolons, tabs or spaces, one of them its time.
What is no such row (a boot message, half a line) is counted and marked as a gap, never guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from edgehar.clock import RESTART_NS
from edgehar.errors import Reason, UsageError
from edgehar.types import Chunk, Flag, IntArray, StreamSpec

TIMES_NS = {"t_s": 1e9, "t_ms": 1e6, "t_us": 1e3, "t_ns": 1.0}
UNITS = ("g", "mps2", "radps", "dps", "uT", "1")
SAMPLES, BAD_ROW, REPEATED = "samples", "bad_row", "repeated"
SETTLE_ROWS = 50  # from which a rate is measured
MOST_LINE_BYTES = 1024
GAP_PERIODS = 1.5  # a step longer than this means that samples are missing
_PARTS = re.compile(r"[,;\s]+")


@dataclass(frozen=True, slots=True)
class RowsChoice:
    """columns: as printed, one of them a time (t_s, t_ms, t_us, t_ns), "-" for one to leave out. units: of the others.

    rate_hz 0: as the first rows have it.
    """

    columns: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float = 0.0
    placement: str = ""

    @classmethod
    def parse(cls, columns: str, units: str, rate_hz: float = 0.0, placement: str = "") -> RowsChoice:
        """Both lists parted by commas. Raises UsageError for what makes no stream."""
        names = tuple(name.strip() for name in columns.split(","))
        given = tuple(unit.strip() for unit in units.split(",")) if units else ()
        times = [name for name in names if name in TIMES_NS]
        channels = [name for name in names if name not in TIMES_NS and name != "-"]
        hint = "for example columns=t_ms,acc_x,acc_y,acc_z&units=g,g,g"
        if len(times) != 1:
            what = f"columns={columns} name {len(times)} times, one is needed: {', '.join(TIMES_NS)}"
            raise UsageError(what, reason=Reason.VALUE, hint=hint)
        if not channels or not all(channels) or len(set(channels)) < len(channels):
            raise UsageError(f"columns={columns}: name each channel once", reason=Reason.VALUE, hint=hint)
        if len(given) != len(channels) or not set(given) <= set(UNITS):
            what = f"{len(channels)} channels ({','.join(channels)}) and units={units}"
            raise UsageError(what, reason=Reason.VALUE, hint=f"give one of {', '.join(UNITS)} for each channel")
        return cls(names, given, rate_hz, placement)


@dataclass(frozen=True, slots=True)
class _Row:
    """gap: something unreadable, or a break of the link, stood before it."""

    t_ns: int
    values: list[float]
    host_ns: int
    gap: bool


class ImuRows:
    """A `ByteStream`."""

    def __init__(self, choice: RowsChoice) -> None:
        self.choice = choice
        self.counts: Counter[str] = Counter()
        self.spec: StreamSpec | None = None
        self.last_bad = ""
        self._at = [i for i, name in enumerate(choice.columns) if name not in TIMES_NS and name != "-"]
        self._time_at = next(i for i, name in enumerate(choice.columns) if name in TIMES_NS)
        self._tick_ns = TIMES_NS[choice.columns[self._time_at]]
        self._rest = b""
        self._first = True  # whether the line at hand may be a line's second half
        self._waiting: list[_Row] = []  # until the rate is known
        self._gap = False
        self._last: tuple[int, int] | None = None  # time and number of the newest row

    @property
    def frames(self) -> int:
        """Rows that were read."""
        return self.counts[SAMPLES] + len(self._waiting)

    @property
    def totals(self) -> Counter[str]:
        """Rows read, and what was none."""
        return +self.counts

    def push(self, data: bytes, host_ns: int) -> list[Chunk]:
        """Bytes that arrived at `host_ns` on the host's monotonic clock."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MOST_LINE_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._row(line, host_ns)
        return self._take() if len(self._waiting) >= (1 if self.spec is not None else SETTLE_ROWS) else []

    def interrupt(self) -> None:
        """The link broke here: rows carry no number that would tell what was lost."""
        self._gap, self._first, self._rest = True, True, b""

    def settle(self) -> list[Chunk]:
        """Take the rate from the few rows that came."""
        return self._take() if self._waiting else []

    def finish(self, host_ns: int) -> list[Chunk]:
        """The stream is over; its last row may lack the line end."""
        self._row(self._rest, host_ns)
        self._rest = b""
        return self.settle()

    def outgoing(self) -> bytes:
        """It is told nothing."""
        return b""

    def _row(self, line: bytes, host_ns: int) -> None:
        first, self._first = self._first, False
        text = line.decode("utf-8", errors="replace").strip()
        if not text:
            return
        parts = [part for part in _PARTS.split(text) if part]
        try:
            values = [float(part) for part in parts]
        except ValueError:
            values = []
        if len(values) != len(self.choice.columns) or not np.isfinite(values).all():
            self.last_bad = "".join(c if c.isprintable() else "?" for c in text[:60])
            if not first:
                self.counts[BAD_ROW] += 1
                self._gap = True
            return
        t_ns = round(values[self._time_at] * self._tick_ns)
        self._waiting.append(_Row(t_ns, [values[i] for i in self._at], host_ns, self._gap))
        self._gap = False

    def _take(self) -> list[Chunk]:
        rows, self._waiting = self._waiting, []
        if self.spec is None:
            self.spec = self._describe(np.array([row.t_ns for row in rows], np.int64))
        rows = self._rising(rows)
        if not rows:
            return []
        t_ns = np.array([row.t_ns for row in rows], np.int64)
        period_ns = 1e9 / self.spec.rate_hz
        last_ns, last_seq = self._last or (int(t_ns[0]) - round(period_ns), -1)
        steps_ns = np.diff(t_ns, prepend=last_ns)
        late, fell = steps_ns > GAP_PERIODS * period_ns, steps_ns < 0
        seq = last_seq + np.cumsum(np.where(late, np.rint(steps_ns / period_ns), 1).astype(np.int64))
        gap = late | fell | np.array([row.gap for row in rows])
        gap[0] &= self._last is not None
        flags = np.where(gap, np.uint16(Flag.GAP_BEFORE), np.uint16(0))
        flags[fell] |= np.uint16(Flag.CLOCK_RESET)
        self._last = int(t_ns[-1]), int(seq[-1])
        self.counts[SAMPLES] += len(rows)
        x = np.array([row.values for row in rows], np.float32)
        return [Chunk(self.spec, t_ns, np.array([row.host_ns for row in rows], np.int64), seq, x, flags)]

    def _rising(self, rows: list[_Row]) -> list[_Row]:
        """Without rows whose time stands still or falls back by less than a restart would."""
        kept: list[_Row] = []
        last_ns = self._last[0] if self._last is not None else None
        for row in rows:
            if last_ns is None or not 0 <= last_ns - row.t_ns <= RESTART_NS:
                kept.append(row)
                last_ns = row.t_ns
            else:
                self.counts[REPEATED] += 1
        return kept

    def _describe(self, t_ns: IntArray) -> StreamSpec:
        choice = self.choice
        steps = np.diff(t_ns)
        steps = steps[steps > 0]
        measured_hz = float(f"{1e9 / float(np.median(steps)):.3g}") if len(steps) else 1.0
        return StreamSpec(
            "imu",
            tuple(choice.columns[i] for i in self._at),
            choice.rate_hz or measured_hz,
            choice.units,
            placement=choice.placement,
        )

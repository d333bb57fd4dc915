"""`stdin:csv`: samples typed, piped or redirected into the process, one line each."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np

from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.sources.csv_rows import CsvRows
from edgehar.sources.reader import read_blocks
from edgehar.sources.uri import SourceUri
from edgehar.types import Chunk, Flag, FloatArray, IntArray, StreamSpec

BLOCK_BYTES = 65_536
GAP_PERIODS = 1.5  # a step longer than this means that samples are missing
NS_PER_S = 1e9
LEAD_NS = 1_000_000_000  # a sensor program that catches up after a pause is not further ahead than this


def from_uri(uri: SourceUri, expected: StreamSpec | None) -> StdinCsv:
    """`stdin:csv[?rate_hz=50&units=g,g,g&kind=imu&axes=device&placement=wrist]`; the keys default to the contract."""
    uri.only("rate_hz", "units", "kind", "axes", "placement")
    if uri.locator != "csv":
        raise UsageError(
            f"source '{uri.text}': '{uri.locator}' is not a format", reason=Reason.UNKNOWN_NAME, hint="write stdin:csv"
        )
    if expected is None and not {"rate_hz", "units"} <= set(uri.query):
        raise UsageError(
            f"source '{uri.text}': a CSV carries neither rate nor units",
            reason=Reason.VALUE,
            hint="write 'stdin:csv?rate_hz=50&units=g,g,g,radps,radps,radps', one unit a channel",
        )
    return StdinCsv(uri, expected, functools.partial(_read_stdin))


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise OSError("it is closed")
    # os.read returns what is there; a buffered read would wait for a full block and add latency.
    return os.read(sys.stdin.fileno(), BLOCK_BYTES)


class StdinCsv:
    """CSV rows as Chunks, one Chunk a block read. Times are the column's; running numbers are deduced from them."""

    def __init__(self, uri: SourceUri, expected: StreamSpec | None, read: Callable[[], bytes]) -> None:
        self._uri = uri
        self._expected = expected
        self._read = read
        self._rows = CsvRows(expected.channels if expected else None)
        self._spec: StreamSpec | None = None
        self._blocks: AsyncIterator[bytes] | None = None
        self._first: tuple[IntArray, FloatArray] | None = None
        self._ended = False
        self._last: tuple[int, int] | None = None  # t_dev_ns and seq of the newest sample
        self._ahead_ns: int | None = None  # the host's clock less the column's, at the first row

    @property
    def spec(self) -> StreamSpec:
        """Known once the header line has been read."""
        if self._spec is None:
            raise UsageError(
                "the CSV header has not been read yet", reason=Reason.VALUE, hint="open the source before asking"
            )
        return self._spec

    async def __aenter__(self) -> Self:
        """Wait for the header line."""
        self._blocks = read_blocks(self._read)
        while self._spec is None:
            self._first = await self._next_rows(self._blocks)
            if self._rows.channels is not None:
                self._spec = self._make_spec(self._rows.channels)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close: stdin belongs to the process."""

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks until end of file."""
        rows, self._first = self._first, None
        blocks = self._blocks
        while rows is not None and blocks is not None:
            if len(rows[0]):
                yield self._chunk(*rows)
            self._rows.check()
            rows = None if self._ended else await self._next_rows(blocks)

    def label_at(self, t_dev_ns: int) -> str:
        """Nobody knows."""
        del t_dev_ns
        return ""

    async def _next_rows(self, blocks: AsyncIterator[bytes]) -> tuple[IntArray, FloatArray]:
        try:
            block = await anext(blocks, b"")
        except OSError as error:
            raise MissingError(f"stdin: {error}", reason=Reason.NOT_FOUND, hint="pipe a CSV into it") from error
        self._ended = not block
        return self._rows.feed(block) if block else self._rows.finish()

    def _make_spec(self, channels: tuple[str, ...]) -> StreamSpec:
        base = self._expected
        typed = self._uri.query.get("units")
        units = tuple(typed.split(",")) if typed is not None else base.units if base else ()
        if len(units) != len(channels):
            raise InputError(
                f"source '{self._uri.text}': {len(units)} units for {len(channels)} channels ({','.join(channels)})",
                reason=Reason.SHAPE,
                hint="give one unit a channel",
            )
        if base is None:
            base = StreamSpec("imu", channels, self._uri.number("rate_hz", 1.0, low=1e-3, high=1e6), units)
        return replace(
            base,
            channels=channels,
            units=units,
            rate_hz=self._uri.number("rate_hz", base.rate_hz, low=1e-3, high=1e6),
            kind=self._uri.word("kind", base.kind),
            axes=self._uri.word("axes", base.axes),
            placement=self._uri.word("placement", base.placement),
            simulated=self._rows.simulated,
        )

    def _chunk(self, t_ns: IntArray, x: FloatArray) -> Chunk:
        before_ns, before_seq = self._last or (int(t_ns[0]), -1)
        steps_ns = np.diff(t_ns, prepend=before_ns)
        period_ns = NS_PER_S / self.spec.rate_hz
        gap = steps_ns > GAP_PERIODS * period_ns
        seq = before_seq + np.cumsum(np.where(gap, np.rint(steps_ns / period_ns), 1).astype(np.int64))
        self._last = int(t_ns[-1]), int(seq[-1])
        return Chunk(
            spec=self.spec,
            t_dev_ns=t_ns,
            t_host_ns=self._arrived(t_ns),
            seq=seq,
            x=x,
            flags=np.where(gap, Flag.GAP_BEFORE, Flag.NONE).astype(np.uint16),
        )

    def _arrived(self, t_ns: IntArray) -> IntArray:
        """When the rows came, by the host's clock.

        A file that is piped in comes faster than its time went by, and arrival would then tell that it was all measured
        at one moment. What comes more than LEAD_NS too early counts as having come LEAD_NS early.
        """
        now_ns = time.monotonic_ns()
        if self._ahead_ns is None:
            self._ahead_ns = now_ns - int(t_ns[0])
        return np.maximum(now_ns, t_ns + (self._ahead_ns - LEAD_NS))

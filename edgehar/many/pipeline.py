"""Rooms 2 to 5 for thousands of streams of one kind through one bundle, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from edgehar.bundle import Bundle
from edgehar.dsp.graph import Preprocess
from edgehar.dsp.grid import Grid
from edgehar.dsp.resample import MAX_GAP_NS
from edgehar.errors import InputError, Reason, UsageError
from edgehar.many.arrivals import EVENT_COLUMNS, HAPPENED, MADE, NEXT_ROW, POINT_COLUMNS, STREAM, T_NS, arrive
from edgehar.many.decisions import Decisions
from edgehar.many.fastgrnn import ManyFastGRNN
from edgehar.many.judge import ManyDeciders
from edgehar.many.state import MISSING, UNORDERED, Streams
from edgehar.pipeline import accept
from edgehar.types import FlagArray, FloatArray, IntArray, StreamSpec

INSTANT: Final = frozenset({"select", "scale", "normalize", "compand", "rectify", "magnitude", "concat"})
"""Operations that look at one sample only, so that samples of many streams may go through them together."""


class ManyPipeline:
    """N streams that share a spec, through one bundle; decisions equal those of N separate `Pipeline`s.

    Every stream has clock, grid, coverage, states and smoothing of its own: gaps, restarts and lost samples of one
    leave the others alone. Probabilities agree to the last bits of a double where windows overlap, and to 2e-6 with a
    hop of a window or more, where a lone stream sums in another order; all else is the same.

    Raises ContractError when the streams are not what the model was trained on, UsageError for a bundle that takes
    one stream at a time: other families than float fastgrnn, or preprocessing with a memory (median3, sos).
    """

    def __init__(
        self, bundle: Bundle, spec: StreamSpec, streams: int, *, clock: Callable[[], int] | None = None
    ) -> None:
        manifest = bundle.manifest
        if streams < 1:
            raise UsageError(f"{streams} streams", reason=Reason.VALUE, hint="give 1 or more")
        self._view = accept(spec, manifest.contract)
        _check_instant(manifest.preprocess)
        self.manifest, self.spec, self.streams = manifest, spec, streams
        contract, grid = manifest.contract, Grid.at(manifest.contract.rate_hz)
        self._now_ns = clock or time.monotonic_ns
        self._preprocess = Preprocess(manifest.preprocess, contract.channels)
        self._state = Streams.empty(streams, len(contract.channels), manifest.window)
        self._runtime = ManyFastGRNN(bundle, streams)
        self._deciders = ManyDeciders(manifest, streams)
        gap_ns = max(MAX_GAP_NS, grid.period_ns * 5 // 2)
        self._most = gap_ns // grid.period_ns + 2
        lengths = manifest.window, manifest.hop, self._most
        self._setup = np.array([grid.period_ns, grid.whole_ns, grid.rest, grid.numerator, gap_ns, *lengths], np.int64)
        self._rates = np.array([contract.rate_hz, contract.rate_tolerance * contract.rate_hz])

    @property
    def dropped(self) -> dict[str, IntArray]:
        """Samples that were not used, by cause, of every stream [N]."""
        facts = self._state.facts
        return {"unordered": facts[:, UNORDERED].copy(), "missing": facts[:, MISSING].copy()}

    @property
    def state_bytes(self) -> int:
        """Resident state of all streams together."""
        return sum(array.nbytes for array in self._state) + self._runtime.state_bytes

    def push(
        self,
        stream: IntArray,
        t_dev_ns: IntArray,
        t_host_ns: IntArray,
        seq: IntArray,
        x: FloatArray,
        flags: FlagArray | None = None,
        *,
        arrival_ns: int | None = None,
    ) -> Decisions:
        """Rows of any streams [n], those of one stream in the order in which they came; x [n, channels].

        What the columns mean is said by `edgehar.types.Chunk`. Fastest where a stream's rows come several at a time.
        Raises InputError for a stream that does not exist or arrays of different lengths.
        """
        arrival_ns = self._now_ns() if arrival_ns is None else arrival_ns
        rows = self._checked(stream, t_dev_ns, t_host_ns, seq, x, flags)
        if self._view is not None:
            rows = (*rows[:-1], np.require(self._view.apply(rows[-1]), np.float32, ["C", "W"]))
        parts = list(self._walk(rows))
        events = np.concatenate([events for events, _ in parts]) if parts else np.zeros((0, EVENT_COLUMNS), np.int64)
        classes = len(self.manifest.labels)
        logits = np.concatenate([logits for _, logits in parts]) if parts else np.zeros((0, classes), np.float32)
        label, p, status, coverage = self._deciders.push(events, logits)
        return Decisions(
            events[:, STREAM].copy(), events[:, T_NS].copy(), label, p, status, coverage, logits,
            self.manifest.labels, self.manifest.model_id, self.spec.simulated, self._now_ns() - arrival_ns,
        )  # fmt: skip

    def forget(self, streams: IntArray | Sequence[int]) -> None:
        """These streams are over: the next row of each is the first of a new one."""
        chosen = np.asarray(streams, np.int64)
        self._check_streams(chosen)
        self._state.forget(chosen)
        self._deciders.forget(chosen)

    def _walk(self, rows: tuple[Any, ...]) -> Iterator[tuple[IntArray, FloatArray]]:
        """(events, their logits), as many rows at a time as there is room for."""
        x, row, progress = rows[-1], 0, np.zeros(3, np.int64)
        while row < len(x):
            room = 2 * (len(x) - row) + self._most + 1
            out = np.empty((room, x.shape[1]), np.float32)
            points, events = np.empty((room, POINT_COLUMNS), np.int64), np.empty((room, EVENT_COLUMNS), np.int64)
            arrive(row, *rows, *self._state, self._setup, self._rates, out, points, events, progress)
            row, made, happened = int(progress[NEXT_ROW]), int(progress[MADE]), int(progress[HAPPENED])
            logits = np.full((happened, len(self.manifest.labels)), np.nan, np.float32)
            y = np.ascontiguousarray(self._preprocess.push(out[:made])) if self.manifest.preprocess else out[:made]
            self._runtime.push(y, points[:made], logits)
            yield events[:happened], logits

    def _checked(
        self,
        stream: IntArray,
        t_dev_ns: IntArray,
        t_host_ns: IntArray,
        seq: IntArray,
        x: FloatArray,
        flags: FlagArray | None,
    ) -> tuple[Any, ...]:
        """The columns as the kernel takes them."""
        n = len(stream)
        flags = np.zeros(n, np.uint16) if flags is None else flags
        columns = [np.require(c, np.int64, ["C", "W"]) for c in (stream, t_dev_ns, t_host_ns, seq)]
        flags, x = np.require(flags, np.uint16, ["C", "W"]), np.require(x, np.float32, ["C", "W"])
        lengths = [len(c) for c in (*columns, flags, x)]
        if set(lengths) != {n} or x.ndim != 2 or x.shape[1] != len(self.spec.channels):
            raise InputError(
                f"rows of {len(self.spec.channels)} channels hold x {list(x.shape)} and columns of {lengths[:-1]} rows",
                reason=Reason.SHAPE,
                hint="every array has one row per sample",
            )
        self._check_streams(columns[0])
        return *columns, flags, x

    def _check_streams(self, named: IntArray) -> None:
        """Refuse a stream's number that is not from 0 to `streams` - 1."""
        if len(named) and not 0 <= named.min() <= named.max() < self.streams:
            wrong = named[(named < 0) | (named >= self.streams)][0]
            raise InputError(
                f"there is no stream {wrong}: this pipeline holds 0 to {self.streams - 1}",
                reason=Reason.VALUE,
                hint="make it with more streams: ManyPipeline(bundle, spec, streams)",
            )


def _check_instant(ops: Sequence[Mapping[str, Any]]) -> None:
    """Refuse preprocessing that remembers samples, by name."""
    for op in ops:
        if op["op"] not in INSTANT:
            raise UsageError(
                f"many streams in one pass take preprocessing without a memory, this bundle has '{op['op']}'",
                reason=Reason.VALUE,
                hint=f"run one edgehar.pipeline.Pipeline for each stream, or train with {', '.join(sorted(INSTANT))}",
            )
        for part in op.get("parts", ()):
            _check_instant(part)

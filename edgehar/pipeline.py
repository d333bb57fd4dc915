"""The spine: rooms 2 to 5, from a chunk of raw samples to decisions. Pure and synchronous.

Live, replay, evaluation and benchmarks call the same `push`, so the accuracy that is reported is the accuracy of the
runtime that ships.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.bundle import Bundle, check_contract
from edgehar.clock import Clock
from edgehar.decide import NOTHING, Decider, Verdict
from edgehar.dsp.graph import Preprocess
from edgehar.dsp.rate import RateMeter
from edgehar.dsp.resample import Piece, Resampler
from edgehar.dsp.view import View, stream_view
from edgehar.dsp.windows import Coverage, OffsetWindows
from edgehar.errors import InputError, Reason
from edgehar.runtimes import Runtime, make_runtime
from edgehar.types import Activity, Chunk, FloatArray, IntArray, Scores, StreamSpec

T_NS, T_DEV_NS, ARRIVAL_NS, REAL = range(4)  # columns of what is known about every uniform sample


@dataclass(frozen=True, slots=True)
class Judged:
    """One decision with what lies behind it: device times of the window's first and last sample, and the scores.

    For a gap the span reaches from the last sample before to the first one after it, and the logits are NaN.
    """

    activity: Activity
    t0_dev_ns: int
    t1_dev_ns: int
    scores: Scores


class Pipeline:
    """One stream through one bundle.

    `runtime` is a registered name or a Runtime. `starts`: stream indices (samples at the contract's rate since the
    stream's first) of the windows to judge, each exactly once and in order of time, instead of one every hop. `clock`
    gives monotonic ns, for `latency_ns` only. `on_scores` sees the Scores of every window that was judged.
    """

    def __init__(
        self,
        bundle: Bundle,
        runtime: str | Runtime = "numba",
        *,
        starts: Sequence[int] | IntArray | None = None,
        clock: Callable[[], int] | None = None,
        on_scores: Callable[[Scores], None] | None = None,
    ) -> None:
        manifest = bundle.manifest
        self.manifest = manifest
        self.runtime = make_runtime(runtime, bundle) if isinstance(runtime, str) else runtime
        self.device_clock = Clock()
        self.last_judged: list[Judged] = []
        self._now_ns = clock or time.monotonic_ns
        self._on_scores = on_scores
        self._preprocess = Preprocess(manifest.preprocess, manifest.contract.channels)
        _check_graph(bundle, self._preprocess)
        self._rate = RateMeter()
        self._resampler = Resampler(manifest.contract.rate_hz, len(manifest.contract.channels))
        self._coverage = Coverage(manifest.window)
        self._offsets = None if starts is None else OffsetWindows(manifest.window, [int(s) for s in starts])
        self._span_ns = int(self._resampler.grid.offset_ns(manifest.window - 1))
        self._decider = Decider(manifest.labels, manifest.decision)
        self._no_logits = np.full(len(manifest.labels), np.nan, np.float32)
        self._begin_stream()

    @property
    def last_scores(self) -> list[Scores]:
        """The Scores behind every Activity of the latest `push` or `flush`, in the same order."""
        return [judged.scores for judged in self.last_judged]

    @property
    def dropped(self) -> dict[str, int]:
        """Samples that were not used, by cause, since the stream began."""
        return {"unordered": self._resampler.unordered, "missing": self._resampler.missing}

    def push(self, chunk: Chunk, *, arrival_ns: int | None = None) -> list[Activity]:
        """Decisions that the chunk's samples complete. `arrival_ns`: when they came, by `clock`; default is now.

        Raises ContractError, with a two-line diff, when the stream is not what the model was trained on.
        """
        arrival_ns = self._now_ns() if arrival_ns is None else arrival_ns
        if self._ended:
            self._begin_stream()
        if chunk.spec is not self._spec:
            self._accept(chunk.spec)
        self.last_judged = list(self._walk(chunk, arrival_ns)) if len(chunk) else []
        return [judged.activity for judged in self.last_judged]

    def flush(self) -> list[Activity]:
        """The stream is over: decisions that waited for samples to come. The next `push` begins a new stream."""
        self._ended = True
        self.last_judged = [] if self._row is None else list(self._end_segment())
        return [judged.activity for judged in self.last_judged]

    def reset(self) -> None:
        """Drop everything that was pushed, without a decision."""
        self._begin_stream()

    def _begin_stream(self) -> None:
        self._spec: StreamSpec | None = None
        self._view: View | None = None
        self._simulated = False  # of the segment that runs, or of the one that follows it: the mark is never lost
        self._ended = False
        self.device_clock.reset()
        self._rate.reset()
        self._resampler.reset()
        self._coverage.reset()
        if self._offsets is not None:
            self._offsets.reset()
        self._latest: NDArray[np.int64] | None = None  # facts of the newest uniform sample
        self._row: tuple[int, ...] | None = None  # the same of the newest row, where all were missing
        self._begin_segment(0)

    def _begin_segment(self, index: int) -> None:
        """Everything after the resampler starts from nothing at stream index `index`."""
        self._preprocess.reset()
        self.runtime.reset()
        self._decider.reset()
        self._first = self._index = index  # of the segment; of the next preprocessed sample
        self._facts = np.empty((0, 4), np.int64)  # of samples that the preprocessing holds back

    def _accept(self, spec: StreamSpec) -> None:
        if spec != self._spec:
            contract = self.manifest.contract
            self._view = stream_view(spec, contract.channels, contract.units)
            check_contract(spec if self._view is None else self._view.spec, contract)
            # Another stream has clocks of its own.
            self._resampler.end_segment(keep_time=False)
            self.device_clock.reset()
            self._rate.reset()
        self._spec = spec
        self._simulated = self._simulated or spec.simulated

    def _walk(self, chunk: Chunk, arrival_ns: int) -> Iterator[Judged]:
        t_ns = self.device_clock.push(chunk.t_dev_ns, chunk.t_host_ns, chunk.flags)
        self._rate.push(chunk.t_dev_ns, chunk.seq)
        self._row = t_ns[-1], chunk.t_dev_ns[-1], arrival_ns, 0
        x = chunk.x if self._view is None else self._view.apply(chunk.x)
        for piece in self._resampler.push(chunk.t_dev_ns, x, chunk.flags):
            facts = _facts_of(piece, chunk.t_dev_ns, t_ns, arrival_ns)
            if piece.begins:
                if self._latest is not None or self._offsets is not None:
                    yield from self._end_segment(facts[0], int(piece.row[0]), piece.index)
                self._begin_segment(piece.index)
                self._simulated = chunk.spec.simulated
            self._latest = facts[-1]
            self._facts = np.concatenate([self._facts, facts]) if len(self._facts) else facts
            y = self._preprocess.push(piece.x)
            yield from self._judge(y, piece.row[len(piece.row) - len(y) :])

    def _end_segment(
        self, after: NDArray[np.int64] | None = None, row: int | None = None, resumes: int | None = None
    ) -> Iterator[Judged]:
        """Emit what the preprocessing held back, then NO_DATA: for the gap, or for every window that it cut short.

        `after`: facts of the first sample behind the gap, which is the chunk's row `row` and has stream index
        `resumes`; all None at the stream's end.
        """
        if self._latest is not None:
            tail = self._preprocess.flush()
            yield from self._judge(tail, [row] * len(tail))
        if after is None:
            after = np.array(self._row) if self._latest is None else self._latest
        before = after if self._latest is None else self._latest
        if self._offsets is not None:
            for cut in self._offsets.end_segment(resumes):
                yield self._report(NOTHING, self._coverage.at(cut.start), before, after, None)
        elif resumes is not None:
            yield self._report(NOTHING, 0.0, before, after, None)

    def _judge(self, y: FloatArray, rows: IntArray | Sequence[int | None]) -> Iterator[Judged]:
        """Windows that the preprocessed samples y [n, c] complete; rows [n]: the chunk's rows that made them ready."""
        n = len(y)
        if n == 0:
            return
        facts, self._facts = self._facts[:n], self._facts[n:]
        self._coverage.push(self._index, facts[:, REAL] != 0)
        index, self._index = self._index, self._index + n
        for start, logits in self._windows(index, y):
            coverage = self._coverage.at(start)
            last = start + self.manifest.window - 1 - index
            fact = facts[last]
            if logits is None:
                yield self._report(NOTHING, coverage, fact, fact, None)
                continue
            verdict = self._decider.push(logits, coverage, in_contract=self._in_contract(rows[last]))
            yield self._report(verdict, coverage, None, fact, logits)

    def _windows(self, index: int, y: FloatArray) -> Iterator[tuple[int, FloatArray | None]]:
        """(stream index of the window's first sample, logits); no logits where the window began before the segment."""
        if self._offsets is None:
            ends, logits = self.runtime.push(y)
            starts = ends + (self._first - self.manifest.window)
            yield from zip(starts.tolist(), logits, strict=True)
            return
        for cut in self._offsets.push(index, y):
            yield cut.start, None if cut.x is None else self.runtime.window(cut.x)

    def _in_contract(self, row: int | np.int64 | None) -> bool:
        contract = self.manifest.contract
        rate_hz = self._rate.rate_hz(None if row is None else int(row))
        return rate_hz is None or abs(rate_hz - contract.rate_hz) <= contract.rate_tolerance * contract.rate_hz

    def _report(
        self,
        verdict: Verdict,
        coverage: float,
        first: NDArray[np.int64] | None,
        last: NDArray[np.int64],
        logits: FloatArray | None,
    ) -> Judged:
        """`first`: facts of the span's first sample; None: one window before `last`."""
        t_ns = int(last[T_NS])
        activity = Activity(
            t_ns=t_ns,
            label=verdict.label,
            p=verdict.p,
            status=verdict.status,
            coverage=coverage,
            latency_ns=self._now_ns() - int(last[ARRIVAL_NS]),
            model_id=self.manifest.model_id,
            simulated=self._simulated,
        )
        scores = Scores(t_ns, self._no_logits if logits is None else logits)
        if self._on_scores is not None and logits is not None:
            self._on_scores(scores)
        t1_dev_ns = int(last[T_DEV_NS])
        t0_dev_ns = t1_dev_ns - self._span_ns if first is None else int(first[T_DEV_NS])
        return Judged(activity, t0_dev_ns, t1_dev_ns, scores)


def _facts_of(piece: Piece, t_dev_ns: IntArray, t_ns: IntArray, arrival_ns: int) -> NDArray[np.int64]:
    """What is known about every grid point of a piece [m, 4], see the columns above."""
    facts = np.empty((len(piece.row), 4), np.int64)
    facts[:, T_DEV_NS] = piece.t_dev_ns
    # A point lies at most a short gap before the sample that made it ready: drift over that is below a nanosecond.
    facts[:, T_NS] = t_ns[piece.row] - (t_dev_ns[piece.row] - piece.t_dev_ns)
    facts[:, ARRIVAL_NS] = arrival_ns
    facts[:, REAL] = piece.real
    return facts


def _check_graph(bundle: Bundle, preprocess: Preprocess) -> None:
    manifest = bundle.manifest
    for field, stated, found in (
        ("model.inputs", manifest.model["inputs"], len(preprocess.channels_out)),
        ("contract.delay_samples", manifest.contract.delay_samples, preprocess.delay),
    ):
        if stated != found:
            raise InputError(
                f"manifest.json: {field} is {stated}, but its preprocessing gives {found}",
                reason=Reason.VALUE,
                hint="write the bundle again: edgehar train",
            )

"""The spine: rooms 2 to 5, from a chunk of raw samples to decisions. Pure and synchronous.

Live, replay, evaluation and benchmarks call the same `push`, so the accuracy that is reported is the accuracy of the
runtime that ships.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from edgehar.bundle import Bundle, Contract, Manifest, check_contract
from edgehar.clock import Clock
from edgehar.decide import NOTHING, Decider, Verdict, choose_head
from edgehar.dsp.graph import Preprocess
from edgehar.dsp.rate import RateMeter
from edgehar.dsp.resample import ARRIVED_NS, AT_DEV_NS, AT_NS, FROM_ROW, REAL, Resampler
from edgehar.dsp.rows import Rows
from edgehar.dsp.sensors import REAL_OF, SensorCoverage, SensorMarks
from edgehar.dsp.view import View, stream_view
from edgehar.dsp.windows import Coverage, Cut, OffsetWindows
from edgehar.errors import InputError, Reason
from edgehar.runtimes import Runtime, make_runtime
from edgehar.types import NO_AUX, Activity, Chunk, FloatArray, IntArray, Scores, StreamSpec

NO_FACTS = np.empty((0, 5), np.int64)
NO_SENSORS: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """One decision with what lies behind it: device times of the window's first and last sample, and the scores.

    For a gap the span reaches from the last sample before to the first one after it, and the logits are NaN. Of a
    bundle with several sensors the scores are those of the head that spoke: `sensors` are whom it listens to.
    """

    activity: Activity
    t0_dev_ns: int
    t1_dev_ns: int
    scores: Scores

    @property
    def sensors(self) -> tuple[str, ...]:
        """Which sensors the decision rests on; empty where there is one, or none had enough to say."""
        return self.activity.sensors


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
        self._marks = sensor_marks(manifest)
        width = len(manifest.contract.channels) if self._marks is None else self._marks.width
        self._rows = Rows(width)
        self.device_clock = Clock(self._rows)
        self.last_judged: list[Judged] = []
        self._now_ns = clock or time.monotonic_ns
        self._on_scores = on_scores
        self._preprocess = Preprocess(manifest.preprocess, manifest.contract.channels)
        _check_graph(bundle, self._preprocess)
        self._rate = RateMeter()
        self._resampler = Resampler(manifest.contract.rate_hz, width, rows=self._rows)
        several = len(manifest.contract.sensors)
        self._coverage = SensorCoverage(manifest.window, several) if several else Coverage(manifest.window)
        self._offsets = None if starts is None else OffsetWindows(manifest.window, [int(s) for s in starts])
        self._span_ns = int(self._resampler.grid.offset_ns(manifest.window - 1))
        self._decider = Decider(manifest.labels, manifest.decision)
        self._no_logits = np.full(len(manifest.labels), np.nan, np.float32)
        self._ended = True  # as is a stream that never began
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
        judged: list[Judged] = []
        if len(chunk.t_dev_ns):
            self._walk(chunk, arrival_ns, judged)
        self.last_judged = judged
        return [one.activity for one in judged] if judged else []

    def push_many(self, chunks: Iterable[Chunk], *, arrival_ns: int | None = None) -> list[Activity]:
        """What pushing one after the other decides, for a burst: chunks of one stream are carried through together."""
        judged: list[Judged] = []
        for _, group in groupby(chunks, key=lambda chunk: chunk.spec):
            self.push(join_chunks(list(group)), arrival_ns=arrival_ns)
            judged += self.last_judged
        self.last_judged = judged
        return [one.activity for one in judged]

    def flush(self) -> list[Activity]:
        """The stream is over: decisions that waited for samples to come. The next `push` begins a new stream."""
        judged: list[Judged] = []
        if not self._ended:
            self._end_segment(judged)
        self._ended = True
        self.last_judged = judged
        return [one.activity for one in judged]

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
        if self._marks is not None:
            self._marks.reset()
        if self._offsets is not None:
            self._offsets.reset()
        self._latest: IntArray | None = None  # facts of the newest uniform samples, one at least
        self._row: IntArray | None = None  # the same of the newest row, while all were missing
        self._begin_segment(0)

    def _begin_segment(self, index: int) -> None:
        """Everything after the resampler starts from nothing at stream index `index`."""
        self._preprocess.reset()
        self.runtime.reset()
        self._decider.reset()
        self._first = self._index = index  # of the segment; of the next preprocessed sample
        self._facts = NO_FACTS  # of samples that the preprocessing holds back

    def _accept(self, spec: StreamSpec) -> None:
        if spec != self._spec:
            self._view = accept(spec, self.manifest.contract)
            # Another stream has clocks of its own.
            self._resampler.end_segment(keep_time=False)
            self.device_clock.reset()
            self._rate.reset()
        self._spec = spec
        self._simulated = self._simulated or spec.simulated

    def _walk(self, chunk: Chunk, arrival_ns: int, judged: list[Judged]) -> None:
        x = chunk.x if self._view is None else self._view.apply(chunk.x)
        if self._marks is not None:
            x = self._marks.mark(x, chunk)
        self._rows.take(chunk.t_dev_ns, chunk.t_host_ns, x, chunk.flags)
        self._rate.push(chunk.t_dev_ns, chunk.seq)
        self.device_clock.advance()
        pieces = self._resampler.advance(arrival_ns)
        if self._latest is None:
            last = self._rows.n - 1
            self._row = np.array([self._rows.t_ns[last], self._rows.t_dev_ns[last], arrival_ns, 0, last])
        for piece in pieces:
            if piece.begins:
                if self._latest is not None or self._offsets is not None:
                    self._end_segment(judged, piece.facts[0], piece.index)
                self._begin_segment(piece.index)
                self._simulated = chunk.spec.simulated
            self._latest = piece.facts
            y = piece.x if self._marks is None else self._marks.unmark(piece.x, piece.facts)
            y = self._preprocess.push(y)
            self._judge(y, piece.facts, piece.facts, judged)

    def _end_segment(self, judged: list[Judged], after: IntArray | None = None, resumes: int | None = None) -> None:
        """Emit what the preprocessing held back, then NO_DATA: for the gap, or for every window that it cut short.

        `after`: facts of the first sample behind the gap, which has stream index `resumes`; None at the stream's end.
        """
        if self._latest is not None:
            self._judge(self._preprocess.flush(), NO_FACTS, None if after is None else after[None], judged)
        before = self._latest[-1] if self._latest is not None else after if after is not None else self._row
        if before is None:  # nothing was ever pushed
            return
        after = before if after is None else after
        if self._offsets is not None:
            cuts = self._offsets.end_segment(resumes)
            judged += [self._report(NOTHING, self._coverage.at(cut.start), before, after, None) for cut in cuts]
        elif resumes is not None:
            judged.append(self._report(NOTHING, 0.0, before, after, None))

    def _judge(self, y: FloatArray, facts: IntArray, ready: IntArray | None, judged: list[Judged]) -> None:
        """Windows that the preprocessed samples y [n, c] complete.

        facts: of the samples that were preprocessed, which come out late by its delay. ready: those of the samples
        that made y ready, or of the one that did; None where the stream's end did.
        """
        if len(self._facts):
            facts = np.concatenate([self._facts, facts])
        n = len(y)
        self._facts = facts[n:] if n < len(facts) else NO_FACTS
        if n == 0:
            return
        if self._marks is not None:
            y = self._marks.blank(y, facts[:n])
        index, self._index = self._index, self._index + n
        self._coverage.push(index, (facts.item(0, REAL),) if n == 1 else facts[:n, REAL].tolist())
        for start, of_heads in self._windows(index, y):
            coverage = self._coverage.at(start)
            last = start + self.manifest.window - 1 - index
            if of_heads is None:
                judged.append(self._report(NOTHING, coverage, facts[last], facts[last], None))
                continue
            row = None if ready is None else int(ready[max(last - n, -len(ready)), FROM_ROW])
            logits, sensors = of_heads, NO_SENSORS
            if isinstance(self._coverage, SensorCoverage):
                logits, coverage, sensors = self._hear(of_heads, self._coverage.each(start))
            verdict = self._decider.push(logits, coverage, in_contract=self._in_contract(row))
            judged.append(self._report(verdict, coverage, None, facts[last], logits, sensors))

    def _hear(self, logits: FloatArray, coverage: tuple[float, ...]) -> tuple[FloatArray, float, tuple[str, ...]]:
        """The logits [k] of the head that listens to the sensors that are there, their coverage and their names."""
        contract, k = self.manifest.contract, len(self.manifest.labels)
        head = choose_head(contract.heads, coverage, self.manifest.decision.min_coverage)
        if head is None:
            return logits[:k], max(coverage), ()
        numbers = contract.heads[head]
        names = tuple(contract.sensors[number].name for number in numbers)
        return logits[head * k : (head + 1) * k], min(coverage[number] for number in numbers), names

    def _windows(self, index: int, y: FloatArray) -> Iterable[tuple[int, FloatArray | None]]:
        """(stream index of the window's first sample, logits); no logits where the window began before the segment."""
        if self._offsets is not None:
            return self._cut_windows(self._offsets.push(index, y))
        ends, logits = self.runtime.push(y)
        if not len(ends):
            return ()
        starts = ends + (self._first - self.manifest.window)
        return zip(starts.tolist(), logits, strict=True)

    def _cut_windows(self, cuts: list[Cut]) -> Iterator[tuple[int, FloatArray | None]]:
        for cut in cuts:
            yield cut.start, None if cut.x is None else self.runtime.window(cut.x)

    def _in_contract(self, row: int | None) -> bool:
        contract = self.manifest.contract
        rate_hz = self._rate.rate_hz(row)
        return rate_hz is None or abs(rate_hz - contract.rate_hz) <= contract.rate_tolerance * contract.rate_hz

    def _report(
        self,
        verdict: Verdict,
        coverage: float,
        first: IntArray | None,
        last: IntArray,
        logits: FloatArray | None,
        sensors: tuple[str, ...] = NO_SENSORS,
    ) -> Judged:
        """`first`: facts of the span's first sample; None: one window before `last`."""
        t_ns = int(last[AT_NS])
        activity = Activity(
            t_ns=t_ns,
            label=verdict.label,
            p=verdict.p,
            status=verdict.status,
            coverage=coverage,
            latency_ns=self._now_ns() - int(last[ARRIVED_NS]),
            model_id=self.manifest.model_id,
            simulated=self._simulated,
            sensors=sensors,
        )
        scores = Scores(t_ns, self._no_logits if logits is None else logits)
        if self._on_scores is not None and logits is not None:
            self._on_scores(scores)
        t1_dev_ns = int(last[AT_DEV_NS])
        t0_dev_ns = t1_dev_ns - self._span_ns if first is None else int(first[AT_DEV_NS])
        return Judged(activity, t0_dev_ns, t1_dev_ns, scores)


def join_chunks(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks of one stream as one; of the per-sample extras only what tells the sensors apart is kept."""
    if len(chunks) == 1:
        return chunks[0]
    told = [chunk.aux[REAL_OF] for chunk in chunks if REAL_OF in chunk.aux]
    return Chunk(
        chunks[0].spec,
        np.concatenate([chunk.t_dev_ns for chunk in chunks]),
        np.concatenate([chunk.t_host_ns for chunk in chunks]),
        np.concatenate([chunk.seq for chunk in chunks]),
        np.concatenate([chunk.x for chunk in chunks]),
        np.concatenate([chunk.flags for chunk in chunks]),
        {REAL_OF: np.concatenate(told)} if len(told) == len(chunks) else NO_AUX,
    )


def accept(spec: StreamSpec, contract: Contract) -> View | None:
    """How a stream is seen through a contract, None: as it is. Raises ContractError, with a two-line diff."""
    view = stream_view(spec, contract.channels, contract.units)
    check_contract(spec if view is None else view.spec, contract)
    return view


def sensor_marks(manifest: Manifest) -> SensorMarks | None:
    """What tells the sensors of a bundle apart on their way through the pipeline; None where there is one sensor."""
    sensors = manifest.contract.sensors
    if not sensors:
        return None
    of = manifest.model["sensor"]
    inputs = [[i for i, number in enumerate(of) if number == wanted] for wanted in range(len(sensors))]
    return SensorMarks([sensor.channels for sensor in sensors], inputs)


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

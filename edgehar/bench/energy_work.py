"""What the device does while its energy is measured: idle, receive samples, preprocess, decide. One step at a time."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from edgehar.bundle import Bundle, check_contract
from edgehar.errors import InputError, Reason
from edgehar.manifest import Manifest
from edgehar.pipeline import Pipeline
from edgehar.runtimes import make_runtime
from edgehar.sources.base import Source
from edgehar.sources.blocking import BlockingSource
from edgehar.types import Chunk, FloatArray, IntArray

Step = Callable[[], float]
"""Does a little work; returns how many decisions it made, or came due by it."""

LAP_HOPS = 32


class NoModel:
    """A runtime whose windows end when they should, with logits of 0: what costs energy then is all but the model."""

    def __init__(self, manifest: Manifest) -> None:
        self._window, self._hop, self._classes = manifest.window, manifest.hop, manifest.outputs
        self._seen = 0

    def window(self, x: FloatArray) -> FloatArray:
        """Zeros [classes]."""
        del x
        return np.zeros(self._classes, np.float32)

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        """The ends of the windows that x [n, inputs] completes, and zeros."""
        before, self._seen = self._seen, self._seen + len(x)
        first = self._window + -(-max(before + 1 - self._window, 0) // self._hop) * self._hop
        ends = np.arange(first, self._seen + 1, self._hop, dtype=np.int64)
        return ends, np.zeros((len(ends), self._classes), np.float32)

    def reset(self) -> None:
        """The next sample is the first."""
        self._seen = 0

    def spike_rates(self) -> dict[str, float]:
        """Nothing spikes."""
        return {}


def lap_of(source: Source, bundle: Bundle) -> list[Chunk]:
    """Chunks as the source gives them, for a window and LAP_HOPS hops, or up to its end.

    Raises ContractError for another stream than the bundle's, InputError where not even a window comes.
    """
    manifest = bundle.manifest
    wanted = manifest.window + LAP_HOPS * manifest.hop
    chunks: list[Chunk] = []
    with BlockingSource(source) as blocking:
        check_contract(blocking.spec, manifest.contract)
        while sum(map(len, chunks)) < wanted:
            chunk = blocking.next_chunk()
            if chunk is None:
                break
            if len(chunk):
                chunks.append(chunk)
    samples = sum(map(len, chunks))
    if samples < manifest.window + manifest.hop:
        raise InputError(
            f"the source gave {samples} samples, a window and a hop are {manifest.window + manifest.hop}",
            reason=Reason.TRUNCATED,
            hint="give a longer recording, or another --source",
        )
    return chunks


def lap_after_lap(chunks: Sequence[Chunk]) -> Iterator[Chunk]:
    """The same samples without end: clocks and numbers go on as if the person began anew."""
    samples = sum(map(len, chunks))
    took_ns = int(chunks[-1].t_dev_ns[-1] - chunks[0].t_dev_ns[0])
    shift_ns = took_ns + took_ns // max(samples - 1, 1)
    shift_seq = int(chunks[-1].seq[-1] - chunks[0].seq[0]) + 1
    for lap in itertools.count():
        for chunk in chunks:
            t_ns, seq = lap * shift_ns, lap * shift_seq
            yield replace(chunk, t_dev_ns=chunk.t_dev_ns + t_ns, t_host_ns=chunk.t_host_ns + t_ns, seq=chunk.seq + seq)


def deciding(bundle: Bundle, chunks: Sequence[Chunk], runtime: str) -> Step:
    """Push chunk after chunk through the whole pipeline, as fast as it goes."""
    return _pushing(Pipeline(bundle, make_runtime(runtime, bundle)), chunks)


def preprocessing(bundle: Bundle, chunks: Sequence[Chunk]) -> Step:
    """The same without the model."""
    return _pushing(Pipeline(bundle, NoModel(bundle.manifest)), chunks)


@contextlib.contextmanager
def receiving(source: Source, manifest: Manifest) -> Iterator[Step]:
    """Take what the source sends, at its own pace; decisions come due by the hop. It is open within the block only."""
    blocking = BlockingSource(source)

    def step() -> float:
        chunk = blocking.next_chunk()
        if chunk is None:
            raise InputError(
                "the source ended while its energy was measured",
                reason=Reason.TRUNCATED,
                hint="give one that lasts: a sensor, or a recording longer than all windows together",
            )
        return len(chunk) / manifest.hop

    with blocking:
        yield step


def idling(sleep: Callable[[float], None]) -> Step:
    """Sleep a little: the device is on, this process asks nothing of it."""

    def step() -> float:
        sleep(0.05)
        return 0.0

    return step


def _pushing(pipeline: Pipeline, chunks: Sequence[Chunk]) -> Step:
    stream = lap_after_lap(chunks)

    def step() -> float:
        return float(len(pipeline.push(next(stream))))

    return step

"""The live loop through all six rooms: source, recording, pipeline, sinks."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgehar.errors import Reason, UsageError
from edgehar.pipeline import Pipeline
from edgehar.sinks.base import Sink
from edgehar.sources.base import Source
from edgehar.tally import DecisionTally, StreamTally
from edgehar.types import Activity, Chunk, StreamSpec

if TYPE_CHECKING:
    from edgehar.tee import Tee

EXIT_INTERRUPTED = 130
SILENT_S = 10.0  # a stream that says nothing for so long does not keep a run of given duration from ending


def check_duration(duration_s: float | None) -> None:
    """Raises UsageError for what is no length of time: 0, less, or no number. None is without end."""
    if duration_s is not None and not duration_s > 0:
        raise UsageError(
            f"--duration {duration_s:g}", reason=Reason.VALUE, hint="give seconds above 0, or leave it out"
        )


class Stop:
    """A request to end the run in good order. `interrupted` tells Ctrl-C from a service manager's SIGTERM."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.interrupted = False

    def request(self, number: int) -> None:
        """End after the chunk at hand."""
        self.interrupted |= number == signal.SIGINT
        self.event.set()


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """A Stop that SIGINT and SIGTERM set, for as long as the block runs; needs a running event loop."""
    stop = Stop()
    loop = asyncio.get_running_loop()
    numbers: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in numbers:
            loop.add_signal_handler(number, stop.request, number)
    except (NotImplementedError, RuntimeError):
        numbers = ()  # not the main thread, or no such signals: KeyboardInterrupt ends the run
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def chunks_until(source: Source, stop: Stop, duration_s: float | None = None) -> AsyncGenerator[Chunk]:
    """What `source` yields until it ends, `stop` is requested, or `duration_s` of device time have gone by.

    A device that went away and stays away has no time: then `duration_s` of the host's end the stream, once it has been
    silent for SILENT_S.
    """
    chunks = aiter(source)
    stopping = asyncio.ensure_future(stop.event.wait())
    went = StreamTally()
    began_s = time.monotonic()
    try:
        while not stop.event.is_set():
            coming = asyncio.ensure_future(anext(chunks, None))
            left_s = None if duration_s is None else max(duration_s - (time.monotonic() - began_s), SILENT_S)
            await asyncio.wait({coming, stopping}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await coming
                return
            chunk = coming.result()
            if chunk is None:
                return
            if len(chunk) == 0:
                continue
            if duration_s is not None:
                began_ns = went.elapsed_ns
                went.add(chunk)
                if went.elapsed_ns >= duration_s * 1e9:
                    chunk = _until(chunk, went, began_ns, duration_s)
                    if len(chunk):
                        yield chunk
                    return
            yield chunk
    finally:
        stopping.cancel()


def _until(chunk: Chunk, went: StreamTally, began_ns: int, duration_s: float) -> Chunk:
    """The chunk's samples before `duration_s` of stream; `went` has counted them all, from `began_ns` on."""
    # Within a chunk the clock runs on, but for the step that led to it: count back from its end.
    elapsed_ns = went.elapsed_ns - (chunk.t_dev_ns[-1] - chunk.t_dev_ns)
    keep = slice(0, int((np.maximum(elapsed_ns, began_ns) < duration_s * 1e9).sum()))
    aux = {name: values[keep] for name, values in chunk.aux.items()}
    return replace(
        chunk, t_dev_ns=chunk.t_dev_ns[keep], t_host_ns=chunk.t_host_ns[keep], seq=chunk.seq[keep], x=chunk.x[keep],
        flags=chunk.flags[keep], aux=aux,
    )  # fmt: skip


def warm_up(pipeline: Pipeline) -> None:
    """Push one window of zeros and forget it: kernels are compiled before the first sample, not on its latency."""
    contract, window = pipeline.manifest.contract, pipeline.manifest.window
    spec = StreamSpec(contract.kind, contract.channels, contract.rate_hz, contract.units, contract.axes)
    n = window + contract.delay_samples + 1
    t_ns = np.rint(np.arange(n) * (1e9 / contract.rate_hz)).astype(np.int64)
    x = np.zeros((n, len(contract.channels)), np.float32)
    pipeline.push(Chunk(spec, t_ns, t_ns, np.arange(n), x, np.zeros(n, np.uint16)))
    pipeline.reset()


async def run_live(
    source: Source,
    pipeline: Pipeline,
    sinks: Sequence[Sink],
    *,
    stop: Stop,
    tee: Tee | None = None,
    duration_s: float | None = None,
    stream: StreamTally,
    decisions: DecisionTally,
    correct: Callable[[Chunk], Chunk] | None = None,
) -> None:
    """Carry every chunk through the rooms; at the end, the decisions that the pipeline still owes.

    correct: a calibration, between what is recorded and what is decided on.

    All of `source` and `sinks` are open. What goes wrong leaves what was recorded and put out so far whole.
    """

    async def put_out(activities: Sequence[Activity]) -> None:
        for activity in activities:
            decisions.add(activity)
            for sink in sinks:
                await sink.emit(activity)

    try:
        async with contextlib.aclosing(chunks_until(source, stop, duration_s)) as chunks:
            async for chunk in chunks:
                if tee is not None:
                    tee.write(chunk)
                stream.add(chunk)
                await put_out(pipeline.push(chunk if correct is None else correct(chunk)))
        await put_out(pipeline.flush())
    finally:
        if tee is not None:
            tee.finish()

"""Chunks of several sources in the order of their arrival: as recorded, or as they come."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Iterator, Mapping

import numpy as np

from edgehar.align.aligner import SLACK_NS
from edgehar.errors import InputError, Reason
from edgehar.sources.base import Source
from edgehar.sources.pace import Pace
from edgehar.types import Chunk

SLOT_NS = SLACK_NS // 2
PATIENCE_S = 5.0  # how long the first chunk of a live source is waited for; the others are held until then
FAR_NS = 60_000_000_000  # host clocks that differ by more, beyond what was waited, are not one clock
MOST_WAITING = 256  # chunks that a slow consumer may leave

Arrival = tuple[str, Chunk]


async def merged(sources: Mapping[str, Source], speed: float) -> AsyncGenerator[Arrival]:
    """Recordings and simulations, slot by slot of their times of arrival; within one, in the order of `sources`.

    The sources give as fast as they can; the pace is kept here, `speed` stream seconds a second, 0 as fast as it goes.
    """
    pace = Pace(speed)
    coming = {name: _parts(source) for name, source in sources.items()}
    try:
        heads = {name: head for name, parts in coming.items() if (head := await anext(parts, None)) is not None}
        check_clocks(heads, 0)
        while heads:
            name = min(heads, key=lambda each: int(heads[each].t_host_ns[-1]) // SLOT_NS)
            head = heads.pop(name)
            await pace.until(int(head.t_host_ns[-1]))
            yield name, head
            following = await anext(coming[name], None)
            if following is not None:
                heads = {each: following if each == name else heads[each] for each in sources if each in {*heads, name}}
    finally:
        for parts in coming.values():
            await parts.aclose()


async def live(sources: Mapping[str, Source], opened_s: float | None = None) -> AsyncGenerator[Arrival]:
    """Chunks as they come; the first of each source are waited for, because one may have been held back.

    opened_s: monotonic time at which the first source began to be opened: the last one's first chunk is later by it.
    """
    queue: asyncio.Queue[Arrival] = asyncio.Queue(MOST_WAITING)
    began_s = time.monotonic()
    readers = {name: asyncio.create_task(_read(name, source, queue)) for name, source in sources.items()}
    every = list(readers.values())
    try:
        first: list[Arrival] = []
        while len({name for name, _ in first}) < len(sources):
            left_s = began_s + PATIENCE_S - time.monotonic()
            came = await _next(queue, readers, max(left_s, 0.0))
            if came is None:
                break
            first.append(came)
        waited_s = time.monotonic() - (began_s if opened_s is None else opened_s)
        check_clocks(dict(reversed(first)), round(waited_s * 1e9))
        for name, chunk in sorted(first, key=lambda held: int(held[1].t_host_ns[-1])):
            yield name, chunk
        while (came := await _next(queue, readers, None)) is not None:
            yield came
    finally:
        for reader in every:
            reader.cancel()
        await asyncio.gather(*every, return_exceptions=True)


def check_clocks(heads: Mapping[str, Chunk], waited_ns: int) -> None:
    """Raise InputError where the streams, by their first chunks, were not received by one host in one session."""
    began = sorted((int(chunk.t_host_ns[0]), name) for name, chunk in heads.items())
    if len(began) > 1 and began[-1][0] - began[0][0] > FAR_NS + waited_ns:
        (early_ns, early), (late_ns, late) = began[0], began[-1]
        raise InputError(
            f"'{late}' begins {(late_ns - early_ns) / 1e9:.0f} s after '{early}' on the host's clock: "
            "they were not received together",
            reason=Reason.VALUE,
            hint="record both at once: edgehar record --source NAME=URI --source NAME=URI --out FILE.mcap",
        )


def by_arrival(chunk: Chunk, slot_ns: int = SLOT_NS) -> Iterator[Chunk]:
    """`chunk` cut where a sample arrived in another slot than the one before."""
    slots = chunk.t_host_ns // slot_ns
    edges = [0, *(np.flatnonzero(np.diff(slots)) + 1).tolist(), len(chunk)]
    for a, b in itertools.pairwise(edges):
        s = slice(a, b)
        aux = {name: values[s] for name, values in chunk.aux.items()}
        yield Chunk(chunk.spec, chunk.t_dev_ns[s], chunk.t_host_ns[s], chunk.seq[s], chunk.x[s], chunk.flags[s], aux)


async def _parts(source: Source) -> AsyncGenerator[Chunk]:
    """A recording's chunks are up to a second long."""
    async for chunk in source:
        if len(chunk):
            for part in by_arrival(chunk):
                yield part


async def _read(name: str, source: Source, queue: asyncio.Queue[Arrival]) -> None:
    async for chunk in source:
        if len(chunk):
            await queue.put((name, chunk))


async def _next(
    queue: asyncio.Queue[Arrival], readers: dict[str, asyncio.Task[None]], timeout_s: float | None
) -> Arrival | None:
    """The next chunk; None when all sources have ended, or nothing came in time. Raises what ended a source."""
    while queue.empty():
        for name in [name for name, reader in readers.items() if reader.done()]:
            readers.pop(name).result()
        if not readers:
            return None
        getting = asyncio.create_task(queue.get())
        try:
            done, _ = await asyncio.wait(
                {getting, *readers.values()}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if getting in done:
                return getting.result()
            if not done:
                return None
        finally:
            getting.cancel()
    return queue.get_nowait()

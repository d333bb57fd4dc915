"""`check_source`: what every source must do. Call it in the tests of a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import numpy as np

from edgehar.sources.base import Source
from edgehar.testing.fault import demand
from edgehar.types import Chunk, Flag, StreamSpec

METHODS = ("spec", "__aenter__", "__aexit__", "__aiter__", "label_at")


def check_source(make: Callable[[], Source], *, at_least: int = 1) -> list[Chunk]:
    """Open what `make` returns, read it to its end, check every chunk; return the chunks.

    `make` gives a fresh source that ends by itself within a test's patience and yields `at_least` samples.
    Raises ProtocolFaultError at the first broken clause.
    """
    return asyncio.run(_check(make, at_least))


async def _check(make: Callable[[], Source], at_least: int) -> list[Chunk]:
    source = make()
    lacking = [name for name in METHODS if not hasattr(type(source), name)]
    _demand(not lacking, f"{type(source).__name__} has all methods, but {', '.join(lacking)}")
    chunks: list[Chunk] = []
    async with source as entered:
        _demand(entered is source, "__aenter__ returns the source itself")
        spec = source.spec
        _demand(isinstance(spec, StreamSpec), "spec is a StreamSpec once the source is open")
        async for chunk in source:
            _check_chunk(chunk, spec)
            if chunks:
                _check_seam(chunks[-1], chunk)
            if len(chunk):
                chunks.append(chunk)
                _demand(isinstance(source.label_at(int(chunk.t_dev_ns[0])), str), "label_at returns text")
    samples = sum(map(len, chunks))
    _demand(samples >= at_least, f"at least {at_least} samples come before the end, {samples} came")
    await source.__aexit__(None, None, None)  # closing twice is harmless
    await _check_leaving_early(make())
    return chunks


async def _check_leaving_early(source: Source) -> None:
    """A consumer may stop after the first chunk."""
    async with source:
        async for _ in source:
            break


def check_chunks(chunks: Iterable[Chunk], spec: StreamSpec) -> None:
    """What holds for every Chunk of a stream, and between neighbours. Raises ProtocolFaultError."""
    before: Chunk | None = None
    for chunk in chunks:
        _check_chunk(chunk, spec)
        if before is not None:
            _check_seam(before, chunk)
        before = chunk if len(chunk) else before


def _check_chunk(chunk: Chunk, spec: StreamSpec) -> None:
    _demand(chunk.spec == spec, "every chunk carries the source's spec, the simulated mark included")
    for name, array, dtype in (
        ("t_dev_ns", chunk.t_dev_ns, np.int64),
        ("t_host_ns", chunk.t_host_ns, np.int64),
        ("seq", chunk.seq, np.int64),
        ("x", chunk.x, np.float32),
        ("flags", chunk.flags, np.uint16),
    ):
        _demand(array.dtype == dtype, f"{name} is {np.dtype(dtype)}, not {array.dtype}")
    _demand(not np.isinf(chunk.x).any(), "x holds numbers, or NaN where nothing was measured")
    _check_order(chunk.t_dev_ns, chunk.t_host_ns, chunk.seq, chunk.flags[1:])


def _check_seam(before: Chunk, after: Chunk) -> None:
    if len(after):
        joined = (np.append(old[-1], new[0]) for old, new in (
            (before.t_dev_ns, after.t_dev_ns), (before.t_host_ns, after.t_host_ns), (before.seq, after.seq)
        ))  # fmt: skip
        t_dev_ns, t_host_ns, seq = joined
        _check_order(t_dev_ns, t_host_ns, seq, after.flags[:1])


def _check_order(t_dev_ns: np.ndarray, t_host_ns: np.ndarray, seq: np.ndarray, flags: np.ndarray) -> None:
    """Orders between neighbours; flags [n - 1] are those of the later ones."""
    restarted = (flags & Flag.CLOCK_RESET) != 0
    steps = np.diff(seq)
    _demand(bool(((np.diff(t_dev_ns) > 0) | restarted).all()), "t_dev_ns rises but for CLOCK_RESET")
    _demand(bool((np.diff(t_host_ns) >= 0).all()), "t_host_ns never falls: samples come in order of arrival")
    _demand(bool(((steps > 0) | restarted).all()), "seq rises but for CLOCK_RESET")
    flagged = (flags & Flag.GAP_BEFORE) != 0
    _demand(bool(((steps == 1) | flagged | restarted).all()), "a jump of seq is flagged GAP_BEFORE")


def _demand(holds: bool, clause: str) -> None:
    demand(holds, clause, "edgehar/sources/base.py")

"""A source read without an event loop: chunks to the end, silence as an error, closed once and for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import pytest

from edgehar.errors import MissingError, UsageError
from edgehar.sources import SourceUri, open_source
from edgehar.sources.blocking import BlockingSource
from edgehar.types import Chunk, StreamSpec

SPEC = StreamSpec("imu", ("acc_x",), 50.0, ("g",))


class Silent:
    """A sensor that is there and sends nothing."""

    spec = SPEC

    def __init__(self) -> None:
        self.closed = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed += 1

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        await asyncio.sleep(60)
        yield  # type: ignore[misc]

    def label_at(self, t_dev_ns: int) -> str:
        return ""


def test_the_same_chunks_as_with_a_loop() -> None:
    address = "virtual:imu?seed=4&duration_s=3&speed=0"

    async def awaited() -> list[Chunk]:
        async with open_source(address) as source:
            return [chunk async for chunk in source]

    expected = asyncio.run(awaited())
    with BlockingSource(open_source(SourceUri.parse(address))) as blocking:
        assert blocking.spec == expected[0].spec
        found = [blocking.next_chunk() for _ in expected]
        assert blocking.next_chunk() is None
    for ours, theirs in zip(found, expected, strict=True):
        assert ours is not None
        assert ours.seq.tolist() == theirs.seq.tolist()
        assert ours.x.tolist() == theirs.x.tolist()


def test_silence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgehar.sources.blocking.PATIENCE_S", 0.05)
    source = Silent()
    blocking = BlockingSource(source)
    with blocking, pytest.raises(MissingError, match=r"no sample has come for 0\.05 s"):
        blocking.next_chunk()
    assert source.closed == 1
    blocking.__exit__(None, None, None)
    assert source.closed == 1
    assert blocking.next_chunk() is None


def test_what_cannot_be_opened_says_so() -> None:
    with pytest.raises((MissingError, UsageError)):
        BlockingSource(open_source("replay:none.mcap")).__enter__()

"""A source read chunk by chunk by code that knows no event loop: benchmarks, scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from edgehar.errors import MissingError, Reason
from edgehar.sources.base import Source
from edgehar.types import Chunk, StreamSpec

PATIENCE_S = 10.0


class BlockingSource:
    """`with BlockingSource(source) as blocking: chunk = blocking.next_chunk()`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._runner: asyncio.Runner | None = None
        self._chunks: AsyncIterator[Chunk] | None = None

    @property
    def spec(self) -> StreamSpec:
        """Of the open source."""
        return self._source.spec

    def __enter__(self) -> Self:
        runner = asyncio.Runner()
        try:
            runner.run(self._open())
        except BaseException:
            runner.close()
            raise
        self._runner = runner
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the source and its loop; harmless when repeated."""
        runner, self._runner = self._runner, None
        if runner is not None:
            try:
                runner.run(self._source.__aexit__(kind, error, trace))
            finally:
                runner.close()

    def next_chunk(self) -> Chunk | None:
        """The next chunk, empty ones too; None at the end. MissingError where nothing comes for PATIENCE_S."""
        return None if self._runner is None else self._runner.run(self._next())

    async def _open(self) -> None:
        await self._source.__aenter__()
        self._chunks = aiter(self._source)

    async def _next(self) -> Chunk | None:
        if self._chunks is None:
            return None
        try:
            return await asyncio.wait_for(anext(self._chunks, None), PATIENCE_S)
        except TimeoutError:
            raise MissingError(
                f"no sample has come for {PATIENCE_S:g} s",
                reason=Reason.TRUNCATED,
                hint="check that the sensor is on and sends: edgehar record --source SOURCE --out check.mcap",
            ) from None

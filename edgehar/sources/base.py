"""What a source is: something that is opened, tells its `StreamSpec`, and yields Chunks until it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Protocol, Self

from edgehar.types import Chunk, StreamSpec


class Source(Protocol):
    """Room 1. `async with source: async for chunk in source: ...`; proved by `edgehar.testing.check_source`.

    Lost samples are counted gaps (`seq` jumps, `Flag.GAP_BEFORE`), never invented values. A simulated source says
    so in its spec. Errors are EdgeHarError children that name the device, file, row or frame.
    """

    @property
    def spec(self) -> StreamSpec:
        """What the stream is; known once the source is open."""

    async def __aenter__(self) -> Self:
        """Open the file, port or radio."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; harmless when already closed."""

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks in order of arrival, at the source's own pace, until the stream ends."""

    def label_at(self, t_dev_ns: int) -> str:
        """True activity at a device time, where somebody knows it; "" where nobody does."""

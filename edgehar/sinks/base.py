"""What a sink is: something that is opened and takes Activities."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from edgehar.types import Activity


class Sink(Protocol):
    """Room 6. `async with sink: await sink.emit(activity)`; proved by `edgehar.testing.check_sink`.

    Every decision appears, in order, none held back; `activity.simulated` is visible in whatever comes out.
    """

    async def __aenter__(self) -> Self:
        """Open the file, screen or connection."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is still buffered and close."""

    async def emit(self, activity: Activity) -> None:
        """Put out one decision now."""

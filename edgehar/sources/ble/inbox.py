"""What notifications brought and nobody has read yet: bounded, every loss counted and followed by a marked gap."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

MOST_WAITING = 16_384  # values; at a hundred a second, almost three minutes


class Value(NamedTuple):
    """A value that was read or notified, and when it arrived; without a uuid: the stream was broken here."""

    uuid: str
    value: bytes
    host_ns: int


class Inbox:
    """`put` in the event loop's callbacks, `all` to read. A full one refuses what comes: `overflow` counts it."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.overflow = 0
        self.newest_ns = 0  # of the last value that arrived, refused ones too
        self._most = most
        self._waiting: deque[Value] = deque()
        self._refusing = False
        self._error: BaseException | None = None
        self._news = asyncio.Event()

    def put(self, uuid: str, value: bytes, host_ns: int) -> None:
        """A value; refused where too many wait."""
        self.newest_ns = host_ns
        if len(self._waiting) >= self._most:
            self.overflow += 1
            self._refusing = True
            return
        if self._refusing:
            self._refusing = False
            self.interrupt(host_ns)
        self._waiting.append(Value(uuid, value, host_ns))
        self._news.set()

    def interrupt(self, host_ns: int) -> None:
        """What follows is behind a gap."""
        self._waiting.append(Value("", b"", host_ns))
        self._news.set()

    def end(self, error: BaseException) -> None:
        """Nothing more will come, and why."""
        self._error = error
        self._news.set()

    def all(self) -> list[Value]:
        """What waits, oldest first."""
        found = list(self._waiting)
        self._waiting.clear()
        self._news.clear()
        return found

    async def wait(self) -> None:
        """Until something waits. Raises the error of the end once all before it was read."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            self._news.clear()
            await self._news.wait()

"""A thread that reads a link in pieces as large as they come, and opens it again after it broke."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from dataclasses import dataclass

from edgehar.errors import EdgeHarError
from edgehar.sources.byte_link import ByteLink

MOST_WAITING = 64 << 20  # bytes that a slow consumer may leave; then the board's own queue fills, and counts
PAUSE_S = 0.004  # between reads: a frame in fifty pieces costs fifty times its price; a terminal's 4 KiB last 9 ms
GATHER_S = 0.02  # before what has come is decoded, for the same reason; part of a decision's latency
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0  # between attempts to open the link again


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes and when they arrived; `broken`: the link was lost before them. Without bytes it is the news of that."""

    data: bytes
    host_ns: int
    broken: bool = False


class LinkReader:
    """`await pieces()` gives what has come since the last call; [] when the link has ended for good.

    Reading happens in a daemon thread, so that neither a slow disk nor a busy event loop makes the kernel's buffer run
    over. reopen_s: how long to try to open a broken link again; None: for ever. greeting: what is written whenever the
    link has been opened.
    """

    def __init__(self, link: ByteLink, *, reopen_s: float | None = None, greeting: bytes = b"") -> None:
        self.link = link
        self.breaks = 0
        self._greeting = greeting
        self._reopen_s = reopen_s
        self._waiting: deque[Piece] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._ended = False

    async def start(self) -> None:
        """Open the link. Raises what keeps it from opening."""
        await asyncio.to_thread(self.link.open)
        await asyncio.to_thread(self.write, self._greeting)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="edgehar-link", daemon=True)
        self._thread.start()

    async def pieces(self, timeout_s: float | None = None) -> list[Piece]:
        """What has come, at least one piece. Raises TimeoutError when nothing does."""
        while True:
            with self._lock:
                found = list(self._waiting)
                self._waiting.clear()
                self._bytes = 0
                self._news.clear()
                ended = self._ended
            if found or ended:
                return found
            await asyncio.wait_for(self._news.wait(), timeout_s)
            await asyncio.sleep(GATHER_S)

    def write(self, data: bytes) -> None:
        """Tell the device; where the link is broken, reading notices, and the greeting is said again."""
        if data:
            with contextlib.suppress(OSError):
                self.link.write(data)

    async def stop(self) -> None:
        """End the thread and close the link; harmless when repeated."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 2.0)
        self.link.close()

    def _work(self) -> None:
        broken = False
        while not self._stop.is_set():
            try:
                data = self.link.read()
            except (OSError, TypeError):  # pyserial's read raises TypeError when its port is closed under it
                self.link.close()
                if self._stop.is_set():
                    break
                self.breaks += 1
                self._put(Piece(b"", time.monotonic_ns(), broken=True))
                if not self._reopen():
                    break
                broken = True
                continue
            if data:
                self._put(Piece(data, time.monotonic_ns(), broken))
                broken = False
                self._stop.wait(PAUSE_S)
            while self._bytes > MOST_WAITING and not self._stop.is_set():
                time.sleep(0.01)
        self._ended = True
        self._tell()

    def _reopen(self) -> bool:
        """Whether the link is open again."""
        given_up_s = None if self._reopen_s is None else time.monotonic() + self._reopen_s
        wait_s = FIRST_WAIT_S
        while not self._stop.wait(wait_s):
            if given_up_s is not None and time.monotonic() > given_up_s:
                return False
            try:
                self.link.open()
            except (OSError, EdgeHarError):
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            self.write(self._greeting)
            return True
        return False

    def _put(self, piece: Piece) -> None:
        with self._lock:
            first = not self._waiting
            self._waiting.append(piece)
            self._bytes += len(piece.data)
        if first:
            self._tell()

    def _tell(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended; nobody reads any more
                self._loop.call_soon_threadsafe(self._news.set)

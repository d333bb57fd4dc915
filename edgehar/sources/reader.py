"""Blocking reads behind an async iterator: a pipe, a file or a port is read in one daemon thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError

BLOCKS_WAITING = 4  # what the thread may read ahead of a slow consumer


async def read_blocks(read: Callable[[], bytes]) -> AsyncIterator[bytes]:
    """Yield what `read()` returns until it returns b"" (end). `read` runs in a thread; its OSError is raised here.

    The thread is a daemon, so that Ctrl-C does not wait for a read that never returns.
    """
    loop = asyncio.get_running_loop()
    blocks: asyncio.Queue[bytes | OSError] = asyncio.Queue(BLOCKS_WAITING)

    def work() -> None:
        block: bytes | OSError = b"more"
        while block and not isinstance(block, OSError):
            try:
                block = read()
            except OSError as error:
                block = error
            put = blocks.put(block)
            try:
                asyncio.run_coroutine_threadsafe(put, loop).result()
            except (RuntimeError, CancelledError):
                put.close()  # the loop has ended; nobody reads any more
                return

    threading.Thread(target=work, name="edgehar-reader", daemon=True).start()
    while True:
        block = await blocks.get()
        if isinstance(block, OSError):
            raise block
        if not block:
            return
        yield block

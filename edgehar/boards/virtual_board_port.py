"""Where a host finds a virtual board: a pseudo-terminal, or a TCP port; served by a thread at the pace of real time.

The line of a UART does not wait: bytes that nobody reads within what drivers buffer are gone, and counted. Unplugging
takes the terminal away, its reader gets an error; a link keeps the path.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import socket
import threading
import time
import tty
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from edgehar.errors import Reason, UsageError

HOST_BUFFER_BYTES = 1 << 16  # what a serial driver keeps for a slow reader
TICK_S = 0.002


class LineDevice(Protocol):
    """What is at the cable's other end, in stream time: a VirtualBoard, or a TagOnLine."""

    plugged: bool
    truth: Counter[str]

    @property
    def boot(self) -> int:
        """How often it started."""

    @property
    def now_us(self) -> int:
        """True time of the last `read_until`."""

    def read_until(self, t_us: int) -> bytes:
        """What arrives by true time `t_us`."""

    def receive(self, commands: bytes) -> None:
        """Bytes from the host."""

    def reboot(self) -> None:
        """Restart now."""

    def doing(self) -> str:
        """What the simulated person does just now."""


class Plug(Protocol):
    """The host's end of the cable."""

    @property
    def where(self) -> str:
        """The path or address to open."""

    def plug(self) -> None:
        """The cable is put in."""

    def unplug(self) -> None:
        """The cable is pulled: whoever has the port open gets an error. Harmless when repeated."""

    def is_open(self) -> bool:
        """Whether a host has the port open."""

    def write(self, pending: bytes) -> int:
        """As many of the bytes as fit, without waiting."""

    def read(self) -> bytes:
        """What the host has sent, without waiting."""


class PtyPlug:
    """A pseudo-terminal; `link` is a path that always leads to the present one."""

    def __init__(self, link: Path | None = None) -> None:
        self._link = link
        self._master = -1
        self._path = ""
        if link is not None and link.exists() and not link.is_symlink():
            raise UsageError(
                f"{link} exists and is no link", reason=Reason.EXISTS, hint="choose another path for the port"
            )

    @property
    def where(self) -> str:
        return str(self._link or self._path)

    def plug(self) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._path = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        if self._link is not None:
            fresh = self._link.with_name(f".{self._link.name}.new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self._path)
            fresh.replace(self._link)

    def unplug(self) -> None:
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        if self._master >= 0:
            os.close(self._master)
        self._master = -1

    def is_open(self) -> bool:
        if self._master < 0:
            return False
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        return not any(event & select.POLLHUP for _, event in poll.poll(0))

    def write(self, pending: bytes) -> int:
        with contextlib.suppress(BlockingIOError):
            return os.write(self._master, pending)
        return 0

    def read(self) -> bytes:
        with contextlib.suppress(OSError):  # nothing there, or nobody
            return os.read(self._master, 4096)
        return b""


class TcpPlug:
    """A listening TCP port; one host at a time. port 0: any that is free."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self._at = host, port
        self._listening: socket.socket | None = None
        self._peer: socket.socket | None = None

    @property
    def where(self) -> str:
        return f"{self._at[0]}:{self._at[1]}"

    def plug(self) -> None:
        listening = socket.create_server(self._at)
        self._at = listening.getsockname()[:2]
        listening.setblocking(False)
        self._listening = listening

    def unplug(self) -> None:
        for end in (self._peer, self._listening):
            if end is not None:
                end.close()
        self._peer = self._listening = None

    def is_open(self) -> bool:
        if self._peer is None and self._listening is not None:
            with contextlib.suppress(BlockingIOError):
                self._peer, _ = self._listening.accept()
                self._peer.setblocking(False)
        return self._peer is not None

    def write(self, pending: bytes) -> int:
        try:
            return 0 if self._peer is None else self._peer.send(pending)
        except BlockingIOError:
            return 0
        except OSError:
            self._hang_up()
            return 0

    def read(self) -> bytes:
        if self._peer is None:
            return b""
        try:
            received = self._peer.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            received = b""
        if not received:
            self._hang_up()
        return received

    def _hang_up(self) -> None:
        if self._peer is not None:
            self._peer.close()
        self._peer = None


class ServedBoard:
    """`with ServedBoard(board) as served: open(served.where)`. speed: stream seconds a wall second.

    `overrun_bytes`: lost because the host did not read. While no host has the port open, bytes are lost uncounted.
    """

    def __init__(self, board: LineDevice, plug: Plug | None = None, *, speed: float = 1.0) -> None:
        self.board = board
        self.overrun_bytes = 0
        self._plug = plug or PtyPlug()
        self._speed = speed
        self._in = False
        self._pulled = False  # by hand
        self._pending = b""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="edgehar-board", daemon=True)

    @property
    def where(self) -> str:
        """The path of the terminal, or host:port."""
        return self._plug.where

    @property
    def is_open(self) -> bool:
        """Whether a host has the port open."""
        with self._lock:
            return self._in and self._plug.is_open()

    def __enter__(self) -> Self:
        self._plug.plug()
        self._in = True
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The board goes away."""
        self._stop.set()
        self._thread.join()
        self._plug.unplug()

    def unplug(self) -> None:
        """Pull the cable until `replug`; the board keeps its supply."""
        with self._lock:
            self._pulled = True
            self._cable(plugged=False)

    def replug(self) -> None:
        """Put the cable in again."""
        with self._lock:
            self._pulled = False
            self._cable(plugged=True)

    def reboot(self) -> None:
        """Press RST."""
        with self._lock:
            self.board.reboot()

    def doing(self) -> str:
        """What the simulated person does just now."""
        with self._lock:
            return self.board.doing()

    def truth(self) -> dict[str, float]:
        """What became of the board's frames so far: counts, and stream seconds."""
        with self._lock:
            counts = {"sent": 0, **{str(key): count for key, count in self.board.truth.items()}}
            starts, stream_s = self.board.boot, self.board.now_us / 1e6
        return {"stream_s": stream_s, "starts": starts, **counts, "overrun_bytes": self.overrun_bytes}

    def _cable(self, *, plugged: bool) -> None:
        if plugged and not self._in:
            self._plug.plug()
        elif self._in and not plugged:
            self._plug.unplug()
            self._pending = b""
        self._in = plugged

    def _serve(self) -> None:
        began_s = time.monotonic()
        while not self._stop.wait(TICK_S):
            with self._lock:
                self._tick(round((time.monotonic() - began_s) * self._speed * 1e6))

    def _tick(self, t_us: int) -> None:
        if self._in:
            self.board.receive(self._plug.read())
        sent = self.board.read_until(t_us)
        self._cable(plugged=self.board.plugged and not self._pulled)
        if not self._in or not self._plug.is_open():
            self._pending = b""
            return
        self._pending += sent
        while self._pending and (taken := self._plug.write(self._pending)):
            self._pending = self._pending[taken:]
        beyond = len(self._pending) - HOST_BUFFER_BYTES
        if beyond > 0:
            self.overrun_bytes += beyond
            self._pending = self._pending[:HOST_BUFFER_BYTES]

"""A place for secrets: a directory that only this user can read, in memory where there is such a place, and never left.

The Wi-Fi password is in the NVS image and in what is read back from the board, so both live here alone.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from edgehar.boards.flash.settings import PASSWORD_VARIABLE

PREFIX = "edgehar-flash-"
# Signals that end Python without running a `finally`; the terminal that closes sends the first.
_ENDING = tuple(getattr(signal, name) for name in ("SIGHUP", "SIGTERM") if hasattr(signal, name))


@contextmanager
def private_directory() -> Iterator[Path]:
    """A directory of mode 0700, removed on every way out but SIGKILL and a power cut."""
    with _ending_signals_raise(), tempfile.TemporaryDirectory(prefix=PREFIX, dir=_in_memory()) as name:
        yield Path(name)


def child_environment() -> Mapping[str, str]:
    """The environment of programs that are started: the password is none of their business."""
    return {name: value for name, value in os.environ.items() if name != PASSWORD_VARIABLE}


def _in_memory() -> str | None:
    """A directory that never reaches a disk: /run/user/UID or /dev/shm; None: the usual temporary directory."""
    for place in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"):  # noqa: S108 (TemporaryDirectory makes it 0700)
        if place and Path(place).is_dir() and os.access(place, os.W_OK | os.X_OK):
            return place
    return None


@contextmanager
def _ending_signals_raise() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    before = {number: signal.signal(number, _exit) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)

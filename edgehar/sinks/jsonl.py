"""`jsonl:PATH` (`-` is stdout): one JSON object a decision, flushed at once."""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from edgehar.errors import MissingError, Reason, UsageError
from edgehar.types import Activity


def encode(activity: Activity) -> str:
    """One line, keys in the order of the fields.

    What differs between two runs over the same samples, the latency, stands apart in "meta": all else is
    byte-identical between live and replay. So do the sensors that spoke, where the model has several. Floats are
    written so that they read back exactly.
    """
    return json.dumps(
        {
            "t_ns": activity.t_ns,
            "label": activity.label,
            "p": activity.p,
            "status": activity.status.value,
            "coverage": activity.coverage,
            "model_id": activity.model_id,
            "simulated": activity.simulated,
            "meta": {
                "latency_ns": activity.latency_ns,
                **({"sensors": list(activity.sensors)} if activity.sensors else {}),
            },
        },
        ensure_ascii=False,
    )


class JsonlSink:
    """Appends to PATH, creating it; a reader may follow it with `tail -f`."""

    def __init__(self, locator: str) -> None:
        if not locator:
            raise UsageError("sink 'jsonl' needs a file", reason=Reason.FORMAT, hint="write jsonl:PATH, or jsonl:-")
        self._locator = locator
        self._stream: TextIO | None = None

    async def __aenter__(self) -> Self:
        """Open the file; MissingError names it when that fails."""
        if self._locator == "-":
            self._stream = sys.stdout
            return self
        try:
            self._stream = Path(self._locator).open("a", encoding="utf-8")  # noqa: SIM115, ASYNC230 - closed below
        except OSError as error:
            raise MissingError(
                f"sink jsonl: cannot write {self._locator}: {error.strerror}",
                reason=Reason.PERMISSION,
                hint="name a file in a directory that exists and can be written",
            ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; leave stdout open."""
        stream, self._stream = self._stream, None
        if stream is not None and stream is not sys.stdout:
            with contextlib.suppress(OSError):  # every line was flushed, or its error raised, by `emit`
                stream.close()

    async def emit(self, activity: Activity) -> None:
        """Write and flush one line; MissingError when the disk is full."""
        if self._stream is None:
            raise UsageError("sink jsonl is not open", reason=Reason.VALUE, hint="use it in an 'async with' block")
        try:
            self._stream.write(encode(activity) + "\n")
            self._stream.flush()
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise MissingError(
                f"sink jsonl: cannot write {self._locator}: {error.strerror}",
                reason=Reason.DISK_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else Reason.PERMISSION,
                hint="free some space, or write to another place: --sink jsonl:PATH",
            ) from error

"""Windows on the uniform stream: how much of one is real, and those that begin at given offsets."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgehar.types import FloatArray


class Coverage:
    """Real samples / expected samples of the latest windows, by stream index; counts on across gaps."""

    def __init__(self, window: int) -> None:
        self.window = window
        self._most = 8 * window  # indices kept at most between two pushes, so that not every push moves them
        self._real: list[int] = []  # stream indices of real samples, at least the last `window` of them

    def push(self, index: int, real: Iterable[int]) -> None:
        """Samples from stream index `index` on; real: whether each is."""
        if len(self._real) > self._most:
            del self._real[: -self.window]
        for i, is_real in enumerate(real, index):
            if is_real:
                self._real.append(i)

    def at(self, start: int) -> float:
        """Coverage, 0 to 1, of [start, start + window); the window's last sample lies in the latest push, or after."""
        low = bisect_left(self._real, start)
        return float(bisect_left(self._real, start + self.window, low) - low) / self.window

    def reset(self) -> None:
        """Forget the stream."""
        self._real = []


@dataclass(frozen=True, slots=True)
class Cut:
    """The window that begins at stream index `start`: x [w, c], or None where a gap or the end cuts it short."""

    start: int
    x: FloatArray | None


class OffsetWindows:
    """Cuts windows at explicit stream indices, each exactly once, in order of time."""

    def __init__(self, window: int, starts: Sequence[int]) -> None:
        self.window = window
        self._starts = sorted(int(s) for s in starts)
        self._next = 0
        self._first = 0  # stream index of _x[0]
        self._x: FloatArray | None = None

    def push(self, index: int, x: FloatArray) -> list[Cut]:
        """Windows that x [n, c], at stream indices `index`..., completes."""
        if self._x is None:
            self._x, self._first = x, index
        else:
            self._x = np.concatenate([self._x, x])
        end = self._first + len(self._x)
        cuts = []
        while self._next < len(self._starts) and self._starts[self._next] + self.window <= end:
            start = self._starts[self._next]
            at = start - self._first
            cuts.append(Cut(start, self._x[at : at + self.window] if at >= 0 else None))
            self._next += 1
        surplus = len(self._x) - (self.window - 1)
        if surplus > 0:
            self._x, self._first = self._x[surplus:], self._first + surplus
        return cuts

    def end_segment(self, resumes: int | None = None) -> list[Cut]:
        """Windows that can never be whole: all that begin before stream index `resumes`; None = the stream is over."""
        self._x = None
        cuts = []
        while self._next < len(self._starts) and (resumes is None or self._starts[self._next] < resumes):
            cuts.append(Cut(self._starts[self._next], None))
            self._next += 1
        return cuts

    def reset(self) -> None:
        """Begin again with the first offset."""
        self._x, self._next = None, 0

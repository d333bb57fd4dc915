"""Several sensors in one stream: which of them measured a sample, carried through the resampler beside the values.

A row of such a stream has NaN where a sensor gave nothing. The rest of it is wanted all the same, so before the
resampler the missing values are filled with the sensor's last ones, and a mark for each sensor goes along as a column
of its own: 1 measured, 1/2 there but interpolated, 0 missing. Behind the preprocessing, the channels of a sensor that
was missing become 0, which is the mean of a normalised channel: no NaN reaches the network, and nothing invented does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edgehar.dsp.resample import REAL
from edgehar.dsp.windows import Coverage
from edgehar.types import Chunk, FloatArray, IntArray

REAL_OF = "real_of"
"""aux of a chunk [n] int64: bit i is set where sensor i measured the row, clear where its values replace a lost one."""
MEASURED, THERE, MISSING = 1.0, 0.5, 0.0
THERE_BIT = 32  # in the facts of a grid point: bit i, sensor i really measured; bit 32 + i, it has values


class SensorMarks:
    """columns: of each sensor, in the stream; inputs: of each sensor, after the preprocessing."""

    def __init__(self, columns: Sequence[Sequence[int]], inputs: Sequence[Sequence[int]]) -> None:
        self._columns = [list(own) for own in columns]
        self._inputs = [list(own) for own in inputs]
        self._channels = sum(map(len, self._columns))
        self.width = self._channels + len(self._columns)
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._held = [np.zeros((1, len(own)), np.float32) for own in self._columns]

    def mark(self, x: FloatArray, chunk: Chunk) -> FloatArray:
        """Rows x [n, c] of `chunk` as [n, width]; one in which no sensor has anything keeps its NaN and is dropped."""
        real_of = chunk.aux.get(REAL_OF)
        out = np.empty((len(x), self.width), np.float32)
        out[:, : self._channels] = x
        nothing = np.ones(len(x), np.bool_)
        for i, own in enumerate(self._columns):
            there = np.isfinite(x[:, own]).all(axis=1)
            nothing &= ~there
            real = there if real_of is None else there & ((real_of.astype(np.int64) >> i & 1) != 0)
            out[:, self._channels + i] = np.where(real, MEASURED, np.where(there, THERE, MISSING))
            if there.all():
                self._held[i] = x[-1:, own]
                continue
            known = np.concatenate([self._held[i], x[:, own]])
            latest = np.maximum.accumulate(np.where(np.concatenate([[True], there]), np.arange(len(x) + 1), 0))
            known = known[latest]
            self._held[i] = known[-1:]
            out[:, own] = known[1:]
        out[nothing] = np.nan
        return out

    def unmark(self, x: FloatArray, facts: IntArray) -> FloatArray:
        """Grid points x [m, width] as [m, c]; column REAL of their facts [m, 5] becomes the sensors' bits."""
        marks = x[:, self._channels :]
        bits = np.arange(marks.shape[1])
        real = ((marks == MEASURED).astype(np.int64) << bits).sum(axis=1)
        there = ((marks >= THERE).astype(np.int64) << bits).sum(axis=1)
        facts[:, REAL] = np.where(facts[:, REAL] != 0, real, 0) | there << THERE_BIT
        return np.ascontiguousarray(x[:, : self._channels])

    def blank(self, y: FloatArray, facts: IntArray) -> FloatArray:
        """Preprocessed samples y [n, inputs] with 0 where their sensor, by their facts [n, 5], was missing."""
        there = facts[:, REAL] >> THERE_BIT
        if (there == (1 << len(self._inputs)) - 1).all():
            return y
        y = y.copy()
        for i, own in enumerate(self._inputs):
            y[np.ix_((there >> i & 1) == 0, own)] = 0.0
        return y


class SensorCoverage:
    """`Coverage` of each of `sensors` sensors; `at` is that of the best covered."""

    def __init__(self, window: int, sensors: int) -> None:
        self._each = [Coverage(window) for _ in range(sensors)]

    def push(self, index: int, real: Iterable[int]) -> None:
        """Samples from stream index `index` on; real: the bits that `SensorMarks.unmark` set."""
        bits = list(real)
        for i, coverage in enumerate(self._each):
            coverage.push(index, [one >> i & 1 for one in bits])

    def each(self, start: int) -> tuple[float, ...]:
        """Coverage of every sensor in the window that begins at `start`."""
        return tuple(coverage.at(start) for coverage in self._each)

    def at(self, start: int) -> float:
        """The greatest of them."""
        return max(self.each(start))

    def reset(self) -> None:
        """Forget the stream."""
        for coverage in self._each:
            coverage.reset()
